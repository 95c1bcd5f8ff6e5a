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
import { createKeyList, KEYS_PER_IDENTIFIER_MAX, type KeyOutcome } from '../core/identity/index.js';
import type { SuppressionTable } from '../core/suppression/index.js';
import { KIND_TAG } from '../core/vocabulary.js';
import { addFingerprints, FingerprintList } from './fingerprint.js';
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
  readonly #fingerprintsFrom = new Int32Array(BATCH_ROWS_MAX + 1);
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
    this.#wantedTags = wantedTagsOf(table);
  }

  /** HOT. */
  startRow(): void {
    const row = this.rowCount;
    this.#isIdentified[row] = 0;
    this.#hitKinds[row] = 0;
    this.#fingerprintsFrom[row] = this.fingerprints.count;
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
    this.#isIdentified[this.rowCount] = 0;
    this.#hitKinds[this.rowCount] = 0;
    // keys that wait to be looked up belong to nobody
    for (let index = this.#keys.count - 1; index >= 0 && this.#rowOfKey[index] === this.rowCount; index--) {
      this.#bitOfKey[index] = 0;
    }
    this.fingerprints.truncate(this.#fingerprintsFrom[this.rowCount] ?? 0);
  }

  /** HOT. True when the batch is full. */
  endRow(): boolean {
    this.rowCount++;
    this.#fingerprintsFrom[this.rowCount] = this.fingerprints.count;
    return this.rowCount === BATCH_ROWS_MAX;
  }

  /** HOT. Looks up what is left; the rows of the batch can be asked for then. */
  settle(): void {
    this.#lookUp();
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

  /** Drops the fingerprints of rows that do not leave: all but those for which `leaves` is 1. */
  keepFingerprints(leaves: Uint8Array, base: number): number {
    let target = base;
    for (let row = 0; row < this.rowCount; row++) {
      if (leaves[row] !== 1) continue;
      const from = this.#fingerprintsFrom[row]!;
      const to = this.#fingerprintsFrom[row + 1]!;
      this.fingerprints.move(target, from, to);
      target += to - from;
    }
    return target;
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
    if (outcome === 'ok') this.#isIdentified[this.rowCount] = 1;
    const bit = this.#kindBits[place]!;
    for (let index = before; index < this.#keys.count; index++) {
      this.#rowOfKey[index] = this.rowCount;
      this.#bitOfKey[index] = bit;
    }
  }

  #fingerprint({ place }: KeyMaker, bytes: Uint8Array, from: number, to: number): void {
    addFingerprints(this.fingerprints, { kind: place.kind, value: textAt(bytes, from, to) });
  }

  /** HOT. */
  #lookUp(): void {
    const keys = this.#keys;
    const table = this.#table;
    if (table === null) throw new TypeError('expected a table: call use() first');
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

/**
 * The digests to be made of clear values: of every kind that was given by itself. Spellings of one e-mail address or phone
 * number meet in their digests, but whoever opted out with a clear value is in the table under every kind of digest, so
 * that one kind will do for those.
 */
function wantedTagsOf({ kindMask, givenKindMask }: SuppressionTable): number {
  let wanted = kindMask & givenKindMask;
  for (const tags of [EMAIL_DIGESTS, PHONE_DIGESTS]) {
    if (tags.some((tag) => (wanted & (1 << tag)) !== 0)) continue;
    const derived = tags.find((tag) => (kindMask & (1 << tag)) !== 0);
    if (derived !== undefined) wanted |= 1 << derived;
  }
  return wanted;
}
