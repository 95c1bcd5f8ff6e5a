/**
 * Snappy's compression in WebAssembly.
 *
 *     compress(from, to, out): of a block; where the output ended
 *     writeLiteral(from, to, out), writeCopy(back, length, out): for that one
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
  call,
  eqz,
  fillMemory,
  get,
  I32,
  I64,
  i32,
  i64,
  isZero64,
  leadingZeros64,
  leave,
  lessS,
  lessU,
  load8,
  load16,
  load64,
  load128,
  loop,
  low32,
  moreU,
  mul64,
  or,
  select,
  set,
  shl,
  shl64,
  shr,
  shr64,
  store8,
  store16,
  store32,
  store128At,
  sub,
  tee,
  trailingZeros64,
  type WasmFunction,
  when,
  xor64,
} from '../../core/wasm.js';
import { copyBytes, increase } from './copies.js';

const HASH_BITS = 14;
/** A shorter match saves nothing over the bytes themselves; hexadecimal text is full of them. */
const MATCH_BYTES_MIN = 5;
/** A copy of four to eleven bytes from less than this far back takes two bytes. */
const NEAR = 2048;
/** With so many misses the search goes on by one byte. */
const MISSES_MIN = 32;
/** Which positions of a block had which hash last, 16 bits each, at the beginning of memory. */
export const TABLE_BYTES = 2 << HASH_BITS;

const WRITE_LITERAL = 1;
const WRITE_COPY = 2;

/** Of {@link compressFunction}. */
const [FROM, TO, OUT, POSITION, LITERAL, MISSES, SLOT, CANDIDATE, BACK, END, SEARCH_END, LENGTH, IS_NEAR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
] as const;
const [WORD, DIFFERENCE] = [13, 14] as const;
/** Moves the bytes that are to match to the upper end of a word: what is below is lost in a product, too. */
const UPPER = 64 - 8 * MATCH_BYTES_MIN;
const HASH_FACTOR = 0x9e3779b185ebca87n << BigInt(UPPER);
const equalBytes = low32(shr64(trailingZeros64(get(DIFFERENCE)), i64(3n)));
const findEnd = [
  set(END, get(POSITION)),
  block(
    'differs',
    loop(
      'equal',
      when(eqz(isZero64(get(DIFFERENCE))), [increase(END, equalBytes), br('differs')]),
      increase(END, i32(8)),
      when(moreU(add(get(END), i32(8)), get(TO)), [
        loop(
          'byte',
          brIf('differs', atLeastU(get(END), get(TO))),
          brIf('differs', sub(load8(get(END)), load8(sub(get(END), get(BACK))))),
          increase(END, i32(1)),
          br('byte'),
        ),
      ]),
      set(DIFFERENCE, xor64(load64(get(END)), load64(sub(get(END), get(BACK))))),
      br('equal'),
    ),
  ),
];
const least = (local: number, other: Code) => set(local, select(get(local), other, lessU(get(local), other)));
/** Up to eight bytes that were passed over match, too. What stands before the block is read, and not counted. */
const findStart = [
  set(
    LENGTH,
    low32(
      shr64(leadingZeros64(xor64(load64(sub(get(POSITION), i32(8))), load64(sub(get(CANDIDATE), i32(8))))), i64(3n)),
    ),
  ),
  least(LENGTH, sub(get(POSITION), get(LITERAL))),
  least(LENGTH, sub(get(CANDIDATE), get(FROM))),
  set(POSITION, sub(get(POSITION), get(LENGTH))),
];
/** Short ones without a call or a loop, which took a third of the time. Of none at all, nothing is kept. */
const emitLiteral = [
  set(LENGTH, sub(get(POSITION), get(LITERAL))),
  when(
    moreU(get(LENGTH), i32(32)),
    [set(OUT, call(WRITE_LITERAL, get(LITERAL), get(POSITION), get(OUT)))],
    [
      store8(get(OUT), shl(sub(get(LENGTH), i32(1)), i32(2))),
      store128At(get(OUT), 1, load128(get(LITERAL))),
      store128At(get(OUT), 17, load128(get(LITERAL), 16)),
      increase(OUT, sub(add(get(LENGTH), i32(1)), eqz(get(LENGTH)))),
    ],
  ),
];
const nearCopy = or(
  or(i32(1), shl(sub(get(LENGTH), i32(4)), i32(2))),
  or(shl(shr(get(BACK), i32(8)), i32(5)), shl(and(get(BACK), i32(0xff)), i32(8))),
);
const farCopy = or(or(i32(2), shl(sub(get(LENGTH), i32(1)), i32(2))), shl(get(BACK), i32(8)));
const emitCopy = [
  set(LENGTH, sub(get(END), get(POSITION))),
  when(
    moreU(get(LENGTH), i32(64)),
    [set(OUT, call(WRITE_COPY, get(BACK), get(LENGTH), get(OUT)))],
    [
      set(IS_NEAR, and(lessU(get(LENGTH), i32(12)), lessU(get(BACK), i32(NEAR)))),
      store32(get(OUT), select(nearCopy, farCopy, get(IS_NEAR))),
      increase(OUT, sub(i32(3), get(IS_NEAR))),
    ],
  ),
];

/** Positions in the table are relative to the block, so that they fit in 16 bits. */
function compressFunction(): WasmFunction {
  const body = [
    fillMemory(i32(0), i32(0), i32(TABLE_BYTES)),
    set(LITERAL, get(FROM)),
    set(POSITION, add(get(FROM), i32(1))),
    set(MISSES, i32(MISSES_MIN)),
    set(SEARCH_END, sub(get(TO), i32(15))), // what is left when nothing else fits goes out as it is
    block(
      'done',
      loop(
        'next',
        brIf('done', atLeastU(get(POSITION), get(SEARCH_END))),
        set(WORD, load64(get(POSITION))),
        set(SLOT, shl(low32(shr64(mul64(get(WORD), i64(HASH_FACTOR)), i64(BigInt(64 - HASH_BITS)))), i32(1))),
        set(CANDIDATE, add(get(FROM), load16(get(SLOT)))),
        store16(get(SLOT), sub(get(POSITION), get(FROM))),
        set(DIFFERENCE, xor64(get(WORD), load64(get(CANDIDATE)))),
        when(eqz(isZero64(shl64(get(DIFFERENCE), i64(BigInt(UPPER))))), [
          increase(POSITION, shr(get(MISSES), i32(5))), // looks less and less often where nothing repeats
          increase(MISSES, i32(1)),
          br('next'),
        ]),
        set(BACK, sub(get(POSITION), get(CANDIDATE))),
        ...findEnd,
        ...findStart,
        // and takes back a miss for each byte that repeats: starting anew after every short match took three times as long
        // over hexadecimal text, to make 4 % less of it
        set(MISSES, sub(get(MISSES), sub(get(END), get(POSITION)))),
        when(lessS(get(MISSES), i32(MISSES_MIN)), [set(MISSES, i32(MISSES_MIN))]),
        ...emitLiteral,
        ...emitCopy,
        set(POSITION, get(END)),
        set(LITERAL, get(END)),
        br('next'),
      ),
    ),
    call(WRITE_LITERAL, get(LITERAL), get(TO), get(OUT)),
  ];
  return { name: 'compress', paramCount: 3, locals: [...Array(10).fill(I32), I64, I64], body };
}

function writeLiteralFunction(): WasmFunction {
  const [FROM, TO, OUT, LENGTH, STEP] = [0, 1, 2, 3, 4] as const;
  const lessOne = sub(get(LENGTH), i32(1));
  const body = [
    when(eqz(tee(LENGTH, sub(get(TO), get(FROM)))), [leave(get(OUT))]),
    when(
      atLeastU(i32(60), get(LENGTH)),
      [store8(get(OUT), shl(lessOne, i32(2))), increase(OUT, i32(1))],
      [
        when(
          atLeastU(i32(256), get(LENGTH)),
          [store16(get(OUT), or(i32(60 << 2), shl(lessOne, i32(8)))), increase(OUT, i32(2))],
          [store8(get(OUT), i32(61 << 2)), store16(add(get(OUT), i32(1)), lessOne), increase(OUT, i32(3))],
        ),
      ],
    ),
    copyBytes(get(FROM), get(OUT), get(LENGTH), STEP),
    add(get(OUT), get(LENGTH)),
  ];
  return { name: 'writeLiteral', paramCount: 3, locals: [I32, I32], body };
}

function writeCopyFunction(): WasmFunction {
  const [BACK, LENGTH, OUT, PART] = [0, 1, 2, 3] as const;
  const body = [
    block(
      'done',
      loop(
        'next',
        brIf('done', eqz(get(LENGTH))),
        set(PART, get(LENGTH)),
        // what is left must make a copy of its own, of four bytes at least
        when(moreU(get(PART), i32(64)), [set(PART, i32(64)), when(lessU(get(LENGTH), i32(68)), [set(PART, i32(60))])]),
        when(
          and(lessU(get(PART), i32(12)), lessU(get(BACK), i32(NEAR))),
          [
            store8(get(OUT), or(or(i32(1), shl(sub(get(PART), i32(4)), i32(2))), shl(shr(get(BACK), i32(8)), i32(5)))),
            store8(add(get(OUT), i32(1)), get(BACK)),
            increase(OUT, i32(2)),
          ],
          [
            store8(get(OUT), or(i32(2), shl(sub(get(PART), i32(1)), i32(2)))),
            store16(add(get(OUT), i32(1)), get(BACK)),
            increase(OUT, i32(3)),
          ],
        ),
        set(LENGTH, sub(get(LENGTH), get(PART))),
        br('next'),
      ),
    ),
    get(OUT),
  ];
  return { name: 'writeCopy', paramCount: 3, locals: [I32], body };
}

/** The first one first, then those that it calls. */
export const compressFunctions = (): readonly WasmFunction[] => [
  compressFunction(),
  writeLiteralFunction(),
  writeCopyFunction(),
];
