/**
 * Histories that end: a new epoch, a database restored from a dump, and one put back to an earlier state without knowing
 * it. Followers drop what the ledger no longer has, and say that they are not up to date until they are.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rightsOfIdentifier } from '../../src/core/opt-out.js';
import type { Ledger } from '../../src/ledger/index.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
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
  postgresSource,
  publisherOver,
  relayOver,
  untilLive,
  type Watched,
  watch,
} from './stand.js';
import { maid, personId, Writers } from './writers.js';

const describeNats = await withService('NATS', NATS_URL);

(withCluster() === describeNats ? describeNats : withCluster())('a history that ends', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  /** A ledger, and a follower by each way that changes come. */
  async function begin(isDirectOnly = false) {
    const name = await cluster.createDatabase();
    const url = cluster.url(name);
    const ledger = await ledgerAt(url);
    const proxy = await TcpProxy.open({ port: cluster.port });
    later(() => proxy.close());
    const all = [watch(await postgresSource(cluster.url(name, proxy.port)))];
    if (!isDirectOnly) {
      const set = randomSet();
      later(() => removeFromServer(set));
      const relay = await relayOver(url);
      await publisherOver(url, { url: natsUrl(set), takeoverMs: 500 });
      all.push(watch(httpSource(relay.url)), watch(createNatsSource({ url: natsUrl(set) })));
    }
    for (const one of all) await untilLive(one);
    return { name, url, ledger, proxy, all };
  }

  async function expectAllSame(ledger: Ledger, all: readonly Watched[], writers?: Writers): Promise<void> {
    for (const one of all) {
      await expectSameAs(ledger, one, 30_000);
      writers?.expectIn(one.holder.current);
    }
  }

  async function optOut(ledger: Ledger, from: number, to: number): Promise<void> {
    for (let index = from; index < to; index++) {
      await ledger.recordOptOut({ identifiers: [maid(personId(index))], channel: 'api' });
    }
  }

  function expectOptedOut(all: readonly Watched[], index: number, isOptedOut: boolean): void {
    for (const { holder } of all) {
      if (holder.current === null) throw new Error('expected a table');
      expect(rightsOfIdentifier(holder.current, maid(personId(index))) !== 0).toBe(isOptedOut);
    }
  }

  test('another epoch, again and again, in the middle of writes', async () => {
    const { url, ledger, all } = await begin();
    const writers = new Writers({ ledger, seed: 37 });
    later(() => writers.stop());
    writers.start();
    for (let round = 0; round < 3; round++) {
      await sleep(500);
      const epoch = await ledger.rotateEpoch();
      const hasTurned = () => all.every(({ holder }) => holder.epoch === epoch);
      await expect.poll(hasTurned, { interval: 20, timeout: 20_000 }).toBe(true);
    }
    await writers.stop();
    await expectAllSame(ledger, all, writers);
    const truth = await LogTruth.read(url);
    for (const one of all) {
      expectHonest(truth, one);
      expect(one.follower.status().resyncCount).toBeGreaterThanOrEqual(3);
    }
  });

  test('a dump that is restored in the place of the database: a new epoch by itself, and what came later is gone', async () => {
    const { name, url, ledger, all } = await begin();
    await optOut(ledger, 0, 20);
    const { epoch } = await ledger.head();
    const restored = `${name}r`;
    const server = ['-h', '127.0.0.1', '-p', String(cluster.port), '-U', 'postgres'];
    const dump = cluster.newFile('dump');
    cluster.run('pg_dump', [...server, '-Fc', '-f', dump, name]);
    await optOut(ledger, 20, 40);
    await expectAllSame(ledger, all);
    expectOptedOut(all, 30, true);
    await cluster.query(`create database ${restored}`);
    cluster.run('pg_restore', [...server, '-d', restored, dump]);
    await cluster.query(`drop database ${name} with (force)`);
    await cluster.query(`alter database ${restored} rename to ${name}`);
    const again = await ledgerAt(url);
    await expect.poll(async () => (await again.head()).epoch, { timeout: 10_000 }).not.toBe(epoch);
    await optOut(again, 50, 55);
    await expectAllSame(again, all);
    expectOptedOut(all, 10, true);
    expectOptedOut(all, 30, false);
    expectOptedOut(all, 52, true);
  });

  /** Leaves the database down, with the disk as it was when 20 people were in it; followers know of 40. */
  async function putBack(ledger: Ledger, all: readonly Watched[]): Promise<void> {
    await optOut(ledger, 0, 20);
    await expectAllSame(ledger, all);
    await cluster.kill();
    cluster.keep();
    await cluster.start();
    await optOutWhenThere(ledger, 20, 40);
    await expectAllSame(ledger, all);
    expectOptedOut(all, 30, true);
    await cluster.kill();
    cluster.putBack();
  }

  test('a disk that is put back, and cannot know it: the head goes back, and followers with it', async () => {
    const { ledger, all } = await begin();
    await putBack(ledger, all);
    await cluster.start();
    await optOutWhenThere(ledger, 50, 55);
    await expectAllSame(ledger, all);
    expectOptedOut(all, 10, true);
    expectOptedOut(all, 30, false);
    expectOptedOut(all, 52, true);
  });

  test('a disk that is put back and written on past where a follower was: the digest tells', async () => {
    // relays and publishers keep no table to compare, and serve what they have until their next snapshot
    const { ledger, proxy, all } = await begin(true);
    const [direct] = all as [Watched, ...Watched[]];
    await putBack(ledger, all);
    proxy.isRefusing = true;
    proxy.cut();
    await cluster.start();
    await optOutWhenThere(ledger, 50, 90);
    expect((await ledger.head()).seq).toBeGreaterThan(direct.holder.seq);
    proxy.isRefusing = false;
    await expectAllSame(ledger, all);
    expect(direct.follower.status().failureCounts).toMatchObject({ 'sync.digest': expect.any(Number) });
    expectOptedOut(all, 30, false);
    expectOptedOut(all, 85, true);
  });

  async function optOutWhenThere(ledger: Ledger, from: number, to: number): Promise<void> {
    const isThere = () =>
      ledger.head().then(
        () => true,
        () => false,
      );
    await expect.poll(isThere, { timeout: 10_000 }).toBe(true);
    await optOut(ledger, from, to);
  }
});
