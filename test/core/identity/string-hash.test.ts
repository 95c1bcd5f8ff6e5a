/**
 * The string hash: published vectors, the author's own verification value, and how well it spreads.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashText, hashUtf8 } from '../../../src/core/identity/string-hash.js';
import { referenceTextHex } from '../../reference/identity.js';
import vectors from '../../vectors/identity-string-hash.json' with { type: 'json' };

const words = new Int32Array(4);

function hexOf(): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function hashOf(text: string, seed = 0): string {
  words.fill(seed);
  hashText(text, words, 0);
  return hexOf();
}

function hashOfBytes(bytes: Uint8Array, seed = 0): string {
  words.fill(seed);
  hashUtf8(bytes, 0, bytes.length, words, 0);
  return hexOf();
}

describe('published vectors', () => {
  test.each(vectors.cases)('$name', ({ text, seed, hex }) => {
    expect(hashOf(text, seed)).toBe(hex);
    expect(hashOfBytes(Buffer.from(text), seed)).toBe(hex);
  });

  test('SMHasher verification value: a hash of the hashes of 256 keys', () => {
    const all = Buffer.alloc(256 * 16);
    const key = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (let length = 0; length < 256; length++) {
      hashOfBytes(key.subarray(0, length), 256 - length);
      words.forEach((word, i) => {
        all.writeInt32LE(word, length * 16 + i * 4);
      });
    }
    hashOfBytes(all);
    expect((words[0]! >>> 0).toString(16)).toBe(vectors.verification.value);
  });
});

describe('a text and its UTF-8 are one', () => {
  test.each([
    [
      'ASCII of every length',
      Array.from({ length: 70 }, (_, i) => 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(2).slice(0, i)),
    ],
    ['two, three and four bytes', ['é', 'aé', '日本語', '😀', 'a😀b', 'ÿ'.repeat(33)]],
    ['the edges of each length', ['\x7f', '\x80', '\u07ff', '\u0800', '\uffff', '\u{10000}', '\u{10ffff}']],
    ['lone surrogates, as U+FFFD', ['\ud800', 'a\udc00b', '\ud800\ud800', '\udc00\ud800', '\ud83d']],
    ['the longest text', ['\uffff'.repeat(2048), 'x'.repeat(2048)]],
  ])('%s', (_, texts) => {
    for (const text of texts) {
      expect(hashOf(text)).toBe(hashOfBytes(Buffer.from(text, 'utf8')));
      expect(hashOf(text)).toBe(referenceTextHex(text));
    }
  });

  test('lone surrogates and U+FFFD are the same text', () => expect(hashOf('a\ud800')).toBe(hashOf('a\ufffd')));

  test('any text, whatever was hashed before it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(text, text, (before, now) => {
        hashOf(before);
        expect(hashOf(now)).toBe(referenceTextHex(now));
        hashOfBytes(Buffer.from(before));
        expect(hashOfBytes(Buffer.from(now))).toBe(referenceTextHex(now));
      }),
      { numRuns: 2000 },
    );
  });

  test('bytes in the middle of a buffer', () => {
    words.fill(0);
    hashUtf8(Buffer.from('xxexample.comyy'), 2, 13, words, 0);
    expect(hexOf()).toBe(hashOf('example.com'));
  });
});

describe('it spreads', () => {
  const textCount = 100_000;
  const bucketCount = 256;

  test('ids in sequence fill the buckets of every byte evenly, and none collide in 64 bits', () => {
    const counts = Array.from({ length: 16 }, () => new Float64Array(bucketCount));
    const seen = new Set<bigint>();
    for (let i = 0; i < textCount; i++) {
      hashOf(`id-${i}`);
      seen.add((BigInt(words[0]! >>> 0) << 32n) | BigInt(words[1]! >>> 0));
      for (let byte = 0; byte < 16; byte++) counts[byte]![(words[byte >> 2]! >>> ((byte & 3) * 8)) & 255]! += 1;
    }
    expect(seen.size).toBe(textCount);
    const expected = textCount / bucketCount;
    for (const bucket of counts) {
      const chiSquare = bucket.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeLessThan(380); // 255 degrees of freedom: mean 255, standard deviation 22.6
      expect(chiSquare).toBeGreaterThan(150);
    }
  });

  test('one bit of input flips half of the output', () => {
    let flipped = 0;
    let pairCount = 0;
    for (let i = 0; i < 2000; i++) {
      const text = `visitor-${i}-${(i * 7919) % 100_003}`;
      const at = i % text.length;
      hashOf(text);
      const before = Int32Array.from(words);
      hashOf(text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (i % 7))) + text.slice(at + 1));
      words.forEach((word, k) => {
        for (let bits = word ^ before[k]!; bits !== 0; bits &= bits - 1) flipped++;
      });
      pairCount++;
    }
    expect(flipped / pairCount / 128).toBeGreaterThan(0.49);
    expect(flipped / pairCount / 128).toBeLessThan(0.51);
  });
});
