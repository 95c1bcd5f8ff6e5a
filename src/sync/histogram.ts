/**
 * Counts durations into fixed buckets: no memory per observation, quantiles good to the width of a bucket.
 *
 * Bounds are those a Prometheus histogram of the same data would use, so that one can be made from the other.
 * @module
 */

/** Upper bounds in ms; what is above the last one is counted without a bound. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000,
];

export interface HistogramState {
  readonly boundsMs: readonly number[];
  /** Observations per bucket; one more than there are bounds. Not cumulative. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumMs: number;
}

export class Histogram {
  private readonly counts: number[];
  private observed = 0;
  private totalMs = 0;

  /** @param boundsMs Ascending upper bounds. */
  constructor(private readonly boundsMs: readonly number[] = LATENCY_BOUNDS_MS) {
    const isAscending = boundsMs.every((bound, index) => index === 0 || bound > (boundsMs[index - 1] ?? 0));
    if (boundsMs.length === 0 || !isAscending) throw new RangeError('expected ascending bounds');
    this.counts = new Array<number>(boundsMs.length + 1).fill(0);
  }

  get count(): number {
    return this.observed;
  }

  get sumMs(): number {
    return this.totalMs;
  }

  /** Counts one duration; a negative one, which only a clock that jumped can give, counts as 0. */
  record(durationMs: number): void {
    const value = Math.max(0, durationMs);
    const found = this.boundsMs.findIndex((bound) => value <= bound);
    const bucket = found === -1 ? this.boundsMs.length : found;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.observed++;
    this.totalMs += value;
  }

  /**
   * An upper bound of the `q` quantile: the bound of the bucket it lies in; Infinity above the last bound, `null` if
   * nothing was recorded.
   */
  quantile(q: number): number | null {
    if (!(q >= 0 && q <= 1)) throw new RangeError('expected a quantile from 0 to 1');
    if (this.observed === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.observed));
    let below = 0;
    for (const [bucket, count] of this.counts.entries()) {
      below += count;
      if (below >= rank) return this.boundsMs[bucket] ?? Number.POSITIVE_INFINITY;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Everything, as a copy. */
  state(): HistogramState {
    return { boundsMs: this.boundsMs, counts: [...this.counts], count: this.observed, sumMs: this.totalMs };
  }
}
