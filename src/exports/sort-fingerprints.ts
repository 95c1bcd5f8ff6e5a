/**
 * Sorts fingerprints, which are as good as random: their highest bits put each of them within a few places of its own, and
 * moving it there is all that is left. 4 M take 0.2 s like this, and 0.5 s by `sort`. Where they are not spread, `sort` is
 * given those that have their highest bits in common, so the worst case is that of `sort`. Halves lie in memory as in a lineage
 * file, which is little-endian, as are the machines this runs on.
 * @module
 */

/** Fewer are sorted by `sort`. */
export const SPREAD_COUNT_MIN = 65_536;
const BUCKET_BITS = 18;
/** More in one bucket are sorted by `sort`. */
const INSERTION_COUNT_MAX = 64;
const SIGN_BIT = 0x8000_0000;

/** HOT. The numbers in ascending order, in memory of their own. */
export function sortedFingerprints(list: BigInt64Array): BigInt64Array {
  if (list.length < SPREAD_COUNT_MIN) return list.slice().sort();
  // as halves: a number of 64 bits would be an object each
  const words = new Int32Array(list.buffer, list.byteOffset, 2 * list.length);
  const sorted = new BigInt64Array(list.length);
  const target = new Int32Array(sorted.buffer);
  const ends = bucketStarts(words); // those they are once every number has its place
  for (let at = 1; at < words.length; at += 2) {
    const high = words[at]!;
    const to = 2 * ends[bucketOf(high)]!++;
    target[to] = words[at - 1]!;
    target[to + 1] = high;
  }
  let start = 0;
  // by index: `for … of` takes 0.1 s for so many
  for (let bucket = 0; bucket < ends.length; bucket++) {
    const end = ends[bucket]!;
    if (end - start > INSERTION_COUNT_MAX) sorted.subarray(start, end).sort();
    else sortByInsertion(target, 2 * start, 2 * end);
    start = end;
  }
  return sorted;
}

/** HOT. */
function bucketOf(high: number): number {
  return (high ^ SIGN_BIT) >>> (32 - BUCKET_BITS);
}

/** HOT. Where each bucket begins. */
function bucketStarts(words: Int32Array): Uint32Array {
  const starts = new Uint32Array(1 << BUCKET_BITS);
  for (let at = 1; at < words.length; at += 2) starts[bucketOf(words[at]!)]!++;
  let before = 0;
  for (let bucket = 0; bucket < starts.length; bucket++) {
    const count = starts[bucket]!;
    starts[bucket] = before;
    before += count;
  }
  return starts;
}

/** HOT. Sorts a few by insertion; low half first, as they lie in memory. */
function sortByInsertion(words: Int32Array, start: number, end: number): void {
  for (let next = start + 2; next < end; next += 2) {
    const low = words[next]!;
    const high = words[next + 1]!;
    let at = next;
    for (; at > start && isBefore(high, low, words[at - 1]!, words[at - 2]!); at -= 2) {
      words[at] = words[at - 2]!;
      words[at + 1] = words[at - 1]!;
    }
    words[at] = low;
    words[at + 1] = high;
  }
}

/** HOT. Whether a signed number of 64 bits is less than another, both in halves. */
export function isBefore(high: number, low: number, otherHigh: number, otherLow: number): boolean {
  return high === otherHigh ? low >>> 0 < otherLow >>> 0 : high < otherHigh;
}

/** HOT. Drops what stands there again, in place. @returns What is left of an ascending list. */
export function distinct(ascending: BigInt64Array): BigInt64Array {
  const words = new Int32Array(ascending.buffer, ascending.byteOffset, 2 * ascending.length);
  let end = Math.min(2, words.length);
  for (let at = 2; at < words.length; at += 2) {
    if (words[at] === words[end - 2] && words[at + 1] === words[end - 1]) continue;
    words[end++] = words[at]!;
    words[end++] = words[at + 1]!;
  }
  return ascending.subarray(0, end / 2);
}
