/**
 * The delta encodings of Parquet (parquet-format, Encodings.md, 5 to 7), read into plain form.
 * @module
 */
import { damaged, type ParquetError } from './parquet-error.js';
import type { Scratch } from './scratch.js';
import { NumberReader } from './varint.js';

const BLOCK_VALUES_MAX = 1 << 16;
/** So many bits are in any four bytes from the byte on that they begin in. */
const SMALL_WIDTH_MAX = 25;

/** Numbers of a section, and where it ends. */
interface DeltaNumbers {
  readonly numbers: BigInt64Array;
  readonly end: number;
}

/** DELTA_BINARY_PACKED: `count` numbers at most, in memory of `scratch`. @throws {ParquetError} `parquet.damaged`. */
export function readDeltaNumbers(bytes: Uint8Array, from: number, count: number, scratch: Scratch): DeltaNumbers {
  const reader = new DeltaReader(bytes, from);
  const numbers = reader.numbers(count, scratch);
  return { numbers, end: reader.at };
}

class DeltaReader extends NumberReader {
  protected override ended(): ParquetError {
    return damaged('a delta block');
  }

  numbers(countMax: number, scratch: Scratch): BigInt64Array {
    const blockValues = this.count(BLOCK_VALUES_MAX);
    const miniCount = this.count(blockValues);
    const total = this.count(countMax);
    const miniValues = blockValues / miniCount;
    if (!(miniValues >= 8 && Number.isInteger(miniValues / 8))) throw damaged('a delta block');
    const { buffer, byteOffset } = scratch.bytes(8 * total);
    const numbers = new BigInt64Array(buffer, byteOffset, total);
    const first = this.zigzag();
    if (total > 0) numbers[0] = first;
    for (let done = 1; done < total; ) {
      const smallest = this.zigzag();
      const widths = this.take(miniCount);
      for (let mini = 0; mini < miniCount && done < total; mini++) {
        const width = widths[mini] ?? 0;
        if (width > 64) throw damaged('a bit width');
        const packed = this.take((miniValues * width) / 8);
        const end = Math.min(done + miniValues, total);
        if (width > 0 && width <= SMALL_WIDTH_MAX)
          addSmall(numbers, done, end, smallest, this.bytes, this.at - packed.length, width);
        else addLarge(numbers, done, end, smallest, packed, width);
        done = end;
      }
    }
    return numbers;
  }
}

/** HOT. Fills `numbers[from..to)`, each from the one before. Where bits come as `BigInt`, a value takes 50 ns more. */
function addSmall(
  numbers: BigInt64Array,
  from: number,
  to: number,
  smallest: bigint,
  bytes: Uint8Array,
  packedAt: number,
  width: number,
): void {
  const mask = (1 << width) - 1;
  let value = numbers[from - 1]!;
  for (let index = from, bit = 0; index < to; index++, bit += width) {
    const at = packedAt + (bit >> 3);
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    value = BigInt.asIntN(64, value + smallest + BigInt((four >>> (bit & 7)) & mask));
    numbers[index] = value;
  }
}

/** The same for any width; quicker where there are no bits at all. */
function addLarge(
  numbers: BigInt64Array,
  from: number,
  to: number,
  smallest: bigint,
  packed: Uint8Array,
  width: number,
): void {
  let value = numbers[from - 1] ?? 0n;
  for (let index = from; index < to; index++) {
    value = BigInt.asIntN(64, value + smallest + bitsAt(packed, (index - from) * width, width));
    numbers[index] = value;
  }
}

function bitsAt(packed: Uint8Array, bit: number, width: number): bigint {
  let value = 0n;
  let have = 0;
  for (let at = bit; have < width; ) {
    const take = Math.min(8 - (at & 7), width - have);
    const part = ((packed[at >> 3] ?? 0) >> (at & 7)) & ((1 << take) - 1);
    value |= BigInt(part) << BigInt(have);
    have += take;
    at += take;
  }
  return value;
}

/** Values of different lengths in one piece of memory. */
export interface Spans {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** DELTA_LENGTH_BYTE_ARRAY. @throws {ParquetError} `parquet.damaged`. */
export function readDeltaLengths(bytes: Uint8Array, from: number, count: number, scratch: Scratch): Spans {
  const { numbers: lengths, end } = readDeltaNumbers(bytes, from, count, scratch);
  const starts = scratch.integers(lengths.length);
  const ends = scratch.integers(lengths.length);
  let at = end;
  for (let index = 0; index < lengths.length; index++) {
    const length = Number(lengths[index]);
    if (!(length >= 0 && length <= bytes.length - at)) throw damaged('a length');
    starts[index] = at;
    at += length;
    ends[index] = at;
  }
  return { bytes, starts, ends };
}

/** DELTA_BYTE_ARRAY: each value begins with a part of the one before. @throws {ParquetError} `parquet.damaged`. */
export function readDeltaBytes(
  bytes: Uint8Array,
  from: number,
  count: number,
  bytesMax: number,
  scratch: Scratch,
): Spans {
  const { numbers: prefixes, end } = readDeltaNumbers(bytes, from, count, scratch);
  const suffixes = readDeltaLengths(bytes, end, count, scratch);
  if (suffixes.starts.length !== prefixes.length) throw damaged('a count');
  const starts = scratch.integers(prefixes.length);
  const ends = scratch.integers(prefixes.length);
  let total = 0;
  for (let index = 0; index < prefixes.length; index++) {
    const prefix = Number(prefixes[index]);
    const before = index === 0 ? 0 : (ends[index - 1] ?? 0) - (starts[index - 1] ?? 0);
    if (!(prefix >= 0 && prefix <= before)) throw damaged('a length');
    starts[index] = total;
    total += prefix + (suffixes.ends[index] ?? 0) - (suffixes.starts[index] ?? 0);
    ends[index] = total;
    if (total > bytesMax) throw damaged('a length');
  }
  const out = scratch.bytes(total);
  for (let index = 0; index < prefixes.length; index++) {
    const prefix = Number(prefixes[index]);
    const start = starts[index] ?? 0;
    const last = index === 0 ? 0 : (starts[index - 1] ?? 0);
    out.copyWithin(start, last, last + prefix);
    out.set(suffixes.bytes.subarray(suffixes.starts[index], suffixes.ends[index]), start + prefix);
  }
  return { bytes: out, starts, ends };
}
