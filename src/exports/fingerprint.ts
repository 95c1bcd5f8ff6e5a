/**
 * Fingerprints: 64 bits that stand for one identifier that left, so that it can be told later who received it.
 *
 * A fixed function of a key, the same in every run and on every machine: HalfSipHash-1-3 of the key (suppression/mix.ts)
 * under the seed below, high word first. Of a row's identifiers these keys are kept:
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
import { mixedLow, mixKey } from '../core/suppression/index.js';
import { type Identifier, KIND_TAG } from '../core/vocabulary.js';

/** The seed of every fingerprint; part of the format. */
const SEED_LOW = 0x6f707467; // "optg"
const SEED_HIGH = 0x6c696e65; // "line"

const SHA256_TAGS = (1 << KIND_TAG.email_sha256) | (1 << KIND_TAG.phone_sha256) | (1 << KIND_TAG.ctv_sha256);
const CLEAR_TAGS = [KIND_TAG.email, KIND_TAG.phone, KIND_TAG.maid, KIND_TAG.ctv];

/** Fingerprints in a row, in memory that grows; one after another as `BigUint64Array` holds them. */
export class FingerprintList {
  #words = new Uint32Array(2048);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** HOT. Appends the fingerprint of the key at `words[at..]`. */
  addKey(words: Int32Array, at: number): void {
    if (2 * this.#count === this.#words.length) this.#grow();
    const high = mixKey(
      words[at]!,
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      SEED_LOW,
      SEED_HIGH,
    );
    this.#words[2 * this.#count] = mixedLow[0]!; // little-endian, as the snapshot files and every machine this runs on
    this.#words[2 * this.#count + 1] = high;
    this.#count++;
  }

  /** Moves what stands in `[from, to)` down to `target`. */
  move(target: number, from: number, to: number): void {
    if (target !== from) this.#words.copyWithin(2 * target, 2 * from, 2 * to);
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
    const larger = new Uint32Array(2 * this.#words.length);
    larger.set(this.#words);
    this.#words = larger;
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
export function fingerprintsOf(identifier: Identifier): BigUint64Array {
  const list = new FingerprintList();
  scratch.count = 0;
  if (appendIdentifier(scratch, identifier) === 'ok') {
    for (let index = 0; index < scratch.count; index++) list.addKey(scratch.words, index * KEY_WORDS);
  }
  return list.take();
}
