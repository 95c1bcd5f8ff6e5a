/**
 * The memory that a scan works in, shared with its WebAssembly: the request, the tape, and what the scanner looks up.
 * Where there is no WebAssembly it is ordinary memory.
 * @module
 */
import { SLOT_COUNT } from './read-places.js';

/** Most bytes of a request that is scanned; a longer one is parsed. */
export const SCAN_BYTES_MAX = 256 * 1024;
/** Most values (containers, members' values, elements) of a request that is scanned. */
export const SCAN_VALUES_MAX = 8192;
/** Room for the request, and behind it for what is searched or written besides. */
export const SOURCE_BYTES: number = SCAN_BYTES_MAX + 64 * 1024;
/** Deepest nesting that is scanned. */
export const SCAN_DEPTH_MAX = 48;
/** Most members of one object; each is compared with the others. */
export const SCAN_MEMBERS_MAX = 64;

const PAGE_BYTES = 64 * 1024;
const PAGE_COUNT = 18;
/** Addresses are multiples of it. */
const ALIGNMENT = 16;

/** What the types of Node.js 20 leave out. */
interface WebAssemblyGlobal {
  readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** `undefined` in a process that was started without. */
const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyGlobal | undefined };

const memory = wasmMemory();
export const scanMemory: ArrayBuffer = memory?.buffer ?? new ArrayBuffer(PAGE_COUNT * PAGE_BYTES);
export const SCAN_PAGE_COUNT = PAGE_COUNT;

/** The request comes first, so that a position in it is an address. */
let allottedTo = SOURCE_BYTES;
export const ROW_BYTES = 32;
export const TAPE_AT: number = allot(ROW_BYTES * (SCAN_VALUES_MAX + 1));
export const SLOTS_AT: number = allot(2 * SLOT_COUNT);
/** Four integers for each value (cuts.ts). */
export const CUTS_AT: number = allot(4 * 4 * (SCAN_VALUES_MAX + 1));
/** Where each identifier that is searched for begins, and how much of it is compared (splice-sweep.ts). */
export const SWEPT_COUNT_MAX = 16;
export const SWEPT_AT: number = allot(2 * 4 * SWEPT_COUNT_MAX);
/** What is written, in whole chunks. */
export const JOINED_AT: number = allot(SOURCE_BYTES + ALIGNMENT);

/** Room for a table; its address. */
export function allot(byteCount: number): number {
  const at = Math.ceil(allottedTo / ALIGNMENT) * ALIGNMENT;
  allottedTo = at + byteCount;
  if (allottedTo > scanMemory.byteLength) throw new RangeError('expected the tables of the scanner to fit');
  return at;
}

/** Puts a table into the memory; its address. */
export function allotTable(table: Uint8Array | Uint16Array | Uint32Array | Int32Array): number {
  const { buffer, byteOffset, byteLength } = table;
  const at = allot(byteLength);
  new Uint8Array(scanMemory).set(new Uint8Array(buffer, byteOffset, byteLength), at);
  return at;
}

/** What a module that works in the memory exports; `null` where there is no WebAssembly, or none with SIMD. */
export function instantiated(moduleBytes: Uint8Array): unknown {
  if (WebAssembly === undefined || memory === null) return null;
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(moduleBytes), { memory: { it: memory } }).exports;
  } catch {
    return null;
  }
}

/** `null` also where the system has no addresses left. */
function wasmMemory(): { readonly buffer: ArrayBuffer } | null {
  if (WebAssembly === undefined) return null;
  try {
    return new WebAssembly.Memory({ initial: PAGE_COUNT, maximum: PAGE_COUNT });
  } catch {
    return null;
  }
}
