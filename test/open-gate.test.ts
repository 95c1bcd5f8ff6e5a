/**
 * The in-process library with a live table: real PostgreSQL, the embedded ledger, files, worker threads.
 * @module
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../src/ledger/index.js';
import { type LiveGate, openGate } from '../src/open-gate.js';
import { parsePolicy } from '../src/policy-file.js';
import { createRelay, LedgerRelayFeed } from '../src/sync/index.js';
import { prepareEmbedded } from './ledger/embedded-folder.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from './services.js';

const folder = mkdtempSync(join(tmpdir(), 'optgate-open-'));
beforeAll(() => prepareEmbedded(join(folder, 'ledger')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gates: LiveGate[] = [];
afterEach(async () => {
  for (const gate of gates.splice(0)) await gate.close();
});
async function open(options: Parameters<typeof openGate>[0]): Promise<LiveGate> {
  const gate = await openGate(options);
  gates.push(gate);
  return gate;
}

const maidOf = (index: number) => `6d92078a-8246-4ba4-ae5b-${index.toString(16).padStart(12, '0')}`;
const requestOf = (index: number) => ({ id: 'r', imp: [{ id: '1' }], device: { ifa: maidOf(index) } });
const optOutOf = (index: number) => ({
  identifiers: [{ kind: 'maid' as const, value: maidOf(index) }],
  channel: 'api' as const,
});

test('an embedded ledger: opt out, and the next check restricts; opt in again, and it does not', async () => {
  const gate = await open({ suppression: { dataDir: join(folder, 'ledger') } });
  expect(gate.status()).toMatchObject({ state: 'live', source: 'pglite' });
  const { ledger } = gate;
  if (ledger === null) throw new Error('expected the embedded ledger');
  expect(gate.check(requestOf(1)).action).toBe('allow');

  const { token } = await ledger.recordOptOut(optOutOf(1));
  const decision = await gate.checkWhenReached(requestOf(1), { minSeq: token }, { waitMs: 5000 });
  expect([decision.action, decision.stale, [...decision.reasons]]).toEqual(['restrict', false, ['suppressed.maid']]);

  const { requestId, confirmation } = await ledger.recordOptIn(optOutOf(1));
  const confirmed = await ledger.confirmOptIn(requestId, confirmation ?? '');
  const after = await gate.checkWhenReached(requestOf(1), { minSeq: confirmed.token }, { waitMs: 5000 });
  expect(after.action).toBe('allow');
});

test('a token of a write that never comes is answered in time, and said to be behind', async () => {
  const gate = await open({ suppression: { dataDir: join(folder, 'ledger') } });
  const position = gate.status().position;
  const minSeq = `${position?.epoch}.${(position?.seq ?? 0) + 1000}`;
  const decision = await gate.checkWhenReached(requestOf(2), { minSeq }, { waitMs: 30 });
  expect([decision.action, [...decision.reasons]]).toEqual(['restrict', ['table.behind']]);
});

test('a source that does not answer: the gate opens after waitMs, restricts, and says why', async () => {
  const gate = await open({ suppression: 'postgres://nobody@127.0.0.1:1/none', waitMs: 200 });
  expect(gate.status()).toMatchObject({ state: 'empty', position: null });
  expect([...gate.check(requestOf(1)).reasons]).toEqual(['table.not_loaded']);
});

test('locations and options that make no sense are refused, without showing them', async () => {
  const wrong = async (suppression: unknown, options = {}) =>
    openGate({ suppression: suppression as string, ...options }).then(
      () => 'opened',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  expect(await wrong('mysql://secret@host/x')).toMatch(/^TypeError: suppression: expected a URL/);
  expect(await wrong('mysql://secret@host/x')).not.toContain('secret');
  expect(await wrong('postgres://secret:a%E4@host/x')).toMatch(/^TypeError: expected a postgres URL whose parts/);
  expect(await wrong({})).toMatch(/^TypeError: suppression.dataDir/);
  expect(await wrong('postgres://127.0.0.1/x', { trustedKeys: ['none'] })).toMatch(/signature.key/);
});

const describePostgres = await withService('PostgreSQL', POSTGRES_URL);
describePostgres('PostgreSQL', () => {
  let database: TestDatabase;
  let ledger: Ledger;
  beforeAll(async () => {
    database = await createDatabase();
    ledger = await openLedger(database.url);
  });
  afterAll(async () => {
    await ledger.close();
    await database.drop();
  });

  test('an opt-out written elsewhere is in force here, and the ledger knows that it is', async () => {
    const gate = await open({ suppression: database.url, name: 'bidder-7' });
    expect(gate.status().state).toBe('live');
    const { token, requestId } = await ledger.recordOptOut(optOutOf(10));
    const decision = await gate.checkWhenReached(requestOf(10), { minSeq: token }, { waitMs: 5000 });
    expect([decision.action, decision.stale]).toEqual(['restrict', false]);
    await expect
      .poll(async () => (await ledger.propagation(requestId)).enforcers.find(({ name }) => name === 'bidder-7'), {
        timeout: 10_000,
      })
      .toMatchObject({ inForceAtMs: expect.any(Number) });
  });

  test('a worker thread decides with the table of its parent, under its policy', async () => {
    const policy = parsePolicy({ version: 'workers' });
    const gate = await open({ suppression: database.url, policy });
    const shared = gate.share();
    const worker = new Worker(new URL('./gate-worker.mjs', import.meta.url), {
      workerData: shared,
      transferList: [shared.port],
    });
    const { token } = await ledger.recordOptOut(optOutOf(11));
    await gate.checkWhenReached(requestOf(11), { minSeq: token }, { waitMs: 5000 });
    worker.postMessage({ request: requestOf(11), context: { minSeq: token } });
    const [answer] = await once(worker, 'message');
    expect(answer).toMatchObject({ action: 'restrict', stale: false, policyVersion: 'workers' });
    expect(gate.status().attachedCount).toBe(1);
    await worker.terminate();
  });

  test('states are told as they change; a closed gate answers on, and turns stale', async () => {
    const local = join(folder, 'local');
    const first = await open({ suppression: database.url, folder: local });
    const { token } = await ledger.recordOptOut(optOutOf(12));
    await first.checkWhenReached(requestOf(12), { minSeq: token }, { waitMs: 5000 });
    await first.close();
    expect(first.check(requestOf(12)).action).toBe('restrict');

    // the same folder, and a source that is not there: the last good state decides
    const nowMs = Date.now();
    const offline = await open({
      suppression: 'postgres://nobody@127.0.0.1:1/none',
      folder: local,
      waitMs: 1500,
      now: () => nowMs + 3_600_000,
    });
    expect(offline.status().state).toBe('last_good');
    expect([...offline.check(requestOf(12)).reasons]).toContain('suppressed.maid');
    expect([...offline.check(requestOf(13)).reasons]).toEqual(['table.stale']);
  });

  test('a relay that gives a snapshot and no changes makes nothing fresh: misses are not believed', async () => {
    await ledger.recordOptOut(optOutOf(16));
    const relayFolder = join(folder, 'relay');
    mkdirSync(relayFolder);
    const feed = new LedgerRelayFeed({ feed: ledger.feed(), folder: relayFolder });
    const relay = createRelay({ feed });
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/v1/changes')) response.writeHead(503).end();
      else relay(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const gate = await open({ suppression: `http://127.0.0.1:${port}`, waitMs: 1500 });
    expect([gate.status().position?.seq, gate.status().state]).toEqual([expect.any(Number), 'soft_stale']);
    expect([...gate.check(requestOf(16)).reasons]).toContain('suppressed.maid');
    expect([...gate.check(requestOf(17)).reasons]).toEqual(['table.stale']);
    server.closeAllConnections();
    server.close();
    relay.close();
    await feed.close();
  });

  test('options that make no sense leave nothing open', async () => {
    const suppression = { dataDir: join(folder, 'ledger') };
    await expect(openGate({ suppression, maxShrink: 7 })).rejects.toThrow(RangeError);
    const gate = await open({ suppression });
    expect(gate.status().state).toBe('live');
  });

  test('a snapshot file of the ledger is a source, too', async () => {
    const path = join(folder, 'set.ogs');
    await ledger.recordOptOut(optOutOf(14));
    await ledger.snapshotTo(path);
    const gate = await open({ suppression: `file:${path}` });
    expect(gate.status().state).toBe('live');
    expect(gate.check(requestOf(14)).action).toBe('restrict');
    expect(gate.check(requestOf(15)).action).toBe('allow');
  });
});
