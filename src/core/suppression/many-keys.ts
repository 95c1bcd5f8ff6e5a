/**
 * Many keys of one kind looked up together, for exports: mixed already, one found in every few.
 * @module
 */
import { BUCKET_WORDS, FINGERPRINT_MASK, RIGHTS_MASK } from './layout.js';

/** Keys whose cache lines are loaded before any of them is looked at, so that the waits overlap. */
const KEYS_AT_ONCE = 64;
const homes = new Int32Array(KEYS_AT_ONCE);
const touchedWords = new Int32Array(1);

/** HOT. The rights of every key, `outRights[i]` for key `i`; returns their union. */
export function rightsOfMany(
  words: Int32Array,
  bucketCount: number,
  displacementMax: number,
  high: Int32Array,
  low: Int32Array,
  keyCount: number,
  outRights: Uint8Array,
): number {
  const bucketScale = bucketCount / 2 ** 32;
  let union = 0;
  for (let from = 0; from < keyCount; from += KEYS_AT_ONCE) {
    const to = Math.min(keyCount, from + KEYS_AT_ONCE);
    let touched = 0;
    for (let index = from; index < to; index++) {
      const home = ((high[index]! >>> 0) * bucketScale) | 0;
      const second = home + 1 < bucketCount ? home + 1 : 0;
      homes[index - from] = home;
      touched |= words[home * BUCKET_WORDS]! | words[second * BUCKET_WORDS]!;
    }
    touchedWords[0] = touched; // stored, so that the loads are not dropped as dead code
    for (let index = from; index < to; index++) {
      const fingerprint = high[index]! << 7;
      const home = homes[index - from]!;
      const rights = findRightsEvenly(words, home, fingerprint, low[index]!, bucketCount, displacementMax);
      outRights[index] = rights;
      union |= rights;
    }
  }
  return union;
}

/**
 * HOT. As findRights (probe.ts), for many keys in turn: the eight fingerprints of a bucket are compared without a branch between
 * them, each of which a processor would guess wrong for every other key. 31 ns a key instead of 38, one key in five found.
 */
function findRightsEvenly(
  words: Int32Array,
  homeBucket: number,
  fingerprint: number,
  low: number,
  bucketCount: number,
  displacementMax: number,
): number {
  let bucket = homeBucket;
  for (let displacement = 0; ; ) {
    const at = bucket * BUCKET_WORDS;
    const last = words[at + 14]!;
    const isNone =
      differs(words[at]!, fingerprint) &
      differs(words[at + 2]!, fingerprint) &
      differs(words[at + 4]!, fingerprint) &
      differs(words[at + 6]!, fingerprint) &
      differs(words[at + 8]!, fingerprint) &
      differs(words[at + 10]!, fingerprint) &
      differs(words[at + 12]!, fingerprint) &
      differs(last, fingerprint);
    if (isNone === 0) {
      const rights = rightsInBucket(words, at, fingerprint, low);
      if (rights >= 0) return rights;
    }
    if (last === 0 || ++displacement > displacementMax) return 0; // slots are filled in order: no bucket follows
    bucket += displacement;
    if (bucket >= bucketCount) bucket -= bucketCount;
  }
}

/** HOT. The rights of the entry if it is in this bucket, else -1. */
function rightsInBucket(words: Int32Array, from: number, fingerprint: number, low: number): number {
  for (let at = from; at < from + BUCKET_WORDS; at += 2) {
    const word = words[at]!;
    if (((word ^ fingerprint) & FINGERPRINT_MASK) === 0 && words[at + 1] === low) return word & RIGHTS_MASK;
  }
  return -1;
}

/** HOT. All bits set where a slot has another fingerprint, none where it has this one. */
function differs(word: number, fingerprint: number): number {
  const difference = (word ^ fingerprint) & FINGERPRINT_MASK;
  return (difference | -difference) >> 31;
}
