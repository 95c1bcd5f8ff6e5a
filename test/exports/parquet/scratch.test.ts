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

test('the second time all pieces stand in the same memory', () => {
  const scratch = new Scratch();
  const take = () => [scratch.bytes(1000), scratch.integers(77), scratch.bytes(3)].map(({ buffer }) => buffer);
  expect(new Set(take()).size).toBe(3);
  scratch.clear();
  const again = new Set(take());
  expect(again.size).toBe(1);
  scratch.clear();
  expect(new Set([...again, ...take()]).size).toBe(1);
});

test('what is too large to be kept is not kept', () => {
  const scratch = new Scratch();
  for (let round = 0; round < 2; round++) {
    expect(scratch.bytes(SCRATCH_BYTES_MAX + 1).buffer.byteLength).toBe(SCRATCH_BYTES_MAX + 1);
    expect(scratch.bytes(8).buffer.byteLength).toBe(8);
    scratch.clear();
  }
});
