/**
 * Snappy's raw format (google/snappy, format_description.txt), which most Parquet files are compressed with. In WebAssembly:
 * it decompresses the pages of `bench/exports.mjs` in a fourth of the time of JavaScript (`test/reference/snappy.ts`), and
 * compresses ids in a sixteenth.
 *
 * What stands in memory of the kernel is worked on where it is, and else copied to another one.
 *
 * What must stay true: every length and every distance is checked before anything is copied. Copies go in steps of sixteen
 * bytes, which may go beyond both ends, by less than {@link SLACK_BYTES}, into memory that nothing is in.
 * @module
 */
import { growTo, newPageKernel, type PageKernel, PIECES_AT, SLACK_BYTES } from './page-kernel.js';
import { damaged } from './parquet-error.js';
import type { Scratch } from './scratch.js';

const BLOCK_BYTES = 65_536;
/** Three bytes stand for 64 at most: whatever claims to be larger needs no memory to be refused. */
const EXPANSION_MAX = 22;
/** Another kernel with more memory than this is given up after use. */
const KEPT_BYTES_MAX = 256 * 1024 * 1024;

/** Of this thread, for what is too large for the scratch memory. */
let other: PageKernel | null = null;

/** Decompresses to `rawBytes` bytes, in memory of `scratch`. @throws {ParquetError} `parquet.damaged`. */
export function snappyDecompress(bytes: Uint8Array, rawBytes: number, scratch: Scratch): Uint8Array {
  const [declared, start] = readLength(bytes);
  if (declared !== rawBytes || rawBytes > EXPANSION_MAX * bytes.length) throw damaged('a compressed page');
  const raw = scratch.bytes(rawBytes);
  const [from, out] = [scratch.addressOf(bytes), scratch.addressOf(raw)];
  if (from > 0 && out > 0) {
    decompressAt(scratch.kernel, from + start, from + bytes.length, out, rawBytes);
    return raw;
  }
  const otherOut = PIECES_AT + bytes.length + SLACK_BYTES;
  const kernel = otherWith(otherOut + rawBytes + SLACK_BYTES);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(bytes, PIECES_AT);
  decompressAt(kernel, PIECES_AT + start, PIECES_AT + bytes.length, otherOut, rawBytes);
  raw.set(memory.subarray(otherOut, otherOut + rawBytes));
  return raw;
}

function decompressAt(kernel: PageKernel, from: number, to: number, out: number, rawBytes: number): void {
  if (kernel.decompress(from, to, out, out + rawBytes) >>> 0 !== out + rawBytes) throw damaged('a compressed page');
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

/** Compresses a page; in memory of `scratch`. */
export function snappyCompress(raw: Uint8Array, scratch: Scratch): Uint8Array {
  const compressed = scratch.bytes(compressedBytesMax(raw.length));
  const [from, out] = [scratch.addressOf(raw), scratch.addressOf(compressed)];
  if (from > 0 && out > 0) {
    return compressed.subarray(0, compressAt(scratch.kernel, from, from + raw.length, out) - out);
  }
  const otherOut = PIECES_AT + raw.length + SLACK_BYTES;
  const kernel = otherWith(otherOut + compressed.length + SLACK_BYTES);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(raw, PIECES_AT);
  const end = compressAt(kernel, PIECES_AT, PIECES_AT + raw.length, otherOut);
  compressed.set(memory.subarray(otherOut, end));
  return compressed.subarray(0, end - otherOut);
}

const compressedBytesMax = (rawBytes: number) => 32 + rawBytes + Math.ceil(rawBytes / 6);

/** Where the output ended. */
function compressAt(kernel: PageKernel, from: number, to: number, out: number): number {
  const memory = new Uint8Array(kernel.memory.buffer);
  let target = out;
  for (let rest = to - from; ; rest = Math.floor(rest / 128)) {
    memory[target++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    if (rest <= 0x7f) break;
  }
  for (let at = from; at < to; at += BLOCK_BYTES) {
    target = kernel.compress(at, Math.min(at + BLOCK_BYTES, to), target) >>> 0;
  }
  return target;
}

/** The other kernel, with so much memory at least. */
function otherWith(byteCount: number): PageKernel {
  const kernel = other ?? newPageKernel();
  growTo(kernel, byteCount);
  // given up when a larger one was needed: memory of a kernel never shrinks
  other = byteCount > KEPT_BYTES_MAX ? null : kernel;
  return kernel;
}
