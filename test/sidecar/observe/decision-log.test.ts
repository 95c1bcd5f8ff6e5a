import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { DecisionBatch, DecisionRecord } from '../../../src/sidecar/observe/decision-batch.js';
import { BATCH_RECORDS_MAX, DecisionBuffer } from '../../../src/sidecar/observe/decision-buffer.js';
import { DecisionLog, LOG_BYTES_MIN } from '../../../src/sidecar/observe/decision-log.js';
import { DecisionSpool, type DecisionSpoolOptions } from '../../../src/sidecar/observe/decision-spool.js';
import { DoorRecorder } from '../../../src/sidecar/observe/door-recorder.js';
import { traffic, trafficGate } from './traffic.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-log-'));
  folders.push(folder);
  return folder;
}

const gate = trafficGate();
const decisions = [...traffic(gate)];

const intoList =
  <Word extends 'taken' | 'posted'>(list: DecisionBatch[], word: Word) =>
  (batch: DecisionBatch): Word => {
    list.push(batch);
    return word;
  };

/** Batches of the traffic, `count` decisions of it. */
function batchesOf(count: number, options: Partial<ConstructorParameters<typeof DecisionBuffer>[0]> = {}) {
  const batches: DecisionBatch[] = [];
  const deliver = intoList(batches, 'taken');
  const log = new DecisionBuffer({ deliver, epoch: () => 'epoch-1', now: () => 1_700_000_000_123, ...options });
  const recorder = new DoorRecorder({ log });
  for (let index = 0; index < count; index++) {
    const { decision, destination } = decisions[index % decisions.length]!;
    recorder.decided(index % 3 === 0 ? 'socket' : 'http', index % 2 === 0 ? 'check' : 'filter', decision, destination);
  }
  log.close();
  return batches;
}

/** The records of the same, made the plain way. */
function recordsOf(count: number): DecisionRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const { decision, destination } = decisions[index % decisions.length]!;
    const { action, reasons, strip, seq, stale, jurisdiction, policyVersion } = decision;
    return {
      timeMs: 1_700_000_000_123,
      door: index % 3 === 0 ? 'socket' : 'http',
      operation: index % 2 === 0 ? 'check' : 'filter',
      destination: destination === 'nowhere' ? null : destination,
      action,
      reasons: [...reasons],
      strip: [...strip],
      seq,
      epoch: 'epoch-1',
      stale,
      jurisdiction,
      policyVersion,
    };
  });
}

const segmentsIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ndjson'))
    .sort();
const recordsIn = (folder: string): DecisionRecord[] =>
  segmentsIn(folder).flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  );
async function spooled(folder: string, options: Partial<DecisionSpoolOptions> = {}) {
  return DecisionSpool.open({ folder, ...options });
}
async function until(isDone: () => boolean): Promise<void> {
  for (let turn = 0; !isDone(); turn++) {
    if (turn > 2000) throw new Error('too late');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('a record is what the decision was, from columns and back, after being posted, newest first', () => {
  const count = decisions.length;
  const log = new DecisionLog();
  for (const batch of batchesOf(count)) log.append(structuredClone(batch));
  const expected = recordsOf(count);
  expect(log.recent(count + 1)).toEqual(expected.toReversed());
  expect(log.recent(3)).toEqual(expected.slice(-3).toReversed());
  expect(log.state()).toMatchObject({ appendedCount: count, keptCount: count, queuedCount: 0, overwrittenCount: 0 });
});

test('one batch holds decisions of one epoch and one policy', () => {
  let epoch = 'a';
  const batches: DecisionBatch[] = [];
  const deliver = intoList(batches, 'taken');
  const log = new DecisionBuffer({ deliver, epoch: () => epoch });
  const recorder = new DoorRecorder({ log });
  const { decision } = decisions[0]!;
  recorder.decided('http', 'check', decision, null);
  epoch = 'b';
  recorder.decided('http', 'check', decision, null);
  recorder.decided('http', 'check', decision, null);
  log.close();
  expect(batches.map((batch) => [batch.epoch, batch.count])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
});

test('sampling: all, all but allowed, or a share', () => {
  const count = decisions.length;
  const total = (batches: readonly DecisionBatch[]) => batches.reduce((sum, batch) => sum + batch.count, 0);
  expect(total(batchesOf(count, { sampling: 'all' }))).toBe(count);
  const spokenAgainst = recordsOf(count).filter(({ action }) => action !== 'allow').length;
  expect(spokenAgainst).toBeLessThan(count);
  expect(total(batchesOf(count, { sampling: 'non_allow' }))).toBe(spokenAgainst);
  let turn = 0;
  expect(total(batchesOf(1000, { sampling: 0.25, random: () => (turn++ % 100) / 100 }))).toBe(250);
  expect(total(batchesOf(1000, { sampling: 0 }))).toBe(0);
  expect(() => batchesOf(1, { sampling: 1.1 })).toThrow(RangeError);
});

test('batches that are not taken are dropped and counted; the thread goes on', () => {
  const posted: DecisionBatch[] = [];
  const deliver = intoList(posted, 'posted');
  const log = new DecisionBuffer({ deliver, epoch: () => null, batchesUnderWayMax: 2 });
  const recorder = new DoorRecorder({ log });
  const add = (count: number) => {
    for (let index = 0; index < count; index++) recorder.decided('http', 'check', decisions[0]!.decision, null);
  };
  add(3 * BATCH_RECORDS_MAX);
  expect([posted.length, log.droppedCount]).toEqual([2, BATCH_RECORDS_MAX]);
  log.acknowledge();
  add(BATCH_RECORDS_MAX);
  expect([posted.length, log.droppedCount]).toEqual([3, BATCH_RECORDS_MAX]);
  add(1);
  log.close();
  expect([posted.length, log.droppedCount]).toEqual([3, BATCH_RECORDS_MAX + 1]);
});

test('memory is bounded in entries and in bytes, the oldest make room and are counted', () => {
  const count = 10 * BATCH_RECORDS_MAX;
  const small = new DecisionLog({ entriesMax: 3 * BATCH_RECORDS_MAX });
  for (const batch of batchesOf(count)) small.append(batch);
  expect(small.state()).toMatchObject({
    appendedCount: count,
    keptCount: 3 * BATCH_RECORDS_MAX,
    overwrittenCount: count - 3 * BATCH_RECORDS_MAX,
  });
  expect(small.recent(count)).toEqual(
    recordsOf(count)
      .slice(-3 * BATCH_RECORDS_MAX)
      .toReversed(),
  );
  const tight = new DecisionLog({ bytesMax: LOG_BYTES_MIN });
  for (const batch of batchesOf(3 * count)) tight.append(batch);
  const { keptBytes, keptCount, overwrittenCount } = tight.state();
  expect(keptBytes).toBeLessThanOrEqual(LOG_BYTES_MIN);
  expect(keptBytes).toBeGreaterThan(LOG_BYTES_MIN / 2);
  expect(overwrittenCount).toBeGreaterThan(0);
  expect(keptCount + overwrittenCount).toBe(3 * count);
  expect(() => new DecisionLog({ bytesMax: 1000 })).toThrow(RangeError);
  expect(() => new DecisionLog({ entriesMax: 10 })).toThrow(RangeError);
});

test('every record is in the folder after a flush, once, in order, in segments of bounded size', async () => {
  const folder = newFolder();
  const log = new DecisionLog({ spool: await spooled(folder, { segmentBytesMax: 300_000 }) });
  const count = 5 * BATCH_RECORDS_MAX;
  for (const batch of batchesOf(count)) log.append(batch);
  expect(await log.flush(30_000)).toBe(true);
  expect(recordsIn(folder)).toEqual(recordsOf(count));
  const segments = segmentsIn(folder);
  expect(segments.length).toBeGreaterThan(2);
  const recordCounts = segments.map((name) => Number(/-(\d+)\.ndjson$/.exec(name)?.[1]));
  expect(recordCounts.reduce((sum, value) => sum + value, 0)).toBe(count);
  expect(readdirSync(folder).filter((name) => !name.endsWith('.ndjson'))).toEqual([]);
  expect(log.state()).toMatchObject({ queuedCount: 0, queueFullCount: 0, unflushedCount: 0 });
});

test('a segment ends when it is old, and the next run goes on with the next serial', async () => {
  const folder = newFolder();
  let nowMs = Date.UTC(2026, 10, 23, 10, 0, 0);
  const spool = await spooled(folder, { now: () => nowMs, segmentAgeMsMax: 1000 });
  await spool.write('{"a":1}\n', 1);
  await spool.rotateIfOld();
  expect(segmentsIn(folder)).toEqual([]);
  nowMs += 1000;
  await spool.rotateIfOld();
  expect(segmentsIn(folder)).toEqual(['decisions-0000000001-20261123T100000Z-1.ndjson']);
  await spool.close();
  const next = await spooled(folder, { now: () => nowMs });
  await next.write('{"a":2}\n{"a":3}\n', 2);
  await next.close();
  expect(segmentsIn(folder)[1]).toBe('decisions-0000000002-20261123T100001Z-2.ndjson');
});

test('the folder never outgrows its limit: the oldest segments make room and their records are counted', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'notes.txt'), 'not ours');
  const line = `${'x'.repeat(999)}\n`;
  const spool = await spooled(folder, { segmentBytesMax: 1000, totalBytesMax: 3000 });
  for (let index = 0; index < 10; index++) expect(await spool.write(line, 1)).toBe(true);
  expect(spool.state).toEqual({ segmentCount: 3, bytes: 3000, removedCount: 7, failureCount: 0 });
  expect(segmentsIn(folder).map((name) => name.slice(10, 20))).toEqual(['0000000008', '0000000009', '0000000010']);
  await spool.close();
  const smaller = await spooled(folder, { totalBytesMax: 1500 });
  expect(smaller.state).toEqual({ segmentCount: 1, bytes: 1000, removedCount: 2, failureCount: 0 });
  await smaller.close();
  expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('not ours');
});

test.each([
  ['after a whole line', '{"a":1}\n{"a":2}\n', ['{"a":1}', '{"a":2}']],
  ['within a line', '{"a":1}\n{"a":', ['{"a":1}']],
  ['within the first line', '{"a"', []],
  ['before anything', '', []],
])('what a killed process left is cut after its last whole line: killed %s', async (_, left, expected) => {
  const folder = newFolder();
  writeFileSync(join(folder, '.decisions.part'), left);
  const spool = await spooled(folder);
  expect(readdirSync(folder)).not.toContain('.decisions.part');
  const [name] = segmentsIn(folder);
  const lines = name === undefined ? [] : readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1);
  expect(lines).toEqual(expected);
  if (name !== undefined) expect(name).toMatch(new RegExp(`-${expected.length}\\.ndjson$`));
  await spool.write('{"a":9}\n', 1);
  await spool.close();
  expect(segmentsIn(folder).length).toBe(expected.length === 0 ? 1 : 2);
});

test('two processes cannot have one folder', async () => {
  const folder = newFolder();
  const spool = await spooled(folder);
  await expect(spooled(folder)).rejects.toMatchObject({ code: 'sync.store' });
  await spool.close();
  await (await spooled(folder)).close();
});

test('while the disk fails records wait, then all are written once; those that found no room are counted', async () => {
  const folder = newFolder();
  const failures: Error[] = [];
  const spool = await spooled(folder, { onFailure: (error) => failures.push(error) });
  const log = new DecisionLog({ spool, entriesMax: 4 * BATCH_RECORDS_MAX, retryMs: 10 });
  const blocked = join(folder, '.decisions.part');
  mkdirSync(blocked); // a folder where the segment should begin: opening fails as on a broken disk, for root as well
  const batches = batchesOf(6 * BATCH_RECORDS_MAX);
  for (const batch of batches) log.append(batch);
  await until(() => failures.length > 2);
  expect(log.state()).toMatchObject({ queuedCount: 4 * BATCH_RECORDS_MAX });
  rmSync(blocked, { recursive: true });
  expect(await log.flush(30_000)).toBe(true);
  const { queueFullCount, spool: state } = log.state();
  expect(queueFullCount).toBe(2 * BATCH_RECORDS_MAX);
  expect(state?.failureCount).toBe(failures.length);
  expect(recordsIn(folder)).toEqual(recordsOf(6 * BATCH_RECORDS_MAX).slice(2 * BATCH_RECORDS_MAX));
});

test('a record that made room while it was being written is written, and not counted as lost', async () => {
  const folder = newFolder();
  const log = new DecisionLog({ spool: await spooled(folder), entriesMax: BATCH_RECORDS_MAX });
  const count = 5 * BATCH_RECORDS_MAX;
  for (const batch of batchesOf(count)) log.append(batch);
  expect(await log.flush(30_000)).toBe(true);
  const all = recordsOf(count);
  expect(recordsIn(folder)).toEqual([...all.slice(0, BATCH_RECORDS_MAX), ...all.slice(-BATCH_RECORDS_MAX)]);
  expect(log.state()).toMatchObject({ appendedCount: count, queueFullCount: 3 * BATCH_RECORDS_MAX });
});

test('a flush does not outlast its deadline, and says what is missing', async () => {
  const folder = newFolder();
  const spool = await spooled(folder);
  const log = new DecisionLog({ spool, retryMs: 20 });
  mkdirSync(join(folder, '.decisions.part'));
  for (const batch of batchesOf(2 * BATCH_RECORDS_MAX)) log.append(batch);
  expect(await log.flush(200)).toBe(false);
  expect(log.state().unflushedCount).toBe(2 * BATCH_RECORDS_MAX);
});

test('a full disk in the middle of a batch: nothing twice, nothing torn', async () => {
  const folder = newFolder();
  const count = 12 * BATCH_RECORDS_MAX;
  // a limit on the size of files stands in for the full disk: the write that crosses it is cut short, the next one fails
  const script = `
    import { readFileSync } from 'node:fs';
    import { DecisionLog, DecisionSpool } from './dist/sidecar/observe/index.js';
    process.on('SIGXFSZ', () => {});
    const spool = await DecisionSpool.open({ folder: process.argv[1] });
    const log = new DecisionLog({ spool, retryMs: 1 });
    const text = readFileSync(0, 'utf8');
    for (const batch of JSON.parse(text)) {
      log.append({
        ...batch,
        timesMs: Float64Array.from(batch.timesMs), seqs: Float64Array.from(batch.seqs),
        flags: Uint32Array.from(batch.flags), reasons: Uint16Array.from(batch.reasons),
        destinations: Uint16Array.from(batch.destinations),
      });
    }
    const isDone = await log.flush(30_000);
    console.log(JSON.stringify({ isDone, ...log.state() }));`;
  const input = JSON.stringify(
    batchesOf(count).map((batch) => ({
      ...batch,
      timesMs: [...batch.timesMs],
      seqs: [...batch.seqs],
      flags: [...batch.flags],
      reasons: [...batch.reasons],
      destinations: [...batch.destinations],
    })),
  );
  const limited = `ulimit -f 1000; exec "$0" --input-type=module -e "$1" "$2"`;
  const run = spawnSync('bash', ['-c', limited, process.execPath, script, folder], { input, encoding: 'utf8' });
  expect(run.stderr).toBe('');
  const said = JSON.parse(run.stdout);
  expect(said).toMatchObject({ isDone: true, queuedCount: 0 });
  expect(said.spool.failureCount).toBeGreaterThan(0);
  expect(recordsIn(folder)).toEqual(recordsOf(count));
  for (const name of segmentsIn(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1_024_000);
});
