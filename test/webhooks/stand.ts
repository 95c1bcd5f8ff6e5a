/**
 * A ledger, a consumer, and deliverers that are closed after each test.
 * @module
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { appendIdentifier, createKeyList } from '../../src/core/identity/index.js';
import { KEYS_PER_IDENTIFIER_MAX } from '../../src/core/identity/limits.js';
import { exportRunIdOf, type Ledger, type LedgerOptions, openLedger } from '../../src/ledger/index.js';
import { KeyMixer } from '../../src/ledger/keys.js';
import { type Attempt, type DelivererOptions, WebhookDeliverer } from '../../src/webhooks/index.js';
import type { Backend, TestLocation } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { type Receiver, startReceiver } from './receiver.js';

export const FAST: DelivererOptions = { pollMs: 20, contendMs: 20, forceEveryMs: 20, retryBaseMs: 1, retryCapMs: 1 };

export const email = (name: string) => ({ kind: 'email' as const, value: `${name}@example.com` });

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Says of a person that an export to `acme` held them an hour ago, by the digest of their address. */
export async function exportPerson(ledger: Ledger, name: string, runNumber: number): Promise<void> {
  const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
  appendIdentifier(keys, { kind: 'email_sha256', value: sha256(email(name).value) });
  const [fingerprint = 0n] = new KeyMixer((await ledger.head()).seed).keysOf({ words: keys.words, count: 1 });
  const atMs = Date.now() - 3_600_000;
  const run = {
    ...{ runId: exportRunIdOf(Buffer.alloc(16, runNumber)), destination: 'acme', purpose: 'audience' as const },
    ...{ rights: ['sale'] as const, startedAtMs: atMs, finishedAtMs: atMs, manifest: { version: 1 } },
  };
  await ledger.recordExport(run, [BigInt64Array.of(fingerprint)]);
}

/** Call it in a `describe`: what it gives is there in tests. */
export function useStand(backend: Backend, options: LedgerOptions = {}) {
  const running: WebhookDeliverer[] = [];
  const stand = {
    place: undefined as unknown as TestLocation,
    ledger: undefined as unknown as Ledger,
    receiver: undefined as unknown as Receiver,
    /** What deliverers said has failed. A test that expects some takes them out. */
    failures: [] as Error[],
    attempts: [] as Attempt[],
    deliver: (more: DelivererOptions = {}) => {
      const deliverer = new WebhookDeliverer(stand.ledger, { ...FAST, ...more }).start();
      deliverer.on('failure', (error) => stand.failures.push(error));
      deliverer.on('attempt', (attempt) => stand.attempts.push(attempt));
      running.push(deliverer);
      return deliverer;
    },
    stop: async () => {
      for (const one of running.splice(0)) await one.close();
    },
    add: async (id: string, more: object = {}) =>
      (await stand.ledger.webhooks.put(id, { url: stand.receiver.url, allowPrivate: true, ...more })).secret ?? '',
    optOut: (name: string) => stand.ledger.recordOptOut({ identifiers: [email(name)], channel: 'web_form' }),
    received: (count: number) => until(`${count} deliveries`, () => stand.receiver.received.length >= count),
    /** So many events are delivered or dead. */
    done: (id: string, count: number) =>
      until(`${count} events of ${id} are done with`, async () => {
        const all = await stand.ledger.webhooks.deliveries(id);
        return all.filter(({ state }) => state === 'delivered' || state === 'dead').length >= count;
      }),
    /** Everything that has its place is done with. */
    caughtUp: (id: string) =>
      until(`${id} has had everything`, async () => (await stand.ledger.webhooks.get(id))?.behindCount === 0),
  };
  beforeAll(async () => {
    stand.place = await backend.create();
    stand.ledger = await openLedger(stand.place.location, options);
    stand.receiver = await startReceiver();
  });
  afterEach(async () => {
    await stand.stop();
    for (const { id } of await stand.ledger.webhooks.list()) await stand.ledger.webhooks.remove(id);
    stand.receiver.answer((_, response) => void response.writeHead(204).end());
    stand.receiver.received.length = 0;
    stand.attempts.length = 0;
    expect(stand.failures.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await stand.receiver?.close();
    await stand.ledger?.close();
    await stand.place?.remove();
  });
  return stand;
}
