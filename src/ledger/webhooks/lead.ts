/**
 * What the one deliverer of a ledger does to it: numbers events, asks what is next for whom, and writes down what became of it.
 *
 * It holds an advisory lock on a connection of its own, as the sequencer does, and writes over that connection: who has lost
 * it writes nothing, and what it was sending is sent again by the next. Every write is one statement.
 * @module
 */
import { AUDIT_COLUMNS, auditValues } from '../audit/append.js';
import type { LedgerContext } from '../context.js';
import type { DedicatedSession, Row, Session } from '../database.js';
import { Turns } from '../turns.js';
import { eventBody, type StoredEvent } from './bodies.js';
import { secretsOf } from './consumers.js';
import { type EventKind, IS_ASKED_FOR, tellInterrupted } from './events.js';
import { DEAD_KEEP_MS, EVENTS_PER_STEP, IMPORT_STALLED_MS } from './limits.js';
import { pruneEvents } from './prune.js';
import { type ForceLook, tellInForce, tellNotices } from './watch.js';

/** Advisory lock, within the database: whoever delivers. */
const DELIVERER_LOCK = 0x6f67_0005;
/** A connection that does nothing for so long is ended by the server, and its lock is free. */
const LEADER_SILENCE_MS_MAX = 30_000;

/** A consumer that may be sent something. */
export interface DueWebhook {
  readonly id: string;
  readonly url: string;
  readonly allowPrivate: boolean;
  readonly withValues: boolean;
  /** Changes with every change of the consumer. */
  readonly generation: string;
}

/** What is to be sent next. */
export interface NextDelivery {
  readonly event: StoredEvent;
  /** Attempts that have failed. */
  readonly attemptCount: number;
  /** Those of them that the consumer answered with a refusal. */
  readonly refusedCount: number;
  /** Since when it waits: it was recorded, or its consumer has been given a new start (`tried_since`). */
  readonly ageMs: number;
}

interface Failure {
  /** `null`: there was no answer. */
  readonly status: number | null;
  /** Why, in a word. */
  readonly reason: string;
  readonly isRefused: boolean;
}

export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly status: number }
  | (Failure & { readonly kind: 'failed'; readonly delayMs: number })
  | (Failure & { readonly kind: 'dead' })
  /** The consumer is switched off, and the event stays the next one. */
  | { readonly kind: 'gone'; readonly status: number };

export class WebhookLead {
  /** Resolves when the connection has ended. */
  readonly lost: Promise<void>;
  readonly #turns = new Turns();

  private constructor(
    private readonly context: LedgerContext,
    private readonly session: DedicatedSession,
  ) {
    this.lost = session.lost;
  }

  /** `null`: another process delivers. Throws a GateError `ledger.unavailable`. */
  static async take(context: LedgerContext): Promise<WebhookLead | null> {
    const session = await context.database.dedicated();
    try {
      const [row] = await session.query('select pg_try_advisory_lock($1) as held', [DELIVERER_LOCK]);
      if (row?.held === true) {
        if (context.database.name === 'postgres') {
          await session.query(`select set_config('idle_session_timeout', $1, false)`, [String(LEADER_SILENCE_MS_MAX)]);
        }
        return new WebhookLead(context, session);
      }
    } catch (error) {
      await session.close();
      throw error;
    }
    await session.close();
    return null;
  }

  /** Gives events their place; how many. */
  async number(): Promise<number> {
    const [row] = await this.#query(
      `with next as (
         select id, row_number() over (order by id) as n from (
           select id from optgate.webhook_event where seq is null order by id limit ${EVENTS_PER_STEP}) as waiting),
       numbered as (
         update optgate.webhook_event as event set seq = (select coalesce(max(seq), 0) from optgate.webhook_event) + next.n
         from next where event.id = next.id returning 1)
       select count(*)::int4 as count from numbered`,
    );
    return Number(row?.count ?? 0);
  }

  /** Enabled consumers whose next attempt is due and who are not done with everything. */
  async due(): Promise<readonly DueWebhook[]> {
    const rows = await this.#query(
      `select id, url, allow_private, with_values, generation::text from optgate.webhook
       where is_enabled and (next_try_at is null or next_try_at <= clock_timestamp())
         and (exists (select from optgate.webhook_event as event where event.seq > webhook.cursor)
           or exists (select from optgate.webhook_delivery as one where one.webhook_id = webhook.id and one.state = 'queued'))`,
    );
    return rows.map((row) => ({
      id: String(row.id),
      url: String(row.url),
      allowPrivate: row.allow_private === true,
      withValues: row.with_values === true,
      generation: String(row.generation),
    }));
  }

  /** The next event of a consumer: a dead one that is tried anew, else the first behind its cursor. `null`: there is none. */
  async next({ id, generation }: DueWebhook): Promise<NextDelivery | null> {
    const [row] = await this.#query(
      `with consumer as (select * from optgate.webhook where id = $1 and generation = $2::uuid and is_enabled),
       queued as (
         select min(seq) as seq from optgate.webhook_delivery where webhook_id = $1 and state = 'queued'),
       next as (
         select coalesce(queued.seq, (
           select event.seq from optgate.webhook_event as event
           where event.seq > webhook.cursor and ${IS_ASKED_FOR} order by event.seq limit 1)) as seq
         from consumer as webhook, queued),
       passed as (
         update optgate.webhook set cursor = greatest(webhook.cursor, (select coalesce(max(seq), 0) from optgate.webhook_event))
         from next where webhook.id = $1 and webhook.generation = $2::uuid and next.seq is null)
       select event.*, floor(extract(epoch from event.at) * 1000)::float8 as at_ms,
         coalesce(one.attempt_count, 0) as attempts, coalesce(one.refused_count, 0) as refused,
         extract(epoch from clock_timestamp() - greatest(event.at, consumer.tried_since))::float8 * 1000 as age_ms
       from consumer cross join next join optgate.webhook_event as event on event.seq = next.seq
         left join optgate.webhook_delivery as one on one.webhook_id = $1 and one.seq = next.seq`,
      [id, generation],
    );
    if (row === undefined) return null;
    return {
      event: eventOf(row),
      attemptCount: Number(row.attempts),
      refusedCount: Number(row.refused),
      ageMs: Number(row.age_ms),
    };
  }

  /** Writes down what became of an attempt. After a change of the consumer the cursor stays where that put it. */
  async settle({ id, generation }: DueWebhook, next: NextDelivery, outcome: AttemptOutcome): Promise<void> {
    const { event, attemptCount, refusedCount } = next;
    const { kind, status } = outcome;
    const { reason, isRefused } = 'reason' in outcome ? outcome : { reason: null, isRefused: false };
    const isDone = kind === 'delivered' || kind === 'dead';
    const delayMs = kind === 'failed' ? outcome.delayMs : null;
    await this.#query(
      `with consumer as (
         update optgate.webhook set last_status = $3, last_reason = $4, last_attempt_at = clock_timestamp(),
           last_delivered_at = case when $5 = 'delivered' then clock_timestamp() else last_delivered_at end,
           cursor = case when $6::bool then greatest(cursor, $7::float8::int8) else cursor end,
           next_try_at = clock_timestamp() + $8::float8 * interval '1 millisecond',
           is_enabled = is_enabled and $5 <> 'gone', disabled_why = case when $5 = 'gone' then 'gone' else disabled_why end
         where id = $1 and generation = $2::uuid returning id),
       audited as (
         insert into optgate.audit_entry (${AUDIT_COLUMNS})
         select $11, $12, $13, $14, $15, $16 from consumer where $5 = 'gone')
       insert into optgate.webhook_delivery as one (webhook_id, seq, state, attempt_count, refused_count, last_status, reason)
       select id, $7::float8::int8, case when $5 in ('delivered', 'dead') then $5 else 'waiting' end, $9, $10, $3, $4 from consumer
       on conflict (webhook_id, seq) do update set
         state = case when excluded.state = 'waiting' and one.state = 'queued' then 'queued' else excluded.state end,
         attempt_count = excluded.attempt_count, refused_count = excluded.refused_count, last_status = excluded.last_status, reason = excluded.reason,
         last_at = clock_timestamp()`,
      [
        ...[id, generation, status, reason, kind, isDone, event.seq, delayMs],
        ...[attemptCount + 1, refusedCount + (isRefused ? 1 : 0)],
        ...auditValues(this.context, { kind: 'webhook.disabled', subject: id, body: { status } }),
      ],
    );
  }

  body(event: StoredEvent, { withValues }: DueWebhook): Promise<string> {
    return eventBody(this.context, event, withValues);
  }

  secrets({ id }: DueWebhook): Promise<readonly string[]> {
    return secretsOf(this.context, id);
  }

  inForce(afterId: string): Promise<ForceLook> {
    return tellInForce(this.#turned, afterId);
  }

  notices(): Promise<boolean> {
    return tellNotices(this.context, this.#turned);
  }

  /** Whether there was an import that stands still, of which opt-outs were not told of. */
  interrupted(stalledMs = IMPORT_STALLED_MS): Promise<boolean> {
    return tellInterrupted(this.#turned, stalledMs);
  }

  prune(deadKeepMs = DEAD_KEEP_MS): Promise<number> {
    return pruneEvents(this.context, this.#turned, deadKeepMs);
  }

  /** Never throws. */
  async close(): Promise<void> {
    await this.#query('select pg_advisory_unlock($1)', [DELIVERER_LOCK]).catch(() => {});
    await this.session.close();
  }

  /** One statement after the other: there is one connection. */
  #query(sql: string, parameters?: readonly unknown[]): Promise<readonly Row[]> {
    return this.#turns.take(() => this.session.query(sql, parameters));
  }

  get #turned(): Session {
    return {
      query: <T>(sql: string, parameters?: readonly unknown[]) => this.#query(sql, parameters) as Promise<readonly T[]>,
    };
  }
}

export function eventOf(row: Row): StoredEvent {
  return {
    seq: Number(row.seq),
    eventId: String(row.event_id),
    kind: row.kind as EventKind,
    atMs: Number(row.at_ms),
    requestRow: row.request_id === null ? null : String(row.request_id),
    part: row.part === null ? null : Number(row.part),
    first: row.first === null ? null : Number(row.first),
    page: Number(row.page),
    pageCount: Number(row.page_count),
    body: row.body as StoredEvent['body'],
  };
}
