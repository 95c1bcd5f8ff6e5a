/**
 * Keys out of a column of cells that hold UUIDs or digests in hexadecimal: what core/identity/hex-bytes.ts does for one value.
 *
 *     hexCells(cells, rowCount, digits, base, messages)
 *       for each row whose cell is not empty:
 *         a UUID (digits = 0) or so many digits: stores the row and the four words of its key
 *         of a UUID, unless messages is 0, also its 32 digits in lower case as a message to be hashed (sha256-blocks.ts)
 *         anything else, and what begins with zeros or like a digest of nothing: stores the row among the others
 *       returns how many were read; the state says how many others there are
 *
 * @module
 */
import {
  add,
  add8,
  allBytes8,
  and128,
  anyBit128,
  block,
  br,
  brIf,
  type Code,
  constant128,
  equal,
  equal8,
  equal32x4,
  eqz,
  get,
  I32,
  i32,
  lessS,
  lessU8,
  load32,
  load32At,
  load128,
  loop,
  or128,
  set,
  shl16x8,
  shr,
  shr16x8,
  shuffle8,
  splat8,
  splat32,
  store32,
  store32At,
  store128At,
  sub,
  sub8,
  V128,
  type WasmFunction,
  when,
  word32,
} from '../../core/wasm.js';
import {
  CELL_BYTES,
  JUNK,
  KEY_ROW,
  KEY_WORD_BYTES,
  KEY_WORDS,
  MESSAGE_BYTES,
  OTHER_ROW,
  STATE,
  WORD_BYTES,
} from './layout.js';

const [CELL, ROW_COUNT, DIGITS, BASE, MESSAGE, ROW, FROM, LENGTH, KEY_AT, OTHER_AT, FIRST, SECOND, SPARE] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
] as const;
const UUID_LENGTH = 36;
const COMPACT_LENGTH = 32;

/** Behind 32 bytes: a one, zeros, and their length in bits. */
const PADDING = constant128([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const LENGTH_OF_DIGITS = constant128([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);

export function hexCellsFunction(): WasmFunction {
  const body = [
    set(ROW, i32(0)),
    set(KEY_AT, i32(0)),
    set(OTHER_AT, i32(0)),
    block(
      'done',
      loop(
        'cell',
        brIf('done', equal(get(ROW), get(ROW_COUNT))),
        set(FROM, load32(get(CELL))),
        set(LENGTH, sub(load32At(get(CELL), WORD_BYTES), get(FROM))),
        block(
          'next',
          brIf('next', eqz(get(LENGTH))),
          block(
            'other',
            brIf('other', lessS(get(FROM), i32(0))),
            set(FROM, add(get(FROM), get(BASE))),
            ...readDigits,
            ...keepKey,
            br('next'),
          ),
          store32At(get(OTHER_AT), OTHER_ROW, get(ROW)),
          set(OTHER_AT, add(get(OTHER_AT), i32(WORD_BYTES))),
        ),
        set(CELL, add(get(CELL), i32(CELL_BYTES))),
        set(ROW, add(get(ROW), i32(1))),
        br('cell'),
      ),
    ),
    store32(i32(STATE.otherCount), shr(get(OTHER_AT), i32(2))),
    shr(get(KEY_AT), i32(2)),
  ];
  return { name: 'hexCells', paramCount: 5, locals: [I32, I32, I32, I32, I32, V128, V128, V128], body };
}

const lowerCase = (bytes: Code) => or128(bytes, splat8(i32(0x20)));
const isLetter = (bytes: Code) => lessU8(sub8(lowerCase(bytes), splat8(i32(0x61))), splat8(i32(6)));
const isDigit = (bytes: Code) => lessU8(sub8(bytes, splat8(i32(0x30))), splat8(i32(10)));
const isHex = (local: number) => or128(isDigit(get(local)), isLetter(get(local)));
const unlessAll = (condition: Code) => brIf('other', eqz(allBytes8(condition)));
const lanes = (...lane: readonly number[]) => lane;

/** The first 32 digits, without hyphens, in `FIRST` and `SECOND`; leaves for `other` where any digit is none. */
const readDigits: readonly Code[] = [
  set(FIRST, load128(get(FROM))),
  set(SECOND, load128(get(FROM), 16)),
  when(
    get(DIGITS),
    [
      brIf('other', eqz(equal(get(LENGTH), get(DIGITS)))),
      // what follows the first 32 of 40 or 64; of 32 these look at the same ones again
      set(SPARE, load128(sub(add(get(FROM), get(DIGITS)), i32(16)))),
      unlessAll(isHex(SPARE)),
      set(SPARE, load128(add(get(FROM), shr(get(DIGITS), i32(1))))),
      unlessAll(isHex(SPARE)),
    ],
    [
      when(
        equal(get(LENGTH), i32(UUID_LENGTH)),
        [
          unlessAll(
            equal8(
              shuffle8(get(FIRST), get(SECOND), lanes(8, 13, 18, 23, 8, 13, 18, 23, 8, 13, 18, 23, 8, 13, 18, 23)),
              splat8(i32(0x2d)),
            ),
          ),
          set(SPARE, load128(get(FROM), 20)),
          set(FIRST, shuffle8(get(FIRST), get(SECOND), lanes(0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17))),
          set(
            SECOND,
            shuffle8(get(SECOND), get(SPARE), lanes(3, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)),
          ),
        ],
        [brIf('other', eqz(equal(get(LENGTH), i32(COMPACT_LENGTH))))],
      ),
    ],
  ),
  unlessAll(and128(isHex(FIRST), isHex(SECOND))),
];

/** The bytes that eight pairs of digits stand for, each in the low half of two. */
const decoded = (local: number): readonly Code[] => [
  set(SPARE, add8(and128(get(local), splat8(i32(0x0f))), and128(isLetter(get(local)), splat8(i32(9))))),
  set(local, or128(shl16x8(get(SPARE), i32(4)), shr16x8(get(SPARE), i32(8)))),
];

const keepKey: readonly Code[] = [
  when(get(MESSAGE), [
    store128At(get(MESSAGE), 0, lowerCase(get(FIRST))),
    store128At(get(MESSAGE), 16, lowerCase(get(SECOND))),
  ]),
  ...decoded(FIRST),
  ...decoded(SECOND),
  set(FIRST, shuffle8(get(FIRST), get(SECOND), lanes(6, 4, 2, 0, 14, 12, 10, 8, 22, 20, 18, 16, 30, 28, 26, 24))),
  brIf('other', anyBit128(equal32x4(splat32(word32(get(FIRST), 0)), load128(i32(JUNK))))),
  store32At(get(KEY_AT), KEY_ROW, get(ROW)),
  ...[0, 1, 2, 3].map((word) => store32At(get(KEY_AT), KEY_WORDS + word * KEY_WORD_BYTES, word32(get(FIRST), word))),
  set(KEY_AT, add(get(KEY_AT), i32(WORD_BYTES))),
  when(get(MESSAGE), [
    store128At(get(MESSAGE), 32, PADDING),
    store128At(get(MESSAGE), 48, LENGTH_OF_DIGITS),
    set(MESSAGE, add(get(MESSAGE), i32(MESSAGE_BYTES))),
  ]),
];
