/**
 * Snappy against its twin in JavaScript: the same bytes and the same refusals, whatever comes; and what one of them
 * compresses, both read.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParquetError } from '../../../src/exports/parquet/parquet-error.js';
import { Scratch } from '../../../src/exports/parquet/scratch.js';
import * as fast from '../../../src/exports/parquet/snappy.js';
import * as twin from '../../reference/snappy.js';

const RUNS = 3;
const BLOCK_BYTES = 65_536;

const snappyCompress = (bytes: Uint8Array) => fast.snappyCompress(bytes, new Scratch());
const snappyDecompress = (bytes: Uint8Array, rawBytes: number) => fast.snappyDecompress(bytes, rawBytes, new Scratch());

const lengthOf = (value: number): readonly number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...lengthOf(Math.floor(value / 128))];

function answerOf(decompress: typeof snappyDecompress, bytes: Uint8Array, rawBytes: number): Uint8Array | 'refused' {
  try {
    return decompress(bytes, rawBytes);
  } catch (error) {
    if (!(error instanceof ParquetError)) throw error;
    return 'refused';
  }
}

/** What both answer. */
function agreed(bytes: Uint8Array, rawBytes: number): Uint8Array | 'refused' {
  const [ours, expected] = [
    answerOf(snappyDecompress, bytes, rawBytes),
    answerOf(twin.snappyDecompress, bytes, rawBytes),
  ];
  if (ours === 'refused' || expected === 'refused') expect(ours).toBe(expected);
  else expect(Buffer.compare(ours, expected)).toBe(0);
  return ours;
}

function expectSameAgain(bytes: Uint8Array): void {
  for (const compress of [snappyCompress, twin.snappyCompress]) {
    const compressed = compress(bytes);
    const again = agreed(compressed, bytes.length);
    expect(again !== 'refused' && Buffer.compare(again, bytes) === 0).toBe(true);
  }
}

/** A piece of a compressed page, and how many bytes it stands for. */
interface Piece {
  readonly bytes: readonly number[];
  readonly rawBytes: number;
}
const byteList = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => [...bytes]);
const back = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }) }, fc.nat(300), fc.nat(2 ** 32 - 1));
const piece: fc.Arbitrary<Piece> = fc.oneof(
  byteList(1, 60).map((bytes) => ({ bytes: [(bytes.length - 1) << 2, ...bytes], rawBytes: bytes.length })),
  fc.tuple(byteList(1, 150), fc.integer({ min: 1, max: 4 })).map(([bytes, extra]) => {
    const length = Array.from({ length: extra }, (_, index) => (index === 0 ? bytes.length - 1 : 0));
    return { bytes: [(59 + extra) << 2, ...length, ...bytes], rawBytes: bytes.length };
  }),
  fc.tuple(fc.integer({ min: 4, max: 11 }), back).map(([length, distance]) => ({
    bytes: [1 | ((length - 4) << 2) | (((distance >>> 8) & 7) << 5), distance & 0xff],
    rawBytes: length,
  })),
  fc.tuple(fc.integer({ min: 1, max: 64 }), back, fc.constantFrom(2, 4)).map(([length, distance, size]) => ({
    bytes: [
      (size === 2 ? 2 : 3) | ((length - 1) << 2),
      ...Array.from({ length: size }, (_, index) => (distance >>> (8 * index)) & 0xff),
    ],
    rawBytes: length,
  })),
);
const first = byteList(20, 60).map((bytes) => ({ bytes: [(bytes.length - 1) << 2, ...bytes], rawBytes: bytes.length }));

describe('decompressing', () => {
  test('pieces of every kind, near and far, that repeat themselves or begin before the page', () => {
    let readCount = 0;
    fc.assert(
      fc.property(
        first,
        fc.array(piece, { maxLength: 12 }),
        fc.constantFrom<number>(0, 0, 0, 1, -1),
        (head, rest, off) => {
          const pieces = [head, ...rest];
          const rawBytes = pieces.reduce((sum, each) => sum + each.rawBytes, off);
          const bytes = Uint8Array.from([...lengthOf(rawBytes), ...pieces.flatMap((each) => each.bytes)]);
          if (agreed(bytes, rawBytes) !== 'refused') readCount++;
          else expect(answerOf(snappyDecompress, snappyCompress(bytes), bytes.length)).not.toBe('refused');
        },
      ),
      { numRuns: 2000 * RUNS },
    );
    expect(readCount).toBeGreaterThan(100);
  });

  test('any bytes at all, and a page that is cut or damaged anywhere', () => {
    const page = Buffer.from(Array.from({ length: 400 }, (_, n) => `${n % 7}-${(n * 7919) % 97}/`).join(''));
    const whole = snappyCompress(page);
    for (let to = 0; to < whole.length; to++) expect(agreed(whole.subarray(0, to), page.length)).toBe('refused');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = byte;
        agreed(damaged, page.length);
      }),
      { numRuns: 2000 * RUNS },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(100), (bytes, rawBytes) => {
        agreed(Uint8Array.from([rawBytes, ...bytes]), rawBytes);
        agreed(bytes, rawBytes);
      }),
      { numRuns: 2000 * RUNS },
    );
  });

  test.each([
    ['four bytes of length, all of them set', [63 << 2, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]],
    ['a literal longer than the page', [0, 1, 60 << 2, 0xff, ...Array<number>(256).fill(7)]],
    ['no distance at all', [0, 1, (3 << 2) | 2, 0, 0]],
    ['the largest distance', [0, 1, (3 << 2) | 3, 0xff, 0xff, 0xff, 0xff]],
    ['a copy whose distance is cut off', [0, 1, (3 << 2) | 3, 1, 0]],
    ['nothing', []],
  ])('%s is refused', (_, pieces) => expect(agreed(Uint8Array.from([5, ...pieces]), 5)).toBe('refused'));

  test('what is said to be larger than it can be needs no memory', () =>
    expect(agreed(Uint8Array.from([...lengthOf(2 ** 29), 0, 1, 0xfe, 1, 0]), 2 ** 29)).toBe('refused'));
});

describe('compressing', () => {
  const text = fc
    .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 60 })), { maxLength: 40 })
    .map((parts) => Buffer.concat(parts.flatMap(([bytes, count]) => Array<Uint8Array>(count).fill(bytes))));

  test('what was compressed is the same again', () =>
    fc.assert(fc.property(text, expectSameAgain), { numRuns: 200 * RUNS }));

  test('about as small as the twin makes it', () => {
    const hexadecimal = Buffer.from(
      Array.from({ length: 20_000 }, (_, n) => (Math.imul(n, 2_654_435_761) >>> 0).toString(16)).join('-'),
    );
    const numbers = Buffer.from(BigInt64Array.from({ length: 30_000 }, (_, n) => BigInt(n) * 1000n).buffer);
    for (const bytes of [hexadecimal, numbers, Buffer.alloc(200_000, 'ab')]) {
      expect(snappyCompress(bytes).length).toBeLessThan(1.06 * twin.snappyCompress(bytes).length);
    }
  });

  const noise = Buffer.from(Array.from({ length: 3 * BLOCK_BYTES }, (_, n) => Math.imul(n, 2_654_435_761) >>> 24));
  const runs = Buffer.from(Array.from({ length: 3 * BLOCK_BYTES }, (_, n) => (n % 4099 < 30 ? n : n >> 11) & 0xff));
  const sizes = [1, 2, 4, 5, 14, 15, 16, 17, 31, 32, 33, 60, 61, 256, 257];
  const nearBlocks = [1, 2].flatMap((count) =>
    [-17, -16, -15, -1, 0, 1, 2, 14, 15, 16, 17].map((by) => count * BLOCK_BYTES + by),
  );
  test.each([0, ...sizes, ...nearBlocks])('pages of %i bytes', (byteCount) => {
    for (const bytes of [noise, runs, Buffer.alloc(byteCount), Buffer.alloc(byteCount, 'abc')]) {
      expectSameAgain(bytes.subarray(0, byteCount));
      expectSameAgain(bytes.subarray(bytes.length - byteCount));
    }
  });

  test('after a page that took much memory, all goes on in less', () => {
    const page = Buffer.alloc(150 * 1024 * 1024, 'much');
    const compressed = snappyCompress(page);
    expect(Buffer.compare(snappyDecompress(compressed, page.length), page)).toBe(0);
    expectSameAgain(runs);
  });
});
