/**
 * Where everything lies inside a table's memory, and how large a table is made.
 *
 * One shared memory: a header of words, then buckets of 64 bytes. A bucket is eight slots of two words:
 *
 *     word 0   bits 31..7  fingerprint: the low 25 bits of `high`, never all zero      word 0 == 0: the slot is empty
 *              bits  6..0  rights; 0 means the entry was removed (a tombstone)
 *     word 1               `low`, never zero
 *
 * A key's home bucket is floor(high * bucketCount / 2^32). If that is full the key goes 1, 3, 6, 10 ... buckets further
 * (displacement d adds d to the one before), at most {@link displacementMaxFor} times. An entry is therefore never more
 * than `windowBuckets` after its home, and as the 128 values of `high` that share 25 low bits have their homes at least
 * floor(bucketCount / 128) - 1 buckets apart, bucket and fingerprint together give back all of `high`: the table holds
 * exact 64-bit keys.
 * @module
 */
import { RIGHTS_ALL } from '../vocabulary.js';

/** First word of a table's memory; the version of the layout is in it. */
export const TABLE_MAGIC = 0x4f475431; // "OGT1"

export const BUCKET_BYTES = 64;
export const BUCKET_WORDS = 16;
export const SLOTS_PER_BUCKET = 8;
export const RIGHTS_MASK = RIGHTS_ALL;
export const FINGERPRINT_MASK = ~RIGHTS_MASK;

/** Smallest table: 256 KiB. Below this the displacement limit would be too small to fill a table usefully. */
export const BUCKET_COUNT_MIN = 4096;
/** Largest table: 4 GiB with its header, which is what WebAssembly can see; about 413 million keys. */
export const BUCKET_COUNT_MAX = 2 ** 26 - 4;
/** Tables from this many buckets on are filled densely; smaller ones cost little, and stay half empty. */
export const BUCKET_COUNT_DENSE = 65_536;
/** Steps from home that a lookup takes at most. At 100 M keys and a load of 0.86 the longest seen was 30. */
export const DISPLACEMENT_MAX = 40;

/** Share of slots in use (tombstones included) that a table is created for: 10.39 bytes a key. */
const LOAD_AT_CAPACITY = 0.77;
const LOAD_AT_CAPACITY_SMALL = 0.5;
/** Keys that the largest table is created for. */
export const KEYS_MAX = Math.floor(BUCKET_COUNT_MAX * SLOTS_PER_BUCKET * LOAD_AT_CAPACITY);
/** Share of slots in use at which a table should grow. */
const LOAD_MAX = 0.82;
const LOAD_MAX_SMALL = 0.6;

/** Words of the header. What readers on other threads load again and again comes first. */
export const HEADER = {
  magic: 0,
  bucketCount: 1,
  displacementMax: 2,
  seedLow: 3,
  seedHigh: 4,
  kindMask: 5,
  standing: 6,
  positionVersion: 7,
  /** Two records of four words (seq low, seq high, freshAtMs low, high); the version's lowest bit says which is valid. */
  position: 8,
  entryCount: 16,
  tombstoneCount: 17,
  changeCount: 18,
  digestLow: 19,
  digestHigh: 20,
  epochBytes: 21,
  epoch: 22,
  givenKindMask: 31,
} as const;
export const POSITION_WORDS = 4;

/** Bytes from the start of the memory to the first bucket: a bucket is one cache line (measured: 5 % of a lookup). */
export const HEADER_BYTES = 256;

/** Buckets for `capacity` keys. Throws a RangeError outside 0 .. {@link KEYS_MAX}. */
export function bucketCountFor(capacity: number): number {
  if (!Number.isSafeInteger(capacity) || capacity < 0 || capacity > KEYS_MAX) {
    throw new RangeError(`expected a capacity of 0 to ${KEYS_MAX} keys`);
  }
  const dense = Math.ceil(capacity / (SLOTS_PER_BUCKET * LOAD_AT_CAPACITY));
  const sparse = Math.ceil(capacity / (SLOTS_PER_BUCKET * LOAD_AT_CAPACITY_SMALL));
  return Math.max(BUCKET_COUNT_MIN, dense, Math.min(sparse, BUCKET_COUNT_DENSE));
}

/** Slots in use, tombstones included, from which on a table of this size should grow. */
export function usedSlotsMax(bucketCount: number): number {
  const load = bucketCount < BUCKET_COUNT_DENSE ? LOAD_MAX_SMALL : LOAD_MAX;
  return Math.floor(bucketCount * SLOTS_PER_BUCKET * load);
}

/** Largest displacement for which bucket and fingerprint still give back the key; see the top of this file. */
export function displacementMaxFor(bucketCount: number): number {
  let displacement = 0;
  while (displacement < DISPLACEMENT_MAX && windowBuckets(displacement + 1) <= windowBucketsMax(bucketCount)) {
    displacement++;
  }
  return displacement;
}

/**
 * How far from home an entry may lie: less than the spacing of homes by two buckets, one because the product that finds a
 * home may round up to the next bucket, one so that the way back (copy.ts) need not know where.
 */
export function windowBucketsMax(bucketCount: number): number {
  return Math.floor(bucketCount / 128) - 3;
}

/** How many buckets after its home an entry of this displacement lies. */
export function windowBuckets(displacement: number): number {
  return (displacement * (displacement + 1)) / 2;
}
