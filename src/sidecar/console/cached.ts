/**
 * A value that is costly to get: given out again for a while, asked for once by however many want it at the same time.
 *
 * An old value is given out at once while a new one is fetched, so that nobody waits but the first.
 * @module
 */
export class Cached<T> {
  #value: { readonly value: T; readonly atMs: number } | null = null;
  #fetching: Promise<T> | null = null;

  /** @param now Monotonic ms. */
  constructor(
    private readonly fetch: () => Promise<T>,
    private readonly freshMs: number,
    private readonly now: () => number,
  ) {}

  /** Throws what fetching throws where there is no value yet. */
  get(): Promise<T> {
    const kept = this.#value;
    if (kept !== null && this.now() - kept.atMs < this.freshMs) return Promise.resolve(kept.value);
    this.#fetching ??= this.#renew();
    if (kept === null) return this.#fetching;
    this.#fetching.catch(() => {}); // the old one is given out, and the next to ask tries again
    return Promise.resolve(kept.value);
  }

  async #renew(): Promise<T> {
    try {
      const value = await this.fetch();
      this.#value = { value, atMs: this.now() };
      return value;
    } finally {
      this.#fetching = null;
    }
  }
}
