/**
 * PostgreSQL killed, cut off, hanging and frozen under followers and writers: nothing is lost, nothing is out of order, and
 * no table claims to be fresher than it is. A server of the test's own, and a TCP proxy in between.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gate } from '../../src/core/gate.js';
import { parsePolicy } from '../../src/policy-file.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { LogTruth } from './log-truth.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import {
  expectHonest,
  expectSameAs,
  HARD_STALE_AFTER_MS,
  later,
  ledgerAt,
  postgresSource,
  untilLive,
  type Watched,
  watch,
} from './stand.js';
import { maid, personId, Writers } from './writers.js';

const isStress = process.env.OPTGATE_STRESS === '1';
const CUT_MS = isStress ? 30_000 : 3500;

withCluster()('PostgreSQL that fails', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  async function begin(personCount = 8) {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const proxy = await TcpProxy.open({ port: cluster.port });
    later(() => proxy.close());
    const through = cluster.url(new URL(url).pathname.slice(1), proxy.port);
    const writers = new Writers({ ledger, seed: 7, personCount });
    later(() => writers.stop());
    return { url, ledger, proxy, through, writers };
  }

  async function expectAllRight(
    url: string,
    ledger: Parameters<typeof expectSameAs>[0],
    writers: Writers,
    all: Watched[],
  ) {
    await writers.stop();
    let behindCount = 0;
    for (const watched of all) {
      await expectSameAs(ledger, watched);
      writers.expectIn(watched.holder.current);
    }
    const truth = await LogTruth.read(url);
    for (const watched of all) behindCount += expectHonest(truth, watched);
    return { truth, behindCount };
  }

  test('killed with kill -9 and started again, three times, in the middle of writes', async () => {
    const { url, ledger, through, writers } = await begin();
    const watched = [watch(await postgresSource(url)), watch(await postgresSource(through))];
    for (const one of watched) await untilLive(one);
    writers.start();
    for (let round = 0; round < 3; round++) {
      await sleep(600);
      await cluster.kill();
      const failedAtSeqs = watched.map(({ holder }) => holder.seq);
      await sleep(500);
      await cluster.start();
      const wentOn = () => watched.every(({ holder }, index) => holder.seq > (failedAtSeqs[index] ?? 0));
      await expect.poll(wentOn, { interval: 20, timeout: 20_000 }).toBe(true);
    }
    await expectAllRight(url, ledger, writers, watched);
    expect(writers.retryCount).toBeGreaterThan(0);
    for (const { follower } of watched) {
      expect(follower.status()).toMatchObject({ resyncCount: 0, repairCount: 0 });
    }
  });

  test(`cut off for ${CUT_MS / 1000} s: stale in time, decides on, and catches up`, async () => {
    const { url, ledger, proxy, through, writers } = await begin();
    const cutOff = watch(await postgresSource(through));
    await untilLive(cutOff);
    const { action } = await optOut(ledger, cutOff, 900);
    expect(action).toBe('restrict');
    writers.start();
    await sleep(500);
    proxy.isRefusing = true;
    proxy.cut();
    await sleep(CUT_MS);
    expect(cutOff.follower.status()).toMatchObject({ state: 'hard_stale' });
    expect(cutOff.follower.status().failureCounts['ledger.unavailable']).toBeGreaterThan(0);
    const gate = gateOver(cutOff);
    expect([...gate.check(requestOf(900)).reasons]).toContain('suppressed.maid');
    expect([...gate.check(requestOf(901)).reasons]).toEqual(['table.stale']);
    proxy.isRefusing = false;
    const { behindCount } = await expectAllRight(url, ledger, writers, [cutOff]);
    expect(behindCount).toBeGreaterThan(20);
    expect(cutOff.states).toEqual(['empty', 'live', 'soft_stale', 'hard_stale', ...recovery(cutOff)]);
    expect([...gate.check(requestOf(901)).reasons]).toEqual([]);
  });

  test(`a network that passes nothing on and closes nothing, for ${CUT_MS / 1000} s`, async () => {
    const { url, ledger, proxy, through, writers } = await begin();
    const hung = watch(await postgresSource(through));
    await untilLive(hung);
    writers.start();
    await sleep(500);
    proxy.hang();
    await sleep(CUT_MS + 500);
    expect(hung.follower.status().state).toBe('hard_stale');
    expect(hung.follower.status().failureCounts['sync.deadline']).toBeGreaterThan(0);
    proxy.resume();
    const { behindCount } = await expectAllRight(url, ledger, writers, [hung]);
    expect(behindCount).toBeGreaterThan(20);
    expect(hung.follower.status().resyncCount).toBe(0);
  });

  test('a slow network: what comes late is known to be late', async () => {
    const { url, ledger, proxy, through, writers } = await begin();
    const slow = watch(await postgresSource(through), { limits: { waitMs: 300, changesGraceMs: 5000 } });
    await untilLive(slow);
    writers.start();
    proxy.delayMs = 300;
    await sleep(3000);
    proxy.delayMs = 0;
    const { behindCount } = await expectAllRight(url, ledger, writers, [slow]);
    expect(behindCount).toBeGreaterThan(50);
  });

  test('the whole server stands still, with every connection open', async () => {
    const { url, ledger, writers } = await begin();
    const frozen = watch(await postgresSource(url));
    await untilLive(frozen);
    writers.start();
    await sleep(500);
    cluster.freeze();
    await sleep(HARD_STALE_AFTER_MS + 1000);
    expect(frozen.follower.status().state).toBe('hard_stale');
    cluster.thaw();
    await expectAllRight(url, ledger, writers, [frozen]);
  });

  test('the connection that listens goes deaf without closing: changes still come, and soon as fast as before', async () => {
    const { url, ledger, writers } = await begin(1);
    const options = {
      softStaleAfterMs: 20_000,
      hardStaleAfterMs: 40_000,
      limits: { waitMs: 1000, changesGraceMs: 1500 },
    };
    const deaf = watch(await postgresSource(url), options);
    await untilLive(deaf);
    await expect.poll(() => listeners(url), { timeout: 30_000 }).toHaveLength(1);
    const [pid = 0] = await listeners(url);
    process.kill(pid, 'SIGSTOP');
    later(() => cluster.thaw());
    const { tookMs } = await optOut(ledger, deaf, 902);
    expect(tookMs).toBeLessThan(15_000);
    await expect
      .poll(async () => (await listeners(url)).filter((other) => other !== pid), { timeout: 15_000 })
      .not.toEqual([]);
    // sooner than anyone looks who hears of nothing
    await expect.poll(async () => (await optOut(ledger, deaf, 903)).tookMs, { timeout: 30_000 }).toBeLessThan(200);
    expect(deaf.states).toEqual(['empty', 'live']);
    writers.start();
    await sleep(300);
    await expectAllRight(url, ledger, writers, [deaf]);
  });

  async function listeners(url: string): Promise<number[]> {
    const name = new URL(url).pathname.slice(1);
    const rows = await cluster.query(
      `select pid from pg_stat_activity where datname = '${name}' and query ilike 'listen%' order by pid`,
    );
    return rows.map(({ pid }) => Number(pid));
  }
});

/** One person opts out; how long until that is in force in the table, and what a gate over it then says. */
async function optOut(ledger: Parameters<typeof expectSameAs>[0], { follower, holder }: Watched, index: number) {
  const startMs = performance.now();
  const { token } = await ledger.recordOptOut({ identifiers: [maid(personId(index))], channel: 'api' });
  expect(await follower.reach(token ?? '', 30_000)).toBe(true);
  const tookMs = performance.now() - startMs;
  const { action } = new Gate({ table: holder }).check(requestOf(index), { minSeq: token });
  return { tookMs, action };
}

/** A gate that calls a table stale when the follower calls it `hard_stale`. */
function gateOver({ holder }: Watched): Gate {
  const policy = parsePolicy({ version: 'test', table: { staleAfterMs: HARD_STALE_AFTER_MS } });
  return new Gate({ table: holder, policy });
}

function requestOf(index: number) {
  return { id: 'r', imp: [{ id: '1' }], device: { ifa: personId(index) } };
}

/** The states after the first `hard_stale`, which may differ in number while it catches up, but must end well. */
function recovery({ states }: Watched): readonly string[] {
  const after = states.slice(states.indexOf('hard_stale') + 1);
  expect(after.at(-1)).toBe('live');
  return after;
}
