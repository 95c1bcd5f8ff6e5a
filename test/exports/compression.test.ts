/**
 * Compressed files are told by their bytes, and damaged ones are refused.
 * @module
 */

import * as zlib from 'node:zlib';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressed, compressionOfName, decompressed, parseMapping } from '../../src/exports/index.js';
import { filter, optedOutTable, pieces, termsOf } from './people.js';

const FILE = Buffer.from(`mail,ifa\n${'jane@example.com,\nout@example.com,\n'.repeat(5000)}`);
const KEPT = Buffer.from(`mail,ifa\n${'jane@example.com,\n'.repeat(5000)}`);
const hasZstd = 'createZstdCompress' in zlib;

async function all(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of input) parts.push(part);
  return Buffer.concat(parts);
}

test.each([1, 3, 1000, 100_000])('gzip in pieces of %i bytes, and more than one member', async (size) => {
  const twice = Buffer.concat([gzipSync(FILE.subarray(0, 777)), gzipSync(FILE.subarray(777))]);
  expect((await all(decompressed(pieces(twice, [size])))).equals(FILE)).toBe(true);
  expect((await all(decompressed(pieces(FILE, [size])))).equals(FILE)).toBe(true);
});

test('there and back through a filter', async () => {
  const options = {
    table: optedOutTable(),
    terms: termsOf(),
    format: 'csv',
    mapping: parseMapping('email=mail'),
  } as const;
  const { output } = await filter(decompressed(pieces(gzipSync(FILE), [500])), options);
  expect(output.equals(KEPT)).toBe(true);
  expect(gunzipSync(await all(compressed(pieces(output, [999]), 'gzip'))).equals(KEPT)).toBe(true);
  expect(compressed(pieces(output, [1]), 'none')).toBeDefined();
});

test.skipIf(!hasZstd)('zstd there and back', async () => {
  const packed = await all(compressed(pieces(FILE, [999]), 'zstd'));
  expect((await all(decompressed(pieces(packed, [7])))).equals(FILE)).toBe(true);
});

test.skipIf(hasZstd)('zstd where this Node.js has none is refused, and not taken for rows', async () => {
  const packed = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0]);
  await expect(all(decompressed(pieces(packed, [2])))).rejects.toMatchObject({ code: 'compression.unsupported' });
  expect(() => compressed(pieces(FILE, [9]), 'zstd')).toThrow(
    expect.objectContaining({ code: 'compression.unsupported' }),
  );
});

test.skipIf(!hasZstd).each([1, 3, 1000, 100_000_000])('several frames of zstd, in pieces of %i bytes', async (size) => {
  const frame = async (from: number, to?: number) => all(compressed(pieces(FILE.subarray(from, to), [999]), 'zstd'));
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const twice = Buffer.concat([await frame(0, 777), skipped, await frame(777)]);
  expect((await all(decompressed(pieces(twice, [size])))).equals(FILE)).toBe(true);
  const more = Buffer.concat([twice, Buffer.alloc(3)]);
  await expect(all(decompressed(pieces(more, [size])))).rejects.toMatchObject({ code: 'compression.damaged' });
});

test.each([1, 3, 1000, 100_000])('what stands behind the end is damage, in pieces of %i bytes', async (size) => {
  for (const more of [Buffer.alloc(600), Buffer.from('more'), Buffer.concat([Buffer.alloc(9), gzipSync(FILE)])]) {
    const long = Buffer.concat([gzipSync(FILE), more]);
    await expect(all(decompressed(pieces(long, [size])))).rejects.toMatchObject({ code: 'compression.damaged' });
  }
});

test('a file that is told to be compressed must be', async () => {
  await expect(all(decompressed(pieces(FILE, [999]), 'gzip'))).rejects.toMatchObject({ code: 'compression.damaged' });
  expect((await all(decompressed(pieces(gzipSync(FILE), [999]), 'none'))).equals(gzipSync(FILE))).toBe(true);
});

test('a file cut short or damaged, an input that fails, a reader who leaves', async () => {
  const packed = gzipSync(FILE);
  const damaged = Buffer.from(packed);
  damaged.fill(0x55, 30, 60);
  const cut = pieces(packed.subarray(0, packed.length - 9), [50]);
  await expect(all(decompressed(cut))).rejects.toMatchObject({ code: 'compression.damaged' });
  await expect(all(decompressed(pieces(damaged, [50])))).rejects.toMatchObject({ code: 'compression.damaged' });
  let isClosed = false;
  async function* failing() {
    try {
      yield packed.subarray(0, 40);
      throw new Error('the disk is gone');
    } finally {
      isClosed = true;
    }
  }
  await expect(all(decompressed(failing()))).rejects.toThrow('the disk is gone');
  async function* endless() {
    try {
      for (;;) yield packed;
    } finally {
      isClosed = true;
    }
  }
  isClosed = false;
  for await (const part of decompressed(endless())) if (part.length > 0) break;
  await expect.poll(() => isClosed).toBe(true);
});

test.each([
  ['a.csv', 'none'],
  ['a.csv.gz', 'gzip'],
  ['a.GZ', 'gzip'],
  ['a.ndjson.zst', 'zstd'],
  ['a.gz.csv', 'none'],
])('%s is named as %s', (name, compression) => expect(compressionOfName(name)).toBe(compression));
