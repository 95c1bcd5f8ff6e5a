/**
 * Snapshot files: all there or not there at all, whatever happens while they are written.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeSnapshot } from '../../../src/core/suppression/snapshot.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { readSnapshotFile, readSnapshotFileHeader, writeSnapshotFile } from '../../../src/snapshot-file.js';
import { codeOfPromise } from './codes.js';
import { keyAt, rightsAt, SEED } from './keys.js';

const KEYS = 50_000;
const CREATED_AT_MS = 1_750_000_000_000;
const build = fileURLToPath(new URL('../../../dist/', import.meta.url));

function filledTable(keyCount = KEYS): SuppressionTable {
  const table = SuppressionTable.create({ capacity: keyCount, seed: SEED, epoch: 'files' });
  for (let index = 0; index < keyCount; index++) table.set(...keyAt(index), rightsAt(index));
  table.publish(keyCount, null);
  return table;
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-snapshot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file', () => {
  test('was made now unless told otherwise', async () => {
    const path = join(folder, 'set.ogs');
    const beforeMs = Date.now();
    await writeSnapshotFile(path, filledTable(10));
    const { createdAtMs } = await readSnapshotFileHeader(path);
    expect(createdAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(createdAtMs).toBeLessThanOrEqual(Date.now());
  });

  test('gives back the table, and is what encodeSnapshot makes', async () => {
    const table = filledTable();
    const path = join(folder, 'set.ogs');
    await writeSnapshotFile(path, table, CREATED_AT_MS);
    expect(readdirSync(folder)).toEqual(['set.ogs']);
    expect(readFileSync(path).equals(encodeSnapshot(table, CREATED_AT_MS))).toBe(true);
    const loaded = await readSnapshotFile(path);
    for (let index = 0; index < KEYS; index++) {
      if (loaded.rightsOf(...keyAt(index)) !== rightsAt(index)) throw new Error(`key number ${index} differs`);
    }
    expect([loaded.seq, loaded.freshAtMs, loaded.stateDigest]).toEqual([KEYS, null, table.stateDigest]);
    const { entryCount, seq, createdAtMs } = await readSnapshotFileHeader(path);
    expect([entryCount, seq, createdAtMs]).toEqual([KEYS, KEYS, CREATED_AT_MS]);
  });

  test('takes the place of the one before', async () => {
    const path = join(folder, 'set.ogs');
    await writeSnapshotFile(path, filledTable(10), CREATED_AT_MS);
    await writeSnapshotFile(path, filledTable(20), CREATED_AT_MS);
    expect((await readSnapshotFileHeader(path)).entryCount).toBe(20);
    expect(readdirSync(folder)).toEqual(['set.ogs']);
  });

  test('that is cut, too long, damaged or over the limit is refused', async () => {
    const path = join(folder, 'set.ogs');
    await writeSnapshotFile(path, filledTable(10), CREATED_AT_MS);
    const good = readFileSync(path);
    for (const length of [0, 100, 255, 256, 4095, 4096, 5000, good.length - 1]) {
      truncateSync(path, length);
      expect(await codeOfPromise(readSnapshotFile(path))).toBe('snapshot.truncated');
      writeFileSync(path, good);
    }
    expect(await codeOfPromise(readSnapshotFile(path, { bytesMax: good.length - 1 }))).toBe('snapshot.too_large');
    writeFileSync(path, Buffer.concat([good, Buffer.alloc(1)]));
    expect(await codeOfPromise(readSnapshotFile(path))).toBe('snapshot.trailing_bytes');
    for (const at of [300, 4096, good.length - 1]) {
      const damaged = Buffer.from(good);
      damaged[at]! ^= 0x40;
      writeFileSync(path, damaged);
      expect(await codeOfPromise(readSnapshotFile(path))).toBe('snapshot.checksum');
    }
  });

  test('that is not there, or not a file, is an I/O error', async () => {
    expect(await codeOfPromise(readSnapshotFile(join(folder, 'missing')))).toBe('snapshot.io');
    expect(await codeOfPromise(readSnapshotFile(folder))).toMatch(/^snapshot\.(io|truncated|magic)$/);
  });
});

test('what a killed writer left behind goes with the next write, what another may still be writing stays', async () => {
  const path = join(folder, 'set.snap');
  const [old, young, foreign] = [
    '.set.snap.0123456789ab.tmp',
    '.set.snap.ba9876543210.tmp',
    '.other.snap.0123456789ab.tmp',
  ];
  for (const name of [old, young, foreign]) writeFileSync(join(folder, name), 'x');
  const twoHoursAgo = new Date(Date.now() - 7_200_000);
  for (const name of [old, foreign]) utimesSync(join(folder, name), twoHoursAgo, twoHoursAgo);
  await writeSnapshotFile(path, filledTable(10));
  expect(readdirSync(folder).sort()).toEqual([foreign, young, 'set.snap'].sort());
});

describe('a failure to write leaves nothing behind', () => {
  test('no such folder', async () => {
    expect(await codeOfPromise(writeSnapshotFile(join(folder, 'no', 'set.ogs'), filledTable(10), 1))).toBe(
      'snapshot.io',
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a folder in the place of the file', async () => {
    mkdirSync(join(folder, 'set.ogs', 'x'), { recursive: true });
    expect(await codeOfPromise(writeSnapshotFile(join(folder, 'set.ogs'), filledTable(10), 1))).toBe('snapshot.io');
    expect(readdirSync(folder)).toEqual(['set.ogs']);
  });

  test('a table written to meanwhile', async () => {
    const table = filledTable();
    const path = join(folder, 'set.ogs');
    await writeSnapshotFile(path, filledTable(10), CREATED_AT_MS);
    const writing = writeSnapshotFile(path, table, CREATED_AT_MS);
    table.set(...keyAt(KEYS), 1);
    expect(await codeOfPromise(writing)).toBe('snapshot.table_changed');
    expect(readdirSync(folder)).toEqual(['set.ogs']);
    expect((await readSnapshotFile(path)).entryCount).toBe(10);
  });

  test('a disk that takes no more', () => {
    const script = `
      import { SuppressionTable } from '${build}core/suppression/table.js';
      import { writeSnapshotFile } from '${build}snapshot-file.js';
      const table = SuppressionTable.create({ capacity: 0, seed: 1n, epoch: 'full' });
      await writeSnapshotFile('set.ogs', table, 1).catch((error) => console.log(error.code, error.cause.code));`;
    const command = `ulimit -f 100; exec "${process.execPath}" --input-type=module -e "$SCRIPT"`;
    const env = { ...process.env, SCRIPT: script };
    const { stdout } = spawnSync('sh', ['-c', command], { cwd: folder, env, encoding: 'utf8' });
    expect(stdout.trim()).toBe('snapshot.io EFBIG');
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a process killed at any moment leaves a whole snapshot, the new one or the one before', {
  timeout: 60_000,
}, async () => {
  if (!existsSync(build)) throw new Error('expected a build: run "npm run build" first');
  const path = join(folder, 'set.ogs');
  await writeSnapshotFile(path, filledTable(10), CREATED_AT_MS);
  const script = `
    import { SuppressionTable } from '${build}core/suppression/table.js';
    import { writeSnapshotFile } from '${build}snapshot-file.js';
    const table = SuppressionTable.create({ capacity: 400_000, seed: 1n, epoch: 'killed' });
    console.log('writing');
    for (let index = 0; ; index++) {
      table.set(8, index, 0, 0, 0, 1);
      await writeSnapshotFile('set.ogs', table, 1);
    }`;
  const seen = new Set<string>();
  // on a slow machine no write is finished so soon: then later ones are killed, too
  for (let round = 0; round < 8 || !seen.has('killed'); round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, 3 + round * 9));
    child.kill('SIGKILL');
    await ended;
    const table = await readSnapshotFile(path);
    seen.add(table.epoch);
  }
  expect(seen.has('killed')).toBe(true);
});
