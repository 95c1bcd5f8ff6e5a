/**
 * Snapshots: which are put into use, which are refused, and that the event loop goes on while they are read.
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { Follower } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { loadSnapshot } from '../../src/sync/snapshot-load.js';
import type { LoadedTable, SnapshotRequest, SnapshotSummary } from '../../src/sync/source.js';
import { keyOf, ReferenceLedger, randomFrom } from '../reference/feed.js';
import { FakeClock, until } from './fake-clock.js';
import { ENFORCER, expectSame, type Following } from './following.js';
import { tampered } from './tampered-source.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-snapshots-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Snapshot = (request: SnapshotRequest, ask: () => Promise<LoadedTable>) => Promise<LoadedTable>;

/** A follower with ten entries whose next snapshots are made by `snapshot`. */
async function followingWith(snapshot: Snapshot, options: Partial<FollowerOptions> = {}): Promise<Following> {
  const clock = new FakeClock();
  const ledger = new ReferenceLedger({ clock });
  ledger.beatEvery(1000);
  const holder = new TableHolder();
  let isFirst = true;
  const source = tampered(createLedgerSource(ledger, { clock }), {
    snapshot(request, ask) {
      const isFirstNow = isFirst;
      isFirst = false;
      return isFirstNow ? ask() : snapshot(request, ask);
    },
  });
  for (let key = 0; key < 10; key++) ledger.write([{ key, rights: 127 }]);
  const follower = new Follower({ source, holder, clock, enforcer: ENFORCER, random: randomFrom(3), ...options });
  void follower.start();
  await until(() => holder.current !== null, 'a table');
  await clock.advance(1500);
  return { clock, ledger, holder, follower };
}

/** Withdraws most opt-outs, and makes the follower need a snapshot. */
function shrink(ledger: ReferenceLedger): void {
  ledger.write(Array.from({ length: 8 }, (_, key) => ({ key, rights: 0 })));
  ledger.trim(ledger.seq);
}

test.each<[string, Partial<FollowerOptions>, string]>([
  ['far smaller than what is in use', {}, 'sync.shrunk'],
  ['smaller than the minimum', { maxShrink: 1, entryCountMin: 5 }, 'sync.too_few'],
  ['newer than the pin', { maxShrink: 1, pinSeq: 10 }, 'sync.pinned'],
])('a snapshot that is %s is refused, loudly, and the table stays', async (_name, options, code) => {
  let offerCount = 0;
  const { clock, ledger, holder, follower } = await followingWith((request, ask) => {
    offerCount++;
    request.validate({ position: { epoch: ledger.epoch, seq: ledger.seq }, entryCount: ledger.fold().size });
    return ask();
  }, options);
  const errors: string[] = [];
  follower.on('error', ({ code: found }) => errors.push(found));
  shrink(ledger);
  await clock.advance(120_000);
  expect(holder.current?.entryCount).toBe(10);
  expect(errors).toContain(code);
  const { refusedCounts, state, lastError } = follower.status();
  expect(refusedCounts).toEqual({ [code]: offerCount });
  expect(state).toBe('soft_stale');
  expect(lastError?.consecutiveCount).toBeGreaterThan(1);
  // no hot loop: full jitter up to 30 s
  expect(offerCount).toBeGreaterThan(3);
  expect(offerCount).toBeLessThan(40);
  // and what is right again is taken
  if (code === 'sync.pinned') follower.pin(null);
  ledger.write(Array.from({ length: 10 }, (_, key) => ({ key, rights: 5 })));
  await clock.advance(60_000);
  expectSame(holder.current, ledger);
  expect(follower.status().state).toBe('live');
  await follower.close();
});

test('a snapshot of unknown size is judged once it is loaded', async () => {
  const { clock, ledger, holder, follower } = await followingWith((request, ask) => {
    request.validate({ position: { epoch: ledger.epoch, seq: ledger.seq }, entryCount: null });
    return ask();
  });
  shrink(ledger);
  await clock.advance(1000);
  expect(follower.status().refusedCounts['sync.shrunk']).toBeGreaterThan(0);
  expect(holder.current?.entryCount).toBe(10);
  await follower.close();
});

test('a damaged snapshot is fetched again later and later, another one at once', async () => {
  let fetchCount = 0;
  let isDamaged = true;
  const { clock, ledger, holder, follower } = await followingWith((request, ask) => {
    request.validate({ position: { epoch: ledger.epoch, seq: ledger.seq }, entryCount: 11 });
    fetchCount++;
    return isDamaged ? Promise.reject(new GateError('snapshot.checksum')) : ask();
  });
  ledger.write([{ key: 20, rights: 1 }]);
  ledger.trim(ledger.seq);
  await clock.advance(60_000);
  const soonCount = fetchCount;
  expect(soonCount).toBeGreaterThan(1); // perhaps it was the way, not the snapshot
  expect(soonCount).toBeLessThan(9);
  expect(follower.status().refusedCounts['snapshot.checksum']).toBeGreaterThan(soonCount);
  await clock.advance(240_000);
  expect(fetchCount - soonCount).toBeLessThan(5);
  isDamaged = false;
  ledger.write([{ key: 21, rights: 1 }]);
  ledger.trim(ledger.seq);
  await clock.advance(31_000);
  expectSame(holder.current, ledger);
  await follower.close();
});

test('a snapshot that is not what it says is not used', async () => {
  const { clock, ledger, holder, follower } = await followingWith(async (_request, ask) => {
    const loaded = await ask();
    return { ...loaded, position: { ...loaded.position, seq: loaded.position.seq + 1 } };
  });
  ledger.write([{ key: 20, rights: 1 }]);
  ledger.trim(ledger.seq);
  await clock.advance(5000);
  expect(follower.status().failureCounts['sync.protocol']).toBeGreaterThan(0);
  expect(holder.seq).toBe(10);
  await follower.close();
});

test('a snapshot that takes for ever is given up, and what it left behind removed', async () => {
  const late: ((loaded: LoadedTable) => void)[] = [];
  const { clock, ledger, holder, follower } = await followingWith(
    () => new Promise<LoadedTable>((resolve) => late.push(resolve)),
    { limits: { snapshotDeadlineMs: 10_000 } },
  );
  ledger.write([{ key: 20, rights: 1 }]);
  ledger.trim(ledger.seq);
  await clock.advance(10_100);
  expect(follower.status().failureCounts['sync.deadline']).toBe(1);
  expect(holder.seq).toBe(10);
  const path = join(folder, 'late.ogs');
  const loaded = await ledger.buildTable();
  await writeSnapshotFile(path, SuppressionTable.attach(loaded.share));
  late[0]?.({ ...loaded, path });
  await until(() => readdirSync(folder).length === 0, 'the download removed');
  await follower.close();
});

test('downloads of a follower without a folder leave nothing behind', async () => {
  const incoming: string[] = [];
  const { clock, ledger, holder, follower } = await followingWith(async (request, ask) => {
    const loaded = await ask();
    const path = join(request.folder, 'download.ogs');
    await writeSnapshotFile(path, SuppressionTable.attach(loaded.share));
    incoming.push(request.folder);
    return { ...loaded, path };
  });
  ledger.write([{ key: 20, rights: 1 }]);
  ledger.trim(ledger.seq);
  await until(async () => {
    await clock.advance(100);
    return holder.seq === 11;
  }, 'the snapshot');
  expectSame(holder.current, ledger);
  await until(async () => readdirSync(incoming[0] ?? 'none').length === 0, 'the download to be gone');
  await follower.close();
  expect(() => readdirSync(incoming[0] ?? 'none')).toThrow();
});

test('a snapshot file is read by another thread: this one goes on meanwhile', async ({ annotate }) => {
  const table = SuppressionTable.create({ capacity: 1_000_000, seed: 1n, epoch: 'large' });
  for (let index = 0; index < 1_000_000; index++) {
    const { high, low, tag } = keyOf(index);
    table.setMixed(high, low, 1 + (index % 127), 1 << tag, 1 << tag);
  }
  table.publish(5, 1000);
  const path = join(folder, 'large.ogs');
  await writeSnapshotFile(path, table);
  let tickCount = 0;
  const ticking = setInterval(() => tickCount++, 1);
  const seen: SnapshotSummary[] = [];
  const startMs = performance.now();
  const loaded = await loadSnapshot(path, { validate: (summary) => seen.push(summary) });
  const tookMs = performance.now() - startMs;
  clearInterval(ticking);
  await annotate(`${tickCount} ticks of 1 ms in ${tookMs.toFixed()} ms`);
  expect(tickCount).toBeGreaterThan(5);
  expect(seen).toEqual([{ position: { epoch: 'large', seq: 5 }, entryCount: table.entryCount }]);
  expect(loaded).toMatchObject({ position: { epoch: 'large', seq: 5 }, entryCount: table.entryCount, freshAtMs: 1000 });
  const found = SuppressionTable.attach(loaded.share, 'writer');
  expect(found.stateDigest).toBe(table.stateDigest);
  found.publish(6, null); // it is ours to write to now
  const ending = new AbortController();
  const aborted = loadSnapshot(path, { signal: ending.signal });
  setTimeout(() => ending.abort(), 10);
  await expect(aborted).rejects.toMatchObject({ code: 'sync.closed' });
  const refuse = () => {
    throw new GateError('sync.shrunk');
  };
  await expect(loadSnapshot(path, { validate: refuse })).rejects.toMatchObject({ code: 'sync.shrunk' });
});
