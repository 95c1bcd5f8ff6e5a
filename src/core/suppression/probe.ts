/**
 * Finding a key among the slots: the two loops everything else in this folder relies on.
 *
 * Both visit the same slots in the same order and end at the first empty one, so a key that one can store the other can
 * find. They end in any case after `displacementMax` steps.
 * @module
 */
import { BUCKET_WORDS, FINGERPRINT_MASK, RIGHTS_MASK } from './layout.js';

/** HOT. The rights of the entry with this fingerprint (already shifted) and `low`; 0 if there is none. */
export function findRights(
  words: Int32Array,
  homeBucket: number,
  fingerprint: number,
  low: number,
  bucketCount: number,
  displacementMax: number,
): number {
  let bucket = homeBucket;
  for (let displacement = 0; ; ) {
    const end = bucket * BUCKET_WORDS + BUCKET_WORDS;
    for (let at = end - BUCKET_WORDS; at < end; at += 2) {
      const word = words[at]!; // in bounds: bucket < bucketCount
      if (word === 0) return 0;
      if (((word ^ fingerprint) & FINGERPRINT_MASK) === 0 && words[at + 1] === low) return word & RIGHTS_MASK;
    }
    if (++displacement > displacementMax) return 0;
    bucket += displacement;
    if (bucket >= bucketCount) bucket -= bucketCount;
  }
}

/** HOT. The word index of the key's entry, else of the empty slot where it belongs, else -1: no room in reach. */
export function findSlot(
  words: Int32Array,
  homeBucket: number,
  fingerprint: number,
  low: number,
  bucketCount: number,
  displacementMax: number,
): number {
  let bucket = homeBucket;
  for (let displacement = 0; ; ) {
    const end = bucket * BUCKET_WORDS + BUCKET_WORDS;
    for (let at = end - BUCKET_WORDS; at < end; at += 2) {
      const word = words[at]!;
      if (word === 0) return at;
      if (((word ^ fingerprint) & FINGERPRINT_MASK) === 0 && words[at + 1] === low) return at;
    }
    if (++displacement > displacementMax) return -1;
    bucket += displacement;
    if (bucket >= bucketCount) bucket -= bucketCount;
  }
}

/** The high mixed word as it is stored: its low 25 bits are never all zero, or an entry could look like an empty slot. */
export function mintHigh(high: number): number {
  return (high & 0x1ffffff) === 0 ? high | 1 : high;
}

/** The low mixed word as it is stored: never zero, which is what a slot holds before its `low` is written. */
export function mintLow(low: number): number {
  return low === 0 ? 1 : low;
}

/** What one half of an entry adds to the state digest; 0 for an entry without rights. Murmur3's 32-bit finaliser. */
export function digestWord(half: number, rights: number): number {
  if (rights === 0) return 0;
  let word = (half + Math.imul(rights, 0x9e3779b1)) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

/** A state digest as text, from the sums of {@link digestWord} over all high and all low words. */
export function digestText(high: number, low: number): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}
