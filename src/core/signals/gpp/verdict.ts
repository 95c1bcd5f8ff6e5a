/**
 * The verdict on a GPP string: for every US section in it, what it says against using the data.
 *
 * HOT: one pass over the characters, no field is built. `decode.ts` reads the same sections into named fields.
 * @module
 */
import {
  FINDING_COVERED_TRANSACTION_ZERO,
  FINDING_GPC,
  FINDING_SALE_OPT_OUT,
  FINDING_SECTION_MALFORMED,
  FINDING_VERSION_UNKNOWN,
} from './findings.js';
import { createFrame, frameFault, readFrame } from './frame.js';
import type { Layout } from './layout.js';
import type { GppMalformed } from './malformed.js';
import { createSectionParts, readSection } from './parts.js';
import {
  SECTION_BY_ID,
  type Section,
  US_SECTION_ID_LAST,
  US_SECTION_IDS,
  US_SECTIONS,
  USPV1_SECTION_ID,
} from './sections.js';
import { settlePairs } from './truth-table.js';
import { readUspv1 } from './uspv1.js';

export interface GppVerdict {
  /** Not `null`: nothing in the string can be used, and the rest is empty. */
  readonly malformed: GppMalformed | null;
  /** Bit id for every US section (6..27) that the string holds. */
  readonly presentMask: number;
  /** The ids of those sections, rising. */
  readonly sectionIds: readonly number[];
  /** The findings of each (`findings.ts`), parallel to `sectionIds`. */
  readonly findings: readonly number[];
}

const NONE: readonly number[] = Object.freeze([]);
const NO_US_SECTION: GppVerdict = Object.freeze({ malformed: null, presentMask: 0, sectionIds: NONE, findings: NONE });
/** By id: the list of just that id. */
const ONLY: readonly (readonly number[])[] = Array.from({ length: US_SECTION_ID_LAST + 1 }, (_, id) =>
  Object.freeze([id]),
);
/** By id: the verdict on a string whose only US section has no findings. */
const CLEAN: readonly GppVerdict[] = ONLY.map((sectionIds, id) =>
  Object.freeze({ malformed: null, presentMask: 1 << id, sectionIds, findings: Object.freeze([0]) }),
);
const US_SECTION_ID_FIRST = US_SECTION_IDS[0]!;

const frame = createFrame();
const parts = createSectionParts(US_SECTIONS[0]!);

/** HOT. Judges all US sections of a GPP string. Never throws; any text at all gives a verdict. */
export function judgeGpp(gpp: string): GppVerdict {
  if (!readFrame(gpp, frame)) {
    return { malformed: frameFault(frame), presentMask: 0, sectionIds: NONE, findings: NONE };
  }
  const { count, ids, starts, ends } = frame;
  let first = 0;
  while (first < count && ids[first]! < US_SECTION_ID_FIRST) first++;
  let last = count;
  while (last > first && ids[last - 1]! > US_SECTION_ID_LAST) last--;
  if (first === last) return NO_US_SECTION;
  if (last - first === 1) {
    const id = ids[first]!;
    const findings = judgeSection(gpp, id, starts[first]!, ends[first]!);
    if (findings === 0) return CLEAN[id]!;
    return { malformed: null, presentMask: 1 << id, sectionIds: ONLY[id]!, findings: [findings] };
  }
  const sectionIds: number[] = [];
  const findings: number[] = [];
  let presentMask = 0;
  for (let index = first; index < last; index++) {
    const id = ids[index]!;
    presentMask |= 1 << id;
    sectionIds.push(id);
    findings.push(judgeSection(gpp, id, starts[index]!, ends[index]!));
  }
  return { malformed: null, presentMask, sectionIds, findings };
}

/** HOT. The findings of one US section. */
function judgeSection(gpp: string, id: number, start: number, end: number): number {
  if (id === USPV1_SECTION_ID) return judgeUspv1(gpp, start, end);
  const section: Section = SECTION_BY_ID[id]!;
  if (!readSection(gpp, section, start, end, parts)) return FINDING_SECTION_MALFORMED;
  let union = unionOf(parts.sextets, parts.coreStart, parts.layout);
  if (parts.sensitiveStart >= 0) union |= unionOf(parts.sextets, parts.sensitiveStart, section.subsection as Layout);
  if (parts.gpc === 1) union |= FINDING_GPC;
  // Prebid.js reads the longer layout here, finds MspaCoveredTransaction 0 and denies.
  if (parts.padded) union |= FINDING_COVERED_TRANSACTION_ZERO;
  if (parts.headerVersionUnknown) union |= FINDING_VERSION_UNKNOWN;
  return settlePairs(union);
}

/** HOT. What the characters of one part say together; the part is known to be long enough. */
function unionOf(sextets: Int8Array, start: number, layout: Layout): number {
  const { findings, charCount } = layout;
  let union = 0;
  for (let place = 0; place < charCount; place++) {
    union |= findings[(place << 6) | sextets[start + place]!]!;
  }
  return union;
}

function judgeUspv1(gpp: string, start: number, end: number): number {
  const usPrivacy = readUspv1(gpp, start, end);
  if (usPrivacy === null) return FINDING_SECTION_MALFORMED;
  return usPrivacy.saleOptOut === true ? FINDING_SALE_OPT_OUT : 0;
}
