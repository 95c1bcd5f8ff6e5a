/**
 * The horizon: the oldest transaction still at work holds up every entry that came after it.
 *
 * It can be any transaction that writes, in any database of the same server, also a prepared one that was forgotten.
 * While it stays open nothing is lost, but opt-outs do not reach the enforcers: so it is measured, and named.
 * @module
 */
import type { Session } from './database.js';

/** What holds the horizon. */
export interface HorizonHolder {
  readonly kind: 'transaction' | 'prepared';
  /** Name of its database. */
  readonly database: string;
  /** How long it has been open. */
  readonly openMs: number;
}

export interface HorizonAlarm {
  /** Age of the oldest entry that waits. */
  readonly waitingMs: number;
  /** `null`: whoever it is cannot be seen by this role. */
  readonly holder: HorizonHolder | null;
  /** In plain words, for people. */
  readonly cause: string;
}

const OLDEST = `
(select 'transaction' as kind, datname as database, extract(epoch from clock_timestamp() - xact_start)::float8 * 1000 as open_ms
 from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid() and datname is not null
 order by age(backend_xid) desc limit 1)
union all
(select 'prepared', database, extract(epoch from clock_timestamp() - prepared)::float8 * 1000
 from pg_prepared_xacts order by age(transaction) desc limit 1)
order by open_ms desc nulls last limit 1`;

/** The transaction that has been open the longest of those that write; `null`: none that this role may see. */
export async function horizonHolder(session: Session): Promise<HorizonHolder | null> {
  const [oldest] = await session.query<{ kind: HorizonHolder['kind']; database: string; open_ms: number | null }>(
    OLDEST,
  );
  if (oldest === undefined || oldest.open_ms === null) return null;
  return { kind: oldest.kind, database: oldest.database, openMs: Math.round(oldest.open_ms) };
}

/** Says why entries have been waiting for so long. */
export async function horizonAlarm(session: Session, waitingMs: number): Promise<HorizonAlarm> {
  const holder = await horizonHolder(session);
  return { waitingMs, holder, cause: causeOf(holder) };
}

function causeOf(holder: HorizonHolder | null): string {
  if (holder === null) return 'a transaction that this role may not see has been open for too long';
  const what = holder.kind === 'prepared' ? 'a prepared transaction' : 'a transaction';
  return `${what} in database "${holder.database}" has been open for ${Math.round(holder.openMs / 1000)} s`;
}
