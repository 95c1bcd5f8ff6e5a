/**
 * The sequencer: who leads, how it numbers, what it says of itself and of what holds it up.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import type { HorizonAlarm } from '../../src/ledger/horizon.js';
import { lastCut, sequenceStep } from '../../src/ledger/sequence-step.js';
import { waitSequenced } from '../../src/ledger/sequenced.js';
import { Sequencer } from '../../src/ledger/sequencer.js';
import { StepClock } from '../../src/ledger/step-clock.js';
import { createDatabase } from '../services.js';
import { BACKENDS, createLedger, type TestLedger } from './both-databases.js';
import { writeEntry } from './log-writer.js';
import { until } from './until.js';

interface HeadRow {
  readonly seq: string;
  readonly settled_seq: string;
  readonly beat: string;
  readonly entry_count: string;
  readonly kind_mask: number;
  readonly lag_ms: number;
}

async function headOf(database: Database): Promise<HeadRow> {
  const [head] = await database.query<HeadRow>(
    `select seq, settled_seq, beat, entry_count, kind_mask,
       extract(epoch from clock_timestamp() - fresh_at)::float8 * 1000 as lag_ms from optgate.head`,
  );
  if (head === undefined) throw new Error('no head');
  return head;
}

const write = (database: Database, key: number, rights = 1) =>
  database.transaction((session) => writeEntry(session, [{ key, rights }]));

describe('where the log can be cut', () => {
  /** Every cut that parts no link, found by trying all. */
  const slowLastCut = (settledSeq: number, seq: number, links: readonly { seq: number; behindSeq: number }[]) => {
    for (let cut = seq; cut > settledSeq; cut--) {
      if (links.every((link) => link.seq > cut || link.behindSeq <= cut)) return cut;
    }
    return settledSeq;
  };

  test('agrees with trying every place', () => {
    const link = fc.record({
      seq: fc.integer({ min: 1, max: 30 }),
      behindSeq: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(Number.POSITIVE_INFINITY)),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 10, max: 30 }),
        fc.array(link),
        (from, to, links) => {
          const later = links.filter(({ seq }) => seq > from);
          expect(lastCut(from, to, later)).toBe(slowLastCut(from, to, later));
        },
      ),
    );
  });
});

for (const backend of BACKENDS) {
  backend.describe(`the sequencer on ${backend.name}`, () => {
    let ledger: TestLedger;
    let sequencer: Sequencer | null = null;

    beforeAll(async () => {
      ledger = await createLedger(backend);
    });
    afterEach(async () => {
      await sequencer?.close();
      sequencer = null;
    });
    afterAll(() => ledger.close());

    test('numbers densely, in batches, and keeps count, digest and masks', async () => {
      const { database } = ledger;
      const before = await headOf(database);
      const ids: string[] = [];
      for (let n = 0; n < 25; n++) ids.push((await write(database, n)).entryId);
      sequencer = new Sequencer(database, { stepRowsMax: 10 }).start();
      const places = await Promise.all(ids.map((id) => waitSequenced(database, id, 20_000)));
      expect(places.map((place) => place?.seq)).toEqual(ids.map((_, index) => Number(before.seq) + 1 + index));
      expect(new Set(places.map((place) => place?.epoch)).size).toBe(1);
      expect(await headOf(database)).toMatchObject({ seq: '25', settled_seq: '25', entry_count: '25', kind_mask: 8 });
      expect(await waitSequenced(database, '999999', 10)).toBeNull();
    });

    test('beats about every second when there is nothing to do, and is fresh', async () => {
      const { database } = ledger;
      sequencer = new Sequencer(database, { heartbeatMs: 100 }).start();
      await until('it leads', () => sequencer?.state.isLeader);
      const before = await headOf(database);
      const beats = await until('ten beats', async () => {
        const head = await headOf(database);
        return Number(head.beat) >= Number(before.beat) + 10 ? head : null;
      });
      expect(beats.seq).toBe(before.seq);
      expect(beats.lag_ms).toBeLessThan(1_000);
      await sequencer.close();
      await sleep(300);
      expect((await headOf(database)).lag_ms).toBeGreaterThan(300); // nobody says any more that there is nothing new
    });

    test('sees an entry at once: the server looks, or whoever wrote it says so', async () => {
      const { database } = ledger;
      const step = new Promise((resolve) => {
        sequencer = new Sequencer(database, { serverWaitMs: 30_000, embeddedPollMs: 60_000, heartbeatMs: 60_000 })
          .on('step', resolve)
          .start();
      });
      await until('it leads', () => sequencer?.state.isLeader);
      await sleep(100);
      await write(database, 100);
      sequencer?.wake();
      await step;
      await write(database, 101); // so that the server stops looking, and the sequencer can be closed
      sequencer?.wake();
    });

    test('closes without having led, and twice', async () => {
      const idle = new Sequencer(ledger.database);
      await idle.close();
      const started = new Sequencer(ledger.database).start();
      await Promise.all([started.close(), started.close()]);
      expect(started.state.isLeader).toBe(false);
    });
  });
}

BACKENDS[0]?.describe('several sequencers', () => {
  let ledger: TestLedger;
  beforeEach(async () => {
    const [postgres] = BACKENDS;
    if (postgres !== undefined) ledger = await createLedger(postgres);
  });
  afterEach(() => ledger.close());

  test('one leads; when its connection is ended it knows, and one of them leads again', async () => {
    const { database } = ledger;
    const failures: Error[] = [];
    const sequencers = Array.from({ length: 3 }, () =>
      new Sequencer(database, { contendMs: 50 }).on('failure', (error) => failures.push(error)).start(),
    );
    const leaders = () => sequencers.filter(({ state }) => state.isLeader);
    await until('one leads', () => leaders().length === 1);
    await sleep(200);
    expect(leaders()).toHaveLength(1);
    let lostCount = 0;
    leaders()[0]?.on('lost', () => lostCount++);
    await database.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid()
         and database = (select oid from pg_database where datname = current_database())`,
    );
    await until('it has noticed', () => lostCount === 1);
    await until('one leads again', () => leaders().length === 1);
    const { entryId } = await write(database, 1);
    expect(await waitSequenced(database, entryId, 20_000)).toMatchObject({ seq: 1 });
    await Promise.all(sequencers.map((sequencer) => sequencer.close()));
  });

  test('a closed leader is followed at once', async () => {
    const first = new Sequencer(ledger.database).start();
    await until('it leads', () => first.state.isLeader);
    const second = new Sequencer(ledger.database, { contendMs: 30 }).start();
    await sleep(100);
    expect(second.state).toMatchObject({ isLeader: false, lastError: null });
    await first.close();
    await until('the other leads', () => second.state.isLeader);
    await second.close();
  });

  test('goes on trying without end while there is no database, and says why', async () => {
    const gone = await createDatabase();
    const database = await openDatabase(gone.url);
    await gone.drop();
    const failures: unknown[] = [];
    const sequencer = new Sequencer(database, { random: () => 0.05 })
      .on('failure', (error) => failures.push((error as { code?: unknown }).code))
      .start();
    await until('three failures', () => failures.length >= 3);
    expect(new Set(failures)).toEqual(new Set(['ledger.unavailable']));
    expect(sequencer.state.lastError).not.toBeNull();
    await sequencer.close();
    await database.close();
  });

  test('a transaction left open in another database holds entries up: that is measured, named and over when it ends', async () => {
    const { database } = ledger;
    const elsewhere = await createDatabase();
    const other = await openDatabase(elsewhere.url);
    const open = await other.dedicated();
    await open.query('begin');
    await open.query('select pg_current_xact_id()');
    const alarms: HorizonAlarm[] = [];
    let calmCount = 0;
    const sequencer = new Sequencer(database, { heartbeatMs: 50, horizonAlarmMs: 300 })
      .on('alarm', (alarm) => alarms.push(alarm))
      .on('calm', () => calmCount++)
      .start();
    await until('it leads', () => sequencer.state.isLeader);
    const { entryId } = await write(database, 1);
    const alarm = await until('the alarm', () =>
      alarms.find(({ cause }) => cause.includes(new URL(elsewhere.url).pathname.slice(1))),
    );
    expect(alarm.cause).toMatch(/^a transaction in database "optgate_test_\w+" has been open for \d+ s$/);
    expect(alarm.waitingMs).toBeGreaterThanOrEqual(300);
    expect(sequencer.state.horizonLagMs).toBeGreaterThanOrEqual(300);
    expect(await waitSequenced(database, entryId, 0)).toBeNull();
    expect((await headOf(database)).lag_ms).toBeGreaterThanOrEqual(300); // it beats, and still does not claim to be fresh
    await open.query('rollback');
    expect(await waitSequenced(database, entryId, 20_000)).toMatchObject({ seq: 1 });
    await until('calm', () => calmCount === 1);
    expect(sequencer.state.alarm).toBeNull();
    await sequencer.close();
    await open.close();
    await other.close();
    await elsewhere.drop();
  });

  test.each(['a step before', 'the head alone'])(
    'an entry that waits while the clock is put back ages on: %s',
    async (witness) => {
      const { database } = ledger;
      const open = await database.dedicated();
      await open.query('begin');
      await open.query('select pg_current_xact_id()');
      const { entryId } = await write(database, 1);
      const clock = new StepClock();
      if (witness === 'a step before') {
        clock.look({ serverMs: Date.now() + 3_600_000, isBehindHead: false, nextXid: '0' }, clock.now());
      } else await database.query(`update optgate.head set fresh_at = clock_timestamp() + interval '1 hour'`);
      await database.query(`update optgate.change_log set at = at + interval '1 hour'`);
      expect(await sequenceStep(database, 10, clock)).toMatchObject({ waitingId: entryId, isHeld: true, count: 0 });
      await sleep(300);
      const later = await sequenceStep(database, 10, clock);
      expect(later).toMatchObject({ waitingId: entryId, isHeld: true });
      expect(later.waitingMs).toBeGreaterThanOrEqual(290);
      expect((await headOf(database)).lag_ms).toBeGreaterThanOrEqual(290);
      await write(database, 2); // by the clock as it is now
      expect((await sequenceStep(database, 10, clock)).waitingMs).toBeGreaterThanOrEqual(290);
      await open.query('rollback');
      await until('both are numbered', async () => (await sequenceStep(database, 10, clock)).seq === 2);
      expect(await sequenceStep(database, 10, clock)).toMatchObject({ waitingId: null, isHeld: false, waitingMs: 0 });
      expect((await headOf(database)).lag_ms).toBeLessThan(60_000);
      await open.close();
    },
  );

  test('a step is announced in its own transaction, with epoch and seq and nothing else', async () => {
    const { database } = ledger;
    const session = await database.dedicated();
    const payloads: string[] = [];
    await session.listen('optgate', (payload) => payloads.push(payload));
    await write(database, 1);
    const step = await until('a step', async () => {
      const made = await sequenceStep(database, 10);
      return made.seq === 1 ? made : null;
    });
    await until('news', () => payloads.length > 0 && payloads.some((payload) => JSON.parse(payload).seq === 1));
    expect(JSON.parse(payloads.at(-1) ?? '')).toEqual({ epoch: step.epoch, seq: 1 });
    await session.close();
  });
});
