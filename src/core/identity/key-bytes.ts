/**
 * Suppression keys straight from bytes: what key.ts does for a text, for the text in `bytes[from..to)`. MAIDs, CTV ids and
 * digests may be any bytes, which are taken for UTF-8; eids and account ids must be ASCII.
 *
 * What must stay true: the key, and the outcome, are those of the same text as a string. The usual spelling is read from
 * the bytes; any other one is made a string.
 * @module
 */
import { KIND_TAG } from '../vocabulary.js';
import { ctvBytes, packCtvAt } from './ctv.js';
import type { DigestBytes } from './hex.js';
import { readDigestAt, readUuidAt } from './hex-bytes.js';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  commit,
  isJunkDigest,
  isZero,
  KEY_WORDS,
  type KeyList,
  type KeyOutcome,
  writeState,
} from './key.js';
import { IDENTIFIER_LENGTH_MAX } from './limits.js';
import { qualifierState, qualifierStateAt } from './qualifier.js';
import { hashUtf8 } from './string-hash.js';

const ZERO_STATE = new Int32Array(4);
const ZERO_DIGIT = 0x30;

/** HOT. As `appendMaid`. */
export function appendMaidAt(list: KeyList, bytes: Uint8Array, from: number, to: number): KeyOutcome {
  const at = list.count * KEY_WORDS + 1;
  if (!readUuidAt(bytes, from, to, list.words, at)) return appendMaid(list, textAt(bytes, from, to));
  return isZero(list.words, at) ? 'absent' : commit(list, KIND_TAG.maid);
}

/** HOT. As `appendCtv`. */
export function appendCtvAt(list: KeyList, bytes: Uint8Array, from: number, to: number): KeyOutcome {
  const byteCount = packCtvAt(bytes, from, to);
  if (byteCount === 0) return appendCtv(list, textAt(bytes, from, to));
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, ZERO_STATE);
  hashUtf8(ctvBytes, 0, byteCount, list.words, at);
  return commit(list, KIND_TAG.ctv);
}

/** HOT. As `appendDigest`. */
export function appendDigestAt(
  list: KeyList,
  tag: number,
  digestBytes: DigestBytes,
  bytes: Uint8Array,
  from: number,
  to: number,
): KeyOutcome {
  const { words } = list;
  const at = list.count * KEY_WORDS + 1;
  if (!readDigestAt(bytes, from, to, digestBytes, words, at)) {
    return appendDigest(list, tag, digestBytes, textAt(bytes, from, to));
  }
  return isZero(words, at) || isJunkDigest(digestBytes, words, at) ? 'absent' : commit(list, tag);
}

/** HOT. As `appendEid`; the source stands in `bytes[sourceFrom..sourceTo)`. */
export function appendEidAt(
  list: KeyList,
  bytes: Uint8Array,
  sourceFrom: number,
  sourceTo: number,
  from: number,
  to: number,
): KeyOutcome {
  if (isUsual(bytes, from, to)) {
    const state = qualifierStateAt(bytes, sourceFrom, sourceTo);
    if (state !== null) return appendHashed(list, KIND_TAG.eid, state, bytes, from, to);
  }
  return appendEid(list, textAt(bytes, sourceFrom, sourceTo), textAt(bytes, from, to));
}

/** HOT. As `appendAccount`. */
export function appendAccountAt(
  list: KeyList,
  namespace: string,
  bytes: Uint8Array,
  from: number,
  to: number,
): KeyOutcome {
  return appendQualifiedAt(list, KIND_TAG.account, namespace, bytes, from, to);
}

/** HOT. As `appendEid` or `appendAccount`, whichever the tag says. */
export function appendQualifiedAt(
  list: KeyList,
  tag: number,
  qualifier: string,
  bytes: Uint8Array,
  from: number,
  to: number,
): KeyOutcome {
  if (isUsual(bytes, from, to)) {
    const state = qualifierState(qualifier);
    if (state !== null) return appendHashed(list, tag, state, bytes, from, to);
  }
  const text = textAt(bytes, from, to);
  return tag === KIND_TAG.eid ? appendEid(list, qualifier, text) : appendAccount(list, qualifier, text);
}

/** HOT. */
function appendHashed(
  list: KeyList,
  tag: number,
  state: Int32Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): KeyOutcome {
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, state);
  hashUtf8(bytes, from, to, list.words, at);
  return commit(list, tag);
}

/** HOT. Not empty, not too long, without white space around it, and certainly not the all-zero UUID. */
function isUsual(bytes: Uint8Array, from: number, to: number): boolean {
  if (to === from || to - from > IDENTIFIER_LENGTH_MAX) return false;
  const first = bytes[from]!;
  const last = bytes[to - 1]!;
  return first > 0x20 && first < 0x7f && last > 0x20 && last < 0x7f && first !== ZERO_DIGIT;
}

function textAt(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}
