/**
 * Many keys looked up together, for exports: mixed already, one found in every few.
 * @module
 */
import { isForWasm, type SharedMemory } from '../wasm.js';
import { FIND_AT_ONCE, type KeyFinder, keyFinder } from './find-keys.js';
import { BUCKET_WORDS, RIGHTS_MASK } from './layout.js';
import { findRights } from './probe.js';
import { KeySieve, type SiftedTable } from './sieve.js';

/**
 * Keys that are looked for together: the first line of each is loaded before any is looked at, so that the waits overlap, then the
 * second line of those that go on, and so forth. With fewer keys the last rounds, of one or two keys, cost too much.
 */
const KEYS_TOGETHER = 512;
/** Fewer keys than this are no reason to make a sieve. */
const SIFTED_MIN = 64;
const siftedIndex = new Int32Array(KEYS_TOGETHER + 1);
const siftedHigh = new Int32Array(KEYS_TOGETHER + 1);
const siftedLow = new Int32Array(KEYS_TOGETHER + 1);
const siftedRights = new Uint8Array(KEYS_TOGETHER);
const buckets = new Int32Array(KEYS_TOGETHER);
/** Which keys are looked for in the round at hand. */
const pending = new Int32Array(KEYS_TOGETHER + FIND_AT_ONCE);
const touchedWords = new Int32Array(1);

/** What the search has to know of a table. */
export interface KeyedTable extends SiftedTable {
  readonly displacementMax: number;
  rightsOfMixed(high: number, low: number): number;
}

/** The rights of every key, `outRights[i]` for key `i`; returns their union. */
export type ManyKeys = (high: Int32Array, low: Int32Array, keyCount: number, outRights: Uint8Array) => number;

/** The search in a table that stands in `memory`; one by one where WebAssembly does not see that. */
export function manyKeysOf(table: KeyedTable, memory: SharedMemory): ManyKeys {
  if (!isForWasm(memory)) return (...keys) => rightsOfEach(table, ...keys);
  const { bucketCount, displacementMax } = table;
  const [finder, sieve, words] = [keyFinder(memory), new KeySieve(table), table.bucketWords()];
  const searched = { finder, sieve, words, bucketCount, displacementMax };
  return (high, low, keyCount, outRights) => rightsOfMany(searched, high, low, keyCount, outRights);
}

function rightsOfEach(
  table: KeyedTable,
  high: Int32Array,
  low: Int32Array,
  keyCount: number,
  outRights: Uint8Array,
): number {
  let union = 0;
  for (let index = 0; index < keyCount; index++) {
    const rights = table.rightsOfMixed(high[index]!, low[index]!);
    outRights[index] = rights;
    union |= rights;
  }
  return union;
}

interface SearchedTable {
  readonly finder: KeyFinder;
  readonly sieve: KeySieve;
  readonly words: Int32Array;
  readonly bucketCount: number;
  readonly displacementMax: number;
}

/** HOT. */
function rightsOfMany(
  table: SearchedTable,
  high: Int32Array,
  low: Int32Array,
  keyCount: number,
  outRights: Uint8Array,
): number {
  let union = 0;
  for (let from = 0; from < keyCount; from += KEYS_TOGETHER) {
    const count = Math.min(KEYS_TOGETHER, keyCount - from);
    const isSifted = count >= SIFTED_MIN && table.sieve.isCurrent();
    const rightsOf = isSifted ? rightsOfSifted : rightsOfSome;
    union |= rightsOf(table, high, low, from, count, outRights);
  }
  return union;
}

/** HOT. Looks for those only that the table may have. */
function rightsOfSifted(
  table: SearchedTable,
  high: Int32Array,
  low: Int32Array,
  from: number,
  keyCount: number,
  outRights: Uint8Array,
): number {
  const count = table.sieve.sift(high, low, from, keyCount, siftedIndex, siftedHigh, siftedLow);
  const union = rightsOfSome(table, siftedHigh, siftedLow, 0, count, siftedRights);
  outRights.fill(0, from, from + keyCount);
  for (let at = 0; at < count; at++) outRights[from + siftedIndex[at]!] = siftedRights[at]!;
  return union;
}

/** HOT. Looks into the home of every key, and for those that go on into the next buckets, in the order of probe.ts. */
function rightsOfSome(
  table: SearchedTable,
  high: Int32Array,
  low: Int32Array,
  from: number,
  keyCount: number,
  outRights: Uint8Array,
): number {
  const { finder, words, bucketCount } = table;
  const bucketScale = bucketCount / 2 ** 32;
  let touched = 0;
  for (let index = 0; index < keyCount; index++) {
    const home = ((high[from + index]! >>> 0) * bucketScale) | 0;
    buckets[index] = home;
    touched |= words[home * BUCKET_WORDS]!;
  }
  touchedWords[0] = touched; // stored, so that the loads are not dropped as dead code
  const last = keyCount & ~(FIND_AT_ONCE - 1);
  let union = 0;
  let goingOn = 0;
  for (let index = 0; index < last; index += FIND_AT_ONCE) {
    const key = from + index;
    const found = finder.find4(
      buckets[index]!,
      high[key]!,
      low[key]!,
      buckets[index + 1]!,
      high[key + 1]!,
      low[key + 1]!,
      buckets[index + 2]!,
      high[key + 2]!,
      low[key + 2]!,
      buckets[index + 3]!,
      high[key + 3]!,
      low[key + 3]!,
    );
    union |= found;
    outRights[key] = found & RIGHTS_MASK;
    outRights[key + 1] = (found >> 8) & RIGHTS_MASK;
    outRights[key + 2] = (found >> 16) & RIGHTS_MASK;
    outRights[key + 3] = (found >> 24) & RIGHTS_MASK;
    pending[goingOn] = index;
    goingOn += (found >> 7) & 1;
    pending[goingOn] = index + 1;
    goingOn += (found >> 15) & 1;
    pending[goingOn] = index + 2;
    goingOn += (found >> 23) & 1;
    pending[goingOn] = index + 3;
    goingOn += found >>> 31;
  }
  union = (union | (union >> 8) | (union >> 16) | (union >> 24)) & RIGHTS_MASK;
  for (let index = last; index < keyCount; index++) {
    const key = from + index;
    const rights = findRights(words, buckets[index]!, high[key]! << 7, low[key]!, bucketCount, table.displacementMax);
    outRights[key] = rights;
    union |= rights;
  }
  pending.fill(0, goingOn, goingOn + FIND_AT_ONCE); // what stands there may be of a larger table
  return goingOn === 0 ? union : union | rightsFurther(table, high, low, from, goingOn, outRights);
}

/** HOT. Goes on with the keys that are pending, a bucket further in each round, until none is left. */
function rightsFurther(
  { finder, words, bucketCount, displacementMax }: SearchedTable,
  high: Int32Array,
  low: Int32Array,
  from: number,
  pendingCount: number,
  outRights: Uint8Array,
): number {
  let union = 0;
  for (let count = pendingCount, displacement = 1; count > 0 && displacement <= displacementMax; displacement++) {
    let touched = 0;
    for (let at = 0; at < count; at++) {
      const index = pending[at]!;
      const next = buckets[index]! + displacement;
      const bucket = next < bucketCount ? next : next - bucketCount;
      buckets[index] = bucket;
      touched |= words[bucket * BUCKET_WORDS]!;
    }
    touchedWords[0] = touched;
    let goingOn = 0;
    for (let at = 0; at < count; at += FIND_AT_ONCE) {
      const first = pending[at]!;
      const second = pending[at + 1]!; // behind the last stand others of these keys: any will do
      const third = pending[at + 2]!;
      const fourth = pending[at + 3]!;
      let found = finder.find4(
        buckets[first]!,
        high[from + first]!,
        low[from + first]!,
        buckets[second]!,
        high[from + second]!,
        low[from + second]!,
        buckets[third]!,
        high[from + third]!,
        low[from + third]!,
        buckets[fourth]!,
        high[from + fourth]!,
        low[from + fourth]!,
      );
      const end = Math.min(count, at + FIND_AT_ONCE);
      for (let searched = at; searched < end; searched++) {
        const index = pending[searched]!;
        outRights[from + index] = found & RIGHTS_MASK;
        union |= found & RIGHTS_MASK;
        pending[goingOn] = index; // where it has been read already
        goingOn += (found >> 7) & 1;
        found >>= 8;
      }
    }
    count = goingOn;
  }
  return union;
}
