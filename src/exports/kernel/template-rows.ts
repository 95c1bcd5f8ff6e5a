/**
 * Rows of JSON that are like one before them but for their values, as rows of an export mostly are.
 *
 *     templateRows(to, base, rowBytesMax, row)
 *       from the row where the last call stopped, as long as they are like the template, at most ROWS_MAX:
 *         stores the end of each, the line ends before it, and its cells
 *       returns how many rows the batch has then; places are counted from base
 *
 * The template (row-template.ts) was a row that is JSON. A row with the same bytes in the same order, and between them other
 * texts, numbers and words where the template has texts, numbers and words, is JSON, too, and has the same keys in the same
 * places. Every byte is compared or is part of a value that is read to its end, as RFC 8259 has it. A row with anything else
 * in it is left to ndjson-rows.ts, with what cells it has been given until then; so is one that is too long, or has no end.
 *
 * Nothing is called here, so that all stays in registers: a call costs 10 ns a row, which takes 40.
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
  equal,
  equal8,
  eqz,
  get,
  I32,
  I64,
  i32,
  i64,
  isZero64,
  load8,
  load8At,
  load16At,
  load32,
  load32At,
  load128,
  loop,
  low32,
  moreU,
  or,
  or64,
  set,
  shl,
  shl64,
  store32,
  store32At,
  sub,
  tee,
  trailingZeros64,
  V128,
  type WasmFunction,
  when,
  widened,
} from '../../core/wasm.js';
import { constant } from './constant.js';
import { PIECES, ROW_LINES, ROW_TO, ROWS_MAX, STATE, WORD_BYTES } from './layout.js';
import { KIND, PIECE, PIECE_BYTES } from './row-template.js';
import { numberAt, skipEscape, type TextLocals, textConstants, textStops, wordAt } from './token.js';

const BACKSLASH = 0x5c;

const [TO, BASE, ROW_BYTES_MAX, ROW] = [0, 1, 2, 3] as const;
const [AT, LINES, PLACE, AT_PIECE, FROM, KIND_OF, BYTE, MASK, COUNT, CELL] = [
  4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
] as const;
const [BITS, ZEROS, NINES] = [14, 15, 16] as const;
const TEXT: TextLocals = { bytes: 17, turned: 18, spaces: 19, backslashes: 20 };

export function templateRowsFunction(): WasmFunction {
  const body: readonly Code[] = [
    ...textConstants(TEXT),
    ...constant(ZEROS, 0x30),
    ...constant(NINES, 9),
    set(AT, load32(i32(STATE.at))),
    set(LINES, load32(i32(STATE.lines))),
    block(
      'odd',
      loop(
        'row',
        brIf('odd', equal(get(ROW), i32(ROWS_MAX))),
        set(PLACE, get(AT)),
        set(AT_PIECE, i32(PIECES)),
        block('row read', loop('piece', ...comparePiece, ...readValue)),
        brIf('odd', atLeastU(get(PLACE), get(TO))),
        brIf('odd', moreU(sub(get(PLACE), get(AT)), get(ROW_BYTES_MAX))),
        set(AT, add(get(PLACE), i32(1))),
        store32At(ofRow, ROW_TO, sub(get(AT), get(BASE))),
        store32At(ofRow, ROW_LINES, get(LINES)),
        set(LINES, add(get(LINES), i32(1))),
        set(ROW, add(get(ROW), i32(1))),
        br('row'),
      ),
    ),
    store32(i32(STATE.at), get(AT)),
    store32(i32(STATE.lines), get(LINES)),
    get(ROW),
  ];
  const locals = [...Array<number>(BITS - AT).fill(I32), I64, ...Array<number>(TEXT.backslashes - BITS).fill(V128)];
  return { name: 'templateRows', paramCount: 4, locals, body };
}

const is = (kind: number) => equal(get(KIND_OF), i32(kind));
const ofRow = shl(get(ROW), i32(2));
const nextPiece = set(AT_PIECE, add(get(AT_PIECE), i32(PIECE_BYTES)));
const isSame = equal(
  or(bitmask8(equal8(load128(get(PLACE)), load128(get(AT_PIECE)))), load16At(get(AT_PIECE), PIECE.ignored)),
  i32(0xffff),
);

/** Where the row differs, there may be an escape in a text before, which is read on then, if nobody wants it. */
const comparePiece: readonly Code[] = [
  when(
    isSame,
    [set(PLACE, add(get(PLACE), load8At(get(AT_PIECE), PIECE.length)))],
    [
      brIf('odd', equal(get(AT_PIECE), i32(PIECES))),
      brIf('odd', eqz(equal(load8(get(PLACE)), i32(BACKSLASH)))),
      set(AT_PIECE, sub(get(AT_PIECE), i32(PIECE_BYTES))),
      brIf('odd', moreU(load8At(get(AT_PIECE), PIECE.kind), i32(KIND.text64))),
      brIf('odd', load32At(get(AT_PIECE), PIECE.cells)),
      ...skipEscape(PLACE, BYTE),
    ],
  ),
  set(KIND_OF, load8At(get(AT_PIECE), PIECE.kind)),
];

/** A bit for each of `width` bytes at `PLACE` that does not simply stand in a text. */
const stops = (width: number): Code => {
  const parts = Array.from({ length: width / 16 }, (_, index) => {
    const bits = widened(textStops(PLACE, 16 * index, TEXT));
    return index === 0 ? bits : shl64(bits, i64(BigInt(16 * index)));
  });
  return parts.reduce((all, part) => or64(all, part));
};

/**
 * To where the text ends. One that has the length it always has is stepped over by that: what comes next need not wait for its
 * end to be found: 9 ns a row less.
 */
const readText = (width: number): readonly Code[] => [
  loop(
    'long',
    set(BITS, stops(width)),
    when(isZero64(get(BITS)), [set(PLACE, add(get(PLACE), i32(width))), br('long')]),
  ),
  set(COUNT, load32At(get(AT_PIECE), PIECE.textLength)),
  set(MASK, low32(trailingZeros64(get(BITS)))),
  when(
    equal(get(MASK), get(COUNT)),
    [set(PLACE, add(get(PLACE), get(COUNT)))],
    [set(PLACE, add(get(PLACE), get(MASK)))],
  ),
  br('text read'),
];

const readNumber = (width: 16 | 32): readonly Code[] => [
  ...numberAt({ place: PLACE, byte: BYTE, from: FROM, mask: MASK, count: COUNT }, width, get(ZEROS), get(NINES)),
  br('piece'),
];

const readValue: readonly Code[] = [
  block(
    'text read',
    set(FROM, get(PLACE)),
    when(is(KIND.text16), readText(16)),
    when(is(KIND.text32), readText(32)),
    when(is(KIND.text48), readText(48)),
    when(is(KIND.text64), readText(64)),
    nextPiece,
    when(is(KIND.number16), readNumber(16)),
    when(is(KIND.number32), readNumber(32)),
    brIf('piece', is(KIND.piece)),
    when(is(KIND.end), [set(PLACE, sub(get(PLACE), i32(1))), br('row read')]),
    ...wordAt(PLACE, MASK),
    br('piece'),
  ),
  when(tee(CELL, load32At(get(AT_PIECE), PIECE.cells)), [
    set(CELL, add(get(CELL), shl(get(ROW), i32(3)))),
    store32(get(CELL), sub(get(FROM), get(BASE))),
    store32At(get(CELL), WORD_BYTES, sub(get(PLACE), get(BASE))),
  ]),
  nextPiece,
  br('piece'),
];
