/**
 * Keys for tests: as many as wanted, the same in every run, all different.
 * @module
 */

import { createKeyList, KEY_WORDS, type KeyList } from '../../../src/core/identity/key.js';
import { mixedLow, mixKey } from '../../../src/core/suppression/mix.js';
import { mintHigh, mintLow } from '../../../src/core/suppression/probe.js';
import type { SuppressionTable } from '../../../src/core/suppression/table.js';
import type { PlainKey } from '../../reference/suppression.js';

export const SEED = 0x0123456789abcdefn;

/** Key number `index`; different for each index from 0 to 2^32 - 1. */
export function keyAt(index: number): PlainKey {
  return [8, index | 0, Math.imul(index, 0x9e3779b1), ~index, index >>> 7];
}

/** The rights that tests give to key number `index`: 1..127. */
export function rightsAt(index: number): number {
  return 1 + (index % 127);
}

export function keyListOf(keys: readonly PlainKey[]): KeyList {
  const list = createKeyList(Math.max(1, keys.length));
  keys.forEach((key, index) => {
    list.words.set(key, index * KEY_WORDS);
  });
  list.count = keys.length;
  return list;
}

/** The high mixed word of a key as it is stored, under {@link SEED}. */
export function highOfKey(key: PlainKey): number {
  return mintHigh(mixKey(...key, Number(BigInt.asIntN(32, SEED)), Number(SEED >> 32n)));
}

/** The low mixed word of a key as it is stored, under {@link SEED}. */
export function lowOfKey(key: PlainKey): number {
  highOfKey(key);
  return mintLow(mixedLow[0] ?? 0);
}

/** The first `count` keys whose home is this bucket. */
export function keysOfBucket(table: SuppressionTable, bucket: number, count: number): readonly PlainKey[] {
  const keys: PlainKey[] = [];
  for (let index = 0; keys.length < count; index++) {
    const key = keyAt(index);
    if (Math.floor(((highOfKey(key) >>> 0) * table.bucketCount) / 2 ** 32) === bucket) keys.push(key);
  }
  return keys;
}

/** Pairs of different keys with the same high mixed word: same bucket, same fingerprint, in a table of any size. */
export function collidingPairs(count: number): readonly (readonly [PlainKey, PlainKey])[] {
  const seen = new Map<number, PlainKey>();
  const pairs: [PlainKey, PlainKey][] = [];
  for (let index = 0; pairs.length < count; index++) {
    const key = keyAt(index);
    const other = seen.get(highOfKey(key));
    if (other !== undefined) pairs.push([other, key]);
    seen.set(highOfKey(key), key);
  }
  return pairs;
}
