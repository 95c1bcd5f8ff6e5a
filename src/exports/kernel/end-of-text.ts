/**
 * Where a text of JSON ends (RFC 8259, 7).
 *
 *     endOfText(from)
 *       from within a text: returns where its closing quote ends, -1 if it is none; the state tells of escapes
 *
 * @module
 */
import {
  add,
  atMostU8,
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
  i32,
  leave,
  lessU,
  load8,
  load128,
  loop,
  or,
  or128,
  set,
  splat8,
  store32,
  sub,
  trailingZeros,
  V128,
  type WasmFunction,
  when,
  xor128,
} from '../../core/wasm.js';
import { STATE } from './layout.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A bit for each of sixteen bytes that does not simply stand in a text: a quote, a backslash, a control character.
 * With bit 1 turned over, a quote is 0x20, and control characters are those below it.
 */
export const textStops = (
  sixteen: number,
  turned = splat8(i32(0x02)),
  spaces = splat8(i32(0x20)),
  backslashes = splat8(i32(BACKSLASH)),
): Code => bitmask8(or128(atMostU8(xor128(get(sixteen), turned), spaces), equal8(get(sixteen), backslashes)));

/** From the backslash at `place` behind the escape; to the label `none` where it is none. `letter` is a local of 32 bits. */
export function skipEscape(place: number, letter: number, none: string): readonly Code[] {
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
      brIf(none, eqz(isAmong('u'))),
      ...[0, 1, 2, 3].flatMap(() => [
        set(letter, load8(get(place))),
        brIf(none, eqz(isHexDigit)),
        set(place, add(get(place), i32(1))),
      ]),
    ),
  ];
}

export function endOfTextFunction(): WasmFunction {
  const [AT_BYTE, LETTER, STOPS, SIXTEEN] = [0, 1, 2, 3] as const;
  const stop: readonly Code[] = [set(SIXTEEN, load128(get(AT_BYTE))), set(STOPS, textStops(SIXTEEN))];
  const body = [
    store32(i32(STATE.hasEscape), i32(0)),
    block(
      'none',
      loop(
        'more',
        ...stop,
        when(eqz(get(STOPS)), [set(AT_BYTE, add(get(AT_BYTE), i32(16))), br('more')]),
        set(AT_BYTE, add(get(AT_BYTE), trailingZeros(get(STOPS)))),
        set(LETTER, load8(get(AT_BYTE))),
        when(equal(get(LETTER), i32(QUOTE)), [leave(add(get(AT_BYTE), i32(1)))]),
        brIf('none', eqz(equal(get(LETTER), i32(BACKSLASH)))),
        store32(i32(STATE.hasEscape), i32(1)),
        ...skipEscape(AT_BYTE, LETTER, 'none'),
        br('more'),
      ),
    ),
    i32(-1),
  ];
  return { name: 'endOfText', paramCount: 1, locals: [I32, I32, V128], body };
}
