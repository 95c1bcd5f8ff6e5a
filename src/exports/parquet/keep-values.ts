/**
 * What is kept of the values of a page, in WebAssembly: every value is copied, and the next one goes over it if it was not to be
 * kept. So nothing is decided row by row: eight bytes take 0.7 ns, and 3.5 ns where a loop asks.
 *
 *     keepWords(at, count, mask, out), keepLongs(...):  values of four and of eight bytes; where the output ended
 *     keepWide(at, count, mask, out, width):            of any other width
 *     keepTexts(at, end, count, mask, out):             of any length, each behind its length; 0 where one goes beyond the end
 *     keepSpans(base, starts, ends, count, mask, out):  of which it is known where they stand; where the output ended
 *     spans(at, end, count, base, starts, ends):        where each begins and ends, less base; 0 in the same case, else 1
 *     countKept(mask, count)
 *
 * A mask has a byte for each value: 0 if it goes, else 1 or 2. The output needs room for all values, and both have
 * {@link SLACK_BYTES} behind them that nothing is in.
 * @module
 */
import {
  add,
  and,
  bitmask8,
  block,
  br,
  brIf,
  type Code,
  copyMemory,
  countBits,
  equal8,
  get,
  I32,
  i32,
  leave,
  lessU,
  load8,
  load8At,
  load32,
  load64,
  load128,
  loop,
  moreU,
  mul,
  set,
  shl,
  shr,
  splat8,
  store32,
  store64,
  store128,
  store128At,
  sub,
  type WasmFunction,
  when,
} from '../../core/wasm.js';
import { copyBytes, copyInSteps, increase } from './copies.js';

/** 1 for a value that is kept. */
export const isKept = (mask: Code): Code => shr(add(mask, i32(1)), i32(1));
const UNROLLED = 8;

/** Does `body` for every `step` of `count`, as long as there are as many, and leaves the rest in `count`. */
const inSteps = (count: number, step: number, ...body: readonly Code[]): Code =>
  block(
    'done',
    loop('next', brIf('done', lessU(get(count), i32(step))), ...body, increase(count, i32(-step)), br('next')),
  );

/** HOT. Eight values a turn: one a turn took half as long again. */
function keepFixed(name: string, shift: number, copy: (out: Code, at: Code) => Code): WasmFunction {
  const [AT, COUNT, MASK, OUT] = [0, 1, 2, 3] as const;
  const keepOne = (offset: number) => [
    copy(get(OUT), get(AT)),
    increase(AT, i32(1 << shift)),
    increase(OUT, shl(isKept(load8At(get(MASK), offset)), i32(shift))),
  ];
  const some = (count: number, offsets: readonly number[]) =>
    inSteps(COUNT, count, ...offsets.flatMap(keepOne), increase(MASK, i32(count)));
  const body = [
    some(
      UNROLLED,
      Array.from({ length: UNROLLED }, (_, offset) => offset),
    ),
    some(1, [0]),
    get(OUT),
  ];
  return { name, paramCount: 4, locals: [], body };
}

function keepWideFunction(): WasmFunction {
  const [AT, COUNT, MASK, OUT, WIDTH, STEP] = [0, 1, 2, 3, 4, 5] as const;
  const body = [
    inSteps(
      COUNT,
      1,
      ...copyInSteps(get(AT), get(OUT), get(WIDTH), STEP),
      increase(AT, get(WIDTH)),
      increase(OUT, mul(get(WIDTH), isKept(load8(get(MASK))))),
      increase(MASK, i32(1)),
    ),
    get(OUT),
  ];
  return { name: 'keepWide', paramCount: 5, locals: [I32], body };
}

/** Sets `length` to that of the text at `at`, and leaves the function with 0 where there is none before `end`. */
const readLength = (at: number, end: number, length: number): readonly Code[] => [
  when(lessU(sub(get(end), get(at)), i32(4)), [leave(i32(0))]),
  set(length, load32(get(at))),
  when(moreU(get(length), sub(sub(get(end), get(at)), i32(4))), [leave(i32(0))]),
];

function keepTextsFunction(): WasmFunction {
  const [AT, END, COUNT, MASK, OUT, LENGTH, STEP] = [0, 1, 2, 3, 4, 5, 6] as const;
  const [rest, target] = [add(get(AT), i32(32)), add(get(OUT), i32(32))];
  const body = [
    inSteps(
      COUNT,
      1,
      ...readLength(AT, END, LENGTH),
      increase(LENGTH, i32(4)),
      store128(get(OUT), load128(get(AT))),
      store128At(get(OUT), 16, load128(get(AT), 16)),
      when(moreU(get(LENGTH), i32(32)), [
        when(
          moreU(get(LENGTH), i32(160)),
          [copyMemory(target, rest, sub(get(LENGTH), i32(32)))],
          copyInSteps(rest, target, sub(get(LENGTH), i32(32)), STEP),
        ),
      ]),
      increase(AT, get(LENGTH)),
      increase(OUT, and(get(LENGTH), sub(i32(0), isKept(load8(get(MASK)))))),
      increase(MASK, i32(1)),
    ),
    get(OUT),
  ];
  return { name: 'keepTexts', paramCount: 5, locals: [I32, I32], body };
}

function keepSpansFunction(): WasmFunction {
  const [BASE, STARTS, ENDS, COUNT, MASK, OUT, AT, LENGTH, STEP] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const target = add(get(OUT), i32(4));
  const body = [
    inSteps(
      COUNT,
      1,
      set(AT, load32(get(STARTS))),
      set(LENGTH, sub(load32(get(ENDS)), get(AT))),
      set(AT, add(get(AT), get(BASE))),
      store32(get(OUT), get(LENGTH)),
      copyBytes(get(AT), target, get(LENGTH), STEP),
      increase(OUT, and(add(get(LENGTH), i32(4)), sub(i32(0), isKept(load8(get(MASK)))))),
      increase(STARTS, i32(4)),
      increase(ENDS, i32(4)),
      increase(MASK, i32(1)),
    ),
    get(OUT),
  ];
  return { name: 'keepSpans', paramCount: 6, locals: [I32, I32, I32], body };
}

function spansFunction(): WasmFunction {
  const [AT, END, COUNT, BASE, STARTS, ENDS, LENGTH] = [0, 1, 2, 3, 4, 5, 6] as const;
  const body = [
    inSteps(
      COUNT,
      1,
      ...readLength(AT, END, LENGTH),
      increase(AT, i32(4)),
      store32(get(STARTS), sub(get(AT), get(BASE))),
      increase(AT, get(LENGTH)),
      store32(get(ENDS), sub(get(AT), get(BASE))),
      increase(STARTS, i32(4)),
      increase(ENDS, i32(4)),
    ),
    i32(1),
  ];
  return { name: 'spans', paramCount: 6, locals: [I32], body };
}

function countKeptFunction(): WasmFunction {
  const [MASK, COUNT, KEPT] = [0, 1, 2] as const;
  const body = [
    inSteps(
      COUNT,
      16,
      increase(KEPT, sub(i32(16), countBits(bitmask8(equal8(load128(get(MASK)), splat8(i32(0))))))),
      increase(MASK, i32(16)),
    ),
    inSteps(COUNT, 1, increase(KEPT, isKept(load8(get(MASK)))), increase(MASK, i32(1))),
    get(KEPT),
  ];
  return { name: 'countKept', paramCount: 2, locals: [I32], body };
}

export const keepFunctions = (): readonly WasmFunction[] => [
  keepFixed('keepWords', 2, (out, at) => store32(out, load32(at))),
  keepFixed('keepLongs', 3, (out, at) => store64(out, load64(at))),
  keepWideFunction(),
  keepTextsFunction(),
  keepSpansFunction(),
  spansFunction(),
  countKeptFunction(),
];
