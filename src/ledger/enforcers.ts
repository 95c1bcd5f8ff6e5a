/**
 * Who decides with this ledger, and how far each of them is.
 *
 * An enforcer that says nothing for longer than its lease is silent, and stays in the list and in every count until it
 * says that it leaves, or somebody says so for it.
 * @module
 */
import { InputError } from '../core/errors.js';
import type { EnforcerReport, Position } from '../sync/source.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';

/** An enforcer as it last reported. */
export interface EnforcerStatus {
  readonly id: string;
  readonly name: string;
  readonly role: EnforcerReport['role'];
  readonly version: string;
  readonly state: string;
  readonly registeredAtMs: number;
  readonly lastSeenAtMs: number;
  readonly position: Position | null;
  /** Entries of the log it has not applied; `null`: it has applied none, or is in another epoch. */
  readonly seqLag: number | null;
  /** It has not reported within its lease, and has not said that it leaves. */
  readonly isSilent: boolean;
  /** When it left; `null`: it is waited for. */
  readonly retiredAtMs: number | null;
}

/** SQL: the enforcer has not reported within its lease. */
export const IS_SILENT = `(enforcer.retired_at is null
  and enforcer.last_seen_at + enforcer.lease_ms * interval '1 millisecond' < clock_timestamp())`;

/** All enforcers there ever were, those that are waited for first. */
export async function listEnforcers(session: Session): Promise<readonly EnforcerStatus[]> {
  const rows = await session.query(
    `select enforcer.*, ${IS_SILENT} as is_silent,
       case when enforcer.epoch = head.epoch then greatest(0, head.seq - applied_seq)::float8 end as seq_lag
     from optgate.enforcer, optgate.head order by (retired_at is not null), name, enforcer.id`,
  );
  return rows.map(statusOfRow);
}

function statusOfRow(row: Row): EnforcerStatus {
  const hasPosition = row.epoch !== null && row.applied_seq !== null;
  return {
    id: String(row.id),
    name: String(row.name),
    role: row.role as EnforcerReport['role'],
    version: String(row.version),
    state: String(row.state),
    registeredAtMs: msOf(row.registered_at),
    lastSeenAtMs: msOf(row.last_seen_at),
    position: hasPosition ? { epoch: String(row.epoch), seq: Number(row.applied_seq) } : null,
    seqLag: row.seq_lag === null ? null : Number(row.seq_lag),
    isSilent: row.is_silent === true,
    retiredAtMs: row.retired_at === null ? null : msOf(row.retired_at),
  };
}

function msOf(value: unknown): number {
  return value instanceof Date ? value.getTime() : Number.NaN;
}

/**
 * Takes an enforcer that is gone for good out of every count, and from its token. It comes back by itself if it reports
 * again. False: there is none with this id that is waited for. In a transaction.
 */
export async function retireEnforcer(
  session: Session,
  context: Pick<LedgerContext, 'actor'>,
  id: string,
): Promise<boolean> {
  if (typeof id !== 'string' || !/^[A-Za-z0-9._:-]{1,64}$/.test(id)) {
    throw new InputError('id', 'malformed', 'expected the id of an enforcer');
  }
  const retired = await session.query(
    'update optgate.enforcer set retired_at = clock_timestamp(), token_name = null where id = $1 and retired_at is null returning 1',
    [id],
  );
  if (retired.length === 0) return false;
  await appendAudit(session, context, { kind: 'enforcer.retired', subject: id, body: {} });
  return true;
}
