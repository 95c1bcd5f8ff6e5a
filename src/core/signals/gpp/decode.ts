/**
 * A GPP string in full, for people and tools: every field of every US section under the specification's name.
 *
 * Reads the same frame and the same parts as `verdict.ts`; slower only because it builds objects. Never throws, and its
 * work is linear in the length of the string.
 * @module
 */
import { pairAt } from './bits.js';
import { createFrame, frameFault, readFrame } from './frame.js';
import type { Layout } from './layout.js';
import type { GppMalformed } from './malformed.js';
import { createSectionParts, readSection, sectionFault } from './parts.js';
import { SECTION_BY_ID, type Section, US_SECTIONS, USPV1_PREFIX, USPV1_SECTION_ID } from './sections.js';
import { readUspv1, uspv1Fault } from './uspv1.js';

export type GppFieldValue = number | boolean | string | readonly number[];
/** Field values by the specification's names; `Gpc` only if the section carries a GPC sub-section. */
export type GppFields = Readonly<Record<string, GppFieldValue>>;

/** How a section was laid out on the wire, which its `Version` does not always say. */
export interface GppLayoutUsed {
  /** The version of the specification that defines the layout. */
  readonly specVersion: number;
  /** Whether a section header stood before the core (sections 24 to 27). */
  readonly sectionHeader: boolean;
}

export type GppDecoded =
  | { readonly kind: 'malformed'; readonly malformed: GppMalformed }
  | {
      readonly kind: 'parsed';
      /** Every id in the header, those of other regions and unknown ones too. */
      readonly sectionIds: readonly number[];
      /** By API prefix (`usca`), the US sections that can be read. */
      readonly sections: Readonly<Record<string, GppFields>>;
      /** By API prefix; `uspv1` is text and has none. */
      readonly layouts: Readonly<Record<string, GppLayoutUsed>>;
      /** The US sections that cannot. */
      readonly malformedSections: readonly GppMalformed[];
    };

const frame = createFrame();
const parts = createSectionParts(US_SECTIONS[0]!);

/**
 * Decodes all US sections of a GPP string; others are skipped unread.
 *
 *     decodeGpp('DBABLA~BVQqAAAAAgA.YA') // sections.usnat.SaleOptOut === 2, sections.usnat.Gpc === true
 */
export function decodeGpp(gpp: string): GppDecoded {
  if (!readFrame(gpp, frame)) return { kind: 'malformed', malformed: frameFault(frame) };
  const sectionIds: number[] = [];
  const sections: Record<string, GppFields> = {};
  const layouts: Record<string, GppLayoutUsed> = {};
  const malformedSections: GppMalformed[] = [];
  for (let index = 0; index < frame.count; index++) {
    const id = frame.ids[index]!;
    sectionIds.push(id);
    const start = frame.starts[index]!;
    const end = frame.ends[index]!;
    const section = SECTION_BY_ID[id];
    if (id === USPV1_SECTION_ID) {
      // Letters that make no sense together are shown all the same; the verdict does not trust them.
      if (readUspv1(gpp, start, end) === null) malformedSections.push(uspv1Fault(gpp, start, end));
      const fields = uspv1Fields(gpp.slice(start, end));
      if (fields !== null) sections[USPV1_PREFIX] = fields;
    } else if (section !== undefined) {
      if (readSection(gpp, section, start, end, parts)) {
        sections[section.prefix] = sectionFields(section);
        layouts[section.prefix] = { specVersion: parts.layout.specVersion, sectionHeader: parts.hasHeader };
      } else malformedSections.push(sectionFault(parts, id));
    }
  }
  return { kind: 'parsed', sectionIds, sections, layouts, malformedSections };
}

function sectionFields(section: Section): GppFields {
  const fields: Record<string, GppFieldValue> = {};
  readFields(parts.sextets, parts.coreStart, parts.layout, fields);
  if (parts.sensitiveStart >= 0 && typeof section.subsection === 'object') {
    readFields(parts.sextets, parts.sensitiveStart, section.subsection, fields);
  }
  if (parts.gpc >= 0) fields.Gpc = parts.gpc === 1;
  return fields;
}

function readFields(sextets: Int8Array, start: number, layout: Layout, into: Record<string, GppFieldValue>): void {
  let bitOffset = 0;
  if (layout.version !== null) {
    into[layout.version.name] = sextets[start]!;
    bitOffset = 6;
  }
  for (const field of layout.fields) {
    if (!field.isList) {
      into[field.name] = pairAt(sextets, start, bitOffset);
      bitOffset += 2;
      continue;
    }
    const values: number[] = [];
    for (let item = 0; item < field.items.length; item++, bitOffset += 2) {
      values.push(pairAt(sextets, start, bitOffset));
    }
    into[field.name] = values;
  }
}

function uspv1Fields(text: string): GppFields | null {
  if (!/^1[YN-]{3}$/.test(text)) return null;
  return { Version: 1, Notice: text.charAt(1), OptOutSale: text.charAt(2), LspaCovered: text.charAt(3) };
}
