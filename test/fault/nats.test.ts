/**
 * NATS killed, emptied, frozen and cut off under publisher and followers, and a stream that no longer has what a follower
 * needs. A NATS server and a PostgreSQL of the test's own.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NatsPublisherOptions } from '../../src/sync/nats-publisher.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
import { randomSet } from '../sync/nats-stand.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { LogTruth } from './log-truth.js';
import { NatsServer, withNatsServer } from './nats-server.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import {
  expectHonest,
  expectSameAs,
  HARD_STALE_AFTER_MS,
  later,
  ledgerAt,
  publisherOver,
  temporaryFolder,
  untilLive,
  type Watched,
  watch,
} from './stand.js';
import { Writers } from './writers.js';

const CUT_MS = process.env.OPTGATE_STRESS === '1' ? 30_000 : 3500;
const LIMITS = { connectMs: 1000, requestMs: 1000, pingMs: 500, pingsMax: 2 };

const describeNats = withNatsServer();
(withCluster() === describeNats ? describeNats : withCluster())('NATS that fails', () => {
  let cluster: PostgresCluster;
  let server: NatsServer;
  beforeAll(async () => {
    [cluster, server] = await Promise.all([PostgresCluster.create(), NatsServer.create()]);
  });
  afterAll(async () => {
    await cluster.close();
    await server.close();
  });

  async function begin(options: Partial<NatsPublisherOptions> = {}) {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const proxy = await TcpProxy.open({ port: server.port });
    later(() => proxy.close());
    const set = randomSet();
    const direct = `nats://127.0.0.1:${server.port}/${set}`;
    const publisher = await publisherOver(url, { url: direct, limits: LIMITS, takeoverMs: 500, ...options });
    const writers = new Writers({ ledger, seed: 11 });
    later(() => writers.stop());
    const through = () => createNatsSource({ url: `nats://127.0.0.1:${proxy.port}/${set}`, limits: LIMITS });
    return {
      url,
      ledger,
      proxy,
      publisher,
      writers,
      through,
      straight: () => createNatsSource({ url: direct, limits: LIMITS }),
    };
  }

  async function expectAllRight({ url, ledger, writers }: Awaited<ReturnType<typeof begin>>, watched: Watched) {
    await writers.stop();
    await expectSameAs(ledger, watched);
    writers.expectIn(watched.holder.current);
    return expectHonest(await LogTruth.read(url), watched);
  }

  test('killed with kill -9 and started again, twice, in the middle of writes', async () => {
    const stand = await begin();
    const watched = watch(stand.straight());
    await untilLive(watched);
    stand.writers.start();
    for (let round = 0; round < 2; round++) {
      await sleep(600);
      await server.kill();
      const { seq } = watched.holder;
      await sleep(800);
      await server.start();
      await expect.poll(() => watched.holder.seq, { interval: 20, timeout: 20_000 }).toBeGreaterThan(seq + 5);
    }
    expect(await expectAllRight(stand, watched)).toBeGreaterThan(20);
  });

  test('emptied: the publisher fills it again, and followers start again from its snapshot', async () => {
    const stand = await begin();
    const watched = watch(stand.straight());
    await untilLive(watched);
    stand.writers.start();
    await sleep(500);
    await server.kill();
    server.wipe();
    await server.start();
    const { seq } = watched.holder;
    await expect.poll(() => watched.holder.seq, { interval: 20, timeout: 20_000 }).toBeGreaterThan(seq + 5);
    await expectAllRight(stand, watched);
    const newcomer = watch(stand.straight());
    await expectSameAs(stand.ledger, newcomer);
  });

  test('emptied, and nothing is written any more: the snapshot alone shows what is lacking', async () => {
    const stand = await begin();
    const watched = watch(stand.straight());
    await untilLive(watched);
    await server.kill();
    stand.writers.start();
    await sleep(300);
    await stand.writers.stop();
    server.wipe();
    await server.start();
    await expectSameAs(stand.ledger, watched, 12_000);
    await expectAllRight(stand, watched);
  });

  test('frozen, with every connection open', async () => {
    const stand = await begin();
    const watched = watch(stand.straight());
    await untilLive(watched);
    stand.writers.start();
    await sleep(500);
    server.freeze();
    await sleep(HARD_STALE_AFTER_MS + 1000);
    expect(watched.follower.status().state).toBe('hard_stale');
    server.thaw();
    expect(await expectAllRight(stand, watched)).toBeGreaterThan(20);
  });

  test(`a follower that was cut off for ${CUT_MS / 1000} s`, async () => {
    const stand = await begin();
    const watched = watch(stand.through());
    await untilLive(watched);
    stand.writers.start();
    await sleep(300);
    stand.proxy.isRefusing = true;
    stand.proxy.cut();
    await sleep(CUT_MS);
    expect(watched.follower.status().state).toBe('hard_stale');
    stand.proxy.isRefusing = false;
    expect(await expectAllRight(stand, watched)).toBeGreaterThan(20);
    expect(watched.follower.status().resyncCount).toBe(0);
  });

  test('a stream that was trimmed past a follower: it starts again from the snapshot, also from a local folder', async () => {
    const stand = await begin({ snapshotEveryMs: 300, streamAgeMsMax: 300, maintainEveryMs: 200 });
    const folder = await temporaryFolder();
    const closed = watch(stand.straight(), { folder });
    const watched = watch(stand.through());
    await untilLive(watched);
    await untilLive(closed);
    await closed.follower.close();
    stand.proxy.isRefusing = true;
    stand.proxy.cut();
    const { seq } = watched.holder;
    stand.writers.start();
    await sleep(500);
    await stand.writers.stop();
    const snapshotSeq = () => stand.publisher.status().snapshot?.seq ?? 0;
    await expect.poll(snapshotSeq, { interval: 50, timeout: 10_000 }).toBeGreaterThan(seq + 10);
    await sleep(1000); // and the stream is cut back
    stand.proxy.isRefusing = false;
    await expectAllRight(stand, watched);
    expect(watched.follower.status().failureCounts).toMatchObject({ 'sync.trimmed': 1 });
    expect(watched.follower.status().resyncCount).toBe(1);
    const again = watch(stand.straight(), { folder });
    await expectSameAs(stand.ledger, again);
    expect(again.follower.status().failureCounts).toMatchObject({ 'sync.trimmed': 1 });
  });
});
