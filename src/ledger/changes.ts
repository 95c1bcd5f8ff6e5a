/**
 * What an entry does to its keys: planned here, without a database, from what the locked rows hold.
 *
 * Rights of a key are the union over its holders. An opt-out adds to what one holder has; an opt-in takes from some
 * holders and leaves the others alone. The version of a key goes up if, and only if, its rights change. The entry names
 * the keys whose rows it writes, with their state after it: those that change, and those that order.ts asks for.
 * @module
 */
import { CHANGE_BYTES, CHANGE_DERIVED, digestWord } from '../core/suppression/index.js';
import { type FurtherHolder, highOfSqlKey, type KeyBatch, lowOfSqlKey } from './keys.js';

/** A key's row as it is, locked. */
export interface HeldKey {
  readonly key: bigint;
  readonly tag: number;
  readonly version: number;
  readonly rights: number;
  /** The last entry that names the key. */
  readonly lastEntry: string;
  /** The holder in the row, 32 hexadecimal digits; it holds nothing if its rights are 0. */
  readonly identity: string;
  readonly identityRights: number;
  readonly isDerived: boolean;
}

/** A key's row as it shall be, named by the entry. */
export interface KeyUpdate extends HeldKey {
  /** Rights before this entry. */
  readonly rightsBefore: number;
  /** The holder in the row has rights that this entry gave. */
  readonly isHolderNew: boolean;
}

/** A holder of a key besides the one in the key's row. */
export interface Holder {
  readonly key: bigint;
  readonly identity: string;
  readonly rights: number;
}

/** What an entry adds to the figures of the whole state. */
export interface EntryTotals {
  /** Sums of digestWord, modulo 2^32. */
  digestHigh: number;
  digestLow: number;
  /** Keys that got rights, less those that lost all. */
  entryCount: number;
  kindMask: number;
  givenKindMask: number;
}

export interface Plan {
  /** Records of the entry, 20 bytes for each key it names, in the order of the keys. */
  readonly records: Uint8Array;
  readonly totals: EntryTotals;
  readonly updates: readonly KeyUpdate[];
  /** Further holders: of an opt-out, the rights to add; of an opt-in, those that are left. */
  readonly holders: readonly Holder[];
}

export interface OptOutPlan extends Plan {
  /** Indexes of keys that have no row yet. */
  readonly inserts: readonly number[];
}

/**
 * Plans an opt-out.
 * @param held The locked rows, by key; what is not there has no row yet.
 * @param ahead Entries that come later in the log (order.ts): what they name is named again.
 */
export function planOptOut(
  batch: KeyBatch,
  held: ReadonlyMap<bigint, HeldKey>,
  ahead: ReadonlySet<string>,
): OptOutPlan {
  const entry = new EntryWriter(batch.count);
  const inserts: number[] = [];
  const updates: KeyUpdate[] = [];
  const holders: Holder[] = [];
  for (let index = 0; index < batch.count; index++) {
    const row = held.size === 0 ? undefined : held.get(batch.sqlKey(index));
    if (row === undefined) {
      inserts.push(index);
      entry.addNew(batch, index);
      continue;
    }
    const update = addRights(batch, index, row);
    if (isDifferent(row, update) || ahead.has(row.lastEntry)) {
      entry.add(update);
      updates.push(update);
    }
    const owner = batch.identityOf(batch.owner[index] ?? 0).toString('hex');
    if (update.identity !== owner)
      holders.push({ key: row.key, identity: owner, rights: batch.ownerRights[index] ?? 0 });
  }
  for (const holder of batch.furtherHolders) holders.push(holderOf(batch, holder));
  return { records: entry.records, totals: entry.totals, inserts, updates, holders };
}

/** A row with what the batch adds: the holder in the row is the batch's own, or is left as it is. */
function addRights(batch: KeyBatch, index: number, row: HeldKey): KeyUpdate {
  const rights = row.rights | (batch.rights[index] ?? 0);
  const isChanged = rights !== row.rights;
  const owner = batch.identityOf(batch.owner[index] ?? 0).toString('hex');
  const isFree = row.identityRights === 0;
  const isOwn = isFree || row.identity === owner;
  const identityRights = isOwn ? row.identityRights | (batch.ownerRights[index] ?? 0) : row.identityRights;
  return {
    ...row,
    version: isChanged ? row.version + 1 : row.version,
    rights,
    rightsBefore: row.rights,
    identity: isFree ? owner : row.identity,
    identityRights,
    isDerived: row.isDerived && batch.derived[index] === 1,
    isHolderNew: isOwn && identityRights !== row.identityRights,
  };
}

function holderOf(batch: KeyBatch, { key, owner, rights }: FurtherHolder): Holder {
  return { key: batch.sqlKey(key), identity: batch.identityOf(owner).toString('hex'), rights };
}

function isDifferent(row: HeldKey, update: KeyUpdate): boolean {
  return update.rights !== row.rights || update.isHolderNew || update.isDerived !== row.isDerived;
}

/**
 * Plans an opt-in: takes rights from the given identities, on the given rows, and from nobody else.
 * @param held The locked rows; keys without a row have nothing to take.
 * @param further The further holders of these rows.
 * @param identities Whose rights end, 32 hexadecimal digits each.
 * @param rights Which.
 * @param ahead As for {@link planOptOut}.
 */
export function planOptIn(
  held: readonly HeldKey[],
  further: readonly Holder[],
  identities: ReadonlySet<string>,
  rights: number,
  ahead: ReadonlySet<string>,
): Plan & { readonly remaining: number } {
  return planWithdrawal(held, further, (identity) => (identities.has(identity) ? rights : 0), ahead);
}

/** The same, where the rights that end are another set for each identity. @param taken Which, of an identity. */
export function planWithdrawal(
  held: readonly HeldKey[],
  further: readonly Holder[],
  taken: (identity: string) => number,
  ahead: ReadonlySet<string>,
): Plan & { readonly remaining: number } {
  const entry = new EntryWriter(held.length);
  const updates: KeyUpdate[] = [];
  const holders: Holder[] = [];
  const furtherRights = new Map<bigint, number>();
  for (const holder of further) {
    const left = holder.rights & ~taken(holder.identity);
    if (left !== holder.rights) holders.push({ ...holder, rights: left });
    furtherRights.set(holder.key, (furtherRights.get(holder.key) ?? 0) | left);
  }
  let remaining = 0;
  for (const row of held) {
    const identityRights = row.identityRights & ~taken(row.identity);
    const rightsAfter = identityRights | (furtherRights.get(row.key) ?? 0);
    const isChanged = rightsAfter !== row.rights;
    const update: KeyUpdate = {
      ...row,
      version: isChanged ? row.version + 1 : row.version,
      rights: rightsAfter,
      rightsBefore: row.rights,
      identityRights,
      // what is left may have lost the clear value it was derived from, and must then be found on its own
      isDerived: row.isDerived && rightsAfter === 0,
      isHolderNew: false,
    };
    remaining |= rightsAfter;
    const isSame = !isChanged && identityRights === row.identityRights && update.isDerived === row.isDerived;
    if (isSame && !ahead.has(row.lastEntry)) continue;
    entry.add(update);
    updates.push(update);
  }
  return { records: entry.records, totals: entry.totals, updates, holders, remaining };
}

/** Writes the records of an entry and sums up what it adds. */
export class EntryWriter {
  readonly totals: EntryTotals = { digestHigh: 0, digestLow: 0, entryCount: 0, kindMask: 0, givenKindMask: 0 };
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param keyCount Most keys it will name. */
  constructor(keyCount: number) {
    this.#bytes = new Uint8Array(keyCount * CHANGE_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get records(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A key that has no row yet. */
  addNew(batch: KeyBatch, index: number): void {
    const high = batch.high[index] ?? 0;
    const low = batch.low[index] ?? 0;
    const rights = batch.rights[index] ?? 0;
    this.#write(high, low, 1, batch.tag[index] ?? 0, 0, rights, batch.derived[index] ?? 0);
    sumChange(this.totals, high, low, 0, rights);
  }

  /** A key whose row was read. */
  add({ key, version, tag, rightsBefore, rights, isDerived }: KeyUpdate): void {
    const high = highOfSqlKey(key);
    const low = lowOfSqlKey(key);
    this.#write(high, low, version, tag, rightsBefore, rights, isDerived ? CHANGE_DERIVED : 0);
    sumChange(this.totals, high, low, rightsBefore, rights);
  }

  /** HOT. One record (core/suppression/change.ts), and its kind. */
  #write(
    high: number,
    low: number,
    version: number,
    tag: number,
    rightsBefore: number,
    rights: number,
    flags: number,
  ): void {
    const view = this.#view;
    const at = this.#at;
    view.setInt32(at, high, true);
    view.setInt32(at + 4, low, true);
    view.setUint32(at + 8, version, true);
    view.setUint32(at + 12, version / 2 ** 32, true);
    view.setUint8(at + 16, tag);
    view.setUint8(at + 17, rightsBefore);
    view.setUint8(at + 18, rights);
    view.setUint8(at + 19, flags);
    this.#at = at + CHANGE_BYTES;
    if (rights === 0) return;
    this.totals.kindMask |= 1 << tag;
    if (flags === 0) this.totals.givenKindMask |= 1 << tag;
  }
}

/** Adds to the figures what a key adds whose rights change. */
export function sumChange(totals: EntryTotals, high: number, low: number, before: number, after: number): void {
  totals.digestHigh = (totals.digestHigh + digestWord(high, after) - digestWord(high, before)) >>> 0;
  totals.digestLow = (totals.digestLow + digestWord(low, after) - digestWord(low, before)) >>> 0;
  totals.entryCount += Number(after !== 0) - Number(before !== 0);
}
