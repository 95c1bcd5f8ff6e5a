/**
 * Ten million keys: not one is missed, and keys that are not there are not found.
 * @module
 */
import { expect, test } from 'vitest';
import { createKeyList, KEY_WORDS } from '../../../src/core/identity/key.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { rightsAt, SEED } from './keys.js';

const KEYS = 10_000_000;
const ABSENT_LOOKUPS = 10_000_000;
const BATCH = 1000;

test('10 M keys: no false negative, no false positive', { timeout: 120_000 }, async ({ annotate }) => {
  const table = SuppressionTable.create({ capacity: KEYS, seed: SEED, epoch: 'ten-million' });
  for (let index = 0; index < KEYS; index++) {
    // the words of keyAt(), without its array
    const outcome = table.set(8, index, Math.imul(index, 0x9e3779b1), ~index, index >>> 7, rightsAt(index));
    if (outcome !== 'added') throw new Error(`key number ${index}: ${outcome}`);
  }
  expect(table.entryCount).toBe(KEYS);
  expect(table.byteLength / KEYS).toBeLessThanOrEqual(10.5);

  const list = createKeyList(BATCH);
  const outRights = new Uint8Array(BATCH);
  let falseNegativeCount = 0;
  let falsePositiveCount = 0;
  for (let start = 0; start < KEYS + ABSENT_LOOKUPS; start += BATCH) {
    for (let index = start, at = 0; at < BATCH * KEY_WORDS; index++, at += KEY_WORDS) {
      list.words[at] = 8;
      list.words[at + 1] = index;
      list.words[at + 2] = Math.imul(index, 0x9e3779b1);
      list.words[at + 3] = ~index;
      list.words[at + 4] = index >>> 7;
    }
    list.count = BATCH;
    const union = table.rightsOfKeys(list, outRights);
    if (start >= KEYS && union !== 0) falsePositiveCount += outRights.filter((rights) => rights !== 0).length;
    for (let index = start; start < KEYS && index < start + BATCH; index++) {
      if (outRights[index - start] !== rightsAt(index)) falseNegativeCount++;
    }
  }
  const expected = ((KEYS / 2 ** 64) * ABSENT_LOOKUPS).toExponential(1);
  await annotate(
    `${falsePositiveCount} false positives in ${ABSENT_LOOKUPS} lookups of absent keys (expected: ${expected})`,
  );
  expect([falseNegativeCount, falsePositiveCount]).toEqual([0, 0]);
});
