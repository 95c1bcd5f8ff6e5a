/**
 * Compaction: a table of just the size its entries need, without tombstones, and the same whatever way it came about.
 *
 * Where an entry lies depends on which came first. So entries are put into the new table in the order of their keys: by
 * `high`, then by `low`, as unsigned numbers. No list of them is needed for that, as homes follow the order of `high`: the
 * entries of one home lie along its own way through the buckets, up to the first empty slot (probe.ts), and
 * only those few are sorted at a time.
 * @module
 */
import { GateError } from '../errors.js';
import { highOf, lastHighAt } from './copy.js';
import { BUCKET_WORDS, bucketCountFor, displacementMaxFor, RIGHTS_MASK, SLOTS_PER_BUCKET } from './layout.js';
import { digestWord } from './probe.js';
import { SuppressionTable } from './table.js';

/** How many times larger the next try is, should the entries find no room. */
const GROWTH_FACTOR = 1.1;

/**
 * A copy of just the size its entries need, without tombstones: what a snapshot should be made of. Tables that agree in
 * entries, seed, epoch, kind masks, seq and freshness give the same bytes, in whatever order they were filled and
 * however they grew. Takes 40 to 50 ns an entry without a pause. Throws a GateError `table.memory` if there is no room for two
 * tables, `table.copy_differs` if the table is damaged or was written to meanwhile.
 */
export function compacted(table: SuppressionTable): SuppressionTable {
  const { seed, epoch } = table;
  for (let bucketCount = bucketCountFor(table.entryCount); ; bucketCount = Math.ceil(bucketCount * GROWTH_FACTOR)) {
    const displacementMax = displacementMaxFor(bucketCount);
    const target = SuppressionTable.allocate({ bucketCount, displacementMax, seed, epoch });
    if (!copyInOrder(table, target)) continue;
    if (target.entryCount !== table.entryCount || target.stateDigest !== table.stateDigest) {
      throw new GateError('table.copy_differs');
    }
    target.addKinds(table.kindMask, table.givenKindMask);
    target.publish(table.seq, table.freshAtMs);
    return target;
  }
}

/** HOT. Puts every live entry into an empty table, in the order of the keys; false if one found no room. */
function copyInOrder(source: SuppressionTable, target: SuppressionTable): boolean {
  const { bucketCount, displacementMax } = source;
  const targetWords = target.bucketWords();
  const groupSlots = (displacementMax + 1) * SLOTS_PER_BUCKET;
  const highs = new Int32Array(groupSlots);
  const lows = new Int32Array(groupSlots);
  const firstWords = new Int32Array(groupSlots);
  let entryCount = 0;
  let digestHigh = 0;
  let digestLow = 0;
  for (let home = 0; home < bucketCount; home++) {
    const count = gatherHome(source.bucketWords(), home, bucketCount, displacementMax, highs, lows, firstWords);
    for (let index = 0; index < count; index++) {
      const high = highs[index]!;
      const low = lows[index]!;
      const word = firstWords[index]!;
      const at = target.slotOfMixed(high, low);
      if (at === -1) return false;
      targetWords[at + 1] = low;
      targetWords[at] = word; // plain stores: nobody reads the target yet
      digestHigh = (digestHigh + digestWord(high, word & RIGHTS_MASK)) | 0;
      digestLow = (digestLow + digestWord(low, word & RIGHTS_MASK)) | 0;
    }
    entryCount += count;
  }
  target.count(entryCount, digestHigh, digestLow);
  return true;
}

/** HOT. The live entries of one home, sorted, six or so of them: insertion is the fastest way. Returns how many. */
function gatherHome(
  words: Int32Array,
  home: number,
  bucketCount: number,
  displacementMax: number,
  highs: Int32Array,
  lows: Int32Array,
  firstWords: Int32Array,
): number {
  const bucketScale = bucketCount / 2 ** 32;
  let count = 0;
  let bucket = home;
  for (let displacement = 0; ; ) {
    const lastHigh = lastHighAt(bucket, bucketCount);
    const end = bucket * BUCKET_WORDS + BUCKET_WORDS;
    for (let at = end - BUCKET_WORDS; at < end; at += 2) {
      const word = words[at]!;
      if (word === 0) return count;
      if ((word & RIGHTS_MASK) === 0) continue;
      const high = highOf(word, lastHigh);
      if ((((high >>> 0) * bucketScale) | 0) !== home) continue;
      const low = words[at + 1]!;
      let place = count++;
      for (; place > 0 && isBefore(high, low, highs[place - 1]!, lows[place - 1]!); place--) {
        highs[place] = highs[place - 1]!;
        lows[place] = lows[place - 1]!;
        firstWords[place] = firstWords[place - 1]!;
      }
      highs[place] = high;
      lows[place] = low;
      firstWords[place] = word;
    }
    if (++displacement > displacementMax) return count;
    bucket += displacement;
    if (bucket >= bucketCount) bucket -= bucketCount;
  }
}

/** HOT. Whether one mixed key comes before another, all words as unsigned numbers. */
function isBefore(high: number, low: number, otherHigh: number, otherLow: number): boolean {
  if (high !== otherHigh) return (high ^ -0x80000000) < (otherHigh ^ -0x80000000);
  return (low ^ -0x80000000) < (otherLow ^ -0x80000000);
}
