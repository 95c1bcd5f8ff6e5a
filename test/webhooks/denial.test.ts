/**
 * An opt-out that is denied: whoever was told of it is told so, and it is never said to be in force afterwards.
 * @module
 */
import { expect, test } from 'vitest';
import { BACKENDS } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { email, exportPerson, sha256, useStand } from './stand.js';

for (const backend of BACKENDS) {
  backend.describe(`denied opt-outs on ${backend.name}`, () => {
    const stand = useStand(backend);
    const deny = (requestId: string) => stand.ledger.records.deny({ requestId, basis: 'the basis is nobody elses' });
    const report = (position: object | null) =>
      stand.ledger.ack({
        ...{ id: 'one', name: 'one', role: 'sidecar', version: '1', leaseMs: 60_000, position: position as never },
        ...{ appliedAgeMs: 0, state: 'live', isLeaving: false },
      });
    const positionOf = (token: string | null) => {
      const at = (token ?? '').lastIndexOf('.');
      return { epoch: (token ?? '').slice(0, at), seq: Number((token ?? '').slice(at + 1)) };
    };
    const kinds = () => stand.receiver.kinds();

    test('is told after the opt-out, with its identifiers, what stays, and no basis; and once', async () => {
      await stand.add('crm');
      await stand.ledger.recordOptOut({ identifiers: [email('denied')], rights: ['sale'], channel: 'api' });
      const second = { identifiers: [email('denied')], rights: ['sale', 'share'] as const, channel: 'api' as const };
      const { requestId } = await stand.ledger.recordOptOut(second);
      await deny(requestId);
      await deny(requestId);
      stand.deliver();
      await stand.received(3);
      await stand.caughtUp('crm');
      expect(kinds()).toEqual(['opt_out.recorded', 'opt_out.recorded', 'opt_out.denied']);
      const [, , { json, text } = { json: null, text: '' }] = stand.receiver.received;
      expect(json).toMatchObject({ request: { id: requestId, rights: ['sale', 'share'] }, remaining: ['sale'] });
      expect(json.identifiers[0].digests).toContainEqual({ kind: 'email_sha256', hex: sha256('denied@example.com') });
      expect(text).not.toContain('basis');
    });

    test.each([
      [['opt_out.recorded'], ['opt_out.recorded', 'opt_out.denied']],
      [['opt_out.denied'], ['opt_out.denied']],
      [['opt_out.in_force'], ['opt_out.denied']],
      [['gap_notice.due'], []],
      [['opt_in.confirmed', 'import.completed', 'destination.changed'], []],
    ])('who is told of %j is told %j', async (events, expected) => {
      await stand.add('some', { events });
      await stand.add('all', { url: `${stand.receiver.url}?all` });
      const { requestId } = await stand.optOut(`some-${events[0]}`);
      await deny(requestId);
      stand.deliver();
      await stand.received(2 + expected.length);
      await stand.caughtUp('some');
      const told = (await stand.ledger.webhooks.deliveries('some')).map(({ kind }) => kind).reverse();
      expect(told).toEqual(expected);
    });

    test('a denial before all enforcers had it: nothing says later that it is in force', async () => {
      await stand.add('crm', { events: ['opt_out.in_force'] });
      await report(null);
      const denied = await stand.optOut('early');
      await deny(denied.requestId);
      const kept = await stand.optOut('kept');
      await report(positionOf(kept.token));
      stand.deliver();
      await stand.received(2);
      await new Promise((resolve) => setTimeout(resolve, 100)); // several looks
      expect(stand.receiver.received.map(({ json }) => [json.event, json.request.id])).toEqual([
        ['opt_out.denied', denied.requestId],
        ['opt_out.in_force', kept.requestId],
      ]);
      await stand.ledger.retireEnforcer('one');
    });

    test('a denial before notices were looked for: none is due, also where another request holds the right', async () => {
      await exportPerson(stand.ledger, 'sent-and-denied', 2);
      await stand.add('notices', { events: ['gap_notice.due'] });
      const kept = await stand.optOut('sent-and-denied');
      const denied = await stand.optOut('sent-and-denied');
      await deny(denied.requestId);
      stand.deliver();
      await stand.received(1);
      await stand.caughtUp('notices');
      expect(stand.receiver.received.map(({ json }) => [json.event, json.request.id])).toEqual([
        ['gap_notice.due', kept.requestId],
      ]);
      const listed: string[] = [];
      for await (const { requestId } of stand.ledger.gapNotices({ sinceMs: 0 })) listed.push(requestId);
      expect(listed).toEqual([kept.requestId]);
      // one that was told of is taken back
      await deny(kept.requestId);
      await stand.received(2);
      expect(stand.receiver.received[1]?.json).toMatchObject({
        event: 'opt_out.denied',
        request: { id: kept.requestId },
      });
    });

    test('a denial that races with the last enforcer: the last event says that it is denied', async () => {
      await stand.add('crm', { events: ['opt_out.in_force'] });
      await report(null);
      stand.deliver({ pollMs: 1, forceEveryMs: 1 });
      const rounds = backend.name === 'pglite' ? 3 : 15; // in a folder one waits for the other anyway
      for (let round = 1; round <= rounds; round++) {
        const { requestId, token } = await stand.optOut(`race-${round}`);
        const told = () => stand.receiver.received.filter(({ json }) => json.request.id === requestId);
        const waitMs = (round % 5) * 4;
        await Promise.all([
          report(positionOf(token)),
          new Promise((resolve) => setTimeout(resolve, waitMs)).then(() => deny(requestId)),
        ]);
        await until('the denial', () => told().some(({ json }) => json.event === 'opt_out.denied'));
        await new Promise((resolve) => setTimeout(resolve, 20)); // several looks
        expect(told().at(-1)?.json.event).toBe('opt_out.denied');
      }
      await stand.ledger.retireEnforcer('one');
    });

    test('a pending opt-in that is denied was told to nobody', async () => {
      await stand.add('crm');
      await stand.optOut('pending');
      const { requestId } = await stand.ledger.recordOptIn({ identifiers: [email('pending')], channel: 'web_form' });
      await deny(requestId);
      stand.deliver();
      await stand.received(1);
      await stand.caughtUp('crm');
      expect(kinds()).toEqual(['opt_out.recorded']);
    });
  });
}
