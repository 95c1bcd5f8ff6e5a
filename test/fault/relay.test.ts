/**
 * Relays that go away and come back, lose what a follower needs, or sit behind a network that truncates and flips bits: a
 * table is either right, or not put into use. A ledger in a PostgreSQL of the test's own, and real sockets.
 * @module
 */
import { copyFile, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFileSource } from '../../src/sync/file-source.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
import type { Source } from '../../src/sync/source.js';
import { randomFrom } from '../reference/feed.js';
import { NATS_URL, withService } from '../services.js';
import { natsUrl, randomSet } from '../sync/nats-stand.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { LogTruth } from './log-truth.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import { removeFromServer } from './remove-set.js';
import {
  expectHonest,
  expectSameAs,
  httpSource,
  later,
  ledgerAt,
  publisherOver,
  relayOver,
  temporaryFolder,
  untilLive,
  watch,
} from './stand.js';
import { maid, personId, Writers } from './writers.js';

const IMPORTED = 4000;
const ROUNDS = process.env.OPTGATE_STRESS === '1' ? 50 : 6;
const HTTP_LIMITS = { connectMs: 1000, headMs: 1500, stallMs: 1000, stallBytes: 1 };
const describeNats = await withService('NATS', NATS_URL);

withCluster()('between the ledger and its followers', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  async function begin() {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const rows = Array.from({ length: IMPORTED }, (_, index) => maid(personId(index, 1)));
    await ledger.importOptOuts(rows, { batchRows: 512 });
    const writers = new Writers({ ledger, seed: 5 });
    later(() => writers.stop());
    return { url, ledger, writers };
  }

  async function proxyTo(port: number): Promise<TcpProxy> {
    const proxy = await TcpProxy.open({ port });
    later(() => proxy.close());
    return proxy;
  }

  test('a relay is replaced by another one, and the network breaks off again and again', async () => {
    const { url, ledger, writers } = await begin();
    const [first, second] = [await relayOver(url), await relayOver(url)];
    const proxy = await proxyTo(first.port);
    const watched = watch(httpSource(`http://127.0.0.1:${proxy.port}`, { limits: HTTP_LIMITS }));
    await untilLive(watched);
    writers.start();
    for (let round = 0; round < 10; round++) {
      await sleep(200);
      proxy.retarget(round % 2 === 0 ? second.port : first.port);
      proxy.cut();
    }
    await writers.stop();
    await expectSameAs(ledger, watched);
    writers.expectIn(watched.holder.current);
    expect(expectHonest(await LogTruth.read(url), watched)).toBeGreaterThan(0);
    expect(watched.follower.status().resyncCount).toBe(0);
  });

  test('a relay that no longer keeps what a follower needs: it starts again from the snapshot', async () => {
    const { url, ledger, writers } = await begin();
    const relay = await relayOver(url, { ringBytesMax: 2000, snapshotEveryMs: 200 });
    const proxy = await proxyTo(relay.port);
    const watched = watch(httpSource(`http://127.0.0.1:${proxy.port}`, { limits: HTTP_LIMITS }));
    await untilLive(watched);
    proxy.isRefusing = true;
    proxy.cut();
    const { seq } = watched.holder;
    writers.start();
    const snapshotSeq = () => relay.feed.snapshot()?.position.seq;
    await expect.poll(snapshotSeq, { interval: 20, timeout: 10_000 }).toBeGreaterThan(seq + 30);
    proxy.isRefusing = false;
    await expect.poll(() => watched.holder.seq, { interval: 20, timeout: 10_000 }).toBeGreaterThan(seq + 30);
    await writers.stop();
    await expectSameAs(ledger, watched);
    writers.expectIn(watched.holder.current);
    expectHonest(await LogTruth.read(url), watched);
    expect(watched.follower.status().failureCounts).toMatchObject({ 'sync.trimmed': expect.any(Number) });
  });

  /** Followers start, one after the other, behind a network that spoils every download somewhere; how many noticed. */
  async function expectOnlyRightTables(
    ledger: Awaited<ReturnType<typeof begin>>['ledger'],
    proxy: TcpProxy,
    open: () => Source,
    spoil: (at: number) => void,
  ): Promise<number> {
    const probe = watch(open());
    await expectSameAs(ledger, probe);
    const downloadBytes = proxy.bytes.down;
    await probe.follower.close();
    const random = randomFrom(3);
    let spoiledCount = 0;
    for (let round = 0; round < ROUNDS; round++) {
      spoil(Math.floor(random() * downloadBytes));
      const watched = watch(open());
      await expectSameAs(ledger, watched);
      if (Object.keys(watched.follower.status().failureCounts).length > 0) spoiledCount++;
      await watched.follower.close();
    }
    return spoiledCount;
  }

  test('http: a snapshot that is cut short, or has a bit flipped, on its way', async () => {
    const { url, ledger } = await begin();
    const proxy = await proxyTo((await relayOver(url)).port);
    const open = () => httpSource(`http://127.0.0.1:${proxy.port}`, { limits: HTTP_LIMITS });
    const flip = (at: number) => proxy.flip(at, 'down', 1 << (at % 8));
    expect(await expectOnlyRightTables(ledger, proxy, open, flip)).toBeGreaterThan(0);
    const { connectionCount } = proxy;
    await expectOnlyRightTables(ledger, proxy, open, (at) => proxy.cutAfter(at)); // it goes on where it broke off
    expect(proxy.connectionCount).toBeGreaterThanOrEqual(connectionCount + 2 * ROUNDS);
  });

  describeNats('nats', () => {
    test('a snapshot that is cut short, or has a bit flipped, on its way', async () => {
      const { url, ledger } = await begin();
      const set = randomSet();
      later(() => removeFromServer(set));
      await publisherOver(url, { url: natsUrl(set) });
      const proxy = await proxyTo(Number(new URL(NATS_URL).port));
      const limits = { connectMs: 1000, requestMs: 1000, pingMs: 500, pingsMax: 2 };
      const open = () => createNatsSource({ url: `nats://127.0.0.1:${proxy.port}/${set}`, limits });
      const flip = (at: number) => proxy.flip(at, 'down', 1 << (at % 8));
      expect(await expectOnlyRightTables(ledger, proxy, open, flip)).toBeGreaterThan(0);
      expect(await expectOnlyRightTables(ledger, proxy, open, (at) => proxy.cutAfter(at))).toBeGreaterThan(0);
    });
  });

  test('file: a snapshot that is cut short, has a bit flipped, or is gone: what is in use stays in use', async () => {
    const { ledger, writers } = await begin();
    const folder = await temporaryFolder();
    const [path, good] = [join(folder, 'set.ogs'), join(folder, 'good.ogs')];
    await ledger.snapshotTo(path);
    const watched = watch(createFileSource({ path, pollMs: 50 }));
    await untilLive(watched);
    const before = watched.holder.current?.stateDigest;
    writers.start();
    await sleep(300);
    await writers.stop();
    await expect.poll(async () => (await ledger.head()).settledSeq === (await ledger.head()).seq).toBe(true);
    await ledger.snapshotTo(good);
    const bytes = await readFile(good);
    const random = randomFrom(9);
    for (let round = 0; round < 8; round++) {
      const spoiled = Buffer.from(bytes);
      const at = Math.floor(random() * bytes.length);
      spoiled[at] = (spoiled[at] ?? 0) ^ (1 << (round % 8));
      await writeFile(`${path}.new`, round % 2 === 0 ? spoiled : bytes);
      if (round % 2 === 1) await truncate(`${path}.new`, at);
      await rename(`${path}.new`, path);
      await sleep(150);
      expect(watched.holder.current?.stateDigest).toBe(before);
    }
    const { failureCounts } = watched.follower.status();
    expect(Object.keys(failureCounts).filter((code) => code.startsWith('snapshot.')).length).toBeGreaterThan(0);
    await copyFile(good, `${path}.new`);
    await rename(`${path}.new`, path);
    const digest = (await ledger.head()).stateDigest;
    await expect.poll(() => watched.holder.current?.stateDigest, { timeout: 10_000 }).toBe(digest);
    writers.expectIn(watched.holder.current);
  });
});
