/**
 * Wall clocks that jump by an hour in either direction, under a follower and between its lives: ages are measured on the
 * monotonic clock, and what the wall clock makes doubtful counts as old.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gate } from '../../src/core/gate.js';
import { parsePolicy } from '../../src/policy-file.js';
import { type Clock, systemClock } from '../../src/sync/clock.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import {
  expectSameAs,
  HARD_STALE_AFTER_MS,
  later,
  ledgerAt,
  postgresSource,
  temporaryFolder,
  untilLive,
  watch,
} from './stand.js';
import { maid, personId } from './writers.js';

const HOUR_MS = 3_600_000;
/** Within this a jump is put right. */
const TICK_MS = 500;

/** The clocks of the system, with a wall clock that can be set. */
class JumpingClock implements Clock {
  offsetMs = 0;
  readonly monotonicMs = () => systemClock.monotonicMs();
  readonly wallMs = () => systemClock.wallMs() + this.offsetMs;
  after(delayMs: number, callback: () => void): () => void {
    return systemClock.after(delayMs, callback);
  }
}

withCluster()('a wall clock that jumps', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  async function begin() {
    const name = await cluster.createDatabase();
    const ledger = await ledgerAt(cluster.url(name));
    await ledger.recordOptOut({ identifiers: [maid(personId(1))], channel: 'api' });
    const proxy = await TcpProxy.open({ port: cluster.port });
    later(() => proxy.close());
    return { ledger, proxy, open: () => postgresSource(cluster.url(name, proxy.port)) };
  }

  test.each([HOUR_MS, -HOUR_MS])('by %i ms, while all is well, and while the source is away', async (jumpMs) => {
    const { ledger, proxy, open } = await begin();
    const clock = new JumpingClock();
    const watched = watch(await open(), { clock });
    await untilLive(watched);
    const policy = parsePolicy({ version: 'test', table: { staleAfterMs: HARD_STALE_AFTER_MS } });
    const gate = new Gate({ table: watched.holder, policy, now: clock.wallMs });
    const reasons = () => [...gate.check({ id: 'r', imp: [{ id: '1' }], device: { ifa: personId(2) } }).reasons];
    expect(reasons()).toEqual([]);
    clock.offsetMs += jumpMs;
    await sleep(TICK_MS + 200);
    expect(reasons()).toEqual([]);
    // a slow machine may hear a heartbeat late; a jump of the clock would look an hour old
    expect(watched.states).not.toContain('hard_stale');
    expect(watched.follower.status().freshnessMs).toBeLessThan(HARD_STALE_AFTER_MS);
    proxy.isRefusing = true;
    proxy.cut();
    clock.offsetMs -= jumpMs;
    await sleep(HARD_STALE_AFTER_MS + TICK_MS + 500);
    expect(watched.follower.status().state).toBe('hard_stale');
    expect(reasons()).toEqual(['table.stale']);
    proxy.isRefusing = false;
    await expectSameAs(ledger, watched);
    await sleep(TICK_MS);
    expect(reasons()).toEqual([]);
  });

  test.each([HOUR_MS, -HOUR_MS])(
    'by %i ms, between two lives: what is kept never counts as fresher',
    async (jumpMs) => {
      const { ledger, proxy, open } = await begin();
      const folder = await temporaryFolder();
      const first = watch(await open(), { folder });
      await untilLive(first);
      await expectSameAs(ledger, first);
      await first.follower.close();
      await sleep(500);
      const clock = new JumpingClock();
      clock.offsetMs = jumpMs;
      const source = await open();
      proxy.isRefusing = true;
      proxy.cut();
      const second = watch(source, { folder, clock });
      await expect.poll(() => second.follower.status().state, { timeout: 30_000 }).toBe('last_good');
      const { freshnessMs } = second.follower.status();
      // an hour older than it is, or of an age that nobody knows; not younger
      if (freshnessMs !== null) expect(freshnessMs).toBeGreaterThan(500);
      proxy.isRefusing = false;
      await expectSameAs(ledger, second);
    },
  );
});
