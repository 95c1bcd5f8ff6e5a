/**
 * Memory that is used again: pieces keep what is put into them until all is given back, and no longer.
 * @module
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SCRATCH_BYTES_MAX } from '../../../src/exports/parquet/limits.js';
import { Scratch } from '../../../src/exports/parquet/scratch.js';

test('pieces do not overlap, whatever was taken the time before', () =>
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(300), { maxLength: 12 }), { maxLength: 5 }), (rounds) => {
      const scratch = new Scratch();
      for (const counts of rounds) {
        const pieces = counts.map((count, index) =>
          index % 2 === 0 ? scratch.bytes(count).fill(index) : scratch.integers(count).fill(-index),
        );
        for (const [index, piece] of pieces.entries()) {
          expect(piece.length).toBe(counts[index]);
          expect(piece.every((value) => value === (index % 2 === 0 ? index : -index))).toBe(true);
        }
        scratch.clear();
      }
    }),
  ));

test('the second time all pieces stand in the memory of the kernel', () => {
  const scratch = new Scratch();
  const take = () => [scratch.bytes(100_000), scratch.integers(77), scratch.bytes(3)];
  const isInside = (pieces: ReturnType<typeof take>) => pieces.map((piece) => scratch.addressOf(piece) > 0);
  expect(isInside(take())).toEqual([false, false, false]);
  scratch.clear();
  const again = take();
  expect(isInside(again)).toEqual([true, true, true]);
  expect(again.every(({ buffer }) => buffer === scratch.kernel.memory.buffer)).toBe(true);
});

test('the first time, too, where it is known how much will be taken', () => {
  const scratch = new Scratch();
  scratch.clear(1_000_000);
  expect(scratch.addressOf(scratch.bytes(999_000))).toBeGreaterThan(0);
});

test('what was taken since is given back, and no more than that', () => {
  const scratch = new Scratch();
  scratch.clear(1000);
  const first = scratch.bytes(100).fill(1);
  const { taken } = scratch;
  const second = scratch.bytes(100).fill(2);
  scratch.release(taken);
  const third = scratch.bytes(100).fill(3);
  expect([first[0], second[0], third[0]]).toEqual([1, 3, 3]);
});

test('what is too large to be kept is not kept', () => {
  const scratch = new Scratch();
  for (let round = 0; round < 2; round++) {
    expect(scratch.bytes(SCRATCH_BYTES_MAX + 1).buffer.byteLength).toBe(SCRATCH_BYTES_MAX + 1);
    expect(scratch.addressOf(scratch.bytes(8))).toBe(0);
    scratch.clear();
  }
  expect(scratch.addressOf(scratch.bytes(8))).toBeGreaterThan(0);
});
