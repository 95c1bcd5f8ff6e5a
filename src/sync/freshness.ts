/**
 * How old the table is: since when it may lack something.
 *
 * "Complete as of t" means that the table holds everything that was committed up to t. It is learned from a head (the
 * ledger's content was `lagMs` old when it was asked) and holds once the head's seq has been applied, not before. All on
 * the monotonic clock; the wall clock only enters where the age is told to others.
 * @module
 */

export class Freshness {
  /** Monotonic ms at which the table was complete; `null`: nobody said. */
  private completeAtMs: number | null = null;
  /** What will hold once `seq` has been applied. */
  private promise: { readonly seq: number; readonly atMs: number } | null = null;
  private isHalted = false;
  /** Since when the source is to tell the age, which it has not told yet; `null`: it is not. */
  private awaitedSinceMs: number | null = null;

  /**
   * Starts anew, from what is known of the content of a table.
   * @param awaitedSinceMs Given if the source tells the age later: since when that is waited for.
   */
  reset(completeAtMs: number | null, awaitedSinceMs: number | null = null): void {
    this.completeAtMs = completeAtMs;
    this.awaitedSinceMs = awaitedSinceMs;
    this.promise = null;
    this.isHalted = false;
  }

  /**
   * The ledger said that up to `seq` it was all there was at `atMs`. Only one promise is kept, the oldest: a follower that
   * has much to catch up with fulfils it first, then the next.
   */
  promised(seq: number, atMs: number, appliedSeq: number): void {
    if (seq <= appliedSeq) this.complete(atMs);
    else this.promise ??= { seq, atMs };
  }

  /** Everything up to `seq` has been applied. */
  applied(seq: number): void {
    if (this.promise === null || this.promise.seq > seq) return;
    this.complete(this.promise.atMs);
    this.promise = null;
  }

  /** The table is known to be wrong, so nothing makes it fresh again until it is replaced. */
  halt(): void {
    this.isHalted = true;
  }

  /** Age of the content; `null`: not known. */
  ageMs(monotonicMs: number): number | null {
    return this.completeAtMs === null ? null : Math.max(0, monotonicMs - this.completeAtMs);
  }

  /** The source is to tell the age, and has had less than `waitMs` for it. */
  isAwaited(monotonicMs: number, waitMs: number): boolean {
    return this.awaitedSinceMs !== null && monotonicMs - this.awaitedSinceMs < waitMs;
  }

  private complete(atMs: number): void {
    if (this.isHalted || (this.completeAtMs !== null && atMs <= this.completeAtMs)) return;
    this.completeAtMs = atMs;
    this.awaitedSinceMs = null;
  }
}

/** How far a time may lie ahead of this clock and still be believed. */
const AHEAD_MS_MAX = 5000;

/**
 * The age of what another run, or another machine, said was fresh at a wall time. A time ahead of this clock says that one of
 * the two clocks was wrong, so the content may be as old as can be.
 */
export function ageOfWallMs(freshAtMs: number | null, wallMs: number): number | null {
  if (freshAtMs === null) return null;
  return freshAtMs > wallMs + AHEAD_MS_MAX ? Number.POSITIVE_INFINITY : Math.max(0, wallMs - freshAtMs);
}

/** The age as a wall time, as a table carries it: rounded to the older side, and never 0, which would say "not known". */
export function freshAtWallMs(ageMs: number | null, wallMs: number): number | null {
  return ageMs === null ? null : Math.max(1, Math.floor(wallMs - ageMs));
}
