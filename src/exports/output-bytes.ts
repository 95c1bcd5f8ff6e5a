/**
 * What leaves of one block, in one buffer: a write for every run of rows was 2.5 times slower.
 * @module
 */

export class OutputBytes {
  #buffer: Uint8Array = new Uint8Array(0);
  /** Of what is there. Whoever writes to the caller's memory by other means says so here. */
  length = 0;

  /** Begins anew, in memory of the caller's for as long as that has room. */
  begin(room: Uint8Array): void {
    this.#buffer = room;
    this.length = 0;
  }

  /** HOT. */
  write(bytes: Uint8Array, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(bytes.subarray(from, to), this.length);
    this.length = length;
  }

  /** All of it: the caller's from now on. */
  take(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length)); // unpooled: it is handed to other threads
    larger.set(this.#buffer.subarray(0, this.length));
    this.#buffer = larger;
  }
}
