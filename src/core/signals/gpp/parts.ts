/**
 * The parts of one US section: `[ header "." ] core *( "." sub-section )`. Finds and checks them; the fields are read by
 * `verdict.ts` and `decode.ts`, which therefore cannot disagree about what is on the wire.
 *
 * A section is usable as a whole or not at all: a part that cannot be read might be the one that holds the opt-out.
 * @module
 */
import { DOT, pairAt, sextetAt } from './bits.js';
import type { Layout } from './layout.js';
import { GPP_LENGTH_MAX, type GppMalformed, type GppMalformedCode } from './malformed.js';
import { createIdRange, type IdRange, readRange } from './range.js';
import type { Section } from './sections.js';

/** What was found in a section. A scratch object, reused; offsets count from the start of the section. */
export interface SectionParts {
  /** The six bits of each character, so that each is fetched from the string once; -1 for a dot. */
  readonly sextets: Int8Array;
  layout: Layout;
  /** Offset of the core. */
  coreStart: number;
  /** Offset of a sub-section with SensitiveDataProcessing; -1 if there is none. */
  sensitiveStart: number;
  /** 1 or 0 as the GPC sub-section says; -1 if there is none. */
  gpc: number;
  hasHeader: boolean;
  /** The section header has a version that is not understood. */
  headerVersionUnknown: boolean;
  /** The shorter layout was chosen for a core with room for the longer one; other readers see the longer one. */
  padded: boolean;
  faultCode: GppMalformedCode;
  /** Offset in the whole string. */
  faultAt: number;
  /** The sub-sections that a section header lists. */
  readonly listed: IdRange;
}

export function createSectionParts(section: Section): SectionParts {
  return {
    sextets: new Int8Array(GPP_LENGTH_MAX),
    layout: section.layouts[0]!,
    coreStart: 0,
    sensitiveStart: -1,
    gpc: -1,
    hasHeader: false,
    headerVersionUnknown: false,
    padded: false,
    faultCode: 'section_blank',
    faultAt: 0,
    listed: createIdRange(),
  };
}

/** The fault of a section that could not be read, as a value of its own. */
export function sectionFault(parts: SectionParts, section: number): GppMalformed {
  return { code: parts.faultCode, at: parts.faultAt, section };
}

const SECTION_HEADER_VERSION = 1;
/** SectionID and Version, one character each. */
const SECTION_HEADER_RANGE_AT = 2;
const GPC_TYPE = 1;

/** HOT. Reads the section between two offsets into `parts`; false if it is unusable, with the fault set. */
export function readSection(gpp: string, section: Section, start: number, end: number, parts: SectionParts): boolean {
  const sextets = parts.sextets;
  const length = end - start;
  let coreEnd = length;
  for (let at = 0; at < length; at++) {
    const sextet = sextetAt(gpp, start + at);
    sextets[at] = sextet;
    if (sextet >= 0) continue;
    if (gpp.charCodeAt(start + at) !== DOT) return refuse(parts, 'illegal_character', start + at);
    if (coreEnd === length) coreEnd = at;
  }
  parts.sensitiveStart = -1;
  parts.gpc = -1;
  parts.hasHeader = false;
  parts.headerVersionUnknown = false;
  let coreStart = 0;
  // MspaVersion is a small number, so a core cannot begin with the section's own id (24 to 27).
  if (section.mayHaveHeader && coreEnd < length && sextets[0] === section.id) {
    if (!readSectionHeader(gpp, start, length, parts)) return false;
    coreStart = coreEnd + 1;
    coreEnd = partEnd(sextets, coreStart, length);
  }
  const layout = layoutOf(sextets, section, coreStart, coreEnd);
  if (layout === null) return refuse(parts, 'section_too_short', start + coreEnd);
  parts.coreStart = coreStart;
  parts.layout = layout;
  parts.padded =
    section.layouts.length > 1 && layout === section.layouts[0] && coreEnd - coreStart >= section.layouts[1]!.charCount;
  return coreEnd === length || readSubsections(section, start, coreEnd, length, parts);
}

/**
 * HOT. The layout of a core, by its length; `null` if it is too short. The version does not decide: writers put 1 on the
 * longer usnat layout, and readers must go by the length. Two cases need a second look.
 */
function layoutOf(sextets: Int8Array, section: Section, start: number, end: number): Layout | null {
  const layouts = section.layouts;
  const charCount = end - start;
  const shorter = layouts[0]!;
  if (charCount < shorter.charCount) return null;
  if (layouts.length === 1) return shorter;
  const longer = layouts[1]!;
  const version = sextets[start]!;
  // Cut off: the version promises more than is there.
  if (charCount < longer.charCount) return version === longer.specVersion ? null : shorter;
  return version === shorter.specVersion && isPadded(sextets, start, end, shorter, longer) ? shorter : longer;
}

/**
 * Whether a core long enough for the longer layout is the shorter one with `A`s after it (as padding to 24 bits makes):
 * nothing but zeros follows its fields, and its MspaCoveredTransaction is legal where the longer one's is not.
 */
function isPadded(sextets: Int8Array, start: number, end: number, shorter: Layout, longer: Layout): boolean {
  for (let at = start + shorter.charCount; at < end; at++) {
    if (sextets[at] !== 0) return false;
  }
  const covered = pairAt(sextets, start, coveredBitOffset(shorter));
  return pairAt(sextets, start, coveredBitOffset(longer)) === 0 && (covered === 1 || covered === 2);
}

/** MspaCoveredTransaction is the third field from the end in both layouts of usnat. */
function coveredBitOffset(layout: Layout): number {
  return layout.bitCount - 6;
}

/** HOT. Reads what follows the core: GPC flags or the sensitive data of the section. `dot` is the offset of the first dot. */
function readSubsections(section: Section, start: number, dot: number, length: number, parts: SectionParts): boolean {
  const sextets = parts.sextets;
  let at = dot;
  while (at < length) {
    const first = at + 1;
    at = partEnd(sextets, first, length);
    if (at === first) return refuse(parts, 'subsection_invalid', start + first);
    const { subsection } = section;
    if (typeof subsection === 'object') {
      const isSecond = parts.sensitiveStart >= 0;
      if (isSecond || at - first < subsection.charCount) return refuse(parts, 'subsection_invalid', start + first);
      parts.sensitiveStart = first;
    } else {
      const sextet = sextets[first]!;
      if (sextet >> 4 !== GPC_TYPE) return refuse(parts, 'subsection_invalid', start + first);
      const gpc = (sextet >> 3) & 1;
      if (parts.gpc < gpc) parts.gpc = gpc;
    }
  }
  return true;
}

/** HOT. The offset of the next dot, or the end. */
function partEnd(sextets: Int8Array, first: number, length: number): number {
  let at = first;
  while (at < length && sextets[at]! >= 0) at++;
  return at;
}

/**
 * Reads `SectionID(6) Version(6) SubSections: Range(Fibonacci)`. The core is not listed, since its id is 0 and Fibonacci
 * codes begin at 1; each other part is.
 */
function readSectionHeader(gpp: string, start: number, length: number, parts: SectionParts): boolean {
  // a dot where the version belongs: what follows is the core
  if (parts.sextets[1]! < 0 || readRange(gpp, start + SECTION_HEADER_RANGE_AT, parts.listed) < 0) {
    return refuse(parts, 'section_header_invalid', start);
  }
  let dotCount = 0;
  for (let at = 0; at < length; at++) if (parts.sextets[at]! < 0) dotCount++;
  // One dot ends the header, and one precedes each sub-section.
  if (dotCount !== parts.listed.count + 1) return refuse(parts, 'section_header_invalid', start);
  parts.hasHeader = true;
  parts.headerVersionUnknown = parts.sextets[1] !== SECTION_HEADER_VERSION;
  return true;
}

function refuse(parts: SectionParts, code: GppMalformedCode, at: number): false {
  parts.faultCode = code;
  parts.faultAt = at;
  return false;
}
