/**
 * Numbers and words of JSON in bytes (RFC 8259, 3 and 6).
 * @module
 */

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** HOT. Behind the number at `from`; -1 where there is none. A byte that is no part of a number must follow. */
export function endOfNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  if (bytes[at] === ZERO) at++;
  else {
    at = endOfDigits(bytes, at);
    if (at < 0) return -1;
  }
  if (bytes[at] === POINT) {
    at = endOfDigits(bytes, at + 1);
    if (at < 0) return -1;
  }
  if ((bytes[at]! | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    return endOfDigits(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  return at;
}

/** HOT. Behind one digit or more; -1 where there is none. */
function endOfDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  return at === from ? -1 : at;
}

/** Whether a number that was read is digits alone, and no zero with a sign. */
export function isPlainInteger(bytes: Uint8Array, from: number, to: number): boolean {
  const digitsFrom = bytes[from] === MINUS ? from + 1 : from;
  if (digitsFrom > from && bytes[digitsFrom] === ZERO) return false;
  for (let at = digitsFrom; at < to; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  return true;
}

/** HOT. Behind `true`, `false` or `null` at `at`; -1 where it is none of them. */
export function endOfWord(bytes: Uint8Array, at: number): number {
  const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (word === 0x74727565 || word === 0x6e756c6c) return at + 4;
  return word === 0x66616c73 && bytes[at + 4] === 0x65 ? at + 5 : -1;
}
