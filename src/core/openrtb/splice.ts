/**
 * Restricts a scanned request by splicing its bytes: what restrict.ts makes of an object, as ranges to leave out or to
 * replace, everything else copied.
 *
 * What must stay true: parsed, the result equals what `restrictByMask` makes of the parsed request; a test holds the two
 * together. The walk decides the plain cases itself; a single member that is not plain (escapes, `@`, `%`, URLs with
 * parameters, addresses) is parsed and given to restrict.ts. Where removed identifiers or e-mail addresses may stand in
 * what stays, the whole request is left to the object path.
 * @module
 */
import {
  addCut,
  addPass,
  addSpareCut,
  addTextCut,
  cutCount,
  dropCuts,
  isSpareFull,
  resetCuts,
  spareEnd,
  writeKept,
} from './cuts.js';
import {
  ALWAYS,
  CHANGED_BY,
  CLASS_BY_NAME,
  EIDS_NAME,
  HAS_ELEMENTS,
  IS_NAMED,
  IS_PASSED,
  IS_TYPED,
  NO_NODE,
  NODES,
  PASSES,
  REMOVED_BY,
  SHAPED,
  TOUCHED_BY,
  TRAITS_OF,
} from './field-index.js';
import { type FieldNode, isContainer } from './field-tree.js';
import type { Collect } from './fields.js';
import { coarsenIpv4At } from './ip.js';
import { applyOperation, type RestrictOptions } from './operations.js';
import { createRun, EIDS, IDS, type Run, restrictMember, URLS } from './restrict.js';
import { decimalAt } from './scan-number.js';
import { SWEEP_LENGTH_MIN } from './search.js';
import { collectRow, isIdentifierRow } from './splice-collect.js';
import { isPlainJson } from './splice-json.js';
import { addIdentifierAt, mayHoldIdentifier, resetSweep } from './splice-sweep.js';
import { showsEmail } from './stray-text.js';
import { appendNumber, appendText } from './sweep.js';
import {
  ARRAY,
  BEGINS_WITH_SPACE,
  FALSE,
  FROM,
  HAS_AT,
  HAS_DELIMITER,
  HAS_ESCAPE,
  HAS_ID_NAME,
  HAS_NON_ASCII,
  HAS_PERCENT,
  IS_UNUSUAL_NUMBER,
  KEY_FROM,
  KEY_HAS_AT,
  KEY_HAS_PERCENT,
  KIND,
  KIND_MASK,
  keyOf,
  NAME,
  NEXT,
  NODE,
  NULL,
  NUMBER,
  OBJECT,
  parsedValue,
  ROW,
  source,
  TEXT,
  TO,
  TRUE,
  tape,
} from './tape.js';

/** Why a scanned request is restricted by way of objects: something in what stays has to go, too, or there is too much. */
export type SpliceFailure = 'email' | 'identifier' | 'too_long';

const bytes = source;
const rows = tape;
const nodes = NODES;
const classByName = CLASS_BY_NAME;
const touchedBy = TOUCHED_BY;
const removedBy = REMOVED_BY;
const changedBy = CHANGED_BY;
const traitsOf = TRAITS_OF;
/** Marks of a text that restrict.ts has to look at. */
const NOT_PLAIN = HAS_ESCAPE | HAS_NON_ASCII | HAS_PERCENT | HAS_AT | BEGINS_WITH_SPACE;
/** Marks of a value, or its key, or anything in it, that has to be looked at wherever it stands. */
const LOOK_MARKS = NOT_PLAIN | HAS_DELIMITER | IS_UNUSUAL_NUMBER | KEY_HAS_AT | KEY_HAS_PERCENT | HAS_ID_NAME;
/** A number of so few characters is small (operations.ts). */
const SMALL_LENGTH_MAX = 5;

/** HOT. The request that was scanned last, without the groups in `mask`: new bytes, or why there are none. */
export function spliceScanned(mask: number, options: RestrictOptions): Uint8Array | SpliceFailure {
  const run = createRun(mask, options);
  resetCuts();
  resetSweep();
  spliceInside(0, run, 1);
  if (isSpareFull()) return 'too_long';
  if ((mask & IDS) !== 0 && run.text !== '' && showsEmail(run.text)) return 'email';
  return mayHoldIdentifier(run) ? 'identifier' : writeKept();
}

/** HOT. Cuts what goes of the members or elements of a container; answers how many stay. */
function spliceInside(container: number, run: Run, depth: number): number {
  const end = rows[container * ROW + NEXT]!;
  const touching = run.mask | PASSES;
  let keptCount = 0;
  let previousTo = 0;
  for (let row = container + 1; row < end; ) {
    const at = row * ROW;
    const next = rows[at + NEXT]!;
    const to = rows[at + TO]!;
    const isPlain =
      (touchedBy[rows[at + NODE]!]! & touching) === 0 &&
      (rows[at + KIND]! & LOOK_MARKS) === 0 &&
      classByName[rows[at + NAME]!] === 0;
    if (isPlain || spliceMember(row, run, depth)) keptCount++;
    // the comma before it goes too, or the one behind it where nothing before it stays
    else if (keptCount > 0) addCut(previousTo, to);
    else addCut(startOf(row), next < end ? startOf(next) : to);
    previousTo = to;
    row = next;
  }
  return keptCount;
}

/** HOT. Where a member or element begins. */
function startOf(row: number): number {
  const keyFrom = rows[row * ROW + KEY_FROM]!;
  return keyFrom === 0 ? rows[row * ROW + FROM]! : keyFrom - 1;
}

/** HOT. As `restrictMember`: false where nothing is left of it. */
function spliceMember(row: number, run: Run, depth: number): boolean {
  const { mask } = run;
  const at = row * ROW;
  const node = rows[at + NODE]!;
  const traits = traitsOf[node]!;
  const kind = rows[at + KIND]!;
  if (classByName[rows[at + NAME]!] !== 0 && run.cleaning && (traits & IS_NAMED) === 0) {
    if (isNamedIdentifier(row, mask)) return removed(row, 'all', run);
  }
  if (node !== NO_NODE) {
    if ((traits & IS_PASSED) !== 0) {
      addPass(rows[at + FROM]!, rows[at + TO]!);
      return true;
    }
    if ((traits & IS_TYPED) !== 0 && (touchedBy[node]! & mask) !== 0 && isWrongKind(traits, kind & KIND_MASK)) {
      return removed(row, 'named', run);
    }
    if ((removedBy[node]! & mask) !== 0) return removed(row, nodes[node]!.collect, run);
    if ((changedBy[node]! & mask) !== 0 && !isUnchanged(nodes[node]!, row, kind)) {
      return spliceChanged(row, kind, nodes[node]!, run, depth);
    }
  }
  if (run.sweeping && (kind & (KEY_HAS_AT | KEY_HAS_PERCENT)) !== 0) appendText(run, keyOf(row));
  switch (kind & KIND_MASK) {
    case OBJECT:
    case ARRAY:
      if (!run.sweeping && !run.cleaning && (touchedBy[node]! & mask) === 0) return true;
      return spliceContainer(row, node, run, depth);
    case TEXT:
      return (
        isPlain(row, kind, node === NO_NODE ? null : nodes[node]!, run) ||
        isPlainJson(row, LOOK_MARKS, depth) ||
        spliceValue(row, node === NO_NODE ? null : nodes[node]!, run, depth)
      );
    case NUMBER:
      if (run.sweeping && (kind & IS_UNUSUAL_NUMBER) !== 0) appendNumber(run, parsedValue(row) as number);
      return true;
    default:
      return true;
  }
}

/** HOT. An object or array; false where nothing is left of it and the table says that it then goes. */
function spliceContainer(row: number, node: number, run: Run, depth: number): boolean {
  const before = cutCount();
  if (spliceInside(row, run, depth + 1) > 0 || !isDroppedEmpty(node, run.mask)) return true;
  dropCuts(before);
  return false;
}

/** HOT. Nothing is left of the member; what it identifies is remembered. */
function removed(row: number, how: Collect, run: Run): false {
  if (run.sweeping) collectRow(row, row, how, run, 0);
  return false;
}

/** HOT. Whether a member that the table does not know carries an identifier of a group being stripped. */
function isNamedIdentifier(row: number, mask: number): boolean {
  switch (classByName[rows[row * ROW + NAME]!]) {
    case ALWAYS:
      return (mask & IDS) !== 0;
    case EIDS_NAME:
      return (mask & EIDS) !== 0;
    case SHAPED:
      return (mask & IDS) !== 0 && isIdentifierRow(row);
    default:
      return false;
  }
}

/** HOT. As `isWrongType` in restrict.ts, of a typed container. */
function isWrongKind(traits: number, kind: number): boolean {
  if (kind === NULL) return false;
  return kind !== ((traits & HAS_ELEMENTS) !== 0 ? ARRAY : OBJECT);
}

/** HOT. As `isDropped` in sweep.ts, of a container with nothing in it. */
function isDroppedEmpty(node: number, mask: number): boolean {
  const field = nodes[node]!;
  return node !== NO_NODE && !field.keptWhenEmpty && (field.touchedBy & mask) !== 0 && isContainer(field);
}

/** HOT. Whether the operation of a field certainly leaves the value as it is. */
function isUnchanged(field: FieldNode, row: number, kind: number): boolean {
  const valueKind = kind & KIND_MASK;
  if (valueKind === NULL) return true;
  if (field.operation === 'url') return valueKind === TEXT && (kind & (NOT_PLAIN | HAS_DELIMITER)) === 0;
  if (field.operation !== 'small') return false;
  if (valueKind === TRUE || valueKind === FALSE) return true;
  const length = rows[row * ROW + TO]! - rows[row * ROW + FROM]!;
  return valueKind === NUMBER && length <= SMALL_LENGTH_MAX && (kind & IS_UNUSUAL_NUMBER) === 0;
}

/** HOT. Whether a text certainly stays as it is, and says nothing that its bytes do not say. */
function isPlain(row: number, kind: number, field: FieldNode | null, run: Run): boolean {
  if (!run.cleaning && !run.sweeping) return true;
  if ((kind & NOT_PLAIN) !== 0) return false;
  if ((run.mask & URLS) === 0 || (kind & HAS_DELIMITER) === 0) return true;
  // `h` of `http`
  if ((bytes[rows[row * ROW + FROM]! + 1]! | 0x20) !== 0x68) return true;
  return field !== null && field.operation === 'url';
}

/** HOT. What an operation leaves: of a usual coordinate or address at once, of anything else as restrict.ts sees it. */
function spliceChanged(row: number, kind: number, field: FieldNode, run: Run, depth: number): boolean {
  const { operation } = field;
  if (operation === 'coordinate' && (kind & (KIND_MASK | IS_UNUSUAL_NUMBER)) === NUMBER) {
    return spliceCoordinate(row, run);
  }
  if (operation === 'ipv4' && (kind & (KIND_MASK | NOT_PLAIN)) === TEXT && spliceAddress(row, run)) return true;
  return spliceValue(row, field, run, depth);
}

/** HOT. An IPv4 address, coarsened; false where it is none. */
function spliceAddress(row: number, run: Run): boolean {
  const from = rows[row * ROW + FROM]! + 1;
  const to = rows[row * ROW + TO]! - 1;
  const restFrom = spareEnd();
  const byteCount = coarsenIpv4At(bytes, from, to, run.options.ipv4KeepBits, restFrom) - restFrom;
  if (byteCount < 0) return false;
  if (to - from === byteCount && isSameAt(from, restFrom, byteCount)) return true;
  addSpareCut(from, to, byteCount);
  // the loopback address is no person's (sweep.ts)
  if (run.sweeping && to - from >= SWEEP_LENGTH_MIN && !isLoopbackAt(from)) addIdentifierAt(from, to);
  return true;
}

/** HOT. */
function isSameAt(first: number, second: number, byteCount: number): boolean {
  for (let index = 0; index < byteCount; index++) if (bytes[first + index] !== bytes[second + index]) return false;
  return true;
}

/** HOT. `127.` */
function isLoopbackAt(at: number): boolean {
  return bytes[at] === 0x31 && bytes[at + 1] === 0x32 && bytes[at + 2] === 0x37 && bytes[at + 3] === 0x2e;
}

/** HOT. A coordinate, rounded. */
function spliceCoordinate(row: number, run: Run): boolean {
  const from = rows[row * ROW + FROM]!;
  const to = rows[row * ROW + TO]!;
  const value = decimalAt(from, to);
  const rest = applyOperation('coordinate', value, run.options) as number | undefined;
  if (rest === undefined) return false;
  if (rest === value) return true;
  const text = String(rest);
  addTextCut(from, to, text);
  return true;
}

/** A member as restrict.ts sees it. */
function spliceValue(row: number, field: FieldNode | null, run: Run, depth: number): boolean {
  const value = parsedValue(row);
  const rest = restrictMember(keyOf(row), value, field, run, depth);
  if (rest === undefined) return false;
  if (rest !== value) addTextCut(rows[row * ROW + FROM]!, rows[row * ROW + TO]!, JSON.stringify(rest));
  return true;
}
