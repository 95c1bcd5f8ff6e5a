/**
 * How some durations are spread, in memory that does not grow with their number: counts in buckets, each 2 % wider than the
 * one before. A quantile is the upper end of its bucket, so at most 2 % more than it is; mean and maximum are exact.
 * @module
 */

const RATIO = 1.02;
/** 300 years. */
const BUCKET_COUNT = 1500;

export interface SpreadSummary {
  readonly count: number;
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

export class Spread {
  readonly #counts = new Float64Array(BUCKET_COUNT);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  /** @param times How often. What is negative, as clocks differ, counts as 0. */
  add(durationMs: number, times = 1): void {
    const ms = Math.max(0, durationMs);
    const bucket = ms < 1 ? 0 : Math.min(BUCKET_COUNT - 1, 1 + Math.floor(Math.log(ms) / Math.log(RATIO)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
    this.#count += times;
    this.#sumMs += ms * times;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  summary(): SpreadSummary {
    const has = this.#count > 0;
    return {
      count: this.#count,
      meanMs: has ? this.#sumMs / this.#count : null,
      p50Ms: this.quantile(0.5),
      p90Ms: this.quantile(0.9),
      p99Ms: this.quantile(0.99),
      maxMs: has ? this.#maxMs : null,
    };
  }

  /** `null`: there is nothing. */
  quantile(q: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#maxMs, bucket === 0 ? 0 : RATIO ** bucket);
    }
    return this.#maxMs;
  }
}
