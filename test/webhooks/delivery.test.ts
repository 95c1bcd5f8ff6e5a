/**
 * From a write of the ledger to a signed request at a consumer, on both databases.
 * @module
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { type DelivererOptions, WebhookDeliverer } from '../../src/webhooks/index.js';
import { BACKENDS, type TestLocation } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { answerWith, type Receiver, signed, startReceiver } from './receiver.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const email = (name: string) => ({ kind: 'email' as const, value: `${name}@example.com` });
const FAST: DelivererOptions = { pollMs: 20, contendMs: 20, forceEveryMs: 20, retryBaseMs: 1, retryCapMs: 1 };

for (const backend of BACKENDS) {
  backend.describe(`delivery on ${backend.name}`, () => {
    let place: TestLocation;
    let ledger: Ledger;
    let receiver: Receiver;
    const running: WebhookDeliverer[] = [];
    const failures: Error[] = [];
    const deliver = (options: DelivererOptions = {}) => {
      const deliverer = new WebhookDeliverer(ledger, { ...FAST, ...options }).start();
      deliverer.on('failure', (error) => failures.push(error));
      running.push(deliverer);
      return deliverer;
    };
    const optOut = (name: string) => ledger.recordOptOut({ identifiers: [email(name)], channel: 'web_form' });
    const add = async (id: string, more: object = {}) =>
      (await ledger.webhooks.put(id, { url: receiver.url, allowPrivate: true, ...more })).secret ?? '';
    const received = (count: number) => until(`${count} deliveries`, () => receiver.received.length >= count);

    beforeAll(async () => {
      place = await backend.create();
      ledger = await openLedger(place.location);
    });
    afterEach(async () => {
      for (const one of running.splice(0)) await one.close();
      expect(failures.splice(0)).toEqual([]);
      for (const { id } of await ledger.webhooks.list()) await ledger.webhooks.remove(id);
      await receiver?.close();
    });
    afterAll(async () => {
      await ledger?.close();
      await place?.remove();
    });

    test('an opt-out is sent once, signed, with digests and nothing in clear', async () => {
      receiver = await startReceiver();
      const secret = await add('crm');
      const { requestId, receivedAtMs } = await optOut('jane');
      deliver();
      await received(1);
      const [one] = receiver.received;
      if (one === undefined) throw new Error('unreachable');
      expect(one.headers['x-optgate-signature']).toBe(signed(secret, one));
      expect(one.headers['x-optgate-event']).toBe('opt_out.recorded');
      expect(one.headers['x-optgate-event-id']).toBe(one.json.id);
      expect(one.json).toMatchObject({
        event: 'opt_out.recorded',
        request: { id: requestId, channel: 'web_form', receivedAt: new Date(receivedAtMs).toISOString() },
      });
      expect(one.json.request.rights).toContain('sale');
      expect(one.json.identifiers).toEqual([
        { kind: 'email', digests: expect.arrayContaining([{ kind: 'email_sha256', hex: sha256('jane@example.com') }]) },
      ]);
      expect(one.text).not.toContain('jane');
      await until('the place of the cursor', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      expect(await ledger.webhooks.deliveries('crm')).toMatchObject([{ state: 'delivered', attemptCount: 1 }]);
      expect(receiver.received).toHaveLength(1);
    });

    test('what fails is sent again, and those behind it wait: the order stays', async () => {
      receiver = await startReceiver((_, response, index) => void response.writeHead(index < 3 ? 503 : 200).end());
      await add('crm');
      const requests = [await optOut('a'), await optOut('b'), await optOut('c')].map(({ requestId }) => requestId);
      deliver();
      await received(6);
      const seen = receiver.received.map(({ json }) => json.request.id);
      expect(seen).toEqual([requests[0], requests[0], requests[0], ...requests]);
      const ids = new Set(receiver.received.map(({ json }) => json.id));
      expect(ids.size).toBe(3);
    });

    test('after the last attempt it is dead, the next goes on, and a replay brings it back', async () => {
      receiver = await startReceiver((one, response) => {
        response.writeHead(one.json.request.id === bad ? 500 : 200).end();
      });
      await add('crm');
      let bad: string | null = (await optOut('dead')).requestId;
      const { requestId: good } = await optOut('alive');
      deliver({ attemptsMax: 3 });
      await received(4);
      expect(receiver.received.map(({ json }) => json.request.id)).toEqual([bad, bad, bad, good]);
      await until('the end of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      expect(await ledger.webhooks.deliveries('crm', { state: 'dead' })).toMatchObject([
        { attemptCount: 3, lastStatus: 500, reason: 'status' },
      ]);
      const again = bad;
      bad = null;
      expect(await ledger.webhooks.replay('crm', { kind: 'dead' })).toBe(1);
      await received(5);
      expect(receiver.received[4]?.json.request.id).toBe(again);
      await until('no dead one', async () => (await ledger.webhooks.get('crm'))?.deadCount === 0);
    });

    test('410 switches the consumer off and keeps its place', async () => {
      receiver = await startReceiver(answerWith(410));
      await add('crm');
      await optOut('gone');
      deliver();
      await until('it is off', async () => (await ledger.webhooks.get('crm'))?.disabledWhy === 'gone');
      receiver.answer(answerWith(200));
      await add('crm');
      await received(2);
      expect(receiver.received[1]?.json.id).toBe(receiver.received[0]?.json.id);
    });
  });
}
