/**
 * The frame of a GPP string: the header with its list of section ids, and where each section begins and ends
 * (IAB GPP, Core, "Consent String Specification").
 *
 *     gpp    = header *( "~" section )
 *     header = Type(6 bits) = 3, Version(6) = 1, Sections: Range(Fibonacci), zero padding
 *
 * Faults here condemn the whole string: there is no telling which section is which.
 * @module
 */
import { sextetAt, TILDE } from './bits.js';
import { GPP_LENGTH_MAX, GPP_SECTION_ID_MAX, type GppMalformed, type GppMalformedCode } from './malformed.js';
import { createIdRange, type IdRange, readRange } from './range.js';

/** Where the parts of one string lie. A scratch object: reused from string to string, so that reading allocates nothing. */
export interface GppFrame extends IdRange {
  /** Offset of the first character of each section, parallel to `ids`. */
  readonly starts: Uint16Array;
  /** Offset after the last character of each section. */
  readonly ends: Uint16Array;
  /** Id of the section the fault lies in; 0 if in none. */
  faultSection: number;
}

export function createFrame(): GppFrame {
  const starts = new Uint16Array(GPP_SECTION_ID_MAX);
  const ends = new Uint16Array(GPP_SECTION_ID_MAX);
  return { ...createIdRange(), starts, ends, faultSection: 0 };
}

/** The fault of a frame that could not be read, as a value of its own. */
export function frameFault(frame: GppFrame): GppMalformed {
  const { faultCode: code, faultAt: at, faultSection: section } = frame;
  return section === 0 ? { code, at } : { code, at, section };
}

const LETTER_D = 68;
const LETTER_B = 66;
/** Offset of the list of sections: after type and version, one character each. */
const RANGE_AT = 2;

/** HOT. Reads header and section bounds into `frame`; false if the whole string is unusable, with the fault set. */
export function readFrame(gpp: string, frame: GppFrame): boolean {
  const length = gpp.length;
  frame.faultSection = 0;
  if (length > GPP_LENGTH_MAX) return refuse(frame, 'too_long', GPP_LENGTH_MAX);
  if (length <= RANGE_AT || gpp.charCodeAt(0) !== LETTER_D || gpp.charCodeAt(1) !== LETTER_B) {
    return refusePrefix(gpp, frame);
  }
  let at = readRange(gpp, RANGE_AT, frame);
  if (at < 0) return false;
  while (at < length && sextetAt(gpp, at) >= 0) at++;
  if (at < length && gpp.charCodeAt(at) !== TILDE) return refuse(frame, 'illegal_character', at);
  return readBounds(gpp, at, frame);
}

/** HOT. Finds the sections after the header, which ends at `at`. */
function readBounds(gpp: string, at: number, frame: GppFrame): boolean {
  const { count, starts, ends } = frame;
  const length = gpp.length;
  let end = at;
  for (let index = 0; index < count; index++) {
    const start = end + 1;
    if (start > length) return refuse(frame, 'section_count', length);
    end = gpp.indexOf('~', start);
    if (end < 0) end = length;
    if (end === start) {
      frame.faultSection = frame.ids[index]!;
      return refuse(frame, 'section_blank', start);
    }
    starts[index] = start;
    ends[index] = end;
  }
  return end === length || refuse(frame, 'section_count', end);
}

function refuse(frame: GppFrame, code: GppMalformedCode, at: number): false {
  frame.faultCode = code;
  frame.faultAt = at;
  return false;
}

/** Why a string does not begin with `DB` and something after it. */
function refusePrefix(gpp: string, frame: GppFrame): false {
  if (gpp.length === 0) return refuse(frame, 'empty', 0);
  if (gpp.charCodeAt(0) !== LETTER_D) return refuse(frame, 'not_gpp', 0);
  if (gpp.length === 1 || gpp.charCodeAt(1) === TILDE) return refuse(frame, 'header_truncated', 1);
  if (sextetAt(gpp, 1) < 0) return refuse(frame, 'illegal_character', 1);
  if (gpp.charCodeAt(1) !== LETTER_B) return refuse(frame, 'header_version', 1);
  return refuse(frame, 'header_truncated', RANGE_AT);
}
