/**
 * Memory that threads share.
 * @module
 */
import { GateError } from '../errors.js';
import { type SharedMemory, sharedMemory } from '../wasm.js';

/** Zeroed shared memory; the system zeroes it page by page as it is touched. Throws a GateError `table.memory`. */
export function allocateShared(byteLength: number): SharedMemory {
  try {
    return sharedMemory(byteLength);
  } catch {
    // no WebAssembly here, or not the 8 GiB of addresses that it sets aside, such as under `ulimit -v`
    return allocatePlain(byteLength);
  }
}

/** @internal The same in memory that WebAssembly does not see. */
export function allocatePlain(byteLength: number): SharedMemory {
  try {
    return { buffer: new SharedArrayBuffer(byteLength) };
  } catch (cause) {
    throw new GateError('table.memory', `${byteLength} bytes`, { cause });
  }
}
