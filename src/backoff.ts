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
  readonly baseMs: number;
  readonly capMs: number;
  readonly random: () => number;

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
    return fullJitterMs(this.failures++, this);
  }

  /** It worked. */
  reset(): void {
    this.failures = 0;
  }
}

/** How long to wait after a failure before which there were so many in a row: for whoever keeps that count elsewhere. */
export function fullJitterMs(failureCount: number, { baseMs, capMs, random }: Required<BackoffOptions>): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(failureCount, 52));
}
