/**
 * The same opt-outs, opt-ins and imports through every source: at the same seq every follower has the same bytes, those
 * that the ledger itself writes. With a real PostgreSQL, an embedded ledger, a relay over HTTP, NATS and files.
 * @module
 */
import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compacted, encodeSnapshot, type SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import type { Identifier } from '../../src/core/vocabulary.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { openSource } from '../../src/open-gate.js';
import { readSnapshotFile } from '../../src/snapshot-file.js';
import {
  createLedgerSource,
  createRelay,
  Follower,
  LedgerRelayFeed,
  NatsPublisher,
  type Source,
} from '../../src/sync/index.js';
import { prepareEmbedded } from '../ledger/embedded-folder.js';
import { createDatabase, NATS_URL, POSTGRES_URL, withService } from '../services.js';

const FRESH_AT_MS = 1_800_000_000_000;
const DEADLINE_MS = 20_000;

/** The canonical bytes of a table; when it was fresh is not what it holds. */
function bytesOf(table: SuppressionTable): Buffer {
  const copy = compacted(table);
  copy.publish(table.seq, FRESH_AT_MS);
  return Buffer.from(encodeSnapshot(copy, FRESH_AT_MS));
}

interface Following {
  readonly follower: Follower;
  readonly holder: TableHolder;
}

async function follow(source: Source): Promise<Following> {
  const holder = new TableHolder();
  const follower = new Follower({ source, holder, enforcer: { role: 'library', version: 'test' } });
  await follower.start();
  return { follower, holder };
}

const email = (name: string): Identifier => ({ kind: 'email', value: `${name}@example.com` });
const optOut = (ledger: Ledger, ...identifiers: Identifier[]) => ledger.recordOptOut({ identifiers, channel: 'api' });

async function optIn(ledger: Ledger, identifier: Identifier) {
  const { requestId, confirmation } = await ledger.recordOptIn({ identifiers: [identifier], channel: 'api' });
  return ledger.confirmOptIn(requestId, confirmation ?? '');
}

function* digests(from: number, count: number) {
  for (let index = from; index < from + count; index++) {
    yield { kind: 'email_sha256', value: hash('sha256', `c${index}@example.com`) };
  }
}

/** A history with everything that occurs in one, in two halves: the first is in the snapshots, the second follows. */
async function firstHalf(ledger: Ledger): Promise<void> {
  await optOut(ledger, email('anna'), { kind: 'maid', value: '6d92078a-8246-4ba4-ae5b-76104861e7dc' });
  await ledger.importOptOuts(digests(0, 9000), { batchRows: 2000 });
  await optOut(ledger, email('carl'));
  await optIn(ledger, email('anna'));
}
async function secondHalf(ledger: Ledger): Promise<string> {
  await optOut(ledger, email('anna'));
  // held by two: as the address, and as a digest of it
  await optOut(ledger, { kind: 'email_sha256', value: hash('sha256', 'dora@example.com') });
  await optOut(ledger, email('dora'));
  await optIn(ledger, { kind: 'email_sha256', value: hash('sha256', 'dora@example.com') });
  await ledger.importOptOuts(digests(8000, 3000), { batchRows: 1000 });
  await optIn(ledger, email('carl'));
  const last = await optOut(ledger, { kind: 'ctv', value: 'A1B2C3D4E5F6' });
  if (last.token === null) throw new Error('expected a token');
  return last.token;
}

async function expectSameBytes(ledger: Ledger, token: string, folder: string, all: ReadonlyMap<string, Following>) {
  const path = join(folder, 'expected.ogs');
  await ledger.snapshotTo(path);
  const expected = bytesOf(await readSnapshotFile(path));
  for (const [name, { follower, holder }] of all) {
    expect([name, await follower.reach(token, DEADLINE_MS)]).toEqual([name, true]);
    const { current } = holder;
    if (current === null) throw new Error('expected a table');
    expect([name, bytesOf(current).equals(expected)]).toEqual([name, true]);
    expect([name, follower.status().failureCounts['sync.digest']]).toEqual([name, undefined]);
  }
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-contract-'));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('an embedded ledger and a file', () =>
  withFolder(async (folder) => {
    await prepareEmbedded(join(folder, 'ledger'));
    const ledger = await openLedger({ dataDir: join(folder, 'ledger') });
    await firstHalf(ledger);
    const all = new Map([['pglite', await follow(createLedgerSource(ledger.feed()))]]);
    const token = await secondHalf(ledger);
    const path = join(folder, 'set.ogs');
    await ledger.snapshotTo(path);
    all.set('file', await follow((await openSource(`file:${path}`)).source));
    await expectSameBytes(ledger, token, folder, all);
    for (const { follower } of all.values()) await follower.close();
    await ledger.close();
  }));

const describePostgres = await withService('PostgreSQL', POSTGRES_URL);
const describeNats = await withService('NATS', NATS_URL);
const describeServices = describePostgres === describe ? describeNats : describePostgres;

describeServices('PostgreSQL, a relay and NATS', () => {
  test('every follower has the bytes of the ledger, whether it saw a change in a snapshot or in the log', () =>
    withFolder(async (folder) => {
      const database = await createDatabase();
      const ledger = await openLedger(database.url);
      await firstHalf(ledger);

      const relayFolder = join(folder, 'relay');
      mkdirSync(relayFolder);
      const feed = new LedgerRelayFeed({ feed: ledger.feed(), folder: relayFolder });
      const relay = createRelay({ feed });
      const server = createServer((request, response) => relay(request, response)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const set = `contract-${randomBytes(4).toString('hex')}`;
      const publisher = new NatsPublisher({ url: `${NATS_URL}/${set}`, feed: ledger.feed(), folder });
      publisher.start();
      const locations = {
        postgres: database.url,
        http: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        nats: `${NATS_URL}/${set}`,
      };
      const all = new Map<string, Following>();
      for (const [name, location] of Object.entries(locations)) {
        all.set(name, await follow((await openSource(location)).source));
      }
      const token = await secondHalf(ledger);
      const path = join(folder, 'set.ogs');
      await ledger.snapshotTo(path);
      all.set('file', await follow((await openSource(`file:${path}`)).source));
      // and those that come when everything is over
      for (const [name, location] of Object.entries(locations)) {
        all.set(`${name}, late`, await follow((await openSource(location)).source));
      }
      await expectSameBytes(ledger, token, folder, all);

      for (const { follower } of all.values()) await follower.close();
      relay.close();
      server.closeAllConnections();
      server.close();
      await feed.close();
      await publisher.close();
      await deleteSet(set);
      await ledger.close();
      await database.drop();
    }));
});

/** Leaves nothing of a set on the server. */
async function deleteSet(set: string): Promise<void> {
  const { connect } = await import('@nats-io/transport-node');
  const { jetstreamManager } = await import('@nats-io/jetstream');
  const { Objm } = await import('@nats-io/obj');
  const connection = await connect({ servers: NATS_URL });
  const manager = await jetstreamManager(connection);
  await manager.streams.delete(`OPTGATE_${set}`);
  await (await new Objm(connection).open(`optgate-${set}`)).destroy();
  await connection.close();
}
