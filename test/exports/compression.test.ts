/**
 * Compressed files are told by their bytes, and damaged ones are refused.
 * @module
 */

import * as zlib from 'node:zlib';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressed, compressionOfName, decompressed, parseMapping, type RowError } from '../../src/exports/index.js';
import { ZstdFrames } from '../../src/exports/zstd-frames.js';
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

test.skipIf(!hasZstd)('zstd that is cut off anywhere, or goes on with something else, is damage', async () => {
  const packed = Buffer.concat([
    await all(compressed(pieces(FILE, [999]), 'zstd')),
    await all(compressed(pieces(FILE.subarray(0, 50), [999]), 'zstd')),
  ]);
  expect(await all(decompressed(pieces(packed, [7])))).toHaveLength(FILE.length + 50);
  for (let length = 4; length < packed.length; length += length < 40 || length > packed.length - 80 ? 1 : 997) {
    const cut = all(decompressed(pieces(packed.subarray(0, length), [1000]), 'zstd')).then(
      (bytes) => bytes.length,
      (error: unknown) => (error as RowError).code,
    );
    const isBetweenFrames = (await cut) === FILE.length;
    if (!isBetweenFrames) expect([length, await cut]).toEqual([length, 'compression.damaged']);
  }
  for (const more of [[0], [0, 0, 0, 0], [0x28, 0xb5, 0x2f]]) {
    const spoilt = Buffer.concat([packed, Buffer.from(more)]);
    await expect(all(decompressed(pieces(spoilt, [1000]), 'zstd'))).rejects.toMatchObject({
      code: 'compression.damaged',
    });
  }
});

test('frames of zstd are followed by their lengths', () => {
  const frame = (...body: readonly number[]) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...body]);
  const raw = (isLast: boolean, count: number) => {
    const header = (count << 3) | (isLast ? 1 : 0);
    return [header & 255, (header >> 8) & 255, header >> 16, ...Array.from({ length: count }, () => 7)];
  };
  const whole = [
    frame(0x20, 5, ...raw(true, 5)), // single segment, size in a byte
    frame(0x04, 0x58, ...raw(false, 3), ...raw(true, 0), 1, 2, 3, 4), // window, checksum
    frame(0xc3, 0x58, 1, 1, 1, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 9, ...raw(true, 1)), // dictionary id, size, a run of one byte
    Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]), // skippable
  ];
  for (const bytes of [...whole, Buffer.concat(whole)]) {
    for (let length = 0; length <= bytes.length; length++) {
      const frames = new ZstdFrames();
      frames.take(bytes.subarray(0, length >> 1));
      frames.take(bytes.subarray(length >> 1, length));
      if (whole.includes(bytes)) expect([length, frames.isAtEnd]).toEqual([length, [0, bytes.length].includes(length)]);
      else if (length === bytes.length) expect(frames.isAtEnd).toBe(true);
    }
  }
  expect(() => new ZstdFrames().take(Buffer.from('id,email'))).toThrow('compression.damaged');
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
