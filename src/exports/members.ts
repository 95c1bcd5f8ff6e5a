/**
 * The bytes of a compressed file for one engine after another: some stop at the end of a member, or frame, whatever follows.
 *
 * What must stay true: a byte that an engine has not taken is given to the next one, and none is given twice.
 * @module
 */

export class MemberSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  /** Asked for, and not there yet: also when the engine that asked is done. */
  #coming: Promise<IteratorResult<Uint8Array>> | null = null;
  /** Given to the engine in use, except for what it is known to have taken. */
  #given: Uint8Array[] = [];
  /** Bytes given before the first of these. */
  #takenBytes = 0;
  /** Which engine it is. */
  #turn = 0;
  /** What the input ended with. */
  error: unknown = null;

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#iterator = input[Symbol.asyncIterator]();
  }

  /** Pieces for an engine, what the one before has left first. @param bytesTaken How many bytes it has taken so far. */
  async *pieces(bytesTaken: () => number): AsyncGenerator<Uint8Array> {
    const turn = ++this.#turn;
    const again = this.#given;
    this.#given = [...again]; // all at once: an engine that stops early leaves what it was not given, too
    this.#takenBytes = 0;
    yield* again;
    for (;;) {
      this.#coming ??= this.#iterator.next();
      const { done, value } = await this.#coming.catch((error: unknown) => {
        this.error = error;
        throw error;
      });
      if (turn !== this.#turn) return; // it belongs to the next engine
      if (done === true) return;
      this.#coming = null;
      this.#forget(bytesTaken());
      this.#given.push(value);
      yield value;
    }
  }

  /** The engine has taken so many bytes and is done. @returns Whether there are more. */
  async hasMore(bytesTaken: number): Promise<boolean> {
    this.#turn++;
    this.#forget(bytesTaken);
    const [first, ...rest] = this.#given;
    if (first === undefined) {
      this.#coming ??= this.#iterator.next();
      return (await this.#coming).done !== true;
    }
    this.#given = [first.subarray(bytesTaken - this.#takenBytes), ...rest];
    return true;
  }

  /** Lets go of the input. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** Drops pieces that were taken whole. */
  #forget(bytesTaken: number): void {
    for (let first = this.#given[0]; first !== undefined; first = this.#given[0]) {
      if (this.#takenBytes + first.length > bytesTaken) return;
      this.#takenBytes += first.length;
      this.#given.shift();
    }
  }
}
