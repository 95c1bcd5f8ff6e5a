/**
 * `gpp_sid`: the GPP sections that apply to a transaction (OpenRTB 2.6, `regs.gpp_sid`), as one integer.
 *
 * Bit 6..27 says that this US section is listed. The low bits say what else was there, so nothing that was sent is
 * lost and nothing is allocated. On the wire the list is an array of integers, of numeric strings, or one string
 * separated by `,` (query parameter) or `_` (mobile storage).
 * @module
 */

/** A set of section ids; see the bits below. */
export type GppSidSet = number & { readonly __gppSidSet: true };

/** Nothing listed: no field, `null`, `[]`, `""`, or only `0` (which a CMP reports while it is loading). */
export const GPP_SIDS_ABSENT = 0 as GppSidSet;
/** At least one section id (1 or more) is listed. */
export const SIDS_LISTED = 1 << 0;
/** `-1` is listed: no section applies. */
export const SIDS_NONE_APPLY = 1 << 1;
/** An id above 27 is listed: a section this version does not know, hence no signal at all from it. */
export const SIDS_UNKNOWN = 1 << 2;
/** Something that is no section id is listed, or the field has a wrong type, or it is too long. */
export const SIDS_MALFORMED = 1 << 3;
/** A section that is not a US one is listed (1..5: TCF and the header). */
export const SIDS_OTHER = 1 << 4;
/** The bits of the US sections 6..27. */
export const SIDS_US = (1 << 28) - (1 << 6);

/** Most elements read; one transaction has two at most by the specification. */
export const GPP_SID_COUNT_MAX = 64;
/** Most characters read of the text form. */
export const GPP_SID_LENGTH_MAX = 256;

const SECTION_ID_US_FIRST = 6;
const SECTION_ID_US_LAST = 27;
const SPACE = 32;
const COMMA = 44;
const MINUS = 45;
const UNDERSCORE = 95;

/** HOT. Reads `gpp_sid`; never throws, never allocates. */
export function parseGppSid(value: unknown): GppSidSet {
  if (value === undefined || value === null) return GPP_SIDS_ABSENT;
  if (typeof value === 'number') return sidBits(value) as GppSidSet;
  if (typeof value === 'string') return textBits(value) as GppSidSet;
  if (!Array.isArray(value)) return SIDS_MALFORMED as GppSidSet;
  const count = Math.min(value.length, GPP_SID_COUNT_MAX);
  let bits = value.length > count ? SIDS_MALFORMED : 0;
  for (let index = 0; index < count; index++) {
    const element: unknown = value[index];
    bits |=
      typeof element === 'number' ? sidBits(element) : typeof element === 'string' ? textBits(element) : SIDS_MALFORMED;
  }
  return bits as GppSidSet;
}

/** The bits of one id. */
function sidBits(id: number): number {
  if (id >= SECTION_ID_US_FIRST && id <= SECTION_ID_US_LAST && (id | 0) === id) return (1 << id) | SIDS_LISTED;
  if (id === 0) return 0;
  if (id === -1) return SIDS_NONE_APPLY;
  if (!Number.isInteger(id) || id < 0) return SIDS_MALFORMED;
  return id < SECTION_ID_US_FIRST ? SIDS_OTHER | SIDS_LISTED : SIDS_UNKNOWN | SIDS_LISTED;
}

/** The bits of a text of ids separated by `,` or `_`; spaces around an id do not count, and blank items list nothing. */
function textBits(text: string): number {
  if (text.length > GPP_SID_LENGTH_MAX) return SIDS_MALFORMED;
  let bits = 0;
  let at = 0;
  while (at < text.length) {
    let end = at;
    while (end < text.length && text.charCodeAt(end) !== COMMA && text.charCodeAt(end) !== UNDERSCORE) end++;
    bits |= itemBits(text, at, end);
    at = end + 1;
  }
  return bits;
}

function itemBits(text: string, start: number, end: number): number {
  while (start < end && text.charCodeAt(start) === SPACE) start++;
  while (end > start && text.charCodeAt(end - 1) === SPACE) end--;
  if (start === end) return 0;
  const negative = text.charCodeAt(start) === MINUS;
  let id = 0;
  let at = negative ? start + 1 : start;
  if (at === end) return SIDS_MALFORMED;
  for (; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return SIDS_MALFORMED;
    id = 10 * id + digit;
  }
  return sidBits(negative ? -id : id);
}
