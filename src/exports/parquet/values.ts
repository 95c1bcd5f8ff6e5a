/**
 * The values of a page, and those of them that are kept, in plain encoding.
 *
 * Values are never made into JavaScript values: bytes are copied. What stands in memory of a kernel is left to it; the functions
 * here are its twins, for what does not.
 * @module
 */
import { readDeltaBytes, readDeltaLengths, readDeltaNumbers, type Spans } from './delta.js';
import { ENCODING, TYPE } from './format.js';
import { bitWidth, HYBRID_WIDTH_MAX, hybridBytesMax, readHybrid, writeHybrid } from './hybrid.js';
import { PAGE_BYTES_MAX } from './limits.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { Scratch } from './scratch.js';

export type PageValues =
  /** Into the dictionary of the chunk. */
  | { readonly kind: 'indexes'; readonly indexes: Int32Array }
  | { readonly kind: 'fixed'; readonly bytes: Uint8Array; readonly from: number; readonly width: number }
  /** Each value stands behind its length in four bytes, one after the other. `spans`: where, if that was asked for. */
  | { readonly kind: 'texts'; readonly bytes: Uint8Array; readonly from: number; readonly spans: Spans | null }
  | { readonly kind: 'spans'; readonly spans: Spans }
  /** Booleans, a byte each. */
  | { readonly kind: 'flags'; readonly flags: Uint8Array };

/** What stands before a text in plain encoding. */
const LENGTH_BYTES = 4;

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

/** Where values are read: the column, the memory that may be taken, and whether it is asked where texts stand. */
export interface Reading {
  readonly leaf: Leaf;
  readonly scratch: Scratch;
  readonly wantsSpans: boolean;
}

/** The `count` values in `bytes[from..]`. @throws {ParquetError} `parquet.damaged`, `parquet.unsupported`. */
export function readValues(
  reading: Reading,
  encoding: number,
  bytes: Uint8Array,
  from: number,
  count: number,
): PageValues {
  const { leaf, scratch } = reading;
  switch (encoding) {
    case ENCODING.plain:
      return readPlain(reading, bytes, from, count);
    case ENCODING.plainDictionary:
    case ENCODING.rleDictionary: {
      const indexes = scratch.integers(count);
      if (count > 0) readIndexes(bytes, from + 1, bytes[from] ?? 0, indexes, scratch);
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
        ...plainNumbers(leaf, exact(readDeltaNumbers(bytes, from, count, scratch).numbers, count), scratch),
        from: 0,
      };
    case ENCODING.deltaLengthBytes:
      return { kind: 'spans', spans: exactSpans(readDeltaLengths(bytes, from, count, scratch), count) };
    case ENCODING.deltaBytes: {
      const spans = exactSpans(readDeltaBytes(bytes, from, count, PAGE_BYTES_MAX, scratch), count);
      if (leaf.type !== TYPE.fixed) return { kind: 'spans', spans };
      if (spans.bytes.length !== count * leaf.typeLength) throw damaged('a length');
      return { kind: 'fixed', bytes: spans.bytes, from: 0, width: leaf.typeLength };
    }
    case ENCODING.byteStreamSplit:
      return { kind: 'fixed', ...joinedStreams(leaf, bytes, from, count, scratch), from: 0 };
    default:
      throw new ParquetError('parquet.unsupported', `encoding ${encoding}`);
  }
}

/** Values in plain encoding. */
export function readPlain(
  { leaf, scratch, wantsSpans }: Reading,
  bytes: Uint8Array,
  from: number,
  count: number,
): PageValues {
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
  if (LENGTH_BYTES * count > bytes.length - from) throw damaged('a page');
  return { kind: 'texts', bytes, from, spans: wantsSpans ? plainSpans(bytes, from, count, scratch) : null };
}

/** Indexes as they are packed. */
function readIndexes(bytes: Uint8Array, from: number, width: number, indexes: Int32Array, scratch: Scratch): void {
  const [at, out] = [scratch.addressOf(bytes), scratch.addressOf(indexes)];
  if (at === 0 || out === 0 || width === 0 || width > HYBRID_WIDTH_MAX) {
    readHybrid(bytes, from, bytes.length, width, indexes.length, indexes);
  } else if (scratch.kernel.readIndexes(at + from, at + bytes.length, width, indexes.length, out) === 0) {
    throw damaged('a run');
  }
}

/** HOT. */
function plainSpans(bytes: Uint8Array, from: number, count: number, scratch: Scratch): Spans {
  const starts = scratch.integers(count);
  const ends = scratch.integers(count);
  const base = scratch.addressOf(bytes);
  const [startsAt, endsAt] = [scratch.addressOf(starts), scratch.addressOf(ends)];
  if (base > 0 && startsAt > 0 && endsAt > 0) {
    const isWhole = scratch.kernel.spans(base + from, base + bytes.length, count, base, startsAt, endsAt);
    if (isWhole === 0) throw damaged('a length');
    return { bytes, starts, ends };
  }
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

function plainNumbers({ type }: Leaf, numbers: BigInt64Array, scratch: Scratch): { bytes: Uint8Array; width: number } {
  const { buffer, byteOffset, byteLength, length } = numbers;
  if (type === TYPE.int64) return { bytes: new Uint8Array(buffer, byteOffset, byteLength), width: 8 };
  if (type !== TYPE.int32) throw damaged('an encoding');
  const words = new Int32Array(buffer, byteOffset, 2 * length);
  const lows = scratch.integers(length);
  for (let index = 0; index < length; index++) lows[index] = words[2 * index] ?? 0;
  return { bytes: new Uint8Array(lows.buffer, lows.byteOffset, lows.byteLength), width: 4 };
}

/** BYTE_STREAM_SPLIT: first the first bytes of all values, then the second ones, and so on. */
function joinedStreams(
  leaf: Leaf,
  bytes: Uint8Array,
  from: number,
  count: number,
  scratch: Scratch,
): { bytes: Uint8Array; width: number } {
  const width = widthOf(leaf);
  if (width === 0 || from + width * count > bytes.length) throw damaged('a page');
  const out = scratch.bytes(width * count);
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

/** The most bytes that {@link keepPlain} may write of so many values. */
export function plainBytesMax(values: PlainValues, count: number): number {
  switch (values.kind) {
    case 'fixed':
      return values.width * count;
    case 'texts':
      return values.bytes.length - values.from;
    case 'spans':
      return values.spans.bytes.length + LENGTH_BYTES * count;
    case 'flags':
      return Math.ceil(count / 8);
    default:
      return values satisfies never;
  }
}

export type PlainValues = Exclude<PageValues, { kind: 'indexes' }>;

/**
 * Writes to `out[from..]` the values for which `mask` is not 0, in plain encoding; there is room for {@link plainBytesMax}.
 * @returns Where that ends.
 * @throws {ParquetError} `parquet.damaged`.
 */
export function keepPlain(
  values: PlainValues,
  mask: Uint8Array,
  out: Uint8Array,
  from: number,
  scratch: Scratch,
): number {
  switch (values.kind) {
    case 'fixed':
      return keepFixed(values, mask, out, from, scratch);
    case 'texts':
      return keepTexts(values, mask, out, from, scratch);
    case 'spans':
      return keepSpans(values.spans, mask, out, from, scratch);
    case 'flags':
      return keepFlags(values.flags, mask, out, from);
    default:
      return values satisfies never;
  }
}

/** HOT. */
function keepFixed(
  { bytes, from: first, width }: PlainValues & { kind: 'fixed' },
  mask: Uint8Array,
  out: Uint8Array,
  from: number,
  scratch: Scratch,
): number {
  const count = mask.length;
  const [source, target, masks] = [scratch.addressOf(bytes), scratch.addressOf(out), scratch.addressOf(mask)];
  if (source > 0 && target > 0 && masks > 0) {
    const { kernel } = scratch;
    if (width === 8) return kernel.keepLongs(source + first, count, masks, target + from) - target;
    if (width === 4) return kernel.keepWords(source + first, count, masks, target + from) - target;
    return kernel.keepWide(source + first, count, masks, target + from, width) - target;
  }
  let end = from;
  for (let index = 0; index < count; index++) {
    if (mask[index] === 0) continue;
    const at = first + index * width;
    for (let byte = 0; byte < width; byte++) out[end++] = bytes[at + byte]!;
  }
  return end;
}

/** HOT. Values with their lengths. */
function keepTexts(
  { bytes, from: first }: PlainValues & { kind: 'texts' },
  mask: Uint8Array,
  out: Uint8Array,
  from: number,
  scratch: Scratch,
): number {
  const [source, target, masks] = [scratch.addressOf(bytes), scratch.addressOf(out), scratch.addressOf(mask)];
  if (source > 0 && target > 0 && masks > 0) {
    const sourceEnd = source + bytes.length;
    const end = scratch.kernel.keepTexts(source + first, sourceEnd, mask.length, masks, target + from);
    if (end === 0) throw damaged('a length');
    return end - target;
  }
  const { starts, ends } = plainSpans(bytes, first, mask.length, scratch);
  let end = from;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const text = bytes.subarray(starts[index]! - LENGTH_BYTES, ends[index]);
    out.set(text, end);
    end += text.length;
  }
  return end;
}

function keepSpans(
  { bytes, starts, ends }: Spans,
  mask: Uint8Array,
  out: Uint8Array,
  from: number,
  scratch: Scratch,
): number {
  const [source, target, masks] = [scratch.addressOf(bytes), scratch.addressOf(out), scratch.addressOf(mask)];
  const [startsAt, endsAt] = [scratch.addressOf(starts), scratch.addressOf(ends)];
  if (source > 0 && target > 0 && masks > 0 && startsAt > 0 && endsAt > 0) {
    return scratch.kernel.keepSpans(source, startsAt, endsAt, mask.length, masks, target + from) - target;
  }
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  let end = from;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const text = bytes.subarray(starts[index] ?? 0, ends[index] ?? 0);
    view.setInt32(end, text.length, true);
    out.set(text, end + LENGTH_BYTES);
    end += LENGTH_BYTES + text.length;
  }
  return end;
}

function keepFlags(flags: Uint8Array, mask: Uint8Array, out: Uint8Array, from: number): number {
  let count = 0;
  for (let index = 0; index < mask.length; index++) {
    if (mask[index] === 0) continue;
    const at = from + (count >> 3);
    const before = (count & 7) === 0 ? 0 : (out[at] ?? 0);
    out[at] = before | ((flags[index] ?? 0) << (count & 7));
    count++;
  }
  return from + Math.ceil(count / 8);
}

/** HOT. The indexes that are kept, moved together; each is noted in `isUsed`. @throws {ParquetError} `parquet.damaged`. */
export function keptIndexes(indexes: Int32Array, mask: Uint8Array, isUsed: Uint8Array, scratch: Scratch): Int32Array {
  const [source, masks, marks] = [scratch.addressOf(indexes), scratch.addressOf(mask), scratch.addressOf(isUsed)];
  if (source > 0 && masks > 0 && marks > 0) {
    const count = scratch.kernel.keepIndexes(source, mask.length, masks, marks, isUsed.length);
    if (count < 0) throw damaged('an index of a dictionary');
    return indexes.subarray(0, count);
  }
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

/** HOT. Puts in the place of each index the new one. */
export function renumber(indexes: Int32Array, newIndexes: Int32Array, scratch: Scratch): void {
  const [source, numbers] = [scratch.addressOf(indexes), scratch.addressOf(newIndexes)];
  if (source > 0 && numbers > 0) scratch.kernel.renumber(source, indexes.length, numbers);
  else for (let index = 0; index < indexes.length; index++) indexes[index] = newIndexes[indexes[index]!]!;
}

/** Writes indexes to `out[from..]`: their width, then runs and packed bits. There is room for {@link indexBytesMax}. @returns Where that ends. */
export function writeIndexes(
  indexes: Int32Array,
  width: number,
  out: Uint8Array,
  from: number,
  scratch: Scratch,
): number {
  out[from] = width;
  const [source, target] = [scratch.addressOf(indexes), scratch.addressOf(out)];
  if (source === 0 || target === 0) return writeHybrid(indexes, indexes.length, width, out, from + 1);
  return scratch.kernel.writeIndexes(source, source + 4 * indexes.length, width, target + from + 1) - target;
}

/** The most bytes that {@link writeIndexes} may write. */
export const indexBytesMax = (count: number, width: number): number => 1 + hybridBytesMax(count, width);

/** Bits of an index into a dictionary of so many values: one at least, for no bits at all are more than some readers take. */
export const indexWidth = (valueCount: number): number => bitWidth(Math.max(1, valueCount - 1));
