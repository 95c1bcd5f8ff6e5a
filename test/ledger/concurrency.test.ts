/**
 * The change log under writers that race: nothing is skipped, and every key ends as it was committed.
 *
 * Sequencers run in processes of their own and are killed. The expected state is what the writers were told was
 * committed, by version, and what the table of keys holds; followers are the plain ones of test/reference.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Change, type Entry, SuppressionTable } from '../../src/core/suppression/index.js';
import { type Database, type DedicatedSession, openDatabase } from '../../src/ledger/database.js';
import { createFeed } from '../../src/ledger/feed.js';
import { migrate } from '../../src/ledger/migrations.js';
import { sequenceStep } from '../../src/ledger/sequence-step.js';
import { Sequencer } from '../../src/ledger/sequencer.js';
import { digestOf, keyOf, LogConsumer, type State, stateAt } from '../reference/change-log.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { committedState, testKey, writeEntry } from './log-writer.js';
import { until } from './until.js';

const describe = await withService('PostgreSQL', POSTGRES_URL);

const STRESS = Number(process.env.OPTGATE_STRESS ?? 1);
const WRITERS = 16;
const RUN_MS = 6_000 * STRESS;
const KEYS = 200;
const KILL_EVERY_MS = 1_200;

/** A table at its seq, as state; what it holds of keys that are not test keys would show in the digest. */
function stateOf(table: SuppressionTable, keyCount: number): State {
  const state = new Map<string, number>();
  for (let n = 0; n < keyCount; n++) {
    const key = testKey(n);
    const rights = table.rightsOfMixed(key.high, key.low);
    if (rights !== 0) state.set(keyOf(key), rights);
  }
  return state;
}

class SequencerProcess {
  readonly leads: Promise<unknown>;
  private readonly child: ChildProcess;

  constructor(url: string) {
    const script = fileURLToPath(new URL('./sequencer-process.mjs', import.meta.url));
    this.child = spawn(process.execPath, [script, url, '50'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const { stdout } = this.child;
    if (stdout === null) throw new Error('unreachable: stdout is a pipe');
    this.leads = once(createInterface({ input: stdout }), 'line');
  }

  async kill(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Reads the log while it is written; keeps all entries, and checks the digest wherever the log is settled. */
class Reader {
  readonly log: Entry[] = [];
  readonly consumer = new LogConsumer(0);
  readonly naive = new LogConsumer(0, new Map(), false);
  /** Begins anew, without memory, at every settled seq. */
  private settled = new LogConsumer(0);
  digestCount = 0;
  settledSeq = 0;
  private readonly feed;
  private readonly closing = new AbortController();

  constructor(database: Database) {
    this.feed = createFeed(database);
  }

  async run(): Promise<void> {
    while (!this.closing.signal.aborted) {
      const frame = await this.feed.entriesAfter(this.consumer.seq, 300).catch(() => null);
      if (frame === null) {
        await sleep(50);
        continue;
      }
      const { head, entries } = frame;
      for (const entry of entries) {
        this.log.push(entry);
        this.consumer.apply(entry);
        this.naive.apply(entry);
      }
      if (head.settledSeq <= this.consumer.seq) this.cutAt(head.settledSeq, head.stateDigest, head.entryCount);
      this.consumer.settle(head.settledSeq);
      if (entries.length === 0) await this.feed.wait(1000, this.closing.signal);
    }
  }

  private cutAt(settledSeq: number, stateDigest: string, entryCount: number): void {
    for (let seq = this.settled.seq; seq < settledSeq; seq++) {
      const entry = this.log[seq];
      if (entry !== undefined) this.settled.apply(entry);
    }
    expect(this.settled.seq).toBe(settledSeq);
    expect([settledSeq, digestOf(this.settled.state), this.settled.state.size]).toEqual([
      settledSeq,
      stateDigest,
      entryCount,
    ]);
    this.settled = new LogConsumer(settledSeq, this.settled.state);
    this.settledSeq = settledSeq;
    this.digestCount++;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.feed.close();
  }
}

interface Truth {
  /** Of each key the latest version that a writer was told is committed. */
  readonly committed: Map<string, Change>;
  readonly counts: { committed: number; rolledBack: number };
  isOver: boolean;
}

/** Writes at random until it is over; also goes on when the database breaks off, if it is told to. */
async function writeAtRandom(database: Database, truth: Truth, goesOn = false): Promise<void> {
  const random = (below: number) => Math.floor(Math.random() * below);
  while (!truth.isOver) {
    const keys = new Set(Array.from({ length: 1 + random(4) }, () => random(KEYS)));
    const writes = [...keys].map((key) => ({ key, rights: random(10) < 3 ? 0 : 1 + random(127) }));
    const isRolledBack = random(20) === 0;
    try {
      const changes = await database.transaction(async (session) => {
        // an early transaction id is what makes inversions: others get theirs later, and are done first
        if (random(10) < 3) await session.query('select pg_current_xact_id()');
        if (random(10) < 3) await sleep(random(8));
        const written = await writeEntry(session, writes);
        if (random(10) < 2) await sleep(random(8));
        if (isRolledBack) throw new Error('on purpose');
        return written.changes;
      });
      truth.counts.committed++;
      for (const change of changes) {
        const known = truth.committed.get(keyOf(change));
        if (change.version > (known?.version ?? 0)) truth.committed.set(keyOf(change), change);
      }
    } catch (error) {
      if (isRolledBack) truth.counts.rolledBack++;
      else if (!goesOn) throw error;
      else await sleep(20);
    }
  }
}

function stateOfVersions(committed: ReadonlyMap<string, Change>): State {
  return new Map([...committed].filter(([, { rights }]) => rights !== 0).map(([key, { rights }]) => [key, rights]));
}

/** A transaction that is held open, step by step. */
async function openTransaction(database: Database): Promise<{ session: DedicatedSession; end(): Promise<void> }> {
  const session = await database.dedicated();
  await session.query('begin');
  await session.query('select pg_current_xact_id()');
  const end = async () => {
    await session.query('commit');
    await session.close();
  };
  return { session, end };
}

/** The last change of a key comes before the one it followed: its transaction is the older one, and had to wait. */
async function invert(database: Database, key: number): Promise<void> {
  await database.transaction((session) => writeEntry(session, [{ key, rights: 1 }]));
  const older = await openTransaction(database);
  const newer = await openTransaction(database);
  await writeEntry(newer.session, [{ key, rights: 0 }]);
  const waiting = writeEntry(older.session, [{ key, rights: 127 }]);
  await sleep(50);
  await newer.end();
  await waiting;
  await older.end();
}

async function countEntries(database: Database): Promise<number> {
  const [row] = await database.query<{ count: string }>('select count(*) from optgate.change_log');
  return Number(row?.count);
}

describe('the change log', () => {
  let testDatabase: TestDatabase;
  let database: Database;

  beforeEach(async () => {
    testDatabase = await createDatabase();
    database = await openDatabase(testDatabase.url, { connectionsMax: WRITERS + 4 });
    await migrate(database);
  });

  afterEach(async () => {
    await database.close();
    await testDatabase.drop();
  });

  test(`${WRITERS} writers that race, sequencers that are killed, a reader throughout`, async () => {
    const truth: Truth = { committed: new Map(), counts: { committed: 0, rolledBack: 0 }, isOver: false };
    const snapshots: { seq: number; state: State; digest: string }[] = [];
    let sequencers = [new SequencerProcess(testDatabase.url), new SequencerProcess(testDatabase.url)];
    await Promise.race(sequencers.map(({ leads }) => leads));
    const reader = new Reader(database);
    const reading = reader.run();
    const killing = async () => {
      while (!truth.isOver) {
        await sleep(KILL_EVERY_MS);
        const next = new SequencerProcess(testDatabase.url);
        const [oldest, ...others] = sequencers;
        await oldest?.kill();
        sequencers = [...others, next];
      }
    };
    const building = async () => {
      while (!truth.isOver) {
        await sleep(400);
        const { share, position } = await database.buildTable(new AbortController().signal);
        const table = SuppressionTable.attach(share);
        snapshots.push({ seq: position.seq, state: stateOf(table, KEYS), digest: table.stateDigest });
      }
    };
    const ending = sleep(RUN_MS).then(() => {
      truth.isOver = true;
    });
    const writing = Array.from({ length: WRITERS }, () => writeAtRandom(database, truth));
    await Promise.race([reading, Promise.all([ending, ...writing, killing(), building()])]); // a reader that fails ends it

    expect(await countEntries(database)).toBe(truth.counts.committed);
    expect(stateOfVersions(truth.committed)).toEqual(await committedState(database));
    const invertedKey = Math.floor(KEYS / 2);
    await invert(database, invertedKey);
    const entryCount = await countEntries(database);
    await until('everything is sequenced, settled and read', () => reader.settledSeq === entryCount, 30_000);
    await reader.close();
    await reading;
    await Promise.all(sequencers.map((sequencer) => sequencer.kill()));

    const { consumer, naive, log } = reader;
    const state = await committedState(database);
    expect(consumer.state).toEqual(state);
    expect(consumer.inversionCount).toBeGreaterThan(0);
    expect(state.get(keyOf(testKey(invertedKey)))).toBe(127);
    expect(naive.state.get(keyOf(testKey(invertedKey)))).toBeUndefined(); // an opt-out, silently undone
    expect(reader.digestCount).toBeGreaterThan(10);
    expect(snapshots.length).toBeGreaterThan(3);
    for (const snapshot of snapshots) {
      expect(snapshot.state).toEqual(stateAt(log, snapshot.seq));
      expect(snapshot.digest).toBe(digestOf(snapshot.state));
      const follower = new LogConsumer(snapshot.seq, snapshot.state); // which remembers no version
      for (const entry of log.slice(snapshot.seq)) follower.apply(entry);
      expect(follower.state).toEqual(state);
    }
  });

  test('an inversion over two runs of the sequencer: nothing is skipped, and the log is not cut in between', async () => {
    const session = await database.dedicated();
    const [older, between, newer] = [
      await openTransaction(database),
      await openTransaction(database),
      await openTransaction(database),
    ];
    await writeEntry(newer.session, [{ key: 1, rights: 5 }]);
    await newer.end();
    await writeEntry(older.session, [{ key: 1, rights: 7 }]);
    await older.end();
    const first = await until('the older one is sequenced', async () => {
      const step = await sequenceStep(session, 100);
      return step.seq > 0 ? step : null;
    });
    expect(first).toMatchObject({ seq: 1, settledSeq: 0 });
    expect(first.waitingId).not.toBeNull();

    const feed = createFeed(database);
    const half = await feed.entriesAfter(0, 10);
    const consumer = new LogConsumer(0);
    for (const entry of half.entries) consumer.apply(entry);
    expect(half.head).toMatchObject({ seq: 1, settledSeq: 0, entryCount: 0, stateDigest: '0000000000000000' });
    const { share, position } = await database.buildTable(new AbortController().signal);
    expect([position.seq, SuppressionTable.attach(share).entryCount]).toEqual([0, 0]);

    await writeEntry(between.session, [{ key: 2, rights: 3 }]);
    await between.end();
    const second = await until('all are sequenced', async () => {
      const step = await sequenceStep(session, 100);
      return step.seq === 3 ? step : null;
    });
    expect(second.settledSeq).toBe(3);
    const rest = await feed.entriesAfter(1, 10);
    for (const entry of rest.entries) consumer.apply(entry);
    expect(rest.entries.map(({ seq }) => seq)).toEqual([2, 3]);
    expect(consumer.inversionCount).toBe(1);
    expect(consumer.state).toEqual(
      new Map([
        [keyOf(testKey(1)), 7],
        [keyOf(testKey(2)), 3],
      ]),
    );
    expect(rest.head.stateDigest).toBe(digestOf(consumer.state));
    await feed.close();
    await session.close();
  });

  test('every connection is ended by the server, again and again, and cut on the way', async () => {
    const { port, hostname } = new URL(testDatabase.url);
    const proxy = await TcpProxy.open({ host: hostname, port: Number(port) });
    const url = new URL(testDatabase.url);
    url.host = `127.0.0.1:${proxy.port}`;
    const behindProxy = await openDatabase(url.href, { connectionsMax: WRITERS + 4 });
    const sequencer = new Sequencer(behindProxy, { contendMs: 100 }).start();
    const reader = new Reader(behindProxy);
    const reading = reader.run();
    const truth: Truth = { committed: new Map(), counts: { committed: 0, rolledBack: 0 }, isOver: false };
    const writing = Array.from({ length: 4 }, () => writeAtRandom(behindProxy, truth, true));
    for (let round = 0; round < 3 * STRESS; round++) {
      await sleep(500);
      await database.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      await sleep(500);
      proxy.cut();
    }
    truth.isOver = true;
    await Promise.race([reading, Promise.all(writing)]);
    const entryCount = await countEntries(database);
    await until('everything is sequenced, settled and read', () => reader.settledSeq === entryCount, 30_000);
    expect(reader.consumer.state).toEqual(await committedState(database));
    expect(entryCount).toBeGreaterThanOrEqual(truth.counts.committed); // a COMMIT may take effect and not be answered
    expect(entryCount).toBeGreaterThan(50);
    await reader.close();
    await Promise.all([reading, sequencer.close()]);
    await behindProxy.close();
    await proxy.close();
  });
});
