/**
 * What a consumer can be told of, and how it is written down: in the transaction that it tells of.
 *
 * Where nobody is to be told, nothing is written: one look at an empty table.
 * @module
 */
import type { Right } from '../../core/vocabulary.js';
import type { Session } from '../database.js';
import { IDENTITY_BYTES } from '../identity.js';
import { int8Column } from '../packed-column.js';
import { EVENT_IDENTIFIERS_MAX } from './limits.js';

/** Names are added, never renamed. */
export const EVENT_KINDS = [
  'opt_out.recorded',
  'opt_out.in_force',
  'opt_out.denied',
  'opt_in.confirmed',
  'import.completed',
  'import.interrupted',
  'gap_notice.due',
  'destination.changed',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** Whether `webhook` is told of `event`: its kinds, and what takes back, or tells early, what it is told by one of them. */
export const IS_ASKED_FOR = `(webhook.events @> to_jsonb(event.kind)
  or (event.kind = 'opt_out.denied' and (webhook.events ?| array['opt_out.recorded', 'opt_out.in_force']
    or (webhook.events ? 'gap_notice.due' and exists (select from optgate.webhook_event as notice
      where notice.kind = 'gap_notice.due' and notice.request_id = event.request_id))))
  or (event.kind = 'import.interrupted' and webhook.events ? 'import.completed'))`;

const IF_ANYBODY = 'exists (select from optgate.webhook)';

/** Opt-outs were recorded. Call it after the keys are locked. */
export async function tellOptOuts(session: Session, requestRows: readonly string[]): Promise<void> {
  await session.query(
    `insert into optgate.webhook_event (kind, request_id, awaits_force, awaits_notices)
     select 'opt_out.recorded', request_id, true, true
     from unnest($1::int8[]) with ordinality as told (request_id, n) where ${IF_ANYBODY} order by n`,
    [int8Column(requestRows.map(BigInt)).bytes],
  );
}

/**
 * An opt-out was denied: nothing of it is said to come into force, or to be due to a destination, any more. What was
 * written before, by whoever leads, has a lower id. `remaining`: rights that stay opted out of. Call it after the keys are locked.
 */
export async function tellDenial(session: Session, requestRow: string, remaining: readonly Right[]): Promise<void> {
  await session.query(
    `update optgate.webhook_event set awaits_force = false, awaits_notices = false
     where request_id = $1::int8 and (awaits_force or awaits_notices)`,
    [requestRow],
  );
  await session.query(
    `insert into optgate.webhook_event (kind, request_id, body)
     select 'opt_out.denied', $1::int8, $2::jsonb where ${IF_ANYBODY}`,
    [requestRow, JSON.stringify({ remaining })],
  );
}

/** An opt-in was confirmed. `remaining`: rights that stay opted out of. Call it after the keys are locked. */
export async function tellOptIn(session: Session, requestRow: string, remaining: readonly Right[]): Promise<void> {
  await session.query(
    `insert into optgate.webhook_event (kind, request_id, body)
     select 'opt_in.confirmed', $1::int8, $2::jsonb where ${IF_ANYBODY}`,
    [requestRow, JSON.stringify({ remaining })],
  );
}

const PAGES_OF_PART = `generate_series(0, length(identities) / ${IDENTITY_BYTES} - 1, ${EVENT_IDENTIFIERS_MAX}) as first`;

/**
 * An import has ended: one event for each page of its identifiers, and one for an import without any. Notices of what was
 * told of while it stood still were looked for then.
 */
export async function tellImport(session: Session, requestRow: string): Promise<void> {
  await session.query(
    `with page as (
       select part, first, is_told, row_number() over (order by part, first) - 1 as n, count(*) over () as of_all
       from optgate.import_part, ${PAGES_OF_PART} where request_id = $1::int8),
     paged as (
       insert into optgate.webhook_event (kind, request_id, part, first, page, page_count, awaits_force, awaits_notices)
       select 'import.completed', $1::int8, part, first, n, of_all, n = 0, not is_told from page where ${IF_ANYBODY}
       order by n returning 1)
     insert into optgate.webhook_event (kind, request_id)
     select 'import.completed', $1::int8 where ${IF_ANYBODY} and not exists (select from page)`,
    [requestRow],
  );
}

/**
 * An import that has not ended has recorded nothing for so long: one event for each page of what it has recorded and was not
 * told of. One import at a time; whether there was one. The look is the deliverer's: a process that died says nothing.
 */
export async function tellInterrupted(session: Session, stalledMs: number): Promise<boolean> {
  const [row] = await session.query(
    `with stalled as (
       select request.id from optgate.request
       where request.nature = 'import' and request.status = 'in_progress' and ${IF_ANYBODY}
         and exists (select from optgate.import_part as part where part.request_id = request.id and not part.is_told)
         and not exists (select from optgate.change_log as entry where entry.request_id = request.id
           and entry.at > clock_timestamp() - $1::float8 * interval '1 millisecond')
       order by request.id limit 1 for no key update skip locked),
     told as (
       update optgate.import_part as part set is_told = true from stalled
       where part.request_id = stalled.id and not part.is_told returning part.request_id, part.part, part.identities),
     page as (
       select request_id, part, first, row_number() over (order by part, first) - 1 as n, count(*) over () as of_all
       from told, ${PAGES_OF_PART}),
     paged as (
       insert into optgate.webhook_event (kind, request_id, part, first, page, page_count, awaits_notices)
       select 'import.interrupted', request_id, part, first, n, of_all, true from page order by n returning 1)
     select count(*)::int4 as count from told`,
    [stalledMs],
  );
  return Number(row?.count ?? 0) > 0;
}

/** A destination was added, replaced or removed. */
export async function tellDestination(
  session: Session,
  destination: string,
  change: 'added' | 'replaced' | 'removed',
): Promise<void> {
  await session.query(
    `insert into optgate.webhook_event (kind, body) select 'destination.changed', $1::jsonb where ${IF_ANYBODY}`,
    [JSON.stringify({ destination, change })],
  );
}

/** Takes the digests out of notices of requests that are erased; what other events say of a request is gone with it. */
export async function forgetRequests(session: Session, requestRows: readonly string[]): Promise<void> {
  await session.query(
    `update optgate.webhook_event set body = jsonb_set(body, '{notices}', '[]')
     where kind = 'gap_notice.due' and request_id = any($1::int8[])`,
    [int8Column(requestRows.map(BigInt)).bytes],
  );
}
