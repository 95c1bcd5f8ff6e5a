/**
 * One request of a client's caller, from the moment it is made to the one moment it is settled.
 * @module
 */
import type { MsgpackWriter } from '../wire/msgpack-writer.js';
import type { Op } from '../wire/protocol.js';

/** Why no answer came. */
export type UnavailableCause = 'deadline' | 'disconnected' | 'queue_full' | 'busy' | 'closed' | 'answer';

export interface Call {
  readonly op: Op;
  readonly elementCount: 2 | 3 | 4;
  readonly expiresAtMs: number;
  readonly write: (out: MsgpackWriter) => void;
  readonly answered: (value: unknown) => void;
  readonly refused: (error: unknown) => void;
  readonly unavailable: () => void;
}

/** Calls on one timer: it strikes when the first may be due, and looks at all. */
export class Deadlines {
  private timer: NodeJS.Timeout | null = null;
  private strikesAtMs = Number.POSITIVE_INFINITY;

  /** @param strike Settles what is due; returns when the next is, or Infinity. */
  constructor(private readonly strike: (nowMs: number) => number) {}

  /** HOT. Sees to it that the timer strikes at `expiresAtMs` at the latest. */
  note(expiresAtMs: number, nowMs: number): void {
    if (expiresAtMs >= this.strikesAtMs) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.strikesAtMs = expiresAtMs;
    this.timer = setTimeout(() => this.struck(), Math.max(1, Math.ceil(expiresAtMs - nowMs)));
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.strikesAtMs = Number.POSITIVE_INFINITY;
  }

  private struck(): void {
    this.timer = null;
    this.strikesAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const nextAtMs = this.strike(nowMs);
    if (nextAtMs !== Number.POSITIVE_INFINITY) this.note(nextAtMs, nowMs);
  }
}
