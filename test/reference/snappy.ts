/**
 * Snappy's raw format (google/snappy, format_description.txt), which most Parquet files are compressed with.
 * @module
 */
import { damaged } from '../../src/exports/parquet/parquet-error.js';

const BLOCK_BYTES = 65_536;
const HASH_BITS = 14;
/** A shorter match saves nothing over the bytes themselves; hexadecimal text is full of them. */
const MATCH_BYTES_MIN = 5;
/** A copy of four to eleven bytes from less than this far back takes two bytes. */
const NEAR = 2048;

/** Room behind the end that copies of four bytes at a time may write to. */
const SLACK_BYTES = 8;

/**
 * HOT. Decompresses to `rawBytes` bytes. Four bytes at a time: a `DataView` loads and stores them in one instruction each,
 * which takes half the time of bytes one by one.
 * @throws {ParquetError} `parquet.damaged`.
 */
export function snappyDecompress(bytes: Uint8Array, rawBytes: number): Uint8Array {
  const [declared, start] = readLength(bytes);
  if (declared !== rawBytes) throw damaged('a compressed page');
  const out = new Uint8Array(new ArrayBuffer(rawBytes + SLACK_BYTES));
  const to = new DataView(out.buffer);
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const inEnd = bytes.length;
  let at = start;
  let target = 0;
  while (at < inEnd) {
    const tag = bytes[at++]!;
    let length = (tag >>> 2) + 1;
    let back = 0;
    switch (tag & 3) {
      case 0:
        if (length > 60) {
          const extra = length - 60;
          if (at + extra > inEnd) throw damaged('a compressed page');
          length = 1;
          for (let index = 0; index < extra; index++) length += bytes[at++]! * 2 ** (8 * index);
        }
        if (length > inEnd - at || length > rawBytes - target) throw damaged('a compressed page');
        if (length <= 32 && at + length + 4 <= inEnd) {
          for (let index = 0; index < length; index += 4) to.setInt32(target + index, from.getInt32(at + index));
        } else out.set(bytes.subarray(at, at + length), target);
        at += length;
        target += length;
        continue;
      case 1:
        length = ((tag >>> 2) & 7) + 4;
        if (at >= inEnd) throw damaged('a compressed page');
        back = ((tag >>> 5) << 8) | bytes[at++]!;
        break;
      case 2:
        if (at + 2 > inEnd) throw damaged('a compressed page');
        back = from.getUint16(at, true);
        at += 2;
        break;
      default:
        if (at + 4 > inEnd) throw damaged('a compressed page');
        back = from.getUint32(at, true);
        at += 4;
    }
    if (back === 0 || back > target || length > rawBytes - target) throw damaged('a compressed page');
    const source = target - back;
    if (back >= 4) {
      for (let index = 0; index < length; index += 4) to.setInt32(target + index, to.getInt32(source + index));
    } else {
      for (let index = 0; index < length; index++) out[target + index] = out[source + index]!; // repeats itself
    }
    target += length;
  }
  if (target !== rawBytes) throw damaged('a compressed page');
  return out.subarray(0, rawBytes);
}

function readLength(bytes: Uint8Array): readonly [number, number] {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return [length, at + 1];
  }
  throw damaged('a compressed page');
}

const hashTable = new Uint16Array(1 << HASH_BITS);

/** HOT. Compresses a page. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(new ArrayBuffer(32 + bytes.length + Math.ceil(bytes.length / 6)));
  let target = 0;
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    out[target++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    if (rest <= 0x7f) break;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    target = compressBlock(bytes, view, from, Math.min(from + BLOCK_BYTES, bytes.length), out, target);
  }
  return out.subarray(0, target);
}

/** HOT. Positions in the table are relative to the block, so that they fit in 16 bits. */
function compressBlock(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
): number {
  let target = at;
  let literalFrom = from;
  hashTable.fill(0);
  const searchEnd = to - 15; // what is left when nothing else fits goes out as it is
  let position = from + 1;
  let misses = 32;
  while (position < searchEnd) {
    const word = view.getInt32(position, true);
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = from + hashTable[hash]!;
    hashTable[hash] = position - from;
    const isMatch = word === view.getInt32(candidate, true) && bytes[position + 4] === bytes[candidate + 4];
    if (!isMatch) {
      position += misses++ >>> 5; // looks less and less often where nothing repeats
      continue;
    }
    misses = 32;
    target = writeLiteral(bytes, literalFrom, position, out, target);
    const back = position - candidate;
    let end = position + MATCH_BYTES_MIN;
    while (end + 4 <= to && view.getInt32(end, true) === view.getInt32(end - back, true)) end += 4;
    while (end < to && bytes[end] === bytes[end - back]) end++;
    target = writeCopy(back, end - position, out, target);
    position = end;
    literalFrom = end;
  }
  return writeLiteral(bytes, literalFrom, to, out, target);
}

/** HOT. */
function writeLiteral(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const length = to - from;
  if (length === 0) return at;
  let target = at;
  if (length <= 60) out[target++] = (length - 1) << 2;
  else if (length <= 256) {
    out[target++] = 60 << 2;
    out[target++] = length - 1;
  } else {
    out[target++] = 61 << 2;
    out[target++] = (length - 1) & 0xff;
    out[target++] = (length - 1) >>> 8;
  }
  if (length > 24) out.set(bytes.subarray(from, to), target);
  else for (let index = 0; index < length; index++) out[target + index] = bytes[from + index]!;
  return target + length;
}

/** HOT. */
function writeCopy(back: number, length: number, out: Uint8Array, at: number): number {
  let target = at;
  let rest = length;
  while (rest > 0) {
    // what is left must make a copy of its own, of four bytes at least
    const part = rest > 64 ? (rest < 68 ? 60 : 64) : rest;
    if (part < 12 && back < NEAR) {
      out[target++] = 1 | ((part - 4) << 2) | ((back >>> 8) << 5);
      out[target++] = back & 0xff;
    } else {
      out[target++] = 2 | ((part - 1) << 2);
      out[target++] = back & 0xff;
      out[target++] = back >>> 8;
    }
    rest -= part;
  }
  return target;
}
