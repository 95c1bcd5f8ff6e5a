/**
 * Fingerprints in order: as `sort` orders them, spread or not, few or many.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distinct, SPREAD_COUNT_MIN, sortedFingerprints } from '../../src/exports/sort-fingerprints.js';
import { pickFrom } from '../reference/gpp-writer.js';

const LOW_BITS = 0x9e37_79b9_7f4a_7c15n;
const SPREADS: Readonly<Record<string, (n: number) => bigint>> = {
  'spread evenly': (n) => BigInt(n) * LOW_BITS,
  'one after another': (n) => BigInt(n),
  'the other way around': (n) => -BigInt(n),
  'all the same': () => -1n,
  'a few again and again': (n) => BigInt(n % 7) * LOW_BITS,
  'from end to end': (n) => (n % 2 === 0 ? 2n ** 63n - 1n - BigInt(n) : -(2n ** 63n) + BigInt(n)),
  'alike in their high half': (n) => (5n << 32n) | ((BigInt(n) * 0x9e37_79b1n) & 0xffff_ffffn),
  'alike in their low half': (n) => (BigInt(n) << 40n) | 5n,
  'dozens in each place, alike in their high half': (n) =>
    ((BigInt(n >> 4) * LOW_BITS) & ~0xffff_ffffn) | ((BigInt(n) * 0x9e37_79b1n) & 0xffff_ffffn),
  'most in one place, others not': (n) => (n % 3 === 0 ? BigInt(n) * LOW_BITS : BigInt(n)),
};

/** As bytes: element by element takes seconds. */
function expectSame(found: BigInt64Array, expected: BigInt64Array): void {
  const bytesOf = ({ buffer, byteOffset, byteLength }: BigInt64Array) => Buffer.from(buffer, byteOffset, byteLength);
  expect(bytesOf(found).equals(bytesOf(expected))).toBe(true);
}

describe.each(Object.entries(SPREADS))('%s', (_, numberOf) => {
  test.each([0, 1, 2, SPREAD_COUNT_MIN - 1, SPREAD_COUNT_MIN, 3 * SPREAD_COUNT_MIN + 1])('%i of them', (count) => {
    const list = BigInt64Array.from({ length: count }, (_, n) => BigInt.asIntN(64, numberOf(n)));
    const before = list.slice();
    const sorted = sortedFingerprints(list);
    expectSame(list, before);
    const expected = before.sort();
    expectSame(sorted, expected);
    expectSame(distinct(sorted), BigInt64Array.from(new Set(expected)));
  });
});

test('any numbers, among as many that are spread', () => {
  const spread = BigInt64Array.from({ length: SPREAD_COUNT_MIN }, (_, n) => BigInt.asIntN(64, BigInt(n) * LOW_BITS));
  const numbers = fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 300 });
  fc.assert(
    fc.property(numbers, (some) => {
      const list = new BigInt64Array(spread.length + some.length);
      list.set(spread);
      list.set(some, spread.length);
      expectSame(sortedFingerprints(list), list.slice().sort());
    }),
    { numRuns: 20 },
  );
});

test('a part of a larger memory', () => {
  const pick = pickFrom(3);
  const memory = BigInt64Array.from({ length: SPREAD_COUNT_MIN + 20 }, () => BigInt(pick(2 ** 31)) * LOW_BITS);
  const part = memory.subarray(10, 10 + SPREAD_COUNT_MIN);
  expectSame(sortedFingerprints(part), part.slice().sort());
});
