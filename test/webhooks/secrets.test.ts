/**
 * What a ledger that keeps clear values does for webhooks: sealed secrets, clear values for those who are to have them; and
 * gap notices of what was exported before.
 * @module
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { appendIdentifier, createKeyList } from '../../src/core/identity/index.js';
import { KEYS_PER_IDENTIFIER_MAX } from '../../src/core/identity/limits.js';
import { openDatabase } from '../../src/ledger/database.js';
import { exportRunIdOf, type Ledger, openLedger } from '../../src/ledger/index.js';
import { KeyMixer } from '../../src/ledger/keys.js';
import { WebhookDeliverer } from '../../src/webhooks/index.js';
import { dump } from '../ledger/backends.js';
import { BACKENDS, type TestLocation } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { type Receiver, startReceiver } from './receiver.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEY = Buffer.alloc(32, 7);
const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');
let place: TestLocation;
let ledger: Ledger;
let receiver: Receiver;
let deliverer: WebhookDeliverer | null = null;

backend.describe(`clear values on ${backend.name}`, () => {
  beforeAll(async () => {
    place = await backend.create();
    ledger = await openLedger(place.location, { keepClear: { key: KEY } });
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await deliverer?.close();
    deliverer = null;
    for (const { id } of await ledger.webhooks.list()) await ledger.webhooks.remove(id);
    receiver.received.length = 0;
  });
  afterAll(async () => {
    await receiver?.close();
    await ledger?.close();
    await place?.remove();
  });
  const deliver = () => {
    deliverer = new WebhookDeliverer(ledger, { pollMs: 20 }).start();
  };

  test('only who is to have values gets them: of requests and of pages of imports', async () => {
    const terms = { url: receiver.url, allowPrivate: true, events: ['opt_out.recorded', 'import.completed'] as never };
    await ledger.webhooks.put('plain', { ...terms, url: `${receiver.url}?plain` });
    await ledger.webhooks.put('clear', { ...terms, values: true });
    const jane = { kind: 'email', value: 'jane@example.com' } as const;
    const digest = sha256('joe@example.com');
    await ledger.recordOptOut({ identifiers: [jane, { kind: 'account:crm', value: 'customer-1' }], channel: 'api' });
    const listed = [
      { kind: 'email_sha256', value: digest },
      { kind: 'phone', value: '+14155550100' },
      { kind: 'account:crm', value: 'customer-2' },
    ];
    await ledger.importOptOuts(listed);
    deliver();
    await until('four deliveries', () => receiver.received.length >= 4);
    const valuesOf = (isPlain: boolean) =>
      receiver.received
        .filter(({ headers }) => headers['x-optgate-signature'] !== undefined)
        .filter(({ text }) => text.includes('"value"') !== isPlain)
        .map(({ json }) => json.identifiers.map((one: { kind: string; value?: string }) => [one.kind, one.value]));
    expect(valuesOf(false)).toEqual([
      [
        ['email', 'jane@example.com'],
        ['account:crm', 'customer-1'],
      ],
      [
        ['email_sha256', undefined],
        ['phone', '+14155550100'],
        ['account:crm', 'customer-2'],
      ],
    ]);
    expect(valuesOf(true)).toHaveLength(2);
    for (const { text } of receiver.received.filter(({ text }) => !text.includes('"value"'))) {
      expect(text).not.toMatch(/jane|415555|customer-/);
    }
  });

  test('a secret is sealed in the database, and without the key nothing is sent', async () => {
    const { secret } = await ledger.webhooks.put('sealed', { url: receiver.url, allowPrivate: true });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9_-]{43}$/);
    expect((await dump(place.location)).includes(secret ?? 'x')).toBe(false);
    expect((await ledger.webhooks.put('sealed', { url: receiver.url, allowPrivate: true })).secret).toBeNull();
    const keyless = await openLedger(place.location);
    await expect(keyless.webhooks.secretsOf('sealed')).rejects.toMatchObject({ code: 'ledger.clear_key' });
    await expect(keyless.webhooks.rotate('sealed')).rejects.toMatchObject({ code: 'ledger.clear_key' });
    const values = { url: receiver.url, allowPrivate: true, values: true };
    await expect(keyless.webhooks.put('new', values)).rejects.toMatchObject({ field: 'values' });
    await keyless.close();
    const inClear = { url: 'http://crm.example.com/', values: true };
    await expect(ledger.webhooks.put('new', inClear)).rejects.toMatchObject({ field: 'values', code: 'reserved' });
  });

  test('a secret of a ledger without a key stands in the database, as is documented', async () => {
    const keyless = await openLedger(place.location);
    const { secret } = await keyless.webhooks.put('open', { url: receiver.url, allowPrivate: true });
    expect((await dump(place.location)).includes(secret ?? 'x')).toBe(true);
    expect(await ledger.webhooks.secretsOf('open')).toEqual([secret]);
    await ledger.webhooks.rotate('open', 0); // and is sealed from the next rotation on
    expect((await dump(place.location)).includes(secret ?? 'x')).toBe(false);
    await keyless.close();
  });

  test('a destination that was sent the person is to be told, with the digests it received', async () => {
    await ledger.webhooks.put('crm', { url: receiver.url, allowPrivate: true, events: ['gap_notice.due'] });
    const value = sha256('sent@example.com');
    const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
    appendIdentifier(keys, { kind: 'email_sha256', value });
    const mixer = new KeyMixer((await ledger.head()).seed);
    const [fingerprint = 0n] = mixer.keysOf({ words: keys.words, count: 1 });
    const atMs = Date.now() - 3_600_000;
    const run = {
      ...{ runId: exportRunIdOf(Buffer.alloc(16, 1)), destination: 'acme', purpose: 'audience' as const },
      ...{ rights: ['sale'] as const, startedAtMs: atMs, finishedAtMs: atMs, manifest: { version: 1 } },
    };
    await ledger.recordExport(run, [BigInt64Array.of(fingerprint)]);
    const { requestId } = await ledger.recordOptOut({
      identifiers: [{ kind: 'email', value: 'Sent@Example.com' }],
      channel: 'web_form',
    });
    await ledger.recordOptOut({ identifiers: [{ kind: 'email', value: 'other@example.com' }], channel: 'web_form' });
    deliver();
    await until('the notice', () => receiver.received.length >= 1);
    const time = new Date(atMs).toISOString();
    expect(receiver.received[0]?.json).toMatchObject({
      ...{ event: 'gap_notice.due', destination: 'acme', request: { id: requestId } },
      notices: [
        {
          ...{ kind: 'email_sha256', digests: [{ kind: 'email_sha256', hex: value }] },
          ...{ sentFirst: time, sentLast: time, sentAfterRequest: false },
        },
      ],
    });
    await until('all of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
    expect(receiver.received).toHaveLength(1);
    expect((await dump(place.location)).includes(value)).toBe(true);
    await ledger.erase(requestId);
    expect((await dump(place.location)).includes(value)).toBe(false);
    await ledger.webhooks.replay('crm', { kind: 'event', eventId: receiver.received[0]?.json.id });
    await until('it again', () => receiver.received.length >= 2);
    expect(receiver.received[1]?.json.notices).toEqual([]);
  });

  test('ids, and how many there may be', async () => {
    for (const id of ['', '-x', 'a b', '../x', 'é', 'x'.repeat(65)]) {
      await expect(ledger.webhooks.put(id, { url: receiver.url, allowPrivate: true })).rejects.toMatchObject({
        field: 'id',
      });
    }
    for (let n = 0; n < 50; n++) await ledger.webhooks.put(`w${n}`, { url: receiver.url, allowPrivate: true });
    const more = ledger.webhooks.put('w50', { url: receiver.url, allowPrivate: true });
    await expect(more).rejects.toMatchObject({ field: 'id', code: 'too_many' });
  });

  test('old events go when everybody is done with them, and numbers go on', async () => {
    await ledger.webhooks.put('crm', { url: receiver.url, allowPrivate: true, events: ['opt_out.recorded'] });
    const optOut = (name: string) =>
      ledger.recordOptOut({ identifiers: [{ kind: 'email', value: `${name}@example.com` }], channel: 'api' });
    for (const name of ['p1', 'p2', 'p3']) await optOut(name);
    deliver();
    await until('three', () => receiver.received.length >= 3);
    await until('all of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
    await deliverer?.close();
    await optOut('p4');
    const database = await openDatabase(place.location);
    await database.query(`update optgate.webhook_event set at = at - interval '31 days'`);
    const lead = await ledger.webhooks.lead();
    await lead?.number();
    expect(await lead?.prune()).toBeGreaterThanOrEqual(3);
    await lead?.close();
    const left = await database.query('select seq from optgate.webhook_event order by seq');
    await database.close();
    expect(left).toHaveLength(1); // p4 is not delivered yet
    deliver();
    await until('p4', () => receiver.received.length >= 4);
    await optOut('p5');
    await until('p5', () => receiver.received.length >= 5);
    const seqs = receiver.received.map(({ json }) => json.seq as number);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(5);
  });
});
