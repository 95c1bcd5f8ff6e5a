/**
 * What was decided when: counts of decisions by action and by reason, in intervals, for charts.
 *
 * In memory, of this process with all its threads, since its start: a ring of short intervals for the last hour and one of
 * minutes for the last day. Made from the counters that the metrics are made from, so it costs nothing when a decision is
 * made; what it says of an interval is what the threads had told by its end.
 * @module
 */
import type { Action } from '../../core/vocabulary.js';
import type { DoorCounts } from '../observe/door-counts.js';

/** Length of a short interval, and how many are kept: an hour. */
export const SHORT_MS = 10_000;
export const SHORT_COUNT = 360;
/** Short intervals in a long one, and how many of those are kept: a day. */
export const SHORT_PER_LONG = 6;
export const LONG_COUNT = 1440;
/** Reasons that an interval has by name; the rarer ones are counted as `other`. */
export const REASONS_MAX = 24;
const OTHER = 'other';

export interface DecisionInterval {
  /** Its end, wall clock, ms since 1970. */
  readonly atMs: number;
  readonly actions: Readonly<Record<Action, number>>;
  /** Those that had any. A decision counts once for each of its reasons. */
  readonly reasons: Readonly<Record<string, number>>;
}

type Totals = Omit<DecisionInterval, 'atMs'>;
const NOTHING: Totals = { actions: { allow: 0, restrict: 0, block: 0 }, reasons: {} };

export class DecisionHistory {
  readonly #short: DecisionInterval[] = [];
  readonly #long: DecisionInterval[] = [];
  /** Counters begin at nothing with the process, so what was decided before the first sample is in it. */
  #before: Totals = NOTHING;
  #sampleCount = 0;

  /** Notes what all threads have counted since the start; to be called every {@link SHORT_MS}. */
  sample(atMs: number, counts: Pick<DoorCounts, 'decisions' | 'reasons'>): void {
    const totals = totalsOf(counts);
    this.#short.push({ atMs, ...difference(totals, this.#before) });
    this.#before = totals;
    if (this.#short.length > SHORT_COUNT) this.#short.shift();
    this.#sampleCount++;
    if (this.#sampleCount % SHORT_PER_LONG !== 0) return;
    this.#long.push({ atMs, ...sum(this.#short.slice(-SHORT_PER_LONG)) });
    if (this.#long.length > LONG_COUNT) this.#long.shift();
  }

  get hour(): readonly DecisionInterval[] {
    return this.#short;
  }

  get day(): readonly DecisionInterval[] {
    return this.#long;
  }

  /** The last short interval; `null`: there is none yet. */
  get latest(): DecisionInterval | null {
    return this.#short.at(-1) ?? null;
  }
}

function totalsOf({ decisions, reasons }: Pick<DoorCounts, 'decisions' | 'reasons'>): Totals {
  const actions = { ...NOTHING.actions };
  for (const { action, operation, count } of decisions) if (operation !== 'lookup') actions[action] += count;
  return { actions, reasons };
}

function difference(now: Totals, before: Totals): Totals {
  const { allow, restrict, block } = now.actions;
  const actions = {
    allow: Math.max(0, allow - before.actions.allow),
    restrict: Math.max(0, restrict - before.actions.restrict),
    block: Math.max(0, block - before.actions.block),
  };
  const reasons = Object.entries(now.reasons).map(
    ([code, count]) => [code, count - (before.reasons[code] ?? 0)] as const,
  );
  return { actions, reasons: commonest(reasons.filter(([, count]) => count > 0)) };
}

function sum(intervals: readonly DecisionInterval[]): Totals {
  const actions = { ...NOTHING.actions };
  const reasons = new Map<string, number>();
  for (const one of intervals) {
    for (const action of ['allow', 'restrict', 'block'] as const) actions[action] += one.actions[action];
    for (const [code, count] of Object.entries(one.reasons)) reasons.set(code, (reasons.get(code) ?? 0) + count);
  }
  return { actions, reasons: commonest([...reasons]) };
}

function commonest(reasons: readonly (readonly [string, number])[]): Readonly<Record<string, number>> {
  if (reasons.length <= REASONS_MAX) return Object.fromEntries(reasons);
  const sorted = [...reasons].sort(([, a], [, b]) => b - a);
  const rest = sorted.slice(REASONS_MAX - 1).reduce((total, [, count]) => total + count, 0);
  return Object.fromEntries([...sorted.slice(0, REASONS_MAX - 1), [OTHER, rest]]);
}
