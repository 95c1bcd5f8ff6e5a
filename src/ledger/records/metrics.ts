/**
 * What a large business has to publish each year (11 CCR 7102(a)): for each right how many requests came, were complied with
 * in whole or in part, and denied, and in how many days.
 *
 * Every row of an import is a request. Which rights a row named is not kept with it, so an import counts for every right;
 * how many of the received are such is said beside.
 * @module
 */
import { RIGHTS, type Right, rightsOfMask } from '../../core/vocabulary.js';
import type { LedgerContext } from '../context.js';
import { DEFAULT_TIME_ZONE, dayOf, startOfDay } from './local-days.js';
import { type Cell, type Column, momentText } from './report-text.js';
import { requestDeadlines, type TimedDeadline, type TimedRequest, timedRequestOf } from './request-deadline.js';
import { type Period, pagesOfRequests } from './request-pages.js';
import { Spread } from './spread.js';

const REQUESTS_PER_PAGE = 1000;
const DAY_MS = 86_400_000;

/** Of one right in one year. */
export interface RightMetrics {
  readonly right: Right;
  readonly received: number;
  /** Of those received, rows of imports. */
  readonly imported: number;
  /** In force everywhere. */
  readonly compliedInWhole: number;
  /** Requests of which a part was refused: of an import, rows that name nobody. Counted in requests, not rows. */
  readonly compliedInPart: number;
  readonly denied: number;
  /** Neither yet. */
  readonly open: number;
  /** From receipt until it was in force everywhere, or denied; `null`: there is none. Median to 2 %. */
  readonly medianDays: number | null;
  readonly meanDays: number | null;
}

export interface YearMetrics extends Period {
  readonly year: number;
  readonly generatedAtMs: number;
  readonly rights: readonly RightMetrics[];
}

/** A year as California counts it. */
export function periodOfYear(year: number): Period {
  return {
    sinceMs: startOfDay(dayOf(year, 1, 1), DEFAULT_TIME_ZONE),
    untilMs: startOfDay(dayOf(year + 1, 1, 1), DEFAULT_TIME_ZONE),
  };
}

/** See LedgerRecords.metrics. */
export async function yearMetrics(context: LedgerContext, year: number): Promise<YearMetrics> {
  const period = periodOfYear(year);
  const tallies = new Map(RIGHTS.map((right) => [right, new Tally(right)]));
  for await (const rows of pagesOfRequests(context.database, period, REQUESTS_PER_PAGE)) {
    const requests = rows.map(timedRequestOf);
    const deadlines = await requestDeadlines(context.database, requests, context.now());
    for (const [index, request] of requests.entries()) {
      const [deadline, row] = [deadlines[index], rows[index]];
      if (deadline === undefined || row === undefined || request.nature === 'opt_in') continue;
      const counts = { identifiers: Number(row.identifier_count), refused: Number(row.refused_count) };
      for (const right of rightsOfMask(request.rights)) tallies.get(right)?.add(request, deadline, counts);
    }
  }
  return {
    year,
    ...period,
    generatedAtMs: context.now(),
    rights: Array.from(tallies.values(), (tally) => tally.metrics()),
  };
}

class Tally {
  readonly #days = new Spread();
  readonly #counts = { received: 0, imported: 0, compliedInWhole: 0, compliedInPart: 0, denied: 0, open: 0 };

  constructor(private readonly right: Right) {}

  add(
    { nature, status, receivedAtMs, respondedAtMs }: TimedRequest,
    { compliedAtMs }: TimedDeadline,
    { identifiers, refused }: { readonly identifiers: number; readonly refused: number },
  ): void {
    const counts = this.#counts;
    const weight = nature === 'import' ? identifiers : 1;
    counts.received += weight;
    if (nature === 'import') counts.imported += weight;
    const settledAtMs = status === 'denied' ? respondedAtMs : compliedAtMs;
    if (settledAtMs === null) {
      counts.open += weight;
      return;
    }
    if (status === 'denied') counts.denied += weight;
    else {
      counts.compliedInWhole += weight;
      if (refused > 0) counts.compliedInPart++;
    }
    this.#days.add(settledAtMs - receivedAtMs, weight);
  }

  metrics(): RightMetrics {
    const { p50Ms, meanMs } = this.#days.summary();
    return { right: this.right, ...this.#counts, medianDays: daysOf(p50Ms), meanDays: daysOf(meanMs) };
  }
}

/** To two places. */
function daysOf(ms: number | null): number | null {
  return ms === null ? null : Math.round((ms / DAY_MS) * 100) / 100;
}

/** The columns of {@link RightMetrics}, for a table. */
export const METRIC_COLUMNS: readonly Column<RightMetrics & { readonly year: number }>[] = [
  ['year', (one) => one.year],
  ['right', (one) => one.right],
  ['received', (one) => one.received],
  ['received_in_lists', (one) => one.imported],
  ['complied_in_whole', (one) => one.compliedInWhole],
  ['complied_in_part', (one) => one.compliedInPart],
  ['denied', (one) => one.denied],
  ['open', (one) => one.open],
  ['median_days', (one): Cell => one.medianDays],
  ['mean_days', (one): Cell => one.meanDays],
];

/** As JSON shows them. */
export function metricsJson({ year, sinceMs, untilMs, generatedAtMs, rights }: YearMetrics): object {
  const times = { since: momentText(sinceMs), until: momentText(untilMs), generatedAt: momentText(generatedAtMs) };
  return { year, ...times, rights };
}
