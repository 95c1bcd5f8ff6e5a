/**
 * A sieve lets every key through that its table has, and says when the table has changed.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixedLow, mixKey } from '../../../src/core/suppression/mix.js';
import { mintHigh, mintLow } from '../../../src/core/suppression/probe.js';
import { KeySieve } from '../../../src/core/suppression/sieve.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { cases } from '../../cases.js';
import { keyAt, SEED } from './keys.js';

const SEED_WORDS = [Number(BigInt.asIntN(32, SEED)), Number(BigInt.asIntN(32, SEED >> 32n))] as const;
const STEPS_MAX = 1000;

function tableOf(count: number): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 20_000, seed: SEED, epoch: 'sieve' });
  for (let index = 0; index < count; index++) table.set(...keyAt(index), 1 + (index % 127));
  return table;
}

function mixedKeys(from: number, count: number): { high: Int32Array; low: Int32Array } {
  const high = new Int32Array(count);
  const low = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    high[index] = mintHigh(mixKey(...keyAt(from + index), ...SEED_WORDS));
    low[index] = mintLow(mixedLow[0] ?? 0);
  }
  return { high, low };
}

/** Asks until it is complete; how often that was. */
function stepsOf(sieve: KeySieve): number {
  for (let step = 0; step < STEPS_MAX; step++) if (sieve.isCurrent()) return step;
  return STEPS_MAX;
}

/** Numbers of the keys that are let through. */
function passing(sieve: KeySieve, { high, low }: { high: Int32Array; low: Int32Array }): readonly number[] {
  const [index, outHigh, outLow] = [0, 1, 2].map(() => new Int32Array(high.length + 1)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const count = sieve.sift(high, low, 0, high.length, index, outHigh, outLow);
  const numbers = [...index.subarray(0, count)];
  expect([...outHigh.subarray(0, count)]).toEqual(numbers.map((number) => high[number]));
  expect([...outLow.subarray(0, count)]).toEqual(numbers.map((number) => low[number]));
  return numbers;
}

test('every key of the table is let through, and of others one in eight or fewer', () => {
  const sieve = new KeySieve(tableOf(9000));
  expect(stepsOf(sieve)).toBeGreaterThan(0);
  expect(passing(sieve, mixedKeys(0, 9000))).toHaveLength(9000);
  expect(passing(sieve, mixedKeys(9000, 20_000)).length).toBeLessThan(20_000 / 8 + 300);
});

test('an empty table lets nothing through', () => {
  const sieve = new KeySieve(tableOf(0));
  stepsOf(sieve);
  expect(passing(sieve, mixedKeys(0, 1000))).toEqual([]);
});

describe('a table that changes', () => {
  test('has no sieve from then on, until one was made anew', () => {
    const table = tableOf(100);
    const sieve = new KeySieve(table);
    stepsOf(sieve);
    table.set(...keyAt(100), 5);
    expect(sieve.isCurrent()).toBe(false);
    expect(stepsOf(sieve)).toBeLessThan(STEPS_MAX);
    expect(passing(sieve, mixedKeys(100, 1))).toEqual([0]);
    table.publish(3, null); // nothing but a seq
    expect(sieve.isCurrent()).toBe(true);
  });

  test('while it is being made, too', () => {
    const table = tableOf(100);
    const sieve = new KeySieve(table);
    expect(sieve.isCurrent()).toBe(false); // has read some buckets
    for (let index = 100; index < 1100; index++) table.set(...keyAt(index), 5);
    expect(stepsOf(sieve)).toBeLessThan(STEPS_MAX);
    expect(passing(sieve, mixedKeys(0, 1100))).toHaveLength(1100);
  });

  test('all the time gets one seldom, and every answer is right', () => {
    const table = tableOf(0);
    const sieve = new KeySieve(table);
    for (let index = 0; index < 200; index++) {
      table.set(...keyAt(index), 5);
      expect(sieve.isCurrent()).toBe(false);
    }
  });

  test('with every look-up is read in vain by one in thirty or fewer', () => {
    const words = new Int32Array(8 * 2048 * 16);
    let changeCount = 0;
    let stepCount = 0;
    const sieve = new KeySieve({
      get changeCount() {
        return changeCount;
      },
      entryCount: 1,
      tombstoneCount: 0,
      bucketCount: 8 * 2048, // eight steps
      bucketWords: () => {
        stepCount++;
        return words;
      },
    });
    for (; changeCount < 990; changeCount++) expect(sieve.isCurrent()).toBe(false);
    expect(stepCount).toBeGreaterThan(0);
    expect(stepCount).toBeLessThanOrEqual(990 / 30);
  });

  test('answers for many keys at once as for one after another, whatever was done to it between', () => {
    const change = fc.tuple(fc.nat(600), fc.nat(127), fc.nat(4));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const table = tableOf(300);
        const { high, low } = mixedKeys(0, 600);
        const rights = new Uint8Array(600);
        for (const [key, given, lookups] of changes) {
          table.set(...keyAt(key), given);
          for (let time = 0; time <= 10 * lookups; time++) table.rightsOfMixedKeys(high, low, 600, rights);
          const expected = Array.from(high, (word, index) => table.rightsOfMixed(word, low[index] ?? 0));
          expect([...rights]).toEqual(expected);
        }
      }),
      { numRuns: cases(60) },
    );
  });
});

test('a table with more than four million entries has none', () => {
  const sieve = new KeySieve({
    changeCount: 1,
    entryCount: 4_000_000,
    tombstoneCount: 200_000,
    bucketCount: 700_000,
    bucketWords: () => new Int32Array(0),
  });
  expect(stepsOf(sieve)).toBe(STEPS_MAX);
});
