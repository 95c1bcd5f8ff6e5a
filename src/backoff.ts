/**
 * How long to wait before trying again: a random time below a bound that doubles with every failure ("full jitter"), so
 * that a fleet that lost its source at one moment does not come back at one moment.
 *
 * There is no last attempt. The first success starts anew.
 * @module
 */

export const BACKOFF_BASE_MS = 100;
export const BACKOFF_CAP_MS = 30_000;

export interface BackoffOptions {
  readonly baseMs?: number;
  readonly capMs?: number;
  /** From 0 up to, and without, 1. */
  readonly random?: () => number;
}

export class Backoff {
  private failures = 0;
  private readonly baseMs: number;
  private readonly capMs: number;
  private readonly random: () => number;

  constructor({ baseMs = BACKOFF_BASE_MS, capMs = BACKOFF_CAP_MS, random = Math.random }: BackoffOptions = {}) {
    if (!(baseMs > 0 && capMs >= baseMs)) throw new RangeError('expected 0 < baseMs <= capMs');
    this.baseMs = baseMs;
    this.capMs = capMs;
    this.random = random;
  }

  /** Failures in a row. */
  get failureCount(): number {
    return this.failures;
  }

  /** Counts a failure; returns how long to wait after it. */
  nextDelayMs(): number {
    const boundMs = Math.min(this.capMs, this.baseMs * 2 ** Math.min(this.failures, 52));
    this.failures++;
    return this.random() * boundMs;
  }

  /** It worked. */
  reset(): void {
    this.failures = 0;
  }
}
