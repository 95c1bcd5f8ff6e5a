/**
 * Memory that threads share.
 * @module
 */
import { GateError } from '../errors.js';
import { type SharedWasmMemory, sharedMemory } from '../wasm.js';

/** Zeroed shared memory; the system zeroes it page by page as it is touched. Throws a GateError `table.memory`. */
export function allocateShared(byteLength: number): SharedWasmMemory {
  try {
    return sharedMemory(byteLength);
  } catch (cause) {
    throw new GateError('table.memory', `${byteLength} bytes`, { cause });
  }
}
