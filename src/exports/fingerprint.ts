/**
 * Fingerprints: 64 bits that stand for one identifier that left, so that it can be told later who received it.
 *
 * The key as the suppression set holds it: mixed with the seed of the table (suppression/mix.ts), high word first. A ledger has
 * one seed for life, so it finds what it holds of an opt-out in the index of any run, eids and accounts among it; and an index
 * tells nobody anything who has not the seed. Of a row's identifiers these keys are kept:
 *
 * | identifier       | keys                                                                |
 * | ---------------- | ------------------------------------------------------------------- |
 * | e-mail, phone    | the SHA-256 of every form that some dialect hashes (normalize.ts)   |
 * | MAID             | the SHA-256 of its DROP form: 32 hexadecimal digits in lower case   |
 * | CTV id           | the SHA-256 of its DROP form                                        |
 * | digest, eid, account | its own                                                         |
 *
 * Whoever looks for a clear value asks for all of its keys ({@link fingerprintsOf}), and finds it however it was sent.
 * @module
 */
import { hash } from 'node:crypto';
import {
  appendIdentifier,
  createKeyList,
  KEY_WORDS,
  KEYS_PER_IDENTIFIER_MAX,
  type KeyList,
} from '../core/identity/index.js';
import { appendDigestBytes } from '../core/identity/key.js';
import { mintHigh, mintLow, mixedLow, mixKey } from '../core/suppression/index.js';
import { type Identifier, KIND_TAG } from '../core/vocabulary.js';

const SHA256_TAGS = (1 << KIND_TAG.email_sha256) | (1 << KIND_TAG.phone_sha256) | (1 << KIND_TAG.ctv_sha256);
const CLEAR_TAGS = [KIND_TAG.email, KIND_TAG.phone, KIND_TAG.maid, KIND_TAG.ctv];

/** Fingerprints in a row, in memory that grows; one after another as `BigUint64Array` holds them. */
export class FingerprintList {
  /** Whose fingerprints are added from now on, as a number of the caller's. */
  row = 0;
  #words = new Uint32Array(2048);
  #rows = new Uint16Array(1024);
  #count = 0;
  #seedLow = 0;
  #seedHigh = 0;

  /** What fingerprints are made with from now on: the seed of the table. */
  useSeed(seed: bigint): void {
    this.#seedLow = Number(BigInt.asIntN(32, seed));
    this.#seedHigh = Number(BigInt.asIntN(32, seed >> 32n));
  }

  get count(): number {
    return this.#count;
  }

  /** HOT. Appends the fingerprint of the key at `words[at..]`. */
  addKey(words: Int32Array, at: number): void {
    const high = mixKey(
      words[at]!,
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      this.#seedLow,
      this.#seedHigh,
    );
    this.addMixed(mintHigh(high), mintLow(mixedLow[0]!));
  }

  /** HOT. Appends the fingerprint of a key that was mixed with the seed, and minted. */
  addMixed(high: number, low: number): void {
    if (this.#count === this.#rows.length) this.#grow();
    this.#words[2 * this.#count] = low; // little-endian, as the snapshot files and every machine this runs on
    this.#words[2 * this.#count + 1] = high;
    this.#rows[this.#count] = this.row;
    this.#count++;
  }

  /** HOT. From the one at `from` on, keeps those of rows for which `leaves` is 1. */
  keepRows(leaves: Uint8Array, from: number): void {
    const words = this.#words;
    let target = from;
    for (let index = from; index < this.#count; index++) {
      if (leaves[this.#rows[index]!] !== 1) continue;
      words[2 * target] = words[2 * index]!;
      words[2 * target + 1] = words[2 * index + 1]!;
      target++;
    }
    this.#count = target;
  }

  truncate(count: number): void {
    this.#count = count;
  }

  /** All of them, as memory of their own; begins anew. */
  take(): BigUint64Array {
    const taken = new BigUint64Array(this.#words.slice(0, 2 * this.#count).buffer);
    this.#count = 0;
    return taken;
  }

  #grow(): void {
    const words = new Uint32Array(2 * this.#words.length);
    words.set(this.#words);
    this.#words = words;
    const rows = new Uint16Array(2 * this.#rows.length);
    rows.set(this.#rows);
    this.#rows = rows;
  }
}

const scratch = createKeyList(KEYS_PER_IDENTIFIER_MAX);

/** Appends the fingerprints of an identifier that leaves. Of one that is none, nothing. */
export function addFingerprints(list: FingerprintList, identifier: Identifier): void {
  scratch.count = 0;
  if (appendIdentifier(scratch, identifier, { wantedTags: SHA256_TAGS }) !== 'ok') return;
  const own = scratch.words[0]!;
  const isClear = CLEAR_TAGS.includes(own);
  if (own === KIND_TAG.maid) appendMaidDigest(scratch);
  const keyCount = own === KIND_TAG.ctv ? 2 : scratch.count; // the second form of a CTV id is nobody's dialect
  for (let index = isClear ? 1 : 0; index < keyCount; index++) list.addKey(scratch.words, index * KEY_WORDS);
}

function appendMaidDigest(list: KeyList): void {
  let digits = '';
  for (let word = 1; word <= 4; word++) digits += (list.words[word]! >>> 0).toString(16).padStart(8, '0');
  appendDigestBytes(list, KIND_TAG.maid_sha256, hash('sha256', digits, 'binary'));
}

/** Every fingerprint that an identifier may have been sent under. Empty for one that names nobody or is none. */
export function fingerprintsOf(identifier: Identifier, seed: bigint): BigUint64Array {
  const list = new FingerprintList();
  list.useSeed(seed);
  scratch.count = 0;
  if (appendIdentifier(scratch, identifier) === 'ok') {
    for (let index = 0; index < scratch.count; index++) list.addKey(scratch.words, index * KEY_WORDS);
  }
  return list.take();
}
