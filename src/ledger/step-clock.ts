/**
 * Watches the server's clock beside a monotonic one, from step to step of the sequencer.
 *
 * The age of an entry that cannot be sequenced is what the server's clock says now, less what it said when the entry was
 * written. A clock that was put back in between makes the age too small, and the table of every enforcer look fresher than
 * it is. So entries from before that are, by the monotonic clock, at least as old as the one that waited longest then.
 * @module
 */

/** What a clock that only goes slower than the other may lose from one step to the next. */
const SLOW_MS_MAX = 50;

/** The server's clock at one moment. */
export interface ClockLook {
  readonly serverMs: number;
  /** It is behind what it said when the head was written. */
  readonly isBehindHead: boolean;
  /** Every entry that is there has a lower transaction id. */
  readonly nextXid: string;
}

/** Entries from before the clock was put back. */
export interface HeldRows {
  readonly belowXid: string;
  /** How long the oldest of them has been waiting, at least. */
  readonly waitedMs: number;
}

export class StepClock {
  private last: { readonly serverMs: number; readonly answeredMs: number; readonly waitingMs: number } | null = null;
  private held: { readonly belowXid: string; readonly sinceMs: number } | null = null;

  /** @param now Monotonic, in ms. */
  constructor(readonly now: () => number = () => performance.now()) {}

  /** The server has been asked at `askedMs`, and has just answered. */
  look({ serverMs, isBehindHead, nextXid }: ClockLook, askedMs: number): HeldRows | null {
    const { last, held } = this;
    const answeredMs = this.now();
    // between the last answer and this question no less can have gone by there than here
    const isBack = last === null ? isBehindHead : serverMs - last.serverMs < askedMs - last.answeredMs - SLOW_MS_MAX;
    if (isBack) {
      const sinceMs = last === null ? askedMs : last.answeredMs - last.waitingMs;
      this.held = { belowXid: nextXid, sinceMs: held?.sinceMs ?? sinceMs };
    }
    this.last = { serverMs, answeredMs, waitingMs: 0 };
    return this.held === null ? null : { belowXid: this.held.belowXid, waitedMs: answeredMs - this.held.sinceMs };
  }

  /** The step is done: what still waits, and whether that is from before the clock was put back. */
  done({ waitingMs, isHeld }: { readonly waitingMs: number; readonly isHeld: boolean }): void {
    if (this.last !== null) this.last = { ...this.last, waitingMs };
    if (!isHeld) this.held = null;
  }
}
