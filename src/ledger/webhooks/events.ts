/**
 * What a consumer can be told of, and how it is written down: in the transaction that it tells of.
 *
 * Where nobody is to be told, nothing is written: one look at an empty table.
 * @module
 */
import type { Right } from '../../core/vocabulary.js';
import type { Session } from '../database.js';
import { IDENTITY_BYTES } from '../identity.js';
import { EVENT_IDENTIFIERS_MAX } from './limits.js';

/** Names are added, never renamed. */
export const EVENT_KINDS = [
  'opt_out.recorded',
  'opt_out.in_force',
  'opt_in.confirmed',
  'import.completed',
  'gap_notice.due',
  'destination.changed',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

const IF_ANYBODY = 'exists (select from optgate.webhook)';

/** An opt-out was recorded. Call it after the keys are locked. */
export async function tellOptOut(session: Session, requestRow: string | null): Promise<void> {
  await session.query(
    `insert into optgate.webhook_event (kind, request_id, awaits_force, awaits_notices)
     select 'opt_out.recorded', $1::int8, true, true where ${IF_ANYBODY}`,
    [requestRow],
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

/** An import has ended: one event for each page of its identifiers, and one for an import without any. */
export async function tellImport(session: Session, requestRow: string): Promise<void> {
  await session.query(
    `with page as (
       select part, first, row_number() over (order by part, first) - 1 as n, count(*) over () as of_all
       from optgate.import_part, generate_series(0, length(identities) / ${IDENTITY_BYTES} - 1, ${EVENT_IDENTIFIERS_MAX}) as first
       where request_id = $1::int8),
     paged as (
       insert into optgate.webhook_event (kind, request_id, part, first, page, page_count, awaits_force, awaits_notices)
       select 'import.completed', $1::int8, part, first, n, of_all, n = 0, true from page where ${IF_ANYBODY}
       order by n returning 1)
     insert into optgate.webhook_event (kind, request_id)
     select 'import.completed', $1::int8 where ${IF_ANYBODY} and not exists (select from page)`,
    [requestRow],
  );
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
