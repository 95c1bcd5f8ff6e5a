/**
 * When requests were complied with: processed, in force on k of n enforcers, in force everywhere; many at a time.
 *
 * An opt-out is complied with when nobody decides without it any more: every enforcer that was there when it was processed
 * has applied it, or has left. One that registered later began from a set that holds it, and is not waited for; where there
 * was none, the first that comes tells. Unlike propagation.ts, which says how the enforcers of now stand, this does not
 * change when enforcers come and go afterwards.
 * @module
 */
import type { Session } from '../database.js';
import { int8Column, textColumn } from '../packed-column.js';

/** How far one request has come. */
export interface Compliance {
  /** When its last entry was written; `null`: it has none. */
  readonly processedAtMs: number | null;
  /** Its place in the log; `null`: none yet. */
  readonly seq: number | null;
  /** Enforcers that were there when it was processed, and those of them that have it in force or have left. */
  readonly enforcerCount: number;
  readonly inForceOn: number;
  /** `null`: not everywhere yet, or nobody enforces this ledger. */
  readonly compliedAtMs: number | null;
}

const NOTHING: Compliance = { processedAtMs: null, seq: null, enforcerCount: 0, inForceOn: 0, compliedAtMs: null };

/** Histories that each enforcer has acknowledged, found by jumping from one to the next along the key of the table. */
const EPOCHS = `
with recursive known as (
  (select enforcer_id, epoch from optgate.enforcer_ack order by enforcer_id, epoch limit 1)
  union all
  select next.enforcer_id, next.epoch from known cross join lateral (
    select enforcer_id, epoch from optgate.enforcer_ack
    where (enforcer_id, epoch) > (known.enforcer_id, known.epoch) order by enforcer_id, epoch limit 1) as next)
select enforcer_id, epoch from known`;

/** Seqs go on counting over an epoch; an acknowledgement of an earlier one tells of an entry only if that was there then. */
const COMPLIANCE = `
with known as (select * from unnest($2::text[], $3::text[]) as known (enforcer_id, epoch)),
asked as (
  select request.id, entry.at, entry.seq from unnest($1::int8[]) as wanted (id)
    join optgate.request as request on request.id = wanted.id
    join optgate.change_log as entry on entry.id = request.last_entry),
told as (
  select asked.id, enforcer.retired_at, enforcer.registered_at <= asked.at as is_waited_for,
    (select min(ack.at) from known cross join lateral (
       select at from optgate.enforcer_ack
       where enforcer_id = known.enforcer_id and epoch = known.epoch and seq >= asked.seq
         and (epoch = (select epoch from optgate.head) or at >= asked.at)
       order by seq limit 1) as ack
     where known.enforcer_id = enforcer.id) as ack_at
  from asked join optgate.enforcer on enforcer.retired_at is null or enforcer.retired_at > asked.at),
summed as (
  select id, count(*) filter (where is_waited_for) as enforcer_count,
    count(*) filter (where is_waited_for and coalesce(ack_at, retired_at) is not null) as in_force_on,
    max(coalesce(ack_at, retired_at)) filter (where is_waited_for) as last_at, min(ack_at) as first_at
  from told group by id)
select asked.id::text, asked.seq::float8, round(extract(epoch from asked.at) * 1000)::float8 as processed_at_ms,
  coalesce(enforcer_count, 0)::float8 as enforcer_count, coalesce(in_force_on, 0)::float8 as in_force_on,
  round(extract(epoch from greatest(asked.at,
    case when enforcer_count = 0 then first_at when enforcer_count = in_force_on then last_at end)) * 1000)::float8
    as complied_at_ms,
  case when enforcer_count = 0 then first_at when enforcer_count = in_force_on then last_at end is not null as is_complied
from asked left join summed using (id)`;

/** How far some requests have come, by the ids of their rows. Requests without an entry have not come far. */
export async function complianceOf(
  session: Session,
  requestRows: readonly string[],
): Promise<(requestRow: string) => Compliance> {
  const found = new Map<string, Compliance>();
  if (requestRows.length > 0) {
    const epochs = await session.query(EPOCHS);
    const rows = await session.query(COMPLIANCE, [
      int8Column(requestRows.map(BigInt)).bytes,
      textColumn(epochs.map((row) => String(row.enforcer_id))).bytes,
      textColumn(epochs.map(({ epoch }) => String(epoch))).bytes,
    ]);
    for (const row of rows) {
      found.set(String(row.id), {
        processedAtMs: Number(row.processed_at_ms),
        seq: row.seq === null ? null : Number(row.seq),
        enforcerCount: Number(row.enforcer_count),
        inForceOn: Number(row.in_force_on),
        compliedAtMs: row.is_complied === true ? Number(row.complied_at_ms) : null,
      });
    }
  }
  return (requestRow) => found.get(requestRow) ?? NOTHING;
}
