/**
 * Our msgpack against the reference implementation: the same bytes, the same values, the same refusals.
 * @module
 */
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MsgpackFault, MsgpackReader, VALUE_COUNT_MAX, VALUE_DEPTH_MAX } from '../../src/wire/msgpack-reader.js';
import { KEPT_BYTES_MAX, MsgpackWriter, WRITE_DEPTH_MAX } from '../../src/wire/msgpack-writer.js';

function written(value: unknown): Buffer {
  const out = new MsgpackWriter(1);
  out.value(value);
  return out.take();
}

/** The value, or the code of what is wrong. */
function read(bytes: Uint8Array, withBinary = false): unknown {
  const reader = new MsgpackReader();
  reader.reset(Buffer.from(bytes), 0, bytes.length);
  try {
    const value = reader.value(withBinary);
    return reader.isAtEnd ? value : 'not at its end';
  } catch (error) {
    if (error instanceof MsgpackFault) return error.code;
    throw error;
  }
}

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
  fc.constantFrom(
    0,
    -1,
    -32,
    -33,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    -128,
    -129,
    -32_768,
    -32_769,
  ),
  fc.constantFrom(-(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 60, Number.POSITIVE_INFINITY, 0.1),
);
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 300 }));
const { value: jsonLike } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 20 },
    ),
  ),
}));

test('writes the very bytes that the reference writes, and reads them', () => {
  fc.assert(
    fc.property(jsonLike, (value) => {
      const bytes = written(value);
      expect(bytes).toEqual(Buffer.from(encode(value)));
      expect(read(bytes)).toEqual(decode(bytes));
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['text', (count: number) => 'x'.repeat(count)],
  ['text of two bytes each', (count: number) => 'ü'.repeat(count)],
  ['an array', (count: number) => Array(count).fill(7)],
  ['a map', (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]))],
  ['bytes', (count: number) => Buffer.alloc(count, 7)],
])('%s of every length at which the form changes', (_name, make) => {
  for (const count of [0, 1, 15, 16, 17, 31, 32, 255, 256, 65_535, 65_536]) {
    const bytes = written(make(count));
    expect(bytes.equals(Buffer.from(encode(make(count))))).toBe(true);
    expect(read(bytes, true)).toEqual(make(count));
  }
});

test('what the reference reads, this reads the same or refuses for a stated reason', () => {
  const tally: Record<string, number> = {};
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      const found = read(bytes);
      const isFault = typeof found === 'string' && (found.startsWith('msgpack.') || found === 'not at its end');
      tally[isFault ? 'refused' : 'read'] = (tally[isFault ? 'refused' : 'read'] ?? 0) + 1;
      if (!isFault) expect(found).toEqual(decode(bytes));
    }),
    { numRuns: 5_000 },
  );
  expect(Object.keys(tally).sort()).toEqual(['read', 'refused']);
});

test('every message cut off anywhere is malformed, and never read beyond its end', () => {
  const bytes = written({
    id: '1',
    imp: [{ banner: { w: 300, bidfloor: 0.25 } }],
    n: [-1, 70_000, null, 'Ü'.repeat(40)],
  });
  const behind = Buffer.concat([bytes, Buffer.alloc(64, 0x01)]);
  const reader = new MsgpackReader();
  for (let end = 0; end < bytes.length; end++) {
    reader.reset(behind, 0, end);
    expect(() => reader.value()).toThrow(new MsgpackFault('msgpack.malformed'));
  }
});

test('nesting and number of values are bounded', () => {
  const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);
  expect(read(nested(VALUE_DEPTH_MAX))).toBeInstanceOf(Array);
  expect(read(nested(VALUE_DEPTH_MAX + 1))).toBe('msgpack.too_deep');
  const many = (count: number) => Buffer.concat([Buffer.of(0xdd), uint32(count), Buffer.alloc(count, 0x01)]);
  expect(read(many(VALUE_COUNT_MAX - 1))).toHaveLength(VALUE_COUNT_MAX - 1);
  expect(read(many(VALUE_COUNT_MAX))).toBe('msgpack.too_many_values');
});

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test('__proto__ is a member like any other', () => {
  const found = read(written(JSON.parse('{"__proto__":{"polluted":1},"a":2}'))) as object;
  expect(Object.keys(found)).toEqual(['__proto__', 'a']);
  expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
});

test('what JSON has not is not written, and what is left out is left out', () => {
  for (const value of [undefined, () => 1, Symbol('s'), 1n]) expect(() => written({ a: [value] })).toThrow(TypeError);
  expect(read(written({ a: undefined, b: 1 }))).toEqual({ b: 1 });
  const cycle: unknown[] = [];
  cycle.push(cycle);
  expect(() => written(cycle)).toThrow(String(WRITE_DEPTH_MAX));
});

test('a writer gives back what it grew by, and what was taken stays as it was', () => {
  const out = new MsgpackWriter();
  out.value(Buffer.alloc(2 * KEPT_BYTES_MAX, 1));
  const first = out.take();
  out.value('short');
  expect(out.take()).toEqual(Buffer.from(encode('short')));
  expect(first.subarray(5).every((byte) => byte === 1)).toBe(true);
});

test('frames: begun, ended, taken back', () => {
  const out = new MsgpackWriter(2);
  const first = out.beginFrame();
  out.value([1, 'ping']);
  expect(out.endFrame(first)).toBe(7);
  const second = out.beginFrame();
  out.value('x'.repeat(5_000));
  out.rewind(second);
  expect(out.take()).toEqual(Buffer.concat([uint32(7), encode([1, 'ping'])]));
});
