/**
 * Indexes of a dictionary in WebAssembly: out of runs and packed bits, and into them again (hybrid.ts, the twin of this).
 *
 *     readIndexes(at, end, width, count, out):                 0 where that is damaged, else 1
 *     keepIndexes(indexes, count, mask, isUsed, valueCount):   how many are kept, moved together; -1 where one is too large
 *     renumber(indexes, count, newIndexes)
 *     writeIndexes(indexes, end, width, out):                  where the output ended
 *     packIndexes(indexes, end, width, out), writeVarint(value, out): for that one
 *
 * Widths are from 1 to 32. An index has 32 bits, low ones first. What is read and what is written has slack behind it, as in
 * keep-values.ts.
 * @module
 */
import {
  add,
  and,
  atLeastU,
  block,
  br,
  brIf,
  call,
  equal,
  eqz,
  get,
  I32,
  I64,
  i32,
  i64,
  leave,
  lessU,
  load8,
  load32,
  load64,
  loop,
  low32,
  moreU,
  mul,
  or,
  or64,
  set,
  shl,
  shl64,
  shr,
  shr64,
  splat32,
  store8,
  store32,
  store64,
  store128,
  sub,
  type WasmFunction,
  when,
  widened,
} from '../../core/wasm.js';
import { increase } from './copies.js';
import { isKept } from './keep-values.js';

const INDEX_BYTES = 4;

/** Of {@link readIndexesFunction}. */
const [AT, END, WIDTH, COUNT, OUT, HEAD, SHIFT, BYTE, LENGTH, VALUE_BYTES, BIT, OUT_END] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
] as const;
const fail = leave(i32(0));
const left = sub(get(END), get(AT));
const readHead = [
  set(HEAD, i32(0)),
  set(SHIFT, i32(0)),
  block(
    'read',
    loop(
      'byte',
      when(or(atLeastU(get(AT), get(END)), moreU(get(SHIFT), i32(28))), [fail]),
      set(BYTE, load8(get(AT))),
      increase(AT, i32(1)),
      set(HEAD, or(get(HEAD), shl(and(get(BYTE), i32(0x7f)), get(SHIFT)))),
      brIf('read', lessU(get(BYTE), i32(0x80))),
      increase(SHIFT, i32(7)),
      br('byte'),
    ),
  ),
];
const run = [
  set(LENGTH, shr(get(HEAD), i32(1))),
  when(moreU(get(LENGTH), get(COUNT)), [set(LENGTH, get(COUNT))]),
  when(or(eqz(get(LENGTH)), lessU(left, get(VALUE_BYTES))), [fail]),
  set(BYTE, and(load32(get(AT)), shr(i32(-1), sub(i32(32), shl(get(VALUE_BYTES), i32(3)))))),
  increase(AT, get(VALUE_BYTES)),
  set(OUT_END, add(get(OUT), shl(get(LENGTH), i32(2)))),
  loop(
    'fill',
    store128(get(OUT), splat32(get(BYTE))),
    increase(OUT, i32(16)),
    brIf('fill', lessU(get(OUT), get(OUT_END))),
  ),
  set(OUT, get(OUT_END)),
];
const packed = [
  set(HEAD, shr(get(HEAD), i32(1))),
  set(LENGTH, get(COUNT)),
  // eight times as much may have more than 32 bits
  when(atLeastU(shr(get(COUNT), i32(3)), get(HEAD)), [set(LENGTH, shl(get(HEAD), i32(3)))]),
  when(or(eqz(get(HEAD)), lessU(left, shr(add(mul(get(LENGTH), get(WIDTH)), i32(7)), i32(3)))), [fail]),
  set(OUT_END, add(get(OUT), shl(get(LENGTH), i32(2)))),
  set(BIT, i32(0)),
  loop(
    'unpack',
    store32(
      get(OUT),
      and(
        low32(shr64(load64(add(get(AT), shr(get(BIT), i32(3)))), widened(and(get(BIT), i32(7))))),
        shr(i32(-1), sub(i32(32), get(WIDTH))),
      ),
    ),
    increase(BIT, get(WIDTH)),
    increase(OUT, i32(INDEX_BYTES)),
    brIf('unpack', lessU(get(OUT), get(OUT_END))),
  ),
  // where values are left to be read, all of these groups were there
  increase(AT, mul(get(HEAD), get(WIDTH))),
];

function readIndexesFunction(): WasmFunction {
  const body = [
    set(VALUE_BYTES, shr(add(get(WIDTH), i32(7)), i32(3))),
    block(
      'done',
      loop(
        'next',
        brIf('done', eqz(get(COUNT))),
        ...readHead,
        when(and(get(HEAD), i32(1)), packed, run),
        set(COUNT, sub(get(COUNT), get(LENGTH))),
        br('next'),
      ),
    ),
    i32(1),
  ];
  return { name: 'readIndexes', paramCount: 5, locals: Array(7).fill(I32), body };
}

function keepIndexesFunction(): WasmFunction {
  const [INDEXES, COUNT, MASK, IS_USED, VALUE_COUNT, AT, OUT, INDEX, KEPT] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const body = [
    set(AT, get(INDEXES)),
    set(OUT, get(INDEXES)),
    block(
      'done',
      loop(
        'next',
        brIf('done', eqz(get(COUNT))),
        set(INDEX, load32(get(AT))),
        set(KEPT, isKept(load8(get(MASK)))),
        when(and(get(KEPT), atLeastU(get(INDEX), get(VALUE_COUNT))), [leave(i32(-1))]),
        store32(get(OUT), get(INDEX)),
        set(INDEX, add(get(IS_USED), and(get(INDEX), sub(i32(0), get(KEPT))))),
        store8(get(INDEX), or(load8(get(INDEX)), get(KEPT))),
        increase(AT, i32(INDEX_BYTES)),
        increase(OUT, shl(get(KEPT), i32(2))),
        increase(MASK, i32(1)),
        increase(COUNT, i32(-1)),
        br('next'),
      ),
    ),
    shr(sub(get(OUT), get(INDEXES)), i32(2)),
  ];
  return { name: 'keepIndexes', paramCount: 5, locals: Array(4).fill(I32), body };
}

function renumberFunction(): WasmFunction {
  const [INDEXES, COUNT, NEW_INDEXES] = [0, 1, 2] as const;
  const body = [
    block(
      'done',
      loop(
        'next',
        brIf('done', eqz(get(COUNT))),
        store32(get(INDEXES), load32(add(get(NEW_INDEXES), shl(load32(get(INDEXES)), i32(2))))),
        increase(INDEXES, i32(INDEX_BYTES)),
        increase(COUNT, i32(-1)),
        br('next'),
      ),
    ),
    i32(0),
  ];
  return { name: 'renumber', paramCount: 3, locals: [], body };
}

/** @param first Index of the function that stands first of these in the module. */
function writeIndexesFunction(packIndexes: number, writeVarint: number): WasmFunction {
  const [AT, END, WIDTH, OUT, PACKED_FROM, RUN_END, VALUE, LENGTH] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const body = [
    set(PACKED_FROM, get(AT)),
    block(
      'done',
      loop(
        'next',
        brIf('done', atLeastU(get(AT), get(END))),
        set(VALUE, load32(get(AT))),
        set(RUN_END, add(get(AT), i32(INDEX_BYTES))),
        block(
          'differs',
          loop(
            'same',
            brIf('differs', atLeastU(get(RUN_END), get(END))),
            brIf('differs', sub(load32(get(RUN_END)), get(VALUE))),
            increase(RUN_END, i32(INDEX_BYTES)),
            br('same'),
          ),
        ),
        set(LENGTH, shr(sub(get(RUN_END), get(AT)), i32(2))),
        when(lessU(get(LENGTH), i32(8)), [
          // a short run pays only where it is all there is
          when(eqz(and(equal(get(RUN_END), get(END)), equal(get(AT), get(PACKED_FROM)))), [
            increase(AT, i32(8 * INDEX_BYTES)),
            br('next'),
          ]),
        ]),
        set(OUT, call(packIndexes, get(PACKED_FROM), get(AT), get(WIDTH), get(OUT))),
        set(OUT, call(writeVarint, shl(get(LENGTH), i32(1)), get(OUT))),
        store32(get(OUT), get(VALUE)),
        increase(OUT, shr(add(get(WIDTH), i32(7)), i32(3))),
        set(AT, get(RUN_END)),
        set(PACKED_FROM, get(RUN_END)),
        br('next'),
      ),
    ),
    call(packIndexes, get(PACKED_FROM), get(END), get(WIDTH), get(OUT)),
  ];
  return { name: 'writeIndexes', paramCount: 4, locals: Array(4).fill(I32), body };
}

/** Whole groups of eight; the last one is filled up with zeros. */
function packIndexesFunction(writeVarint: number): WasmFunction {
  const [AT, END, WIDTH, OUT, HAVE, OUT_END, BITS] = [0, 1, 2, 3, 4, 5, 6] as const;
  const groups = get(HAVE);
  const body = [
    when(atLeastU(get(AT), get(END)), [leave(get(OUT))]),
    set(HAVE, shr(add(sub(get(END), get(AT)), i32(7 * INDEX_BYTES)), i32(5))),
    set(OUT, call(writeVarint, or(shl(groups, i32(1)), i32(1)), get(OUT))),
    set(OUT_END, add(get(OUT), mul(groups, get(WIDTH)))),
    set(HAVE, i32(0)),
    loop(
      'next',
      set(BITS, or64(get(BITS), shl64(widened(load32(get(AT))), widened(get(HAVE))))),
      increase(HAVE, get(WIDTH)),
      store64(get(OUT), get(BITS)),
      increase(OUT, shr(get(HAVE), i32(3))),
      set(BITS, shr64(get(BITS), widened(and(get(HAVE), i32(0x38))))),
      set(HAVE, and(get(HAVE), i32(7))),
      increase(AT, i32(INDEX_BYTES)),
      brIf('next', lessU(get(AT), get(END))),
    ),
    store64(get(OUT), get(BITS)),
    ...[8, 16, 24].map((offset) => store64(add(get(OUT), i32(offset)), i64(0n))),
    get(OUT_END),
  ];
  return { name: 'packIndexes', paramCount: 4, locals: [I32, I32, I64], body };
}

function writeVarintFunction(): WasmFunction {
  const [VALUE, OUT] = [0, 1] as const;
  const body = [
    block(
      'last',
      loop(
        'byte',
        brIf('last', lessU(get(VALUE), i32(0x80))),
        store8(get(OUT), or(get(VALUE), i32(0x80))),
        set(VALUE, shr(get(VALUE), i32(7))),
        increase(OUT, i32(1)),
        br('byte'),
      ),
    ),
    store8(get(OUT), get(VALUE)),
    add(get(OUT), i32(1)),
  ];
  return { name: 'writeVarint', paramCount: 2, locals: [], body };
}

/** @param at Index in the module that the first of them has. */
export const indexFunctions = (at: number): readonly WasmFunction[] => [
  writeVarintFunction(),
  packIndexesFunction(at),
  writeIndexesFunction(at + 1, at),
  readIndexesFunction(),
  keepIndexesFunction(),
  renumberFunction(),
];
