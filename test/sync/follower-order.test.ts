/**
 * Whatever order transactions are begun, committed and numbered in: the follower's table is the ledger's state at its seq,
 * and never claims to be fresher than it is.
 * @module
 */
import { expect, test } from 'vitest';
import { Replica } from '../../src/sync/replica.js';
import { keyOf, ReferenceLedger, randomFrom } from '../reference/feed.js';
import { FakeClock, until } from './fake-clock.js';
import { expectSame, type Following, following } from './following.js';

const RUNS = 40 * Number(process.env.OPTGATE_STRESS ?? 1);
const STEPS = 120;

/** No change that was committed before `freshAtMs` is missing. */
function expectHonest({ holder, ledger }: Pick<Following, 'holder' | 'ledger'>): void {
  const { current } = holder;
  if (current === null) return;
  const missingAtMs = ledger.oldestMissingAtMs(current.seq);
  if (current.freshAtMs === null) throw new Error('expected a time');
  if (missingAtMs !== null) expect(current.freshAtMs).toBeLessThanOrEqual(missingAtMs);
}

async function runSchedule(seed: number, lastVersionWins: boolean): Promise<Following> {
  const random = randomFrom(seed);
  const follow = following({ lastVersionWins, maxShrink: 1 }, { seed, keyCount: 12 });
  const { clock, ledger, holder, follower } = follow;
  for (let step = 0; step < 30; step++) ledger.step();
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  for (let step = 0; step < STEPS; step++) {
    ledger.step();
    if (random() < 0.03) ledger.rotateEpoch();
    await clock.advance(Math.floor(random() * 40));
    expectHonest(follow);
    if (lastVersionWins) expectSame(holder.current, ledger, 12);
  }
  ledger.sequence();
  await clock.advance(30_000);
  await follower.close();
  return follow;
}

test(`${RUNS} random schedules end, and at every step are, as the ledger is`, async ({ annotate }) => {
  let unsettledCount = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    const { ledger, holder, follower } = await runSchedule(seed, true);
    expectSame(holder.current, ledger, 12);
    expect(follower.status().failureCounts['sync.digest']).toBeUndefined();
    if (ledger.settledSeq < ledger.seq) unsettledCount++;
  }
  await annotate(`${unsettledCount} of ${RUNS} ended with entries that were not settled`);
});

test('without versions the same schedules go wrong, and the digests say so', async () => {
  let digestFailureCount = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { follower } = await runSchedule(seed, false);
    digestFailureCount += follower.status().failureCounts['sync.digest'] ?? 0;
  }
  expect(digestFailureCount).toBeGreaterThan(0);
});

/** An opt-out whose transaction began before that of an opt-in and had to wait for it: the log has them the wrong way round. */
function invertedLedger(): ReferenceLedger {
  const ledger = new ReferenceLedger({ clock: new FakeClock() });
  ledger.write([{ key: 1, rights: 3 }]);
  const early = ledger.begin();
  const late = ledger.begin();
  ledger.commit(late, [{ key: 1, rights: 0 }]);
  ledger.commit(early, [{ key: 1, rights: 127 }]);
  ledger.sequence();
  return ledger;
}

test.each([
  { lastVersionWins: true, expected: 127 },
  { lastVersionWins: false, expected: 0 },
])('an opt-out that is numbered before the opt-in it overrules: $expected if $lastVersionWins', async (row) => {
  const ledger = invertedLedger();
  const replica = new Replica(ledger.tableAt(1), { lastVersionWins: row.lastVersionWins });
  const { entries, head } = await ledger.entriesAfter(1, 10);
  for (const entry of entries) {
    replica.apply(entry);
    replica.publish(entry.seq, null);
  }
  const { high, low } = keyOf(1);
  expect(replica.table.rightsOfMixed(high, low)).toBe(row.expected);
  expect(ledger.fold().get(`${high}:${low}`)).toBe(127);
  if (row.lastVersionWins) expect(() => replica.settle(head)).not.toThrow();
  else expect(() => replica.settle(head)).toThrow('sync.digest');
});

test('a follower without versions is put right by the digest, and says so', async () => {
  const { clock, ledger, holder, follower } = following({ lastVersionWins: false });
  ledger.write([{ key: 1, rights: 3 }]);
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  await clock.advance(100);
  const early = ledger.begin();
  const late = ledger.begin();
  ledger.commit(late, [{ key: 1, rights: 0 }]);
  ledger.commit(early, [{ key: 1, rights: 127 }]);
  ledger.sequence();
  await clock.advance(2000);
  expectSame(holder.current, ledger);
  expect(follower.status()).toMatchObject({ state: 'live', repairCount: 1, resyncCount: 1 });
  await follower.close();
});

test('a fold by versions and the reference table are the same thing', () => {
  const ledger = new ReferenceLedger({ clock: new FakeClock(), seed: 3 });
  for (let step = 0; step < 500; step++) ledger.step();
  expect(ledger.tableAt(ledger.seq).entryCount).toBe(ledger.fold().size);
  expect(ledger.tableAt(ledger.settledSeq).stateDigest).toBe(ledger.head().stateDigest);
});
