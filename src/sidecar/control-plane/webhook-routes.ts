/**
 * Webhooks: who is told of events, what became of them, and sending them again (docs/webhooks.md).
 *
 * A secret is in the answer that made it, and in no other.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { DeliveryState, Ledger, Replay, Webhook } from '../../ledger/index.js';
import { DELIVERIES_PER_READ_MAX } from '../../ledger/webhooks/limits.js';
import { checkTarget, sendTest } from '../../webhooks/index.js';
import { INPUT_CODES, ProblemError } from './problems.js';
import { type Parameter, type Route, route } from './route.js';
import type { Body } from './schemas.js';
import { deliveryAnswer, webhookAnswer } from './webhook-schemas.js';

const PATH = '/v1/webhooks/{id}';
const DELIVERY_QUERY: readonly Parameter[] = [
  { in: 'query', name: 'state', description: 'waiting, delivered, dead or queued.', schema: { type: 'string' } },
  { in: 'query', name: 'before', description: 'Older ones than this seq.', schema: { type: 'integer', minimum: 0 } },
  {
    in: 'query',
    name: 'limit',
    description: 'Most of them. Default: 100.',
    schema: { type: 'integer', minimum: 1, maximum: DELIVERIES_PER_READ_MAX },
  },
];

export function webhookRoutes(): readonly Route[] {
  return [...readingRoutes(), ...writingRoutes(), ...sendingRoutes()];
}

function readingRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'listWebhooks',
      method: 'get',
      path: '/v1/webhooks',
      summary: 'All webhooks, by id, and how far each is.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'All of them.', body: 'Webhooks' } },
      problems: [],
      needs: 'ledger',
      handle: async ({ ledger }) => ({
        status: 200,
        body: { webhooks: (await ledger.webhooks.list()).map(webhookAnswer) },
      }),
    }),
    route({
      operationId: 'getWebhook',
      method: 'get',
      path: PATH,
      summary: 'One webhook, and how far it is. Without its secret.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'The webhook.', body: 'Webhook' } },
      problems: ['webhook.unknown'],
      needs: 'ledger',
      handle: async ({ id, ledger }) => ({ status: 200, body: webhookAnswer(await known(ledger, id)) }),
    }),
    route({
      operationId: 'listDeliveries',
      method: 'get',
      path: `${PATH}/deliveries`,
      summary: 'What became of events for a webhook, the newest first.',
      roles: ['operator', 'auditor'],
      parameters: DELIVERY_QUERY,
      body: null,
      answers: { 200: { description: 'Some of them.', body: 'WebhookDeliveries' } },
      problems: [...INPUT_CODES, 'webhook.unknown'],
      needs: 'ledger',
      async handle({ id, query, ledger }) {
        await known(ledger, id);
        const deliveries = await ledger.webhooks.deliveries(id, {
          state: query.get('state') as DeliveryState | undefined,
          before: numberOf(query, 'before'),
          limit: numberOf(query, 'limit'),
        });
        return { status: 200, body: { deliveries: deliveries.map(deliveryAnswer) } };
      },
    }),
  ];
}

function writingRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'putWebhook',
      method: 'put',
      path: PATH,
      summary: 'Adds a webhook, which is told of what happens from now on, or changes one. Its secret stays.',
      roles: ['operator'],
      body: 'WebhookTerms',
      answers: {
        200: { description: 'Changed.', body: 'Webhook' },
        201: { description: 'Added.', body: 'NewWebhook', headers: { Location: 'The webhook.' } },
      },
      problems: INPUT_CODES,
      needs: 'ledger',
      async handle({ id, body, ledger }) {
        await checkTarget(body.url, body.allowPrivate);
        const { webhook, secret } = await ledger.webhooks.put(id, body);
        if (secret === null) return { status: 200, body: webhookAnswer(webhook) };
        const headers = { location: `/v1/webhooks/${encodeURIComponent(id)}` };
        return { status: 201, body: { ...webhookAnswer(webhook), secret }, headers };
      },
    }),
    route({
      operationId: 'removeWebhook',
      method: 'delete',
      path: PATH,
      summary: 'Removes a webhook, and what is known of its deliveries.',
      roles: ['operator'],
      body: null,
      answers: { 204: { description: 'Removed.', body: null } },
      problems: ['webhook.unknown'],
      needs: 'ledger',
      async handle({ id, ledger }) {
        await known(ledger, id);
        await ledger.webhooks.remove(id);
        return { status: 204 };
      },
    }),
    route({
      operationId: 'rotateWebhook',
      method: 'post',
      path: `${PATH}/rotate`,
      summary: 'Gives a webhook another secret; deliveries are signed with both for a while.',
      roles: ['operator'],
      body: 'WebhookRotation',
      answers: { 200: { description: 'The new secret.', body: 'NewWebhook' } },
      problems: [...INPUT_CODES, 'webhook.unknown'],
      needs: 'ledger',
      async handle({ id, body: { overlapSeconds }, ledger }) {
        await known(ledger, id);
        const rotated = await ledger.webhooks.rotate(
          id,
          overlapSeconds === undefined ? undefined : overlapSeconds * 1000,
        );
        if (rotated === null) throw new ProblemError('webhook.unknown');
        return { status: 200, body: { ...webhookAnswer(rotated.webhook), secret: rotated.secret } };
      },
    }),
  ];
}

function sendingRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'testWebhook',
      method: 'post',
      path: `${PATH}/test`,
      summary: 'Sends a signed event that tells of nothing, now, and says what was answered.',
      roles: ['operator'],
      body: null,
      answers: { 200: { description: 'What became of it, also where nobody answered.', body: 'WebhookTest' } },
      problems: ['webhook.unknown'],
      needs: 'ledger',
      isRateLimited: true,
      isWaiting: true,
      async handle({ id, signal, ledger }) {
        await known(ledger, id);
        const result = await sendTest(ledger, id, { signal });
        if (result === null) throw new ProblemError('webhook.unknown');
        const { isDelivered, ...same } = result;
        return { status: 200, body: { ...same, delivered: isDelivered } };
      },
    }),
    route({
      operationId: 'replayWebhook',
      method: 'post',
      path: `${PATH}/replay`,
      summary: 'Sends events again: all dead ones, or everything from an event or a moment on.',
      roles: ['operator'],
      body: 'WebhookReplay',
      answers: { 200: { description: 'They are sent (again), in order.', body: 'WebhookReplayed' } },
      problems: [...INPUT_CODES, 'webhook.unknown'],
      needs: 'ledger',
      async handle({ id, body, ledger }) {
        const what = replayOf(body);
        await known(ledger, id);
        return { status: 200, body: { eventCount: await ledger.webhooks.replay(id, what) } };
      },
    }),
  ];
}

/** The webhook with an id; one that cannot be an id is that of none. Throws a ProblemError. */
async function known(ledger: Ledger, id: string): Promise<Webhook> {
  const webhook = await ledger.webhooks.get(id).catch((error: unknown) => {
    if (error instanceof InputError) return null;
    throw error;
  });
  if (webhook === null) throw new ProblemError('webhook.unknown');
  return webhook;
}

/** Throws an InputError. */
function replayOf({ dead, eventId, since }: Body<'WebhookReplay'>): Replay {
  const given = [dead, eventId, since].filter((one) => one !== undefined);
  if (given.length !== 1) throw new InputError('dead', 'required', 'expected one of dead, eventId and since');
  if (eventId !== undefined) return { kind: 'event', eventId };
  return since === undefined ? { kind: 'dead' } : { kind: 'since', sinceMs: Date.parse(since) };
}

/** Throws an InputError. */
function numberOf(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new InputError(name, 'malformed', 'expected a whole number');
  return Number(text);
}
