/**
 * Remembers the last canary: the synthetic opt-out by which a follower measures how long a real one takes.
 * @module
 */
import type { Follower } from '../../sync/index.js';

export interface CanaryState {
  /** Age of the last one that came; `null`: none has come since the start. */
  readonly ageMs: number | null;
  /** Canaries that came and were not in force afterwards: opt-outs do not work. */
  readonly notInForceCount: number;
}

export class CanaryWatch {
  #lastAtMs: number | null = null;
  #notInForceCount = 0;
  readonly #end: () => void;

  /** @param now Monotonic. */
  constructor(
    follower: Pick<Follower, 'on'>,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#end = follower.on('canary', ({ isInForce }) => {
      this.#lastAtMs = this.now();
      if (!isInForce) this.#notInForceCount++;
    });
  }

  state(): CanaryState {
    const ageMs = this.#lastAtMs === null ? null : this.now() - this.#lastAtMs;
    return { ageMs, notInForceCount: this.#notInForceCount };
  }

  close(): void {
    this.#end();
  }
}
