/**
 * Snappy's decompression in WebAssembly.
 *
 *     decompress(from, to, out, outEnd): where the output ended; -1 where the input is damaged
 *
 * What must stay true: every length and every distance is checked before anything is copied.
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
  leave,
  lessU,
  load8,
  load32,
  load64,
  load128,
  loop,
  moreU,
  or,
  select,
  set,
  shl,
  shr,
  store64,
  store128,
  store128At,
  sub,
  type WasmFunction,
  when,
} from '../../core/wasm.js';
import { copyBytes, increase } from './copies.js';

const [FROM, TO, OUT, OUT_END, ORIGIN, TAG, LENGTH, BACK, SOURCE, END, IS_NEAR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
] as const;
const failUnless = (condition: Code) => when(eqz(condition), [leave(i32(-1))]);

const left = sub(get(TO), get(FROM));
const room = sub(get(OUT_END), get(OUT));
const kind = and(get(TAG), i32(3));
const literal = [
  set(LENGTH, shr(get(TAG), i32(2))), // less one
  when(atLeastU(get(LENGTH), i32(60)), [
    set(BACK, sub(get(LENGTH), i32(59))), // bytes of the length
    failUnless(atLeastU(left, get(BACK))),
    set(LENGTH, and(load32(get(FROM)), shr(i32(-1), sub(i32(32), shl(get(BACK), i32(3)))))),
    increase(FROM, get(BACK)),
  ]),
  failUnless(lessU(get(LENGTH), left)),
  failUnless(lessU(get(LENGTH), room)),
  increase(LENGTH, i32(1)),
  store128(get(OUT), load128(get(FROM))),
  store128At(get(OUT), 16, load128(get(FROM), 16)),
  when(moreU(get(LENGTH), i32(32)), [copyBytes(get(FROM), get(OUT), get(LENGTH), SOURCE)]),
  increase(FROM, get(LENGTH)),
  increase(OUT, get(LENGTH)),
  br('next'),
];
/** Without branches: which kind of copy comes next cannot be guessed. Bytes of the distance: 1, 2, or 4. */
const readCopy = [
  set(IS_NEAR, equal(kind, i32(1))),
  set(END, add(kind, equal(kind, i32(3)))),
  set(
    LENGTH,
    select(add(and(shr(get(TAG), i32(2)), i32(7)), i32(4)), add(shr(get(TAG), i32(2)), i32(1)), get(IS_NEAR)),
  ),
  set(
    BACK,
    or(
      and(load32(get(FROM)), shr(i32(-1), sub(i32(32), shl(get(END), i32(3))))),
      select(shl(shr(get(TAG), i32(5)), i32(8)), i32(0), get(IS_NEAR)),
    ),
  ),
  increase(FROM, get(END)),
];
/** In steps of so many bytes, the first one without asking whether there are more. */
const copyNear = (bytes: number, step: Code) => [
  step,
  set(END, add(get(OUT), get(LENGTH))),
  when(moreU(get(LENGTH), i32(bytes)), [
    loop(
      'copy',
      increase(OUT, i32(bytes)),
      increase(SOURCE, i32(bytes)),
      step,
      brIf('copy', lessU(add(get(OUT), i32(bytes)), get(END))),
    ),
  ]),
  set(OUT, get(END)),
];
/** From less than eight bytes back: what repeats is made longer until eight bytes can be copied at once. */
const repeat = [
  set(END, add(get(OUT), get(LENGTH))),
  block(
    'far',
    loop(
      'near',
      brIf('far', atLeastU(sub(get(OUT), get(SOURCE)), i32(8))),
      store64(get(OUT), load64(get(SOURCE))),
      increase(OUT, sub(get(OUT), get(SOURCE))),
      br('near'),
    ),
  ),
  block(
    'done',
    loop(
      'copy',
      brIf('done', atLeastU(get(OUT), get(END))),
      store64(get(OUT), load64(get(SOURCE))),
      increase(OUT, i32(8)),
      increase(SOURCE, i32(8)),
      br('copy'),
    ),
  ),
  set(OUT, get(END)),
];

export function decompressFunction(): WasmFunction {
  const body = [
    set(ORIGIN, get(OUT)),
    loop(
      'next',
      when(atLeastU(get(FROM), get(TO)), [leave(get(OUT))]),
      set(TAG, load8(get(FROM))),
      increase(FROM, i32(1)),
      when(eqz(kind), literal),
      ...readCopy,
      failUnless(atLeastU(get(TO), get(FROM))),
      failUnless(atLeastU(room, get(LENGTH))),
      // less one, so that none at all is too far
      failUnless(lessU(sub(get(BACK), i32(1)), sub(get(OUT), get(ORIGIN)))),
      set(SOURCE, sub(get(OUT), get(BACK))),
      when(atLeastU(get(BACK), i32(16)), copyNear(16, store128(get(OUT), load128(get(SOURCE)))), [
        when(atLeastU(get(BACK), i32(8)), copyNear(8, store64(get(OUT), load64(get(SOURCE)))), repeat),
      ]),
      br('next'),
    ),
    i32(-1),
  ];
  return { name: 'decompress', paramCount: 4, locals: Array(7).fill(I32), body };
}
