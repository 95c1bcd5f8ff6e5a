/**
 * Why a GPP string, or one section of it, cannot be read.
 *
 * Some faults leave nothing to trust and condemn the whole string; others stay inside one section, and the rest of the
 * string is read. Codes are stable.
 * @module
 */

/** Longest GPP string that is read, in characters. */
export const GPP_LENGTH_MAX = 8192;

/** Highest section id a header may name; 27 is the last one assigned. */
export const GPP_SECTION_ID_MAX = 63;

/** Every code with a plain sentence. */
export const GPP_MALFORMED_CODES = {
  empty: 'The string is empty.',
  too_long: `The string is longer than ${GPP_LENGTH_MAX} characters.`,
  not_gpp: 'The string does not begin with a GPP header: its first character is not D.',
  header_version: 'The header has a version other than 1.',
  header_truncated: 'The header ends before its list of sections does.',
  illegal_character: 'A character that carries no bits stands where only A-Z, a-z, 0-9, - and _ may stand.',
  range_invalid: `The header names a section id above ${GPP_SECTION_ID_MAX}.`,
  section_count: 'The number of sections differs from the number of ids in the header.',
  section_blank: 'A section that the header names is blank.',
  section_too_short: 'The core of a section ends before its last field.',
  section_header_invalid: 'The header inside a section cannot be read, or lists other sub-sections than there are.',
  subsection_invalid: 'A sub-section is blank, too short, of a type its section does not define, or one too many.',
  us_privacy_invalid: 'The US Privacy section is not 1 and three of Y, N and - in upper case, or contradicts itself.',
} as const;
export type GppMalformedCode = keyof typeof GPP_MALFORMED_CODES;

/** `at` is an offset in the whole string, in characters; `section` an id, where the fault lies within one section. */
export interface GppMalformed {
  readonly code: GppMalformedCode;
  readonly at: number;
  readonly section?: number;
}
