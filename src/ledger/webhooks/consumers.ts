/**
 * The consumers of webhooks: who is told of what, where, and signed with which secret.
 *
 * A secret is made here, given out once, and never again. Where the ledger keeps clear values it is sealed with the same key;
 * elsewhere it stands in the database as it is.
 * @module
 */
import { z } from 'zod';
import { GateError, InputError } from '../../core/errors.js';
import { appendAudit } from '../audit/append.js';
import type { LedgerContext } from '../context.js';
import type { Row, Session } from '../database.js';
import { EVENT_KINDS, type EventKind, IS_ASKED_FOR } from './events.js';
import { SECRET_BYTES, SECRET_OVERLAP_MS, SECRET_OVERLAP_MS_MAX, WEBHOOKS_MAX } from './limits.js';
import { readTarget } from './target.js';

/** Advisory lock, within the database: whoever adds a consumer. */
const WEBHOOK_LOCK = 0x6f67_0004;
const SECRET_PREFIX = 'whsec_';

/** What a consumer is to be. The URL is only taken for text here; {@link readTarget} reads it. */
export const webhookTermsSchema = z.strictObject({
  url: z.string().describe('http or https, without user name; a public address, unless allowPrivate.'),
  events: z
    .array(z.enum(EVENT_KINDS))
    .min(1)
    .max(EVENT_KINDS.length)
    .default([...EVENT_KINDS])
    .describe('Default: all.'),
  enabled: z.boolean().default(true),
  allowPrivate: z.boolean().default(false).describe('It may be on a loopback or private address.'),
  values: z.boolean().default(false).describe('Also the clear values, where the ledger keeps them and has the key.'),
});
export type WebhookTerms = z.output<typeof webhookTermsSchema>;
export type WebhookInput = z.input<typeof webhookTermsSchema>;

/** A consumer as it stands. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly EventKind[];
  readonly isEnabled: boolean;
  /** `gone`: it answered 410. `null`: it is enabled. */
  readonly disabledWhy: 'operator' | 'gone' | null;
  readonly allowPrivate: boolean;
  readonly withValues: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Until when deliveries are signed with the secret before, too; `null`: there is none. */
  readonly secretBeforeUntilMs: number | null;
  /** Events it is to be told of and that are not done with. */
  readonly behindCount: number;
  /** Since when the oldest of them waits; `null`: there is none. */
  readonly behindSinceMs: number | null;
  readonly deadCount: number;
  /** When the next attempt is due, after a failed one. */
  readonly nextTryAtMs: number | null;
  readonly lastStatus: number | null;
  readonly lastReason: string | null;
  readonly lastAttemptAtMs: number | null;
  readonly lastDeliveredAtMs: number | null;
}

export interface PutWebhook {
  readonly webhook: Webhook;
  /** Of a new consumer; `null`: there was one. */
  readonly secret: string | null;
}

/** Adds a consumer, which is told of what happens from now on, or changes one. Throws an InputError. */
export function putWebhook(context: LedgerContext, id: string, input: unknown): Promise<PutWebhook> {
  const row = readId(id);
  const terms = readTerms(context, input);
  return context.database.transaction(async (session) => {
    await session.query('select pg_advisory_xact_lock($1)', [WEBHOOK_LOCK]);
    const values = [row, terms.url, JSON.stringify(terms.events), terms.enabled, terms.allowPrivate, terms.values];
    const changed = await session.query(
      `update optgate.webhook set url = $2, events = $3::jsonb, is_enabled = $4,
         disabled_why = case when $4 then null else coalesce(disabled_why, 'operator') end, allow_private = $5,
         with_values = $6,
         tried_since = case when url <> $2 or (not is_enabled and $4) then clock_timestamp() else tried_since end, updated_at = clock_timestamp(), generation = gen_random_uuid(), next_try_at = null
       where id = $1 returning 1`,
      values,
    );
    if (changed.length > 0) {
      await appendAudit(session, context, { kind: 'webhook.changed', subject: row, body: auditBody(terms) });
      return { webhook: await webhookById(session, row), secret: null };
    }
    const [count] = await session.query('select count(*)::int4 as count from optgate.webhook');
    if (Number(count?.count) >= WEBHOOKS_MAX) {
      throw new InputError('id', 'too_many', `expected at most ${WEBHOOKS_MAX} webhooks`);
    }
    const secret = newSecret(context);
    const { bytes, isSealed } = sealSecrets(context, row, { current: secret, before: null });
    await session.query(
      `insert into optgate.webhook (id, url, events, is_enabled, disabled_why, allow_private, with_values, secrets, is_sealed, cursor)
       select $1, $2, $3::jsonb, $4, case when $4 then null else 'operator' end, $5, $6, $7, $8,
         coalesce(max(seq), 0) from optgate.webhook_event`,
      [...values, bytes, isSealed],
    );
    await appendAudit(session, context, { kind: 'webhook.added', subject: row, body: auditBody(terms) });
    return { webhook: await webhookById(session, row), secret };
  });
}

/** What the audit trail says of it: of the URL its host, as the rest may be a secret of the consumer. */
function auditBody({ url, ...terms }: WebhookTerms): object {
  return { ...terms, host: new URL(url).host };
}

/** `null`: there is none. */
export async function getWebhook(session: Session, id: string): Promise<Webhook | null> {
  const [row] = await session.query(`${SELECT_WEBHOOK} where webhook.id = $1`, [readId(id)]);
  return row === undefined ? null : webhookOf(row);
}

export async function listWebhooks(session: Session): Promise<readonly Webhook[]> {
  return (await session.query(`${SELECT_WEBHOOK} order by webhook.id collate "C"`)).map(webhookOf);
}

/** False: there was none. */
export function removeWebhook(context: LedgerContext, id: string): Promise<boolean> {
  return context.database.transaction(async (session) => {
    const removed = await session.query('delete from optgate.webhook where id = $1 returning 1', [readId(id)]);
    if (removed.length === 0) return false;
    await appendAudit(session, context, { kind: 'webhook.removed', subject: id, body: {} });
    return true;
  });
}

/**
 * Gives a consumer another secret; deliveries are signed with both for a while. Of a rotation within that while the secret
 * before the one before is at an end. @throws {InputError}; {GateError} `ledger.clear_key`. `null`: there is none.
 */
export async function rotateSecret(
  context: LedgerContext,
  id: string,
  overlapMs = SECRET_OVERLAP_MS,
): Promise<{ readonly secret: string; readonly webhook: Webhook } | null> {
  const row = readId(id);
  if (!Number.isInteger(overlapMs) || overlapMs < 0 || overlapMs > SECRET_OVERLAP_MS_MAX) {
    throw new InputError('overlapMs', 'out_of_range', `expected 0 to ${SECRET_OVERLAP_MS_MAX}`);
  }
  return context.database.transaction(async (session) => {
    const held = await session.query('select secrets, is_sealed from optgate.webhook where id = $1 for update', [row]);
    if (held[0] === undefined) return null;
    const { current } = openSecrets(context, row, held[0]);
    const secret = newSecret(context);
    const { bytes, isSealed } = sealSecrets(context, row, { current: secret, before: current });
    await session.query(
      `update optgate.webhook set secrets = $2, is_sealed = $3, updated_at = clock_timestamp(),
         before_until = clock_timestamp() + $4::float8 * interval '1 millisecond' where id = $1`,
      [row, bytes, isSealed, overlapMs],
    );
    await appendAudit(session, context, { kind: 'webhook.rotated', subject: row, body: { overlapMs } });
    return { secret, webhook: await webhookById(session, row) };
  });
}

/** The secrets to sign with, the newest first. @throws {GateError} `ledger.clear_key`, `ledger.damaged`. */
export async function secretsOf(context: LedgerContext, id: string): Promise<readonly string[]> {
  const [row] = await context.database.query(
    `select secrets, is_sealed, coalesce(before_until > clock_timestamp(), false) as has_before
     from optgate.webhook where id = $1`,
    [id],
  );
  if (row === undefined) return [];
  const { current, before } = openSecrets(context, id, row);
  return before !== null && row.has_before === true ? [current, before] : [current];
}

interface Secrets {
  readonly current: string;
  readonly before: string | null;
}

const secretsSchema = z.strictObject({ current: z.string(), before: z.string().nullable() });

function newSecret({ random }: LedgerContext): string {
  return `${SECRET_PREFIX}${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`;
}

function sealSecrets({ vault }: LedgerContext, id: string, secrets: Secrets) {
  const text = Buffer.from(JSON.stringify(secrets));
  return { isSealed: vault !== null, bytes: vault === null ? text : vault.seal(text, positionOf(id)) };
}

function openSecrets({ vault }: LedgerContext, id: string, row: Row): Secrets {
  const stored = row.secrets as Uint8Array;
  if (row.is_sealed === true && vault === null) throw new GateError('ledger.clear_key', 'secret of a webhook');
  const text = row.is_sealed === true && vault !== null ? vault.open(stored, positionOf(id)) : Buffer.from(stored);
  const result = secretsSchema.safeParse(parsed(text));
  if (!result.success) throw new GateError('ledger.damaged', 'secret of a webhook');
  return result.data;
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return null;
  }
}

function positionOf(id: string) {
  return { requestId: id, table: 'webhook', index: 0 } as const;
}

function readTerms({ vault }: LedgerContext, input: unknown): WebhookTerms {
  const result = webhookTermsSchema.safeParse(input);
  if (!result.success) {
    const [issue] = result.error.issues;
    const [field = 'webhook'] = issue?.path ?? [];
    throw new InputError(String(field), 'malformed', 'expected a webhook as documented');
  }
  const { url, allowPrivate, values } = result.data;
  const target = readTarget(url, allowPrivate);
  if (values && vault === null) throw new InputError('values', 'unknown', 'this ledger keeps no clear values');
  if (values && target.protocol !== 'https:' && !allowPrivate) {
    throw new InputError('values', 'reserved', 'expected https for clear values');
  }
  return { ...result.data, url: target.href, events: [...new Set(result.data.events)] };
}

function readId(id: unknown): string {
  if (typeof id === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) return id;
  throw new InputError('id', 'malformed', 'expected 1 to 64 letters, digits, ".", "_", "-", beginning with no sign');
}

async function webhookById(session: Session, id: string): Promise<Webhook> {
  const webhook = await getWebhook(session, id);
  if (webhook === null) throw new GateError('ledger.damaged', 'a webhook is gone');
  return webhook;
}

const msOf = (column: string) => `round(extract(epoch from ${column}) * 1000)::float8`;

const SELECT_WEBHOOK = `
select webhook.id, url, events, is_enabled, disabled_why, allow_private, with_values, ${msOf('created_at')} as created_ms,
  ${msOf('updated_at')} as updated_ms, case when before_until > clock_timestamp() then ${msOf('before_until')} end as before_ms,
  ${msOf('next_try_at')} as next_ms, last_status, last_reason, ${msOf('last_attempt_at')} as attempt_ms,
  ${msOf('last_delivered_at')} as delivered_ms, behind.count as behind_count, behind.ms as behind_ms,
  (select count(*) from optgate.webhook_delivery as one where one.webhook_id = webhook.id and one.state = 'dead')::float8 as dead_count
from optgate.webhook cross join lateral (
  select count(*)::float8 as count, round(extract(epoch from min(event.at)) * 1000)::float8 as ms
  from optgate.webhook_event as event
  where event.seq > webhook.cursor and ${IS_ASKED_FOR}) as behind`;

function webhookOf(row: Row): Webhook {
  const numberOrNull = (value: unknown) => (value === null ? null : Number(value));
  return {
    id: String(row.id),
    url: String(row.url),
    events: row.events as readonly EventKind[],
    isEnabled: row.is_enabled === true,
    disabledWhy: row.disabled_why as Webhook['disabledWhy'],
    allowPrivate: row.allow_private === true,
    withValues: row.with_values === true,
    createdAtMs: Number(row.created_ms),
    updatedAtMs: Number(row.updated_ms),
    secretBeforeUntilMs: numberOrNull(row.before_ms),
    behindCount: Number(row.behind_count),
    behindSinceMs: numberOrNull(row.behind_ms),
    deadCount: Number(row.dead_count),
    nextTryAtMs: numberOrNull(row.next_ms),
    lastStatus: numberOrNull(row.last_status),
    lastReason: row.last_reason === null ? null : String(row.last_reason),
    lastAttemptAtMs: numberOrNull(row.attempt_ms),
    lastDeliveredAtMs: numberOrNull(row.delivered_ms),
  };
}
