/**
 * A clock that goes only when it is told to, and waits of tests on real things.
 * @module
 */
import type { Clock } from '../../src/sync/clock.js';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  private nowMs = 1000;
  private wallOffsetMs = 1_750_000_000_000;
  private timers: Timer[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs + this.wallOffsetMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** The wall clock alone jumps. */
  jumpWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** Time goes by, timer by timer, and everything they set off gets its turn in between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.nowMs + byMs;
    await settle();
    for (;;) {
      const due = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((other) => other !== due);
      this.nowMs = Math.max(this.nowMs, due.atMs);
      due.callback();
      await settle();
    }
    this.nowMs = untilMs;
    await settle();
  }
}

/** Everything that waits on this thread and on no clock gets its turn. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits, in real time, until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, deadlineMs = 15_000): Promise<void> {
  const startMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startMs > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
