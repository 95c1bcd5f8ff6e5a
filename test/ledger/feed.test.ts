/**
 * The feed of a ledger: answers of one moment, limits, news, and what enforcers report.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeFrame, ENTRY_CHANGES_MAX, encodeFrame } from '../../src/core/suppression/index.js';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { ANSWER_BYTES_MAX, createFeed, openFeed } from '../../src/ledger/feed.js';
import { Sequencer } from '../../src/ledger/sequencer.js';
import type { EnforcerReport } from '../../src/sync/source.js';
import { createDatabase } from '../services.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { BACKENDS, createLedger, type TestLedger } from './both-databases.js';
import { appendEntry, testKey, writeEntry } from './log-writer.js';
import { until } from './until.js';

const never = new AbortController().signal;
const write = (database: Database, key: number) =>
  database.transaction((session) => writeEntry(session, [{ key, rights: 1 }]));

/** An entry as large as they get, of which only the size matters here. */
async function appendLarge(database: Database, first: number): Promise<void> {
  await database.transaction(async (session) => {
    const changes = Array.from({ length: ENTRY_CHANGES_MAX }, (_, index) => {
      return { ...testKey(first + index), version: 1, tag: 3, rightsBefore: 0, rights: 1, isDerived: false };
    });
    const [next] = await session.query<{ id: string }>(`select nextval('optgate.change_log_id_seq') as id`);
    await appendEntry(session, String(next?.id), changes, '0');
  });
}

const REPORT: EnforcerReport = {
  ...{ id: 'pod-1', name: 'pod 1', role: 'library', version: '1.2.3', leaseMs: 5_000, state: 'live' },
  ...{ position: null, appliedAgeMs: null, isLeaving: false },
};

for (const backend of BACKENDS) {
  backend.describe(`the feed of ${backend.name}`, () => {
    let ledger: TestLedger;
    let sequencer: Sequencer;
    beforeAll(async () => {
      ledger = await createLedger(backend);
      sequencer = new Sequencer(ledger.database, { heartbeatMs: 1_000, embeddedPollMs: 10 }).start();
    });
    afterAll(async () => {
      await sequencer.close();
      await ledger.close();
    });

    test('answers with entries and head that a frame can carry', async () => {
      const { database } = ledger;
      const feed = createFeed(database);
      const beforeMs = Date.now() - 1;
      for (let key = 0; key < 3; key++) await write(database, key);
      const frame = await until('three entries', async () => {
        const answer = await feed.entriesAfter(0, 10);
        return answer.head.settledSeq === 3 ? answer : null;
      });
      const [meta] = await database.query<{ seed: string }>('select seed from optgate.meta');
      expect(decodeFrame(encodeFrame(frame))).toEqual({
        head: frame.head,
        entries: frame.entries.map((entry) => ({ ...entry, changes: Uint8Array.from(entry.changes) })),
      });
      expect(frame.head.seed).toBe(BigInt.asUintN(64, BigInt(meta?.seed ?? 0)));
      expect(frame.head).toMatchObject({ seq: 3, entryCount: 3, kindMask: 8, givenKindMask: 8 });
      expect(frame.entries.map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect(frame.entries[0]?.atMs).toBeGreaterThanOrEqual(beforeMs - 1);
      expect((await feed.entriesAfter(1, 1)).entries.map(({ seq }) => seq)).toEqual([2]);
      expect((await feed.entriesAfter(3, 10)).entries).toEqual([]);
      expect((await feed.entriesAfter(99, 10)).head.seq).toBe(3);
      await feed.close();
      expect(await feed.entriesAfter(0, 1).catch((error) => error.code)).toBe('sync.closed');
      expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]); // not the feed's to close
    });

    test('waits for news, and no longer', async () => {
      const { database } = ledger;
      const feed = createFeed(database);
      const { head } = await feed.entriesAfter(0, 10);
      await feed.wait(500, never); // the first time may only tell that it listens now
      const nothing = performance.now();
      await feed.entriesAfter(head.seq, 10);
      await feed.wait(60, never);
      expect(performance.now() - nothing).toBeLessThan(10_000);
      const waiting = until('the entry', async () => {
        const { entries } = await feed.entriesAfter(head.seq, 10);
        if (entries.length === 0) await feed.wait(10_000, never);
        return entries.length > 0;
      });
      await write(database, 50);
      await waiting;
      const abort = new AbortController();
      const aborted = feed.wait(60_000, abort.signal);
      abort.abort();
      await aborted;
      const closed = feed.wait(60_000, never);
      await feed.close();
      await closed;
    });

    test('keeps what enforcers report: once registered, every step forward, and when they leave', async () => {
      const { database } = ledger;
      const feed = createFeed(database);
      const enforcer = async () =>
        (await database.query(`select * from optgate.enforcer where id = 'pod-1'`))[0] as Record<string, unknown>;
      const acks = () =>
        database.query<{ epoch: string; seq: string }>(
          'select epoch, seq from optgate.enforcer_ack order by epoch, seq',
        );
      await feed.report(REPORT);
      const first = await enforcer();
      expect(first).toMatchObject({
        name: 'pod 1',
        source: backend.name,
        applied_seq: null,
        retired_at: null,
        lease_ms: 5000,
      });
      expect(await acks()).toEqual([]);
      const appliedAgeMs = 5_000;
      await feed.report({ ...REPORT, position: { epoch: 'a', seq: 1 }, appliedAgeMs });
      expect(await enforcer()).toMatchObject({ epoch: null, applied_seq: null }); // of a history that is not this ledger's
      await database.query(`update optgate.head set epoch = 'a', seq = 6`);
      await feed.report({ ...REPORT, position: { epoch: 'a', seq: 7 }, appliedAgeMs });
      expect([await enforcer(), await acks()]).toMatchObject([{ epoch: null, applied_seq: null }, []]); // past its end
      await database.query('update optgate.change_log set request_id = 1 where seq = 3');
      for (const seq of [1, 1, 2, 4, 6]) {
        await feed.report({ ...REPORT, position: { epoch: 'a', seq }, appliedAgeMs });
      }
      await feed.report({ ...REPORT, position: { epoch: 'a', seq: 5 }, appliedAgeMs: -3_600_000 });
      expect(await acks()).toEqual([
        { epoch: 'a', seq: '1' },
        { epoch: 'a', seq: '4' }, // of the others no request has its first
      ]);
      const [placed] = await database.query<{ age_s: number }>(
        `select extract(epoch from clock_timestamp() - at)::float8 as age_s from optgate.enforcer_ack where seq = 4`,
      );
      expect(placed?.age_s).toBeGreaterThanOrEqual(5);
      expect(placed?.age_s).toBeLessThan(60); // by the clock of the ledger alone
      const ahead = await enforcer();
      expect(ahead).toMatchObject({ epoch: 'a', applied_seq: '5', registered_at: first.registered_at });
      expect(Number(ahead.applied_at)).toBeLessThan(Date.now() + 1_000); // nobody has applied anything in the future
      await database.query(`update optgate.head set epoch = 'b'`);
      await feed.report({ ...REPORT, position: { epoch: 'b', seq: 1 }, appliedAgeMs });
      expect(await acks()).toContainEqual({ epoch: 'b', seq: '1' });
      await feed.report({ ...REPORT, isLeaving: true });
      expect(await enforcer()).toMatchObject({ epoch: 'b', applied_seq: '1' });
      expect((await enforcer()).retired_at).not.toBeNull();
      await feed.report(REPORT);
      expect((await enforcer()).retired_at).toBeNull();
      await feed.close();
    });

    test('gives at most so many bytes at once, and an entry that is larger than that by itself', async () => {
      const { database } = ledger;
      const feed = createFeed(database);
      const { head } = await feed.entriesAfter(0, 1);
      const entryBytes = ENTRY_CHANGES_MAX * 20;
      const fitting = Math.floor(ANSWER_BYTES_MAX / entryBytes);
      for (let n = 0; n <= fitting; n++) await appendLarge(database, 1000 + n * ENTRY_CHANGES_MAX);
      await until('all are sequenced', async () => (await feed.entriesAfter(0, 1)).head.seq === head.seq + fitting + 1);
      expect((await feed.entriesAfter(head.seq, 1000)).entries).toHaveLength(fitting);
      expect((await feed.entriesAfter(head.seq + fitting, 1000)).entries).toHaveLength(1);
      await feed.close();
    });
  });
}

describe('a feed', () => {
  test('is not opened on a database without a ledger', async () => {
    for (const { create, describe: run } of BACKENDS) {
      if (run === describe.skip) continue;
      const { location, remove } = await create('bare');
      expect(await openFeed(location).catch((error) => error.code)).toBe('ledger.not_migrated');
      await remove();
    }
  });
});

BACKENDS[0]?.describe('a feed whose connections break', () => {
  test('hears of news again; until then it looks for itself', async () => {
    const [postgres] = BACKENDS;
    if (postgres === undefined) throw new Error('unreachable: there is PostgreSQL');
    const ledger = await createLedger(postgres);
    const { hostname, port } = new URL(ledger.location);
    const proxy = await TcpProxy.open({ host: hostname, port: Number(port) });
    const url = new URL(ledger.location);
    url.host = `127.0.0.1:${proxy.port}`;
    const feed = await openFeed(url.href);
    const sequencer = new Sequencer(ledger.database, { heartbeatMs: 200 }).start();
    let seq = 0;
    const next = async (key: number) => {
      await write(ledger.database, key);
      return until('the entry', async () => {
        const answer = await feed.entriesAfter(seq, 10).catch(() => null);
        if (answer === null) await sleep(20);
        else if (answer.entries.length > 0) {
          seq = answer.entries.at(-1)?.seq ?? seq;
          return true;
        } else await feed.wait(10_000, never);
        return false;
      });
    };
    await next(1);
    proxy.cut();
    await next(2);
    await ledger.database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await next(3);
    proxy.isRefusing = true;
    proxy.cut();
    expect(await feed.entriesAfter(0, 1).catch((error) => error.code)).toBe('ledger.unavailable');
    proxy.isRefusing = false;
    await next(4);
    await feed.close();
    await sequencer.close();
    await ledger.close();
    await proxy.close();
  });

  test('a database that is gone is an error of the question, never of the wait', async () => {
    const gone = await createDatabase();
    const database = await openDatabase(gone.url);
    const feed = createFeed(database);
    await gone.drop();
    await feed.wait(300, never);
    expect(await feed.entriesAfter(0, 1).catch((error) => error.code)).toBe('ledger.unavailable');
    await feed.close();
    await database.close();
  });
});
