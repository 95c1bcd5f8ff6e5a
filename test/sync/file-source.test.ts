/**
 * A set in a file, followed: replaced, deleted, restored, swapped by symlinks, damaged.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSigner, type Signer, SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { createFileSource, type FileSourceOptions } from '../../src/sync/file-source.js';
import { Follower } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { keyOf } from '../reference/feed.js';
import { until } from './fake-clock.js';
import { ENFORCER } from './following.js';

let folder = '';
const open: Follower[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-file-'));
});
afterEach(async () => {
  for (const follower of open.splice(0)) await follower.close();
  rmSync(folder, { recursive: true, force: true });
});

interface SetOptions {
  readonly epoch?: string;
  readonly seq?: number;
  readonly freshAtMs?: number | null;
  readonly signer?: Signer;
}

async function writeSet(path: string, keyCount: number, options: SetOptions = {}): Promise<void> {
  const { epoch = 'set', seq = 0, freshAtMs = null, signer } = options;
  const table = SuppressionTable.create({ capacity: 100, seed: 5n, epoch });
  for (let key = 0; key < keyCount; key++) {
    const { high, low, tag } = keyOf(key);
    table.setMixed(high, low, 127, 1 << tag, 1 << tag);
  }
  table.publish(seq, freshAtMs);
  await writeSnapshotFile(path, table, 1, { signer });
}

function follow(path: string, options: Partial<FollowerOptions> & Partial<FileSourceOptions> = {}) {
  const { trustedKeys, ...rest } = options;
  const holder = new TableHolder();
  const source = createFileSource({ path, pollMs: 50, ...(trustedKeys === undefined ? {} : { trustedKeys }) });
  const limits = { waitMs: 200 };
  const random = () => 0.02;
  const follower = new Follower({ source, holder, enforcer: ENFORCER, limits, random, ...rest });
  open.push(follower);
  void follower.start();
  return { holder, follower };
}

test('a file is loaded, and has no age if it says none', async () => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5);
  const { holder, follower } = follow(path);
  await until(() => follower.status().state === 'live', 'a table');
  expect(holder.current?.entryCount).toBe(5);
  expect(follower.status()).toMatchObject({ source: 'file', freshnessMs: null, position: { epoch: 'set', seq: 0 } });
  expect(holder.freshAtMs).toBeNull();
});

test('a file that says when it was fresh gets older by the minute, whoever looks', async () => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5, { freshAtMs: Date.now() - 60_000 });
  const { holder, follower } = follow(path);
  await until(() => holder.current !== null, 'a table');
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(follower.status().state).toBe('soft_stale');
  expect(follower.status().freshnessMs).toBeGreaterThan(60_500);
  expect(Date.now() - (holder.freshAtMs ?? 0)).toBeGreaterThan(60_000);
});

test.each([
  ['the next seq', { seq: 1 }],
  ['another epoch', { epoch: 'other' }],
  ['the same name for another set', {}],
])('a file that is replaced by %s is loaded', async (_name, options) => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5);
  const { holder, follower } = follow(path);
  await until(() => follower.status().state === 'live', 'a table');
  await writeSet(path, 7, options);
  await until(() => holder.current?.entryCount === 7, 'the new one', 30_000);
  await until(() => follower.status().state === 'live', 'its state');
  expect(follower.status().resyncCount).toBe(1);
});

test('deleted and restored, it is found again, and the table stays meanwhile', async () => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5);
  const { holder, follower } = follow(path, { softStaleAfterMs: 300 });
  await until(() => follower.status().state === 'live', 'a table');
  rmSync(path);
  await until(() => follower.status().state === 'soft_stale', 'a word about it');
  expect(holder.current?.entryCount).toBe(5);
  expect(follower.status().lastError?.code).toBe('sync.unavailable');
  await writeSet(path, 6);
  await until(() => holder.current?.entryCount === 6, 'the restored one', 30_000);
  // and once more, as the watch of a deleted inode would have gone silent now
  rmSync(path);
  await writeSet(path, 8);
  await until(() => holder.current?.entryCount === 8, 'the second one', 30_000);
});

test('a symlink farther up that is swapped, as volumes of containers are, is followed', async () => {
  for (const [name, count] of [
    ['v1', 3],
    ['v2', 4],
  ] as const) {
    mkdirSync(join(folder, name));
    await writeSet(join(folder, name, 'set.ogs'), count);
  }
  symlinkSync('v1', join(folder, '..data'));
  symlinkSync('..data/set.ogs', join(folder, 'set.ogs'));
  const { holder } = follow(join(folder, 'set.ogs'));
  await until(() => holder.current?.entryCount === 3, 'the first');
  symlinkSync('v2', join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
  rmSync(join(folder, 'v1'), { recursive: true });
  await until(() => holder.current?.entryCount === 4, 'the second', 30_000);
});

test('a damaged file, and one that is no set, leave the table as it is until a good one comes', async () => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5);
  const { holder, follower } = follow(path);
  await until(() => follower.status().state === 'live', 'a table');
  writeFileSync(path, 'not a set, but long enough to have a header'.repeat(10));
  await until(() => (follower.status().failureCounts['snapshot.magic'] ?? 0) > 0, 'a word about it');
  expect(holder.current?.entryCount).toBe(5);
  await writeSet(join(folder, 'next'), 6);
  renameSync(join(folder, 'next'), path);
  await until(() => holder.current?.entryCount === 6, 'a good one', 30_000);
});

test('a set of a third is refused, as with every source', async () => {
  const path = join(folder, 'set.ogs');
  await writeSet(path, 12);
  const { holder, follower } = follow(path);
  await until(() => follower.status().state === 'live', 'a table');
  await writeSet(path, 4);
  await until(() => (follower.status().refusedCounts['sync.shrunk'] ?? 0) > 0, 'a word about it');
  expect(holder.current?.entryCount).toBe(12);
});

test('with a key, only a signed file is loaded', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  const trustedKeys = [publicKey.export({ type: 'spki', format: 'pem' }) as string];
  const path = join(folder, 'set.ogs');
  await writeSet(path, 5);
  const { holder, follower } = follow(path, { trustedKeys });
  await until(() => (follower.status().refusedCounts['signature.missing'] ?? 0) > 0, 'a word about it');
  expect(holder.current).toBeNull();
  await writeSet(join(folder, 'next'), 6, { signer, seq: 1 });
  renameSync(join(folder, 'next'), path);
  await until(() => holder.current?.entryCount === 6, 'the signed one', 30_000);
  expect(() => createFileSource({ path, trustedKeys: ['no key'] })).toThrow('signature.key');
});

test('with a folder, the set survives the file: what was last good is there at the next start', async () => {
  const path = join(folder, 'set.ogs');
  const own = join(folder, 'own');
  await writeSet(path, 5);
  const first = follow(path, { folder: own });
  await until(() => first.follower.status().store?.tailSeq === 0, 'a generation');
  copyFileSync(path, join(folder, 'kept.ogs'));
  writeFileSync(path, ''); // in place, so that a hard link would be empty, too
  await first.follower.close();
  rmSync(path);
  const second = follow(path, { folder: own });
  await until(() => second.holder.current !== null, 'what was last good');
  expect(second.follower.status()).toMatchObject({ state: 'last_good', freshnessMs: null });
  expect(second.holder.current?.entryCount).toBe(5);
  renameSync(join(folder, 'kept.ogs'), path);
  await until(() => second.follower.status().state === 'live', 'the file', 30_000);
  expect(second.follower.status()).toMatchObject({ resyncCount: 0 }); // it is the one we have
});
