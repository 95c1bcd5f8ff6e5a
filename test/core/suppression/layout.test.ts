/**
 * Sizes of tables, and that bucket and fingerprint give back a key wherever it may lie.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { highOf, lastHighAt } from '../../../src/core/suppression/copy.js';
import {
  BUCKET_BYTES,
  BUCKET_COUNT_MAX,
  BUCKET_COUNT_MIN,
  bucketCountFor,
  displacementMaxFor,
  HEADER_BYTES,
  KEYS_MAX,
  windowBuckets,
  windowBucketsMax,
} from '../../../src/core/suppression/layout.js';
import { mintHigh } from '../../../src/core/suppression/probe.js';
import { cases } from '../../cases.js';

const bytesFor = (capacity: number): number => HEADER_BYTES + bucketCountFor(capacity) * BUCKET_BYTES;

describe('sizes', () => {
  test('10 M keys take at most 10.5 bytes each', () => {
    expect(bytesFor(10_000_000) / 10_000_000).toBeLessThanOrEqual(10.5);
  });
  test('100 M keys take at most 1.1 GB', () => expect(bytesFor(100_000_000)).toBeLessThanOrEqual(1.1e9));
  test('the largest table is 4 GiB', () => {
    expect(bytesFor(KEYS_MAX)).toBeLessThanOrEqual(4 * 2 ** 30);
    expect(KEYS_MAX).toBeGreaterThan(400_000_000);
  });
  test('more capacity never means fewer buckets', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: KEYS_MAX - 1 }), (capacity) => {
        expect(bucketCountFor(capacity + 1)).toBeGreaterThanOrEqual(bucketCountFor(capacity));
      }),
    );
  });
  test.each([-1, 1.5, Number.NaN, KEYS_MAX + 1])('a capacity of %d is refused', (capacity) => {
    expect(() => bucketCountFor(capacity)).toThrow(RangeError);
  });
});

describe('reach', () => {
  test.each([BUCKET_COUNT_MIN, 5000, 65_536, 1_000_003, BUCKET_COUNT_MAX])('fits %d buckets', (bucketCount) => {
    const displacementMax = displacementMaxFor(bucketCount);
    expect(displacementMax).toBeGreaterThanOrEqual(7);
    expect(windowBuckets(displacementMax)).toBeLessThanOrEqual(windowBucketsMax(bucketCount));
  });

  const bucketCounts = fc.oneof(
    fc.integer({ min: BUCKET_COUNT_MIN, max: 200_000 }),
    fc.integer({ min: BUCKET_COUNT_MIN, max: BUCKET_COUNT_MAX }),
    fc.constantFrom(BUCKET_COUNT_MIN, BUCKET_COUNT_MIN + 1, BUCKET_COUNT_MAX - 1, BUCKET_COUNT_MAX),
  );
  const highs = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1));

  test('bucket and fingerprint give back the key at every displacement, around the end as well', () => {
    fc.assert(
      fc.property(bucketCounts, highs, fc.nat(), (bucketCount, anyHigh, anyDisplacement) => {
        const high = mintHigh(anyHigh | 0);
        const displacement = anyDisplacement % (displacementMaxFor(bucketCount) + 1);
        const home = Math.floor((high >>> 0) * (bucketCount / 2 ** 32));
        const bucket = (home + windowBuckets(displacement)) % bucketCount;
        expect(highOf((high << 7) | 5, lastHighAt(bucket, bucketCount))).toBe(high);
      }),
      { numRuns: cases(20_000) },
    );
  });

  test('as far from home as a file may ask for, where 128 keys to a fingerprint are closest together', () => {
    fc.assert(
      fc.property(bucketCounts, highs, fc.nat(1), (bucketCount, anyHigh, less) => {
        const high = mintHigh(anyHigh | 0);
        const home = Math.floor((high >>> 0) * (bucketCount / 2 ** 32));
        const bucket = (home + windowBucketsMax(bucketCount) - less) % bucketCount;
        expect(highOf(high << 7, lastHighAt(bucket, bucketCount))).toBe(high);
      }),
      { numRuns: cases(20_000) },
    );
  });

  test('also where the product that finds a home rounds up to the next bucket', () => {
    let roundedUpCount = 0;
    for (let bucketCount = BUCKET_COUNT_MAX - 1; bucketCount > BUCKET_COUNT_MAX - 2000; bucketCount -= 2) {
      // the key whose product with this (odd) bucketCount is 1 short of a multiple of 2^32
      const high = Number(BigInt.asUintN(32, -inverse(BigInt(bucketCount))));
      const home = Math.floor(high * (bucketCount / 2 ** 32));
      if (BigInt(home) !== (BigInt(high) * BigInt(bucketCount)) >> 32n) roundedUpCount++;
      for (const displacement of [0, 1, displacementMaxFor(bucketCount)]) {
        const bucket = (home + windowBuckets(displacement)) % bucketCount;
        expect(highOf(high << 7, lastHighAt(bucket, bucketCount)) >>> 0).toBe(high);
      }
    }
    expect(roundedUpCount).toBeGreaterThan(500);
  });
});

/** The number that gives 1 when multiplied with an odd one, modulo 2^32 (Newton). */
function inverse(odd: bigint): bigint {
  let result = odd;
  for (let step = 0; step < 5; step++) result = BigInt.asUintN(32, result * (2n - odd * result));
  return result;
}
