/**
 * Copies a table into one of another size, a few entries at a time, while the first goes on being used.
 *
 * The original keys are not needed: bucket and fingerprint give back the mixed key (layout.ts). Tombstones stay behind.
 * Buckets follow the order of the mixed keys in every size of table, so both tables are walked from front to back, and
 * memory of the new one is first touched (and zeroed by the system) step by step.
 * @module
 */
import { GateError } from '../errors.js';
import { BUCKET_WORDS, displacementMaxFor, FINGERPRINT_MASK, RIGHTS_MASK, SLOTS_PER_BUCKET } from './layout.js';
import { digestText, digestWord } from './probe.js';
import { SuppressionTable } from './table.js';

/** `overflowed`: the target had no room for an entry; copy again into a larger one. */
export type CopyState = 'copying' | 'complete' | 'overflowed';

/**
 * One copy in progress. Whoever writes to the source meanwhile writes to the target as well ({@link TableCopy.target}),
 * the source first; then it does not matter whether the copy has passed that key already.
 */
export class TableCopy {
  readonly target: SuppressionTable;
  private nextBucket = 0;

  constructor(
    private readonly source: SuppressionTable,
    bucketCount: number,
  ) {
    const displacementMax = displacementMaxFor(bucketCount);
    const { seed, epoch } = source;
    this.target = SuppressionTable.allocate({ bucketCount, displacementMax, seed, epoch });
    this.target.addKinds(source.kindMask, source.givenKindMask);
  }

  /** Copies what about `slotBudget` slots of the source hold. Throws a GateError `table.copy_differs` at the end if it did not work. */
  step(slotBudget: number): CopyState {
    const { source, target } = this;
    const bucketBudget = Math.max(1, Math.floor(slotBudget / SLOTS_PER_BUCKET));
    const endBucket = Math.min(source.bucketCount, this.nextBucket + bucketBudget);
    if (!copyBuckets(source, this.nextBucket, endBucket, target)) return 'overflowed';
    this.nextBucket = endBucket;
    if (endBucket < source.bucketCount) return 'copying';
    if (target.entryCount !== source.entryCount || target.stateDigest !== source.stateDigest) {
      throw new GateError('table.copy_differs');
    }
    target.publish(source.seq, source.freshAtMs);
    return 'complete';
  }
}

/** HOT. Copies the live entries of some buckets; false if one found no room. */
function copyBuckets(
  source: SuppressionTable,
  fromBucket: number,
  toBucket: number,
  target: SuppressionTable,
): boolean {
  const words = source.bucketWords();
  const targetWords = target.bucketWords();
  const { bucketCount } = source;
  let entryCount = 0;
  let digestHigh = 0;
  let digestLow = 0;
  let hasRoom = true;
  for (let bucket = fromBucket; bucket < toBucket && hasRoom; bucket++) {
    const lastHigh = lastHighAt(bucket, bucketCount);
    const end = (bucket + 1) * BUCKET_WORDS;
    for (let at = bucket * BUCKET_WORDS; at < end; at += 2) {
      const word = words[at]!;
      if (word === 0) break;
      const rights = word & RIGHTS_MASK;
      if (rights === 0) continue;
      const high = highOf(word, lastHigh);
      const low = words[at + 1]!;
      const targetAt = target.slotOfMixed(high, low);
      if (targetAt === -1) {
        hasRoom = false;
        break;
      }
      if (targetWords[targetAt] !== 0) continue; // written to since the copy began, so already as it should be
      targetWords[targetAt + 1] = low;
      targetWords[targetAt] = word; // plain stores: nobody reads the target yet
      entryCount++;
      digestHigh = (digestHigh + digestWord(high, rights)) | 0;
      digestLow = (digestLow + digestWord(low, rights)) | 0;
    }
  }
  target.count(entryCount, digestHigh, digestLow);
  return hasRoom;
}

/**
 * A value that no high mixed word with its home in this bucket or before is above, and that is at most one bucket above
 * them: with the room that windowBucketsMax (layout.ts) leaves, that is exact enough. Counts from the middle of
 * the range, so that every number is a 32-bit integer: otherwise compiled code is thrown away half-way through a copy,
 * and one step takes 7 ms.
 */
export function lastHighAt(bucket: number, bucketCount: number): number {
  const scale = bucketCount / 2 ** 32;
  const last = Math.min(Math.ceil((bucket + 1) / scale), 2 ** 32 - 1);
  return (last - 2 ** 31) ^ -0x80000000;
}

/**
 * HOT. The high mixed word of an entry from its first word and {@link lastHighAt} its bucket: of the values with these
 * 25 low bits the last that is not past it. Below the first bucket the values go on from the end of the table.
 */
export function highOf(word: number, lastHigh: number): number {
  const high = (lastHigh & 0xfe000000) | (word >>> 7);
  const isPast = (high ^ -0x80000000) > (lastHigh ^ -0x80000000); // as unsigned numbers
  return isPast ? (high - 0x2000000) | 0 : high;
}

/** What a walk over every slot of a table finds; compare with what the table says of itself. */
export interface TableAudit {
  readonly entryCount: number;
  readonly tombstoneCount: number;
  readonly stateDigest: string;
  /** Slots in use whose key could not be found by a lookup: 0, or the table is damaged. */
  readonly misplacedCount: number;
}

/** Counts and checks every slot: about 15 ns each, so in a thread of its own if the table is large. */
export function auditTable(table: SuppressionTable): TableAudit {
  const words = table.bucketWords();
  let entryCount = 0;
  let tombstoneCount = 0;
  let misplacedCount = 0;
  let digestHigh = 0;
  let digestLow = 0;
  for (let at = 0; at < words.length; at += 2) {
    const word = words[at]!;
    if (word === 0) continue;
    const low = words[at + 1]!;
    const high = highOf(word, lastHighAt(Math.floor(at / BUCKET_WORDS), table.bucketCount));
    const rights = word & RIGHTS_MASK;
    if (rights === 0) tombstoneCount++;
    else entryCount++;
    if (table.slotOfMixed(high, low) !== at || (word & FINGERPRINT_MASK) === 0) misplacedCount++;
    digestHigh = (digestHigh + digestWord(high, rights)) | 0;
    digestLow = (digestLow + digestWord(low, rights)) | 0;
  }
  return { entryCount, tombstoneCount, stateDigest: digestText(digestHigh, digestLow), misplacedCount };
}
