/**
 * One thread writes, another reads, and the reader never sees half a change. With real threads.
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { collidingPairs, keyAt, SEED } from './keys.js';

const UPDATES_MIN = 1_000_000;
const INSERTS = 60_000;
/** Published positions are multiples of this: both words change every time, and always in the same way. */
const POSITION_STEP = 2 ** 32 + 1;
const DEADLINE_MS = 20_000;
/** Rights a key goes through: two values in turn, and every other key is removed in between. */
const legalRights = (index: number): readonly number[] =>
  index % 2 === 0 ? [1 + index, 64 + index] : [1 + index, 64 + index, 0];

interface Seen {
  readonly lookupCount: number;
  readonly tornCount: number;
  readonly phantomCount: number;
  readonly lostCount: number;
  readonly mixedPositionCount: number;
  readonly changeCounts: readonly number[];
}

test('a reader thread during 1 M in-place updates never sees a torn entry', async ({ annotate }) => {
  const build = fileURLToPath(new URL('../../../dist/core/suppression/table.js', import.meta.url));
  if (!existsSync(build)) throw new Error('expected a build: run "npm run build" first');

  const table = SuppressionTable.create({ capacity: 200_000, seed: SEED, epoch: 'threads' });
  // of each pair one is written all the time, and the other, with the same fingerprint in the same bucket, never
  const pairs = collidingPairs(30);
  const hot = pairs.map(([key], index) => ({ key, legal: legalRights(index) }));
  for (const { key, legal } of hot) table.set(...key, legal[0]!);
  const absent = pairs.map(([, key]) => key);
  const keys = Array.from({ length: INSERTS }, (_, index) => keyAt(10_000_000 + index));
  const control = new Int32Array(new SharedArrayBuffer(16));

  const worker = new Worker(fileURLToPath(new URL('./reader-worker.mjs', import.meta.url)), {
    workerData: {
      ...{ share: table.share(), control, hot, absent },
      inserted: Int32Array.from(keys.flat()),
      positionStep: POSITION_STEP,
    },
  });
  const answer = new Promise<Seen>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  Atomics.wait(control, 1, 0, DEADLINE_MS);

  const started = performance.now();
  let updateCount = 0;
  let seq = 0;
  let round = 0;
  const isDone = (): boolean => updateCount >= UPDATES_MIN && seq === INSERTS && Atomics.load(control, 2) >= 100;
  while (!isDone() && performance.now() - started < DEADLINE_MS) {
    round++;
    for (let index = 0; index < hot.length; index++) {
      const { key, legal } = hot[index]!;
      if (table.set(...key, legal[(round + index) % legal.length]!) !== 'unchanged') updateCount++;
    }
    if (seq < INSERTS) {
      table.set(...keys[seq]!, 1 + (seq % 127));
      seq++;
    }
    for (let back = 0; back < 8; back++) {
      const published = Math.max(0, seq - (back % 3));
      table.publish(published * POSITION_STEP, (INSERTS - published) * POSITION_STEP);
    }
  }
  Atomics.store(control, 0, 1);
  const seen = await answer;
  await worker.terminate();

  const changesMin = Math.min(...seen.changeCounts);
  await annotate(
    `${updateCount} updates, ${seen.lookupCount} lookups, each key seen to change ${changesMin} times or more`,
  );
  expect(updateCount).toBeGreaterThanOrEqual(UPDATES_MIN);
  expect(seq).toBe(INSERTS);
  expect(changesMin).toBeGreaterThanOrEqual(100);
  expect({ ...seen, lookupCount: 0, changeCounts: [] }).toEqual({
    ...{ lookupCount: 0, changeCounts: [] },
    ...{ tornCount: 0, phantomCount: 0, lostCount: 0, mixedPositionCount: 0 },
  });
});
