/**
 * The SHA-256 of a file as its bytes pass, on this thread and on another.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fileHash } from '../../src/exports/file-hash.js';
import { InputFile } from '../../src/exports/input-file.js';
import { HASH_THREAD_BYTES_MIN } from '../../src/exports/limits.js';

const MIB = 1024 * 1024;

describe.each(['here', 'thread'] as const)('%s', (hashing) => {
  test('it is that of all bytes, in whatever pieces they come, although their memory is used again', async () => {
    const sizes = fc.array(fc.constantFrom(0, 1, 63, 1000, MIB, MIB + 1, 3 * MIB), { maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const [found, expected] = [fileHash(hashing), createHash('sha256')];
        const memory = new Uint8Array(3 * MIB);
        for (const [index, length] of lengths.entries()) {
          const piece = memory.subarray(0, length).fill(index + 1);
          expected.update(piece);
          await found.update(piece);
        }
        expect(await found.digest()).toBe(expected.digest('hex'));
      }),
      { numRuns: 12 },
    );
  });

  test('it can be let go of at any time', async () => {
    const hash = fileHash(hashing);
    await hash.update(new Uint8Array(10));
    await hash.discard();
    await hash.discard();
  });
});

test('who waits for a thread that has ended hears of it', async () => {
  const hash = fileHash('thread');
  const waiting = hash.update(new Uint8Array(40 * MIB));
  waiting.catch(() => {});
  await hash.discard();
  await expect(waiting).rejects.toThrow('the hashing thread ended');
  await expect(hash.digest()).rejects.toThrow('the hashing thread ended');
});

test('what is not hashed has no hash', async () => {
  const hash = fileHash('none');
  await hash.update(new Uint8Array(10));
  await expect(hash.digest()).rejects.toThrow(TypeError);
});

test.each([
  [HASH_THREAD_BYTES_MIN - 1, 'here'],
  [HASH_THREAD_BYTES_MIN, 'thread'],
])('a file of %i bytes is hashed %s', async (length, hashing) => {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-hash-'));
  try {
    const file = await open(join(folder, 'long'), 'w');
    await file.truncate(length);
    await file.close();
    const input = await InputFile.open(join(folder, 'long'));
    expect(input.hashing).toBe(hashing);
    await input.discard();
  } finally {
    await rm(folder, { recursive: true });
  }
});
