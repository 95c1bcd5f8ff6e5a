/**
 * Texts, numbers and words of JSON (RFC 8259, 3, 6 and 7) as parts of a WebAssembly function: ndjson/token.ts.
 * @module
 */
import {
  add,
  and,
  atMostU8,
  bitmask8,
  block,
  brIf,
  type Code,
  equal,
  equal8,
  eqz,
  get,
  i32,
  lessU,
  load8,
  load32,
  load128,
  loop,
  moreU,
  or,
  or128,
  set,
  shl,
  splat8,
  sub,
  sub8,
  tee,
  trailingZeros,
  when,
  xor,
  xor128,
} from '../../core/wasm.js';
import { constant } from './constant.js';

const BACKSLASH = 0x5c;
const [MINUS, PLUS, POINT, ZERO, LETTER_E] = [0x2d, 0x2b, 0x2e, 0x30, 0x65] as const;
const [TRUE, FALSE, NULL] = [0x65757274, 0x736c6166, 0x6c6c756e] as const; // as words, the first letter lowest

/** Locals of sixteen bytes that are used for texts: all but the first hold constants. */
export interface TextLocals {
  readonly bytes: number;
  readonly turned: number;
  readonly spaces: number;
  readonly backslashes: number;
}

export const textConstants = ({ turned, spaces, backslashes }: TextLocals): readonly Code[] => [
  ...constant(turned, 0x02),
  ...constant(spaces, 0x20),
  ...constant(backslashes, BACKSLASH),
];

/**
 * A bit for each of sixteen bytes behind `place` that does not simply stand in a text: a quote, a backslash, a control
 * character. With bit 1 turned over, a quote is 0x20, and control characters are those below it.
 */
export function textStops(place: number, offset: number, { bytes, turned, spaces, backslashes }: TextLocals): Code {
  const load = set(bytes, load128(get(place), offset));
  const isQuoteOrControl = atMostU8(xor128(get(bytes), get(turned)), get(spaces));
  const stops = bitmask8(or128(isQuoteOrControl, equal8(get(bytes), get(backslashes))));
  return (labels) => [...load(labels), ...stops(labels)];
}

/** From the backslash at `place` behind the escape; to the label `odd` where it is none. `letter` is a local of 32 bits. */
export function skipEscape(place: number, letter: number): readonly Code[] {
  const isAmong = (letters: string) =>
    [...letters].map((one) => equal(get(letter), i32(one.charCodeAt(0)))).reduce((all, one) => or(all, one));
  const isHexDigit = or(
    lessU(sub(get(letter), i32(0x30)), i32(10)),
    lessU(sub(or(get(letter), i32(0x20)), i32(0x61)), i32(6)),
  );
  return [
    set(letter, load8(add(get(place), i32(1)))),
    set(place, add(get(place), i32(2))),
    block(
      'escape read',
      brIf('escape read', isAmong('"\\/bfnrt')),
      brIf('odd', eqz(isAmong('u'))),
      ...[0, 1, 2, 3].flatMap(() => [
        set(letter, load8(get(place))),
        brIf('odd', eqz(isHexDigit)),
        set(place, add(get(place), i32(1))),
      ]),
    ),
  ];
}

/** From `place` behind the word that stands there; to the label `odd` where there is none. `word` is a local of 32 bits. */
export const wordAt = (place: number, word: number): readonly Code[] => [
  set(word, load32(get(place))),
  set(place, add(get(place), i32(4))),
  block(
    'word read',
    brIf('word read', or(equal(get(word), i32(TRUE)), equal(get(word), i32(NULL)))),
    brIf('odd', eqz(and(equal(get(word), i32(FALSE)), equal(load8(get(place)), i32(LETTER_E))))),
    set(place, add(get(place), i32(1))),
  ),
];

/** Locals of 32 bits that are used. */
export interface NumberLocals {
  readonly place: number;
  readonly byte: number;
  readonly from: number;
  readonly mask: number;
  readonly count: number;
}

/**
 * From `place` behind the number that stands there; to the label `odd` where there is none.
 * @param width Bytes within which it mostly ends.
 */
export function numberAt(
  locals: NumberLocals,
  width: 16 | 32 = 32,
  zeros = splat8(i32(ZERO)),
  nines = splat8(i32(9)),
): readonly Code[] {
  const { place, byte, from } = locals;
  return [
    set(from, get(place)),
    when(equal(load8(get(place)), i32(MINUS)), [set(from, add(get(place), i32(1)))]),
    block(
      'number read',
      ...(width === 16 ? [block('long', ...numberWithin(16, locals, zeros, nines))] : []),
      block('long', ...numberWithin(32, locals, zeros, nines)),
      ...anyNumber({ place, byte, from }),
    ),
  ];
}

/**
 * From `from` behind a number without sign and exponent, whose digits are found in so many bytes; to the label `long` where it
 * is another.
 */
function numberWithin(
  width: 16 | 32,
  { place, byte, from, mask, count }: NumberLocals,
  zeros: Code,
  nines: Code,
): readonly Code[] {
  const digits = (offset: number) => bitmask8(atMostU8(sub8(load128(get(from), offset), zeros), nines));
  const all = width === 16 ? digits(0) : or(digits(0), shl(digits(16), i32(16)));
  const isLong = width === 16 ? equal(get(mask), i32(0xffff_0000)) : eqz(get(mask));
  const is = (letter: number) => equal(get(byte), i32(letter));
  const lookBehind = set(byte, load8(add(get(from), get(count))));
  return [
    set(mask, xor(all, i32(-1))),
    brIf('long', isLong),
    brIf('odd', eqz(tee(count, trailingZeros(get(mask))))),
    when(equal(load8(get(from)), i32(ZERO)), [brIf('odd', moreU(get(count), i32(1)))]),
    lookBehind,
    when(is(POINT), [
      set(mask, and(get(mask), sub(get(mask), i32(1)))),
      brIf('long', isLong),
      set(place, get(count)),
      brIf('odd', equal(tee(count, trailingZeros(get(mask))), add(get(place), i32(1)))),
      lookBehind,
    ]),
    set(place, add(get(from), get(count))),
    brIf('number read', eqz(equal(or(get(byte), i32(0x20)), i32(LETTER_E)))),
  ];
}

/** Byte by byte, for a number that is long or has an exponent. */
function anyNumber({ place, byte, from }: Pick<NumberLocals, 'place' | 'byte' | 'from'>): readonly Code[] {
  const is = (letter: number) => equal(get(byte), i32(letter));
  const look = set(byte, load8(get(place)));
  const step = set(place, add(get(place), i32(1)));
  const isDigit = lessU(sub(get(byte), i32(ZERO)), i32(10));
  const digits: readonly Code[] = [look, brIf('odd', eqz(isDigit)), loop('digit', step, look, brIf('digit', isDigit))];
  return [
    set(place, get(from)),
    look,
    when(is(ZERO), [step, look], digits),
    when(is(POINT), [step, ...digits]),
    when(equal(or(get(byte), i32(0x20)), i32(LETTER_E)), [
      step,
      look,
      when(or(is(PLUS), is(MINUS)), [step]),
      ...digits,
    ]),
  ];
}
