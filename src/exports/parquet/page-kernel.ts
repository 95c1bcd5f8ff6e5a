/**
 * What is done to whole pages, in WebAssembly: Snappy, values that are kept, indexes. One module of a process, compiled once, and so made
 * fast once for all threads: in TypeScript, which each has to make fast by itself, two threads took 1.4 s more of CPU than one
 * over 5 M rows, and 0.5 s like this.
 *
 *     0          which positions of a block had which hash last (snappy-compress.ts)
 *     32768      pieces of scratch.ts, with {@link SLACK_BYTES} behind each
 *
 * What must stay true: lengths and distances that stand in a page are checked before anything is read or written by them.
 * @module
 */
import {
  compiled,
  instanceOf,
  WASM_PAGE_BYTES,
  type WasmFunction,
  type WasmMemory,
  type WasmModule,
} from '../../core/wasm.js';
import { indexFunctions } from './index-runs.js';
import { keepFunctions } from './keep-values.js';
import { compressFunctions, TABLE_BYTES } from './snappy-compress.js';
import { decompressFunction } from './snappy-decompress.js';

/** Bytes that steps of copying may go beyond an end, less one. */
export const SLACK_BYTES = 64;

export interface PageKernel {
  readonly memory: WasmMemory;
  /** Answers where the output ended; -1 where the input is damaged. */
  decompress(from: number, to: number, out: number, outEnd: number): number;
  /** Of a block; answers where the output ended. */
  compress(from: number, to: number, out: number): number;
  keepWords(at: number, count: number, mask: number, out: number): number;
  keepLongs(at: number, count: number, mask: number, out: number): number;
  keepWide(at: number, count: number, mask: number, out: number, width: number): number;
  keepTexts(at: number, end: number, count: number, mask: number, out: number): number;
  keepSpans(base: number, starts: number, ends: number, count: number, mask: number, out: number): number;
  spans(at: number, end: number, count: number, base: number, starts: number, ends: number): number;
  countKept(mask: number, count: number): number;
  readIndexes(at: number, end: number, width: number, count: number, out: number): number;
  keepIndexes(indexes: number, count: number, mask: number, isUsed: number, valueCount: number): number;
  renumber(indexes: number, count: number, newIndexes: number): number;
  writeIndexes(indexes: number, end: number, width: number, out: number): number;
}

let ofProcess: WasmModule | null = null;

export function pageModule(): WasmModule {
  ofProcess ??= compiled(functions());
  return ofProcess;
}

function functions(): readonly WasmFunction[] {
  const first = [...compressFunctions(), decompressFunction(), ...keepFunctions()];
  return [...first, ...indexFunctions(first.length)];
}

/** Uses the module that another thread has compiled. */
export function usePageModule(module: WasmModule): void {
  ofProcess = module;
}

/** With memory of its own: the system sets aside much address space for each. */
export const newPageKernel = (): PageKernel => instanceOf<PageKernel>(pageModule());

/** Where the memory begins that pieces may be in. */
export const PIECES_AT = TABLE_BYTES;

/** Makes sure that there are so many bytes of memory. Views of it are of no use afterwards. */
export function growTo({ memory }: PageKernel, byteCount: number): void {
  const missing = byteCount - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
}
