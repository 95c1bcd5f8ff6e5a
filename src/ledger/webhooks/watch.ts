/**
 * Events that nobody's transaction can write: an opt-out has come into force everywhere, a destination is to be told of one.
 *
 * The deliverer that leads looks for them. Each is written in the statement that takes the flag from the event it follows,
 * so that it is there once. A denied request has no flag any more (events.ts), and is never told of as in force.
 * @module
 */
import type { LedgerContext } from '../context.js';
import type { Row, Session } from '../database.js';
import { type Asked, type GapNotice, noticesFor } from '../gap-notices.js';
import { keysOfPacked, type PackedIdentifier, unpackIdentifiers } from '../packed-identifiers.js';
import { packedPage } from './bodies.js';
import { faultOf } from './fault.js';
import { EVENTS_PER_STEP, FORCE_LOOKS_MAX } from './limits.js';

/** Somebody is to be told of a kind. If nobody is, what waits for it waits no longer: who comes later is told of what comes later. */
async function isAskedFor(
  session: Session,
  kind: 'opt_out.in_force' | 'gap_notice.due',
  flag: 'awaits_force' | 'awaits_notices',
): Promise<boolean> {
  const [row] = await session.query(
    'select exists (select from optgate.webhook where events @> to_jsonb($1::text)) as there',
    [kind],
  );
  if (row?.there === true) return true;
  await session.query(
    `update optgate.webhook_event set ${flag} = false
     where id in (select id from optgate.webhook_event where ${flag} order by id limit ${EVENTS_PER_STEP})`,
  );
  return false;
}

/** What a look at requests that wait to be in force has found. */
export interface ForceLook {
  readonly toldCount: number;
  /** Where the next look goes on; `0`: at the beginning. */
  readonly afterId: string;
}

/** That a request is in force everywhere is what propagation.ts says: on every enforcer that was there before it. */
export async function tellInForce(session: Session, afterId: string): Promise<ForceLook> {
  if (!(await isAskedFor(session, 'opt_out.in_force', 'awaits_force'))) return { toldCount: 0, afterId: '0' };
  const has = `exists (select from optgate.enforcer_ack as ack where ack.enforcer_id = enforcer.id
    and ack.seq >= entry.seq and (ack.epoch = head.epoch or ack.at >= entry.at))`;
  const first = `(select min(ack.at) from optgate.enforcer_ack as ack where ack.enforcer_id = enforcer.id
    and ack.seq >= entry.seq and (ack.epoch = head.epoch or ack.at >= entry.at))`;
  const waitedFor = 'from optgate.enforcer where retired_at is null and registered_at <= entry.at';
  const [row] = await session.query(
    `with looked as (
       select event.id, event.request_id, request.last_entry from optgate.webhook_event as event
         join optgate.request on request.id = event.request_id
       where event.awaits_force and event.id > $1::int8 and request.status <> 'denied' order by event.id limit ${FORCE_LOOKS_MAX}),
     there as (
       select looked.id, looked.request_id, (select max(greatest(entry.at, ${first})) ${waitedFor}) as at
       from looked join optgate.change_log as entry on entry.id = looked.last_entry cross join optgate.head
       where entry.seq is not null and exists (select ${waitedFor})
         and not exists (select ${waitedFor} and not ${has})),
     taken as (
       update optgate.webhook_event as event set awaits_force = false from there where event.id = there.id
         and event.awaits_force returning there.id, there.request_id, there.at),
     told as (
       insert into optgate.webhook_event (kind, request_id, body)
       select 'opt_out.in_force', request_id,
         jsonb_build_object('inForceAt', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
       from taken order by id returning 1)
     select (select count(*) from told)::int4 as told, (select count(*) from looked)::int4 as looked,
       (select max(id) from looked)::text as last`,
    [afterId],
  );
  const isAll = Number(row?.looked ?? 0) < FORCE_LOOKS_MAX;
  return { toldCount: Number(row?.told ?? 0), afterId: isAll ? '0' : String(row?.last) };
}

/**
 * Writes the notices of the oldest event that has not been looked at; false: there is none. Of one that cannot be read an event
 * without notices is written: nobody can be sent that, so it is dead at whoever is to be told, and the next goes on.
 */
export async function tellNotices(context: LedgerContext, session: Session): Promise<boolean> {
  if (!(await isAskedFor(session, 'gap_notice.due', 'awaits_notices'))) return false;
  const [event] = await session.query(
    `select event.id::text, event.request_id::text, event.part, event.first, request.public_id,
       round(extract(epoch from request.received_at) * 1000)::float8 as received_ms
     from optgate.webhook_event as event left join optgate.request on request.id = event.request_id
     where event.awaits_notices order by event.id limit 1`,
  );
  if (event === undefined) return false;
  const bodies = await noticeBodies(context, session, event).catch((error: unknown) => {
    if (faultOf(error) !== 'damaged') throw error;
    return null;
  });
  await session.query(
    `with taken as (
       update optgate.webhook_event set awaits_notices = false where id = $1::int8 and awaits_notices returning request_id)
     insert into optgate.webhook_event (kind, request_id, body)
     select 'gap_notice.due', taken.request_id, case when $3::bool then notice.body end
     from taken, jsonb_array_elements($2::jsonb) with ordinality as notice (body, n) order by n`,
    [event.id, JSON.stringify(bodies ?? [null]), bodies !== null],
  );
  return true;
}

/** One for each destination. */
async function noticeBodies(context: LedgerContext, session: Session, event: Row): Promise<readonly object[]> {
  const requestRow = String(event.request_id);
  const packed =
    event.part === null
      ? await packedOfRequest(session, requestRow)
      : (await packedPage(context, requestRow, Number(event.part), Number(event.first))).identifiers;
  const asked = packed.map(
    (identifier): Asked => ({
      requestId: String(event.public_id),
      receivedAtMs: Number(event.received_ms),
      identifier,
      keys: keysOfPacked(identifier, context.mixer),
    }),
  );
  const bodies = new Map<string, GapNotice[]>();
  for await (const notice of noticesFor(context, asked)) {
    bodies.set(notice.destination, [...(bodies.get(notice.destination) ?? []), notice]);
  }
  return [...bodies].map(([destination, notices]) => noticesBody(destination, notices));
}

async function packedOfRequest(session: Session, requestRow: string): Promise<readonly PackedIdentifier[]> {
  const rows = await session.query(
    'select digests from optgate.request_identifier where request_id = $1::int8 order by n',
    [requestRow],
  );
  return rows.flatMap(({ digests }) => [...unpackIdentifiers(digests as Uint8Array)]);
}

function noticesBody(destination: string, notices: readonly GapNotice[]): object {
  return {
    destination,
    notices: notices.map(({ kind, digests, sentFirstMs, sentLastMs, isSentAfterRequest }) => ({
      kind,
      digests,
      sentFirst: new Date(sentFirstMs).toISOString(),
      sentLast: new Date(sentLastMs).toISOString(),
      sentAfterRequest: isSentAfterRequest,
    })),
  };
}
