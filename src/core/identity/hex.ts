/**
 * Reads UUIDs and digests straight from the characters of a text into 32-bit words, first byte highest.
 *
 * A digest may be written in hexadecimal of any case, in Base64 or in Base64url, padded or not: the same bytes give the
 * same words. Only the first sixteen bytes are kept, yet every character is checked. Bits that Base64 leaves over in
 * its last character are ignored.
 * @module
 */

/** The value of each UTF-16 unit as a digit, or -1. As long as there are units, so that no index is out of bounds. */
export const HEX_VALUE: Int8Array = digitValues('0123456789abcdef');
export const BASE64_VALUE: Int8Array = digitValues('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
for (let digit = 10; digit < 16; digit++) HEX_VALUE['ABCDEF'.charCodeAt(digit - 10)] = digit;
BASE64_VALUE['-'.charCodeAt(0)] = 62;
BASE64_VALUE['_'.charCodeAt(0)] = 63;

const HYPHEN = 0x2d;
const EQUALS = 0x3d;

/** Bytes of MD5, SHA-1 and SHA-256. */
export type DigestBytes = 16 | 20 | 32;

/** HOT. Writes the sixteen bytes of a UUID, hyphens in their places or none at all, to `words[at..at+3]`; false if it is not one. */
export function readUuid(text: string, words: Int32Array, at: number): boolean {
  let step = 0;
  if (text.length === 36) {
    if (
      text.charCodeAt(8) !== HYPHEN ||
      text.charCodeAt(13) !== HYPHEN ||
      text.charCodeAt(18) !== HYPHEN ||
      text.charCodeAt(23) !== HYPHEN
    ) {
      return false;
    }
    step = 1;
  } else if (text.length !== 32) {
    return false;
  }
  const a = hexQuad(text, 0);
  const b = hexQuad(text, 4);
  const c = hexQuad(text, 8 + step);
  const d = hexQuad(text, 12 + 2 * step);
  const e = hexQuad(text, 16 + 3 * step);
  const f = hexQuad(text, 20 + 4 * step);
  const g = hexQuad(text, 24 + 4 * step);
  const h = hexQuad(text, 28 + 4 * step);
  words[at] = (a << 16) | b;
  words[at + 1] = (c << 16) | d;
  words[at + 2] = (e << 16) | f;
  words[at + 3] = (g << 16) | h;
  return (a | b | c | d | e | f | g | h) >= 0;
}

/** HOT. Writes the first sixteen bytes of a digest of `digestBytes` bytes to `words[at..at+3]`; false if it is not one. */
export function readDigest(text: string, digestBytes: DigestBytes, words: Int32Array, at: number): boolean {
  return text.length === digestBytes * 2
    ? readHexDigest(text, words, at)
    : readBase64Digest(text, digestBytes, words, at);
}

/** HOT. */
function readHexDigest(text: string, words: Int32Array, at: number): boolean {
  let seen = 0;
  for (let i = 0; i < 4; i++) {
    const high = hexQuad(text, i * 8);
    const low = hexQuad(text, i * 8 + 4);
    seen |= high | low;
    words[at + i] = (high << 16) | low;
  }
  for (let i = 32; i < text.length; i += 4) seen |= hexQuad(text, i);
  return seen >= 0;
}

/** HOT. */
function readBase64Digest(text: string, digestBytes: DigestBytes, words: Int32Array, at: number): boolean {
  const digitCount = Math.ceil((digestBytes * 8) / 6);
  const paddedLength = (digitCount + 3) & ~3;
  if (text.length !== digitCount && text.length !== paddedLength) return false;
  const a = base64Quad(text, 0);
  const b = base64Quad(text, 4);
  const c = base64Quad(text, 8);
  const d = base64Quad(text, 12);
  const e = base64Quad(text, 16);
  let seen = a | b | c | d | e;
  for (let i = 20; i < digitCount; i++) seen |= BASE64_VALUE[text.charCodeAt(i)]!;
  for (let i = digitCount; i < text.length; i++) if (text.charCodeAt(i) !== EQUALS) return false;
  const last = (BASE64_VALUE[text.charCodeAt(20)]! << 2) | (BASE64_VALUE[text.charCodeAt(21)]! >> 4);
  words[at] = (a << 8) | (b >> 16);
  words[at + 1] = (b << 16) | (c >> 8);
  words[at + 2] = (c << 24) | d;
  words[at + 3] = (e << 8) | last;
  return seen >= 0;
}

/** HOT. Four hexadecimal digits as sixteen bits; negative if any is not a digit. */
function hexQuad(text: string, at: number): number {
  return (
    (HEX_VALUE[text.charCodeAt(at)]! << 12) |
    (HEX_VALUE[text.charCodeAt(at + 1)]! << 8) |
    (HEX_VALUE[text.charCodeAt(at + 2)]! << 4) |
    HEX_VALUE[text.charCodeAt(at + 3)]!
  );
}

/** HOT. Four Base64 digits as twenty-four bits; negative if any is not a digit. */
function base64Quad(text: string, at: number): number {
  return (
    (BASE64_VALUE[text.charCodeAt(at)]! << 18) |
    (BASE64_VALUE[text.charCodeAt(at + 1)]! << 12) |
    (BASE64_VALUE[text.charCodeAt(at + 2)]! << 6) |
    BASE64_VALUE[text.charCodeAt(at + 3)]!
  );
}

function digitValues(digits: string): Int8Array {
  const values = new Int8Array(0x1_0000).fill(-1);
  for (let digit = 0; digit < digits.length; digit++) values[digits.charCodeAt(digit)] = digit;
  return values;
}
