/**
 * Bytes that come in pieces, kept in one buffer that grows: a stranger who sends a byte at a time must not make us keep
 * an object for each.
 * @module
 */

const FIRST_BYTES = 4096;
const NONE = Buffer.alloc(0);

export class GrowingBytes {
  #bytes: Buffer = NONE;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What is kept in memory for it. */
  get capacity(): number {
    return this.#bytes.length;
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** All of it, as a view that is the caller's own; begins anew. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#bytes = NONE;
    this.#length = 0;
  }
}
