/**
 * What a byte means inside a text of JSON, and what a scanner must look at twice there: escapes (RFC 8259, 7) and
 * characters beyond ASCII (RFC 3629).
 * @module
 */
import { HAS_AT, HAS_DELIMITER, HAS_ESCAPE, HAS_NON_ASCII, HAS_PERCENT, source } from './tape.js';

/** Shared arrays as constants of this module: the compiler then knows their addresses, which it does not of imports. */
const bytes = source;

/** The end of a text. Lower classes are marks of tape.ts, or 0. */
export const QUOTE_CLASS = 1 << 6;
/** A backslash, a byte beyond ASCII, or a control character, which may not stand there. */
export const SPECIAL_CLASS = 1 << 7;

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** `"`, `\`, `/`, b, f, n, r, t, and u. */
export const ESCAPED: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('"\\/bfnrtu'.includes(String.fromCharCode(byte))),
);
export const HEX_DIGIT: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[0-9a-fA-F]/.test(String.fromCharCode(byte))),
);

/** The class of each byte inside a text. */
export const BYTE_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x22) return QUOTE_CLASS;
  if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) return SPECIAL_CLASS;
  if (byte === 0x25) return HAS_PERCENT;
  if (byte === 0x40) return HAS_AT;
  return '?#;&'.includes(String.fromCharCode(byte)) ? HAS_DELIMITER : 0;
});

/** The mark of a special byte that may stand in a text. */
export function markOfSpecial(at: number): number {
  return bytes[at] === BACKSLASH ? HAS_ESCAPE : HAS_NON_ASCII;
}

/** Behind the escape or the character that begins at a special byte; -1 where it is none. */
export function endOfSpecial(at: number): number {
  const byte = bytes[at]!;
  if (byte >= 0x80) return endOfCharacter(at);
  if (byte !== BACKSLASH || ESCAPED[bytes[at + 1]!] === 0) return -1;
  if (bytes[at + 1] !== LETTER_U) return at + 2;
  for (let digitAt = at + 2; digitAt < at + 6; digitAt++) if (HEX_DIGIT[bytes[digitAt]!] === 0) return -1;
  return at + 6;
}

/** Behind a character of two to four bytes: the shortest form alone, no surrogates, nothing above U+10FFFF. */
function endOfCharacter(at: number): number {
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  if (first < 0xc2 || first > 0xf4 || !isContinuation(second)) return -1;
  if (first < 0xe0) return at + 2;
  if (first === 0xe0 && second < 0xa0) return -1;
  if (first === 0xed && second > 0x9f) return -1;
  if (!isContinuation(bytes[at + 2]!)) return -1;
  if (first < 0xf0) return at + 3;
  if (first === 0xf0 && second < 0x90) return -1;
  if (first === 0xf4 && second > 0x8f) return -1;
  return isContinuation(bytes[at + 3]!) ? at + 4 : -1;
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}
