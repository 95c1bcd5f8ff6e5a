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
  addUpTo255,
  and128,
  bitmask8,
  block,
  br,
  brIf,
  type Code,
  constant128,
  equal,
  equal32x4,
  eqz,
  get,
  greaterU8,
  I32,
  i32,
  lesserU8,
  lessS,
  load8At,
  load32,
  load32At,
  load64Zero,
  load128,
  loadWord32,
  loop,
  narrow8,
  notEqual,
  or128,
  set,
  shl16x8,
  shr,
  shr16x8,
  shuffle8,
  splat8,
  store32,
  store32At,
  store128At,
  storeWord32At,
  sub,
  sub8,
  subDownTo0,
  V128,
  type WasmFunction,
  when,
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

const [CELL, ROW_COUNT, DIGITS, BASE, MESSAGE, ROW, FROM, LENGTH, KEY_AT, OTHER_AT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const;
const [FIRST, SECOND, SPARE, VALUES, FURTHER, WORST] = [10, 11, 12, 13, 14, 15] as const;
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
  const vectors = [V128, V128, V128, V128, V128, V128];
  return { name: 'hexCells', paramCount: 5, locals: [I32, I32, I32, I32, I32, ...vectors], body };
}

const splat = (byte: number) => splat8(i32(byte));

/** What sixteen digits stand for, each; more than 15 where one is none. */
const valuesOf = (local: number): Code => {
  // 0 to 9 become 0xf6 to 0xff, the only ones that are 0xf0 and more when 6 is taken off
  const digits = sub8(subDownTo0(add8(get(local), splat(0x100 + 0xf6 - 0x30)), splat(6)), splat(0xf0));
  const letters = addUpTo255(sub8(and128(get(local), splat(0xdf)), splat(0x41)), splat(10));
  return lesserU8(digits, letters);
};

/** The first 32 digits, without hyphens, in `FIRST` and `SECOND`. `WORST` is what others stand for. */
const readDigits: readonly Code[] = [
  set(FIRST, load128(get(FROM))),
  set(SECOND, load128(get(FROM), 16)),
  set(WORST, constant128(Array<number>(16).fill(0))),
  when(
    get(DIGITS),
    [
      brIf('other', notEqual(get(LENGTH), get(DIGITS))),
      // what follows the first 32 of 40 or 64; of 32 these look at the same ones again
      set(SPARE, load128(sub(add(get(FROM), get(DIGITS)), i32(16)))),
      set(WORST, valuesOf(SPARE)),
      set(SPARE, load128(add(get(FROM), shr(get(DIGITS), i32(1))))),
      set(WORST, greaterU8(get(WORST), valuesOf(SPARE))),
    ],
    [
      when(
        equal(get(LENGTH), i32(UUID_LENGTH)),
        [
          ...[8, 13, 18, 23].map((at) => brIf('other', notEqual(load8At(get(FROM), at), i32(0x2d)))),
          set(FIRST, loadWord32(get(FROM), 14, loadWord32(get(FROM), 9, load64Zero(get(FROM)), 2), 3)),
          set(SECOND, loadWord32(get(FROM), 19, load128(get(FROM), 20), 0)),
        ],
        [brIf('other', notEqual(get(LENGTH), i32(COMPACT_LENGTH)))],
      ),
    ],
  ),
];

const lowerCase = (bytes: Code) => or128(bytes, splat(0x20));
/** Of eight pairs of digits, one in the lower byte of two: the byte that it stands for. */
const pairsOf = (local: number): Code =>
  or128(shr16x8(shl16x8(get(local), i32(12)), i32(8)), shr16x8(get(local), i32(8)));

const lanesOf = (local: number, ...lanes: readonly number[]) => shuffle8(get(local), get(local), lanes);

const keepKey: readonly Code[] = [
  set(VALUES, valuesOf(FIRST)),
  set(FURTHER, valuesOf(SECOND)),
  set(WORST, greaterU8(get(WORST), greaterU8(get(VALUES), get(FURTHER)))),
  brIf('other', bitmask8(addUpTo255(get(WORST), splat(0x70)))),
  set(VALUES, narrow8(pairsOf(VALUES), pairsOf(FURTHER))),
  set(VALUES, lanesOf(VALUES, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)),
  set(FURTHER, lanesOf(VALUES, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)),
  brIf('other', bitmask8(equal32x4(get(FURTHER), load128(i32(JUNK))))),
  store32At(get(KEY_AT), KEY_ROW, get(ROW)),
  ...[0, 1, 2, 3].map((word) => storeWord32At(get(KEY_AT), KEY_WORDS + word * KEY_WORD_BYTES, get(VALUES), word)),
  set(KEY_AT, add(get(KEY_AT), i32(WORD_BYTES))),
  when(get(MESSAGE), [
    store128At(get(MESSAGE), 0, lowerCase(get(FIRST))),
    store128At(get(MESSAGE), 16, lowerCase(get(SECOND))),
    store128At(get(MESSAGE), 32, PADDING),
    store128At(get(MESSAGE), 48, LENGTH_OF_DIGITS),
    set(MESSAGE, add(get(MESSAGE), i32(MESSAGE_BYTES))),
  ]),
];
