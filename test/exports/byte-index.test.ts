/**
 * The index of bytes against a loop over all of them.
 * @module
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteIndex } from '../../src/exports/byte-index.js';

const plainIndex = (bytes: Uint8Array, to: number, first: number, second: number, below: number) =>
  [...bytes.subarray(0, to).entries()].flatMap(([at, byte]) =>
    byte === first || byte === second || byte < below ? [at] : [],
  );

test('the same positions, in blocks of any length, one after another', () => {
  const byte = fc.oneof(fc.constantFrom(0x22, 0x2c, 0x0a, 0x80, 0xff, 0), fc.nat(255));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), byte, byte, byte, (bytes, first, second, below) => {
      const index = byteIndex();
      const to = bytes.length - (bytes.length % 3);
      index.fill(bytes, to, first, second, below);
      const expected = plainIndex(bytes, to, first, second, below);
      expect([...index.positions.subarray(0, expected.length)]).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('any number of positions among 64 bytes', () => {
  for (let count = 0; count <= 64; count++) {
    const bytes = new Uint8Array(5 * 64).fill(0x61);
    for (let index = 0; index < count * 5; index++)
      bytes[64 * (index % 5) + ((Math.floor(index / 5) * 37) % 64)] = 0x2c;
    byteIndex().fill(bytes, bytes.length, 0x2c, 0x22, 0x0e);
    const expected = plainIndex(bytes, bytes.length, 0x2c, 0x22, 0x0e);
    expect(expected.length).toBe(count * 5);
    expect([...byteIndex().positions.subarray(0, expected.length)]).toEqual(expected);
  }
});

test('a large block in which every byte counts, after small ones', () => {
  const index = byteIndex();
  for (const length of [10, 1_000_000, 70_000, 3_000_000]) {
    index.fill(new Uint8Array(length).fill(0x2c), length, 0x22, 0x2c, 0x0e);
    expect(index.positions.subarray(0, length).every((position, at) => position === at)).toBe(true);
  }
});
