/**
 * Real answers of a real ledger, given twice, late, in the wrong order, in pieces, with something missing or changed: the
 * table is the ledger's in the end, and claims nothing that is not so on the way.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InputError } from '../../src/core/errors.js';
import { readChanges, writeChanges } from '../../src/core/suppression/index.js';
import type { Identifier } from '../../src/core/vocabulary.js';
import type { Ledger } from '../../src/ledger/index.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import type { ChangesAnswer, Position, Source } from '../../src/sync/source.js';
import { randomFrom } from '../reference/feed.js';
import { LogTruth } from './log-truth.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import { expectHonest, expectSameAs, later, ledgerAt, postgresSource, untilLive, watch } from './stand.js';
import { maid, personId, Writers } from './writers.js';

type Frames = Extract<ChangesAnswer, { kind: 'frame' }>;
type Ask = (after: Position) => Promise<ChangesAnswer>;
/** What becomes of an answer; `ask` gets more from the real source. */
type Mischief = (answer: Frames, after: Position, ask: Ask) => ChangesAnswer | Promise<ChangesAnswer>;

const WRITING_MS = 2500;

function spoiled(source: Source, mischief: Mischief): Source {
  return {
    name: source.name,
    snapshot: (request) => source.snapshot(request),
    report: async (report) => source.report?.(report),
    close: () => source.close(),
    async changes(after, options) {
      const answer = await source.changes(after, options);
      const ask: Ask = (position) => source.changes(position, { ...options, waitMs: 0 });
      return answer.kind === 'frame' ? mischief(answer, after, ask) : answer;
    },
  };
}

withCluster()('what networks and brokers do to answers', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  /** Follows through mischief while people write; compares in the end and looks back. */
  async function survive(mischief: Mischief, options: Partial<FollowerOptions> = {}) {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const writers = new Writers({ ledger, seed: 17 });
    later(() => writers.stop());
    let isOver = false;
    const source = spoiled(await postgresSource(url), (answer, after, ask) =>
      isOver ? answer : mischief(answer, after, ask),
    );
    const watched = watch(source, options);
    await untilLive(watched);
    writers.start();
    await sleep(WRITING_MS);
    await writers.stop();
    isOver = true;
    await expectSameAs(ledger, watched);
    writers.expectIn(watched.holder.current);
    return { url, watched, status: watched.follower.status() };
  }

  test('answers that come again, by themselves or in the place of newer ones, and say they are of now', async () => {
    const random = randomFrom(1);
    const past: Frames[] = [];
    const { url, watched, status } = await survive((answer) => {
      past.push(answer);
      const again = past[Math.floor(random() * past.length)];
      return random() < 0.3 && again !== undefined ? { ...again, asOfMs: performance.now() } : answer;
    });
    expectHonest(await LogTruth.read(url), watched);
    expect(status.repairCount).toBe(0);
  });

  test('nothing but the last answer, again and again: the table turns stale', async () => {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    let last: Frames | null = null;
    let isStuck = false;
    const source = spoiled(await postgresSource(url), async (answer) => {
      if (!isStuck) last = answer;
      await sleep(20);
      return isStuck && last !== null ? { ...last, asOfMs: performance.now() } : answer;
    });
    const watched = watch(source);
    await untilLive(watched);
    await ledger.recordOptOut({ identifiers: [maid(personId(1))], channel: 'api' });
    await expectSameAs(ledger, watched);
    isStuck = true;
    await expect.poll(() => watched.follower.status().state, { timeout: 10_000 }).toBe('hard_stale');
    isStuck = false;
    await untilLive(watched);
  });

  test('answers in the wrong order: later entries first', async () => {
    const random = randomFrom(2);
    const { url, watched } = await survive(async (answer, after, ask) => {
      if (random() < 0.5) return answer;
      await sleep(60); // something has been written meanwhile
      const later = await ask({ ...after, seq: after.seq + 1 + Math.floor(random() * 3) });
      return later.kind === 'frame' ? later : answer;
    });
    expectHonest(await LogTruth.read(url), watched);
    expect(watched.follower.status().failureCounts['sync.gap']).toBeGreaterThan(0);
  });

  test('answers that overlap, and answers in pieces under a head that is further', async () => {
    const random = randomFrom(3);
    const { url, watched, status } = await survive(async (answer, after, ask) => {
      await sleep(30);
      const from = Math.max(0, after.seq - Math.floor(random() * 20));
      const overlapping = await ask({ ...after, seq: from });
      if (overlapping.kind !== 'frame') return answer;
      const { head, entries } = overlapping.frame;
      const count = Math.ceil(random() * entries.length);
      return { ...overlapping, frame: { head, entries: entries.slice(0, count) } };
    });
    expectHonest(await LogTruth.read(url), watched);
    expect(status.repairCount).toBe(0);
  });

  test('an entry that is left out under way is missed at once', async () => {
    const random = randomFrom(4);
    const { url, watched } = await survive((answer) => {
      const { head, entries } = answer.frame;
      if (entries.length < 2 || random() < 0.5) return answer;
      return { ...answer, frame: { head, entries: entries.filter((_, index) => index !== 0) } };
    });
    expectHonest(await LogTruth.read(url), watched);
  });

  test('a change that is left out of an entry, or is another one: the digest tells, and a snapshot puts it right', async () => {
    const random = randomFrom(5);
    let spoiledCount = 0;
    const { status, watched } = await survive((answer) => {
      const { head, entries } = answer.frame;
      if (entries.length === 0 || random() < 0.95) return answer;
      spoiledCount++;
      const [first, ...rest] = entries;
      if (first === undefined) return answer;
      const changes = readChanges(first.changes);
      const [change, ...others] = changes;
      if (change === undefined) return answer;
      const spoiledChanges = random() < 0.5 ? others : [{ ...change, rights: change.rights ^ 1 }, ...others];
      return { ...answer, frame: { head, entries: [{ ...first, changes: writeChanges(spoiledChanges) }, ...rest] } };
    });
    expect(spoiledCount).toBeGreaterThan(0);
    expect(status.failureCounts['sync.digest']).toBeGreaterThan(0);
    expect(watched.follower.status().repairCount).toBeGreaterThan(0);
  });

  /** People who are written about by everybody at once; what a follower with these options makes of it. */
  async function followContention(options: Partial<FollowerOptions>) {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url, { sequence: false });
    const watched = watch(await postgresSource(url), options);
    await contend([ledger, await ledgerAt(url)]);
    const truth = await settledTruth(url, ledger);
    expect(truth.inversionCount).toBeGreaterThan(0);
    return { ledger, watched, truth };
  }

  test('writers that contend for the same keys: later versions may come first, and win', async () => {
    const { ledger, watched, truth } = await followContention({});
    await expectSameAs(ledger, watched);
    expectHonest(truth, watched);
    expect(watched.follower.status().failureCounts).not.toHaveProperty('sync.digest');
  });

  test('the same where the last version does not win is seen to go wrong, so the test above can fail', async () => {
    const { watched, truth } = await followContention({ lastVersionWins: false });
    await expect.poll(() => watched.follower.status().failureCounts['sync.digest']).toBeGreaterThan(0);
    expect([...watched.digests].some(([seq, digest]) => digest !== truth.digestAt(seq))).toBe(true);
  });

  async function settledTruth(url: string, ledger: Ledger): Promise<LogTruth> {
    await expect
      .poll(async () => {
        const { seq, settledSeq } = await ledger.head();
        return seq === settledSeq;
      })
      .toBe(true);
    return LogTruth.read(url);
  }
});

/** Two processes' worth of writers, who all want the same few people to have other rights, at the same time. */
async function contend(ledgers: readonly Ledger[]): Promise<void> {
  const random = randomFrom(23);
  const identifiers = Array.from({ length: 4 }, (_, person) => maid(personId(person)));
  const write = async (ledger: Ledger) => {
    for (let count = 0; count < 30; count++) {
      const several = identifiers.filter(() => random() < 0.5);
      if (several.length === 0) continue;
      if (random() < 0.4) await ledger.recordOptOut({ identifiers: several, rights: ['sale'], channel: 'api' });
      else await optIn(ledger, several);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, writer) => write(ledgers[writer % ledgers.length] as Ledger)));
}

/** Unless somebody has opted the same people out between the two steps. */
async function optIn(ledger: Ledger, identifiers: readonly Identifier[]): Promise<void> {
  const { requestId, confirmation } = await ledger.recordOptIn({ identifiers, channel: 'api' });
  try {
    await ledger.confirmOptIn(requestId, confirmation ?? '');
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'superseded') throw error;
  }
}
