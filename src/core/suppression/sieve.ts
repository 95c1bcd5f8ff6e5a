/**
 * Tells at once of most keys that a table does not have them: a bit for every entry, a sixteenth of the table's memory or
 * less, so that it stays in a nearer cache. Of four absent keys it lets one or none through, of present ones every one.
 *
 * It is made by and by, while keys are looked up, and is good for as long as the table does not change.
 *
 * What must stay true: nobody asks it unless {@link isCurrent} has just said so. `changeCount` goes up with every change, before the
 * seq of that change is published; so whoever has read a seq finds the sieve outdated by every change up to it.
 * @module
 */
import { BUCKET_WORDS } from './layout.js';

/** Most entries of a table that gets one: 4 MiB. Beyond, it would be no nearer than the table. */
const ENTRIES_MAX = 2 ** 25 / 8;
const BITS_PER_ENTRY = 8;
const BITS_MIN = 2 ** 16;
/** Buckets that are read at a time. */
const BUCKETS_PER_STEP = 2048;

/** Steps left out for each one made, where the table changes again and again. */
const REST_STEPS_PER_STEP = 4;

/** What a sieve has to know of its table. */
export interface SiftedTable {
  readonly changeCount: number;
  readonly entryCount: number;
  readonly tombstoneCount: number;
  readonly bucketCount: number;
  bucketWords(): Int32Array;
}

export class KeySieve {
  readonly #table: SiftedTable;
  #bits: Int32Array = new Int32Array(0);
  /** From a `low` to the number of its bit. */
  #shift = 0;
  /** Changes of the table when the making of it began. */
  #changeCount = -1;
  /** The next bucket to be read; all have been: it is complete. */
  #bucket = 0;
  /** Steps to be left out before it is begun with again: a table that changes all the time gets none. */
  #restSteps = 0;

  constructor(table: SiftedTable) {
    this.#table = table;
  }

  /** HOT. Whether it speaks of the table as it is. If not, a step is made towards it. */
  isCurrent(): boolean {
    if (this.#bucket === this.#table.bucketCount && this.#changeCount === this.#table.changeCount) return true;
    this.#step();
    return false;
  }

  /**
   * HOT. Those of `keyCount` keys, from `from` on, that the table may have: their numbers, counted from `from`, and the keys.
   * @returns How many.
   */
  sift(
    high: Int32Array,
    low: Int32Array,
    from: number,
    keyCount: number,
    outIndex: Int32Array,
    outHigh: Int32Array,
    outLow: Int32Array,
  ): number {
    const bits = this.#bits;
    const shift = this.#shift;
    let count = 0;
    for (let index = 0; index < keyCount; index++) {
      const word = low[from + index]!;
      const bit = word >>> shift;
      outIndex[count] = index;
      outHigh[count] = high[from + index]!;
      outLow[count] = word;
      count += (bits[bit >>> 5]! >>> (bit & 31)) & 1; // without a branch: no processor could guess
    }
    return count;
  }

  #step(): void {
    const table = this.#table;
    if (this.#changeCount !== table.changeCount) {
      if (this.#restSteps > 0) {
        this.#restSteps--;
        return;
      }
      this.#begin();
    }
    if (this.#bits.length === 0) return;
    const words = table.bucketWords();
    const end = Math.min(table.bucketCount, this.#bucket + BUCKETS_PER_STEP);
    for (let at = this.#bucket * BUCKET_WORDS; at < end * BUCKET_WORDS; at += 2) {
      if (words[at] === 0) continue;
      const bit = words[at + 1]! >>> this.#shift;
      this.#bits[bit >>> 5]! |= 1 << (bit & 31);
    }
    this.#bucket = end;
  }

  /** Begins anew. */
  #begin(): void {
    const { changeCount, entryCount, tombstoneCount, bucketCount } = this.#table;
    const isFirst = this.#changeCount === -1;
    this.#changeCount = changeCount;
    this.#bucket = 0;
    this.#restSteps = isFirst ? 0 : REST_STEPS_PER_STEP * Math.ceil(bucketCount / BUCKETS_PER_STEP);
    const slotCount = entryCount + tombstoneCount;
    if (slotCount > ENTRIES_MAX) {
      this.#bits = new Int32Array(0);
      return;
    }
    const bitCount = Math.max(BITS_MIN, 2 ** Math.ceil(Math.log2(slotCount * BITS_PER_ENTRY)));
    this.#shift = 32 - Math.log2(bitCount);
    if (this.#bits.length === bitCount / 32) this.#bits.fill(0);
    else this.#bits = new Int32Array(bitCount / 32);
  }
}
