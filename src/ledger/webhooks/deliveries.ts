/**
 * What became of events for one consumer, and sending them again.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { appendAudit } from '../audit/append.js';
import type { LedgerContext } from '../context.js';
import type { Row, Session, Transactor } from '../database.js';
import { type EventKind, IS_ASKED_FOR } from './events.js';
import { DELIVERIES_PER_READ, DELIVERIES_PER_READ_MAX } from './limits.js';

/** `waiting`: it is being tried. `queued`: a dead one that is tried anew. */
export const DELIVERY_STATES = ['waiting', 'delivered', 'dead', 'queued'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Delivery {
  readonly seq: number;
  readonly eventId: string;
  readonly kind: EventKind;
  /** When what it tells of was recorded. */
  readonly atMs: number;
  readonly state: DeliveryState;
  readonly attemptCount: number;
  readonly lastStatus: number | null;
  /** Why the last attempt failed, in a word; `null`: it did not. */
  readonly reason: string | null;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export interface DeliveryQuery {
  readonly state?: DeliveryState | undefined;
  /** Older ones than this seq. */
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
}

/** The newest first. Throws an InputError. */
export async function listDeliveries(
  database: Transactor,
  id: string,
  { state, before = Number.MAX_SAFE_INTEGER, limit = DELIVERIES_PER_READ }: DeliveryQuery = {},
): Promise<readonly Delivery[]> {
  if (state !== undefined && !DELIVERY_STATES.includes(state)) {
    throw new InputError('state', 'unknown', `expected one of ${DELIVERY_STATES.join(', ')}`);
  }
  if (!Number.isSafeInteger(before) || before < 0) throw new InputError('before', 'malformed', 'expected a seq');
  if (!Number.isInteger(limit) || limit < 1 || limit > DELIVERIES_PER_READ_MAX) {
    throw new InputError('limit', 'out_of_range', `expected 1 to ${DELIVERIES_PER_READ_MAX}`);
  }
  const rows = await database.query(
    `select one.seq::float8, event.event_id::text, event.kind, floor(extract(epoch from event.at) * 1000)::float8 as at_ms,
       one.state, one.attempt_count, one.last_status, one.reason,
       round(extract(epoch from one.first_at) * 1000)::float8 as first_ms,
       round(extract(epoch from one.last_at) * 1000)::float8 as last_ms
     from optgate.webhook_delivery as one join optgate.webhook_event as event on event.seq = one.seq
     where one.webhook_id = $1 and ($2::text is null or one.state = $2) and one.seq < $3::float8::int8
     order by one.seq desc limit $4`,
    [id, state ?? null, before, limit],
  );
  return rows.map(deliveryOf);
}

function deliveryOf(row: Row): Delivery {
  return {
    seq: Number(row.seq),
    eventId: String(row.event_id),
    kind: row.kind as EventKind,
    atMs: Number(row.at_ms),
    state: row.state as DeliveryState,
    attemptCount: Number(row.attempt_count),
    lastStatus: row.last_status === null ? null : Number(row.last_status),
    reason: row.reason === null ? null : String(row.reason),
    firstAtMs: Number(row.first_ms),
    lastAtMs: Number(row.last_ms),
  };
}

/** What is sent again: all dead ones, or everything from an event or a moment on. */
export type Replay =
  | { readonly kind: 'dead' }
  | { readonly kind: 'event'; readonly eventId: string }
  | { readonly kind: 'since'; readonly sinceMs: number };

/** How many events are sent (again). @throws {InputError} `eventId` where there is no such event any more. */
export function replay(context: LedgerContext, id: string, what: Replay): Promise<number> {
  return context.database.transaction(async (session) => {
    const eventCount = what.kind === 'dead' ? await queueDead(session, id) : await goBack(session, id, what);
    const body = { ...auditBody(what), eventCount };
    await appendAudit(session, context, { kind: 'webhook.replayed', subject: id, body });
    return eventCount;
  });
}

function auditBody(what: Replay): object {
  switch (what.kind) {
    case 'dead':
      return { from: 'dead' };
    case 'event':
      return { from: what.eventId };
    case 'since':
      return { from: new Date(what.sinceMs).toISOString() };
    default:
      return what satisfies never;
  }
}

async function queueDead(session: Session, id: string): Promise<number> {
  const queued = await session.query(
    `with consumer as (
       update optgate.webhook set next_try_at = null, tried_since = clock_timestamp(), generation = gen_random_uuid()
       where id = $1 returning id)
     update optgate.webhook_delivery as one set state = 'queued', attempt_count = 0, refused_count = 0
     from consumer where one.webhook_id = consumer.id and one.state = 'dead' returning 1`,
    [id],
  );
  return queued.length;
}

async function goBack(session: Session, id: string, what: Exclude<Replay, { readonly kind: 'dead' }>): Promise<number> {
  const [from] =
    what.kind === 'event'
      ? await session.query('select seq::float8 from optgate.webhook_event where event_id = $1::uuid', [
          uuidOf(what.eventId),
        ])
      : await session.query(
          'select min(seq)::float8 as seq from optgate.webhook_event where at >= to_timestamp($1::float8 / 1000)',
          [momentOf(what.sinceMs)],
        );
  if (from?.seq === undefined || from.seq === null) {
    if (what.kind === 'since') return 0;
    throw new InputError('eventId', 'unknown', 'there is no such event, or it is no longer kept');
  }
  await session.query(
    `update optgate.webhook set cursor = least(cursor, $2::float8::int8 - 1), next_try_at = null,
       tried_since = clock_timestamp(), generation = gen_random_uuid() where id = $1`,
    [id, from.seq],
  );
  await session.query('delete from optgate.webhook_delivery where webhook_id = $1 and seq >= $2::float8::int8', [
    id,
    from.seq,
  ]);
  const [row] = await session.query(
    `select count(*)::float8 as count from optgate.webhook_event as event, optgate.webhook
     where webhook.id = $1 and event.seq > webhook.cursor and ${IS_ASKED_FOR}`,
    [id],
  );
  return Number(row?.count ?? 0);
}

function uuidOf(text: unknown): string {
  if (typeof text === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
  throw new InputError('eventId', 'malformed', 'expected the id of an event');
}

function momentOf(ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new InputError('since', 'out_of_range', 'expected a moment since 1970');
}
