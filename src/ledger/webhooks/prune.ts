/**
 * Removing events that are done with and old, and what became of them.
 *
 * What must stay true: what an enabled consumer has not had stays. An event that is not done with stays however old it is; a
 * dead one stays for a while from its death, and is told of in the audit trail when it goes; one that is tried anew stays.
 * The last event stays, as numbers go on from it.
 * @module
 */
import { AUDIT_COLUMNS, auditValues } from '../audit/append.js';
import type { LedgerContext } from '../context.js';
import type { Session } from '../database.js';
import { IS_ASKED_FOR } from './events.js';
import { EVENT_KEEP_MS, EVENTS_PER_PRUNE } from './limits.js';

const PRUNED_KIND = 'webhook.pruned';
/** As the canonical JSON of the trail has it: by name, without spaces. */
const COUNTS = `'{"deadCount":' || dead_count || ',"unsentCount":' || unsent_count || '}'`;

/**
 * How many events went. An entry says of each consumer how many of them it never had: dead ones, and, of one that is
 * switched off, those it was not sent.
 */
export async function pruneEvents(context: LedgerContext, session: Session, deadKeepMs: number): Promise<number> {
  const [role, name, via] = auditValues(context, { kind: PRUNED_KIND, subject: null, body: {} }).slice(1, 4);
  const [row] = await session.query(
    `with kept as (
       select one.seq from optgate.webhook_delivery as one join optgate.webhook on webhook.id = one.webhook_id
       where webhook.is_enabled and (one.state = 'queued'
         or (one.state = 'dead' and one.last_at >= clock_timestamp() - $2::float8 * interval '1 millisecond'))),
     old as (
       select event.* from optgate.webhook_event as event
       where event.at < clock_timestamp() - $1::float8 * interval '1 millisecond'
         and event.seq <= coalesce((select min(cursor) from optgate.webhook where is_enabled), event.seq)
         and event.seq < (select max(seq) from optgate.webhook_event)
         and not exists (select from kept where kept.seq = event.seq)
       order by event.id limit ${EVENTS_PER_PRUNE}),
     missed as (
       select webhook.id, count(*) filter (where one.state in ('dead', 'queued')) as dead_count,
         count(*) filter (where one.state is distinct from 'dead' and one.state is distinct from 'queued') as unsent_count
       from old as event cross join optgate.webhook
         left join optgate.webhook_delivery as one on one.webhook_id = webhook.id and one.seq = event.seq
       where one.state in ('dead', 'queued') or (event.seq > webhook.cursor and ${IS_ASKED_FOR})
       group by webhook.id),
     audited as (
       insert into optgate.audit_entry (${AUDIT_COLUMNS})
       select $3, $4, $5, $6, id, ${COUNTS} from missed order by id collate "C"),
     outcome as (delete from optgate.webhook_delivery as one using old where one.seq = old.seq),
     gone as (delete from optgate.webhook_event as event using old where event.id = old.id returning 1)
     select count(*)::int4 as count from gone`,
    [EVENT_KEEP_MS, deadKeepMs, PRUNED_KIND, role, name, via],
  );
  return Number(row?.count ?? 0);
}
