/**
 * What the scanner writes down: one row of integers for every value of a request, in the order of its bytes.
 *
 * There is one tape and one copy of the bytes, used again for every request, so nothing read from here may be kept. The
 * bytes are copied so that the loops see one kind of array, a zero behind the end, and nobody who writes meanwhile.
 * @module
 */

import { SCAN_VALUES_MAX, SOURCE_BYTES, scanMemory, TAPE_AT } from './scan-memory.js';

export { SCAN_BYTES_MAX, SCAN_VALUES_MAX } from './scan-memory.js';

/** Integers of a row. */
export const ROW = 8;
/** Columns. Positions of the key's bytes without its quotes; both 0 for an element and the request itself. */
export const KEY_FROM = 0;
export const KEY_TO = 1;
/** Positions of the value's bytes, a text's quotes included. */
export const FROM = 2;
export const TO = 3;
/** Kind of value in the low bits, marks above. */
export const KIND = 4;
/** Row behind the last one inside this value. */
export const NEXT = 5;
/** The place of the value and the name of its key in the table of fields (field-index.ts). */
export const NODE = 6;
export const NAME = 7;

export const KIND_MASK = 7;
export const TEXT = 0;
export const NUMBER = 1;
export const TRUE = 2;
export const FALSE = 3;
export const NULL = 4;
export const OBJECT = 5;
export const ARRAY = 6;

/** Marks of a text: what stands in it anywhere. A container has the marks of all that is in it. */
export const HAS_PERCENT = 1 << 3;
export const HAS_AT = 1 << 4;
/** `?`, `#`, `;` or `&`. */
export const HAS_DELIMITER = 1 << 5;
export const HAS_NON_ASCII = 1 << 8;
export const HAS_ESCAPE = 1 << 9;
/** A text that begins with white space. */
export const BEGINS_WITH_SPACE = 1 << 14;
/** Of a container: the name of an identifier stands in it. */
export const HAS_ID_NAME = 1 << 15;
/** A number that JavaScript may write otherwise: an exponent, many digits, or a tiny one. */
export const IS_UNUSUAL_NUMBER = 1 << 10;
/** The same marks of the key. */
export const KEY_MARKS_SHIFT = 8;
export const KEY_HAS_PERCENT = HAS_PERCENT << KEY_MARKS_SHIFT;
export const KEY_HAS_AT = HAS_AT << KEY_MARKS_SHIFT;

/** The bytes of the request at hand, then a zero; what follows is of earlier ones. */
export const source: Buffer = Buffer.from(scanMemory, 0, SOURCE_BYTES);
export const tape: Int32Array = new Int32Array(scanMemory, TAPE_AT, ROW * (SCAN_VALUES_MAX + 1));

/** HOT. Whether a row is of the kind. */
export function isKind(row: number, kind: number): boolean {
  return (tape[row * ROW + KIND]! & KIND_MASK) === kind;
}

/** The text in a row of kind `TEXT`. */
export function textOf(row: number): string {
  const at = row * ROW;
  const from = tape[at + FROM]!;
  const to = tape[at + TO]!;
  const marks = tape[at + KIND]!;
  if ((marks & HAS_ESCAPE) !== 0) return JSON.parse(source.toString('utf8', from, to)) as string;
  return source.toString((marks & HAS_NON_ASCII) !== 0 ? 'utf8' : 'latin1', from + 1, to - 1);
}

/** All marks. */
export const MARKS: number = ~KIND_MASK;

/** HOT. Whether the bytes of a text are its characters: ASCII without escapes. */
export function isPlainText(row: number): boolean {
  return (tape[row * ROW + KIND]! & (KIND_MASK | HAS_ESCAPE | HAS_NON_ASCII)) === TEXT;
}

/** The value in a row, parsed. */
export function parsedValue(row: number): unknown {
  const at = row * ROW;
  switch (tape[at + KIND]! & KIND_MASK) {
    case TEXT:
      return textOf(row);
    case NUMBER:
      return Number(source.toString('latin1', tape[at + FROM]!, tape[at + TO]!));
    case TRUE:
      return true;
    case FALSE:
      return false;
    case NULL:
      return null;
    default:
      return JSON.parse(source.toString('utf8', tape[at + FROM]!, tape[at + TO]!));
  }
}

/** The key of a row; `''` for an element. Keys that are scanned are ASCII without escapes. */
export function keyOf(row: number): string {
  return source.toString('latin1', tape[row * ROW + KEY_FROM]!, tape[row * ROW + KEY_TO]!);
}

/** HOT. Whether the key of a row is `name`, which is ASCII. */
export function isKey(row: number, name: string): boolean {
  const from = tape[row * ROW + KEY_FROM]!;
  if (tape[row * ROW + KEY_TO]! - from !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    if (source[from + index] !== name.charCodeAt(index)) return false;
  }
  return true;
}
