/**
 * Files read into memory that is used again, and output that is lent.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { type FilterOptions, fileBytes, filterRows, parseMapping } from '../../src/exports/index.js';
import { InputFile } from '../../src/exports/input-file.js';
import { optedOutTable, termsOf, VALUES } from './people.js';

const MIB = 1024 * 1024;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optgate-file-bytes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

describe('a file', () => {
  test.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])('of %i bytes comes whole', async (length) => {
    const path = join(folder, `of-${length}`);
    const content = Buffer.from(Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
    await writeFile(path, content);
    expect((await bytesOf(fileBytes(path))).equals(content)).toBe(true);
  });

  test('is read into two pieces of memory, whatever its length', async () => {
    const path = join(folder, 'long');
    await writeFile(path, Buffer.alloc(9 * MIB, 7));
    const memory = new Set<ArrayBufferLike>();
    for await (const piece of fileBytes(path)) memory.add(piece.buffer);
    expect(memory.size).toBe(2);
  });

  test('that is not there ends with the error of the system', async () => {
    await expect(bytesOf(fileBytes(join(folder, 'none')))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a pipe that gives nothing does not hold up the one who has given up', async () => {
    const path = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const writing = writeFile(path, 'first'); // opens it, so that reading can begin
    const abort = new AbortController();
    const pieces = fileBytes(path, abort.signal)[Symbol.asyncIterator]();
    expect(Buffer.from((await pieces.next()).value ?? []).toString()).toBe('first');
    await writing;
    abort.abort(new Error('given up'));
    await expect(pieces.next()).rejects.toThrow('given up');
  });
});

describe('a file whose rows are filtered', () => {
  const options = {
    table: optedOutTable(),
    terms: termsOf(RIGHTS_ALL),
    mapping: parseMapping('email=mail'),
    format: 'csv',
    blockBytes: 1000,
    onUnidentifiable: 'keep',
  } as const;

  test('comes to the same whether it is read into blocks or comes in pieces, with long rows and none', async () => {
    const row = fc.tuple(fc.constantFrom(...VALUES, '', '"a\nb"'), fc.constantFrom(0, 3, 700, 1500));
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 40 }), fc.constantFrom('', '\n', '\r\n'), async (rows, end) => {
        const lines = rows.map(([mail, length]) => `${mail.includes('"') ? mail : `"${mail}"`},${'n'.repeat(length)}`);
        const path = join(folder, 'either.csv');
        await writeFile(path, `mail,note\n${lines.join(end === '' ? '\n' : end)}${end}`);
        const direct = filterRows(fileBytes(path), options);
        const inPieces = filterRows(createReadStream(path, { highWaterMark: 333 }), options);
        expect(await bytesOf(direct.output)).toEqual(await bytesOf(inPieces.output));
        expect(await direct.done).toEqual(await inPieces.done);
      }),
      { numRuns: 60 },
    );
  });

  test('that cannot be read ends with the error of the system', async () => {
    const { output, done } = filterRows(fileBytes(folder), options);
    await expect(bytesOf(output)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(done).rejects.toMatchObject({ code: 'EISDIR' });
  });

  test('and is compressed, in a pipe that gives no more: who leaves does not wait for it', async () => {
    const path = join(folder, 'pipe.gz');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const writer = open(path, 'r+'); // keeps it from ending
    const file = await writer;
    await file.write(
      gzipSync(`mail,note\n${Array.from({ length: 4000 }, (_, row) => `ok${row}@x.com,n`).join('\n')}`).subarray(0, -9),
    );
    const input = await InputFile.open(path);
    for await (const _ of filterRows(input.rows(), options).output) break;
    await input.discard();
    await file.close();
  });

  test.runIf(process.platform === 'linux')('is closed when the reader leaves', async () => {
    const path = join(folder, 'left.csv');
    await writeFile(path, `mail,note\n${'ok@x.com,n\n'.repeat(10_000)}`);
    const isOpen = () =>
      readdirSync('/proc/self/fd').some((name) => {
        try {
          return readlinkSync(`/proc/self/fd/${name}`) === path;
        } catch {
          return false; // the one of the listing
        }
      });
    for await (const _ of filterRows(fileBytes(path), options).output) {
      expect(isOpen()).toBe(true);
      break;
    }
    await vi.waitFor(() => expect(isOpen()).toBe(false));
  });
});

describe('output that is lent', () => {
  const mapping = parseMapping('email=mail,maid=ifa');
  const options = { table: optedOutTable(), terms: termsOf(RIGHTS_ALL), mapping, onUnidentifiable: 'keep' } as const;
  const csv = (count: number) =>
    `id,mail,ifa\n${Array.from({ length: count }, (_, row) => `${row},"${VALUES[row % 10]}",${VALUES[18 + (row % 5)]}`).join('\n')}\n`;

  test.each([1, 3])('is the same bytes, in memory that comes again, with %i threads', async (threads) => {
    const path = join(folder, `rows-${threads}.csv`);
    await writeFile(path, csv(60_000));
    const more: FilterOptions = { ...options, format: 'csv', threads, blockBytes: 65_536, threadsBytesMin: 200_000 };
    const owned = filterRows(createReadStream(path), more);
    const expected = await bytesOf(owned.output);
    const lent = filterRows(fileBytes(path), { ...more, isOutputLent: true });
    const memory = new Set<ArrayBufferLike>();
    const copies: Buffer[] = [];
    for await (const piece of lent.output) {
      memory.add(piece.buffer);
      copies.push(Buffer.from(piece));
    }
    expect(Buffer.concat(copies).equals(expected)).toBe(true);
    expect(await lent.done).toEqual(await owned.done);
    // what is handed to threads comes back as another object over the same memory
    if (threads === 1) expect(memory.size).toBeLessThan(8);
  });

  test('unless it is, what was given out stays as it was', async () => {
    const path = join(folder, 'kept.csv');
    await writeFile(path, csv(60_000));
    const { output } = filterRows(createReadStream(path), { ...options, format: 'csv', blockBytes: 65_536 });
    const pieces: Uint8Array[] = [];
    for await (const piece of output) pieces.push(piece);
    const { output: again } = filterRows(createReadStream(path), { ...options, format: 'csv', blockBytes: 65_536 });
    expect(Buffer.concat(pieces).equals(await bytesOf(again))).toBe(true);
  });
});
