/**
 * The scanner as WebAssembly with SIMD: it fills tape and slots as scan.ts does, or answers why it cannot.
 *
 * What must stay true: it takes what the plain scanner takes and writes the same rows (a test holds the two together), so
 * all that scan.ts says of strictness holds here. One loop over members and elements; what is open stands in frames, one
 * for each level.
 * @module
 */
import { joinFunction } from './cuts-simd.js';
import { ELEMENTS_OF } from './field-index.js';
import {
  allot,
  allotTable,
  instantiated,
  ROW_BYTES,
  SCAN_DEPTH_MAX,
  SCAN_PAGE_COUNT,
  SCAN_VALUES_MAX,
  TAPE_AT,
} from './scan-memory.js';
import {
  decline,
  enterContainer,
  isIdName,
  type KeyLocals,
  keyFunctions,
  keyLocals,
  memberKey,
} from './scan-simd-key.js';
import {
  END_OF_NUMBER,
  endOfText,
  NOWHERE,
  passSpace,
  passSpecial,
  textFunctions,
  textLocals,
  UNUSUAL_BIT,
} from './scan-simd-text.js';
import { sweepFunctions } from './sweep-simd.js';
import {
  ARRAY,
  BEGINS_WITH_SPACE,
  FALSE,
  FROM,
  HAS_ID_NAME,
  IS_UNUSUAL_NUMBER,
  KEY_FROM,
  KEY_MARKS_SHIFT,
  KIND,
  MARKS,
  NAME,
  NEXT,
  NODE,
  NULL,
  NUMBER,
  OBJECT,
  TEXT,
  TO,
  TRUE,
} from './tape.js';
import {
  add,
  and,
  block,
  type Code,
  call,
  eq,
  type Func,
  func,
  ge,
  get,
  go,
  goIf,
  i32,
  i64,
  increase,
  type Label,
  le,
  load8,
  load16,
  load32,
  load64,
  loop,
  moduleOf,
  ne,
  or,
  otherwise,
  select,
  set,
  shl,
  shr,
  store32,
  store64,
  sub,
  tee,
  when,
} from './wasm.js';

/** The scanner's WebAssembly. */
interface Simd {
  /**
   * HOT. Scans the object from `start` on to `end`, where a zero stands; it is the one of `node`, and its rows begin at an
   * address. 0, or the number of a failure (scan-failure.ts).
   */
  scan(start: number, end: number, rowsAt: number, node: number): number;
  /** HOT. Lays what stays of the request between `from` and `to` behind each other; where it ends. */
  join(cutCount: number, from: number, to: number): number;
  /** HOT. Not 0 where a text that is searched for may begin in what stays of the request, or in the texts behind it. */
  sweep(identifierCount: number, cutCount: number, from: number, to: number, spareTo: number): number;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LETTER_E = 0x65;
/** Four letters as an integer of which the first is lowest. */
const word = (letters: string): number => Buffer.from(letters).readInt32LE();

const ELEMENTS_AT = allotTable(ELEMENTS_OF);
/** What is known of each open object or array but the innermost. */
const FRAME_BYTES = 32;
const FRAMES_AT = allot(FRAME_BYTES * (SCAN_DEPTH_MAX + 1));
const FRAME_SEEN = 0;
const FRAME_ROW = 8;
const FRAME_MARKS = 12;
const FRAME_COUNT = 16;
const FRAME_NODE = 20;
const FRAME_CLOSER = 24;

/** Locals of the scanner besides those of texts and keys. */
interface ScanLocals {
  readonly key: KeyLocals;
  /** Of the innermost open container: its place, the bracket that closes it, the marks inside, its depth and its frame. */
  readonly node: number;
  readonly closer: number;
  readonly marksInside: number;
  readonly depth: number;
  readonly frame: number;
  /** Of the value at hand: its row's address, where it begins and ends, its kind with marks, the marks of its key. */
  readonly row: number;
  readonly from: number;
  readonly to: number;
  readonly kind: number;
  readonly keyMarks: number;
  readonly byte: number;
}

/** `null` where there is no WebAssembly with SIMD. */
export const simd: Simd | null = instantiated(
  moduleOf(
    [...textFunctions(), ...keyFunctions(), ...sweepFunctions(), scanFunction(), joinFunction()],
    SCAN_PAGE_COUNT,
  ),
) as Simd | null;

function scanFunction(): Func {
  return func('scan', 4, (local) => {
    const [start, end, rowsAt, rootNode] = [0, 1, 2, 3];
    const text = textLocals(local, local());
    const key = keyLocals(local, text, local());
    const [node, closer, marksInside, depth, frame] = [local(), local(), local(), local(), local()];
    const [row, from, to, kind, keyMarks, byte] = [local(), local(), local(), local(), local(), local()];
    const locals = { key, node, closer, marksInside, depth, frame, row, from, to, kind, keyMarks, byte };
    const { at } = text;
    const [member, after, scalar, container, done] = ['member', 'after', 'scalar', 'container', 'done'].map((name) =>
      Symbol(name),
    ) as [Label, Label, Label, Label, Label];
    return [
      ...begin(locals, start, rowsAt, rootNode),
      ...block(
        done,
        // an object without members
        goIf(done, eq(load8(get(at)), i32(CLOSE_BRACE))),
        loop(
          member,
          startRow(locals),
          block(scalar, block(container, scanScalar(locals, scalar, container)), open(locals, scalar, member)),
          loop(after, finishRow(locals), goOn(locals, member), close(locals, done), go(after)),
        ),
      ),
      // `at` is the bracket that closes it all
      ...store32(get(rowsAt), 4 * TO, add(get(at), i32(1))),
      ...store32(get(rowsAt), 4 * KIND, or(get(marksInside), i32(OBJECT))),
      ...store32(get(rowsAt), 4 * NEXT, rowNumber(get(key.free))),
      ...increase(at, 1),
      ...passSpace(at),
      ...when(ne(get(at), get(end)), decline('invalid')),
      ...i32(0),
    ];
  });
}

function rowNumber(address: Code): Code {
  return shr(sub(address, i32(TAPE_AT)), i32(5));
}

/** The first row, and what stands behind the first bracket. */
function begin({ key, node, closer, depth, frame }: ScanLocals, start: number, rowsAt: number, rootNode: number): Code {
  const { at } = key.text;
  return [
    ...when(ge(get(rowsAt), i32(TAPE_AT + SCAN_VALUES_MAX * ROW_BYTES)), decline('too_many_values')),
    ...store64(get(rowsAt), 4 * KEY_FROM, i64(0n)),
    ...store32(get(rowsAt), 4 * FROM, get(start)),
    ...store32(get(rowsAt), 4 * NODE, get(rootNode)),
    ...store32(get(rowsAt), 4 * NAME, i32(0)),
    ...set(key.free, add(get(rowsAt), i32(ROW_BYTES))),
    ...set(node, get(rootNode)),
    ...set(closer, i32(CLOSE_BRACE)),
    ...set(depth, i32(1)),
    ...set(frame, i32(FRAMES_AT)),
    ...enterContainer(key, node, depth),
    ...set(at, add(get(start), i32(1))),
    ...passSpace(at),
  ];
}

/** The row of a member, whose key is read, or of an element; `at` moves on to the value. */
function startRow({ key, node, closer, keyMarks, row }: ScanLocals): Code {
  const { free, text, name, place } = key;
  const element = [
    ...when(ge(get(free), i32(TAPE_AT + SCAN_VALUES_MAX * ROW_BYTES)), decline('too_many_values')),
    ...set(keyMarks, i32(0)),
    ...set(name, i32(0)),
    ...set(place, load16(shl(get(node), i32(1)), ELEMENTS_AT)),
    ...store64(get(free), 4 * KEY_FROM, i64(0n)),
    ...store32(get(free), 4 * NODE, get(place)),
    ...store32(get(free), 4 * NAME, i32(0)),
  ];
  return [
    ...when(
      eq(get(closer), i32(CLOSE_BRACE)),
      memberKey(key),
      set(keyMarks, shl(get(text.marks), i32(KEY_MARKS_SHIFT))),
      otherwise,
      element,
    ),
    ...set(row, get(free)),
    ...increase(free, ROW_BYTES),
  ];
}

/** A text, number or word from `at` on, up to `to`; anything that opens is left to `container`. */
function scanScalar({ key, from, to, kind, byte }: ScanLocals, scalar: Label, container: Label): Code {
  const { text } = key;
  const isWord = (letters: string) => eq(load32(get(text.at)), i32(word(letters)));
  const take = (wordKind: number, length: number) => [
    ...set(kind, i32(wordKind)),
    ...set(to, add(get(from), i32(length))),
    ...go(scalar),
  ];
  const spaceMark = select(i32(BEGINS_WITH_SPACE), i32(0), le(load8(get(from), 1), i32(SPACE)));
  return [
    ...set(byte, load8(tee(from, get(text.at)))),
    ...when(
      eq(get(byte), i32(QUOTE)),
      increase(text.at, 1),
      endOfText(text, passSpecial(text, decline('invalid'))),
      set(to, add(get(text.at), i32(1))),
      set(kind, or(or(get(text.marks), spaceMark), i32(TEXT))),
      go(scalar),
    ),
    ...goIf(container, or(eq(get(byte), i32(OPEN_BRACE)), eq(get(byte), i32(OPEN_BRACKET)))),
    ...when(
      le(get(byte), i32(NINE)),
      when(eq(tee(to, call(END_OF_NUMBER, get(from))), i32(NOWHERE)), decline('invalid')),
      set(kind, select(i32(NUMBER | IS_UNUSUAL_NUMBER), i32(NUMBER), and(get(to), i32(UNUSUAL_BIT)))),
      set(to, and(get(to), i32(UNUSUAL_BIT - 1))),
      go(scalar),
    ),
    ...when(isWord('true'), take(TRUE, 4)),
    ...when(isWord('null'), take(NULL, 4)),
    ...when(and(isWord('fals'), eq(load8(get(from), 4), i32(LETTER_E))), take(FALSE, 5)),
    ...decline('invalid'),
  ];
}

/** Goes into an object or array; one with nothing in it is a value like others. */
function open(locals: ScanLocals, scalar: Label, member: Label): Code {
  const { key, node, closer, marksInside, depth, frame, row, from, to, kind, keyMarks, byte } = locals;
  const { at } = key.text;
  /** The closing bracket stands two behind the opening one in ASCII. */
  const closerOf = add(get(byte), i32(2));
  return [
    ...when(ge(get(depth), i32(SCAN_DEPTH_MAX)), decline('too_deep')),
    ...set(kind, select(i32(OBJECT), i32(ARRAY), eq(get(byte), i32(OPEN_BRACE)))),
    ...increase(at, 1),
    ...passSpace(at),
    ...when(eq(load8(get(at)), closerOf), set(to, add(get(at), i32(1))), go(scalar)),
    ...store32(get(row), 4 * FROM, get(from)),
    ...store32(get(row), 4 * KIND, or(get(kind), get(keyMarks))),
    ...store64(get(frame), FRAME_SEEN, get(key.seen)),
    ...store32(get(frame), FRAME_MARKS, get(marksInside)),
    ...store32(get(frame), FRAME_COUNT, get(key.count)),
    ...store32(get(frame), FRAME_NODE, get(node)),
    ...store32(get(frame), FRAME_CLOSER, get(closer)),
    ...increase(frame, FRAME_BYTES),
    ...store32(get(frame), FRAME_ROW, get(row)),
    ...increase(depth, 1),
    ...set(key.seen, i64(0n)),
    ...set(key.count, i32(0)),
    ...set(marksInside, i32(0)),
    ...set(node, get(key.place)),
    ...set(closer, closerOf),
    ...enterContainer(key, node, depth),
    ...go(member),
  ];
}

/** The row of a value that ends at `to`; what is in it, is in its container. */
function finishRow({ key, marksInside, row, from, to, kind, keyMarks }: ScanLocals): Code {
  const idMark = select(i32(HAS_ID_NAME), i32(0), isIdName(get(key.name)));
  return [
    ...set(kind, or(get(kind), get(keyMarks))),
    ...store32(get(row), 4 * FROM, get(from)),
    ...store32(get(row), 4 * TO, get(to)),
    ...store32(get(row), 4 * KIND, get(kind)),
    ...store32(get(row), 4 * NEXT, rowNumber(get(key.free))),
    ...set(marksInside, or(get(marksInside), or(and(get(kind), i32(MARKS)), idMark))),
  ];
}

/** Behind a value: to the next one, or to the bracket that closes the container. */
function goOn({ key, closer, to, byte }: ScanLocals, member: Label): Code {
  const { at } = key.text;
  return [
    ...set(at, get(to)),
    ...passSpace(at),
    ...when(eq(tee(byte, load8(get(at))), i32(COMMA)), increase(at, 1), passSpace(at), go(member)),
    ...when(ne(get(byte), get(closer)), decline('invalid')),
  ];
}

/** The container ends at `at`; its row is that of the value at hand again. */
function close(locals: ScanLocals, done: Label): Code {
  const { key, node, closer, marksInside, depth, frame, row, from, to, kind, keyMarks } = locals;
  return [
    ...goIf(done, eq(get(depth), i32(1))),
    ...set(row, load32(get(frame), FRAME_ROW)),
    ...increase(frame, -FRAME_BYTES),
    ...increase(depth, -1),
    ...set(kind, or(load32(get(row), 4 * KIND), get(marksInside))),
    ...set(from, load32(get(row), 4 * FROM)),
    ...set(to, add(get(key.text.at), i32(1))),
    ...set(keyMarks, i32(0)),
    ...set(key.name, load32(get(row), 4 * NAME)),
    ...set(key.seen, load64(get(frame), FRAME_SEEN)),
    ...set(marksInside, load32(get(frame), FRAME_MARKS)),
    ...set(key.count, load32(get(frame), FRAME_COUNT)),
    ...set(node, load32(get(frame), FRAME_NODE)),
    ...set(closer, load32(get(frame), FRAME_CLOSER)),
    ...enterContainer(key, node, depth),
  ];
}
