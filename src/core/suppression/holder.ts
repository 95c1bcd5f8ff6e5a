/**
 * Holds the table a process decides with: lets it grow while it is used, and swaps one table for another in one step.
 *
 * Where the two flows meet: the gate reads `current`, whoever follows the ledger writes here. Nobody writes to a table
 * behind its holder's back. One thread owns a holder; readers on other threads get shares from `onSwap`.
 *
 * Growing: from a load of 0.82 on every write also moves a few entries into a larger table, and is made in both. When all
 * have moved, `current` becomes the larger one. The one before goes on getting every write until it is released, so
 * a thread still reading it misses nothing.
 * @module
 */
import { GateError } from '../errors.js';
import { TableCopy } from './copy.js';
import { BUCKET_COUNT_MAX, bucketCountFor, KEYS_MAX, usedSlotsMax } from './layout.js';
import { mixedLow } from './mix.js';
import { mintHigh, mintLow } from './probe.js';
import { checkEntry, type SuppressionTable } from './table.js';
import type { TableShare } from './table-terms.js';

/** Slots moved with every write while a table grows: it is done before 1 % more have come. */
export const GROW_SLOTS_PER_WRITE = 128;
/** Slots moved by a {@link TableHolder.growStep} without a budget of its own: 0.1 ms; the very first, of cold code, 3 ms. */
export const GROW_SLOTS_PER_STEP = 2048;
/** Tables before the current one that still get every write. One more, and the oldest is let go of unasked. */
export const PREVIOUS_TABLES_MAX = 2;
/** How many times more entries than now a grown table is made for. */
const GROWTH_FACTOR = 1.5;

export interface TableSwap {
  /** `grown`: same content, larger table. `replaced`: another table altogether. */
  readonly reason: 'grown' | 'replaced';
  /** The table that is current from now on, to be posted to reading threads. */
  readonly share: TableShare;
}

export class TableHolder {
  private table: SuppressionTable | null;
  private copy: TableCopy | null = null;
  private previous: readonly SuppressionTable[] = [];
  private growthFailure: GateError | null = null;
  private growAgainAtSlots = 0;
  private readonly listeners = new Set<(swap: TableSwap) => void>();

  /** Without a table the holder has never been loaded, which is not the same as holding an empty one. */
  constructor(options: { readonly table?: SuppressionTable } = {}) {
    this.table = options.table ?? null;
  }

  /** The table to decide with; `null`: never loaded. Take it anew for each decision. */
  get current(): SuppressionTable | null {
    return this.table;
  }

  get epoch(): string | null {
    return this.table === null ? null : this.table.epoch;
  }

  /** The last published seq; 0 if never loaded. */
  get seq(): number {
    return this.table === null ? 0 : this.table.seq;
  }

  /** When the content was last known to be all there is; `null`: nobody said. */
  get freshAtMs(): number | null {
    return this.table === null ? null : this.table.freshAtMs;
  }

  get isGrowing(): boolean {
    return this.copy !== null;
  }

  /** Tells of every swap from now on; returns what ends that. Listeners are called with the new table in place. */
  onSwap(listener: (swap: TableSwap) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Why the last attempt to grow failed, until one succeeds. The table goes on taking writes as long as it has room. */
  get growthError(): GateError | null {
    return this.growthFailure;
  }

  /** Puts another table in the place of the current one, which gets no more writes. Growth in progress is dropped. */
  replace(table: SuppressionTable): void {
    this.releasePrevious();
    if (this.table !== null && this.table !== table) this.table.mark('abandoned');
    this.copy = null;
    this.growthFailure = null;
    this.growAgainAtSlots = 0;
    this.table = table;
    this.tell('replaced');
  }

  /**
   * Gives a key these rights and no others (0 removes it), in every table in use; true if that changed anything.
   * Throws a GateError `table.not_loaded`; `table.memory` or `table.too_large` if the table is full and cannot grow, in
   * which case nothing was changed.
   */
  set(tag: number, w0: number, w1: number, w2: number, w3: number, rights: number, isDerived = false): boolean {
    checkEntry(tag, rights);
    const high = this.loaded().mix(tag, w0, w1, w2, w3); // every table in use has the same seed
    return this.write(high, mixedLow[0] ?? 0, rights, 1 << tag, isDerived ? 0 : 1 << tag);
  }

  /**
   * {@link set} for a key already mixed with the table's seed and minted (mixKey, mintHigh, mintLow), as the ledger sends
   * it. Throws a RangeError for words that are not minted, and what `set` throws.
   */
  setMixed(high: number, low: number, tag: number, rights: number, isDerived: boolean): boolean {
    checkEntry(tag, rights);
    if (mintHigh(high) !== high || mintLow(low) !== low) throw new RangeError('expected the words of a minted key');
    return this.write(high | 0, low | 0, rights, 1 << tag, isDerived ? 0 : 1 << tag);
  }

  /**
   * Adds to the kind masks of every table in use: bits of kinds that are in the set, and of those given on their own.
   * Throws a GateError `table.not_loaded`, a RangeError for bit 0 or for a kind given that is not there.
   */
  addKinds(kindMask: number, givenKindMask: number): void {
    if ((kindMask & 1) !== 0 || (givenKindMask & ~kindMask) !== 0) throw new RangeError('expected masks of kinds');
    this.loaded().addKinds(kindMask, givenKindMask);
    this.copy?.target.addKinds(kindMask, givenKindMask);
    for (const table of this.previous) table.addKinds(kindMask, givenKindMask);
  }

  /** Removes a key from every table in use; true if it was there. */
  remove(tag: number, w0: number, w1: number, w2: number, w3: number): boolean {
    return this.set(tag, w0, w1, w2, w3, 0);
  }

  /** Says that every change up to `seq` has been made, and that at `freshAtMs` there were no others. */
  publish(seq: number, freshAtMs: number | null): void {
    this.loaded().publish(seq, freshAtMs);
    for (const table of this.previous) table.publish(seq, freshAtMs);
  }

  /**
   * Goes on with growing, if it is: call it between other work, to be done sooner. True while there is more to move.
   * A step of the default size takes less than a millisecond.
   */
  growStep(slotBudget: number = GROW_SLOTS_PER_STEP): boolean {
    if (this.copy === null) return false;
    try {
      const state = this.copy.step(slotBudget);
      if (state === 'complete') this.swapToCopy(this.copy.target);
      if (state === 'overflowed') this.copyIntoLarger();
    } catch (error) {
      this.failGrowth(error);
    }
    return this.copy !== null;
  }

  /** Lets go of every table before the current one: all readers have moved on. */
  releasePrevious(): void {
    for (const table of this.previous) table.mark('abandoned');
    this.previous = [];
  }

  private loaded(): SuppressionTable {
    if (this.table === null) throw new GateError('table.not_loaded');
    return this.table;
  }

  /** One write, into every table in use, and growth by as much as goes with it. */
  private write(high: number, low: number, rights: number, kinds: number, givenKinds: number): boolean {
    let outcome = this.loaded().setMixed(high, low, rights, kinds, givenKinds);
    while (outcome === 'full') {
      this.growNow(); // a small table in practice, for it takes improbable luck in a large one
      outcome = this.loaded().setMixed(high, low, rights, kinds, givenKinds);
    }
    if (this.copy !== null && this.copy.target.setMixed(high, low, rights, kinds, givenKinds) === 'full')
      this.copyIntoLarger();
    if (this.previous.length > 0) this.writePrevious(high, low, rights, kinds, givenKinds);
    if (this.copy !== null) this.growStep(GROW_SLOTS_PER_WRITE);
    else if (outcome === 'added') this.growIfLoaded();
    return outcome !== 'unchanged';
  }

  private growIfLoaded(): void {
    const table = this.loaded();
    const usedSlots = table.entryCount + table.tombstoneCount;
    if (usedSlots < usedSlotsMax(table.bucketCount) || usedSlots < this.growAgainAtSlots) return;
    const bucketCount = bucketCountFor(Math.min(KEYS_MAX, Math.ceil(table.entryCount * GROWTH_FACTOR)));
    if (table.entryCount < usedSlotsMax(bucketCount)) this.startCopy(bucketCount);
  }

  /** Grows to the end at once, for a key that has no room. */
  private growNow(): void {
    if (this.copy === null) this.startCopy(largerBucketCount(this.loaded().bucketCount));
    while (this.growStep(Number.MAX_SAFE_INTEGER)) {}
    if (this.growthFailure !== null) throw this.growthFailure;
  }

  /** The table that is being filled has turned out too small. */
  private copyIntoLarger(): void {
    const bucketCount = this.copy?.target.bucketCount ?? 0;
    try {
      this.startCopy(largerBucketCount(bucketCount));
    } catch (error) {
      this.failGrowth(error);
    }
  }

  private startCopy(bucketCount: number): void {
    this.copy = null;
    try {
      this.copy = new TableCopy(this.loaded(), bucketCount);
      this.growthFailure = null;
    } catch (error) {
      this.failGrowth(error);
    }
  }

  /** Tries again when another 1 % of the table is used, and not with every write until then. */
  private failGrowth(error: unknown): void {
    this.copy = null;
    if (!(error instanceof GateError)) throw error;
    const table = this.loaded();
    this.growthFailure = error;
    this.growAgainAtSlots = table.entryCount + table.tombstoneCount + table.bucketCount / 12;
  }

  private swapToCopy(target: SuppressionTable): void {
    const table = this.loaded();
    this.copy = null;
    this.table = target;
    if (this.listeners.size === 0) {
      table.mark('abandoned'); // nobody was told of a share, so nobody reads it
    } else {
      table.mark('superseded');
      const previous = [table, ...this.previous];
      for (const oldest of previous.slice(PREVIOUS_TABLES_MAX)) oldest.mark('abandoned');
      this.previous = previous.slice(0, PREVIOUS_TABLES_MAX);
    }
    this.tell('grown');
  }

  private writePrevious(high: number, low: number, rights: number, kinds: number, givenKinds: number): void {
    this.previous = this.previous.filter((table) => {
      if (table.setMixed(high, low, rights, kinds, givenKinds) !== 'full') return true;
      table.mark('abandoned');
      return false;
    });
  }

  private tell(reason: TableSwap['reason']): void {
    const swap: TableSwap = { reason, share: this.loaded().share() };
    for (const listener of this.listeners) listener(swap);
  }
}

function largerBucketCount(bucketCount: number): number {
  if (bucketCount >= BUCKET_COUNT_MAX) throw new GateError('table.too_large');
  return Math.min(BUCKET_COUNT_MAX, Math.ceil(bucketCount * GROWTH_FACTOR));
}
