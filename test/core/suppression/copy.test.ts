/**
 * Copies: all keys come back out of the table, for any other size, without their originals.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditTable, TableCopy } from '../../../src/core/suppression/copy.js';
import { BUCKET_COUNT_MIN, bucketCountFor, usedSlotsMax } from '../../../src/core/suppression/layout.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { keyAt, rightsAt, SEED } from './keys.js';

function filled(capacity: number, keyCount: number): SuppressionTable {
  const table = SuppressionTable.create({ capacity, seed: SEED, epoch: 'test' });
  for (let index = 0; index < keyCount; index++) {
    if (table.set(...keyAt(index), rightsAt(index)) !== 'added') throw new Error(`key number ${index} was not added`);
  }
  return table;
}

function expectSame(copy: SuppressionTable, keyCount: number, isRemoved: (index: number) => boolean): void {
  for (let index = 0; index < keyCount; index++) {
    const expected = isRemoved(index) ? 0 : rightsAt(index);
    if (copy.rightsOf(...keyAt(index)) !== expected) throw new Error(`key number ${index} differs`);
  }
  for (let index = keyCount; index < keyCount + 10_000; index++) {
    if (copy.rightsOf(...keyAt(index)) !== 0) throw new Error(`key number ${index} should not be there`);
  }
}

describe('reconstruct all', () => {
  const keyCount = 200_000;
  const source = filled(keyCount, keyCount);
  const isRemoved = (index: number): boolean => index % 7 === 0;
  for (let index = 0; index < keyCount; index += 7) source.remove(...keyAt(index));
  source.set(9, 1, 2, 3, 4, 1, true);
  source.publish(99, 1234);

  test.each([33_000, 46_341, 65_536, 65_537, 300_007])('into %d buckets', (bucketCount) => {
    const copy = new TableCopy(source, bucketCount);
    expect(copy.step(Number.MAX_SAFE_INTEGER)).toBe('complete');
    const { target } = copy;
    expectSame(target, keyCount, isRemoved);
    expect(auditTable(target)).toEqual({
      entryCount: source.entryCount,
      tombstoneCount: 0,
      stateDigest: source.stateDigest,
      misplacedCount: 0,
    });
    expect([target.seed, target.epoch]).toEqual([SEED, 'test']);
    expect([target.kindMask, target.givenKindMask]).toEqual([(1 << 8) | (1 << 9), 1 << 8]);
    expect([target.seq, target.freshAtMs]).toEqual([99, 1234]);
  });

  test('through many sizes, one after the other', () => {
    let table = source;
    for (const bucketCount of [50_001, 99_991, 33_333, 262_144, bucketCountFor(keyCount)]) {
      const copy = new TableCopy(table, bucketCount);
      while (copy.step(10_000) === 'copying');
      table = copy.target;
    }
    expectSame(table, keyCount, isRemoved);
  });
});

test('a target that is too small says so', () => {
  const source = filled(60_000, 60_000);
  const copy = new TableCopy(source, BUCKET_COUNT_MIN);
  expect(copy.step(Number.MAX_SAFE_INTEGER)).toBe('overflowed');
});

test('writes made to both tables while one is copied into the other end up as if made before', () => {
  const write = fc.record({ index: fc.nat(2500), rights: fc.integer({ min: 0, max: 127 }), slots: fc.nat(4000) });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
      const source = filled(0, 2000);
      const copy = new TableCopy(source, 5003);
      let state = copy.step(8);
      for (const { index, rights, slots } of writes) {
        source.set(...keyAt(index), rights);
        copy.target.set(...keyAt(index), rights);
        if (state === 'copying') state = copy.step(slots);
      }
      while (state === 'copying') state = copy.step(10_000);
      expect(auditTable(copy.target)).toMatchObject({ stateDigest: source.stateDigest, misplacedCount: 0 });
      for (let index = 0; index < 2500; index++) {
        if (copy.target.rightsOf(...keyAt(index)) !== source.rightsOf(...keyAt(index))) throw new Error(`${index}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('a write made behind the back of a copy is noticed', () => {
  const source = filled(0, 2000);
  const copy = new TableCopy(source, 5003);
  copy.step(source.bucketCount * 8 - 8);
  for (let index = 0; index < 100; index++) source.set(...keyAt(index), 0);
  expect(() => copy.step(8)).toThrow(expect.objectContaining({ code: 'table.copy_differs' }));
});

test('a table filled to its capacity takes every key and still is below its limit', () => {
  for (const capacity of [1000, 16_384, 100_000, 500_000]) {
    const table = filled(capacity, capacity);
    expect(table.entryCount).toBeLessThan(usedSlotsMax(table.bucketCount));
    expect(auditTable(table)).toMatchObject({ entryCount: capacity, misplacedCount: 0 });
  }
});
