/**
 * The report of a quarter: who receives data and what changed in that, what people asked for, how soon it was in force, what
 * was exported and to whom, which exemptions were used, and what was late.
 *
 * Everything is read from the ledger. What only traffic knows, such as exemptions used in bid requests, is in the
 * decision log.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { LedgerContext } from '../context.js';
import type { Session } from '../database.js';
import { CHANNELS, type Channel } from '../request.js';
import { type DeadlineList, dueRequests } from './deadline-list.js';
import { inventoryChanges, type RecordedChange, type UnlistedDestination, unlistedDestinations } from './inventory.js';
import { DEFAULT_TIME_ZONE, dayOf, startOfDay } from './local-days.js';
import { requestDeadlines, type TimedDeadline, type TimedRequest, timedRequestOf } from './request-deadline.js';
import { type Period, pagesOfRequests } from './request-pages.js';
import { Spread, type SpreadSummary } from './spread.js';

const REQUESTS_PER_PAGE = 1000;
/** Changes, destinations and late requests that a report lists of each; the counts say how many there are. */
export const QUARTER_LISTED_MAX = 1000;

export interface ChannelCounts {
  readonly optOuts: number;
  readonly optIns: number;
  readonly imports: number;
  /** In opt-outs and imports. */
  readonly identifiers: number;
}

/** Exports to one destination for one purpose under one set of terms. */
export interface ExportTotals {
  readonly destination: string;
  readonly purpose: string;
  /** An exemption let everybody pass; `reason` is its code. */
  readonly isExempt: boolean;
  readonly reason: string | null;
  readonly runs: number;
  readonly rowsIn: number;
  readonly rowsKept: number;
  readonly rowsBlanked: number;
  readonly rowsDropped: number;
}

export interface LateRequest {
  readonly requestId: string;
  readonly channel: Channel;
  readonly receivedAtMs: number;
  readonly dueAtMs: number;
  /** `null`: still not. */
  readonly compliedAtMs: number | null;
}

export interface QuarterReport extends Period {
  readonly quarter: string;
  readonly generatedAtMs: number;
  readonly channels: Readonly<Record<Channel, ChannelCounts>>;
  /** Of opt-outs and imports received in the quarter. */
  readonly outcomes: { readonly complied: number; readonly denied: number; readonly open: number };
  /** From the writing of the entry until every enforcer had said that it has it, by their acknowledgements. */
  readonly timeToEffect: SpreadSummary;
  /** The same from receipt. */
  readonly timeSinceReceipt: SpreadSummary;
  /** Synthetic opt-outs that were written, and the longest time without one; `null`: there were not two. */
  readonly canaries: { readonly count: number; readonly longestGapMs: number | null };
  readonly exports: readonly ExportTotals[];
  readonly inventory: { readonly changeCount: number; readonly changes: readonly RecordedChange[] };
  readonly unlisted: readonly UnlistedDestination[];
  /** Requests of the quarter that were late; and how everything stands now. */
  readonly late: { readonly count: number; readonly requests: readonly LateRequest[] };
  readonly now: DeadlineList;
}

/** `2026Q4`, as California counts it. Throws an InputError. */
export function periodOfQuarter(quarter: string): Period {
  const [, year, number] = /^(\d{4})-?Q([1-4])$/.exec(quarter) ?? [];
  if (year === undefined || number === undefined)
    throw new InputError('quarter', 'malformed', 'expected a quarter, such as 2026Q4');
  const month = 3 * Number(number) - 2;
  const next = month === 10 ? dayOf(Number(year) + 1, 1, 1) : dayOf(Number(year), month + 3, 1);
  return {
    sinceMs: startOfDay(dayOf(Number(year), month, 1), DEFAULT_TIME_ZONE),
    untilMs: startOfDay(next, DEFAULT_TIME_ZONE),
  };
}

/** See LedgerRecords.quarter. */
export async function quarterReport(context: LedgerContext, quarter: string): Promise<QuarterReport> {
  const period = periodOfQuarter(quarter);
  const { database } = context;
  const tally = new QuarterTally();
  for await (const rows of pagesOfRequests(database, period, REQUESTS_PER_PAGE)) {
    const requests = rows.map(timedRequestOf);
    const deadlines = await requestDeadlines(database, requests, context.now());
    for (const [index, request] of requests.entries()) {
      const [deadline, row] = [deadlines[index], rows[index]];
      if (deadline === undefined || row === undefined) continue;
      tally.add(String(row.public_id), Number(row.identifier_count), request, deadline);
    }
  }
  const { count: changeCount, changes } = await inventoryChanges(database, { ...period, limit: QUARTER_LISTED_MAX });
  return {
    quarter: quarter.replace('-', ''),
    ...period,
    generatedAtMs: context.now(),
    channels: tally.channels,
    outcomes: tally.outcomes,
    timeToEffect: tally.timeToEffect.summary(),
    timeSinceReceipt: tally.timeSinceReceipt.summary(),
    canaries: await canariesOf(database, period),
    exports: await exportTotals(database, period),
    inventory: { changeCount, changes },
    unlisted: await unlistedDestinations(database),
    late: { count: tally.lateCount, requests: tally.late },
    now: await dueRequests(context),
  };
}

class QuarterTally {
  readonly channels = Object.fromEntries(
    CHANNELS.map((channel) => [channel, { optOuts: 0, optIns: 0, imports: 0, identifiers: 0 }]),
  ) as Record<Channel, { -readonly [Name in keyof ChannelCounts]: ChannelCounts[Name] }>;
  readonly outcomes = { complied: 0, denied: 0, open: 0 };
  readonly timeToEffect = new Spread();
  readonly timeSinceReceipt = new Spread();
  readonly late: LateRequest[] = [];
  lateCount = 0;

  add(requestId: string, identifierCount: number, request: TimedRequest, deadline: TimedDeadline): void {
    const { nature, status, receivedAtMs } = request;
    const channel = request.channel as Channel;
    const counts = this.channels[channel];
    if (nature === 'opt_in') {
      counts.optIns++;
      return;
    }
    if (nature === 'import') counts.imports++;
    else counts.optOuts++;
    counts.identifiers += identifierCount;
    const { compliedAtMs, deadlineState, dueAtMs, compliance } = deadline;
    if (status === 'denied') this.outcomes.denied++;
    else if (compliedAtMs === null) this.outcomes.open++;
    else {
      this.outcomes.complied++;
      this.timeSinceReceipt.add(compliedAtMs - receivedAtMs);
      if (compliance.processedAtMs !== null) this.timeToEffect.add(compliedAtMs - compliance.processedAtMs);
    }
    if (deadlineState !== 'overdue' || dueAtMs === null) return;
    this.lateCount++;
    if (this.late.length < QUARTER_LISTED_MAX)
      this.late.push({ requestId, channel, receivedAtMs, dueAtMs, compliedAtMs });
  }
}

async function canariesOf(
  session: Session,
  { sinceMs, untilMs }: Period,
): Promise<{ readonly count: number; readonly longestGapMs: number | null }> {
  const [row] = await session.query(
    `select count(*)::float8 as count, round(extract(epoch from max(gap)) * 1000)::float8 as longest_ms
     from (select at - lag(at) over (order by id) as gap from optgate.change_log
       where is_canary and at >= to_timestamp($1::float8 / 1000) and at < to_timestamp($2::float8 / 1000)) as canary`,
    [sinceMs, untilMs],
  );
  const longest = row?.longest_ms ?? null;
  return { count: Number(row?.count ?? 0), longestGapMs: longest === null ? null : Number(longest) };
}

/** SQL: a number in the rows of a manifest; of a manifest that has none, 0. */
const rowsOf = (name: string) =>
  `sum(case when jsonb_typeof(manifest->'rows'->'${name}') = 'number' then (manifest->'rows'->>'${name}')::float8 else 0 end)`;

async function exportTotals(session: Session, { sinceMs, untilMs }: Period): Promise<readonly ExportTotals[]> {
  const rows = await session.query(
    `select destination, purpose, rights = 0 as is_exempt, manifest->'terms'->>'reason' as reason, count(*)::float8 as runs,
       ${rowsOf('in')} as rows_in, ${rowsOf('kept')} as rows_kept, ${rowsOf('blanked')} as rows_blanked,
       ${rowsOf('droppedSuppressed')} + ${rowsOf('droppedUnidentifiable')} + ${rowsOf('droppedUnreadable')} as rows_dropped
     from optgate.export_run
     where recorded_at is not null and finished_at >= to_timestamp($1::float8 / 1000)
       and finished_at < to_timestamp($2::float8 / 1000)
     group by 1, 2, 3, 4 order by 1, 2, 3, 4 limit ${QUARTER_LISTED_MAX}`,
    [sinceMs, untilMs],
  );
  return rows.map((row) => ({
    destination: String(row.destination),
    purpose: String(row.purpose),
    isExempt: row.is_exempt === true,
    reason: row.reason === null ? null : String(row.reason),
    runs: Number(row.runs),
    rowsIn: Number(row.rows_in),
    rowsKept: Number(row.rows_kept),
    rowsBlanked: Number(row.rows_blanked),
    rowsDropped: Number(row.rows_dropped),
  }));
}
