/**
 * What a follower says of its age: states, clocks that jump, pins, tokens, canaries, reports.
 * @module
 */
import { expect, test } from 'vitest';
import { TableHolder } from '../../src/core/suppression/index.js';
import { Follower, TICK_MS } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { AGE_TOLD_LATER, type LoadedTable, type Source } from '../../src/sync/source.js';
import { ReferenceLedger } from '../reference/feed.js';
import { FakeClock, until } from './fake-clock.js';
import { ENFORCER, expectSame, type Following, followerOf, following } from './following.js';
import { tampered } from './tampered-source.js';

const HOUR_MS = 3_600_000;

async function started(options: Partial<FollowerOptions> = {}): Promise<Following> {
  const follow = following(options);
  follow.ledger.beatEvery(1000);
  for (let key = 0; key < 5; key++) follow.ledger.write([{ key, rights: 127 }]);
  void follow.follower.start();
  await until(() => follow.holder.current !== null, 'a table');
  await follow.clock.advance(2000);
  return follow;
}

function ageMs({ clock, holder }: Following): number {
  return clock.wallMs() - (holder.freshAtMs ?? Number.NaN);
}

test('states follow one another by age, and each says since when', async () => {
  const follow = await started({ softStaleAfterMs: 5000, hardStaleAfterMs: 20_000 });
  const { clock, ledger, follower } = follow;
  const seen: [string, number][] = [];
  follower.on('state', ({ state, sinceMs }) => seen.push([state, clock.wallMs() - sinceMs]));
  expect(follower.status().state).toBe('live');
  ledger.failure = 'sync.unavailable';
  await clock.advance(4000);
  expect(follower.status().state).toBe('live');
  await clock.advance(4000);
  expect(follower.status().state).toBe('soft_stale');
  await clock.advance(20_000);
  expect(follower.status().state).toBe('hard_stale');
  ledger.failure = null;
  await clock.advance(60_000);
  expect(seen).toEqual([
    ['soft_stale', 0],
    ['hard_stale', 0],
    ['live', 0],
  ]);
  await follower.close();
});

test('a snapshot whose age is told later is not shouted about, until it is clear that nobody tells', async () => {
  const { clock, ledger } = following();
  ledger.beatEvery(1000);
  ledger.write([{ key: 1, rights: 1 }]);
  const isToldFrom = { ms: 0 };
  const source = tampered(createLedgerSource(ledger, { clock }), {
    snapshot: async (_, ask) => ({ ...(await ask()), lagMs: AGE_TOLD_LATER }),
    changes: (answer) => {
      if (answer.kind !== 'frame' || clock.monotonicMs() >= isToldFrom.ms) return answer;
      return { ...answer, asOfMs: Number.NEGATIVE_INFINITY };
    },
  });
  for (const [toldAfterMs, expected] of [
    [2000, ['soft_stale', 'live']],
    [8000, ['soft_stale', 'hard_stale', 'live']],
  ] as const) {
    isToldFrom.ms = clock.monotonicMs() + toldAfterMs;
    const { follower, holder } = followerOf(ledger, clock, { source, softStaleAfterMs: 5000 });
    const seen: string[] = [];
    follower.on('state', ({ state }) => seen.push(state));
    void follower.start();
    await until(() => holder.current !== null, 'a table');
    expect(holder.freshAtMs).toBe(1); // in every state but the last no miss is believed
    await clock.advance(12_000);
    expect(seen).toEqual(expected);
    await follower.close();
  }
});

test('a dead sequencer and a dead link both end in stale; an idle ledger does not', async () => {
  const follow = await started();
  await follow.clock.advance(10 * 60_000);
  expect(follow.follower.status().state).toBe('live');
  expect(ageMs(follow)).toBeLessThan(2500);
  await follow.follower.close();

  const dead = following();
  dead.ledger.write([{ key: 1, rights: 1 }]);
  void dead.follower.start();
  await until(() => dead.holder.current !== null, 'a table');
  await dead.clock.advance(60_000); // answers keep coming, and say that they are old
  expect(dead.follower.status()).toMatchObject({ state: 'soft_stale', seqLag: 0 });
  expect(ageMs(dead)).toBeGreaterThanOrEqual(60_000);
  await dead.follower.close();
});

test.each([HOUR_MS, -HOUR_MS])('a jump of the wall clock by %d ms is put right within a tick', async (jumpMs) => {
  const follow = await started();
  const { clock, ledger, follower } = follow;
  ledger.isHanging = true; // no answer helps
  await clock.advance(3000);
  const before = ageMs(follow);
  clock.jumpWall(jumpMs);
  await clock.advance(TICK_MS);
  expect(ageMs(follow)).toBeGreaterThanOrEqual(before);
  expect(ageMs(follow)).toBeLessThanOrEqual(before + 2 * TICK_MS);
  expect(follower.status().state).toBe('live');
  await clock.advance(300_000);
  expect(follower.status().state).toBe('hard_stale');
  void follower.close();
  await clock.advance(10_000);
});

test('an entry that is committed but not numbered keeps the table from being called fresh', async () => {
  const follow = await started();
  const { clock, ledger, follower, holder } = follow;
  const blocking = ledger.begin();
  ledger.commit(ledger.begin(), [{ key: 9, rights: 1 }]);
  const committedAtMs = clock.wallMs();
  await clock.advance(30_000);
  expect(holder.freshAtMs).toBeLessThanOrEqual(committedAtMs);
  expect(follower.status()).toMatchObject({ state: 'soft_stale', seqLag: 0 });
  ledger.rollback(blocking);
  await clock.advance(2000);
  expect(follower.status().state).toBe('live');
  expectSame(holder.current, ledger);
  await follower.close();
});

test('a pin holds entries back, freshness stands still, and letting go catches up', async () => {
  const follow = await started({ pinSeq: 7 });
  const { clock, ledger, follower, holder } = follow;
  ledger.write([{ key: 6, rights: 1 }]);
  ledger.write([{ key: 7, rights: 1 }]);
  await clock.advance(1000);
  expect(holder.seq).toBe(7);
  expect(follower.status()).toMatchObject({ state: 'live', pinSeq: 7 });
  ledger.write([{ key: 8, rights: 1 }]);
  const committedAtMs = clock.wallMs();
  await clock.advance(30_000);
  expect(follower.status()).toMatchObject({ state: 'soft_stale', headSeq: 8, seqLag: 1 });
  expect(holder.seq).toBe(7);
  expect(holder.freshAtMs).toBeLessThanOrEqual(committedAtMs);
  expect(ledger.snapshotCount).toBe(1);
  follower.pin(null);
  await clock.advance(2000);
  expect(holder.seq).toBe(8);
  expect(follower.status()).toMatchObject({ state: 'live', pinSeq: null });
  expect(() => follower.pin(-1)).toThrow(RangeError);
  await follower.close();
});

test('a token is waited for, also one of the epoch to come; a wrong one is not reached', async () => {
  const follow = await started();
  const { clock, ledger, follower } = follow;
  await expect(follower.reach('epoch-1.5', 0)).resolves.toBe(true);
  await expect(follower.reach('nonsense', 1000)).resolves.toBe(false);
  const next = follower.reach('epoch-1.6', 1000);
  const tooLate = follower.reach('epoch-1.7', 1000);
  const ofNextEpoch = follower.reach('epoch-2.6', 5000);
  const ofNoEpoch = follower.reach('other.1', 5000);
  await clock.advance(100);
  ledger.write([{ key: 1, rights: 0 }]);
  await clock.advance(1000);
  expect(await Promise.all([next, tooLate])).toEqual([true, false]);
  ledger.rotateEpoch();
  await clock.advance(5000);
  expect(await Promise.all([ofNextEpoch, ofNoEpoch])).toEqual([true, false]);
  const closed = follower.reach('epoch-9.1', 60_000);
  await follower.close();
  expect(await closed).toBe(false);
  expect(await follower.reach('epoch-9.1', 60_000)).toBe(false);
});

test('canaries are timed from commit to lookup, and only while the follower was there to see them', async () => {
  const { clock, ledger, follower, holder } = following();
  ledger.write([{ key: 1, rights: 1 }], true); // long before anybody looked
  await clock.advance(60_000);
  ledger.beatEvery(1000);
  const canaries: { seq: number; isInForce: boolean }[] = [];
  follower.on('canary', (canary) => canaries.push(canary));
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  await clock.advance(3000);
  const open = ledger.begin();
  ledger.commit(open, [{ key: 2, rights: 64 }], true);
  await clock.advance(30);
  ledger.sequence();
  await clock.advance(10);
  expect(canaries).toMatchObject([{ seq: 2, isInForce: true, latencyMs: 30 }]);
  expect(follower.status().canaryLatency).toMatchObject({ count: 1, sumMs: 30 });
  await follower.close();
});

test('the ledger is told at once, in time, and at the end', async () => {
  const { clock, ledger, follower } = await started({ enforcer: { ...ENFORCER, id: 'here-1', name: 'here' } });
  ledger.reports.length = 0;
  await clock.advance(10_000);
  expect(ledger.reports.length).toBeGreaterThanOrEqual(9);
  expect(ledger.reports.length).toBeLessThanOrEqual(11);
  expect(ledger.reports.at(-1)).toMatchObject({
    ...{ id: 'here-1', name: 'here', role: 'library', state: 'live', isLeaving: false, leaseMs: 10_000 },
    position: { epoch: 'epoch-1', seq: 5 },
  });
  clock.jumpWall(-3_600_000); // says nothing of when it was applied
  await clock.advance(1300);
  const { appliedAgeMs } = ledger.reports.at(-1) ?? {};
  expect(appliedAgeMs).toBeGreaterThanOrEqual(11_000);
  expect(appliedAgeMs).toBeLessThan(15_000);
  ledger.reports.length = 0;
  for (let key = 0; key < 50; key++) {
    ledger.write([{ key, rights: 3 }]);
    await clock.advance(1);
  }
  expect(ledger.reports.length).toBeGreaterThanOrEqual(1);
  await clock.advance(200);
  expect(ledger.reports.length).toBeLessThanOrEqual(4); // told together
  expect(ledger.reports.at(-1)?.position?.seq).toBe(55);
  expect(ledger.reports.at(-1)?.appliedAgeMs).toBeLessThan(1_000);
  await follower.close();
  expect(ledger.reports.at(-1)).toMatchObject({ isLeaving: true, id: 'here-1', position: { seq: 55 } });
});

test('reports that fail or hang are counted, and following goes on', async () => {
  const clock = new FakeClock();
  const ledger = new ReferenceLedger({ clock });
  ledger.beatEvery(1000);
  const holder = new TableHolder();
  let reportCount = 0;
  const source: Source = {
    ...createLedgerSource(ledger, { clock }),
    report: () => (reportCount++ % 2 === 0 ? Promise.reject(new Error('no')) : new Promise<void>(() => {})),
  };
  const follower = new Follower({ source, holder, enforcer: ENFORCER, clock });
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  for (let key = 0; key < 20; key++) {
    ledger.write([{ key, rights: 3 }]);
    await clock.advance(1000);
  }
  expect(follower.status()).toMatchObject({ state: 'live', lastError: null });
  expect(follower.status().reportFailureCount).toBeGreaterThanOrEqual(4);
  expectSame(holder.current, ledger);
  void follower.close();
  await clock.advance(10_000);
});

test('a set whose age nobody knows has none, and its state goes by the last answer', async () => {
  const clock = new FakeClock();
  const ledger = new ReferenceLedger({ clock });
  ledger.write([{ key: 1, rights: 1 }]);
  let isThere = true;
  const source: Source = {
    name: 'file',
    snapshot: async (): Promise<LoadedTable> => ({ ...(await ledger.buildTable()), lagMs: null }),
    async changes(after, { waitMs, signal }) {
      await ledger.wait(waitMs, signal);
      if (!isThere) throw new Error('gone');
      const { head } = await ledger.entriesAfter(after.seq, 0);
      return { kind: 'frame', frame: { head: { ...head, beat: -1 }, entries: [] }, bytes: null, asOfMs: 0 };
    },
    close: async () => {},
  };
  const holder = new TableHolder();
  const follower = new Follower({ source, holder, enforcer: ENFORCER, clock, random: () => 0.1 });
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  await clock.advance(HOUR_MS / 60);
  expect(follower.status()).toMatchObject({ state: 'live', freshnessMs: null });
  expect(holder.freshAtMs).toBeNull();
  isThere = false;
  await clock.advance(15_000);
  expect(follower.status().state).toBe('soft_stale');
  expect(holder.freshAtMs).toBeNull();
  await follower.close();
});

test('a listener that throws disturbs nobody but its owner', async () => {
  const { clock, ledger, follower, holder } = await started();
  const thrown: unknown[] = [];
  const onUncaught = (error: unknown) => thrown.push(error);
  process.on('uncaughtException', onUncaught);
  const stop = follower.on('applied', () => {
    throw new Error('mine');
  });
  ledger.write([{ key: 40, rights: 3 }]);
  await clock.advance(100);
  stop();
  ledger.write([{ key: 41, rights: 3 }]);
  await clock.advance(100);
  process.off('uncaughtException', onUncaught);
  expect(thrown).toHaveLength(1);
  expectSame(holder.current, ledger);
  await follower.close();
});

test.each([
  ['enforcer.id', { enforcer: { ...ENFORCER, id: 'a b' } }],
  ['softStaleAfterMs', { softStaleAfterMs: 0 }],
  ['hardStaleAfterMs', { hardStaleAfterMs: Number.NaN }],
  ['maxShrink', { maxShrink: 1.5 }],
  ['entryCountMin', { entryCountMin: -1 }],
  ['pinSeq', { pinSeq: 1.5 }],
  ['reportEveryMs', { reportEveryMs: -1 }],
])('%s that makes no sense is refused at construction', (field, options) => {
  expect(() => following(options as Partial<FollowerOptions>)).toThrow(field);
});
