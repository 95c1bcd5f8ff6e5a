/**
 * Reads UUIDs and digests as hex.ts does, from the bytes of an ASCII text.
 * @module
 */
import { BASE64_VALUE, type DigestBytes, HEX_VALUE } from './hex.js';

const HYPHEN = 0x2d;
const EQUALS = 0x3d;

/** HOT. Writes the sixteen bytes of a UUID, hyphens in their places or none at all, to `words[at..at+3]`; false if it is not one. */
export function readUuidAt(bytes: Uint8Array, from: number, to: number, words: Int32Array, at: number): boolean {
  let step = 0;
  if (to - from === 36) {
    if (
      bytes[from + 8] !== HYPHEN ||
      bytes[from + 13] !== HYPHEN ||
      bytes[from + 18] !== HYPHEN ||
      bytes[from + 23] !== HYPHEN
    ) {
      return false;
    }
    step = 1;
  } else if (to - from !== 32) {
    return false;
  }
  const a = hexQuad(bytes, from);
  const b = hexQuad(bytes, from + 4);
  const c = hexQuad(bytes, from + 8 + step);
  const d = hexQuad(bytes, from + 12 + 2 * step);
  const e = hexQuad(bytes, from + 16 + 3 * step);
  const f = hexQuad(bytes, from + 20 + 4 * step);
  const g = hexQuad(bytes, from + 24 + 4 * step);
  const h = hexQuad(bytes, from + 28 + 4 * step);
  words[at] = (a << 16) | b;
  words[at + 1] = (c << 16) | d;
  words[at + 2] = (e << 16) | f;
  words[at + 3] = (g << 16) | h;
  return (a | b | c | d | e | f | g | h) >= 0;
}

/** HOT. Writes the first sixteen bytes of a digest of `digestBytes` bytes to `words[at..at+3]`; false if it is not one. */
export function readDigestAt(
  bytes: Uint8Array,
  from: number,
  to: number,
  digestBytes: DigestBytes,
  words: Int32Array,
  at: number,
): boolean {
  return to - from === digestBytes * 2
    ? readHexDigestAt(bytes, from, to, words, at)
    : readBase64DigestAt(bytes, from, to, digestBytes, words, at);
}

/** HOT. */
function readHexDigestAt(bytes: Uint8Array, from: number, to: number, words: Int32Array, at: number): boolean {
  let seen = 0;
  for (let i = 0; i < 4; i++) {
    const high = hexQuad(bytes, from + i * 8);
    const low = hexQuad(bytes, from + i * 8 + 4);
    seen |= high | low;
    words[at + i] = (high << 16) | low;
  }
  for (let i = from + 32; i < to; i += 4) seen |= hexQuad(bytes, i);
  return seen >= 0;
}

/** HOT. */
function readBase64DigestAt(
  bytes: Uint8Array,
  from: number,
  to: number,
  digestBytes: DigestBytes,
  words: Int32Array,
  at: number,
): boolean {
  const digitCount = Math.ceil((digestBytes * 8) / 6);
  const paddedLength = (digitCount + 3) & ~3;
  if (to - from !== digitCount && to - from !== paddedLength) return false;
  const digitsEnd = from + digitCount;
  const a = base64Quad(bytes, from);
  const b = base64Quad(bytes, from + 4);
  const c = base64Quad(bytes, from + 8);
  const d = base64Quad(bytes, from + 12);
  const e = base64Quad(bytes, from + 16);
  let seen = a | b | c | d | e;
  for (let i = from + 20; i < digitsEnd; i++) seen |= BASE64_VALUE[bytes[i]!]!;
  for (let i = digitsEnd; i < to; i++) if (bytes[i] !== EQUALS) return false;
  const last = (BASE64_VALUE[bytes[from + 20]!]! << 2) | (BASE64_VALUE[bytes[from + 21]!]! >> 4);
  words[at] = (a << 8) | (b >> 16);
  words[at + 1] = (b << 16) | (c >> 8);
  words[at + 2] = (c << 24) | d;
  words[at + 3] = (e << 8) | last;
  return seen >= 0;
}

/** HOT. Four hexadecimal digits as sixteen bits; negative if any is not a digit. */
function hexQuad(bytes: Uint8Array, at: number): number {
  return (
    (HEX_VALUE[bytes[at]!]! << 12) |
    (HEX_VALUE[bytes[at + 1]!]! << 8) |
    (HEX_VALUE[bytes[at + 2]!]! << 4) |
    HEX_VALUE[bytes[at + 3]!]!
  );
}

/** HOT. Four Base64 digits as twenty-four bits; negative if any is not a digit. */
function base64Quad(bytes: Uint8Array, at: number): number {
  return (
    (BASE64_VALUE[bytes[at]!]! << 18) |
    (BASE64_VALUE[bytes[at + 1]!]! << 12) |
    (BASE64_VALUE[bytes[at + 2]!]! << 6) |
    BASE64_VALUE[bytes[at + 3]!]!
  );
}
