/**
 * A delivery that tells of nothing, made at once and outside the order of events: does the consumer answer, and to whom?
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Ledger } from '../ledger/index.js';
import { ATTEMPT_MS_MAX } from './limits.js';
import { type Lookup, post } from './post.js';
import { deliveryHeaders } from './signature.js';

export const TEST_KIND = 'webhook.test';

export interface TestResult {
  readonly eventId: string;
  readonly isDelivered: boolean;
  /** `null`: there was no answer. */
  readonly status: number | null;
  /** Why not, in a word. */
  readonly reason: string | null;
  readonly durationMs: number;
}

export interface TestOptions {
  readonly attemptMsMax?: number;
  readonly now?: () => number;
  readonly lookup?: Lookup;
  readonly signal?: AbortSignal;
}

/** The audit trail has it before it is sent. `null`: there is no such webhook. @throws {GateError} `ledger.clear_key`. */
export async function sendTest(
  { audit, webhooks }: Pick<Ledger, 'audit' | 'webhooks'>,
  id: string,
  { attemptMsMax = ATTEMPT_MS_MAX, now = Date.now, lookup, signal }: TestOptions = {},
): Promise<TestResult | null> {
  const webhook = await webhooks.get(id);
  if (webhook === null) return null;
  const eventId = randomUUID();
  const body = JSON.stringify({ id: eventId, event: TEST_KIND, at: new Date(now()).toISOString() });
  const headers = deliveryHeaders({ kind: TEST_KIND, eventId }, await webhooks.secretsOf(id), now(), body);
  const { url, allowPrivate } = webhook;
  await audit.append({ kind: 'webhook.tested', subject: id, body: { eventId, host: new URL(url).host } });
  const startMs = performance.now();
  const result = await post({ url, allowPrivate, headers, body, attemptMsMax, lookup, signal, now });
  const status = result.kind === 'answered' ? result.status : null;
  const isDelivered = status !== null && status >= 200 && status < 300;
  const reason = isDelivered ? null : result.kind === 'failed' ? result.reason : 'status';
  return { eventId, isDelivered, status, reason, durationMs: Math.round(performance.now() - startMs) };
}
