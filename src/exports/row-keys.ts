/**
 * From the bytes of one identifier to its keys: core/identity, for values that stand somewhere in a file.
 *
 * What must stay true: the keys and the outcome are those that `appendIdentifier` gives for the bytes decoded as UTF-8.
 * @module
 */
import { appendCtvDigests, appendMaidDigests } from '../core/identity/device-digests.js';
import { appendIdentifier, digestBytesOf } from '../core/identity/dialects.js';
import { appendEmailAt } from '../core/identity/email-bytes.js';
import type { DigestBytes } from '../core/identity/hex.js';
import { junkFirstWords, type KeyList, type KeyOutcome } from '../core/identity/key.js';
import { appendCtvAt, appendDigestAt, appendMaidAt, appendQualifiedAt } from '../core/identity/key-bytes.js';
import { IDENTIFIER_LENGTH_MAX } from '../core/identity/limits.js';
import { type BaseKind, type Identifier, KIND_TAG, type PlainKind } from '../core/vocabulary.js';
import type { MappedPlace } from './mapping.js';

/** A UTF-16 unit takes at most three bytes of UTF-8: what is longer than this is too long however it is decoded. */
const VALUE_BYTES_MAX = 3 * IDENTIFIER_LENGTH_MAX;

const MAID_DIGESTS = (1 << KIND_TAG.maid_sha256) | (1 << KIND_TAG.maid_sha1) | (1 << KIND_TAG.maid_md5);
const CTV_DIGESTS = 1 << KIND_TAG.ctv_sha256;

/** A mapped place, made ready for the hot path. */
export interface KeyMaker {
  readonly place: MappedPlace;
  readonly tag: number;
  /** Bytes of the digest that values of this kind are; 0 for other kinds. */
  readonly digestBytes: DigestBytes | 0;
  /** Kinds of digest, as bits `1 << tag`, that a clear value of this kind has. */
  readonly digestTags: number;
  /** How most values are written: a UUID (0), so many hexadecimal digits, or in no such way (-1). */
  readonly hexDigits: number;
  /** First words of digests that name nobody. */
  readonly junkWords: Int32Array;
}

const DIGEST_TAGS: Readonly<Partial<Record<BaseKind, number>>> = { maid: MAID_DIGESTS, ctv: CTV_DIGESTS };
const NOTHING = new Int32Array(0);

export function keyMakerOf(place: MappedPlace): KeyMaker {
  const isDigest = /_(?:sha256|sha1|md5)$/.test(place.base);
  const digestBytes = isDigest
    ? digestBytesOf(place.base as Exclude<PlainKind, 'email' | 'phone' | 'maid' | 'ctv'>)
    : 0;
  return {
    place,
    tag: KIND_TAG[place.base],
    digestBytes,
    digestTags: digestBytes === 0 ? (DIGEST_TAGS[place.base] ?? -1) : 0,
    hexDigits: digestBytes === 0 ? (place.base === 'maid' ? 0 : -1) : 2 * digestBytes,
    junkWords: digestBytes === 0 ? NOTHING : junkFirstWords(digestBytes),
  };
}

/**
 * HOT. Appends the keys of the identifier in `bytes[from..to)`.
 * @param wantedTags Kinds of digest, as bits `1 << tag`, to be made of a clear value.
 */
export function appendKeysAt(
  list: KeyList,
  { place, tag, digestBytes }: KeyMaker,
  bytes: Uint8Array,
  from: number,
  to: number,
  wantedTags: number,
): KeyOutcome {
  if (to === from) return 'absent';
  if (to - from <= IDENTIFIER_LENGTH_MAX) {
    if (digestBytes !== 0) return appendDigestAt(list, tag, digestBytes, bytes, from, to);
    switch (place.base) {
      case 'email': {
        const outcome = appendEmailAt(list, bytes, from, to, wantedTags);
        if (outcome !== null) return outcome;
        break;
      }
      case 'maid':
        if ((wantedTags & MAID_DIGESTS) === 0) return appendMaidAt(list, bytes, from, to);
        return withMaidDigests(list, bytes, from, to, wantedTags);
      case 'ctv':
        if ((wantedTags & CTV_DIGESTS) === 0) return appendCtvAt(list, bytes, from, to);
        return withCtvDigests(list, bytes, from, to, wantedTags);
      case 'eid':
      case 'account':
        if (isAscii(bytes, from, to)) return appendQualifiedAt(list, tag, place.qualifier, bytes, from, to);
        break;
      default:
    }
  }
  if (to - from > VALUE_BYTES_MAX) return 'malformed';
  return appendTextKeys(list, place, textAt(bytes, from, to), wantedTags);
}

/** The same for a value that is text already. */
export function appendTextKeys(list: KeyList, { kind }: MappedPlace, value: string, wantedTags: number): KeyOutcome {
  return appendIdentifier(list, { kind, value } satisfies Identifier, { wantedTags });
}

function withMaidDigests(list: KeyList, bytes: Uint8Array, from: number, to: number, wantedTags: number): KeyOutcome {
  const outcome = appendMaidAt(list, bytes, from, to);
  return outcome === 'ok' ? appendMaidDigests(list, textAt(bytes, from, to), wantedTags) : outcome;
}

function withCtvDigests(list: KeyList, bytes: Uint8Array, from: number, to: number, wantedTags: number): KeyOutcome {
  const outcome = appendCtvAt(list, bytes, from, to);
  return outcome === 'ok' ? appendCtvDigests(list, textAt(bytes, from, to), wantedTags) : outcome;
}

/** HOT. */
function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  let seen = 0;
  for (let at = from; at < to; at++) seen |= bytes[at]!;
  return seen < 0x80;
}

/** The text of some bytes: UTF-8, with U+FFFD for what is none. */
export function textAt(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}
