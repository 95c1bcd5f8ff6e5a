/**
 * An import that breaks off: what it has recorded is told of all the same, once, and again when it has ended.
 * @module
 */
import { expect, test } from 'vitest';
import { EVENT_IDENTIFIERS_MAX } from '../../src/ledger/webhooks/limits.js';
import { BACKENDS } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { startReceiver } from './receiver.js';
import { email, exportPerson, useStand } from './stand.js';

const PART = EVENT_IDENTIFIERS_MAX + 5;

for (const backend of BACKENDS) {
  backend.describe(`imports that break off on ${backend.name}`, () => {
    const stand = useStand(backend);
    const rows = (name: string, count: number) => Array.from({ length: count }, (_, n) => email(`${name}-${n}`));
    function* broken(name: string, count: number) {
      yield* rows(name, count);
      throw new Error('the list broke off');
    }
    /** Two parts are committed, of which one is a page and a bit. */
    const breakOff = (name: string, idempotencyKey: string | null = null) =>
      expect(
        stand.ledger.importOptOuts(broken(name, PART * 2 + 1), { batchRows: PART, idempotencyKey } as never),
      ).rejects.toThrow('broke off');
    const pages = () =>
      stand.receiver.received.map(({ json }) => [
        json.event,
        json.page.index,
        json.page.count,
        json.identifiers.length,
      ]);
    const STALLED = { importStalledMs: 1 };

    test.each([[['import.completed']], [['import.interrupted']]])(
      'is told to who asks for %j: each page once, with the rights in force',
      async (events) => {
        await stand.add('crm', { events });
        await breakOff(`plain-${events[0]}`);
        stand.deliver(STALLED);
        await stand.received(4);
        await new Promise((resolve) => setTimeout(resolve, 100)); // several looks
        expect(pages()).toEqual([
          ['import.interrupted', 0, 4, EVENT_IDENTIFIERS_MAX],
          ['import.interrupted', 1, 4, 5],
          ['import.interrupted', 2, 4, EVENT_IDENTIFIERS_MAX],
          ['import.interrupted', 3, 4, 5],
        ]);
        expect(stand.receiver.received[0]?.json.identifiers[0].rights).toContain('sale');
      },
    );

    test('one that is taken up and ends is told of whole, and notices are due once', async () => {
      const other = await startReceiver();
      await exportPerson(stand.ledger, 'again-0', 3);
      await stand.add('crm', { events: ['import.completed'] });
      await stand.add('notices', { events: ['gap_notice.due'], url: other.url });
      const idempotencyKey = `list-${backend.name}`;
      await breakOff('again', idempotencyKey);
      stand.deliver(STALLED);
      await stand.received(4);
      await until('the notice', () => other.received.length === 1);
      await stand.stop();
      await stand.ledger.importOptOuts(rows('again', PART * 2 + 1), { batchRows: PART, idempotencyKey });
      stand.deliver();
      await stand.received(9);
      await stand.caughtUp('notices');
      expect(other.kinds()).toEqual(['gap_notice.due']);
      await other.close();
      expect(stand.receiver.kinds().slice(4)).toEqual(new Array(5).fill('import.completed'));
      const count = stand.receiver.received.slice(4).reduce((sum, { json }) => sum + json.identifiers.length, 0);
      expect(count).toBe(PART * 2 + 1);
    });

    test('one that broke off before anybody was to be told is told of to whoever comes', async () => {
      await breakOff('before');
      const lead = await stand.ledger.webhooks.lead();
      expect(await lead?.interrupted(0)).toBe(false);
      await lead?.close();
      await stand.add('late', { events: ['import.interrupted'] });
      stand.deliver(STALLED);
      await stand.received(4);
    });

    test('one that goes on is not told of before it has ended', async () => {
      await stand.add('crm', { events: ['import.completed'] });
      stand.deliver({ importStalledMs: 60_000 });
      await breakOff('fresh');
      await stand.optOut('other');
      await stand.caughtUp('crm');
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(stand.receiver.received).toEqual([]);
    });
  });
}
