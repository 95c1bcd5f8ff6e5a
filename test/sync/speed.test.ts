/**
 * How fast changes are applied, and for how long putting a large table into use stops the event loop. Figures to be read,
 * not limits: only what must hold on any machine is asserted.
 * @module
 */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  CHANGE_BYTES,
  type Entry,
  type Frame,
  type Head,
  mintHigh,
  mintLow,
  SuppressionTable,
  TableHolder,
} from '../../src/core/suppression/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { createFileSource } from '../../src/sync/file-source.js';
import { Follower } from '../../src/sync/follower.js';
import { Replica } from '../../src/sync/replica.js';
import type { Source } from '../../src/sync/source.js';
import { randomFrom } from '../reference/feed.js';
import { until } from './fake-clock.js';
import { ENFORCER } from './following.js';

const SEED = 1n;

/** One entry of new keys; the keys come from the seed alone. */
function entryOf(seq: number, changeCount: number, random: () => number): Entry {
  const changes = new Uint8Array(changeCount * CHANGE_BYTES);
  const view = new DataView(changes.buffer);
  for (let at = 0; at < changes.length; at += CHANGE_BYTES) {
    view.setInt32(at, mintHigh(random() * 2 ** 32), true);
    view.setInt32(at + 4, mintLow(random() * 2 ** 32), true);
    view.setUint32(at + 8, 1, true);
    view.setUint8(at + 16, 8);
    view.setUint8(at + 18, 127);
  }
  return { seq, atMs: Date.now(), isCanary: false, changes };
}

/** Longest time between two ticks of a 1 ms interval while something is done. */
async function longestStallMs(
  work: () => Promise<void>,
): Promise<{ readonly stallMs: number; readonly tickCount: number }> {
  let lastMs = performance.now();
  let stallMs = 0;
  let tickCount = 0;
  const ticking = setInterval(() => {
    const nowMs = performance.now();
    stallMs = Math.max(stallMs, nowMs - lastMs);
    lastMs = nowMs;
    tickCount++;
  }, 1);
  await work();
  await new Promise((resolve) => setTimeout(resolve, 20)); // a stall at the very end counts, too
  clearInterval(ticking);
  return { stallMs, tickCount };
}

test.each([
  { entryCount: 120, changesPerEntry: 4096 },
  { entryCount: 60_000, changesPerEntry: 2 },
])('applying $entryCount entries of $changesPerEntry changes', async ({ entryCount, changesPerEntry }) => {
  const random = randomFrom(1);
  const entries = Array.from({ length: entryCount }, (_, index) => entryOf(index + 1, changesPerEntry, random));
  const twin = new Replica(SuppressionTable.create({ capacity: 1, seed: SEED, epoch: 'e' }));
  for (const entry of entries) twin.apply(entry);
  const { stateDigest, entryCount: keyCount, kindMask, givenKindMask } = twin.table;
  const head: Head = {
    ...{ epoch: 'e', seed: SEED, seq: entryCount, settledSeq: entryCount, stateDigest, entryCount: keyCount },
    ...{ kindMask, givenKindMask, beat: 1, lagMs: 0 },
  };
  const framesOf = Math.min(2000, 1 + Math.floor(200_000 / changesPerEntry));
  const source: Source = {
    name: 'memory',
    async snapshot() {
      const table = SuppressionTable.create({ capacity: 1, seed: SEED, epoch: 'e' });
      return { share: table.share(), position: { epoch: 'e', seq: 0 }, lagMs: 0, path: null };
    },
    async changes(after, { waitMs, signal }) {
      const asOfMs = performance.now();
      const frame: Frame = { head, entries: entries.slice(after.seq, after.seq + framesOf) };
      if (frame.entries.length === 0) {
        await new Promise((resolve) => {
          setTimeout(resolve, waitMs);
          signal.addEventListener('abort', resolve, { once: true });
        });
      }
      return { kind: 'frame', frame, bytes: null, asOfMs };
    },
    close: async () => {},
  };
  const holder = new TableHolder();
  const follower = new Follower({ source, holder, enforcer: ENFORCER });
  const startMs = performance.now();
  const { stallMs, tickCount } = await longestStallMs(async () => {
    await follower.start();
    await follower.reach(`e.${entryCount}`, 60_000);
  });
  const tookMs = performance.now() - startMs;
  await follower.close();
  const changeCount = entryCount * changesPerEntry;
  process.stdout.write(
    `${changeCount} changes in ${tookMs.toFixed()} ms: ${((changeCount / tookMs) * 1000).toFixed()}/s, longest stall ${stallMs.toFixed(1)} ms\n`,
  );
  expect(holder.seq).toBe(entryCount);
  expect(holder.current?.stateDigest).toBe(stateDigest);
  expect(tickCount).toBeGreaterThan(10);
});

test('putting a table of 1 M entries in the place of another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-speed-'));
  try {
    const path = join(folder, 'set.ogs');
    for (const seq of [1, 2]) {
      const table = SuppressionTable.create({ capacity: 1_000_000, seed: SEED, epoch: 'e' });
      const holder = new TableHolder({ table });
      const replica = new Replica(table, { holder });
      const random = randomFrom(seq);
      for (let index = 0; index < 250; index++) replica.apply(entryOf(index, 4000, random));
      table.publish(seq, null);
      await writeSnapshotFile(join(folder, `${seq}`), table);
    }
    renameSync(join(folder, '1'), path);
    const holder = new TableHolder();
    const source = createFileSource({ path, pollMs: 50 });
    const follower = new Follower({ source, holder, enforcer: ENFORCER, folder: join(folder, 'own') });
    await follower.start();
    await until(() => follower.status().state === 'live', 'the first');
    const idle = await longestStallMs(() => new Promise((resolve) => setTimeout(resolve, 500)));
    const { stallMs, tickCount } = await longestStallMs(async () => {
      renameSync(join(folder, '2'), path);
      await until(() => holder.seq === 2 && follower.status().state === 'live', 'the second');
    });
    process.stdout.write(
      `1 M entries put into use: longest stall ${stallMs.toFixed(1)} ms (idle: ${idle.stallMs.toFixed(1)} ms), ${tickCount} ticks meanwhile\n`,
    );
    expect(tickCount).toBeGreaterThan(20);
    expect(holder.current?.entryCount).toBeGreaterThan(990_000);
    await follower.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
