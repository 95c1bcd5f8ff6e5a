/**
 * Snappy's raw format (google/snappy, format_description.txt), which most Parquet files are compressed with.
 * @module
 */
import { damaged } from './parquet-error.js';

const BLOCK_BYTES = 65_536;
const HASH_BITS = 14;
const MATCH_BYTES_MIN = 4;
/** A copy of four to eleven bytes from less than this far back takes two bytes. */
const NEAR = 2048;

/**
 * HOT. Decompresses to `rawBytes` bytes.
 * @throws {ParquetError} `parquet.damaged`.
 */
export function snappyDecompress(bytes: Uint8Array, rawBytes: number): Buffer {
  const [declared, start] = readLength(bytes);
  if (declared !== rawBytes) throw damaged('a compressed page');
  const out = Buffer.allocUnsafe(rawBytes);
  const inEnd = bytes.length;
  let at = start;
  let target = 0;
  while (at < inEnd) {
    const tag = bytes[at++]!;
    if ((tag & 3) === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const extra = length - 60;
        if (at + extra > inEnd) throw damaged('a compressed page');
        length = bytes[at]! | (extra > 1 ? bytes[at + 1]! << 8 : 0) | (extra > 2 ? bytes[at + 2]! << 16 : 0);
        if (extra > 3) length += bytes[at + 3]! * 2 ** 24;
        length += 1;
        at += extra;
      }
      if (length > inEnd - at || length > rawBytes - target) throw damaged('a compressed page');
      if (length > 24) out.set(bytes.subarray(at, at + length), target);
      else for (let index = 0; index < length; index++) out[target + index] = bytes[at + index]!;
      at += length;
      target += length;
      continue;
    }
    let length = (tag >>> 2) + 1;
    let back = 0;
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      back = ((tag >>> 5) << 8) | bytes[at]!;
      at += 1;
    } else if ((tag & 3) === 2) {
      back = bytes[at]! | (bytes[at + 1]! << 8);
      at += 2;
    } else {
      back = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
      at += 4;
    }
    if (at > inEnd || back === 0 || back > target || length > rawBytes - target) throw damaged('a compressed page');
    for (let index = 0; index < length; index++, target++) out[target] = out[target - back]!; // may overlap
  }
  if (target !== rawBytes) throw damaged('a compressed page');
  return out;
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
export function snappyCompress(bytes: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(32 + bytes.length + Math.ceil(bytes.length / 6));
  let target = 0;
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    out[target++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    if (rest <= 0x7f) break;
  }
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    target = compressBlock(bytes, from, Math.min(from + BLOCK_BYTES, bytes.length), out, target);
  }
  return out.subarray(0, target);
}

/** HOT. Positions in the table are relative to the block, so that they fit in 16 bits. */
function compressBlock(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  let target = at;
  let literalFrom = from;
  hashTable.fill(0);
  const searchEnd = to - 15; // what is left when nothing else fits goes out as it is
  let position = from + 1;
  let misses = 32;
  while (position < searchEnd) {
    const word =
      bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16) | (bytes[position + 3]! << 24);
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = from + hashTable[hash]!;
    hashTable[hash] = position - from;
    const isMatch =
      candidate < position &&
      word ===
        (bytes[candidate]! |
          (bytes[candidate + 1]! << 8) |
          (bytes[candidate + 2]! << 16) |
          (bytes[candidate + 3]! << 24));
    if (!isMatch) {
      position += misses++ >>> 5; // looks less and less often where nothing repeats
      continue;
    }
    misses = 32;
    target = writeLiteral(bytes, literalFrom, position, out, target);
    let length = MATCH_BYTES_MIN;
    while (position + length < to && bytes[candidate + length] === bytes[position + length]) length++;
    target = writeCopy(position - candidate, length, out, target);
    position += length;
    literalFrom = position;
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
