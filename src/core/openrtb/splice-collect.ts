/**
 * Gathers the identifiers in a part of a scanned request that is being removed: what `collectIdentifiers` (sweep.ts) does,
 * on the tape.
 *
 * What must stay true: the same identifiers. Those that are ASCII without escapes are noted as ranges of bytes; anything
 * else is made a value and given to sweep.ts.
 * @module
 */
import { CLASS_BY_NAME, SHAPED } from './field-index.js';
import type { Collect } from './fields.js';
import { isIdentifierShaped, isTokenShaped } from './id-shape.js';
import { SWEEP_LENGTH_MIN } from './search.js';
import { addIdentifierAt } from './splice-sweep.js';
import { collectIdentifiers, type Seen } from './sweep.js';
import {
  ARRAY,
  FROM,
  HAS_AT,
  HAS_ESCAPE,
  HAS_NON_ASCII,
  IS_UNUSUAL_NUMBER,
  KEY_FROM,
  KEY_TO,
  KIND,
  KIND_MASK,
  keyOf,
  NAME,
  NEXT,
  NUMBER,
  OBJECT,
  parsedValue,
  ROW,
  source,
  TEXT,
  TO,
  tape,
  textOf,
} from './tape.js';

const bytes = source;
const rows = tape;
const classByName = CLASS_BY_NAME;
/** Shorter texts are neither digests nor UUIDs. */
const SHAPED_LENGTH_MIN = 32;
/** Shorter texts are no tokens of a vendor. */
const TOKEN_LENGTH_MIN = 16;

/** HOT. Adds the identifiers in the value of a row. `keyRow` has the key: its own, or that of the array it stands in. */
export function collectRow(row: number, keyRow: number, how: Collect, seen: Seen, depth: number): void {
  const kind = rows[row * ROW + KIND]!;
  switch (kind & KIND_MASK) {
    case TEXT:
      if ((kind & (HAS_ESCAPE | HAS_NON_ASCII)) !== 0 || how === 'addresses') {
        collectIdentifiers(seen, keyOf(keyRow), textOf(row), how, depth);
      } else if (how !== 'listed') collectText(row, keyRow, how, kind);
      return;
    case NUMBER:
      if (how !== 'listed') collectNumber(row, keyRow, how, seen, kind);
      return;
    case OBJECT:
    case ARRAY:
      collectInside(row, keyRow, how, seen, depth);
      return;
    default:
  }
}

/** HOT. */
function collectInside(row: number, keyRow: number, how: Collect, seen: Seen, depth: number): void {
  const isArray = (rows[row * ROW + KIND]! & KIND_MASK) === ARRAY;
  const end = rows[row * ROW + NEXT]!;
  for (let inner = row + 1; inner < end; inner = rows[inner * ROW + NEXT]!) {
    if (isArray) collectRow(inner, keyRow, how, seen, depth + 1);
    else {
      const isAll = how === 'all' || how === 'addresses' || !isIdentifierByName(inner);
      collectRow(inner, inner, isAll ? how : 'all', seen, depth + 1);
    }
  }
}

/** HOT. Whether `groupOfNamed` (id-names.ts) has a group for the member. */
function isIdentifierByName(row: number): boolean {
  const nameClass = classOfKey(row);
  return nameClass !== 0 && (nameClass !== SHAPED || isIdentifierRow(row));
}

/** HOT. The class of a member's name, 0 for none. */
function classOfKey(row: number): number {
  return classByName[rows[row * ROW + NAME]!]!;
}

/** HOT. Whether the value under an ambiguous name is an identifier: an object, or a text of the shape, or a list with one. */
export function isIdentifierRow(row: number): boolean {
  const kind = rows[row * ROW + KIND]! & KIND_MASK;
  if (kind !== ARRAY) return kind === OBJECT || (kind === TEXT && isShapedText(row));
  const end = rows[row * ROW + NEXT]!;
  for (let inner = row + 1; inner < end; inner = rows[inner * ROW + NEXT]!) {
    const innerKind = rows[inner * ROW + KIND]! & KIND_MASK;
    if (innerKind === OBJECT || innerKind === ARRAY || (innerKind === TEXT && isShapedText(inner))) return true;
  }
  return false;
}

/** HOT. */
function isShapedText(row: number): boolean {
  const at = row * ROW;
  const mayBeShort = (rows[at + KIND]! & (HAS_AT | HAS_ESCAPE | HAS_NON_ASCII)) === 0;
  return !(mayBeShort && rows[at + TO]! - rows[at + FROM]! - 2 < SHAPED_LENGTH_MIN) && isIdentifierShaped(textOf(row));
}

/** HOT. A text of ASCII without escapes, so no JSON with texts in it. */
function collectText(row: number, keyRow: number, how: Collect, kind: number): void {
  let from = rows[row * ROW + FROM]! + 1;
  let to = rows[row * ROW + TO]! - 1;
  // of white space, only the space stands in a text unescaped
  while (from < to && bytes[from] === 0x20) from++;
  while (from < to && bytes[to - 1] === 0x20) to--;
  if (to - from < SWEEP_LENGTH_MIN || isPlaceholderAt(from, to)) return;
  if (how === 'all' || isIdKey(keyRow) || isShapedAt(from, to, kind)) addIdentifierAt(from, to);
}

/** HOT. */
function isShapedAt(from: number, to: number, kind: number): boolean {
  if (to - from < TOKEN_LENGTH_MIN && (kind & HAS_AT) === 0) return false;
  const text = bytes.toString('latin1', from, to);
  return isIdentifierShaped(text) || isTokenShaped(text);
}

/** HOT. */
function collectNumber(row: number, keyRow: number, how: Collect, seen: Seen, kind: number): void {
  const from = rows[row * ROW + FROM]!;
  const to = rows[row * ROW + TO]!;
  if (to - from < SWEEP_LENGTH_MIN && (kind & IS_UNUSUAL_NUMBER) === 0) return;
  if (how === 'named' && !isIdKey(keyRow)) return;
  collectIdentifiers(seen, '', parsedValue(row), 'all');
}

/** HOT. The same as `isIdName` (id-names.ts): it ends in `id` or `ids`, or is a name of an identifier. */
function isIdKey(row: number): boolean {
  const from = rows[row * ROW + KEY_FROM]!;
  let to = rows[row * ROW + KEY_TO]!;
  if (to > from && (bytes[to - 1]! | 0x20) === 0x73) to--;
  if (to - from >= 2 && (bytes[to - 1]! | 0x20) === 0x64 && (bytes[to - 2]! | 0x20) === 0x69) return true;
  return classOfKey(row) !== 0;
}

/** HOT. The same as `isPlaceholder` (id-shape.ts). */
function isPlaceholderAt(from: number, to: number): boolean {
  return isPlainWord(from, to) || isOneCharacter(from, to) || isBareScheme(from, to);
}

const PLAIN_WORD_LENGTH_MAX = 15;

/** HOT. */
function isPlainWord(from: number, to: number): boolean {
  if (to - from > PLAIN_WORD_LENGTH_MAX) return false;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    const isWord = (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x2f || byte === 0x5f;
    if (!isWord) return false;
  }
  return true;
}

/** HOT. One character again and again, and hyphens. */
function isOneCharacter(from: number, to: number): boolean {
  let only = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === 0x2d || byte === only) continue;
    if (only !== 0) return false;
    only = byte;
  }
  return only !== 0;
}

/** HOT. A scheme, a colon, slashes or nothing. */
function isBareScheme(from: number, to: number): boolean {
  let at = to;
  while (at > from && bytes[at - 1] === 0x2f) at--;
  if (at - 1 <= from || bytes[at - 1] !== 0x3a) return false;
  const first = bytes[from]! | 0x20;
  if (first < 0x61 || first > 0x7a) return false;
  for (at -= 2; at > from; at--) {
    const byte = bytes[at]!;
    const lower = byte | 0x20;
    const isScheme =
      (lower >= 0x61 && lower <= 0x7a) ||
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x2e;
    if (!isScheme) return false;
  }
  return true;
}
