/**
 * Those who wait for something to come, each for as long as it likes.
 * @module
 */
import type { Clock } from './clock.js';

export class Waiters {
  private readonly ends = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** Resolves when all are woken, after `waitMs`, or when the signal is given. Never throws. */
  wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.ends.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.clock.after(waitMs, end);
      this.ends.add(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  wake(): void {
    for (const end of [...this.ends]) end();
  }
}
