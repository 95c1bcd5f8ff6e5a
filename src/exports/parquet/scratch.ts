/**
 * Memory for what is needed until a column, or a row group, is done: taken piece by piece, given back all at once.
 *
 * It is that of a kernel, so that what stands in it is worked on where it is. What does not fit is memory of its own, which
 * the plain functions work on: slower, and to the same end.
 *
 * New memory for every page, and copies to it, cost about a fifth of the time of a run: the system clears it, and garbage collection follows.
 * What was taken holds whatever was there before, so that whoever takes it fills it, or keeps to what he filled.
 * @module
 */
import { SCRATCH_BYTES_MAX } from './limits.js';
import { growTo, newPageKernel, type PageKernel, PIECES_AT, SLACK_BYTES } from './page-kernel.js';

/** Of whatever is made of the pieces, 64-bit integers included. */
const ALIGNMENT = 16;

export class Scratch {
  readonly kernel: PageKernel = newPageKernel();
  #memory = new Uint8Array(this.kernel.memory.buffer);
  #taken = PIECES_AT;
  #takenMax = PIECES_AT;

  bytes(byteCount: number): Uint8Array {
    const from = this.#taken;
    this.#taken += Math.ceil((byteCount + SLACK_BYTES) / ALIGNMENT) * ALIGNMENT;
    if (this.#taken <= this.#memory.length) return this.#memory.subarray(from, from + byteCount);
    return new Uint8Array(Buffer.allocUnsafeSlow(byteCount).buffer);
  }

  integers(count: number): Int32Array {
    const { buffer, byteOffset } = this.bytes(4 * count);
    return new Int32Array(buffer, byteOffset, count);
  }

  /** Where something stands in the memory of the kernel; 0 where it does not. */
  addressOf({ buffer, byteOffset }: Uint8Array | Int32Array): number {
    return buffer === this.#memory.buffer ? byteOffset : 0;
  }

  /** How much is taken, for {@link release}. */
  get taken(): number {
    return this.#taken;
  }

  /** Nobody uses any more what was taken since. */
  release(taken: number): void {
    this.#takenMax = Math.max(this.#takenMax, this.#taken);
    this.#taken = taken;
  }

  /** Nobody uses what was taken any more. The next time, all of as much is there, and of `byteCount` at least. */
  clear(byteCount = 0): void {
    this.release(PIECES_AT);
    const wanted = Math.min(Math.max(this.#takenMax, PIECES_AT + byteCount), SCRATCH_BYTES_MAX);
    if (wanted <= this.#memory.length) return;
    growTo(this.kernel, wanted);
    this.#memory = new Uint8Array(this.kernel.memory.buffer);
  }
}
