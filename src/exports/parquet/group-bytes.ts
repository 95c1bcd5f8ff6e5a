/**
 * What a row group came to, in one piece of memory that can be handed to another thread, and used again: new memory for every
 * group counts as pressure to V8's garbage collector, which took a tenth of a run.
 * @module
 */

export class GroupBytes {
  #bytes: Uint8Array;
  length = 0;

  /** @param room Memory to be used if it is large enough. @param byteCount As many bytes as are expected. */
  constructor(room: ArrayBuffer | undefined, byteCount: number) {
    this.#bytes = new Uint8Array(
      room !== undefined && room.byteLength >= byteCount ? room : new ArrayBuffer(byteCount),
    );
  }

  get memory(): ArrayBuffer {
    return this.#bytes.buffer as ArrayBuffer;
  }

  add(part: Uint8Array): void {
    const length = this.length + part.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(length + (length >> 2));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.length);
    this.length = length;
  }

  /** Good until more is added. */
  between(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }
}
