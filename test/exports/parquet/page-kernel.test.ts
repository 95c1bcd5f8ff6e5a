/**
 * What is kept of pages, in memory of a kernel and out of it: the same bytes, the same indexes, the same refusals.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ENCODING, TYPE } from '../../../src/exports/parquet/format.js';
import { hybridBytesMax, writeHybrid } from '../../../src/exports/parquet/hybrid.js';
import { SLACK_BYTES } from '../../../src/exports/parquet/page-kernel.js';
import { ParquetError } from '../../../src/exports/parquet/parquet-error.js';
import type { Leaf } from '../../../src/exports/parquet/schema.js';
import { Scratch } from '../../../src/exports/parquet/scratch.js';
import {
  indexBytesMax,
  keepPlain,
  keptIndexes,
  type PlainValues,
  plainBytesMax,
  readPlain,
  readValues,
  renumber,
  writeIndexes,
} from '../../../src/exports/parquet/values.js';

const scratch = new Scratch();
const BYTES = 1_000_000;

/** Takes pieces from memory of the kernel. */
const inside = {
  bytes: (bytes: Uint8Array) => {
    const piece = scratch.bytes(bytes.length);
    piece.set(bytes);
    return piece;
  },
  integers: (integers: Int32Array) => {
    const piece = scratch.integers(integers.length);
    piece.set(integers);
    return piece;
  },
};
/** Takes none. */
const outside = {
  bytes: (bytes: Uint8Array) => Uint8Array.from(bytes),
  integers: (integers: Int32Array) => Int32Array.from(integers),
};

/** The same of both. */
function agreed<T>(work: (memory: typeof inside) => T): T | 'refused' {
  const answerOf = (memory: typeof inside) => {
    try {
      return work(memory);
    } catch (error) {
      if (!(error instanceof ParquetError)) throw error;
      return 'refused';
    }
  };
  scratch.clear(BYTES);
  const plain = answerOf(outside);
  const fast = answerOf(inside);
  expect(scratch.addressOf(scratch.bytes(0))).toBeGreaterThan(0); // all of it was inside
  expect(fast).toEqual(plain);
  return fast;
}

const leafOf = (type: number, typeLength = 0): Leaf => ({
  path: 'a',
  name: 'a',
  type,
  typeLength,
  isUuid: false,
  isOptional: false,
  maxDefinition: 0,
  maxRepetition: 0,
});
const mask = (count: number) => fc.uint8Array({ minLength: count, maxLength: count, max: 2 });

function kept(leaf: Leaf, raw: Uint8Array, masks: Uint8Array, wantsSpans: boolean) {
  return agreed((memory) => {
    const bytes = memory.bytes(raw);
    const values = readPlain({ leaf, scratch, wantsSpans }, bytes, 0, masks.length) as PlainValues;
    const room = plainBytesMax(values, masks.length);
    const out = memory.bytes(new Uint8Array(room));
    const behind = memory.bytes(new Uint8Array(SLACK_BYTES).fill(0x55));
    const end = keepPlain(values, memory.bytes(masks), out, 0, scratch);
    expect(behind.every((byte) => byte === 0x55)).toBe(true);
    return [
      Buffer.from(out.subarray(0, end)).toString('hex'),
      values.kind === 'texts' ? values.spans?.ends.join() : '',
    ];
  });
}

const textsIn = (texts: readonly Uint8Array[]) =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, text];
    }),
  );

describe('values', () => {
  test.each([1, 3, 4, 8, 12, 16, 33])('of %i bytes', (width) =>
    fc.assert(
      fc.property(
        fc
          .nat(70)
          .chain((count) =>
            fc.tuple(mask(count), fc.uint8Array({ minLength: count * width, maxLength: count * width })),
          ),
        ([masks, raw]) => {
          const expected = [...masks].flatMap((fate, index) =>
            fate === 0 ? [] : [...raw.subarray(index * width, (index + 1) * width)],
          );
          expect(kept(leafOf(TYPE.fixed, width), raw, masks, false)).toEqual([
            Buffer.from(expected).toString('hex'),
            '',
          ]);
        },
      ),
    ),
  );

  const texts = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ minLength: 120, maxLength: 300 })),
    { maxLength: 30 },
  );
  test.each([false, true])('that are texts, asked where they stand: %s', (wantsSpans) =>
    fc.assert(
      fc.property(
        texts.chain((all) => fc.tuple(fc.constant(all), mask(all.length))),
        ([all, masks]) => {
          const [hex] = kept(leafOf(TYPE.bytes), textsIn(all), masks, wantsSpans) as string[];
          expect(hex).toBe(textsIn(all.filter((_, index) => masks[index] !== 0)).toString('hex'));
        },
      ),
    ),
  );

  test('that are texts of which it is known where they stand', () =>
    fc.assert(
      fc.property(
        texts.chain((all) => fc.tuple(fc.constant(all), mask(all.length))),
        ([all, masks]) => {
          const ends = Int32Array.from(all, (_, index) =>
            all.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0),
          );
          const hex = agreed((memory) => {
            const spans = {
              bytes: memory.bytes(Buffer.concat(all)),
              starts: memory.integers(Int32Array.from(all, ({ length }, index) => (ends[index] ?? 0) - length)),
              ends: memory.integers(ends),
            };
            const values: PlainValues = { kind: 'spans', spans };
            const out = memory.bytes(new Uint8Array(plainBytesMax(values, all.length)));
            const behind = memory.bytes(new Uint8Array(SLACK_BYTES).fill(0x55));
            const end = keepPlain(values, memory.bytes(masks), out, 0, scratch);
            expect(behind.every((byte) => byte === 0x55)).toBe(true);
            return Buffer.from(out.subarray(0, end)).toString('hex');
          });
          expect(hex).toBe(textsIn(all.filter((_, index) => masks[index] !== 0)).toString('hex'));
        },
      ),
    ));

  test('that are texts, cut off or damaged anywhere, are refused alike', () =>
    fc.assert(
      fc.property(
        texts.filter(({ length }) => length > 0).chain((all) => fc.tuple(fc.constant(textsIn(all)), mask(all.length))),
        fc.boolean(),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        ([raw, masks], wantsSpans, any, junk) => {
          kept(leafOf(TYPE.bytes), raw.subarray(0, any % (raw.length + 1)), masks, wantsSpans);
          raw.set(junk.subarray(0, raw.length - (any % raw.length)), any % raw.length);
          kept(leafOf(TYPE.bytes), raw, masks, wantsSpans);
        },
      ),
      { numRuns: 500 },
    ));
});

describe('indexes', () => {
  const runs = fc.integer({ min: 1, max: 32 }).chain((width) =>
    fc
      .array(fc.tuple(fc.integer({ min: 0, max: 2 ** Math.min(width, 31) - 1 }), fc.integer({ min: 1, max: 20 })), {
        maxLength: 40,
      })
      .map((some) => ({
        width,
        values: Int32Array.from(some.flatMap(([value, count]) => Array<number>(count).fill(value))),
      })),
  );

  function read(page: Uint8Array, count: number): unknown {
    return agreed((memory) => {
      const reading = { leaf: leafOf(TYPE.int64), scratch, wantsSpans: false };
      const bytes = memory.bytes(page);
      const values = readValues(reading, ENCODING.rleDictionary, bytes, 0, count);
      return values.kind === 'indexes' ? values.indexes.join() : values.kind;
    });
  }

  function packed(values: Int32Array, width: number): Uint8Array {
    const bytes = new Uint8Array(1 + hybridBytesMax(values.length, width));
    bytes[0] = width;
    return bytes.subarray(0, writeHybrid(values, values.length, width, bytes, 1));
  }

  test('are read as they were written, and written as the twin writes them', () =>
    fc.assert(
      fc.property(runs, ({ width, values }) => {
        const page = packed(values, width);
        expect(read(page, values.length)).toBe(values.join());
        const written = agreed((memory) => {
          const out = memory.bytes(new Uint8Array(indexBytesMax(values.length, width)));
          const end = writeIndexes(memory.integers(values), width, out, 0, scratch);
          return Buffer.from(out.subarray(0, end)).toString('hex');
        });
        expect(written).toBe(Buffer.from(page).toString('hex'));
      }),
      { numRuns: 500 },
    ));

  test('fewer or more than there are, and any bytes at all, are read or refused alike', () =>
    fc.assert(
      fc.property(
        runs,
        fc.nat(900),
        fc.nat(),
        fc.uint8Array({ maxLength: 6 }),
        ({ width, values }, count, any, junk) => {
          const page = packed(values, width);
          read(page, count);
          read(page.subarray(0, any % (page.length + 1)), values.length);
          const at = any % page.length;
          page.set(junk.subarray(0, page.length - at), at);
          read(page, values.length);
          read(Uint8Array.from([width, ...junk]), count);
        },
      ),
      { numRuns: 1000 },
    ));

  test.each([
    ['a run of no values', [3, 0, 1]],
    ['no group', [3, 1, 1]],
    ['a run longer than a number holds', [3, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1]],
    ['more groups than a number of bits holds', [32, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]],
    ['a head of six bytes', [3, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 1]],
    ['a width of 33', [33, 2, 1, 0, 0, 0, 0]],
    ['a width of none', [0]],
    ['nothing', []],
  ])('%s', (_, page) => {
    read(Uint8Array.from(page), 5);
    read(Uint8Array.from([...page, ...Array<number>(600).fill(7)]), 100);
  });

  test('are kept, marked and renumbered', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(fc.integer({ min: -2, max: 42 }), fc.integer({ min: 0, max: 2 })), { maxLength: 80 }),
        (valueCount, rows) => {
          const result = agreed((memory) => {
            const isUsed = memory.bytes(new Uint8Array(valueCount));
            const indexes = memory.integers(Int32Array.from(rows, ([index]) => index));
            const some = keptIndexes(indexes, memory.bytes(Uint8Array.from(rows, ([, fate]) => fate)), isUsed, scratch);
            const before = some.join();
            renumber(some, memory.integers(Int32Array.from({ length: valueCount }, (_, index) => 3 * index)), scratch);
            return [before, isUsed.join(), some.join()];
          });
          const expected = rows.filter(([, fate]) => fate !== 0).map(([index]) => index);
          if (expected.some((index) => index < 0 || index >= valueCount)) expect(result).toBe('refused');
          else expect(result[0]).toBe(expected.join());
        },
      ),
    ));
});
