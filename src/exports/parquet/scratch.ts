/**
 * Memory for what is needed until a column, or a row group, is done: taken piece by piece, given back all at once.
 *
 * New memory for every page, and copies to it, cost about a fifth of the time of a run: the system clears it, and garbage collection follows.
 * What was taken holds whatever was there before, so that whoever takes it fills it, or keeps to what he filled.
 * @module
 */
import { SCRATCH_BYTES_MAX } from './limits.js';

/** Of whatever is made of the pieces, 64-bit integers included. */
const ALIGNMENT = 8;

export class Scratch {
  #memory = new Uint8Array(0);
  #taken = 0;

  bytes(byteCount: number): Uint8Array {
    const from = this.#taken;
    this.#taken += Math.ceil(byteCount / ALIGNMENT) * ALIGNMENT;
    if (this.#taken <= this.#memory.length) return this.#memory.subarray(from, from + byteCount);
    return new Uint8Array(Buffer.allocUnsafeSlow(byteCount).buffer);
  }

  integers(count: number): Int32Array {
    const { buffer, byteOffset } = this.bytes(4 * count);
    return new Int32Array(buffer, byteOffset, count);
  }

  /** Nobody uses what was taken any more. The next time, all of as much is there. */
  clear(): void {
    if (this.#taken > this.#memory.length && this.#memory.length < SCRATCH_BYTES_MAX) {
      this.#memory = new Uint8Array(Buffer.allocUnsafeSlow(Math.min(this.#taken, SCRATCH_BYTES_MAX)).buffer);
    }
    this.#taken = 0;
  }
}
