/**
 * The keys of one entry: mixed with the ledger's seed, in the order they are locked in, each once.
 *
 * Two identifiers of an entry may share a key: a clear address and a digest of it, or texts made to collide. The key
 * then has one row and two holders.
 *
 * What must stay true: only mixed keys leave this file; and the order is that of the signed 64-bit numbers the database
 * holds, so that two transactions never wait for each other.
 * @module
 */
import { KEY_WORDS, type KeyList } from '../core/identity/index.js';
import { ENTRY_CHANGES_MAX, mintHigh, mintLow, mixedLow, mixKey } from '../core/suppression/index.js';
import { IDENTITY_BYTES } from './identity.js';

/** Mixes keys with the ledger's seed, where speed does not matter. */
export class KeyMixer {
  readonly #seedLow: number;
  readonly #seedHigh: number;

  /** @param seed Of the ledger, 64 bits, signed or not. */
  constructor(seed: bigint) {
    this.#seedLow = Number(BigInt.asIntN(32, seed));
    this.#seedHigh = Number(BigInt.asIntN(32, seed >> 32n));
  }

  /** The number the database holds for a key. */
  keyOf(tag: number, w0: number, w1: number, w2: number, w3: number): bigint {
    const high = mixKey(tag, w0, w1, w2, w3, this.#seedLow, this.#seedHigh);
    return sqlKey(mintHigh(high), mintLow(mixedLow[0] ?? 0));
  }

  /** The numbers for all keys of a list. */
  keysOf({ words, count }: Pick<KeyList, 'words' | 'count'>): readonly bigint[] {
    return Array.from({ length: count }, (_, index) => {
      const [tag = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words.subarray(index * KEY_WORDS, (index + 1) * KEY_WORDS);
      return this.keyOf(tag, w0, w1, w2, w3);
    });
  }
}

/** A holder of a key besides the one in the key's row. */
export interface FurtherHolder {
  /** Index of the key. */
  readonly key: number;
  /** Index of the identifier. */
  readonly owner: number;
  readonly rights: number;
}

/**
 * Identifiers of one entry with their keys. Filled with {@link add}, put in order with {@link sort}; only then do the
 * arrays mean anything. Used again after {@link reset}.
 */
export class KeyBatch {
  /** Keys after {@link sort}: the first `count` of each array. */
  count = 0;
  readonly high: Int32Array;
  readonly low: Int32Array;
  readonly tag: Uint8Array;
  /** 1: every identifier that brought the key brought it as a digest of its clear value. */
  readonly derived: Uint8Array;
  /** Rights of all its holders in this batch together. */
  readonly rights: Uint8Array;
  /** The first holder: index of the identifier, and its rights. */
  readonly owner: Int32Array;
  readonly ownerRights: Uint8Array;
  readonly furtherHolders: FurtherHolder[] = [];

  /** The identities of the identifiers, 16 bytes each. */
  readonly identities: Buffer;
  identifierCount = 0;

  /** Keys as they were added. */
  #addedCount = 0;
  #ownKey = 0;
  readonly #addedHigh: Int32Array;
  readonly #addedLow: Int32Array;
  readonly #addedTag: Uint8Array;
  readonly #addedDerived: Uint8Array;
  readonly #addedRights: Uint8Array;
  readonly #addedOwner: Int32Array;
  readonly #order: Float64Array;
  readonly #keyCountMax: number;
  readonly #seedLow: number;
  readonly #seedHigh: number;

  /**
   * @param seed Of the ledger, 64 bits, signed or not.
   * @param keyCountMax Room, repeated keys included; as many as an entry can have unless told.
   */
  constructor(seed: bigint, keyCountMax = ENTRY_CHANGES_MAX) {
    if (!(keyCountMax >= 0 && keyCountMax <= ENTRY_CHANGES_MAX)) {
      throw new RangeError(`expected room for at most ${ENTRY_CHANGES_MAX} keys, got ${keyCountMax}`);
    }
    this.#seedLow = Number(BigInt.asIntN(32, seed));
    this.#seedHigh = Number(BigInt.asIntN(32, seed >> 32n));
    this.#keyCountMax = keyCountMax;
    this.identities = Buffer.alloc(keyCountMax * IDENTITY_BYTES);
    const words = () => new Int32Array(keyCountMax);
    const bytes = () => new Uint8Array(keyCountMax);
    [this.high, this.low, this.owner] = [words(), words(), words()];
    [this.tag, this.derived, this.rights, this.ownerRights] = [bytes(), bytes(), bytes(), bytes()];
    [this.#addedHigh, this.#addedLow, this.#addedOwner] = [words(), words(), words()];
    [this.#addedTag, this.#addedDerived, this.#addedRights] = [bytes(), bytes(), bytes()];
    this.#order = new Float64Array(keyCountMax);
  }

  reset(): void {
    this.count = 0;
    this.identifierCount = 0;
    this.#addedCount = 0;
    this.furtherHolders.length = 0;
  }

  /** Keys added, repeated ones included. */
  get addedCount(): number {
    return this.#addedCount;
  }

  hasRoomFor(keyCount: number): boolean {
    return this.#addedCount + keyCount <= this.#keyCountMax;
  }

  /** Adds an identifier; all keys after the first are derived. The caller has asked {@link hasRoomFor}. */
  add(keys: Pick<KeyList, 'words' | 'count'>, identity: Uint8Array, rights: number): void {
    if (!this.hasRoomFor(keys.count)) throw new RangeError('expected room for the keys');
    const owner = this.identifierCount++;
    this.#ownKey = this.#addedCount;
    this.identities.set(identity, owner * IDENTITY_BYTES);
    for (let index = 0; index < keys.count; index++) this.#addKey(keys.words, index, owner, rights);
  }

  /** The words of the first key of the identifier that was added last, mixed. */
  get ownHigh(): number {
    return this.#addedHigh[this.#ownKey] ?? 0;
  }

  get ownLow(): number {
    return this.#addedLow[this.#ownKey] ?? 0;
  }

  /** HOT. Mixes one key of a list. */
  #addKey(words: Int32Array, index: number, owner: number, rights: number): void {
    const at = index * KEY_WORDS;
    const tag = words[at]!;
    const high = mixKey(
      tag,
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      this.#seedLow,
      this.#seedHigh,
    );
    const added = this.#addedCount++;
    this.#addedHigh[added] = mintHigh(high);
    this.#addedLow[added] = mintLow(mixedLow[0]!);
    this.#addedTag[added] = tag;
    this.#addedDerived[added] = index === 0 ? 0 : 1;
    this.#addedRights[added] = rights;
    this.#addedOwner[added] = owner;
  }

  /** Puts the keys in order, each once, with its holders. */
  sort(): void {
    const order = this.#sortedOrder();
    let last = -1;
    for (const entry of order) last = this.#place(entry & (ENTRY_CHANGES_MAX - 1), last);
    this.count = last + 1;
  }

  /**
   * HOT. The added keys in order: each number holds the high word and, in its lowest 12 bits, the index. Sorting
   * numbers natively takes a fifth of the time a comparing function takes; equal high words are put right after it.
   */
  #sortedOrder(): Float64Array {
    const order = this.#order.subarray(0, this.#addedCount);
    const high = this.#addedHigh;
    const low = this.#addedLow;
    for (let added = 0; added < order.length; added++) order[added] = high[added]! * ENTRY_CHANGES_MAX + added;
    order.sort();
    for (let place = 1; place < order.length; place++) {
      const moved = order[place]!;
      const index = moved & (ENTRY_CHANGES_MAX - 1);
      let to = place;
      for (; to > 0; to--) {
        const before = order[to - 1]! & (ENTRY_CHANGES_MAX - 1);
        if (high[before] !== high[index] || low[before]! >>> 0 <= low[index]! >>> 0) break;
        order[to] = order[to - 1]!;
      }
      order[to] = moved;
    }
    return order;
  }

  /** Puts an added key after the last one placed, or joins it with that; returns the last one placed. */
  #place(added: number, last: number): number {
    const rights = this.#addedRights[added] ?? 0;
    const owner = this.#addedOwner[added] ?? 0;
    const isNew = last < 0 || this.high[last] !== this.#addedHigh[added] || this.low[last] !== this.#addedLow[added];
    if (!isNew) {
      this.derived[last] = (this.derived[last] ?? 0) & (this.#addedDerived[added] ?? 0);
      this.rights[last] = (this.rights[last] ?? 0) | rights;
      this.#join(last, owner, rights);
      return last;
    }
    const place = last + 1;
    this.high[place] = this.#addedHigh[added] ?? 0;
    this.low[place] = this.#addedLow[added] ?? 0;
    this.tag[place] = this.#addedTag[added] ?? 0;
    this.derived[place] = this.#addedDerived[added] ?? 0;
    this.rights[place] = rights;
    this.owner[place] = owner;
    this.ownerRights[place] = rights;
    return place;
  }

  /** Adds a holder to a key that has one. */
  #join(key: number, owner: number, rights: number): void {
    if (this.#isSamePerson(this.owner[key] ?? 0, owner)) {
      this.ownerRights[key] = (this.ownerRights[key] ?? 0) | rights;
      return;
    }
    for (let index = this.furtherHolders.length - 1; index >= 0; index--) {
      const holder = this.furtherHolders[index];
      if (holder?.key !== key) break;
      if (!this.#isSamePerson(holder.owner, owner)) continue;
      this.furtherHolders[index] = { key, owner: holder.owner, rights: holder.rights | rights };
      return;
    }
    this.furtherHolders.push({ key, owner, rights });
  }

  #isSamePerson(owner: number, other: number): boolean {
    return owner === other || this.identityOf(owner).equals(this.identityOf(other));
  }

  /** The identity of an identifier, not copied. */
  identityOf(owner: number): Buffer {
    return this.identities.subarray(owner * IDENTITY_BYTES, (owner + 1) * IDENTITY_BYTES);
  }

  /** The numbers the database holds for all keys, in order. */
  sqlKeys(): readonly bigint[] {
    return Array.from({ length: this.count }, (_, key) => this.sqlKey(key));
  }

  /** The number the database holds for a key. */
  sqlKey(key: number): bigint {
    return sqlKey(this.high[key] ?? 0, this.low[key] ?? 0);
  }
}

/** The signed 64-bit number the database holds for a mixed key. */
export function sqlKey(high: number, low: number): bigint {
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
}

/** The high word of a key in the database, signed. */
export function highOfSqlKey(key: bigint): number {
  return Number(key >> 32n) | 0;
}

/** The low word of a key in the database, signed. */
export function lowOfSqlKey(key: bigint): number {
  return Number(BigInt.asIntN(32, key));
}
