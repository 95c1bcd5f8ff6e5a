/**
 * The bodies of webhooks, in and out.
 * @module
 */
import { z } from 'zod';
import { DELIVERY_STATES, EVENT_KINDS, type Webhook, webhookTermsSchema } from '../../ledger/index.js';
import type { Delivery } from '../../ledger/webhooks/deliveries.js';
import { SECRET_OVERLAP_MS, SECRET_OVERLAP_MS_MAX } from '../../ledger/webhooks/limits.js';

const moment = z.iso.datetime({ offset: true });
const time = z.iso.datetime();
const count = z.int().min(0);
const status = z.int().nullable().describe('HTTP status; null: there was no answer.');
const reason = z
  .string()
  .nullable()
  .describe('address, name, timeout, tls, connection, status, damaged, key or secret; null: nothing failed.');

export const WEBHOOK_BODIES = {
  WebhookTerms: webhookTermsSchema,
  WebhookReplay: z.strictObject({
    dead: z.literal(true).optional().describe('All dead ones.'),
    eventId: z.uuid().optional().describe('From this event on.'),
    since: moment.optional().describe('From this moment on.'),
  }),
  WebhookRotation: z.strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(SECRET_OVERLAP_MS_MAX / 1000)
      .optional()
      .describe(`How long deliveries are signed with the secret before, too. Default: ${SECRET_OVERLAP_MS / 1000}.`),
  }),
} as const;

const webhook = z.strictObject({
  id: z.string(),
  url: z.string(),
  events: z.array(z.enum(EVENT_KINDS)),
  enabled: z.boolean(),
  disabledWhy: z.enum(['operator', 'gone']).nullable().describe('gone: it answered 410.'),
  allowPrivate: z.boolean(),
  values: z.boolean(),
  createdAt: time,
  updatedAt: time,
  secretBeforeUntil: time.nullable().describe('Until when deliveries are signed with the secret before, too.'),
  behindCount: count.describe('Events that are not done with.'),
  behindSince: time.nullable().describe('When the oldest of them was recorded.'),
  deadCount: count,
  nextTryAt: time.nullable(),
  lastStatus: status,
  lastReason: reason,
  lastAttemptAt: time.nullable(),
  lastDeliveredAt: time.nullable(),
});

export const WEBHOOK_ANSWERS = {
  Webhook: webhook,
  NewWebhook: webhook.extend({ secret: z.string().describe('What deliveries are signed with; shown once.') }),
  Webhooks: z.strictObject({ webhooks: z.array(webhook) }),
  WebhookTest: z.strictObject({ eventId: z.string(), delivered: z.boolean(), status, reason, durationMs: z.number() }),
  WebhookDeliveries: z.strictObject({
    deliveries: z.array(
      z.strictObject({
        seq: count,
        eventId: z.string(),
        event: z.enum(EVENT_KINDS),
        at: time,
        state: z.enum(DELIVERY_STATES),
        attemptCount: count,
        lastStatus: status,
        reason,
        firstAt: time,
        lastAt: time,
      }),
    ),
  }),
  WebhookReplayed: z.strictObject({ eventCount: count }),
} as const;

export function webhookAnswer({
  isEnabled,
  withValues,
  createdAtMs,
  updatedAtMs,
  secretBeforeUntilMs,
  behindSinceMs,
  nextTryAtMs,
  lastAttemptAtMs,
  lastDeliveredAtMs,
  events,
  ...same
}: Webhook): z.output<typeof webhook> {
  return {
    ...same,
    events: [...events],
    enabled: isEnabled,
    values: withValues,
    createdAt: timeOf(createdAtMs),
    updatedAt: timeOf(updatedAtMs),
    secretBeforeUntil: timeOrNull(secretBeforeUntilMs),
    behindSince: timeOrNull(behindSinceMs),
    nextTryAt: timeOrNull(nextTryAtMs),
    lastAttemptAt: timeOrNull(lastAttemptAtMs),
    lastDeliveredAt: timeOrNull(lastDeliveredAtMs),
  };
}

export function deliveryAnswer({ kind, atMs, firstAtMs, lastAtMs, ...same }: Delivery) {
  return { ...same, event: kind, at: timeOf(atMs), firstAt: timeOf(firstAtMs), lastAt: timeOf(lastAtMs) };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : timeOf(ms);
}
