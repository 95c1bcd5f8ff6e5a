/**
 * The suppression table: which rights a suppressed key has, at 8 bytes a slot, shared by every thread of a process.
 *
 * No false negatives. A false positive takes two keys with the same 64 mixed bits: n / 2^64 a lookup, 5e-12 at 100 M keys.
 *
 * One thread writes, any number read, without locks. That is safe because a slot changes in two ways only, each of
 * them one store of one aligned word, and ECMAScript does not let such a store tear:
 *   - an empty slot gets `low`, then its first word, and keeps this identity for as long as the table lives;
 *   - an entry gets other rights (0: removed) by a store to its first word, fingerprint unchanged.
 * A reader loads the first word once, and takes fingerprint and rights from that one load. Should it see the first word
 * and not yet `low`, it compares with 0, which is no key's `low`, and has seen the table as it was before. Lookups
 * therefore need no Atomics (in Node 20 each Atomics.load is a call: 8 ns, 60 ns a lookup). Atomics give order: the
 * writer publishes a seq with Atomics.store, a reader takes it with Atomics.load, and every change up to that seq is
 * then visible to the lookups that follow. So: read the seq first, look up second.
 * @module
 */
import { KEY_WORDS, type KeyList } from '../identity/key.js';
import type { SharedMemory } from '../wasm.js';
import { isEpoch, readEpoch, writeEpoch } from './epoch.js';
import {
  BUCKET_BYTES,
  BUCKET_WORDS,
  bucketCountFor,
  displacementMaxFor,
  HEADER,
  HEADER_BYTES,
  RIGHTS_MASK,
  TABLE_MAGIC,
} from './layout.js';
import { type ManyKeys, manyKeysOf } from './many-keys.js';
import { allocateShared } from './memory.js';
import { mixedLow, mixKey } from './mix.js';
import { PositionReader, publishPosition } from './position.js';
import { digestText, digestWord, findRights, findSlot, mintHigh, mintLow } from './probe.js';
import {
  type SetOutcome,
  STANDINGS,
  type TableContent,
  type TableOptions,
  type TableShape,
  type TableShare,
  type TableStanding,
} from './table-terms.js';

/** Keys looked up at once by {@link SuppressionTable.rightsOfKeys}. */
const BATCH_KEYS_MAX = 16;
const batchIndex = new Int32Array(BATCH_KEYS_MAX);
const batchBucket = new Int32Array(BATCH_KEYS_MAX);
const batchFingerprint = new Int32Array(BATCH_KEYS_MAX);
const batchLow = new Int32Array(BATCH_KEYS_MAX);
const batchTouched = new Int32Array(1);

/** A table. One thread writes to it, the one that made it or took it over; all others only read. */
export class SuppressionTable {
  readonly epoch: string;
  readonly bucketCount: number;
  readonly displacementMax: number;
  private readonly header: Int32Array;
  private readonly words: Int32Array;
  private readonly seedLow: number;
  private readonly seedHigh: number;
  private readonly bucketScale: number;
  private readonly position: PositionReader;
  private manyKeys: ManyKeys | null = null;

  private constructor(
    private readonly memory: SharedMemory,
    private readonly isWriter: boolean,
  ) {
    const { buffer } = memory;
    const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.header = header;
    this.words = new Int32Array(buffer, HEADER_BYTES, header[HEADER.bucketCount]! * BUCKET_WORDS);
    this.position = new PositionReader(header);
    this.bucketCount = header[HEADER.bucketCount]!;
    this.bucketScale = this.bucketCount / 2 ** 32;
    this.displacementMax = header[HEADER.displacementMax]!;
    this.seedLow = header[HEADER.seedLow]!;
    this.seedHigh = header[HEADER.seedHigh]!;
    this.epoch = readEpoch(new Uint8Array(buffer, HEADER.epoch * 4, header[HEADER.epochBytes]!));
  }

  /**
   * An empty table. Throws a RangeError or TypeError for options that make no sense, a GateError `table.memory` if there
   * is no room for it.
   * @example SuppressionTable.create({ capacity: 10_000_000, seed: randomBytes(8).readBigUInt64LE(), epoch: 'e1' })
   */
  static create({ capacity, seed, epoch }: TableOptions): SuppressionTable {
    const bucketCount = bucketCountFor(capacity);
    return SuppressionTable.allocate({ bucketCount, displacementMax: displacementMaxFor(bucketCount), seed, epoch });
  }

  /** @internal An empty table of a given shape, which the caller has checked. */
  static allocate({ bucketCount, displacementMax, seed, epoch }: TableShape): SuppressionTable {
    if (BigInt.asUintN(64, seed) !== seed) throw new RangeError('expected a seed of 64 bits');
    if (!isEpoch(epoch)) throw new TypeError('expected an epoch of 1 to 36 printable ASCII characters');
    const memory = allocateShared(HEADER_BYTES + bucketCount * BUCKET_BYTES);
    const { buffer } = memory;
    const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    header[HEADER.bucketCount] = bucketCount;
    header[HEADER.displacementMax] = displacementMax;
    header[HEADER.seedLow] = Number(BigInt.asIntN(32, seed));
    header[HEADER.seedHigh] = Number(BigInt.asIntN(32, seed >> 32n));
    header[HEADER.epochBytes] = epoch.length;
    writeEpoch(epoch, new Uint8Array(buffer, HEADER.epoch * 4, epoch.length));
    Atomics.store(header, HEADER.magic, TABLE_MAGIC);
    return new SuppressionTable(memory, true);
  }

  /**
   * The same table in another thread: to read, or, if the thread that made it will not write to it again, as its writer
   * from now on. Throws a TypeError if that is not a table's memory.
   */
  static attach(share: TableShare, role: 'reader' | 'writer' = 'reader'): SuppressionTable {
    const { memory } = share;
    const buffer = memory?.buffer;
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < HEADER_BYTES) throw notATable();
    const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    const bucketCount = header[HEADER.bucketCount]!;
    if (Atomics.load(header, HEADER.magic) !== TABLE_MAGIC) throw notATable();
    if (buffer.byteLength < HEADER_BYTES + bucketCount * BUCKET_BYTES) throw notATable();
    return new SuppressionTable(memory, role === 'writer');
  }

  share(): TableShare {
    return { memory: this.memory };
  }

  /** HOT. The rights of a suppressed key as a mask; 0 if it is not suppressed. */
  rightsOf(tag: number, w0: number, w1: number, w2: number, w3: number): number {
    if (((this.header[HEADER.kindMask]! >>> tag) & 1) === 0) return 0;
    const high = mintHigh(mixKey(tag, w0, w1, w2, w3, this.seedLow, this.seedHigh));
    const low = mintLow(mixedLow[0]!);
    const bucket = ((high >>> 0) * this.bucketScale) | 0;
    return findRights(this.words, bucket, high << 7, low, this.bucketCount, this.displacementMax);
  }

  /** HOT. {@link rightsOf} for a key already mixed with this table's seed and minted (mixKey, mintHigh, mintLow). */
  rightsOfMixed(high: number, low: number): number {
    const bucket = ((high >>> 0) * this.bucketScale) | 0;
    return findRights(this.words, bucket, high << 7, low | 0, this.bucketCount, this.displacementMax);
  }

  /** HOT. {@link rightsOf} for one key of a list. */
  rightsOfKeyAt(list: KeyList, index: number): number {
    const words = list.words;
    const at = index * KEY_WORDS;
    return this.rightsOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, words[at + 4]!);
  }

  /**
   * HOT. The rights of every key of a list, `outRights[i]` for key `i`; returns their union, so 0 means a clean list.
   * Loads the cache lines of all keys before it looks at any, so that the waits overlap: five absent keys in a table of
   * 10 M take 0.57 us together, 1.11 us one by one.
   */
  rightsOfKeys(list: KeyList, outRights: Uint8Array): number {
    let union = 0;
    for (let from = 0; from < list.count; from += BATCH_KEYS_MAX) {
      union |= this.rightsOfBatch(list.words, from, Math.min(list.count, from + BATCH_KEYS_MAX), outRights);
    }
    return union;
  }

  /** HOT. {@link rightsOfKeys} for any number of keys of one kind that were mixed and minted already. */
  rightsOfMixedKeys(high: Int32Array, low: Int32Array, keyCount: number, outRights: Uint8Array): number {
    this.manyKeys ??= manyKeysOf(this, this.memory);
    return this.manyKeys(high, low, keyCount, outRights);
  }

  /** HOT. One batch: mix all keys, touch all lines, then look. */
  private rightsOfBatch(keyWords: Int32Array, from: number, to: number, outRights: Uint8Array): number {
    const { words, bucketCount, bucketScale, displacementMax, seedLow, seedHigh } = this;
    const kindMask = this.header[HEADER.kindMask]!;
    let pendingCount = 0;
    for (let index = from, at = from * KEY_WORDS; index < to; index++, at += KEY_WORDS) {
      outRights[index] = 0;
      const tag = keyWords[at]!;
      if (((kindMask >>> tag) & 1) === 0) continue;
      const mixed = mixKey(
        tag,
        keyWords[at + 1]!,
        keyWords[at + 2]!,
        keyWords[at + 3]!,
        keyWords[at + 4]!,
        seedLow,
        seedHigh,
      );
      const high = mintHigh(mixed);
      batchIndex[pendingCount] = index;
      batchBucket[pendingCount] = ((high >>> 0) * bucketScale) | 0;
      batchFingerprint[pendingCount] = high << 7;
      batchLow[pendingCount] = mintLow(mixedLow[0]!);
      pendingCount++;
    }
    let touched = 0;
    for (let pending = 0; pending < pendingCount; pending++) {
      const home = batchBucket[pending]!;
      const second = home + 1 < bucketCount ? home + 1 : 0;
      const third = second + 2 < bucketCount ? second + 2 : second + 2 - bucketCount;
      touched |= words[home * BUCKET_WORDS]! | words[second * BUCKET_WORDS]! | words[third * BUCKET_WORDS]!;
    }
    batchTouched[0] = touched; // stored, so that the loads are not dropped as dead code
    let union = 0;
    for (let pending = 0; pending < pendingCount; pending++) {
      const fingerprint = batchFingerprint[pending]!;
      const low = batchLow[pending]!;
      const rights = findRights(words, batchBucket[pending]!, fingerprint, low, bucketCount, displacementMax);
      outRights[batchIndex[pending]!] = rights;
      union |= rights;
    }
    return union;
  }

  /**
   * Gives a key these rights and no others; 0 removes it. Throws a RangeError for a tag outside 1..31 or rights outside
   * 0..127, a TypeError on an attached table.
   * @param isDerived The key is a digest of a clear value whose own key is entered as well (see {@link givenKindMask}).
   */
  set(tag: number, w0: number, w1: number, w2: number, w3: number, rights: number, isDerived = false): SetOutcome {
    checkEntry(tag, rights);
    const high = this.mix(tag, w0, w1, w2, w3);
    return this.setMixed(high, mixedLow[0]!, rights, 1 << tag, isDerived ? 0 : 1 << tag);
  }

  /** Removes a key. Its slot stays taken, by a tombstone that only the same key can revive, until the table is copied. */
  remove(tag: number, w0: number, w1: number, w2: number, w3: number): SetOutcome {
    return this.set(tag, w0, w1, w2, w3, 0);
  }

  /** @internal A key mixed with this table's seed and minted: the high word; the low one goes to {@link mixedLow}. */
  mix(tag: number, w0: number, w1: number, w2: number, w3: number): number {
    const high = mintHigh(mixKey(tag, w0, w1, w2, w3, this.seedLow, this.seedHigh));
    mixedLow[0] = mintLow(mixedLow[0]!);
    return high;
  }

  /** @internal {@link set} for a key already mixed and minted; `kinds` and `givenKinds` are bits to add to the kind masks. */
  setMixed(high: number, low: number, rights: number, kinds: number, givenKinds: number): SetOutcome {
    if (!this.isWriter) throw onlyReads();
    const { header, words } = this;
    const at = this.slotOfMixed(high, low);
    if (at === -1) return rights === 0 ? 'unchanged' : 'full';
    const before = words[at]! & RIGHTS_MASK;
    if ((header[HEADER.givenKindMask]! & givenKinds) !== givenKinds && rights !== 0) this.addKinds(kinds, givenKinds);
    if (before === rights) return 'unchanged'; // an absent key has no rights either
    const isNew = words[at] === 0;
    if ((header[HEADER.kindMask]! & kinds) !== kinds) this.addKinds(kinds, givenKinds);
    if (isNew) words[at + 1] = low;
    Atomics.store(words, at, (high << 7) | rights);
    if (before === 0) header[HEADER.entryCount]! += 1;
    if (before === 0 && !isNew) header[HEADER.tombstoneCount]! -= 1;
    if (rights === 0) {
      header[HEADER.entryCount]! -= 1;
      header[HEADER.tombstoneCount]! += 1;
    }
    header[HEADER.digestHigh]! += digestWord(high, rights) - digestWord(high, before);
    header[HEADER.digestLow]! += digestWord(low, rights) - digestWord(low, before);
    this.countChanges(1);
    if (before === 0) return 'added';
    return rights === 0 ? 'removed' : 'changed';
  }

  /** @internal Adds to the kind masks; before the first entry of a kind, so that no reader skips it. */
  addKinds(kinds: number, givenKinds: number): void {
    Atomics.or(this.header, HEADER.kindMask, kinds);
    Atomics.or(this.header, HEADER.givenKindMask, givenKinds);
  }

  /** Behind the changes themselves: whoever sees the new count must see them, too (sieve.ts). */
  private countChanges(count: number): void {
    Atomics.store(this.header, HEADER.changeCount, this.header[HEADER.changeCount]! + count);
  }

  /** @internal Counts entries that a copy has put into the buckets itself. */
  count(entryCount: number, digestHigh: number, digestLow: number): void {
    const header = this.header;
    header[HEADER.entryCount]! += entryCount;
    header[HEADER.digestHigh]! += digestHigh;
    header[HEADER.digestLow]! += digestLow;
    this.countChanges(entryCount);
  }

  /** @internal The word index of a mixed key's slot, or of the empty one where it belongs; -1 if it has no room. */
  slotOfMixed(high: number, low: number): number {
    const bucket = ((high >>> 0) * this.bucketScale) | 0;
    return findSlot(this.words, bucket, high << 7, low, this.bucketCount, this.displacementMax);
  }

  /**
   * Says that the table now holds every change up to `seq`, and that at `freshAtMs` there were no others
   * (`null`: not known). Readers see both or neither. Throws as {@link set} does.
   */
  publish(seq: number, freshAtMs: number | null): void {
    if (!this.isWriter) throw onlyReads();
    publishPosition(this.header, seq, freshAtMs);
  }

  /** The last published seq: every change up to it is visible to lookups made after this was read. */
  get seq(): number {
    return this.position.seq;
  }

  /** When the writer last knew that nothing newer existed, in ms since 1970; `null`: it never said. */
  get freshAtMs(): number | null {
    return this.position.freshAtMs;
  }

  get standing(): TableStanding {
    return STANDINGS[Atomics.load(this.header, HEADER.standing)] ?? 'abandoned';
  }

  /** @internal Only the writer knows; for others this does nothing. */
  mark(standing: TableStanding): void {
    if (this.isWriter) Atomics.store(this.header, HEADER.standing, STANDINGS.indexOf(standing));
  }

  /** Bit `tag` is set if a key of that kind was ever inserted; keys of other kinds need no lookup, nor any digest. */
  get kindMask(): number {
    return this.header[HEADER.kindMask]!;
  }

  /**
   * Bit `tag` is set if a key of that kind was ever inserted on its own. Digests that came with their clear value are
   * found by that, so only digests of these kinds need computing from a clear value at lookup.
   */
  get givenKindMask(): number {
    return this.header[HEADER.givenKindMask]!;
  }

  get entryCount(): number {
    return Atomics.load(this.header, HEADER.entryCount);
  }

  get tombstoneCount(): number {
    return Atomics.load(this.header, HEADER.tombstoneCount);
  }

  get byteLength(): number {
    return HEADER_BYTES + this.bucketCount * BUCKET_BYTES;
  }

  get seed(): bigint {
    return (BigInt(this.seedHigh >>> 0) << 32n) | BigInt(this.seedLow >>> 0);
  }

  /**
   * 16 hex digits that depend on every entry and its rights, and on nothing else: not on order, size or tombstones.
   * Kept up to date by every write. Finds accidents, not attacks. Tables of different seeds have different digests.
   */
  get stateDigest(): string {
    return digestText(Atomics.load(this.header, HEADER.digestHigh), Atomics.load(this.header, HEADER.digestLow));
  }

  /** How many changes were ever made here, modulo 2^32. */
  get changeCount(): number {
    return Atomics.load(this.header, HEADER.changeCount) >>> 0;
  }

  /** @internal The buckets as words, for copies. */
  bucketWords(): Int32Array {
    return this.words;
  }

  /** @internal Some of the buckets as bytes, for snapshots. */
  bucketBytes(start: number, byteLength: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, HEADER_BYTES + start, byteLength);
  }

  /** @internal Says what buckets that were filled as bytes hold. */
  restore(content: TableContent): void {
    const header = this.header;
    header[HEADER.kindMask] = content.kindMask;
    header[HEADER.givenKindMask] = content.givenKindMask;
    header[HEADER.entryCount] = content.entryCount;
    header[HEADER.tombstoneCount] = content.tombstoneCount;
    header[HEADER.digestHigh] = Number.parseInt(content.stateDigest.slice(0, 8), 16);
    header[HEADER.digestLow] = Number.parseInt(content.stateDigest.slice(8), 16);
    this.publish(content.seq, content.freshAtMs);
  }
}

/** @internal Throws a RangeError for a tag or rights that no entry can have. */
export function checkEntry(tag: number, rights: number): void {
  if (!(tag >= 1 && tag <= 31)) throw new RangeError('expected a tag from 1 to 31');
  if ((rights & RIGHTS_MASK) !== rights) throw new RangeError('expected rights from 0 to 127');
}

function onlyReads(): TypeError {
  return new TypeError('expected a table that this thread made, loaded or attached to as its writer');
}

function notATable(): TypeError {
  return new TypeError('expected the share of a suppression table');
}
