/**
 * Walks the bytes of a bid request once and writes its values down on the tape: positions, kinds, and the places of the
 * table they stand in. Builds no objects.
 *
 * What must stay true: it accepts only what `JSON.parse` accepts (RFC 8259, in UTF-8), never reads past the end, and
 * takes linear time. It need not accept all of that: what is rare, and whatever would make bytes and objects differ (a
 * key twice or escaped, requests in layers), it declines with the name of the reason, and the caller parses instead.
 * So it refuses nothing by itself, and no such shape can hide anything from it.
 * @module
 */

import {
  CLASS_BY_NAME,
  childNode,
  ELEMENTS_OF,
  hashByte,
  IS_LAYERED,
  IS_READ,
  NO_NODE,
  nameAt,
  ROOT_NODE,
  SLOT_OF,
} from './field-index.js';
import { startOfText } from './json-bytes.js';
import { SLOT_COUNT } from './read-places.js';
import { COLLISIONS_MAX, SCAN_FAILURES, type ScanFailure } from './scan-failure.js';
import { ROW_BYTES, SCAN_DEPTH_MAX, SCAN_MEMBERS_MAX, SLOTS_AT, scanMemory, TAPE_AT } from './scan-memory.js';
import { endOfNumber, isUnusualNumber } from './scan-number.js';
import { simd } from './scan-simd.js';
import { BYTE_CLASS, endOfSpecial, markOfSpecial, QUOTE_CLASS, SPECIAL_CLASS } from './scan-text.js';
import {
  ARRAY,
  BEGINS_WITH_SPACE,
  FALSE,
  FROM,
  HAS_ID_NAME,
  IS_UNUSUAL_NUMBER,
  KEY_FROM,
  KEY_MARKS_SHIFT,
  KEY_TO,
  KIND,
  MARKS,
  NAME,
  NEXT,
  NODE,
  NULL,
  NUMBER,
  OBJECT,
  ROW,
  SCAN_BYTES_MAX,
  SCAN_VALUES_MAX,
  source,
  TEXT,
  TO,
  TRUE,
  tape,
} from './tape.js';

export type { ScanFailure } from './scan-failure.js';
export { SCAN_DEPTH_MAX, SCAN_MEMBERS_MAX } from './scan-memory.js';

/** Shared arrays as constants of this module: the compiler then knows their addresses, which it does not of imports. */
const bytes = source;
const rows = tape;
const classes = BYTE_CLASS;
const isRead = IS_READ;
const elementsOf = ELEMENTS_OF;
const classByName = CLASS_BY_NAME;

/** By slot (read-places.ts): the row of the value, 0 where it is absent. */
export const slots: Uint16Array = new Uint16Array(scanMemory, SLOTS_AT, SLOT_COUNT);

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The hashes of the keys of every open object, and their rows. */
const keyHashes = new Int32Array(SCAN_DEPTH_MAX * SCAN_MEMBERS_MAX + 1);
const keyRows = new Uint16Array(SCAN_DEPTH_MAX * SCAN_MEMBERS_MAX + 1);

let rowCount = 0;
/** Of the text scanned last. */
let textMarks = 0;
/** Of the value scanned last. */
let valueMarks = 0;
let failure: ScanFailure = 'invalid';

/** HOT. Fills tape and slots; `null` if it could, else why not. */
export function scanRequest(request: Uint8Array): ScanFailure | null {
  const byteCount = request.length;
  if (byteCount > SCAN_BYTES_MAX) return 'too_long';
  bytes.set(request);
  bytes[byteCount] = 0;
  const start = skipSpace(startOfText(request));
  if (bytes[start] !== OPEN_BRACE) return 'not_object';
  slots.fill(0);
  return scanObjectAt(start, byteCount, 0, ROOT_NODE);
}

/**
 * HOT. Scans an object that stands in the room behind the request, and is none that the table knows: its row, behind
 * those of the request; 0 where it cannot be scanned.
 */
export function scanInside(from: number, to: number): number {
  const row = tape[NEXT]!;
  bytes[to] = 0;
  return scanObjectAt(from, to, row, NO_NODE) === null ? row : 0;
}

/** HOT. Scans the object from `start` on to `end`, where a zero stands; its rows begin with `row`. */
function scanObjectAt(start: number, end: number, row: number, node: number): ScanFailure | null {
  if (simd === null) return scanPlainly(start, end, row, node);
  const failed = simd.scan(start, end, TAPE_AT + row * ROW_BYTES, node);
  return failed === 0 ? null : SCAN_FAILURES[failed - 1]!;
}

/** HOT. The same without WebAssembly. */
export function scanPlainly(start: number, end: number, row: number, node: number): ScanFailure | null {
  rowCount = row;
  failure = 'invalid';
  if (rowCount >= SCAN_VALUES_MAX) return 'too_many_values';
  startRow(0, 0, node, 0);
  const to = scanValue(start, node, 0, 0);
  if (to < 0) return failure;
  return skipSpace(to) === end ? null : 'invalid';
}

/** HOT. What is known of the next value before it is looked at. */
function startRow(keyFrom: number, keyTo: number, node: number, name: number): void {
  const at = rowCount * ROW;
  rows[at + KEY_FROM] = keyFrom;
  rows[at + KEY_TO] = keyTo;
  rows[at + NODE] = node;
  rows[at + NAME] = name;
}

/** HOT. */
function skipSpace(from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at]!;
    if (byte > SPACE) return at;
    if (byte !== SPACE && byte !== LINE_FEED && byte !== CARRIAGE_RETURN && byte !== TAB) return at;
    at++;
  }
}

/**
 * HOT. Scans the value that begins at `from`, with the row `rowCount`, which is started. Answers where it ends, negative
 * where it cannot be scanned.
 */
function scanValue(from: number, node: number, depth: number, keyMarks: number): number {
  const at = rowCount++ * ROW;
  const first = bytes[from]!;
  let end: number;
  let kind: number;
  if (first === QUOTE) {
    end = endOfText(from + 1) + 1;
    if (end === 0) return -1;
    kind = TEXT | textMarks;
    if (bytes[from + 1]! <= SPACE) kind |= BEGINS_WITH_SPACE;
  } else if (first === OPEN_BRACE) {
    end = scanObject(from + 1, node, depth + 1);
    kind = OBJECT | valueMarks;
  } else if (first === OPEN_BRACKET) {
    end = scanArray(from + 1, node, depth + 1);
    kind = ARRAY | valueMarks;
  } else if (first <= NINE) {
    end = endOfNumber(from);
    if (end < 0) return -1;
    kind = end - from > 1 && isUnusualNumber(from, end) ? NUMBER | IS_UNUSUAL_NUMBER : NUMBER;
  } else {
    kind = kindOfWord(from);
    if (kind === 0) return -1;
    end = from + (kind === FALSE ? 5 : 4);
  }
  kind |= keyMarks;
  valueMarks = kind & MARKS;
  rows[at + FROM] = from;
  rows[at + TO] = end;
  rows[at + KIND] = kind;
  rows[at + NEXT] = rowCount;
  return end;
}

/** HOT. The members behind an opening brace. */
function scanObject(from: number, node: number, depth: number): number {
  valueMarks = 0;
  if (depth > SCAN_DEPTH_MAX) return fail('too_deep');
  const base = (depth - 1) * SCAN_MEMBERS_MAX;
  let seen = 0;
  let count = 0;
  let marksInside = 0;
  let at = skipSpace(from);
  if (bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) return fail('invalid');
    const keyFrom = ++at;
    let hash = 0;
    let marks = 0;
    let byteClass: number;
    for (;;) {
      const byte = bytes[at]!;
      byteClass = classes[byte]!;
      if (byteClass >= QUOTE_CLASS) break;
      marks |= byteClass;
      hash = hashByte(hash, byte);
      at++;
    }
    if (byteClass === SPECIAL_CLASS) return fail('unusual_key');
    if (count === SCAN_MEMBERS_MAX) return fail('too_many_members');
    if (rowCount >= SCAN_VALUES_MAX) return fail('too_many_values');
    let name = nameAt(keyFrom, at, hash);
    const child = childNode(node, name < 0 ? -name : name);
    if (isRead[child] === 1 && !canRead(child, name)) return -1;
    if (name < 0) name = -name;
    startRow(keyFrom, at, child, name);
    const bit = 1 << (hash & 31);
    if ((seen & bit) !== 0 && isRepeated(base, count, hash)) return fail('repeated_key');
    seen |= bit;
    keyHashes[base + count] = hash;
    keyRows[base + count] = rowCount;
    count++;
    at = skipSpace(at + 1);
    if (bytes[at] !== COLON) return fail('invalid');
    at = scanValue(skipSpace(at + 1), child, depth, marks << KEY_MARKS_SHIFT);
    if (at < 0) return -1;
    marksInside |= classByName[name] === 0 ? valueMarks : valueMarks | HAS_ID_NAME;
    at = skipSpace(at);
    if (bytes[at] === CLOSE_BRACE) break;
    if (bytes[at] !== COMMA) return fail('invalid');
    at = skipSpace(at + 1);
  }
  valueMarks = marksInside;
  return at + 1;
}

/** HOT. The elements behind an opening bracket. */
function scanArray(from: number, node: number, depth: number): number {
  valueMarks = 0;
  if (depth > SCAN_DEPTH_MAX) return fail('too_deep');
  const elementNode = elementsOf[node]!;
  let marksInside = 0;
  let at = skipSpace(from);
  if (bytes[at] === CLOSE_BRACKET) return at + 1;
  for (;;) {
    if (rowCount >= SCAN_VALUES_MAX) return fail('too_many_values');
    startRow(0, 0, elementNode, 0);
    at = scanValue(at, elementNode, depth, 0);
    if (at < 0) return -1;
    marksInside |= valueMarks;
    at = skipSpace(at);
    if (bytes[at] === CLOSE_BRACKET) break;
    if (bytes[at] !== COMMA) return fail('invalid');
    at = skipSpace(at + 1);
  }
  valueMarks = marksInside;
  return at + 1;
}

/** HOT. Notes the row of a value that is read; false where a place that is read cannot be scanned. */
function canRead(node: number, name: number): boolean {
  if (IS_LAYERED[node] === 1) return fail('layered') === 0;
  // read in lower case alone, but stripped in any
  if (name < 0) return fail('unusual_key') === 0;
  slots[SLOT_OF[node]!] = rowCount;
  return true;
}

/** HOT. Whether the object has this key already. */
function isRepeated(base: number, count: number, hash: number): boolean {
  let collisionCount = 0;
  for (let index = 0; index < count; index++) {
    if (keyHashes[base + index] !== hash) continue;
    if (isSameKey(keyRows[base + index]! * ROW, rowCount * ROW)) return true;
    if (++collisionCount > COLLISIONS_MAX) return true;
  }
  return false;
}

/** HOT. */
function isSameKey(first: number, second: number): boolean {
  const firstFrom = rows[first + KEY_FROM]!;
  const secondFrom = rows[second + KEY_FROM]!;
  const length = rows[first + KEY_TO]! - firstFrom;
  if (rows[second + KEY_TO]! - secondFrom !== length) return false;
  for (let index = 0; index < length; index++) {
    if (bytes[firstFrom + index] !== bytes[secondFrom + index]) return false;
  }
  return true;
}

/** HOT. Where the closing quote of a text stands, or -1; leaves what stands in it in `textMarks`. */
function endOfText(from: number): number {
  let marks = 0;
  let at = from;
  for (;;) {
    const byteClass = classes[bytes[at]!]!;
    if (byteClass < QUOTE_CLASS) {
      marks |= byteClass;
      at++;
    } else if (byteClass === QUOTE_CLASS) {
      textMarks = marks;
      return at;
    } else {
      const end = endOfSpecial(at);
      if (end < 0) return -1;
      marks |= markOfSpecial(at);
      at = end;
    }
  }
}

/** HOT. `true`, `false` or `null`; 0 for anything else. */
function kindOfWord(at: number): number {
  const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (word === 0x74727565) return TRUE;
  if (word === 0x6e756c6c) return NULL;
  return word === 0x66616c73 && bytes[at + 4] === 0x65 ? FALSE : 0;
}

function fail(why: ScanFailure): number {
  failure = why;
  return -1;
}
