/**
 * A thread that only reads: looks keys up as fast as it can while another thread writes, and counts what it sees.
 * Runs from the build, as worker threads have no TypeScript.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SuppressionTable } from '../../../dist/core/suppression/table.js';

const { share, control, hot, absent, inserted, positionStep } = workerData;
const table = SuppressionTable.attach(share);
const isStopped = () => Atomics.load(control, 0) !== 0;

let lookupCount = 0;
let tornCount = 0;
let phantomCount = 0;
let lostCount = 0;
let mixedPositionCount = 0;
const changeCounts = new Array(hot.length).fill(0);
const lastRights = new Array(hot.length).fill(0);

Atomics.store(control, 1, 1);
Atomics.notify(control, 1);

while (!isStopped()) {
  // the seq first: everything up to it must be there for the lookups that follow
  const seq = table.seq / positionStep;
  const freshAtMs = table.freshAtMs ?? 0;
  if (!Number.isInteger(seq) || !Number.isInteger(freshAtMs / positionStep)) mixedPositionCount++;
  for (let index = 0; index < hot.length; index++) {
    const { key, legal } = hot[index];
    const rights = table.rightsOf(...key);
    if (!legal.includes(rights)) tornCount++;
    if (rights !== lastRights[index]) changeCounts[index]++;
    lastRights[index] = rights;
  }
  for (let again = 0; again < 50; again++) if (!Number.isInteger(table.seq / positionStep)) mixedPositionCount++;
  for (const key of absent) if (table.rightsOf(...key) !== 0) phantomCount++;
  // key number i was inserted before position i + 1 was published
  for (let back = 1; back <= 8 && seq - back >= 0; back++) {
    const index = (seq - back) * 5;
    const rights = table.rightsOf(...inserted.subarray(index, index + 5));
    if (rights !== 1 + ((seq - back) % 127)) lostCount++;
  }
  lookupCount += hot.length + absent.length + 8;
  Atomics.store(control, 2, Math.min(...changeCounts));
}

parentPort.postMessage({ lookupCount, tornCount, phantomCount, lostCount, mixedPositionCount, changeCounts });
