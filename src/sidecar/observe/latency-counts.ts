/**
 * Counts durations of requests into fixed buckets, 1 us to 1 s.
 *
 * As src/sync/histogram.ts, for a path where 10 ns count: typed arrays, one row per series, no allocation.
 * @module
 */

/** Upper bounds in ms, 1-2-5 a decade; what is above the last one is counted without a bound. */
export const REQUEST_BOUNDS_MS: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000,
];
const BOUNDS = Float64Array.from(REQUEST_BOUNDS_MS);
const BUCKET_COUNT = BOUNDS.length + 1;

/** What was counted in one series, as a plain copy. */
export interface LatencySeries {
  /** Per bucket, not cumulative; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

export class LatencyCounts {
  // doubles: 32-bit counts would run over within hours
  readonly #counts: Float64Array;
  readonly #sumsMs: Float64Array;

  constructor(readonly seriesCount: number) {
    this.#counts = new Float64Array(seriesCount * BUCKET_COUNT);
    this.#sumsMs = new Float64Array(seriesCount);
  }

  /** HOT. Counts one duration in a series; a negative one, which only a clock that jumped can give, counts as 0. */
  record(series: number, durationMs: number): void {
    const value = durationMs > 0 ? durationMs : 0;
    let bucket = 0;
    while (bucket < BOUNDS.length && value > BOUNDS[bucket]!) bucket++;
    this.#counts[series * BUCKET_COUNT + bucket]!++;
    this.#sumsMs[series]! += value;
  }

  series(series: number): LatencySeries {
    const start = series * BUCKET_COUNT;
    return { counts: [...this.#counts.subarray(start, start + BUCKET_COUNT)], sumMs: this.#sumsMs[series] ?? 0 };
  }
}
