/**
 * Numbers in the bytes of JSON (RFC 8259, 6).
 * @module
 */
import { source } from './tape.js';

/** Shared arrays as constants of this module: the compiler then knows their addresses, which it does not of imports. */
const bytes = source;

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const LOWER_E = 0x65;
/** A number of so few characters is written with the same digits by JavaScript, trailing zeros aside. */
const EXACT_LENGTH_MAX = 15;
/** `0.0000`: soon behind it JavaScript writes an exponent. */
const TINY_LENGTH = 6;

/** HOT. Where the number that begins at `from` ends; -1 where it is none. */
export function endOfNumber(from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  let digits = at;
  at = endOfDigits(at);
  // a leading zero stands alone
  if (at === digits || (bytes[digits] === ZERO && at > digits + 1)) return -1;
  if (bytes[at] === DOT) {
    digits = at + 1;
    at = endOfDigits(digits);
    if (at === digits) return -1;
  }
  if ((bytes[at]! | 0x20) === LOWER_E) {
    digits = at + 1;
    if (bytes[digits] === PLUS || bytes[digits] === MINUS) digits++;
    at = endOfDigits(digits);
    if (at === digits) return -1;
  }
  return at;
}

/** HOT. */
function endOfDigits(from: number): number {
  let at = from;
  for (let byte = bytes[at]!; byte >= ZERO && byte <= 0x39; byte = bytes[at]!) at++;
  return at;
}

/** HOT. Whether JavaScript may write the number with other digits, or as no number at all. */
export function isUnusualNumber(from: number, to: number): boolean {
  if (to - from > EXACT_LENGTH_MAX) return true;
  let leadingCount = 0;
  let isLeading = true;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if ((byte | 0x20) === LOWER_E) return true;
    isLeading &&= byte === ZERO || byte === DOT || byte === MINUS;
    if (isLeading) leadingCount++;
  }
  return leadingCount >= TINY_LENGTH;
}

const POWER_OF_TEN: readonly number[] = Array.from({ length: EXACT_LENGTH_MAX + 1 }, (_, exponent) => 10 ** exponent);

/** HOT. The value of a number that is not unusual: both integers are exact, so their quotient is the nearest double. */
export function decimalAt(from: number, to: number): number {
  const isNegative = bytes[from] === MINUS;
  let digits = 0;
  let fractionFrom = to;
  for (let at = isNegative ? from + 1 : from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === DOT) fractionFrom = at + 1;
    else digits = 10 * digits + byte - ZERO;
  }
  const value = digits / POWER_OF_TEN[to - fractionFrom]!;
  return isNegative ? -value : value;
}
