/**
 * The hybrid of runs and packed bits that levels and dictionary indexes are written in (parquet-format, Encodings.md, RLE = 3).
 *
 *     run:    varint(length << 1), then the value in ceil(width / 8) bytes
 *     packed: varint(groups << 1 | 1), then groups of eight values, `width` bits each, low bits first
 * @module
 */
import { damaged } from './parquet-error.js';

/** Widest values; an index of a dictionary has 32 bits at most. */
export const HYBRID_WIDTH_MAX = 32;

/** Values of a section, and where it ended. */
let end = 0;

/** Where the last call of {@link readHybrid} ended. */
export function endOfHybrid(): number {
  return end;
}

/**
 * HOT. Reads `count` values into `out`. Bytes are read up to `to` at most.
 * @throws {ParquetError} `parquet.damaged`.
 */
export function readHybrid(
  bytes: Uint8Array,
  from: number,
  to: number,
  width: number,
  count: number,
  out: Int32Array | Uint8Array,
): void {
  if (width > HYBRID_WIDTH_MAX) throw damaged('a bit width');
  if (width === 0) {
    out.fill(0, 0, count);
    end = from;
    return;
  }
  let at = from;
  for (let done = 0; done < count; ) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= to || shift > 28) throw damaged('a run');
      const byte = bytes[at++]!;
      head |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if ((head & 1) === 0) {
      const length = Math.min(head >>> 1, count - done);
      const valueBytes = (width + 7) >> 3;
      if (length === 0 || at + valueBytes > to) throw damaged('a run');
      let value = 0;
      for (let index = 0; index < valueBytes; index++) value |= bytes[at++]! << (8 * index);
      out.fill(value, done, done + length);
      done += length;
    } else {
      const groups = head >>> 1;
      const length = Math.min(8 * groups, count - done);
      if (groups === 0 || at + Math.ceil((length * width) / 8) > to) throw damaged('a run');
      unpack(bytes, at, width, length, out, done);
      at = Math.min(at + groups * width, to); // writers may leave out the padding of the last group
      done += length;
    }
  }
  end = at;
}

/** The value that all of `count` have, where one run says so; -1 for anything else, which {@link readHybrid} is to read. */
export function valueOfRun(bytes: Uint8Array, from: number, to: number, width: number, count: number): number {
  const valueBytes = (width + 7) >> 3;
  let head = 0;
  let at = from;
  for (let shift = 0; ; shift += 7) {
    if (at >= to || shift > 28) return -1;
    const byte = bytes[at++]!;
    head |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if ((head & 1) === 1 || head >>> 1 < count || valueBytes !== 1 || at >= to) return -1;
  return bytes[at]!;
}

/** HOT. */
function unpack(
  bytes: Uint8Array,
  from: number,
  width: number,
  count: number,
  out: Int32Array | Uint8Array,
  start: number,
): void {
  let at = from;
  let have = 0;
  let bits = 0;
  if (width <= 24) {
    const mask = (1 << width) - 1;
    for (let index = 0; index < count; index++) {
      for (; have < width; have += 8) bits |= bytes[at++]! << have;
      out[start + index] = bits & mask;
      bits >>>= width;
      have -= width;
    }
    return;
  }
  const base = 2 ** width;
  for (let index = 0; index < count; index++) {
    for (; have < width; have += 8) bits += bytes[at++]! * 2 ** have; // at most 39 bits: exact in a double
    out[start + index] = (bits % base) | 0;
    bits = Math.floor(bits / base);
    have -= width;
  }
}

/** Most bytes that {@link writeHybrid} writes. */
export function hybridBytesMax(count: number, width: number): number {
  const groups = Math.ceil(count / 8);
  return groups * (width + 6) + 16;
}

/** HOT. Writes `count` values that fit in `width` bits to `out[at..]`; returns where that ends. */
export function writeHybrid(
  values: Int32Array | Uint8Array,
  count: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  if (width === 0) return at;
  let target = at;
  let packedFrom = 0;
  for (let index = 0; index < count; ) {
    const value = values[index]!;
    let runEnd = index + 1;
    while (runEnd < count && values[runEnd] === value) runEnd++;
    if (runEnd - index < 8 && !(runEnd === count && index === packedFrom)) {
      index = Math.min(index + 8, count);
      continue;
    }
    target = pack(values, packedFrom, index, width, out, target);
    target = writeVarint((runEnd - index) * 2, out, target);
    for (let shift = 0; shift < width; shift += 8) out[target++] = (value >>> shift) & 0xff;
    index = runEnd;
    packedFrom = runEnd;
  }
  return pack(values, packedFrom, count, width, out, target);
}

/** Writes `count` times the same value, which fits in `width` bits and in a byte, as {@link writeHybrid} does. */
export function writeRun(value: number, count: number, width: number, out: Uint8Array, at: number): number {
  if (width === 0 || count === 0) return at;
  const target = writeVarint(count * 2, out, at);
  out[target] = value;
  return target + 1;
}

/** HOT. Whole groups of eight; the last one is filled up with zeros. */
function pack(
  values: Int32Array | Uint8Array,
  from: number,
  to: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  if (from === to) return at;
  const groups = (to - from + 7) >> 3;
  let target = writeVarint(groups * 2 + 1, out, at);
  let bits = 0;
  let have = 0;
  for (let index = from; index < from + 8 * groups; index++) {
    const value = index < to ? values[index]! : 0;
    if (width <= 24) {
      bits |= value << have;
      for (have += width; have >= 8; have -= 8) {
        out[target++] = bits & 0xff;
        bits >>>= 8;
      }
    } else {
      bits += (value >>> 0) * 2 ** have;
      for (have += width; have >= 8; have -= 8) {
        out[target++] = bits % 256;
        bits = Math.floor(bits / 256);
      }
    }
  }
  return target;
}

function writeVarint(value: number, out: Uint8Array, at: number): number {
  let target = at;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out[target++] = (rest & 0x7f) | 0x80;
  out[target++] = rest;
  return target;
}

/** Bits that a number up to `max` takes. */
export function bitWidth(max: number): number {
  return max === 0 ? 0 : 32 - Math.clz32(max);
}
