/**
 * How often somebody may ask: a bucket of tokens for each, which fills again with time.
 * @module
 */

export interface RateLimits {
  /** What the bucket gets back in a second. */
  readonly perSecond: number;
  /** What a full bucket holds. */
  readonly burst: number;
  /** Buckets kept; of more, the one unused for longest is forgotten, and is full if it comes back. */
  readonly keysMax: number;
}

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();

  /** @param now Monotonic ms. */
  constructor(
    private readonly limits: RateLimits,
    private readonly now: () => number,
  ) {}

  get keyCount(): number {
    return this.buckets.size;
  }

  /** Takes one from the bucket of `key`. 0: it was there; else in how many ms there will be one. */
  take(key: string): number {
    const { perSecond, burst, keysMax } = this.limits;
    const atMs = this.now();
    const bucket = this.buckets.get(key);
    const left =
      bucket === undefined ? burst : Math.min(burst, bucket.left + ((atMs - bucket.atMs) * perSecond) / 1000);
    this.buckets.delete(key); // and to the end of the order
    this.buckets.set(key, { left: left >= 1 ? left - 1 : left, atMs });
    if (this.buckets.size > keysMax) this.buckets.delete(this.buckets.keys().next().value ?? '');
    return left >= 1 ? 0 : ((1 - left) * 1000) / perSecond;
  }
}
