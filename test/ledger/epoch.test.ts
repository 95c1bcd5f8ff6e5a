/**
 * New histories: a dump restored elsewhere, ids from the future, an epoch that is rotated by hand.
 * @module
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { rotateEpoch } from '../../src/ledger/epoch.js';
import { createFeed } from '../../src/ledger/feed.js';
import { waitSequenced } from '../../src/ledger/sequenced.js';
import { Sequencer } from '../../src/ledger/sequencer.js';
import { digestOf, LogConsumer } from '../reference/change-log.js';
import { createDatabase } from '../services.js';
import { BACKENDS, createLedger, type TestLedger } from './both-databases.js';
import { committedState, writeEntry } from './log-writer.js';
import { until } from './until.js';

const run = promisify(execFile);

const epochOf = async (database: Database) =>
  String((await database.query<{ epoch: string }>('select epoch from optgate.head'))[0]?.epoch);

/** Runs a sequencer until everything has a seq and is settled. */
async function sequenceAll(database: Database): Promise<{ epoch: string; isNewEpoch: boolean }> {
  const sequencer = new Sequencer(database);
  const led = new Promise<{ epoch: string; isNewEpoch: boolean }>((resolve) => sequencer.once('lead', resolve));
  sequencer.start();
  const takeover = await led;
  await until('everything is settled', async () => {
    const [row] = await database.query<{ done: boolean }>(
      'select settled_seq = (select count(*) from optgate.change_log) as done from optgate.head',
    );
    return row?.done;
  });
  await sequencer.close();
  return takeover;
}

/** The whole log gives the state of the keys, the digest of the head, and the table that is built. */
async function expectConsistent(database: Database): Promise<void> {
  const feed = createFeed(database);
  const { head, entries } = await feed.entriesAfter(0, 10_000);
  const consumer = new LogConsumer(0);
  for (const entry of entries) consumer.apply(entry);
  const state = await committedState(database);
  expect(consumer.state).toEqual(state);
  expect([head.settledSeq, head.entryCount, head.stateDigest]).toEqual([entries.length, state.size, digestOf(state)]);
  const { share, position } = await feed.buildTable(new AbortController().signal);
  expect(position).toEqual({ epoch: head.epoch, seq: head.settledSeq });
  expect(SuppressionTable.attach(share).stateDigest).toBe(head.stateDigest);
  await feed.close();
}

for (const backend of BACKENDS) {
  backend.describe(`the epoch on ${backend.name}`, () => {
    let ledger: TestLedger;
    beforeAll(async () => {
      ledger = await createLedger(backend);
    });
    afterAll(() => ledger.close());

    test('stays when sequencers come and go', async () => {
      const { database } = ledger;
      const first = await epochOf(database);
      await database.transaction((session) => writeEntry(session, [{ key: 1, rights: 1 }]));
      expect(await sequenceAll(database)).toEqual({ epoch: first, isNewEpoch: false });
      await database.transaction((session) => writeEntry(session, [{ key: 2, rights: 1 }]));
      expect(await sequenceAll(database)).toEqual({ epoch: first, isNewEpoch: false });
    });

    test('changes when it is rotated; seq goes on, and what waited has its place', async () => {
      const { database } = ledger;
      await database.transaction((session) => writeEntry(session, [{ key: 1, rights: 0 }]));
      expect(await rotateEpoch(database, () => 'by-hand')).toBe('by-hand');
      const [head] = await database.query('select epoch, seq, settled_seq from optgate.head');
      expect(head).toEqual({ epoch: 'by-hand', seq: '3', settled_seq: '3' });
      expect(await sequenceAll(database)).toEqual({ epoch: 'by-hand', isNewEpoch: false });
      await expectConsistent(database);
    });

    test('changes when the head was written elsewhere', async () => {
      const { database } = ledger;
      await database.query(`update optgate.head set origin = 'another/place'`);
      const { epoch, isNewEpoch } = await sequenceAll(database);
      expect(isNewEpoch).toBe(true);
      expect(await epochOf(database)).toBe(epoch);
      expect(epoch).not.toBe('by-hand');
    });
  });
}

const hasDump = await run('pg_dump', ['--version']).then(
  () => true,
  () => false,
);
if (!hasDump) process.stderr.write('skipped: no pg_dump to restore a dump with\n');

BACKENDS[0]?.describe('a restored dump', () => {
  test.skipIf(!hasDump)('gives ids from the future their place, once, under a new epoch', async () => {
    const [postgres] = BACKENDS;
    if (postgres === undefined) throw new Error('unreachable: there is PostgreSQL');
    const source = await createLedger(postgres);
    for (let key = 0; key < 5; key++) {
      await source.database.transaction((session) => writeEntry(session, [{ key, rights: 9 }]));
    }
    await sequenceAll(source.database);
    const epoch = await epochOf(source.database);
    await source.database.transaction((session) =>
      writeEntry(session, [
        { key: 0, rights: 0 },
        { key: 7, rights: 3 },
      ]),
    );
    await source.database.transaction((session) => writeEntry(session, [{ key: 7, rights: 4 }]));
    // as if the dump came from a server that had seen many more transactions
    await source.database.query(
      `update optgate.change_log set xid = (xid::text::int8 + 1000000000)::text::xid8 where seq is null`,
    );

    const target = await createDatabase();
    await run('sh', ['-c', 'pg_dump -d "$0" | psql -q -v ON_ERROR_STOP=1 -d "$1"', source.location, target.url]);
    const restored = await openDatabase(target.url);
    // a writer may be there before the sequencer is
    const early = await restored.transaction((session) => writeEntry(session, [{ key: 7, rights: 8 }]));
    const led = await sequenceAll(restored);
    expect(led.isNewEpoch).toBe(true);
    expect(led.epoch).not.toBe(epoch);
    expect(await waitSequenced(restored, early.entryId, 0)).toMatchObject({ epoch: led.epoch });
    const late = await restored.transaction((session) => writeEntry(session, [{ key: 7, rights: 16 }]));
    expect(await sequenceAll(restored)).toEqual({ epoch: led.epoch, isNewEpoch: false });
    expect(await waitSequenced(restored, late.entryId, 0)).toEqual({ epoch: led.epoch, seq: 9 });
    await expectConsistent(restored);
    expect(await epochOf(source.database)).toBe(epoch);
    await restored.close();
    await target.drop();
    await source.close();
  });
});
