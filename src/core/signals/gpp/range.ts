/**
 * Range(Fibonacci): the list of section ids in a GPP header (IAB GPP, Core, "Consent String Specification").
 *
 *     range = ItemCount(12 bits), then per item: group(1 bit), Fibonacci offset from the last id, and for a group a
 *             Fibonacci distance from its first id to its last
 *
 * Ids are capped, which bounds the codes, the items and the work: a dozen characters can name a thousand million ids,
 * and decoders have died of it.
 * @module
 */
import { sextetAt, TILDE } from './bits.js';
import { GPP_SECTION_ID_MAX, type GppMalformedCode } from './malformed.js';

/** The ids of a range, rising, or the first fault met. A scratch object, reused. */
export interface IdRange {
  readonly ids: Uint8Array;
  count: number;
  faultCode: GppMalformedCode;
  faultAt: number;
}

export function createIdRange(): IdRange {
  return { ids: new Uint8Array(GPP_SECTION_ID_MAX), count: 0, faultCode: 'empty', faultAt: 0 };
}

/** Bits of the longest Fibonacci code of an id up to the cap: one for each of 1, 2, 3, 5 … 55, and the final 1. */
const CODE_BITS_MAX = 10;
const CODE_MASK = (1 << CODE_BITS_MAX) - 1;
/**
 * By the next ten bits: the Fibonacci code they begin with, as 16 x value + length in bits; 0 if none ends within them.
 * The weights of a code's bits are 1, 2, 3, 5 …, lowest first; its final 1 has none.
 */
const CODES = Uint16Array.from({ length: CODE_MASK + 1 }, (_, bits) => {
  const text = bits.toString(2).padStart(CODE_BITS_MAX, '0');
  const codeBits = text.indexOf('11') + 2;
  if (codeBits < 2) return 0;
  let value = 0;
  for (let place = 0, weight = 1, next = 2; place < codeBits - 1; place++) {
    if (text[place] === '1') value += weight;
    [weight, next] = [next, weight + next];
  }
  return 16 * value + codeBits;
});
const SEXTET_BITS = 6;
const COUNT_CHARS = 2;

/**
 * HOT. Reads Range(Fibonacci) at a character into `range.ids`. Returns the offset of the first character not begun, or
 * -1 with the fault set. The text must go on with bits: any other character ends the range too early.
 */
export function readRange(text: string, start: number, range: IdRange): number {
  const length = text.length;
  range.count = 0;
  for (let at = start; at < start + COUNT_CHARS; at++) {
    if (at >= length || sextetAt(text, at) < 0) return rangeCut(text, at, range);
  }
  let itemsLeft = (sextetAt(text, start) << SEXTET_BITS) | sextetAt(text, start + 1);
  let at = start + COUNT_CHARS;
  let window = 0;
  let windowBits = 0;
  let lastId = 0;
  let isDistance = false;
  while (itemsLeft > 0) {
    // Enough for a group bit and a code, or all there is.
    while (windowBits <= CODE_BITS_MAX && at < length) {
      const sextet = sextetAt(text, at);
      if (sextet < 0) break;
      window = ((window << SEXTET_BITS) | sextet) & 0xffffff;
      windowBits += SEXTET_BITS;
      at++;
    }
    let inGroup = false;
    if (!isDistance) {
      if (windowBits === 0) return rangeCut(text, at, range);
      inGroup = ((window >> --windowBits) & 1) === 1;
    }
    const shift = windowBits - CODE_BITS_MAX;
    const bits = (shift >= 0 ? window >> shift : window << -shift) & CODE_MASK;
    const code = CODES[bits]!;
    if (code === 0 && shift < 0) return rangeCut(text, at, range);
    const id = lastId + (code >> 4);
    if (code === 0 || id > GPP_SECTION_ID_MAX) {
      return rangeFault(range, 'range_invalid', at - Math.ceil(windowBits / SEXTET_BITS));
    }
    windowBits -= code & 15;
    // A group gives its first id with the offset and the rest with the distance.
    for (let next = isDistance ? lastId + 1 : id; next <= id; next++) range.ids[range.count++] = next;
    lastId = id;
    isDistance = inGroup;
    if (!inGroup) itemsLeft--;
  }
  return at;
}

function rangeFault(range: IdRange, code: GppMalformedCode, at: number): -1 {
  range.faultCode = code;
  range.faultAt = at;
  return -1;
}

/** The range met something that carries no bits: its end, or a character that does not belong. */
function rangeCut(text: string, at: number, range: IdRange): -1 {
  const ended = at >= text.length || text.charCodeAt(at) === TILDE;
  return rangeFault(range, ended ? 'header_truncated' : 'illegal_character', at);
}
