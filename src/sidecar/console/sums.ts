/**
 * Sums over the ledger for charts, each asked for once in a while however many look at it.
 *
 * Days that are over are summed up more rarely than today: on a large ledger that is where the work is.
 * @module
 */
import type { Ledger, OptOutCount } from '../../ledger/index.js';
import { timeOf } from '../control-plane/index.js';
import { Cached } from './cached.js';
import type { ConsoleLimits } from './limits.js';

const DAY_MS = 86_400_000;
/** Days of the chart of opt-outs. */
const DAYS = 30;
/** The chart of times to effect: a day, in quarters of an hour. */
const EFFECT_MS = DAY_MS;
const EFFECT_EVERY_MS = 15 * 60_000;

export class Sums {
  readonly #today: Cached<readonly OptOutCount[]>;
  readonly #past: Cached<readonly OptOutCount[]>;
  readonly #effect: Cached<object>;

  /** @param wallClock ms since 1970. @param now Monotonic ms. */
  constructor(
    ledger: () => Ledger,
    private readonly limits: ConsoleLimits,
    private readonly wallClock: () => number,
    now: () => number,
  ) {
    const counts = (from: number, until: number) => ledger().oversight.optOutCounts(from, until);
    this.#today = new Cached(() => counts(this.#todayMs(), this.#todayMs() + DAY_MS), this.limits.sumsMs, now);
    this.#past = new Cached(
      () => counts(this.#todayMs() - (DAYS - 1) * DAY_MS, this.#todayMs()),
      this.limits.pastSumsMs,
      now,
    );
    this.#effect = new Cached(
      async () => {
        const until = Math.ceil(this.wallClock() / EFFECT_EVERY_MS) * EFFECT_EVERY_MS;
        const intervals = await ledger().oversight.effectTimes(until - EFFECT_MS, until, EFFECT_EVERY_MS);
        return { since: timeOf(until - EFFECT_MS), until: timeOf(until), everyMs: EFFECT_EVERY_MS, intervals };
      },
      this.limits.sumsMs,
      now,
    );
  }

  /** By day and channel; every day of the time is there. */
  async optOuts(): Promise<object> {
    const days = Array.from({ length: DAYS }, (_, index) =>
      timeOf(this.#todayMs() - (DAYS - 1 - index) * DAY_MS).slice(0, 10),
    );
    const counts = (await Promise.all([this.#past.get(), this.#today.get()])).flat();
    const byChannel = new Map<string, number[]>();
    for (const { day, channel, count } of counts) {
      const at = days.indexOf(day);
      const row = byChannel.get(channel) ?? days.map(() => 0);
      byChannel.set(channel, row);
      if (at >= 0) row[at] = (row[at] ?? 0) + count;
    }
    return { days, channels: [...byChannel].map(([channel, row]) => ({ channel, counts: row })) };
  }

  effect(): Promise<object> {
    return this.#effect.get();
  }

  #todayMs(): number {
    return Math.floor(this.wallClock() / DAY_MS) * DAY_MS;
  }
}
