/**
 * The mixing of keys: the published function, the same as its plain twin, and even in every bit.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixedLow, mixKey } from '../../../src/core/suppression/mix.js';
import { halfSipHash, messageOf, type PlainKey } from '../../reference/suppression.js';

const vectors = JSON.parse(readFileSync(new URL('../../vectors/halfsiphash-2-4-64.json', import.meta.url), 'utf8')) as {
  readonly digests: readonly string[];
};
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);
const mixed = (key: PlainKey, seedLow: number, seedHigh: number): readonly [number, number] => {
  const high = mixKey(...key, seedLow, seedHigh);
  return [high, mixedLow[0] as number];
};

describe('the plain twin is HalfSipHash', () => {
  vectors.digests.forEach((digest, length) => {
    test(`HalfSipHash-2-4, 64 bits, of ${length} bytes`, () => {
      expect(Buffer.from(halfSipHash(2, 4, counting(8), counting(length))).toString('hex')).toBe(digest);
    });
  });
});

test('mixKey is HalfSipHash-1-3 of the words and the tag', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const key = fc.tuple(fc.integer({ min: 1, max: 31 }), word, word, word, word);
  fc.assert(
    fc.property(key, word, word, (plainKey, seedLow, seedHigh) => {
      const seed = new DataView(new ArrayBuffer(8));
      seed.setInt32(0, seedLow, true);
      seed.setInt32(4, seedHigh, true);
      const digest = halfSipHash(1, 3, new Uint8Array(seed.buffer), messageOf(plainKey));
      const view = new DataView(digest.buffer);
      expect(mixed(plainKey, seedLow, seedHigh)).toEqual([view.getInt32(0, true), view.getInt32(4, true)]);
    }),
    { numRuns: 2000 },
  );
});

test('every bit of a key, of its tag and of the seed flips each of the 64 output bits about half the time', () => {
  const inputBits = 5 + 128 + 64;
  const trials = 400;
  const flips = Array.from({ length: inputBits }, () => new Int32Array(64));
  for (let trial = 0; trial < trials; trial++) {
    const words = Int32Array.from({ length: 7 }, (_, index) => Math.imul(trial * 7 + index + 1, 0x9e3779b1));
    words[0] = trial % 32;
    const run = (): readonly [number, number] =>
      mixed([words[0]!, words[1]!, words[2]!, words[3]!, words[4]!], words[5]!, words[6]!);
    const [high, low] = run();
    for (let bit = 0; bit < inputBits; bit++) {
      const [word, mask] = bit < 5 ? [0, 1 << bit] : [1 + ((bit - 5) >> 5), 1 << ((bit - 5) & 31)];
      words[word]! ^= mask;
      const [otherHigh, otherLow] = run();
      words[word]! ^= mask;
      for (let out = 0; out < 32; out++) {
        flips[bit]![out]! += ((high ^ otherHigh) >>> out) & 1;
        flips[bit]![out + 32]! += ((low ^ otherLow) >>> out) & 1;
      }
    }
  }
  // 12,608 binomial counts of 400 at 1/2: standard deviation 10, so 6.5 of them is out of reach of chance
  for (const counts of flips) for (const count of counts) expect(Math.abs(count - trials / 2)).toBeLessThan(65);
});
