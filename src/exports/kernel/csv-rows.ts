/**
 * Rows and cells of CSV out of the marks of a block (byte-index.ts): the loop of csv/scan.ts as WebAssembly.
 *
 *     csvRows(to, delimiter, quote, rowBytesMax, base, cellCount)
 *       from the row and mark where the last call stopped, at most ROWS_MAX rows:
 *         stores the end of each, the line ends before it and its cells of the columns wanted (a missing one is empty)
 *       returns how many; places are counted from base
 *
 * Before the marks stands `base - 1`, so that before those of a row there is always the end of the one before.
 *
 * A row that has more cells than `cellCount`, and something in one of them, is flagged and has none.
 *
 * It stops before a row that does not end in the block, is too long, or has something behind a closing quote: csv/scan.ts
 * says what becomes of that.
 * @module
 */
import {
  add,
  and,
  atLeastU,
  block,
  br,
  brIf,
  type Code,
  equal,
  eqz,
  get,
  I32,
  i32,
  load8,
  load32,
  loop,
  moreU,
  notEqual,
  or,
  set,
  shl,
  shr,
  store32,
  store32At,
  sub,
  type WasmFunction,
  when,
} from '../../core/wasm.js';
import {
  CELL_BYTES,
  CELLS,
  CELLS_BYTES,
  COLUMNS,
  FLAG,
  OTHER_FLAG,
  ROW_LINES,
  ROW_TO,
  ROWS_MAX,
  STATE,
  WORD_BYTES,
} from './layout.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

const [TO, DELIMITER, QUOTE, ROW_BYTES_MAX, BASE, CELL_COUNT, AT, MARK, LINES, ROW, PLACE, BYTE, CELL_FROM, COLUMN] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
] as const;
const [NEXT, CELL, FROM, END, LINES_BEFORE, IS_ESCAPED, ROW_FLAG, LAST, LOCALS_END] = [
  14, 15, 16, 17, 18, 19, 20, 21, 22,
] as const;

export function csvRowsFunction(): WasmFunction {
  const locals = Array<number>(LOCALS_END - AT).fill(I32);
  const body = [
    set(AT, load32(i32(STATE.at))),
    set(MARK, load32(i32(STATE.mark))),
    set(LINES, load32(i32(STATE.lines))),
    set(ROW, i32(0)),
    block(
      'stop',
      loop(
        'row',
        brIf('stop', atLeastU(get(AT), get(TO))),
        brIf('stop', equal(get(ROW), i32(ROWS_MAX))),
        ...beginRow,
        block(
          'line end',
          block('irregular', block('quoted', ...readPlain), ...readQuoted),
          ...beginCells,
          loop('cell', ...endOfCell, ...keepCell, ...beyondCell),
        ),
        ...endRow,
        br('row'),
      ),
    ),
    get(ROW),
  ];
  return { name: 'csvRows', paramCount: 6, locals, body };
}

/** The row goes on behind the block. */
const stopIfCut = (condition: Code): readonly Code[] => [
  when(condition, [store32(i32(STATE.isCut), i32(1)), br('stop')]),
];
/** What stands at the mark. */
const look: readonly Code[] = [set(PLACE, load32(get(MARK))), set(BYTE, load8(get(PLACE)))];
const lookAtLast: readonly Code[] = [set(PLACE, load32(get(LAST))), set(BYTE, load8(get(PLACE)))];
const advanceLast = set(LAST, add(get(LAST), i32(WORD_BYTES)));
const advance = set(MARK, add(get(MARK), i32(WORD_BYTES)));
const isLineEnd = or(equal(get(BYTE), i32(LINE_FEED)), equal(get(BYTE), i32(CARRIAGE_RETURN)));
const isCellEnd = or(equal(get(BYTE), get(DELIMITER)), isLineEnd);
/** Where a word of the row stands. */
const ofRow = shl(get(ROW), i32(2));
/** The cell of this row in the first column wanted. */
const firstWanted: readonly Code[] = [
  set(NEXT, i32(COLUMNS)),
  set(CELL, add(i32(CELLS), shl(get(ROW), i32(Math.log2(CELL_BYTES))))),
];
/** From a cell of this row to that of the next column wanted. */
const nextWanted: readonly Code[] = [
  set(CELL, add(get(CELL), i32(CELLS_BYTES))),
  set(NEXT, add(get(NEXT), i32(WORD_BYTES))),
];

const beginRow: readonly Code[] = [set(LINES_BEFORE, get(LINES)), set(ROW_FLAG, i32(0)), ...firstWanted];

/**
 * A row of cells without quotes, not more than `cellCount`: its marks are its delimiters and its line end, and a cell is what
 * stands between two of them. Of six cells: 57 to 13 ns a row.
 */
const readPlain: readonly Code[] = [
  set(LAST, get(MARK)),
  block(
    'walked',
    loop(
      'delimiter',
      ...lookAtLast,
      brIf('walked', eqz(equal(get(BYTE), get(DELIMITER)))),
      advanceLast,
      br('delimiter'),
    ),
  ),
  set(COLUMN, shr(sub(get(LAST), get(MARK)), i32(2))),
  brIf('quoted', equal(get(BYTE), get(QUOTE))),
  brIf('irregular', eqz(isLineEnd)),
  brIf('irregular', equal(get(PLACE), get(AT))),
  brIf('irregular', atLeastU(get(COLUMN), get(CELL_COUNT))),
  block(
    'kept',
    loop(
      'wanted',
      set(END, load32(get(NEXT))),
      brIf('kept', moreU(get(END), get(COLUMN))), // the row has no such cell, or no other is wanted
      set(END, add(get(MARK), shl(get(END), i32(2)))),
      store32(get(CELL), sub(add(load32(sub(get(END), i32(WORD_BYTES))), i32(1)), get(BASE))),
      store32At(get(CELL), WORD_BYTES, sub(load32(get(END)), get(BASE))),
      ...nextWanted,
      br('wanted'),
    ),
  ),
  set(MARK, add(get(LAST), i32(WORD_BYTES))),
  br('line end'),
];

/** A row with quoted cells, which hold neither quotes nor line ends. Of six cells that all are: 67 to 27 ns a row. */
const readQuoted: readonly Code[] = [
  set(LAST, get(MARK)),
  set(CELL_FROM, get(AT)),
  set(COLUMN, i32(0)),
  loop(
    'cell',
    ...lookAtLast,
    set(FROM, get(CELL_FROM)),
    set(END, get(PLACE)),
    when(equal(get(BYTE), get(QUOTE)), [
      brIf('irregular', notEqual(get(PLACE), get(CELL_FROM))),
      set(FROM, add(get(PLACE), i32(1))),
      loop('inside', advanceLast, ...lookAtLast, brIf('inside', equal(get(BYTE), get(DELIMITER)))),
      brIf('irregular', notEqual(get(BYTE), get(QUOTE))),
      set(END, get(PLACE)),
      advanceLast,
      ...lookAtLast,
      brIf('irregular', notEqual(get(PLACE), add(get(END), i32(1)))),
    ]),
    when(equal(get(COLUMN), load32(get(NEXT))), [
      store32(get(CELL), sub(get(FROM), get(BASE))),
      store32At(get(CELL), WORD_BYTES, sub(get(END), get(BASE))),
      ...nextWanted,
    ]),
    when(equal(get(BYTE), get(DELIMITER)), [
      advanceLast,
      set(COLUMN, add(get(COLUMN), i32(1))),
      set(CELL_FROM, add(get(PLACE), i32(1))),
      br('cell'),
    ]),
  ),
  brIf('irregular', eqz(isLineEnd)),
  brIf('irregular', atLeastU(get(COLUMN), get(CELL_COUNT))),
  set(MARK, add(get(LAST), i32(WORD_BYTES))),
  br('line end'),
];

/** Any other is read with all that cells may hold. */
const beginCells: readonly Code[] = [
  ...firstWanted,
  set(CELL_FROM, get(AT)),
  set(COLUMN, i32(0)),
  ...look,
  when(and(equal(get(PLACE), get(AT)), isLineEnd), [set(ROW_FLAG, i32(FLAG))]),
];

/** `FROM` and `END` of what stands in a cell, and on to the mark behind it. */
const endOfCell: readonly Code[] = [
  set(FROM, get(CELL_FROM)),
  set(IS_ESCAPED, i32(0)),
  when(
    and(equal(get(PLACE), get(CELL_FROM)), equal(get(BYTE), get(QUOTE))),
    [
      set(FROM, add(get(FROM), i32(1))),
      block(
        'closed',
        loop(
          'inside',
          advance,
          ...look,
          when(equal(get(BYTE), get(QUOTE)), [
            set(END, get(PLACE)),
            advance,
            ...look,
            brIf('closed', eqz(and(equal(get(PLACE), add(get(END), i32(1))), equal(get(BYTE), get(QUOTE))))),
            set(IS_ESCAPED, i32(FLAG)),
            br('inside'),
          ]),
          when(equal(get(BYTE), i32(LINE_FEED)), [
            ...stopIfCut(atLeastU(get(PLACE), get(TO))),
            set(LINES, add(get(LINES), i32(1))),
          ]),
          br('inside'),
        ),
      ),
      brIf('stop', eqz(and(equal(get(PLACE), add(get(END), i32(1))), isCellEnd))),
    ],
    [block('ended', loop('inside', brIf('ended', isCellEnd), advance, ...look, br('inside'))), set(END, get(PLACE))],
  ),
];

const keepCell: readonly Code[] = [
  when(equal(get(COLUMN), load32(get(NEXT))), [
    store32(get(CELL), or(sub(get(FROM), get(BASE)), get(IS_ESCAPED))),
    store32At(get(CELL), WORD_BYTES, sub(get(END), get(BASE))),
    ...nextWanted,
  ]),
];

const beyondCell: readonly Code[] = [
  when(and(atLeastU(get(COLUMN), get(CELL_COUNT)), moreU(get(PLACE), get(CELL_FROM))), [
    set(ROW_FLAG, i32(OTHER_FLAG)),
  ]),
  advance,
  brIf('line end', eqz(equal(get(BYTE), get(DELIMITER)))),
  set(COLUMN, add(get(COLUMN), i32(1))),
  set(CELL_FROM, add(get(PLACE), i32(1))),
  ...look,
  br('cell'),
];

const endRow: readonly Code[] = [
  ...stopIfCut(atLeastU(get(PLACE), get(TO))),
  brIf('stop', moreU(sub(get(PLACE), get(AT)), get(ROW_BYTES_MAX))),
  set(END, add(get(PLACE), i32(1))),
  when(equal(get(BYTE), i32(CARRIAGE_RETURN)), [
    ...stopIfCut(equal(get(END), get(TO))),
    when(equal(load8(get(END)), i32(LINE_FEED)), [set(END, add(get(END), i32(1))), advance]),
  ]),
  when(equal(get(ROW_FLAG), i32(OTHER_FLAG)), firstWanted),
  block(
    'filled',
    loop(
      'missing',
      brIf('filled', equal(load32(get(NEXT)), i32(-1))),
      store32(get(CELL), i32(0)),
      store32At(get(CELL), WORD_BYTES, i32(0)),
      ...nextWanted,
      br('missing'),
    ),
  ),
  store32At(ofRow, ROW_TO, sub(get(END), get(BASE))),
  store32At(ofRow, ROW_LINES, or(get(LINES_BEFORE), get(ROW_FLAG))),
  set(AT, get(END)),
  set(LINES, add(get(LINES), i32(1))),
  set(ROW, add(get(ROW), i32(1))),
  store32(i32(STATE.at), get(AT)),
  store32(i32(STATE.mark), get(MARK)),
  store32(i32(STATE.lines), get(LINES)),
];
