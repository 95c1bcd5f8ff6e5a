/**
 * The functions of the scanner's WebAssembly for single bytes: white space, texts, escapes, characters beyond ASCII, and
 * numbers. What scan-text.ts and scan-number.ts do, sixteen bytes at once where a text is ordinary.
 * @module
 */
import { allotTable } from './scan-memory.js';
import { BYTE_CLASS, ESCAPED, HEX_DIGIT, SPECIAL_CLASS } from './scan-text.js';
import { HAS_ESCAPE, HAS_NON_ASCII } from './tape.js';
import {
  add,
  and,
  and128,
  answer,
  bitmask16,
  block,
  bytes16,
  type Code,
  call,
  eq,
  type Func,
  func,
  ge,
  get,
  go,
  goIf,
  gt,
  gt16,
  i32,
  increase,
  isZero,
  type Label,
  le,
  load8,
  load128,
  loop,
  lt,
  ne,
  or,
  select,
  set,
  shr16,
  sub,
  swizzle16,
  tee,
  trailingZeros,
  V128,
  v128,
  when,
} from './wasm.js';

/** Numbers of the functions in the module. */
export const SKIP_SPACE = 0;
export const END_OF_SPECIAL = 1;
export const END_OF_DIGITS = 2;
export const END_OF_NUMBER = 3;
/** In what `END_OF_NUMBER` answers: JavaScript may write the number otherwise. */
export const UNUSUAL_BIT: number = 1 << 30;
/** Of a place where no value, number or character ends. */
export const NOWHERE = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const LOWER_E = 0x65;
const EXACT_LENGTH_MAX = 15;
const TINY_LENGTH = 6;

const CLASSES_AT = allotTable(BYTE_CLASS);
const ESCAPED_AT = allotTable(ESCAPED);
const HEX_DIGIT_AT = allotTable(HEX_DIGIT);

/**
 * A byte that means something inside a text has a bit in common in the rows of its low and its high half. Bytes of one
 * high half that mean something share a bit; control characters and all beyond ASCII share the first.
 */
const LOW_HALVES = new Uint8Array(16).fill(1);
const HIGH_HALVES = new Uint8Array(16);
for (let high = 0; high < 16; high++) {
  const bit = high < 2 || high >= 8 ? 1 : 1 << (high - 1);
  for (let low = 0; low < 16; low++) {
    if (BYTE_CLASS[16 * high + low] === 0) continue;
    HIGH_HALVES[high]! |= bit;
    LOW_HALVES[low]! |= bit;
  }
}

const MEANINGS = { low: v128([...LOW_HALVES]), high: v128([...HIGH_HALVES]) };

/** Locals of the fragment {@link endOfText}. */
export interface TextLocals {
  /** Where the text goes on; its closing quote in the end. */
  readonly at: number;
  readonly marks: number;
  readonly chunk: number;
  readonly mask: number;
  readonly place: number;
  readonly byte: number;
}

export function textLocals(local: (type?: typeof V128) => number, at: number): TextLocals {
  return { at, marks: local(), chunk: local(V128), mask: local(), place: local(), byte: local() };
}

/**
 * Goes on to the quote that closes a text and gathers its marks. A zero behind the request is special, so what stands
 * behind it in a chunk is never looked at. Bytes one by one took 1.1 ns each; a chunk takes 3.
 */
export function endOfText(locals: TextLocals, ifSpecial: Code): Code {
  const { at, marks, chunk, mask, place, byte } = locals;
  const done = Symbol('done');
  const next = Symbol('next');
  const bits = Symbol('bits');
  const meanings = and128(
    swizzle16(MEANINGS.low, and128(get(chunk), bytes16(0x0f))),
    swizzle16(MEANINGS.high, shr16(get(chunk), i32(4))),
  );
  return [
    ...set(marks, i32(0)),
    ...block(
      done,
      loop(
        next,
        set(chunk, load128(get(at))),
        set(mask, bitmask16(gt16(meanings, bytes16(0)))),
        loop(
          bits,
          when(isZero(get(mask)), increase(at, 16), go(next)),
          set(byte, load8(tee(place, add(get(at), trailingZeros(get(mask)))))),
          when(eq(get(byte), i32(QUOTE)), set(at, get(place)), go(done)),
          when(eq(tee(byte, load8(get(byte), CLASSES_AT)), i32(SPECIAL_CLASS)), ifSpecial, go(next)),
          set(marks, or(get(marks), get(byte))),
          set(mask, and(get(mask), sub(get(mask), i32(1)))),
          go(bits),
        ),
      ),
    ),
  ];
}

/** Goes on behind a special byte; `ifNone` where it may not stand there. */
export function passSpecial({ at, marks, place }: TextLocals, ifNone: Code): Code {
  const mark = select(i32(HAS_ESCAPE), i32(HAS_NON_ASCII), eq(load8(get(place)), i32(BACKSLASH)));
  return [
    ...set(marks, or(get(marks), mark)),
    ...when(eq(tee(at, call(END_OF_SPECIAL, get(place))), i32(NOWHERE)), ifNone),
  ];
}

/** `local` moves on to what is no white space. Compact JSON has none, so that is told before a call. */
export function passSpace(local: number): Code {
  return when(le(load8(get(local)), i32(0x20)), set(local, call(SKIP_SPACE, get(local))));
}

/** In the order of their numbers. */
export function textFunctions(): readonly Func[] {
  return [skipSpace(), endOfSpecial(), endOfDigits(), endOfNumber()];
}

function skipSpace(): Func {
  return func('skipSpace', 1, (local) => {
    const at = 0;
    const byte = local();
    const next = Symbol('next');
    const done = Symbol('done');
    const isSpace = [0x20, 0x0a, 0x0d, 0x09].map((space) => eq(get(byte), i32(space))).reduce(or);
    return [
      ...block(done, loop(next, set(byte, load8(get(at))), goIf(done, isZero(isSpace)), increase(at, 1), go(next))),
      ...get(at),
    ];
  });
}

/** Behind an escape, or a character in its shortest form that is no surrogate (scan-text.ts). */
function endOfSpecial(): Func {
  return func('endOfSpecial', 1, (local) => {
    const at = 0;
    const first = local();
    const second = local();
    const nowhere = answer(i32(NOWHERE));
    const isNoContinuation = (offset: number) => ne(and(load8(get(at), offset), i32(0xc0)), i32(0x80));
    const ifFirst = (byte: number, isWrong: Code) => when(and(eq(get(first), i32(byte)), isWrong), nowhere);
    const character = [
      ...when(or(lt(get(first), i32(0xc2)), gt(get(first), i32(0xf4))), nowhere),
      ...when(isNoContinuation(1), nowhere),
      ...when(lt(get(first), i32(0xe0)), answer(add(get(at), i32(2)))),
      ...ifFirst(0xe0, lt(get(second), i32(0xa0))),
      ...ifFirst(0xed, gt(get(second), i32(0x9f))),
      ...when(isNoContinuation(2), nowhere),
      ...when(lt(get(first), i32(0xf0)), answer(add(get(at), i32(3)))),
      ...ifFirst(0xf0, lt(get(second), i32(0x90))),
      ...ifFirst(0xf4, gt(get(second), i32(0x8f))),
      ...when(isNoContinuation(3), nowhere),
      ...answer(add(get(at), i32(4))),
    ];
    const isHex = [2, 3, 4, 5].map((offset) => load8(load8(get(at), offset), HEX_DIGIT_AT)).reduce(and);
    return [
      ...set(first, load8(get(at))),
      ...set(second, load8(get(at), 1)),
      ...when(ge(get(first), i32(0x80)), character),
      ...when(ne(get(first), i32(BACKSLASH)), nowhere),
      ...when(isZero(load8(get(second), ESCAPED_AT)), nowhere),
      ...when(ne(get(second), i32(0x75)), answer(add(get(at), i32(2)))),
      ...select(add(get(at), i32(6)), i32(NOWHERE), isHex),
    ];
  });
}

function endOfDigits(): Func {
  return func('endOfDigits', 1, () => {
    const at = 0;
    const next = Symbol('next');
    const done = Symbol('done');
    const isDigit = lt(sub(load8(get(at)), i32(ZERO)), i32(10));
    return [...block(done, loop(next, goIf(done, isZero(isDigit)), increase(at, 1), go(next))), ...get(at)];
  });
}

/** Where a number ends, with `UNUSUAL_BIT` as scan-number.ts tells it. */
function endOfNumber(): Func {
  return func('endOfNumber', 1, (local) => {
    const from = 0;
    const at = local();
    const digits = local();
    const byte = local();
    const done = Symbol('done');
    const next = Symbol('next');
    /** At least one digit from `digits` on. */
    const passDigits = [
      ...set(at, call(END_OF_DIGITS, get(digits))),
      ...when(eq(get(at), get(digits)), answer(i32(NOWHERE))),
    ];
    const isOneOf = (...bytes: readonly number[]) => bytes.map((one) => eq(get(byte), i32(one))).reduce(or);
    const isLong = gt(sub(get(at), get(from)), i32(EXACT_LENGTH_MAX));
    const unusual = or(get(at), i32(UNUSUAL_BIT));
    const exponent = [
      ...set(byte, load8(tee(digits, add(get(at), i32(1))))),
      ...when(isOneOf(PLUS, MINUS), increase(digits, 1)),
      ...passDigits,
      ...answer(unusual),
    ];
    const passLeading = (leave: Label) => [
      ...set(byte, load8(get(digits))),
      ...goIf(leave, isZero(and(lt(get(digits), get(at)), isOneOf(ZERO, DOT, MINUS)))),
      ...increase(digits, 1),
    ];
    return [
      ...set(digits, add(get(from), eq(load8(get(from)), i32(MINUS)))),
      ...passDigits,
      // a leading zero stands alone
      ...when(and(eq(load8(get(digits)), i32(ZERO)), gt(get(at), add(get(digits), i32(1)))), answer(i32(NOWHERE))),
      ...set(digits, get(from)),
      ...when(eq(load8(get(at)), i32(DOT)), set(digits, add(get(at), i32(1))), passDigits, set(digits, get(from)), [
        ...when(ne(or(load8(get(at)), i32(0x20)), i32(LOWER_E)), block(done, loop(next, passLeading(done), go(next)))),
      ]),
      ...when(eq(or(load8(get(at)), i32(0x20)), i32(LOWER_E)), exponent),
      ...select(unusual, get(at), or(isLong, ge(sub(get(digits), get(from)), i32(TINY_LENGTH)))),
    ];
  });
}
