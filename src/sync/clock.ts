/**
 * The two clocks a follower needs, and its timers, as one argument so that tests can bring their own.
 *
 * The monotonic clock measures ages and waits; the wall clock only tells other programs what time it is.
 * @module
 */

export interface Clock {
  /** Never goes back and never jumps; ms since some moment of this process. */
  monotonicMs(): number;
  /** Ms since 1970; may jump in either direction. */
  wallMs(): number;
  /** Calls back once, `delayMs` from now; returns what takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The clocks of the system. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when the signal is given. Never throws. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** Lets everything else that waits on this thread have its turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
