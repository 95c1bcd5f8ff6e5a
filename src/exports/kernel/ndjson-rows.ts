/**
 * Rows of JSON and their mapped values: the walk of ndjson/scan.ts as WebAssembly.
 *
 *     ndjsonRows(to, root, columnCount, base, rowBytesMax)
 *       from the row where the last call stopped, at most ROWS_MAX rows:
 *         stores the end of each, the line ends before it, and its cells: texts without escapes at the places wanted
 *       returns how many; places are counted from base
 *
 * Rows for which this does not do are flagged, and have no cells: those that are no JSON, that have a wanted value twice or as
 * a number, an escape in a wanted value or in a key, or are nested deeply. It stops before a row that does not end in the
 * block, or is too long. As a row that it takes must be one that `JSON.parse` reads, it follows RFC 8259 to the letter.
 *
 * Rows that are like the template, if there is one, are taken by template-rows.ts; the others are walked through.
 *
 * A node of the tree of paths, in words: its column or -1, how many children it has, and of each child the key's address and
 * length in bytes, and its node.
 * @module
 */
import {
  add,
  atLeastU,
  bitmask8,
  block,
  br,
  brIf,
  type Code,
  call,
  equal,
  equal8,
  eqz,
  fillMemory,
  get,
  I32,
  i32,
  lessU,
  load8,
  load32,
  load32At,
  load128,
  loop,
  moreU,
  mul,
  or,
  set,
  shl,
  splat8,
  store32,
  store32At,
  sub,
  tee,
  trailingZeros,
  V128,
  type WasmFunction,
  when,
  xor,
} from '../../core/wasm.js';
import {
  CELL_BYTES,
  CELLS,
  CELLS_BYTES,
  DEPTH_MAX,
  FLAG,
  OTHER_FLAG,
  ROW_LINES,
  ROW_TO,
  ROWS_MAX,
  STACK,
  STATE,
  WORD_BYTES,
} from './layout.js';
import { numberAt, skipEscape, type TextLocals, textConstants, textStops, wordAt } from './token.js';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [COMMA, COLON, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [
  0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d,
] as const;

const [
  TO,
  ROOT,
  COLUMN_COUNT,
  BASE,
  ROW_BYTES_MAX,
  AT,
  LINES,
  ROW,
  PLACE,
  BYTE,
  NODE,
  DEPTH,
  IS_OBJECT,
  FROM,
  MASK,
  CELL,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const [CHILD, CHILDREN_END, KEY, WANTS_KEY, ROW_FLAG, COUNT, HAS_ESCAPE, DIFFERENT, LOCALS_END] = [
  16, 17, 18, 19, 20, 21, 22, 23, 24,
] as const;
const TEXT: TextLocals = { bytes: 24, turned: 25, spaces: 26, backslashes: 27 };

/** Its index among the functions of the module. */
export interface NdjsonFunctions {
  readonly templateRows: number;
}

export function ndjsonRowsFunction({ templateRows }: NdjsonFunctions): WasmFunction {
  const locals = [...Array<number>(LOCALS_END - AT).fill(I32), V128, V128, V128, V128];
  const row: readonly Code[] = [
    store32(i32(STATE.missedCount), add(load32(i32(STATE.missedCount)), i32(1))),
    set(PLACE, get(AT)),
    when(load32(i32(STATE.hasTemplate)), clearCells),
    ...skipSpace,
    set(ROW_FLAG, i32(FLAG)),
    block(
      'row read',
      brIf('row read', is(LINE_FEED)),
      set(ROW_FLAG, i32(0)),
      block('odd', block('parsed', ...walk()), ...skipSpace, brIf('odd', eqz(is(LINE_FEED))), br('row read')),
      set(ROW_FLAG, i32(OTHER_FLAG)),
      ...clearCells,
      set(PLACE, get(AT)),
      ...toLineFeed,
    ),
    ...endRow,
  ];
  const body = [
    ...textConstants(TEXT),
    set(AT, load32(i32(STATE.at))),
    set(LINES, load32(i32(STATE.lines))),
    set(ROW, i32(0)),
    fillMemory(i32(CELLS), i32(0), mul(get(COLUMN_COUNT), i32(CELLS_BYTES))),
    block(
      'stop',
      loop(
        'row',
        when(load32(i32(STATE.hasTemplate)), [
          set(ROW, call(templateRows, get(TO), get(BASE), get(ROW_BYTES_MAX), get(ROW))),
          set(AT, load32(i32(STATE.at))),
          set(LINES, load32(i32(STATE.lines))),
        ]),
        brIf('stop', atLeastU(get(AT), get(TO))),
        brIf('stop', equal(get(ROW), i32(ROWS_MAX))),
        ...row,
        br('row'),
      ),
    ),
    get(ROW),
  ];
  return { name: 'ndjsonRows', paramCount: 5, locals, body };
}

const is = (byte: number) => equal(get(BYTE), i32(byte));
const look = set(BYTE, load8(get(PLACE)));
const step = set(PLACE, add(get(PLACE), i32(1)));
const ofRow = shl(get(ROW), i32(2));
const oddUnless = (condition: Code) => brIf('odd', eqz(condition));

/** On to what is no white space; it stands in `BYTE` then. */
const skipSpace: readonly Code[] = [
  block(
    'no space',
    loop(
      'space',
      look,
      brIf('no space', moreU(get(BYTE), i32(0x20))),
      brIf('no space', eqz(or(is(0x20), or(is(0x09), is(0x0d))))),
      step,
      br('space'),
    ),
  ),
];

const clearCells: readonly Code[] = [
  set(CELL, add(i32(CELLS), shl(get(ROW), i32(Math.log2(CELL_BYTES))))),
  set(COUNT, get(COLUMN_COUNT)),
  loop(
    'clear',
    store32(get(CELL), i32(0)),
    store32At(get(CELL), WORD_BYTES, i32(0)),
    set(CELL, add(get(CELL), i32(CELLS_BYTES))),
    brIf('clear', tee(COUNT, sub(get(COUNT), i32(1)))),
  ),
];

const toLineFeed: readonly Code[] = [
  block(
    'found',
    loop(
      'search',
      set(MASK, bitmask8(equal8(load128(get(PLACE)), splat8(i32(LINE_FEED))))),
      when(get(MASK), [set(PLACE, add(get(PLACE), trailingZeros(get(MASK)))), br('found')]),
      set(PLACE, add(get(PLACE), i32(16))),
      br('search'),
    ),
  ),
];

const endRow: readonly Code[] = [
  when(atLeastU(get(PLACE), get(TO)), [store32(i32(STATE.isCut), i32(1)), br('stop')]),
  brIf('stop', moreU(sub(get(PLACE), get(AT)), get(ROW_BYTES_MAX))),
  set(AT, add(get(PLACE), i32(1))),
  store32At(ofRow, ROW_TO, sub(get(AT), get(BASE))),
  store32At(ofRow, ROW_LINES, or(get(LINES), get(ROW_FLAG))),
  set(LINES, add(get(LINES), i32(1))),
  set(ROW, add(get(ROW), i32(1))),
  store32(i32(STATE.at), get(AT)),
  store32(i32(STATE.lines), get(LINES)),
];

/** From the opening quote at `PLACE` behind the closing one; `HAS_ESCAPE` is 1 where escapes stand between. */
const text: readonly Code[] = [
  set(PLACE, tee(FROM, add(get(PLACE), i32(1)))),
  set(HAS_ESCAPE, i32(0)),
  block(
    'text read',
    loop(
      'more',
      set(MASK, textStops(PLACE, 0, TEXT)),
      when(eqz(get(MASK)), [set(PLACE, add(get(PLACE), i32(16))), br('more')]),
      set(PLACE, add(get(PLACE), trailingZeros(get(MASK)))),
      look,
      brIf('text read', is(QUOTE)),
      oddUnless(is(BACKSLASH)),
      ...skipEscape(PLACE, BYTE),
      set(HAS_ESCAPE, i32(1)),
      br('more'),
    ),
  ),
  step,
];

/** The parent of what is read now, and whether that is an object. */
const stackTop = add(i32(STACK - CELL_BYTES), shl(get(DEPTH), i32(3)));
const push = (isObject: 0 | 1): readonly Code[] => [
  oddUnless(lessU(get(DEPTH), i32(DEPTH_MAX))),
  set(DEPTH, add(get(DEPTH), i32(1))),
  store32(stackTop, get(NODE)),
  store32At(stackTop, WORD_BYTES, i32(isObject)),
  step,
  ...skipSpace,
];

const walk = (): readonly Code[] => [
  set(DEPTH, i32(0)),
  set(NODE, get(ROOT)),
  set(WANTS_KEY, i32(0)),
  loop(
    'step',
    when(get(WANTS_KEY), readKey()),
    block('value read', ...readValue()),
    loop('after', brIf('parsed', eqz(get(DEPTH))), ...skipSpace, ...afterValue),
  ),
];

const readKey = (): readonly Code[] => [
  oddUnless(is(QUOTE)),
  ...text,
  set(NODE, load32(stackTop)),
  when(get(NODE), [
    brIf('odd', get(HAS_ESCAPE)),
    set(CHILD, add(get(NODE), i32(8))),
    set(CHILDREN_END, add(get(CHILD), mul(load32At(get(NODE), WORD_BYTES), i32(12)))),
    set(COUNT, sub(sub(get(PLACE), get(FROM)), i32(1))),
    set(NODE, i32(0)),
    block('matched', loop('child', ...matchChild)),
  ]),
  ...skipSpace,
  oddUnless(is(COLON)),
  step,
  ...skipSpace,
];

/** `COUNT` is the length of the key. */
const matchChild: readonly Code[] = [
  brIf('matched', equal(get(CHILD), get(CHILDREN_END))),
  block(
    'other',
    brIf('other', eqz(equal(load32At(get(CHILD), WORD_BYTES), get(COUNT)))),
    set(KEY, load32(get(CHILD))),
    set(MASK, i32(0)),
    block(
      'same',
      loop(
        'sixteen',
        set(
          DIFFERENT,
          xor(bitmask8(equal8(load128(add(get(KEY), get(MASK))), load128(add(get(FROM), get(MASK))))), i32(0xffff)),
        ),
        set(MASK, add(get(MASK), i32(16))),
        when(lessU(get(MASK), get(COUNT)), [brIf('other', get(DIFFERENT)), br('sixteen')]),
        brIf('other', shl(get(DIFFERENT), add(i32(16), sub(get(MASK), get(COUNT))))), // those of the key alone
      ),
    ),
    set(NODE, load32At(get(CHILD), 8)),
    br('matched'),
  ),
  set(CHILD, add(get(CHILD), i32(12))),
  br('child'),
];

/** Whether the value stands at a place that is wanted. */
const column = load32(get(NODE));

const readValue = (): readonly Code[] => [
  when(is(QUOTE), [
    ...text,
    when(get(NODE), [
      when(eqz(equal(column, i32(-1))), [
        brIf('odd', get(HAS_ESCAPE)),
        set(CELL, add(add(i32(CELLS), mul(column, i32(CELLS_BYTES))), shl(get(ROW), i32(3)))),
        brIf('odd', load32At(get(CELL), WORD_BYTES)),
        store32(get(CELL), sub(get(FROM), get(BASE))),
        store32At(get(CELL), WORD_BYTES, sub(sub(get(PLACE), i32(1)), get(BASE))),
      ]),
    ]),
    br('value read'),
  ]),
  when(is(OPEN_BRACE), [
    ...push(1),
    when(is(CLOSE_BRACE), [set(DEPTH, sub(get(DEPTH), i32(1))), step, br('value read')]),
    set(WANTS_KEY, i32(1)),
    br('step'),
  ]),
  when(is(OPEN_BRACKET), [
    ...push(0),
    when(is(CLOSE_BRACKET), [set(DEPTH, sub(get(DEPTH), i32(1))), step, br('value read')]),
    set(WANTS_KEY, i32(0)),
    br('step'),
  ]),
  when(moreU(get(BYTE), i32(0x39)), [...wordAt(PLACE, MASK), br('value read')]),
  // a number
  when(get(NODE), [oddUnless(equal(column, i32(-1)))]),
  ...numberAt({ place: PLACE, byte: BYTE, from: FROM, mask: MASK, count: COUNT }),
];

const afterValue: readonly Code[] = [
  set(IS_OBJECT, load32At(stackTop, WORD_BYTES)),
  when(is(COMMA), [
    step,
    ...skipSpace,
    set(WANTS_KEY, get(IS_OBJECT)),
    set(NODE, load32(stackTop)), // elements stand where their array stands
    br('step'),
  ]),
  // } and ] are 32 apart
  oddUnless(equal(get(BYTE), add(i32(CLOSE_BRACKET), shl(get(IS_OBJECT), i32(5))))),
  set(DEPTH, sub(get(DEPTH), i32(1))),
  step,
  br('after'),
];
