/**
 * The keys of an e-mail address straight from its bytes: what dialects.ts does for a text.
 *
 * What must stay true: the keys, in whatever order, and the outcome are those of the same text. An address in ASCII without white
 * space or punctuation of lists is read from the bytes; any other is left to the caller.
 * @module
 */
import { hash } from 'node:crypto';
import { KIND_TAG } from '../vocabulary.js';
import { appendDigestBytes, commit, KEY_WORDS, type KeyList, type KeyOutcome, writeState } from './key.js';
import { MD5_BYTES_MAX, md5 } from './md5.js';
import { hashUtf8 } from './string-hash.js';

/** Longest address read here. */
const EMAIL_BYTES_MAX = 254;
const EMAIL_DIGEST_TAGS = (1 << KIND_TAG.email_sha256) | (1 << KIND_TAG.email_sha1) | (1 << KIND_TAG.email_md5);
/** As a wanted tag: keep the forms of the address, for whoever makes digests of many at once. No kind has this tag. */
export const EMAIL_FORMS = 1;
const ZERO_STATE = new Int32Array(4);
const AT = 0x40;
const DOT = 0x2e;
const PLUS = 0x2b;

/** Each byte in lower case; 0 for one that does not simply stand in an address. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return byte > 0x20 && byte < 0x7f && !'<>",;:()'.includes(character) ? character.toLowerCase().charCodeAt(0) : 0;
});
/** 1 for a byte that no domain has; those that no address has are not among them. */
const NOT_IN_DOMAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number("!#$%&'*+/=?^`{|}~\\".includes(String.fromCharCode(byte))),
);
const GMAIL = Buffer.from('gmail.com');
const GOOGLEMAIL = Buffer.from('googlemail.com');

/** The forms of the address at hand: as it is; at gmail without dots; and without what follows a plus sign. */
const forms = [Buffer.alloc(EMAIL_BYTES_MAX), Buffer.alloc(EMAIL_BYTES_MAX), Buffer.alloc(EMAIL_BYTES_MAX)] as const;
const [canonical, undotted, unsuffixed] = forms;
const formBytes = [0, 0, 0];
let formCount = 0;

/** HOT. As `appendIdentifier` for an e-mail address; `null` for one that is not read here. */
export function appendEmailAt(
  list: KeyList,
  bytes: Uint8Array,
  from: number,
  to: number,
  wantedTags: number,
): KeyOutcome | null {
  const length = to - from;
  const signAt = length > EMAIL_BYTES_MAX ? -1 : readPlain(bytes, from, length);
  if (signAt <= 0 || !isDomain(signAt + 1, length)) return null;
  const at = list.count * KEY_WORDS + 1;
  writeState(list.words, at, ZERO_STATE);
  hashUtf8(canonical, 0, length, list.words, at);
  const outcome = commit(list, KIND_TAG.email);
  if ((wantedTags & (EMAIL_DIGEST_TAGS | EMAIL_FORMS)) === 0 || outcome !== 'ok') return outcome;
  formCount = 1;
  formBytes[0] = length;
  const domainBytes = length - signAt - 1;
  if (domainBytes === GMAIL.length && endsWith(GMAIL, length)) addGmailForms(signAt, length, true);
  else if (domainBytes === GOOGLEMAIL.length && endsWith(GOOGLEMAIL, length)) addGmailForms(signAt, length, false);
  return appendFormDigests(list, wantedTags);
}

/** Forms that an address has at most. */
export const EMAIL_FORMS_MAX = forms.length;

/**
 * HOT. Length in bytes of a form of the address read last, with {@link EMAIL_FORMS} wanted: digests are made of each. 0 for
 * one that it does not have. The bytes are `emailForm(index)`'s first.
 */
export function emailFormBytes(index: number): number {
  return index < formCount ? formBytes[index]! : 0;
}

/** HOT. Good until another address is read. */
export function emailForm(index: number): Uint8Array {
  return forms[index]!;
}

/** HOT. Lays the address into `canonical`; answers where its one `@` stands, -1 if it is none to be read here. */
function readPlain(bytes: Uint8Array, from: number, length: number): number {
  let signAt = -1;
  for (let index = 0; index < length; index++) {
    const byte = PLAIN[bytes[from + index]!]!;
    canonical[index] = byte;
    if (byte === AT) {
      if (signAt >= 0) return -1;
      signAt = index;
    } else if (byte === 0) return -1;
  }
  return signAt;
}

/** HOT. Two labels or more, none empty. */
function isDomain(from: number, to: number): boolean {
  let dotCount = 0;
  let labelFrom = from;
  for (let index = from; index < to; index++) {
    const byte = canonical[index]!;
    if (NOT_IN_DOMAIN[byte] === 1) return false;
    if (byte !== DOT) continue;
    if (index === labelFrom) return false;
    labelFrom = index + 1;
    dotCount++;
  }
  return dotCount > 0 && labelFrom < to;
}

/** HOT. */
function endsWith(domain: Uint8Array, length: number): boolean {
  for (let index = 1; index <= domain.length; index++) {
    if (canonical[length - index] !== domain[domain.length - index]) return false;
  }
  return true;
}

/** HOT. The forms of normalize.ts for gmail.com and googlemail.com, where they differ from those before. */
function addGmailForms(signAt: number, length: number, cutsSuffix: boolean): void {
  let localBytes = 0;
  let suffixAt = -1;
  for (let index = 0; index < signAt; index++) {
    const byte = canonical[index]!;
    if (byte === DOT) continue;
    if (byte === PLUS && suffixAt < 0) suffixAt = localBytes;
    undotted[localBytes++] = byte;
  }
  const hasSuffix = cutsSuffix && suffixAt > 0;
  if (hasSuffix) {
    for (let index = 0; index < suffixAt; index++) unsuffixed[index] = undotted[index]!;
    for (let index = signAt; index < length; index++) unsuffixed[suffixAt + index - signAt] = canonical[index]!;
  }
  if (localBytes > 0 && localBytes < signAt) {
    for (let index = signAt; index < length; index++) undotted[localBytes + index - signAt] = canonical[index]!;
    formBytes[1] = localBytes + length - signAt;
    formCount = 2;
  } else formBytes[1] = 0;
  if (hasSuffix) {
    formBytes[2] = suffixAt + length - signAt;
    formCount = 3;
  }
}

/** HOT. */
function appendFormDigests(list: KeyList, wantedTags: number): KeyOutcome {
  let outcome: KeyOutcome = 'ok';
  for (let form = 0; form < formCount; form++) {
    const length = formBytes[form]!;
    const bytes = forms[form]!;
    if (length === 0) continue;
    if ((wantedTags & (1 << KIND_TAG.email_sha256)) !== 0) {
      outcome = appendDigestBytes(
        list,
        KIND_TAG.email_sha256,
        hash('sha256', bytes.toString('latin1', 0, length), 'binary'),
      );
    }
    if ((wantedTags & (1 << KIND_TAG.email_sha1)) !== 0) {
      outcome = appendDigestBytes(
        list,
        KIND_TAG.email_sha1,
        hash('sha1', bytes.toString('latin1', 0, length), 'binary'),
      );
    }
    if ((wantedTags & (1 << KIND_TAG.email_md5)) !== 0) outcome = appendMd5(list, bytes, length);
  }
  return outcome;
}

/** HOT. */
function appendMd5(list: KeyList, bytes: Buffer, length: number): KeyOutcome {
  if (length > MD5_BYTES_MAX) {
    return appendDigestBytes(list, KIND_TAG.email_md5, hash('md5', bytes.toString('latin1', 0, length), 'binary'));
  }
  md5(bytes, length, list.words, list.count * KEY_WORDS + 1);
  return commit(list, KIND_TAG.email_md5);
}
