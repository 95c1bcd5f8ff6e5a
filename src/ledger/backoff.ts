/**
 * How long to wait before the next attempt: a random time below a bound that doubles, so that processes which failed
 * together do not come back together.
 * @module
 */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly firstMs: number,
    private readonly limitMs: number,
    private readonly random: () => number,
  ) {}

  next(): number {
    const boundMs = Math.min(this.limitMs, this.firstMs * 2 ** Math.min(this.failures++, 30));
    return this.random() * boundMs;
  }

  reset(): void {
    this.failures = 0;
  }
}
