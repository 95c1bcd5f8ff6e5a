/**
 * How soon is an opt-out in force, how fast does a follower catch up, and how long does it stop the event loop?
 *
 *     node bench/sync.mjs [seconds of canaries a source, default 30] [enforcement | catchUp]
 *
 * PostgreSQL and NATS are found by OPTGATE_TEST_POSTGRES and OPTGATE_TEST_NATS or on their usual ports. Everything runs in
 * one process on one machine, so one clock tells the time at both ends.
 * @module
 */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SuppressionTable, TableHolder } from '../dist/core/suppression/index.js';
import { openLedger, openSource, writeSnapshotFile } from '../dist/index.js';
import { createRelay, Follower, LedgerRelayFeed, NatsPublisher } from '../dist/sync/index.js';
import { createDatabase } from './postgres.mjs';
import { createRandom, isMain, printMachine, printTable } from './report.mjs';

const SECONDS = Number(process.argv[2] ?? 30);
const CANARY_EVERY_MS = 100;
const CATCH_UP_ROWS = 1_000_000;
const NATS = process.env.OPTGATE_TEST_NATS ?? 'nats://127.0.0.1:4222';
const ENFORCER = { role: 'library', version: 'bench' };

const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function follow(source, options = {}) {
  const holder = new TableHolder();
  const follower = new Follower({ source, holder, enforcer: ENFORCER, ...options });
  await follower.start();
  while (follower.status().state !== 'live') await sleep(1);
  return { follower, holder };
}

/** Latencies of canaries, from the row in the database to a lookup in the follower's table. */
async function canaries(source) {
  const { follower } = await follow(source);
  const latencies = [];
  follower.on('canary', ({ latencyMs, isInForce }) => latencies.push(isInForce ? latencyMs : Number.POSITIVE_INFINITY));
  await sleep(SECONDS * 1000);
  await follower.close();
  latencies.sort((one, other) => one - other);
  const at = (share) => `${latencies[Math.floor(latencies.length * share)].toFixed(1)} ms`;
  return [String(latencies.length), at(0.5), at(0.95), at(0.99), at(0.9999)];
}

async function enforcement(url) {
  const rows = [];
  const embedded = await openLedger({ dataDir: join(folder, 'ledger') }, { canaryEveryMs: CANARY_EVERY_MS });
  const { createLedgerSource } = await import('../dist/sync/index.js');
  rows.push(['pglite', ...(await canaries(createLedgerSource(embedded.feed())))]);
  await embedded.close();

  const ledger = await openLedger(url, { canaryEveryMs: CANARY_EVERY_MS });
  rows.push(['postgres', ...(await canaries((await openSource(url)).source))]);

  const feed = new LedgerRelayFeed({ feed: ledger.feed(), folder: join(folder, 'relay') });
  const relay = createRelay({ feed });
  const server = createServer((request, response) => relay(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  rows.push(['http', ...(await canaries((await openSource(`http://127.0.0.1:${server.address().port}`)).source))]);
  server.closeAllConnections();
  server.close();
  await feed.close();

  const set = `bench-${randomBytes(4).toString('hex')}`;
  const publisher = new NatsPublisher({ url: `${NATS}/${set}`, feed: ledger.feed(), folder });
  publisher.start();
  rows.push(['nats', ...(await canaries((await openSource(`${NATS}/${set}`)).source))]);
  await publisher.close();
  await ledger.close();
  printTable('commit to enforced, one machine', ['source', 'canaries', 'p50', 'p95', 'p99', 'max'], rows);
}

async function* digests(count) {
  for (let index = 0; index < count; index++) yield { kind: 'email_sha256', value: hash('sha256', `c${index}@x.test`) };
}

/** A follower that was away while a million changes were made. */
async function catchUp(url) {
  const ledger = await openLedger(url);
  const local = join(folder, 'follower');
  const before = await follow((await openSource(url)).source, { folder: local });
  await before.follower.close();
  await ledger.importOptOuts(digests(CATCH_UP_ROWS), { channel: 'import' });
  const startMs = performance.now();
  const stall = sampler();
  const after = await follow((await openSource(url)).source, { folder: local });
  const ms = performance.now() - startMs;
  const rows = [
    ['changes in the log, PostgreSQL', perSecond(CATCH_UP_ROWS, ms), `${(ms / 1000).toFixed(2)} s`, stall.end()],
  ];
  await after.follower.close();

  const snapshotMs = performance.now();
  const second = sampler();
  const fresh = await follow((await openSource(url)).source);
  const builtMs = performance.now() - snapshotMs;
  rows.push([
    'no local state: table built from PostgreSQL',
    perSecond(fresh.holder.current.entryCount, builtMs),
    `${(builtMs / 1000).toFixed(2)} s`,
    second.end(),
  ]);
  await fresh.follower.close();
  await ledger.close();
  for (const keyCount of [1_000_000, 10_000_000, 100_000_000]) rows.push(...(await startUp(keyCount)));
  printTable('catching up', ['from', 'rate', 'until there is a table', 'longest stop of the event loop'], rows);
}

const perSecond = (count, ms) => `${Math.round(count / ms).toLocaleString('en-US')} k/s`;

/** A snapshot file put into use by a follower, and the same again from its local folder, with nobody to follow. */
async function startUp(keyCount) {
  const path = join(folder, `${keyCount}.ogs`);
  const local = join(folder, `local-${keyCount}`);
  const table = SuppressionTable.create({ capacity: keyCount, seed: 7n, epoch: 'bench' });
  const random = createRandom(3);
  for (let index = 0; index < keyCount; index++)
    table.set(3, random() | 0, random() | 0, random() | 0, random() | 0, 127);
  table.publish(1, Date.now());
  await writeSnapshotFile(path, table);
  const { size } = statSync(path);
  const measured = async (from, begin) => {
    const startMs = performance.now();
    const stall = sampler();
    const follower = await begin();
    const ms = performance.now() - startMs;
    const longest = stall.end();
    await follower.close();
    const rate = `${perSecond(keyCount, ms)}, ${(size / ms / 1e6).toFixed(2)} GB/s`;
    return [`${from}, ${keyCount / 1e6} M keys`, rate, `${(ms / 1000).toFixed(2)} s`, longest];
  };
  const fromFile = async (options) => {
    const { source } = await openSource(`file:${path}`);
    const follower = new Follower({ source, holder: new TableHolder(), enforcer: ENFORCER, ...options });
    await follower.start();
    return follower;
  };
  const rows = [await measured('snapshot file', fromFile)];
  await (await fromFile({ folder: local })).close(); // leaves the local folder behind
  rmSync(path);
  rows.push(await measured('local folder, source away', () => fromFile({ folder: local })));
  rmSync(local, { recursive: true, force: true });
  return rows;
}

/** Looks every millisecond, and tells the longest time nobody could look. */
function sampler() {
  let lastMs = performance.now();
  let longestMs = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  }, 1);
  return {
    end: () => {
      clearInterval(timer);
      return `${longestMs.toFixed(1)} ms`;
    },
  };
}

export async function run(only = process.argv[3]) {
  for (const question of [enforcement, catchUp]) {
    if (only !== undefined && question.name !== only) continue;
    const database = await createDatabase();
    try {
      await question(database.url);
    } finally {
      await database.drop();
    }
  }
  rmSync(folder, { recursive: true, force: true });
}

if (isMain(import.meta.url)) {
  await run();
  printMachine();
}
