/**
 * Judges rows by their identifiers: suppressed, clear, or not identifiable.
 *
 * A scanner says which identifiers a row has; their keys are looked up for many rows at once, so that the waits for memory
 * overlap. Any suppressed identifier suppresses its row. A clear value is looked up under its own key and under its
 * digests in every dialect, as the gate does.
 *
 * What must stay true: every identifier of a row is looked up before the row is decided on, however many there are.
 * @module
 */
import {
  appendEmailAt,
  EMAIL_FORMS,
  EMAIL_FORMS_MAX,
  emailForm,
  emailFormBytes,
} from '../core/identity/email-bytes.js';
import { createKeyList, KEYS_PER_IDENTIFIER_MAX, type KeyOutcome } from '../core/identity/index.js';
import type { SuppressionTable } from '../core/suppression/index.js';
import { KIND_TAG } from '../core/vocabulary.js';
import { unquoted } from './csv/quoted.js';
import { addFingerprints, FingerprintList } from './fingerprint.js';
import { MESSAGE_TEXT_MAX, MESSAGES_MAX, type RowKernel } from './kernel/row-kernel.js';
import { BATCH_KEYS_MAX, BATCH_ROWS_MAX } from './limits.js';
import { type ColumnMapping, kindsOf } from './mapping.js';
import { appendKeysAt, appendTextKeys, type KeyMaker, keyMakerOf, textAt } from './row-keys.js';

/** What is known of a row, as a number that an array can hold. */
export const CLEAR = 0;
export const SUPPRESSED = 1;
export const UNIDENTIFIABLE = 2;

/** The cheapest first. */
const EMAIL_DIGESTS = [KIND_TAG.email_md5, KIND_TAG.email_sha1, KIND_TAG.email_sha256] as const;
const PHONE_DIGESTS = [KIND_TAG.phone_sha256, KIND_TAG.phone_sha1] as const;

const SHA256_OF_EMAIL = 1 << KIND_TAG.email_sha256;

export interface JudgeOptions {
  readonly mapping: ColumnMapping;
  /** Rights that keep a row back; from {@link exportTerms}. */
  readonly rightsMask: number;
  readonly wantsFingerprints: boolean;
}

/**
 * For a batch of rows: {@link startRow}, its identifiers, {@link endRow}, until that is full; {@link settle}, then ask for
 * each row; {@link clear}.
 */
export class RowJudge {
  readonly kinds: readonly string[];
  readonly fingerprints = new FingerprintList();
  rowCount = 0;
  /** The row that was started, or resumed. */
  row = 0;
  readonly #makers: readonly KeyMaker[];
  /** By place of the mapping: the bit of its kind. */
  readonly #kindBits: Int32Array;
  readonly #rightsMask: number;
  readonly #wantsFingerprints: boolean;
  readonly #keys = createKeyList(BATCH_KEYS_MAX);
  readonly #rights = new Uint8Array(BATCH_KEYS_MAX);
  readonly #rowOfKey = new Uint16Array(BATCH_KEYS_MAX);
  readonly #bitOfKey = new Int32Array(BATCH_KEYS_MAX);
  readonly #isIdentified = new Uint8Array(BATCH_ROWS_MAX + 1);
  readonly #hitKinds = new Int32Array(BATCH_ROWS_MAX + 1);
  /** Fingerprints before the row that was started. */
  #fingerprintCount = 0;
  #seedLow = 0;
  #seedHigh = 0;
  readonly #messageRow = new Int32Array(MESSAGES_MAX);
  #table: SuppressionTable | null = null;
  #wantedTags = 0;

  constructor({ mapping, rightsMask, wantsFingerprints }: JudgeOptions) {
    this.kinds = kindsOf(mapping);
    this.#makers = mapping.map(keyMakerOf);
    this.#kindBits = Int32Array.from(mapping, ({ kind }) => 1 << this.kinds.indexOf(kind));
    this.#rightsMask = rightsMask;
    this.#wantsFingerprints = wantsFingerprints;
  }

  /** Judges by this table from now on. Call it anew for every block, since tables are replaced and get new kinds. */
  use(table: SuppressionTable): void {
    this.#table = table;
    this.fingerprints.useSeed(table.seed);
    this.#seedLow = Number(BigInt.asIntN(32, table.seed));
    this.#seedHigh = Number(BigInt.asIntN(32, table.seed >> 32n));
    this.#wantedTags = wantedTagsOf(table, this.#wantsFingerprints);
  }

  /** HOT. */
  startRow(): void {
    const row = this.rowCount;
    this.resumeRow(row);
    this.#isIdentified[row] = 0;
    this.#hitKinds[row] = 0;
  }

  /** HOT. Starts the rows of a batch that a kernel has read, all at once; {@link addColumn} follows, then {@link settle}. */
  startRows(rowCount: number): void {
    this.rowCount = rowCount;
    this.#isIdentified.fill(0, 0, rowCount);
    this.#hitKinds.fill(0, 0, rowCount);
  }

  /** HOT. What is added from now on are identifiers of this one of those rows. */
  resumeRow(row: number): void {
    this.#beginAt(row);
    this.#fingerprintCount = this.fingerprints.count;
  }

  /** HOT. The identifiers of those rows in one column of the kernel, at a place of the mapping. `bytes` is the block. */
  addColumn(place: number, kernel: RowKernel, column: number, bytes: Uint8Array): void {
    const maker = this.#makers[place]!;
    if (maker.place.base === 'email') this.#addEmails(place, kernel, column, bytes);
    else if (maker.hexDigits >= 0 && (maker.digestTags & this.#wantedTags) === 0) {
      this.#addHexKeys(place, kernel, column, bytes);
    } else for (let row = 0; row < this.rowCount; row++) this.#addCell(place, kernel, column, row, bytes);
  }

  /** HOT. An identifier of the row that was started: the bytes of a value at a place of the mapping. */
  addBytes(place: number, bytes: Uint8Array, from: number, to: number): void {
    const before = this.#room();
    const maker = this.#makers[place]!;
    this.#note(place, before, appendKeysAt(this.#keys, maker, bytes, from, to, this.#wantedTags));
    if (this.#wantsFingerprints) this.#fingerprint(maker, bytes, from, to);
  }

  /** The same for a value that is text already. */
  addText(place: number, text: string): void {
    const before = this.#room();
    const maker = this.#makers[place]!;
    this.#note(place, before, appendTextKeys(this.#keys, maker.place, text, this.#wantedTags));
    if (this.#wantsFingerprints) addFingerprints(this.fingerprints, { kind: maker.place.kind, value: text });
  }

  /** The row that was started cannot be read: it has no identifiers. */
  spoilRow(): void {
    this.#isIdentified[this.row] = 0;
    this.#hitKinds[this.row] = 0;
    // keys that wait to be looked up belong to nobody
    for (let index = this.#keys.count - 1; index >= 0 && this.#rowOfKey[index] === this.row; index--) {
      this.#bitOfKey[index] = 0;
    }
    this.fingerprints.truncate(this.#fingerprintCount);
  }

  /** HOT. True when the batch is full. */
  endRow(): boolean {
    this.rowCount++;
    return this.rowCount === BATCH_ROWS_MAX;
  }

  /** HOT. Looks up what is left; the rows of the batch can be asked for then. */
  settle(): void {
    this.#lookUp();
  }

  /** HOT. 1 for a row that is {@link CLEAR}, else 0, without a branch. */
  clearBit(row: number): number {
    const hit = this.#hitKinds[row]!;
    return this.#isIdentified[row]! & ~((hit | -hit) >> 31);
  }

  /** HOT. */
  verdict(row: number): number {
    if (this.#hitKinds[row] !== 0) return SUPPRESSED;
    return this.#isIdentified[row] === 1 ? CLEAR : UNIDENTIFIABLE;
  }

  /** The kinds of identifier that were found suppressed, as bits by index in `kinds`. */
  hitKinds(row: number): number {
    return this.#hitKinds[row] ?? 0;
  }

  /** Begins a new batch. */
  clear(): void {
    this.rowCount = 0;
    this.#keys.count = 0;
  }

  /** HOT. Makes sure that the keys of one more identifier fit; answers how many keys there are. */
  #room(): number {
    if (this.#keys.count > BATCH_KEYS_MAX - KEYS_PER_IDENTIFIER_MAX) this.#lookUp();
    return this.#keys.count;
  }

  /** HOT. Notes whose the keys are that were appended. */
  #note(place: number, before: number, outcome: KeyOutcome): void {
    if (outcome === 'ok') this.#isIdentified[this.row] = 1;
    const bit = this.#kindBits[place]!;
    for (let index = before; index < this.#keys.count; index++) {
      this.#rowOfKey[index] = this.row;
      this.#bitOfKey[index] = bit;
    }
  }

  /** HOT. What follows is of this row. */
  #beginAt(row: number): void {
    this.row = row;
    this.fingerprints.row = row;
  }

  /** HOT. A cell that a kernel has found, read as any other value. */
  #addCell(place: number, kernel: RowKernel, column: number, row: number, bytes: Uint8Array): void {
    const from = kernel.cellFrom(column, row);
    const to = kernel.cellTo(column, row);
    this.#beginAt(row);
    if (from >= 0) this.addBytes(place, bytes, from, to);
    else {
      const text = unquoted(bytes, from & 0x7fff_ffff, to);
      this.addBytes(place, text, 0, text.length);
    }
  }

  /** HOT. A column of UUIDs or digests. Of a digest, the key that was looked up is the fingerprint; of a UUID, its SHA-256. */
  #addHexKeys(place: number, kernel: RowKernel, column: number, bytes: Uint8Array): void {
    const { tag, hexDigits, junkWords, digestBytes } = this.#makers[place]!;
    const isHashed = this.#wantsFingerprints && digestBytes === 0;
    const keyCount = kernel.hexKeys(column, this.rowCount, hexDigits, junkWords, isHashed);
    const { keyRow, otherRow, otherCount } = kernel;
    if (keyCount === this.rowCount) this.#isIdentified.fill(1, 0, keyCount);
    else for (let key = 0; key < keyCount; key++) this.#isIdentified[keyRow[key]!] = 1;
    this.#lookUpMixed(place, tag, kernel, keyRow, keyCount, this.#wantsFingerprints && !isHashed);
    if (isHashed) {
      kernel.hashMessages(keyCount);
      kernel.mix(keyCount, KIND_TAG.maid_sha256, this.#seedLow, this.#seedHigh);
      this.#fingerprintMixed(kernel, keyRow, keyCount);
    }
    for (let index = 0; index < otherCount; index++) this.#addCell(place, kernel, column, otherRow[index]!, bytes);
  }

  /** HOT. A column of e-mail addresses, the SHA-256 of which are made together. */
  #addEmails(place: number, kernel: RowKernel, column: number, bytes: Uint8Array): void {
    const wantsSha256 = this.#wantsFingerprints || (this.#wantedTags & SHA256_OF_EMAIL) !== 0;
    const wantedTags = (this.#wantedTags & ~SHA256_OF_EMAIL) | (wantsSha256 ? EMAIL_FORMS : 0);
    let messageCount = 0;
    for (let row = 0; row < this.rowCount; row++) {
      const from = kernel.cellFrom(column, row);
      const to = kernel.cellTo(column, row);
      if (from === to) continue;
      const before = this.#room();
      const isPlain = from >= 0 && to - from <= MESSAGE_TEXT_MAX;
      const outcome = isPlain ? appendEmailAt(this.#keys, bytes, from, to, wantedTags) : null;
      if (outcome === null) {
        this.#addCell(place, kernel, column, row, bytes);
        continue;
      }
      this.row = row;
      this.#note(place, before, outcome);
      if (!wantsSha256 || outcome !== 'ok') continue;
      for (let form = 0; form < EMAIL_FORMS_MAX; form++) {
        const length = emailFormBytes(form);
        if (length === 0) continue;
        this.#messageRow[messageCount] = row;
        kernel.addMessage(messageCount++, emailForm(form), length);
      }
      if (messageCount <= MESSAGES_MAX - EMAIL_FORMS_MAX) continue;
      this.#addMessages(place, kernel, messageCount);
      messageCount = 0;
    }
    this.#addMessages(place, kernel, messageCount);
  }

  /** HOT. Looks up the SHA-256 of addresses, and keeps them as fingerprints. */
  #addMessages(place: number, kernel: RowKernel, messageCount: number): void {
    if (messageCount === 0) return;
    kernel.hashMessages(messageCount);
    const isWanted = (this.#wantedTags & SHA256_OF_EMAIL) !== 0;
    if (!isWanted) kernel.mix(messageCount, KIND_TAG.email_sha256, this.#seedLow, this.#seedHigh);
    else this.#lookUpMixed(place, KIND_TAG.email_sha256, kernel, this.#messageRow, messageCount, false);
    if (this.#wantsFingerprints) this.#fingerprintMixed(kernel, this.#messageRow, messageCount);
  }

  /** HOT. Looks up keys that a kernel has made, each of a row; keeps them as fingerprints, too, if so told. */
  #lookUpMixed(
    place: number,
    tag: number,
    kernel: RowKernel,
    rows: Int32Array,
    keyCount: number,
    areFingerprints: boolean,
  ): void {
    const table = this.#table;
    if (table === null) throw noTable();
    kernel.mix(keyCount, tag, this.#seedLow, this.#seedHigh);
    if (areFingerprints) this.#fingerprintMixed(kernel, rows, keyCount);
    if (((table.kindMask >>> tag) & 1) === 0) return;
    const rights = this.#rights;
    const rightsMask = this.#rightsMask;
    if ((table.rightsOfMixedKeys(kernel.high, kernel.low, keyCount, rights) & rightsMask) === 0) return;
    const bit = this.#kindBits[place]!;
    for (let key = 0; key < keyCount; key++) {
      this.#hitKinds[rows[key]!]! |= bit & (-(rights[key]! & rightsMask) >> 31); // without a branch: no processor could guess
    }
  }

  /** HOT. */
  #fingerprintMixed({ high, low }: RowKernel, rows: Int32Array, keyCount: number): void {
    for (let key = 0; key < keyCount; key++) {
      this.fingerprints.row = rows[key]!;
      this.fingerprints.addMixed(high[key]!, low[key]!);
    }
  }

  #fingerprint({ place }: KeyMaker, bytes: Uint8Array, from: number, to: number): void {
    addFingerprints(this.fingerprints, { kind: place.kind, value: textAt(bytes, from, to) });
  }

  /** HOT. */
  #lookUp(): void {
    const keys = this.#keys;
    const table = this.#table;
    if (table === null) throw noTable();
    if ((table.rightsOfKeys(keys, this.#rights) & this.#rightsMask) !== 0) {
      for (let index = 0; index < keys.count; index++) {
        if ((this.#rights[index]! & this.#rightsMask) !== 0) {
          this.#hitKinds[this.#rowOfKey[index]!]! |= this.#bitOfKey[index]!;
        }
      }
    }
    keys.count = 0;
  }
}

function noTable(): TypeError {
  return new TypeError('expected a table: call use() first');
}

/**
 * The digests to be made of clear values: of every kind that was given by itself. Spellings of one e-mail address or phone
 * number meet in their digests, but whoever opted out with a clear value is in the table under every kind of digest, so
 * that one kind will do for those: SHA-256 where it is made for a fingerprint anyway.
 */
function wantedTagsOf({ kindMask, givenKindMask }: SuppressionTable, wantsFingerprints: boolean): number {
  let wanted = kindMask & givenKindMask;
  for (const tags of [wantsFingerprints ? EMAIL_DIGESTS.toReversed() : EMAIL_DIGESTS, PHONE_DIGESTS]) {
    if (tags.some((tag) => (wanted & (1 << tag)) !== 0)) continue;
    const derived = tags.find((tag) => (kindMask & (1 << tag)) !== 0);
    if (derived !== undefined) wanted |= 1 << derived;
  }
  return wanted;
}
