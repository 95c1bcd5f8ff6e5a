/**
 * How late a pushed message is, beside the others of the same sender.
 *
 * The sender puts its own monotonic clock on each. What a message took, plus the difference of the two clocks, is the
 * time of arrival less the sender's; the least of that over the last minutes stands for a message that took no time. So
 * what lay in a buffer while something in between hung is known to be old when it comes at last. The delay that all
 * messages have in common stays unknown.
 * @module
 */

/** The least is taken over one to two stretches of this length: two clocks drift apart by less than 200 ms an hour. */
const STRETCH_MS = 300_000;

export class Transit {
  private sender = '';
  private stretchStartMs = 0;
  private least = Number.POSITIVE_INFINITY;
  private leastBefore = Number.POSITIVE_INFINITY;

  /** By how many ms the message is later than the quickest. Times in ms, each on its own monotonic clock. */
  delayMs(sender: string, sentAtMs: number, arrivedAtMs: number): number {
    const isAnother = sender !== this.sender;
    if (isAnother || arrivedAtMs - this.stretchStartMs >= STRETCH_MS) {
      this.leastBefore = isAnother ? Number.POSITIVE_INFINITY : this.least;
      this.least = Number.POSITIVE_INFINITY;
      this.stretchStartMs = arrivedAtMs;
      this.sender = sender;
    }
    const apartMs = arrivedAtMs - sentAtMs;
    this.least = Math.min(this.least, apartMs);
    return apartMs - Math.min(this.least, this.leastBefore);
  }
}
