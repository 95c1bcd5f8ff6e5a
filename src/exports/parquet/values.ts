/**
 * The values of a page, and those of them that are kept, in plain encoding.
 *
 * Values are never made into JavaScript values: bytes are moved together in runs of kept rows, in the memory they stand in, which
 * nobody needs as it was.
 * @module
 */
import { readDeltaBytes, readDeltaLengths, readDeltaNumbers, type Spans } from './delta.js';
import { ENCODING, TYPE } from './format.js';
import { bitWidth, readHybrid } from './hybrid.js';
import { PAGE_BYTES_MAX } from './limits.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { Scratch } from './scratch.js';

export type PageValues =
  /** Into the dictionary of the chunk. */
  | { readonly kind: 'indexes'; readonly indexes: Int32Array }
  | { readonly kind: 'fixed'; readonly bytes: Uint8Array; readonly from: number; readonly width: number }
  /** `isPlain`: each value stands behind its length in four bytes, one after the other. */
  | { readonly kind: 'spans'; readonly spans: Spans; readonly isPlain: boolean }
  /** Booleans, a byte each. */
  | { readonly kind: 'flags'; readonly flags: Uint8Array };

const WIDTH: Readonly<Record<number, number>> = {
  [TYPE.int32]: 4,
  [TYPE.int64]: 8,
  [TYPE.int96]: 12,
  [TYPE.float]: 4,
  [TYPE.double]: 8,
};

/** Bytes of a value; 0 where that differs from value to value. */
export function widthOf({ type, typeLength }: Leaf): number {
  return type === TYPE.fixed ? typeLength : (WIDTH[type] ?? 0);
}

/** The `count` values in `bytes[from..]`. @throws {ParquetError} `parquet.damaged`, `parquet.unsupported`. */
export function readValues(
  leaf: Leaf,
  encoding: number,
  bytes: Uint8Array,
  from: number,
  count: number,
  scratch: Scratch,
): PageValues {
  switch (encoding) {
    case ENCODING.plain:
      return readPlain(leaf, bytes, from, count, scratch);
    case ENCODING.plainDictionary:
    case ENCODING.rleDictionary: {
      const indexes = scratch.integers(count);
      if (count > 0) readHybrid(bytes, from + 1, bytes.length, bytes[from] ?? 0, count, indexes);
      return { kind: 'indexes', indexes };
    }
    case ENCODING.rle: {
      if (leaf.type !== TYPE.boolean) throw damaged('an encoding');
      const flags = new Uint8Array(count);
      if (count > 0) readHybrid(bytes, from + 4, bytes.length, 1, count, flags);
      return { kind: 'flags', flags };
    }
    case ENCODING.deltaBinaryPacked:
      return {
        kind: 'fixed',
        ...plainNumbers(leaf, exact(readDeltaNumbers(bytes, from, count).numbers, count)),
        from: 0,
      };
    case ENCODING.deltaLengthBytes:
      return { kind: 'spans', spans: exactSpans(readDeltaLengths(bytes, from, count), count), isPlain: false };
    case ENCODING.deltaBytes: {
      const spans = exactSpans(readDeltaBytes(bytes, from, count, PAGE_BYTES_MAX), count);
      if (leaf.type !== TYPE.fixed) return { kind: 'spans', spans, isPlain: false };
      if (spans.bytes.length !== count * leaf.typeLength) throw damaged('a length');
      return { kind: 'fixed', bytes: spans.bytes, from: 0, width: leaf.typeLength };
    }
    case ENCODING.byteStreamSplit:
      return { kind: 'fixed', ...joinedStreams(leaf, bytes, from, count), from: 0 };
    default:
      throw new ParquetError('parquet.unsupported', `encoding ${encoding}`);
  }
}

/** Values in plain encoding. */
export function readPlain(leaf: Leaf, bytes: Uint8Array, from: number, count: number, scratch: Scratch): PageValues {
  if (leaf.type === TYPE.boolean) {
    if (from + Math.ceil(count / 8) > bytes.length) throw damaged('a page');
    const flags = new Uint8Array(count);
    for (let index = 0; index < count; index++) flags[index] = ((bytes[from + (index >> 3)] ?? 0) >> (index & 7)) & 1;
    return { kind: 'flags', flags };
  }
  const width = widthOf(leaf);
  if (leaf.type !== TYPE.bytes) {
    if (width === 0 || from + width * count > bytes.length) throw damaged('a page');
    return { kind: 'fixed', bytes, from, width };
  }
  return { kind: 'spans', spans: plainSpans(bytes, from, count, scratch), isPlain: true };
}

/** HOT. */
function plainSpans(bytes: Uint8Array, from: number, count: number, scratch: Scratch): Spans {
  if (4 * count > bytes.length - from) throw damaged('a page');
  const starts = scratch.integers(count);
  const ends = scratch.integers(count);
  let at = from;
  for (let index = 0; index < count; index++) {
    const start = at + 4;
    if (start > bytes.length) throw damaged('a length');
    const length = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    if (length < 0 || length > bytes.length - start) throw damaged('a length');
    starts[index] = start;
    at = start + length;
    ends[index] = at;
  }
  return { bytes, starts, ends };
}

function plainNumbers({ type }: Leaf, numbers: BigInt64Array): { bytes: Uint8Array; width: number } {
  if (type === TYPE.int64) return { bytes: new Uint8Array(numbers.buffer), width: 8 };
  if (type !== TYPE.int32) throw damaged('an encoding');
  return {
    bytes: new Uint8Array(Int32Array.from(numbers, (value) => Number(BigInt.asIntN(32, value))).buffer),
    width: 4,
  };
}

/** BYTE_STREAM_SPLIT: first the first bytes of all values, then the second ones, and so on. */
function joinedStreams(
  leaf: Leaf,
  bytes: Uint8Array,
  from: number,
  count: number,
): { bytes: Uint8Array; width: number } {
  const width = widthOf(leaf);
  if (width === 0 || from + width * count > bytes.length) throw damaged('a page');
  const out = new Uint8Array(width * count);
  for (let stream = 0, at = from; stream < width; stream++) {
    for (let index = 0; index < count; index++) out[index * width + stream] = bytes[at++] ?? 0;
  }
  return { bytes: out, width };
}

function exact(numbers: BigInt64Array, count: number): BigInt64Array {
  if (numbers.length !== count) throw damaged('a count');
  return numbers;
}

function exactSpans(spans: Spans, count: number): Spans {
  if (spans.starts.length !== count) throw damaged('a count');
  return spans;
}

/** Of some values those for which `mask` is not 0, of which there are `keptCount`, in plain encoding. The values are lost. */
export function keptPlain(
  values: Exclude<PageValues, { kind: 'indexes' }>,
  mask: Uint8Array,
  keptCount: number,
): Uint8Array {
  switch (values.kind) {
    case 'fixed':
      return keptFixed(values.bytes, values.from, values.width, mask, keptCount);
    case 'spans':
      return values.isPlain ? keptRuns(values.spans, mask) : keptSpans(values.spans, mask);
    case 'flags':
      return keptFlags(values.flags, mask, keptCount);
    default:
      return values satisfies never;
  }
}

/** HOT. Four bytes at a time where the width allows it, in half the time of bytes one by one; most runs are too short for `copyWithin`. */
function keptFixed(bytes: Uint8Array, from: number, width: number, mask: Uint8Array, keptCount: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isWords = width % 4 === 0;
  let target = from;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const at = from + index * width;
    if (at === target) target += width;
    else if (isWords) {
      for (let end = target + width, source = at; target < end; target += 4, source += 4) {
        view.setInt32(target, view.getInt32(source));
      }
    } else for (let byte = 0; byte < width; byte++) bytes[target++] = bytes[at + byte]!;
  }
  return bytes.subarray(from, from + width * keptCount);
}

/** HOT. Values with their lengths. */
function keptRuns({ bytes, starts, ends }: Spans, mask: Uint8Array): Uint8Array {
  const count = mask.length;
  const first = count === 0 ? 0 : starts[0]! - 4;
  let target = first;
  for (let index = 0; index < count; ) {
    if (mask[index] === 0) {
      index++;
      continue;
    }
    const from = starts[index]! - 4;
    do index++;
    while (index < count && mask[index] !== 0);
    const to = ends[index - 1]!;
    if (from !== target) bytes.copyWithin(target, from, to);
    target += to - from;
  }
  return bytes.subarray(first, target);
}

function keptSpans({ bytes, starts, ends }: Spans, mask: Uint8Array): Uint8Array {
  let total = 0;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] !== 0) total += 4 + (ends[index] ?? 0) - (starts[index] ?? 0);
  }
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const [start, end] = [starts[index] ?? 0, ends[index] ?? 0];
    at = out.writeInt32LE(end - start, at);
    out.set(bytes.subarray(start, end), at);
    at += end - start;
  }
  return out;
}

function keptFlags(flags: Uint8Array, mask: Uint8Array, keptCount: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(keptCount / 8));
  let at = 0;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    out[at >> 3] = (out[at >> 3] ?? 0) | ((flags[index] ?? 0) << (at & 7));
    at++;
  }
  return out;
}

/** HOT. The indexes that are kept, moved together; each is noted in `isUsed`. @throws {ParquetError} `parquet.damaged`. */
export function keptIndexes(indexes: Int32Array, mask: Uint8Array, isUsed: Uint8Array): Int32Array {
  let at = 0;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const value = indexes[index]!;
    if (value < 0 || value >= isUsed.length) throw damaged('an index of a dictionary');
    isUsed[value] = 1;
    indexes[at++] = value;
  }
  return indexes.subarray(0, at);
}

/** Bits of an index into a dictionary of so many values: one at least, for no bits at all are more than some readers take. */
export const indexWidth = (valueCount: number): number => bitWidth(Math.max(1, valueCount - 1));
