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
  lessU8,
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
} from '../../core/wasm.js';
import { STATE } from './layout.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A bit for each of sixteen bytes that does not simply stand in a text: a quote, a backslash, a control character. */
export const textStops = (sixteen: number): Code =>
  bitmask8(
    or128(
      or128(equal8(get(sixteen), splat8(i32(QUOTE))), equal8(get(sixteen), splat8(i32(BACKSLASH)))),
      lessU8(get(sixteen), splat8(i32(0x20))),
    ),
  );

export function endOfTextFunction(): WasmFunction {
  const [AT_BYTE, LETTER, STOPS, SIXTEEN] = [0, 1, 2, 3] as const;
  const stop: readonly Code[] = [set(SIXTEEN, load128(get(AT_BYTE))), set(STOPS, textStops(SIXTEEN))];
  const isAmong = (letters: string) =>
    [...letters].map((letter) => equal(get(LETTER), i32(letter.charCodeAt(0)))).reduce((all, one) => or(all, one));
  const isHexDigit = or(
    lessU(sub(get(LETTER), i32(0x30)), i32(10)),
    lessU(sub(or(get(LETTER), i32(0x20)), i32(0x61)), i32(6)),
  );
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
        set(LETTER, load8(add(get(AT_BYTE), i32(1)))),
        set(AT_BYTE, add(get(AT_BYTE), i32(2))),
        brIf('more', isAmong('"\\/bfnrt')),
        brIf('none', eqz(equal(get(LETTER), i32(0x75)))),
        ...[0, 1, 2, 3].flatMap(() => [
          set(LETTER, load8(get(AT_BYTE))),
          brIf('none', eqz(isHexDigit)),
          set(AT_BYTE, add(get(AT_BYTE), i32(1))),
        ]),
        br('more'),
      ),
    ),
    i32(-1),
  ];
  return { name: 'endOfText', paramCount: 1, locals: [I32, I32, V128], body };
}
