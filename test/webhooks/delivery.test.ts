/**
 * From a write of the ledger to a signed request at a consumer, on both databases.
 * @module
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { EVENT_IDENTIFIERS_MAX } from '../../src/ledger/webhooks/limits.js';
import { type DelivererOptions, WebhookDeliverer } from '../../src/webhooks/index.js';
import { BACKENDS, type TestLocation } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { answerWith, type Received, type Receiver, signed, startReceiver } from './receiver.js';

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
    const deliver = (options: DelivererOptions = {}, own: Ledger = ledger) => {
      const deliverer = new WebhookDeliverer(own, { ...FAST, ...options }).start();
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

    test('after so many refusals it is dead, the next goes on, and a replay brings it back', async () => {
      receiver = await startReceiver((one, response) => {
        response.writeHead(one.json.request.id === bad ? 422 : 200).end();
      });
      await add('crm');
      let bad: string | null = (await optOut('dead')).requestId;
      const { requestId: good } = await optOut('alive');
      deliver({ attemptsMax: 3 });
      await received(4);
      expect(receiver.received.map(({ json }) => json.request.id)).toEqual([bad, bad, bad, good]);
      await until('the end of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      expect(await ledger.webhooks.deliveries('crm', { state: 'dead' })).toMatchObject([
        { attemptCount: 3, lastStatus: 422, reason: 'status' },
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

    test('what is done to a consumer is in the audit trail, without its secret and the path of its URL', async () => {
      receiver = await startReceiver(answerWith(410));
      const secret = await add('audited', { url: `${receiver.url}/token-of-theirs` });
      await optOut('audit');
      deliver();
      await until('it is off', async () => (await ledger.webhooks.get('audited'))?.disabledWhy === 'gone');
      receiver.answer(answerWith(204));
      await add('audited');
      await ledger.actingAs({ role: 'operator', name: 'jane', via: 'http' }).webhooks.rotate('audited');
      await ledger.webhooks.replay('audited', { kind: 'dead' });
      await ledger.webhooks.remove('audited');
      const database = await openDatabase(place.location).catch(() => null); // a folder has one process
      if (database === null) return;
      const rows = await database.query(
        `select kind, actor_name, body from optgate.audit_entry where subject = 'audited' order by id`,
      );
      await database.close();
      expect(rows.map(({ kind, actor_name }) => [kind, actor_name])).toEqual([
        ['webhook.added', null],
        ['webhook.disabled', null],
        ['webhook.changed', null],
        ['webhook.rotated', 'jane'],
        ['webhook.replayed', null],
        ['webhook.removed', null],
      ]);
      expect(JSON.stringify(rows)).not.toMatch(new RegExp(`token-of-theirs|${secret}`));
    });

    test('of several processes one sends, and another takes over when it goes', async () => {
      receiver = await startReceiver();
      await add('crm');
      // a folder has one process
      const others =
        backend.name === 'pglite' ? [] : [await openLedger(place.location), await openLedger(place.location)];
      const all = [deliver(), ...others.map((other) => deliver({}, other))];
      const first = await until('a leader', () => all.find(({ isLeading }) => isLeading));
      for (let n = 0; n < 20; n++) await optOut(`many-${n}`);
      await received(20);
      await first.close();
      await optOut('after');
      if (others.length === 0) all.push(deliver());
      await received(21);
      const ids = receiver.received.map(({ json }) => json.id);
      expect(new Set(ids).size).toBe(ids.length);
      const seqs = receiver.received.map(({ json }) => json.seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
      for (const one of all) await one.close();
      for (const other of others) await other.close();
    });

    test('an opt-out and an opt-in that race: the last event says what is in force', async () => {
      receiver = await startReceiver();
      await add('crm', { events: ['opt_out.recorded', 'opt_in.confirmed'] });
      deliver();
      const other = backend.name === 'pglite' ? ledger : await openLedger(place.location);
      const rounds = backend.name === 'pglite' ? 4 : 15; // in a folder one waits for the other anyway
      for (let round = 0; round < rounds; round++) {
        const count = receiver.received.length;
        await optOut('racer');
        const { requestId, confirmation } = await ledger.recordOptIn({ identifiers: [email('racer')], channel: 'api' });
        const [confirmed] = await Promise.allSettled([
          ledger.confirmOptIn(requestId, confirmation ?? ''),
          other.recordOptOut({ identifiers: [email('racer')], channel: 'phone' }),
        ]);
        await received(count + (confirmed.status === 'fulfilled' ? 3 : 2));
        const isIn = receiver.received.at(-1)?.json.event === 'opt_out.recorded';
        expect((await ledger.statusOf(email('racer'))).rights.length > 0).toBe(isIn);
      }
      if (other !== ledger) await other.close();
    });

    test('a request that is not recorded, or was before, is not told of', async () => {
      receiver = await startReceiver();
      await add('crm');
      const request = { identifiers: [email('once')], channel: 'api' as const, idempotencyKey: `key-${backend.name}` };
      await ledger.recordOptOut(request);
      await ledger.recordOptOut(request);
      await expect(ledger.recordOptOut({ ...request, channel: 'phone' })).rejects.toThrow('idempotency');
      await optOut('last');
      deliver();
      await received(2);
      await until('all of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      expect(receiver.received).toHaveLength(2);
    });

    test('each consumer is told of its kinds only, and one that fails does not hold the other up', async () => {
      receiver = await startReceiver(answerWith(500));
      const other = await startReceiver();
      await add('bad');
      await add('good', { url: other.url, events: ['opt_in.confirmed', 'destination.changed'] });
      await optOut('kinds');
      const asked = await ledger.recordOptIn({ identifiers: [email('kinds')], channel: 'web_form' });
      await ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '');
      await ledger.putDestination({ id: 'acme' });
      await ledger.putDestination({ id: 'acme', role: 'contractor' });
      await ledger.removeDestination('acme');
      deliver({ retryBaseMs: 60_000, retryCapMs: 60_000 });
      await until('four', () => other.received.length >= 4);
      expect(other.received.map(({ json }) => [json.event, json.remaining, json.change])).toEqual([
        ['opt_in.confirmed', [], undefined],
        ['destination.changed', undefined, 'added'],
        ['destination.changed', undefined, 'replaced'],
        ['destination.changed', undefined, 'removed'],
      ]);
      expect(other.received[0]?.json.identifiers[0].digests).toContainEqual({
        kind: 'email_sha256',
        hex: sha256('kinds@example.com'),
      });
      expect(receiver.received).toHaveLength(1);
      await other.close();
    });

    test('an import is told of in pages, each identifier with what is in force on it', async () => {
      receiver = await startReceiver();
      await add('crm', { events: ['import.completed'] });
      const count = EVENT_IDENTIFIERS_MAX * 2 + 5;
      const rows = Array.from({ length: count }, (_, n) => ({
        ...email(`row-${n}`),
        rights: n === 7 ? (['sale'] as const) : undefined,
      }));
      const { requestId } = await ledger.importOptOuts(rows as never, { channel: 'drop', batchRows: 600 });
      const asked = await ledger.recordOptIn({ identifiers: [email('row-3')], channel: 'web_form' });
      await ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '');
      await ledger.importOptOuts([{ kind: 'email', value: 'nobody' }]);
      deliver();
      await received(expectedPages(count).length);
      const pages = receiver.received.map(({ json }) => json);
      expect(pages.map(({ page, identifiers }) => [page.index, page.count, identifiers.length])).toEqual(
        expectedPages(count),
      );
      expect(new Set(pages.slice(0, -1).map(({ request }) => request.id))).toEqual(new Set([requestId]));
      const all = pages.flatMap(({ identifiers }) => identifiers);
      const rightsOf = (n: number) =>
        all.find(({ digests }) => digests.some(({ hex }: { hex: string }) => hex === sha256(`row-${n}@example.com`)))
          ?.rights;
      expect([rightsOf(3), rightsOf(7), rightsOf(count - 1)?.length]).toEqual([[], ['sale'], 7]);
    });

    test('in force everywhere: when the last enforcer that was there has said so', async () => {
      receiver = await startReceiver();
      await add('crm', { events: ['opt_out.in_force'] });
      const report = (id: string, position: object | null) =>
        ledger.ack({
          ...{ id, name: id, role: 'sidecar', version: '1', leaseMs: 60_000, position: position as never },
          ...{ appliedAgeMs: 0, state: 'live', isLeaving: false },
        });
      await report('one', null);
      await report('two', null);
      const { requestId, token } = await optOut('everywhere');
      const at = (token ?? '').lastIndexOf('.');
      const position = { epoch: (token ?? '').slice(0, at), seq: Number((token ?? '').slice(at + 1)) };
      await report('one', position);
      deliver();
      await ledger.webhooks.list();
      await new Promise((resolve) => setTimeout(resolve, 200)); // many looks; none may find it
      expect(receiver.received).toHaveLength(0);
      await report('two', position);
      await received(1);
      const { inForceEverywhereAtMs } = await ledger.propagation(requestId);
      expect(receiver.received[0]?.json).toMatchObject({ event: 'opt_out.in_force', request: { id: requestId } });
      expect(Math.abs(Date.parse(receiver.received[0]?.json.inForceAt) - (inForceEverywhereAtMs ?? 0))).toBeLessThan(2);
      for (const id of ['one', 'two']) await ledger.retireEnforcer(id);
    });

    test('a rotation signs with both; the secret before ends with its time', async () => {
      receiver = await startReceiver();
      const before = await add('crm');
      const { secret = '' } = (await ledger.webhooks.rotate('crm', 3_600_000)) ?? {};
      await optOut('both');
      deliver();
      await received(1);
      const one = receiver.received[0] as Received;
      expect(one.headers['x-optgate-signature']).toBe(`${signed(secret, one)}, ${signed(before, one)}`);
      const last = (await ledger.webhooks.rotate('crm', 0))?.secret ?? '';
      await optOut('new');
      await received(2);
      const two = receiver.received[1] as Received;
      expect(two.headers['x-optgate-signature']).toBe(signed(last, two));
    });

    test('a replay from an event, or from a moment, sends everything from there on again', async () => {
      receiver = await startReceiver();
      await add('crm');
      for (const name of ['r1', 'r2', 'r3']) await optOut(name);
      deliver();
      await received(3);
      await until('all of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      const [, second] = receiver.received.map(({ json }) => json);
      expect(await ledger.webhooks.replay('crm', { kind: 'event', eventId: second.id })).toBe(2);
      await received(5);
      expect(receiver.received.slice(3).map(({ json }) => json.id)).toEqual(
        receiver.received.slice(1, 3).map(({ json }) => json.id),
      );
      await until('all of it', async () => (await ledger.webhooks.get('crm'))?.behindCount === 0);
      expect(await ledger.webhooks.replay('crm', { kind: 'since', sinceMs: Date.parse(second.at) })).toBe(2);
      await received(7);
      expect(await ledger.webhooks.replay('crm', { kind: 'since', sinceMs: Date.now() + 60_000 })).toBe(0);
      const nowhere = { kind: 'event', eventId: '00000000-0000-4000-8000-000000000000' } as const;
      await expect(ledger.webhooks.replay('crm', nowhere)).rejects.toMatchObject({ field: 'eventId' });
    });
  });
}

/** Parts of 600 identifiers, each in pages; then an import without any. */
function expectedPages(count: number): readonly (readonly number[])[] {
  const sizes = [];
  for (let part = 0; part < count; part += 600) {
    const size = Math.min(600, count - part);
    for (let first = 0; first < size; first += EVENT_IDENTIFIERS_MAX)
      sizes.push(Math.min(EVENT_IDENTIFIERS_MAX, size - first));
  }
  return [...sizes.map((size, index) => [index, sizes.length, size]), [0, 1, 0]];
}
