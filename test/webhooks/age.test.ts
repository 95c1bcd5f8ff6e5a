/**
 * How long an event is tried, how long a dead one is kept, and what is said when it goes.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { BACKENDS } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { freePort } from '../sidecar/running.js';
import { answerWith } from './receiver.js';
import { useStand } from './stand.js';

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');

backend.describe(`age of events on ${backend.name}`, () => {
  const stand = useStand(backend);
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase(stand.place.location);
  });
  afterAll(() => database?.close());

  /** Everything that is there now happened so many days earlier. */
  const passDays = async (days: number) => {
    for (const [table, ...columns] of [
      ['webhook', 'tried_since'],
      ['webhook_event', 'at'],
      ['webhook_delivery', 'first_at', 'last_at'],
    ]) {
      const earlier = columns.map((column) => `${column} = ${column} - $1::int4 * interval '1 day'`);
      await database.query(`update optgate.${table} set ${earlier.join(', ')}`, [days]);
    }
  };
  const stateOf = async (id: string) =>
    (await stand.ledger.webhooks.deliveries(id)).map(({ state }) => state).reverse();
  const seen = () => stand.receiver.received.map(({ json }) => json.request.id);
  const prune = async (deadKeepMs?: number) => {
    const lead = await until('the lead', () => stand.ledger.webhooks.lead());
    await lead.number();
    const count = await lead.prune(deadKeepMs);
    await lead.close();
    return count;
  };

  test('5xx: tried for 7 days however often, the head first; then dead, and what is younger goes on being tried', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.receiver.answer(answerWith(503));
    const { requestId: first } = await stand.optOut('first');
    stand.deliver({ attemptsMax: 2 });
    await stand.received(6);
    expect(await stateOf('crm')).toEqual(['waiting']);
    await stand.stop();
    await passDays(8);
    const { requestId: second } = await stand.optOut('second');
    stand.receiver.received.length = 0;
    stand.deliver({ attemptsMax: 2 });
    await stand.received(6);
    expect(seen().slice(0, 6)).toEqual([first, second, second, second, second, second]);
    expect(await stateOf('crm')).toEqual(['dead', 'waiting']);
    stand.receiver.answer(answerWith(200));
    await stand.caughtUp('crm');
    expect(await stateOf('crm')).toEqual(['dead', 'delivered']);
  });

  test('a settable age: what is older is dead at the next 5xx', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.receiver.answer(answerWith(500));
    await stand.optOut('aged');
    stand.deliver({ serverErrorAgeMsMax: 0 });
    await stand.done('crm', 1);
    expect(await stand.ledger.webhooks.deliveries('crm')).toMatchObject([
      { state: 'dead', attemptCount: 1, lastStatus: 500 },
    ]);
  });

  test('no answer: tried for 30 days; then each is dead in its turn', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'], url: `http://127.0.0.1:${await freePort()}/` });
    await stand.optOut('down');
    await passDays(29);
    stand.deliver({ attemptsMax: 2 });
    await until('several attempts', () => stand.attempts.length > 5);
    expect(await stateOf('crm')).toEqual(['waiting']);
    await stand.stop();
    await passDays(2);
    await stand.optOut('later');
    stand.deliver({ attemptsMax: 2 });
    await until('the second is tried', async () => (await stateOf('crm')).length === 2);
    expect(await stateOf('crm')).toEqual(['dead', 'waiting']);
    expect(await stand.ledger.webhooks.deliveries('crm', { state: 'dead' })).toMatchObject([{ reason: 'connection' }]);
  });

  test('refusals are counted apart: those before were no answers, or errors', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.receiver.answer((_, response, index) => void response.writeHead(index < 6 ? 503 : 422).end());
    await stand.optOut('refused');
    stand.deliver({ attemptsMax: 3 });
    await stand.done('crm', 1);
    expect(stand.receiver.received).toHaveLength(9);
    expect(await stand.ledger.webhooks.deliveries('crm')).toMatchObject([{ state: 'dead', attemptCount: 9 }]);
  });

  test('a replay, and switching on again, are a new start for what is old', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.receiver.answer(answerWith(503));
    await stand.optOut('old');
    await passDays(8);
    stand.deliver();
    await stand.done('crm', 1);
    expect(await stateOf('crm')).toEqual(['dead']);
    expect(await stand.ledger.webhooks.replay('crm', { kind: 'dead' })).toBe(1);
    await stand.received(4);
    expect(await stateOf('crm')).toEqual(['queued']);
    await stand.stop();
    await passDays(8);
    await stand.add('crm', { events: ['opt_out.recorded'], enabled: false });
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.deliver();
    const count = stand.receiver.received.length;
    await stand.received(count + 3);
    expect(await stateOf('crm')).toEqual(['queued']);
    // and a change of nothing is none
    await stand.stop();
    await passDays(8);
    await stand.add('crm', { events: ['opt_out.recorded'] });
    stand.deliver();
    await until('it is dead', async () => (await stateOf('crm'))[0] === 'dead');
  });

  test('a dead event is kept from its death on, one that is tried anew stays, and the trail tells of what goes', async () => {
    await database.query('delete from optgate.webhook_event');
    await stand.add('crm', { events: ['opt_out.recorded'] });
    await stand.add('off', { events: ['opt_out.recorded'], url: `${stand.receiver.url}?off` });
    await stand.add('off', { events: ['opt_out.recorded'], url: `${stand.receiver.url}?off`, enabled: false });
    stand.receiver.answer((_, response, index) => void response.writeHead(index === 0 ? 422 : 200).end());
    for (const name of ['k1', 'k2', 'k3']) await stand.optOut(name);
    stand.deliver({ attemptsMax: 1 });
    await stand.done('crm', 3);
    await stand.stop();
    await database.query(`update optgate.webhook_event set at = at - interval '31 days'`);
    const [dead] = await stand.ledger.webhooks.deliveries('crm', { state: 'dead' });
    expect(await prune()).toBe(1); // the second: the first is dead, the third the last
    expect(await stand.ledger.webhooks.deliveries('crm', { state: 'dead' })).toEqual([dead]);
    await stand.ledger.webhooks.replay('crm', { kind: 'dead' });
    await passDays(31);
    expect(await prune()).toBe(0); // queued
    await database.query(`update optgate.webhook_delivery set state = 'dead' where state = 'queued'`);
    expect(await prune(32 * 86_400_000)).toBe(0);
    stand.deliver({ pruneEveryMs: 20 });
    await until('it is gone', async () => (await stand.ledger.webhooks.get('crm'))?.deadCount === 0);
    await stand.stop();
    expect(await stand.ledger.webhooks.deliveries('crm', { state: 'dead' })).toEqual([]);
    await stand.ledger.audit.chain();
    const told = await stand.ledger.audit.entries({ kind: 'webhook.pruned' });
    expect(told.map(({ subject, body }) => [subject, body])).toEqual([
      ['off', { deadCount: 0, unsentCount: 1 }],
      ['crm', { deadCount: 1, unsentCount: 0 }],
      ['off', { deadCount: 0, unsentCount: 1 }],
    ]);
  });
});
