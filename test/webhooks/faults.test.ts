/**
 * What cannot be read, and what fails for one consumer: the event is dead with a reason, and nobody else waits for it.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { BACKENDS } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { startReceiver } from './receiver.js';
import { useStand } from './stand.js';

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');

backend.describe(`faults on ${backend.name}`, () => {
  const stand = useStand(backend);
  let database: Database;
  beforeAll(async () => {
    database = await openDatabase(stand.place.location);
  });
  afterAll(() => database?.close());

  /** What is kept of the identifiers of a request can no longer be read; gives what it was. */
  const damage = async (requestId: string): Promise<Uint8Array> => {
    const [row] = await database.query(
      `update optgate.request_identifier as named set digests = '\\x00'
       from (select n.request_id, n.digests from optgate.request_identifier as n join optgate.request as r on r.id = n.request_id
         where r.public_id = $1) as before
       where named.request_id = before.request_id returning before.digests`,
      [requestId],
    );
    return row?.digests as Uint8Array;
  };
  const mend = (requestId: string, digests: Uint8Array) =>
    database.query(
      `update optgate.request_identifier set digests = $2
       where request_id = (select id from optgate.request where public_id = $1)`,
      [requestId, digests],
    );
  const codesOfFailures = () => new Set(stand.failures.splice(0).map((error) => (error as { code?: string }).code));
  /** Every write of this kind fails, until it is called again. */
  const refuse = async (table: string, when: string) => {
    await database.query(
      `create function optgate.refuse() returns trigger language plpgsql as $$ begin raise 'not now'; end $$`,
    );
    await database.query(
      `create trigger refuse before insert or update on optgate.${table} for each row when (${when}) execute function optgate.refuse()`,
    );
    return () => database.query('drop function optgate.refuse cascade');
  };

  test('an event that cannot be read is dead with a reason, the next goes on, and once mended it is sent', async () => {
    await stand.add('crm', { events: ['opt_out.recorded'] });
    const { requestId: bad } = await stand.optOut('damaged');
    const { requestId: good } = await stand.optOut('whole');
    const digests = await damage(bad);
    stand.deliver();
    await stand.received(1);
    await stand.caughtUp('crm');
    expect(stand.receiver.received.map(({ json }) => json.request.id)).toEqual([good]);
    expect(await stand.ledger.webhooks.deliveries('crm', { state: 'dead' })).toMatchObject([
      { attemptCount: 1, lastStatus: null, reason: 'damaged' },
    ]);
    expect(JSON.stringify([stand.failures.map(String), stand.attempts])).not.toMatch(/damaged@|example\.com/);
    expect(codesOfFailures()).toEqual(new Set(['ledger.damaged']));
    await mend(bad, digests);
    await stand.ledger.webhooks.replay('crm', { kind: 'dead' });
    await stand.received(2);
    expect(stand.receiver.received[1]?.json.request.id).toBe(bad);
  });

  test('a secret that cannot be read holds up its own consumer only, with growing pauses, and loses nothing', async () => {
    const other = await startReceiver();
    await stand.add('bad');
    await stand.add('good', { url: other.url, events: ['opt_out.recorded'] });
    const [held] = await database.query(`select secrets from optgate.webhook where id = 'bad'`);
    await database.query(`update optgate.webhook set secrets = '\\x7b' where id = 'bad'`);
    for (const name of ['s1', 's2', 's3']) await stand.optOut(name);
    stand.deliver({ retryBaseMs: 60_000, retryCapMs: 60_000, random: () => 0.9 });
    await until('all at the good one', () => other.received.length === 3);
    await stand.caughtUp('good');
    await new Promise((resolve) => setTimeout(resolve, 200)); // ten polls
    expect(stand.attempts.filter(({ webhookId }) => webhookId === 'bad')).toHaveLength(1);
    expect(await stand.ledger.webhooks.deliveries('bad')).toMatchObject([{ state: 'waiting', reason: 'secret' }]);
    expect(codesOfFailures()).toEqual(new Set(['ledger.damaged']));
    await database.query(`update optgate.webhook set secrets = $1, next_try_at = null where id = 'bad'`, [
      held?.secrets,
    ]);
    await stand.received(3);
    await other.close();
  });

  test('what the database refuses for one consumer is tried again with pauses, and the others are sent theirs', async () => {
    const other = await startReceiver();
    await stand.add('bad', { events: ['opt_out.recorded'] });
    await stand.add('good', { url: other.url, events: ['opt_out.recorded'] });
    const allow = await refuse('webhook_delivery', `new.webhook_id = 'bad'`);
    for (const name of ['d1', 'd2']) await stand.optOut(name);
    stand.deliver({ random: () => 0.999 });
    await until('all at the good one', () => other.received.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 600)); // thirty polls; pauses of 100, 200, 400 ms
    expect(stand.failures.length).toBeGreaterThan(0);
    expect(stand.failures.length).toBeLessThan(6);
    expect(stand.failures.splice(0).map((error) => (error as { sqlState?: string }).sqlState)).toContain('P0001');
    await allow();
    await stand.caughtUp('bad');
    stand.failures.length = 0;
    await other.close();
  });

  test('notices that cannot be looked for are dead at whoever is to be told, and those of others are found', async () => {
    await stand.add('notices', { events: ['gap_notice.due'] });
    await stand.add('crm', { events: ['opt_out.recorded'], url: `${stand.receiver.url}?crm` });
    const { requestId: bad } = await stand.optOut('unknown');
    await damage(bad);
    const { requestId: good } = await stand.optOut('known');
    stand.deliver();
    await until('a dead letter', async () => (await stand.ledger.webhooks.get('notices'))?.deadCount === 1);
    await stand.caughtUp('crm');
    await stand.caughtUp('notices');
    expect(await stand.ledger.webhooks.deliveries('notices')).toMatchObject([
      { kind: 'gap_notice.due', state: 'dead', reason: 'damaged' },
    ]);
    expect(stand.receiver.received.map(({ json }) => json.request.id)).toEqual([good]);
    const [waiting] = await database.query(
      'select count(*)::int4 as count from optgate.webhook_event where awaits_notices',
    );
    expect(waiting).toEqual({ count: 0 });
    expect(codesOfFailures()).toEqual(new Set(['ledger.damaged']));
  });

  test('a look that fails pauses, and delivery goes on', async () => {
    await stand.add('crm', { events: ['opt_out.recorded', 'import.completed'] });
    const allow = await refuse('webhook_event', 'not new.awaits_notices and new.seq is null');
    stand.deliver({ random: () => 0.999 });
    for (const name of ['l1', 'l2', 'l3']) await stand.optOut(name);
    await stand.received(3);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(stand.failures.length).toBeGreaterThan(0);
    expect(stand.failures.length).toBeLessThan(12);
    await allow();
    stand.failures.length = 0;
  });
});
