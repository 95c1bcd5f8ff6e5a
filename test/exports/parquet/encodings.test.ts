/**
 * The encodings of Parquet: what is written is read again, any bytes at all are refused in order, and other people's bytes
 * are read.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDeltaBytes, readDeltaLengths, readDeltaNumbers, type Spans } from '../../../src/exports/parquet/delta.js';
import {
  bitWidth,
  endOfHybrid,
  hybridBytesMax,
  readHybrid,
  valueOfRun,
  writeHybrid,
  writeRun,
} from '../../../src/exports/parquet/hybrid.js';
import { ParquetError } from '../../../src/exports/parquet/parquet-error.js';
import { Scratch } from '../../../src/exports/parquet/scratch.js';
import { snappyDecompress } from '../../../src/exports/parquet/snappy.js';
import { readStruct, writeStruct } from '../../../src/exports/parquet/thrift.js';

const refusedInOrder = (read: () => unknown) => {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ParquetError)) throw error;
  }
};
const textsOf = ({ bytes, starts, ends }: Spans) =>
  [...starts].map((start, index) => Buffer.from(bytes.subarray(start, ends[index])).toString());

describe('snappy', () => {
  test('the three copies and the long literal of the format', () => {
    const literal = (text: string) => [(text.length - 1) << 2, ...Buffer.from(text)];
    const read = (length: number, ...bytes: number[]) =>
      Buffer.from(snappyDecompress(Uint8Array.from([length, ...bytes]), length, new Scratch())).toString();
    expect(read(8, ...literal('ab'), 0b000_010_01, 2)).toBe('abababab');
    expect(read(7, ...literal('abc'), (3 << 2) | 2, 3, 0)).toBe('abcabca');
    expect(read(7, ...literal('abc'), (3 << 2) | 3, 1, 0, 0, 0)).toBe('abccccc');
    expect(read(5, 60 << 2, 4, ...Buffer.from('hello'))).toBe('hello');
  });
});

describe('runs and packed bits', () => {
  const values = fc.integer({ min: 1, max: 32 }).chain((width) =>
    fc
      .array(fc.tuple(fc.integer({ min: 0, max: 2 ** Math.min(width, 31) - 1 }), fc.integer({ min: 1, max: 20 })), {
        maxLength: 30,
      })
      .map((runs) => ({
        width,
        values: Int32Array.from(runs.flatMap(([value, count]) => Array<number>(count).fill(value))),
      })),
  );

  test('what was written is the same again', () =>
    fc.assert(
      fc.property(values, ({ width, values }) => {
        const bytes = new Uint8Array(hybridBytesMax(values.length, width));
        const end = writeHybrid(values, values.length, width, bytes, 0);
        const out = new Int32Array(values.length);
        readHybrid(bytes, 0, end, width, values.length, out);
        expect([...out]).toEqual([...values]);
        expect(endOfHybrid()).toBe(end === 0 ? 0 : end);
      }),
    ));

  test('one run of all values is written as runs are, and told without reading the values', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.nat(127),
        fc.integer({ min: 1, max: 300 }),
        (width, any, count) => {
          const value = any % 2 ** width;
          const [run, general] = [
            new Uint8Array(hybridBytesMax(count, width)),
            new Uint8Array(hybridBytesMax(count, width)),
          ];
          const end = writeRun(value, count, width, run, 0);
          expect(writeHybrid(new Uint8Array(count).fill(value), count, width, general, 0)).toBe(end);
          expect(run.subarray(0, end)).toEqual(general.subarray(0, end));
          expect(valueOfRun(run, 0, end, width, count)).toBe(value);
          expect(valueOfRun(run, 0, end, width, count + 1)).toBe(-1);
          for (let to = 0; to < end; to++) expect(valueOfRun(run, 0, to, width, count)).toBe(-1);
        },
      ),
    ));

  test('the example of the format: 0 to 7 in three bits', () => {
    const out = new Int32Array(8);
    readHybrid(Uint8Array.from([0b11, 0b10001000, 0b11000110, 0b11111010]), 0, 4, 3, 8, out);
    expect([...out]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('any bytes at all are refused in order', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.integer({ min: 0, max: 40 }), (bytes, width) =>
        refusedInOrder(() => readHybrid(bytes, 0, bytes.length, width, 50, new Int32Array(50))),
      ),
    ));

  test('bits that a number takes', () =>
    expect([0, 1, 2, 3, 4, 255, 256].map(bitWidth)).toEqual([0, 1, 2, 2, 3, 8, 9]));
});

describe('deltas', () => {
  const scratch = new Scratch();
  /** Varints of one byte. */
  const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
  /** One block of 128 values in four parts, of which the first has bits. */
  const block = (total: number, first: number, smallest: number, width: number, packed: readonly number[]) => [
    ...[0x80, 0x01, 4, total, zigzag(first), zigzag(smallest), width, 0, 0, 0],
    ...packed,
    ...Array<number>(4 * width - packed.length).fill(0),
  ];

  test('the examples of the format', () => {
    expect([...readDeltaNumbers(Uint8Array.from(block(5, 1, 1, 0, [])), 0, 5, scratch).numbers]).toEqual([
      1n,
      2n,
      3n,
      4n,
      5n,
    ]);
    // 7 5 3 1 2 3 4 5: deltas -2 -2 -2 1 1 1 1, less -2: 0 0 0 3 3 3 3 in two bits
    const numbers = readDeltaNumbers(
      Uint8Array.from(block(8, 7, -2, 2, [0b11000000, 0b00111111])),
      0,
      8,
      scratch,
    ).numbers;
    expect([...numbers]).toEqual([7n, 5n, 3n, 1n, 2n, 3n, 4n, 5n]);
  });

  /** As a writer packs them: blocks of 128 in four parts, each with the width that it needs. */
  function packed(values: readonly bigint[]): Uint8Array {
    const bytes: number[] = [];
    const varint = (value: bigint) => {
      let rest = value;
      for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      bytes.push(Number(rest));
    };
    const zigzag = (value: bigint) => varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
    for (const count of [128, 4, values.length]) varint(BigInt(count));
    zigzag(values[0] ?? 0n);
    const deltas = values.slice(1).map((value, index) => BigInt.asIntN(64, value - (values[index] ?? 0n)));
    for (let from = 0; from < deltas.length; from += 128) {
      const some = deltas.slice(from, from + 128);
      const smallest = some.reduce((least, delta) => (delta < least ? delta : least));
      const parts = [0, 32, 64, 96].map((at) =>
        some.slice(at, at + 32).map((delta) => BigInt.asUintN(64, delta - smallest)),
      );
      const widths = parts.map((part) =>
        Math.max(0, ...part.map((delta) => (delta === 0n ? 0 : delta.toString(2).length))),
      );
      zigzag(smallest);
      bytes.push(...widths);
      for (const [index, part] of parts.entries()) {
        const width = widths[index] ?? 0;
        const bits = part.reduce((all, delta, at) => all | (delta << BigInt(at * width)), 0n);
        if (part.length > 0)
          for (let byte = 0; byte < 4 * width; byte++) bytes.push(Number((bits >> BigInt(8 * byte)) & 0xffn));
      }
    }
    return Uint8Array.from(bytes);
  }

  test('numbers of any size, with steps of any size, both ways', () =>
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.integer({ min: 0, max: 64 }),
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 300 }),
        (first, width, steps) => {
          const values = [first];
          for (const step of steps) {
            const delta = BigInt.asIntN(width, step);
            values.push(BigInt.asIntN(64, (values.at(-1) ?? 0n) + delta));
          }
          expect([...readDeltaNumbers(packed(values), 0, values.length, scratch).numbers]).toEqual(values);
        },
      ),
      { numRuns: 300 },
    ));

  test('lengths, then the texts; beginnings, then what differs', () => {
    // Hello World Foobar ABCDEF: lengths 5 5 6 6, deltas 0 1 0
    const lengths = block(4, 5, 0, 1, [0b010]);
    const bytes = Uint8Array.from([...lengths, ...Buffer.from('HelloWorldFoobarABCDEF')]);
    expect(textsOf(readDeltaLengths(bytes, 0, 4, scratch))).toEqual(['Hello', 'World', 'Foobar', 'ABCDEF']);
    // axis axle babble babyhood: beginnings of 0 2 0 3, and axis le babble yhood
    const numbers = (values: readonly number[]) => {
      const deltas = values.slice(1).map((value, index) => value - (values[index] ?? 0));
      const packed = deltas.reduce((bits, delta, index) => bits | ((delta + 2) << (3 * index)), 0);
      return block(values.length, values[0] ?? 0, -2, 3, [packed & 0xff, packed >> 8]);
    };
    const rest = ['axis', 'le', 'babble', 'yhood'];
    const all = Uint8Array.from([
      ...numbers([0, 2, 0, 3]),
      ...numbers(rest.map(({ length }) => length)),
      ...Buffer.from(rest.join('')),
    ]);
    expect(textsOf(readDeltaBytes(all, 0, 4, 100, scratch))).toEqual(['axis', 'axle', 'babble', 'babyhood']);
  });

  test('any bytes at all are refused in order', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        refusedInOrder(() => readDeltaNumbers(bytes, 0, 100, scratch));
        refusedInOrder(() => readDeltaLengths(bytes, 0, 100, scratch));
        refusedInOrder(() => readDeltaBytes(bytes, 0, 100, 1000, scratch));
      }),
    ));
});

describe('thrift', () => {
  test('any bytes at all are refused in order; what was read is the same when written and read again', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) =>
        refusedInOrder(() => {
          const { struct } = readStruct(bytes);
          expect(readStruct(Uint8Array.from(writeStruct(struct))).struct).toEqual(struct);
        }),
      ),
      { numRuns: 1000 },
    ));
});
