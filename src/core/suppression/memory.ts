/**
 * Memory that threads share.
 * @module
 */
import { GateError } from '../errors.js';

/** Zeroed shared memory; the system zeroes it page by page as it is touched. Throws a GateError `table.memory`. */
export function allocateShared(byteLength: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(byteLength);
  } catch (cause) {
    throw new GateError('table.memory', `${byteLength} bytes`, { cause });
  }
}
