/**
 * What networks, brokers and ledgers can do to a follower, and what becomes of its table.
 * @module
 */
import { expect, test } from 'vitest';
import { TableHolder } from '../../src/core/suppression/index.js';
import { Follower } from '../../src/sync/follower.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { keyOf, ReferenceLedger, randomFrom } from '../reference/feed.js';
import { FakeClock, until } from './fake-clock.js';
import { ENFORCER, expectSame, type Following, following } from './following.js';
import { type FrameAnswer, type Tampering, tampered, withFrame } from './tampered-source.js';

const RUNS = 30 * Number(process.env.OPTGATE_STRESS ?? 1);

async function tamperedFollowing(
  tampering: (follow: Pick<Following, 'clock' | 'ledger'>) => Tampering,
  options: object = {},
): Promise<Following> {
  const clock = new FakeClock();
  const ledger = new ReferenceLedger({ clock, keyCount: 12 });
  const holder = new TableHolder();
  const source = tampered(createLedgerSource(ledger, { clock }), tampering({ clock, ledger }));
  const follower = new Follower({
    ...{ source, holder, clock, enforcer: ENFORCER, random: randomFrom(5), maxShrink: 1 },
    ...options,
  });
  for (let key = 0; key < 12; key++) ledger.write([{ key, rights: 1 + key }]);
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  await clock.advance(50);
  return { clock, ledger, holder, follower };
}

function isFrame(answer: { readonly kind: string }): answer is FrameAnswer {
  return answer.kind === 'frame';
}

test(`${RUNS} schedules through a source that repeats, delays, reorders and drops frames`, async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = randomFrom(seed);
    const before: FrameAnswer[] = [];
    const held: FrameAnswer[] = [];
    let replayCount = 0;
    const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({
      changes(answer) {
        if (!isFrame(answer)) return answer;
        const dice = random();
        const other = before[Math.floor(random() * before.length)];
        // what is played again looks as if it were of now; what only comes late does not. Not three times in a row: that
        // cannot be told from a ledger that went back
        replayCount = dice < 0.15 && other !== undefined && replayCount < 2 ? replayCount + 1 : 0;
        if (replayCount > 0 && other !== undefined) return { ...other, asOfMs: answer.asOfMs };
        if (dice < 0.2) held.push(answer);
        if (dice < 0.2) return held[Math.floor(random() * held.length)] ?? answer;
        if (dice < 0.25) return withFrame(answer, { entries: answer.frame.entries.slice(1) });
        if (dice < 0.3) return withFrame(answer, { entries: [] });
        if (dice < 0.35) return withFrame(answer, { entries: answer.frame.entries.toReversed() });
        before.push(answer);
        return answer;
      },
    }));
    for (let step = 0; step < 80; step++) {
      ledger.step();
      await clock.advance(Math.floor(random() * 60));
      const missingAtMs = ledger.oldestMissingAtMs(holder.seq);
      expect(holder.freshAtMs ?? 0).toBeLessThanOrEqual(missingAtMs ?? Number.POSITIVE_INFINITY);
    }
    ledger.sequence();
    await clock.advance(120_000);
    expect(holder.seq).toBe(ledger.seq);
    expectSame(holder.current, ledger, 12);
    expect(follower.status().failureCounts['sync.digest']).toBeUndefined();
    await follower.close();
  }
});

test('an old heartbeat that is played again and again makes nothing fresh, and then counts as a ledger that went back', async () => {
  let recorded: FrameAnswer | null = null;
  let isReplaying = false;
  const { clock, ledger, follower } = await tamperedFollowing(() => ({
    changes(answer) {
      if (!isFrame(answer)) return answer;
      if (isReplaying && recorded !== null) return { ...recorded, asOfMs: answer.asOfMs };
      recorded ??= answer;
      return answer;
    },
  }));
  for (let beat = 0; beat < 3; beat++) {
    ledger.sequence();
    await clock.advance(500);
  }
  const freshnessMs = follower.status().freshnessMs ?? 0;
  isReplaying = true;
  await clock.advance(1500); // one replay or two
  expect(follower.status().freshnessMs).toBeGreaterThanOrEqual(freshnessMs + 1400);
  expect(follower.status().resyncCount).toBe(0);
  await clock.advance(10_000);
  expect(follower.status().failureCounts['sync.regressed']).toBeGreaterThan(0);
  await follower.close();
});

test('changes that never come are asked for again, then a snapshot is taken instead', async () => {
  let isDropping = false;
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({
    changes: (answer) =>
      isDropping && isFrame(answer) && answer.frame.entries.length > 0
        ? withFrame(answer, { entries: answer.frame.entries.slice(1) })
        : answer,
  }));
  isDropping = true;
  ledger.write([{ key: 1, rights: 64 }]);
  ledger.write([{ key: 2, rights: 64 }]);
  await clock.advance(5000);
  expect(follower.status().failureCounts['sync.gap']).toBeGreaterThanOrEqual(3);
  expect(follower.status()).toMatchObject({ resyncCount: 1, repairCount: 0 });
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('a new epoch is taken over from a snapshot, and no opt-out is missing on the way', async () => {
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({}));
  const open = ledger.begin(); // an old transaction, so that what follows cannot be cut
  const late = ledger.begin();
  ledger.commit(late, [{ key: 3, rights: 0 }]);
  ledger.commit(open, [{ key: 3, rights: 127 }]);
  ledger.sequence();
  await clock.advance(100);
  const { high, low } = keyOf(3);
  const seen: number[] = [];
  follower.on('resync', () => seen.push(holder.current?.rightsOfMixed(high, low) ?? 0));
  ledger.rotateEpoch();
  await expect(follower.reach(`epoch-2.${ledger.seq}`, 0)).resolves.toBe(false);
  const reached = follower.reach(`epoch-2.${ledger.seq}`, 5000);
  await clock.advance(1000);
  expect(await reached).toBe(true);
  expect(seen).toEqual([127]);
  expect(follower.status()).toMatchObject({ state: 'live', resyncCount: 1, position: { epoch: 'epoch-2' } });
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('a ledger that was set back without a word is followed from a snapshot', async () => {
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({}));
  expect(holder.seq).toBe(12);
  ledger.regress(9);
  await clock.advance(3000);
  expect(follower.status()).toMatchObject({ resyncCount: 1, failureCounts: { 'sync.regressed': 1 } });
  expect(holder.seq).toBe(9);
  expectSame(holder.current, ledger, 12);
  ledger.write([{ key: 11, rights: 5 }]);
  await clock.advance(1000);
  expectSame(holder.current, ledger, 12);
  expect(follower.status().state).toBe('live');
  await follower.close();
});

test('changes that were trimmed are made up for by a snapshot', async () => {
  const { clock, ledger, holder, follower } = following({ random: () => 0.01 });
  ledger.write([{ key: 1, rights: 1 }]);
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  ledger.failure = 'sync.unavailable';
  await clock.advance(3000);
  for (let key = 0; key < 9; key++) ledger.write([{ key, rights: 9 }]);
  ledger.trim(5);
  ledger.failure = null;
  await clock.advance(3000);
  expectSame(holder.current, ledger);
  expect(follower.status()).toMatchObject({ state: 'live', resyncCount: 1, lastSnapshotSeq: 10 });
  await follower.close();
});

test('a table that is not what the ledger has is replaced, stays in use meanwhile, and is not called fresh', async () => {
  let release: () => void = () => {};
  let snapshotCount = 0;
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({
    async snapshot(_request, ask) {
      if (snapshotCount++ > 0) await new Promise<void>((resolve) => (release = resolve));
      return ask();
    },
  }));
  ledger.beatEvery(1000);
  await clock.advance(1500);
  const { high, low, tag } = keyOf(4);
  holder.setMixed(high, low, tag, 0, false); // a bit fell over
  ledger.write([{ key: 5, rights: 99 }]);
  await clock.advance(20_000);
  expect(follower.status()).toMatchObject({ state: 'soft_stale', repairCount: 0, failureCounts: { 'sync.digest': 1 } });
  // changes go on arriving, but their freshness does not
  ledger.write([{ key: 6, rights: 77 }]);
  await clock.advance(1000);
  expect(holder.seq).toBe(14);
  expect(follower.status().freshnessMs).toBeGreaterThan(20_000);
  release();
  await clock.advance(2000);
  expect(follower.status()).toMatchObject({ state: 'live', repairCount: 1, resyncCount: 1 });
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('a repair from an older snapshot waits until it is as far: what was in force is never missing', async () => {
  let staleLoad: Awaited<ReturnType<ReferenceLedger['buildTable']>> | null = null;
  const { clock, ledger, holder, follower } = await tamperedFollowing(({ ledger: feed }) => ({
    async snapshot() {
      const loaded = staleLoad ?? (await feed.buildTable());
      staleLoad = await feed.buildTable(); // what a bucket would give next time: as of now
      return loaded;
    },
  }));
  const { high, low, tag } = keyOf(4);
  ledger.write([{ key: 7, rights: 42 }]);
  await clock.advance(100);
  const key = keyOf(7);
  expect(holder.current?.rightsOfMixed(key.high, key.low)).toBe(42);
  holder.setMixed(high, low, tag, 0, false);
  const seqs: number[] = [];
  const stop = holder.onSwap(() => seqs.push(holder.seq));
  ledger.write([{ key: 8, rights: 43 }]);
  await clock.advance(5000);
  stop();
  expect(seqs).toEqual([14]);
  expect(follower.status()).toMatchObject({ repairCount: 1, lastSnapshotSeq: 12 });
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('a source that hangs without closing is given up in time, and followed again when it answers', async () => {
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({}), { hardStaleAfterMs: 60_000 });
  ledger.beatEvery(1000);
  await clock.advance(1500);
  ledger.isHanging = true;
  const states: string[] = [];
  follower.on('state', ({ state }) => states.push(state));
  await clock.advance(8000);
  expect(follower.status().failureCounts['sync.deadline']).toBeGreaterThan(0);
  await clock.advance(70_000);
  expect(states).toEqual(['soft_stale', 'hard_stale']);
  ledger.isHanging = false;
  ledger.write([{ key: 1, rights: 2 }]);
  await clock.advance(60_000);
  expect(states).toEqual(['soft_stale', 'hard_stale', 'live']);
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('a source that is not there is waited for, and closing ends the wait', async () => {
  const { clock, ledger, holder, follower } = following();
  ledger.beatEvery(1000);
  ledger.failure = 'sync.unavailable';
  let hasStarted = false;
  const started = follower.start().then(() => {
    hasStarted = true;
  });
  await until(() => follower.status().lastError !== null, 'an error');
  await clock.advance(120_000);
  const { state, lastError } = follower.status();
  expect(state).toBe('empty');
  expect(lastError).toMatchObject({ code: 'sync.unavailable' });
  expect(lastError?.consecutiveCount).toBeGreaterThan(5);
  // full jitter below a cap of 30 s: in 2 minutes neither a rush nor silence
  expect(lastError?.consecutiveCount).toBeLessThan(60);
  expect(hasStarted).toBe(false);
  const other = following();
  other.ledger.isHanging = true;
  const otherStarted = other.follower.start();
  await until(() => other.follower.status().lastError === null, 'a start');
  void other.follower.close();
  await other.clock.advance(10_000);
  await otherStarted;
  expect(other.holder.current).toBeNull();
  ledger.failure = null;
  await clock.advance(60_000);
  await started;
  expectSame(holder.current, ledger);
  expect(follower.status()).toMatchObject({ state: 'live', lastError: { consecutiveCount: 0 } });
  await follower.close();
});

test.each([
  ['another seed', (answer: FrameAnswer) => withFrame(answer, { head: { ...answer.frame.head, seed: 1n } })],
  [
    'entries beyond the head',
    (answer: FrameAnswer) => withFrame(answer, { head: { ...answer.frame.head, seq: answer.frame.head.seq - 1 } }),
  ],
  [
    'a record that cannot be',
    (answer: FrameAnswer) =>
      withFrame(answer, { entries: answer.frame.entries.map((entry) => ({ ...entry, changes: new Uint8Array(20) })) }),
  ],
])('an answer with %s is not applied, and a snapshot taken when it comes again and again', async (_name, change) => {
  let isTampering = false;
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({
    changes: (answer) => (isTampering && isFrame(answer) && answer.frame.entries.length > 0 ? change(answer) : answer),
  }));
  isTampering = true;
  ledger.write([{ key: 1, rights: 64 }]);
  await clock.advance(10_000);
  expect(follower.status().failureCounts).toMatchObject(
    _name === 'a record that cannot be' ? { 'delta.header': 3 } : { 'sync.protocol': 3 },
  );
  expect(follower.status().resyncCount).toBe(1);
  expectSame(holder.current, ledger, 12);
  await follower.close();
});

test('more unsettled keys than are remembered lead to a snapshot, not to wrong rights', async () => {
  const { clock, ledger, holder, follower } = await tamperedFollowing(() => ({}), { limits: { versionKeysMax: 500 } });
  const early = ledger.begin();
  const late = ledger.begin();
  ledger.commit(late, [{ key: 1, rights: 0 }]);
  const writes = Array.from({ length: 600 }, (_, index) => ({ key: 100 + index, rights: 3 }));
  // numbered before what it waited for: nothing can be cut until both have their number
  ledger.commit(early, [{ key: 1, rights: 127 }, ...writes.slice(0, 400)]);
  ledger.sequence();
  await clock.advance(100);
  const more = [ledger.begin(), ledger.begin()];
  ledger.commit(more[1] ?? 0, [{ key: 2, rights: 0 }]);
  ledger.commit(more[0] ?? 0, [{ key: 2, rights: 127 }, ...writes.slice(400)]);
  ledger.sequence();
  await clock.advance(10_000);
  expect(follower.status().versionCount).toBeLessThanOrEqual(700);
  expectSame(holder.current, ledger, 12);
  await follower.close();
});
