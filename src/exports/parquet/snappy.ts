/**
 * Snappy's raw format (google/snappy, format_description.txt), which most Parquet files are compressed with. In WebAssembly:
 * it decompresses the pages of `bench/exports.mjs` in a fourth of the time of JavaScript (`test/reference/snappy.ts`), and
 * compresses ids in a sixteenth.
 *
 *     0         which positions of a block had which hash last, 16 bits each
 *     32768     the input
 *     then      the output
 *
 * What must stay true: every length and every distance is checked before anything is copied. Copies go in steps of sixteen
 * bytes, which may go beyond both ends, by less than {@link SLACK_BYTES}, into memory that nothing is in.
 * @module
 */
import { compiled, instanceOf, WASM_PAGE_BYTES, type WasmMemory } from '../../core/wasm.js';
import { damaged } from './parquet-error.js';
import type { Scratch } from './scratch.js';
import { compressFunctions, TABLE_BYTES } from './snappy-compress.js';
import { decompressFunction } from './snappy-decompress.js';

const BLOCK_BYTES = 65_536;
const SLACK_BYTES = 32;
/** Three bytes stand for 64 at most: whatever claims to be larger needs no memory to be refused. */
const EXPANSION_MAX = 22;
/** An instance with more memory than this is given up after use. */
const KEPT_BYTES_MAX = 256 * 1024 * 1024;

interface Exports {
  readonly memory: WasmMemory;
  /** Answers where the output ended; -1 where the input is damaged. */
  decompress(from: number, to: number, out: number, outEnd: number): number;
  /** Of a block; answers where the output ended. */
  compress(from: number, to: number, out: number): number;
}

let ofThread: Exports | null = null;

/** Decompresses to `rawBytes` bytes, in memory of `scratch`. @throws {ParquetError} `parquet.damaged`. */
export function snappyDecompress(bytes: Uint8Array, rawBytes: number, scratch: Scratch): Uint8Array {
  const [declared, start] = readLength(bytes);
  if (declared !== rawBytes || rawBytes > EXPANSION_MAX * bytes.length) throw damaged('a compressed page');
  const from = TABLE_BYTES;
  const to = from + bytes.length;
  const out = to + SLACK_BYTES;
  const wasm = withRoom(out + rawBytes + SLACK_BYTES);
  const memory = new Uint8Array(wasm.memory.buffer);
  memory.set(bytes, from);
  if (wasm.decompress(from + start, to, out, out + rawBytes) !== out + rawBytes) throw damaged('a compressed page');
  return taken(memory, out, out + rawBytes, scratch);
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

/** Compresses a page, of which the parts are given; in memory of `scratch`. */
export function snappyCompress(parts: readonly Uint8Array[], scratch: Scratch): Uint8Array {
  const rawBytes = parts.reduce((sum, { length }) => sum + length, 0);
  const from = TABLE_BYTES;
  const to = from + rawBytes;
  const out = to + SLACK_BYTES;
  const wasm = withRoom(out + 32 + rawBytes + Math.ceil(rawBytes / 6) + SLACK_BYTES);
  const memory = new Uint8Array(wasm.memory.buffer);
  let partFrom = from;
  for (const part of parts) {
    memory.set(part, partFrom);
    partFrom += part.length;
  }
  let target = out;
  for (let rest = rawBytes; ; rest = Math.floor(rest / 128)) {
    memory[target++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    if (rest <= 0x7f) break;
  }
  for (let at = from; at < to; at += BLOCK_BYTES) target = wasm.compress(at, Math.min(at + BLOCK_BYTES, to), target);
  return taken(memory, out, target, scratch);
}

/** The instance of this thread, with so much memory at least. */
function withRoom(byteCount: number): Exports {
  ofThread ??= instanceOf<Exports>(compiled([...compressFunctions(), decompressFunction()]));
  const missing = byteCount - ofThread.memory.buffer.byteLength;
  if (missing > 0) ofThread.memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
  return ofThread;
}

function taken(memory: Uint8Array, from: number, to: number, scratch: Scratch): Uint8Array {
  const own = scratch.bytes(to - from);
  own.set(memory.subarray(from, to));
  if (memory.length > KEPT_BYTES_MAX) ofThread = null;
  return own;
}
