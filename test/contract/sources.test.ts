/**
 * One contract for every source: the same opt-outs, opt-ins and imports in, the same table out, byte for byte, at the same
 * seq, over PostgreSQL and PGlite, each directly, through a relay, through NATS and as a file.
 *
 * The two ledgers are given the same seed and epoch, so that even their tables must be the same bytes. A plain account of
 * who has opted out of what says whether these are the right ones.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compacted, encodeSnapshot, SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { type Identifier, RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { openDatabase } from '../../src/ledger/database.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { migrate } from '../../src/ledger/migrations.js';
import { createFileSource } from '../../src/sync/file-source.js';
import { Follower } from '../../src/sync/follower.js';
import { createHttpSource } from '../../src/sync/http-source.js';
import { LedgerRelayFeed } from '../../src/sync/ledger-relay-feed.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { NatsPublisher } from '../../src/sync/nats-publisher.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
import type { Source } from '../../src/sync/source.js';
import { removeFromServer } from '../fault/remove-set.js';
import { collidingIds } from '../ledger/collision.js';
import { prepareEmbedded } from '../ledger/embedded-folder.js';
import { createDatabase, NATS_URL, POSTGRES_URL, withService } from '../services.js';
import { serveRelay } from '../sync/http-stand.js';
import { natsUrl, randomSet } from '../sync/nats-stand.js';
import { Account, optIn, optOut, type Write } from './account.js';

const SEED = 0x1234_5678_9abc_def0n;
const EPOCH = 'contract-epoch';
const CREATED_AT_MS = 1_790_000_000_000;
const ROUNDS = 3;

interface Place {
  readonly name: 'postgres' | 'pglite';
  readonly ledger: Ledger;
  /** What is written for those who follow a file. */
  readonly path: string;
  readonly followers: Map<string, TableHolder>;
}

const describePostgres = await withService('PostgreSQL', POSTGRES_URL);
const describeNats = await withService('NATS', NATS_URL);

(describeNats === describePostgres ? describePostgres : describeNats)('every source gives the same table', () => {
  const closers: (() => Promise<unknown>)[] = [];
  const account = new Account();
  let folder: string;
  let places: readonly Place[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'optgate-contract-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const { url, drop } = await createDatabase();
    closers.push(drop);
    await prepareEmbedded(join(folder, 'ledger'));
    places = await Promise.all([open('postgres', url), open('pglite', join(folder, 'ledger'))]);
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function open(name: Place['name'], location: string): Promise<Place> {
    const database = await openDatabase(location);
    await migrate(database);
    await database.query('update optgate.meta set seed = $1', [String(BigInt.asIntN(64, SEED))]);
    await database.query('update optgate.head set epoch = $1', [EPOCH]);
    await database.close();
    const ledger = await openLedger(location);
    closers.push(() => ledger.close());
    const path = join(folder, `${name}.ogs`);
    await ledger.snapshotTo(path);
    const relayFeed = new LedgerRelayFeed({ feed: ledger.feed(), folder: join(folder, `${name}-relay`) });
    const { port, close } = await serveRelay({ feed: relayFeed });
    closers.push(close, () => relayFeed.close());
    const set = randomSet();
    closers.push(() => removeFromServer(set));
    const publisher = new NatsPublisher({
      url: natsUrl(set),
      feed: ledger.feed(),
      folder: join(folder, `${name}-publisher`),
      takeoverMs: 500,
    });
    closers.push(() => publisher.close());
    publisher.start();
    const followers = new Map([
      ['directly', follow(createLedgerSource(ledger.feed()))],
      ['http', follow(createHttpSource({ url: `http://127.0.0.1:${port}` }))],
      ['nats', follow(createNatsSource({ url: natsUrl(set) }))],
      ['file', follow(createFileSource({ path, pollMs: 50 }))],
    ]);
    return { name, ledger, path, followers };
  }

  function follow(source: Source): TableHolder {
    const holder = new TableHolder();
    const follower = new Follower({ source, holder, enforcer: { role: 'library', version: '0.0.0' } });
    closers.push(() => follower.close());
    void follower.start();
    return holder;
  }

  /** What every follower has at the same seq, and what the ledgers build, as bytes. */
  async function expectSameBytes(): Promise<void> {
    const snapshots = new Map<string, string>();
    const seqs = new Set<number>();
    for (const { name, ledger, path, followers } of places) {
      await expect.poll(async () => isSettled(ledger), { timeout: 10_000 }).toBe(true);
      const { seq } = await ledger.head();
      seqs.add(seq);
      await ledger.snapshotTo(path);
      const { share } = await ledger.feed().buildTable(new AbortController().signal);
      snapshots.set(`${name} ledger`, canonicalBytes(SuppressionTable.attach(share)));
      for (const [way, holder] of followers) {
        await expect.poll(() => holder.seq, { timeout: 15_000, message: `${name}, ${way}` }).toBe(seq);
        if (holder.current === null) throw new Error('expected a table');
        snapshots.set(`${name} ${way}`, canonicalBytes(holder.current));
        account.expectIn(holder.current);
      }
    }
    expect(seqs.size).toBe(1);
    expect(snapshots.size).toBe(10);
    const [first] = snapshots.values();
    for (const [name, bytes] of snapshots) expect(bytes === first, name).toBe(true);
  }

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))('after round %i of writes', async (round) => {
    for (const write of account.writes(round)) for (const { ledger } of places) await write(ledger);
    await expectSameBytes();
  });

  test('of two people whose identifiers share every key, one opts in again: the rights of the other stay', async () => {
    const [victim, other] = collidingIds('example.com', 'contract');
    const [one, two] = [identifierOf(victim), identifierOf(other)];
    const step = async (write: Write, expected: number) => {
      for (const { ledger } of places) await write(ledger);
      for (const identifier of [one, two]) account.set(identifier, () => expected);
      await expectSameBytes();
    };
    await step(optOut([one], 0b0000011), 0b0000011);
    await step(optOut([two], 0b0000110), 0b0000111);
    await step(optIn([one], RIGHTS_ALL), 0b0000110);
    await step(optIn([one], RIGHTS_ALL), 0b0000110);
    await step(optIn([two], 0b0000010), 0b0000100);
    await step(optIn([two], RIGHTS_ALL), 0);
  });
});

function identifierOf(value: string): Identifier {
  return { kind: 'eid:example.com', value };
}

async function isSettled(ledger: Ledger): Promise<boolean> {
  const { seq, settledSeq } = await ledger.head();
  return seq === settledSeq;
}

/** The table without what is allowed to differ: how fresh it is, how it grew, and when this was asked. */
function canonicalBytes(table: SuppressionTable): string {
  const copy = compacted(table);
  copy.publish(table.seq, CREATED_AT_MS);
  return Buffer.from(encodeSnapshot(copy, CREATED_AT_MS)).toString('base64');
}
