/**
 * Retention: who asked is kept for 24 months after the answer (11 CCR 7101(a)), and no longer than the operator says.
 *
 * Requests are erased some at a time, each lot with its entry in the trail; a run that breaks off goes on the next time.
 * Salts of look-ups go by their age, for no request is behind them.
 * @module
 */
import { InputError } from '../core/errors.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { eraseList, eraseRows } from './erasure.js';

/** Months that records are kept at least. */
export const RETENTION_MONTHS_MIN = 24;
export const RETENTION_MONTHS_MAX = 1200;
/** Requests that are erased in one transaction. */
const REQUESTS_PER_STEP = 200;

export interface RetentionOptions {
  /** Default, and least: 24. */
  readonly months?: number;
  /** Only counts. */
  readonly isDryRun?: boolean;
}

export interface RetentionReport {
  /** Requests that were answered before this moment are erased. */
  readonly beforeMs: number;
  readonly requestCount: number;
  readonly identifierCount: number;
  /** Look-ups whose salts are gone. */
  readonly lookUpCount: number;
  readonly isDryRun: boolean;
}

/** See Ledger.retention. */
export async function runRetention(
  context: LedgerContext,
  { months = RETENTION_MONTHS_MIN, isDryRun = false }: RetentionOptions,
): Promise<RetentionReport> {
  if (!Number.isInteger(months) || months < RETENTION_MONTHS_MIN || months > RETENTION_MONTHS_MAX) {
    const message = `expected ${RETENTION_MONTHS_MIN} to ${RETENTION_MONTHS_MAX} months`;
    throw new InputError('months', 'out_of_range', message);
  }
  const beforeMs = monthsBefore(context.now(), months);
  if (isDryRun) return { ...(await countDue(context.database, beforeMs)), beforeMs, isDryRun };
  const totals = { requestCount: 0, identifierCount: 0 };
  for (;;) {
    const lot = await nextLot(context.database, beforeMs);
    if (lot.length === 0) break;
    await eraseLot(context, lot, beforeMs);
    totals.requestCount += lot.length;
    for (const row of lot) totals.identifierCount += Number(row.identifier_count);
  }
  const lookUpCount = await finishRun(context, { ...totals, months, beforeMs });
  return { ...totals, lookUpCount, beforeMs, isDryRun };
}

/** The moment so many months before; where that month has no such day, its last one: never a day too late. */
export function monthsBefore(nowMs: number, months: number): number {
  const date = new Date(nowMs);
  const day = date.getUTCDate();
  date.setUTCMonth(date.getUTCMonth() - months);
  if (date.getUTCDate() !== day) date.setUTCDate(0);
  return date.getTime();
}

/** An opt-in that was never confirmed counts from the end of its time. */
const IS_DUE = `erased_at is null and status <> 'in_progress'
  and case when status = 'pending' then confirm_by else responded_at end < to_timestamp($1::float8 / 1000)`;

async function countDue(session: Session, beforeMs: number) {
  const [row] = await session.query(
    `select count(*)::float8 as requests, coalesce(sum(identifier_count), 0)::float8 as identifiers,
       (select count(*)::float8 from optgate.audit_salt
        where request_id is null and at < to_timestamp($1::float8 / 1000)) as look_ups
     from optgate.request where ${IS_DUE}`,
    [beforeMs],
  );
  return {
    requestCount: Number(row?.requests),
    identifierCount: Number(row?.identifiers),
    lookUpCount: Number(row?.look_ups),
  };
}

/** One list alone, or requests of single people. */
async function nextLot(session: Session, beforeMs: number): Promise<readonly Row[]> {
  const rows = await session.query(
    `select request.id::text, public_id, nature, identifier_count::float8 from optgate.request
     where ${IS_DUE} order by request.id limit ${REQUESTS_PER_STEP}`,
    [beforeMs],
  );
  const list = rows.findIndex(({ nature }) => nature === 'import');
  return list < 0 ? rows : rows.slice(0, Math.max(1, list));
}

async function eraseLot(context: LedgerContext, lot: readonly Row[], beforeMs: number): Promise<void> {
  const { database } = context;
  for (const row of lot) if (row.nature === 'import') await eraseList(context, String(row.id), String(row.public_id));
  const body = { before: new Date(beforeMs).toISOString(), requests: lot.map((row) => String(row.public_id)) };
  await database.transaction(async (session) => {
    const isNew = await eraseRows(
      session,
      lot.map((row) => String(row.id)),
    );
    if (isNew) await appendAudit(session, context, { kind: 'retention.erased', subject: null, body });
  });
}

interface RunTold {
  readonly requestCount: number;
  readonly identifierCount: number;
  readonly months: number;
  readonly beforeMs: number;
}

function finishRun(context: LedgerContext, { beforeMs, ...told }: RunTold): Promise<number> {
  return context.database.transaction(async (session) => {
    const gone = await session.query(
      `with gone as (
         delete from optgate.audit_salt where request_id is null and at < to_timestamp($1::float8 / 1000) returning 1)
       select count(*)::float8 as count from gone`,
      [beforeMs],
    );
    const lookUpCount = Number(gone[0]?.count);
    const body = { ...told, before: new Date(beforeMs).toISOString(), lookUpCount };
    await appendAudit(session, context, { kind: 'retention.run', subject: null, body });
    return lookUpCount;
  });
}
