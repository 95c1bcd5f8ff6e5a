/**
 * Suppression keys: what the table is asked for. A key is unseeded and of fixed size: the tag of a kind and four words.
 *
 * The words are the sixteen bytes of a UUID; the first sixteen bytes of a digest; or, for text without a format of its
 * own (eid ids, account ids, CTV ids, e-mail addresses), a 128-bit hash of its UTF-8 bytes (string-hash.ts). For a
 * qualified kind the hash of the qualifier is the starting state of the hash of the value, so no value can pretend to be
 * part of a qualifier.
 *
 * What must stay true: one identifier in any spelling (case of hex, hyphens, Base64, white space around it) gives one
 * key; and nothing here throws, whatever is passed in. Ids that name nobody are `absent`: empty text, all-zero UUIDs,
 * digests of all-zero bytes, and the digests of empty text and of the all-zero UUID, which careless senders share by
 * the million.
 * @module
 */
import { hash } from 'node:crypto';
import { KIND_TAG } from '../vocabulary.js';
import { ctvBytes, packCtv } from './ctv.js';
import { type DigestBytes, readDigest, readUuid } from './hex.js';
import { IDENTIFIER_LENGTH_MAX } from './limits.js';
import { qualifierState } from './qualifier.js';
import { hashText, hashUtf8 } from './string-hash.js';

/** Words of one key in a list: tag, w0, w1, w2, w3. */
export const KEY_WORDS = 5;

/** Keys in a row, reused from call to call; allocates nothing after it is made. */
export interface KeyList {
  /** Key `i` is `words[5 * i ..]`: tag, w0..w3. Only the first `count` keys mean anything. */
  readonly words: Int32Array;
  count: number;
  /** A key did not fit: the list is not the whole truth. */
  overflowed: boolean;
  readonly capacity: number;
}

/**
 * `ok`: the key is in the list. `absent`: the value names nobody. `malformed`: not a value of its kind.
 * `overflow`: the list is full, and says so.
 */
export type KeyOutcome = 'ok' | 'absent' | 'malformed' | 'overflow';

/** A list for `capacity` keys. Throws a RangeError if that is not a whole number above zero. */
export function createKeyList(capacity: number): KeyList {
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new RangeError(`expected a capacity of at least 1 key, got ${capacity}`);
  }
  // one key more than can be counted: appenders write first, and count only what turns out to be a key
  return { words: new Int32Array((capacity + 1) * KEY_WORDS), count: 0, overflowed: false, capacity };
}

/** Empties a list for the next request. */
export function resetKeyList(list: KeyList): void {
  list.count = 0;
  list.overflowed = false;
}

/** HOT. A mobile advertising id: a UUID in any case, with hyphens or without. */
export function appendMaid(list: KeyList, value: unknown): KeyOutcome {
  if (typeof value !== 'string') return outcomeOfUnread(value);
  const at = list.count * KEY_WORDS + 1;
  if (!readMaid(value, list.words, at)) return outcomeOfUnread(value);
  return isZero(list.words, at) ? 'absent' : commit(list, KIND_TAG.maid);
}

/** HOT. The id of a connected-TV device: its letters and digits, in lower case, 8 to 32 of them (DROP). */
export function appendCtv(list: KeyList, value: unknown): KeyOutcome {
  if (typeof value !== 'string') return outcomeOfUnread(value);
  const byteCount = packCtv(value);
  if (byteCount === 0) return outcomeOfUnread(value);
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, ZERO_STATE);
  hashUtf8(ctvBytes, 0, byteCount, list.words, at);
  return commit(list, KIND_TAG.ctv);
}

/** HOT. A digest of 16 (MD5), 20 (SHA-1) or 32 bytes (SHA-256), in hex of any case, Base64 or Base64url. */
export function appendDigest(list: KeyList, tag: number, digestBytes: DigestBytes, value: unknown): KeyOutcome {
  if (typeof value !== 'string') return outcomeOfUnread(value);
  const { words } = list;
  const at = list.count * KEY_WORDS + 1;
  if (!readDigest(value, digestBytes, words, at) && !readDigest(value.trim(), digestBytes, words, at)) {
    return outcomeOfUnread(value);
  }
  return isZero(words, at) || isJunkDigest(digestBytes, words, at) ? 'absent' : commit(list, tag);
}

/** HOT. An extended id: `source` in any case; `id` with its case, but without white space around it. */
export function appendEid(list: KeyList, source: unknown, id: unknown): KeyOutcome {
  return appendQualified(list, KIND_TAG.eid, source, id);
}

/** HOT. An account id in a name space of the operator's own; same rules as {@link appendEid}. */
export function appendAccount(list: KeyList, namespace: unknown, id: unknown): KeyOutcome {
  return appendQualified(list, KIND_TAG.account, namespace, id);
}

/** HOT. Text that is already in the canonical form of its kind: hashed as it is. */
export function appendText(list: KeyList, tag: number, canonical: string): KeyOutcome {
  if (canonical.length > IDENTIFIER_LENGTH_MAX) return 'malformed';
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, ZERO_STATE);
  hashText(canonical, list.words, at);
  return commit(list, tag);
}

/** HOT. A digest just computed, as the `binary` text that `crypto.hash` gives quickest: a character for each byte. */
export function appendDigestBytes(list: KeyList, tag: number, digest: string): KeyOutcome {
  const at = list.count * KEY_WORDS + 1;
  for (let i = 0; i < 4; i++) {
    list.words[at + i] =
      (digest.charCodeAt(4 * i) << 24) |
      (digest.charCodeAt(4 * i + 1) << 16) |
      (digest.charCodeAt(4 * i + 2) << 8) |
      digest.charCodeAt(4 * i + 3);
  }
  return commit(list, tag);
}

/** HOT. */
function appendQualified(list: KeyList, tag: number, qualifier: unknown, value: unknown): KeyOutcome {
  if (typeof value !== 'string') return outcomeOfUnread(value);
  const id = isTrimmed(value) ? value : value.trim();
  if (id.length === 0 || isZeroUuid(id)) return 'absent';
  if (typeof qualifier !== 'string' || id.length > IDENTIFIER_LENGTH_MAX) return 'malformed';
  const state = qualifierState(qualifier);
  if (state === null) return 'malformed';
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, state);
  hashText(id, list.words, at);
  return commit(list, tag);
}

const ZERO_STATE = new Int32Array(4);

/** HOT. Four stores; `set` and `fill` took 15 ns. */
export function writeState(words: Int32Array, at: number, state: Int32Array): void {
  words[at] = state[0]!;
  words[at + 1] = state[1]!;
  words[at + 2] = state[2]!;
  words[at + 3] = state[3]!;
}

/** HOT. Makes the words after the last key a key. */
export function commit(list: KeyList, tag: number): KeyOutcome {
  if (list.count >= list.capacity) {
    list.overflowed = true;
    return 'overflow';
  }
  list.words[list.count * KEY_WORDS] = tag;
  list.count++;
  return 'ok';
}

/** HOT. */
export function isZero(words: Int32Array, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
}

/** HOT. Certain from the first and the last character alone; any doubt is left to `trim`. */
function isTrimmed(text: string): boolean {
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return first > 0x20 && first < 0x7f && last > 0x20 && last < 0x7f;
}

const ZEROS = /^[0-]+$/;

/** HOT. The all-zero UUID, hyphens anywhere or nowhere. */
function isZeroUuid(text: string): boolean {
  return text.charCodeAt(0) === 0x30 && ZEROS.test(text) && text.replaceAll('-', '').length === 32;
}

/** HOT. The sixteen bytes of a MAID; false if it is not a UUID in any spelling. */
export function readMaid(value: string, words: Int32Array, at: number): boolean {
  return readUuid(value, words, at) || readUuid(bareMaid(value), words, at);
}

/** The hexadecimal digits of a MAID as some senders write it: white space around it, braces, hyphens elsewhere. */
function bareMaid(value: string): string {
  return value.length > IDENTIFIER_LENGTH_MAX ? '' : value.replace(/[\s{}-]+/g, '');
}

/** What a value is that could not be read: nothing, blank text or zeros name nobody; anything else is malformed. */
export function outcomeOfUnread(value: unknown): KeyOutcome {
  if (value === undefined || value === null) return 'absent';
  return typeof value === 'string' && value.length <= IDENTIFIER_LENGTH_MAX && NOBODY.test(value)
    ? 'absent'
    : 'malformed';
}

const NOBODY = /^[\s0(){}+.-]*$/;

/** Digests that name nobody: of empty text and of the all-zero UUID, without hyphens and with. Four words each. */
const JUNK_DIGESTS: Readonly<Record<DigestBytes, Int32Array>> = {
  16: junkDigests('md5', 16),
  20: junkDigests('sha1', 20),
  32: junkDigests('sha256', 32),
};

function junkDigests(algorithm: string, digestBytes: DigestBytes): Int32Array {
  const texts = ['', '0'.repeat(32), '00000000-0000-0000-0000-000000000000'];
  const words = new Int32Array(4 * texts.length);
  for (const [index, text] of texts.entries()) readDigest(hash(algorithm, text), digestBytes, words, index * 4);
  return words;
}

/** The first words of the digests for which {@link isJunkDigest}: what begins with none of them is not junk. */
export function junkFirstWords(digestBytes: DigestBytes): Int32Array {
  return JUNK_DIGESTS[digestBytes].filter((_, index) => index % 4 === 0);
}

/** HOT. */
export function isJunkDigest(digestBytes: DigestBytes, words: Int32Array, at: number): boolean {
  const junk = JUNK_DIGESTS[digestBytes];
  for (let i = 0; i < junk.length; i += 4) {
    if (words[at] !== junk[i] || words[at + 1] !== junk[i + 1]) continue;
    if (words[at + 2] === junk[i + 2] && words[at + 3] === junk[i + 3]) return true;
  }
  return false;
}
