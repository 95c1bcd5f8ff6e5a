/**
 * The slow, obvious twin of the GPP decoder: strings of 0 and 1, the section layouts as extracted from the
 * specification's own tables (test/vectors/gpp-sections.json), no shared code with src.
 * @module
 */
import { readFileSync } from 'node:fs';

export interface ReferenceSection {
  readonly id: number;
  readonly prefix: string;
  readonly gpcSubsection: boolean;
  readonly sectionHeader: boolean;
  readonly layouts: readonly ReferenceLayout[];
  readonly sensitiveSubsection?: readonly ReferenceField[];
}
export interface ReferenceLayout {
  readonly specVersion: number;
  readonly coreBits: number;
  readonly fields: readonly ReferenceField[];
}
/** Name, bits of an item, and for a list the number of items. */
export type ReferenceField = readonly [name: string, bits: number, itemCount?: number];
export type ReferenceFields = Record<string, number | number[] | boolean | string>;

export interface ReferenceFault {
  readonly code: string;
  readonly at: number;
  readonly section?: number;
}
export interface ReferenceDecoded {
  readonly sectionIds: number[];
  readonly sections: Record<string, ReferenceFields>;
  readonly layouts: Record<string, { specVersion: number; sectionHeader: boolean }>;
  readonly malformedSections: ReferenceFault[];
  /** Prefixes of sections whose section header has a version other than 1. */
  readonly headerVersionUnknown: string[];
  /** Prefixes of sections whose version 1 core is padded to the length of version 2. */
  readonly padded: string[];
}

export const REFERENCE_SECTIONS: readonly ReferenceSection[] = JSON.parse(
  readFileSync(new URL('../vectors/gpp-sections.json', import.meta.url), 'utf8'),
);
export const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const LENGTH_MAX = 8192;
const ID_MAX = 63;
/** A code longer than this stands for more than 63. */
const CODE_BITS_MAX = 10;

/** Thrown and caught within this file only. */
class Fault extends Error {
  constructor(
    readonly code: string,
    readonly at: number,
    readonly section?: number,
  ) {
    super(code);
  }
  value(): ReferenceFault {
    const { code, at, section } = this;
    return section === undefined ? { code, at } : { code, at, section };
  }
}

/** Decodes a GPP string, or says why it cannot be read. */
export function referenceDecode(gpp: string): ReferenceDecoded | ReferenceFault {
  try {
    return decode(gpp);
  } catch (error) {
    if (error instanceof Fault) return error.value();
    throw error;
  }
}

export const bitsOf = (text: string): string =>
  [...text].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(6, '0')).join('');

function decode(gpp: string): ReferenceDecoded {
  if (gpp === '') throw new Fault('empty', 0);
  if (gpp.length > LENGTH_MAX) throw new Fault('too_long', LENGTH_MAX);
  if (!gpp.startsWith('D')) throw new Fault('not_gpp', 0);
  const [header = '', ...texts] = gpp.split('~');
  const sectionIds = decodeHeader(header);
  const result: ReferenceDecoded = {
    sectionIds,
    sections: {},
    layouts: {},
    malformedSections: [],
    headerVersionUnknown: [],
    padded: [],
  };
  let at = header.length + 1;
  const offsets = texts.map((text) => {
    const offset = at;
    at += text.length + 1;
    return offset;
  });
  sectionIds.forEach((id, index) => {
    if (texts[index] === undefined) throw new Fault('section_count', gpp.length);
    if (texts[index] === '') throw new Fault('section_blank', offsets[index]!, id);
  });
  if (texts.length > sectionIds.length) throw new Fault('section_count', offsets[sectionIds.length]! - 1);
  sectionIds.forEach((id, index) => {
    try {
      decodeSection(id, texts[index]!, offsets[index]!, result);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      result.malformedSections.push({ code: error.code, at: error.at, section: id });
    }
  });
  return result;
}

function decodeHeader(header: string): number[] {
  const legal = /^[A-Za-z0-9_-]*/.exec(header)?.[0] ?? '';
  const bits = bitsOf(legal);
  // Whatever cannot be read is missing because the header ends, or because something illegal is in the way.
  const missing = (): Fault => new Fault(legal === header ? 'header_truncated' : 'illegal_character', legal.length);
  if (bits.length < 12) throw missing();
  if (Number.parseInt(bits.slice(6, 12), 2) !== 1) throw new Fault('header_version', 1);
  const ids = decodeRange(bits, 12, missing);
  if (legal !== header) throw missing();
  return ids;
}

export function decodeRange(bits: string, start: number, missing: () => Error): number[] {
  if (bits.length < start + 12) throw missing();
  const itemCount = Number.parseInt(bits.slice(start, start + 12), 2);
  const ids: number[] = [];
  let position = start + 12;
  let last = 0;
  const readCode = (): number => {
    const code = bits.slice(position, position + CODE_BITS_MAX);
    const end = code.indexOf('11');
    if (end < 0 && code.length < CODE_BITS_MAX) throw missing();
    const id = end < 0 ? Number.POSITIVE_INFINITY : last + fibonacciValue(code.slice(0, end + 1));
    if (id > ID_MAX) throw new Fault('range_invalid', Math.floor(position / 6));
    position += end + 2;
    return id;
  };
  for (let item = 0; item < itemCount; item++) {
    const group = bits[position++];
    if (group === undefined) throw missing();
    const first = readCode();
    last = first;
    ids.push(first);
    if (group === '0') continue;
    const end = readCode();
    for (let id = first + 1; id <= end; id++) ids.push(id);
    last = end;
  }
  return ids;
}

/** The sum of the Fibonacci numbers 1, 2, 3, 5 … at the ones. */
function fibonacciValue(code: string): number {
  const weights = [1, 2];
  while (weights.length < code.length) weights.push(weights.at(-1)! + weights.at(-2)!);
  return [...code].reduce((sum, bit, index) => (bit === '1' ? sum + weights[index]! : sum), 0);
}

function decodeSection(id: number, text: string, offset: number, result: ReferenceDecoded): void {
  if (id === 6) {
    if (/^1[YN-]{3}$/.test(text)) {
      result.sections.uspv1 = { Version: 1, Notice: text[1]!, OptOutSale: text[2]!, LspaCovered: text[3]! };
    }
    refuseUspv1(text, offset);
    return;
  }
  const section = REFERENCE_SECTIONS.find((candidate) => candidate.id === id);
  if (section === undefined) return;
  const illegal = text.search(/[^A-Za-z0-9_.-]/);
  if (illegal >= 0) throw new Fault('illegal_character', offset + illegal);

  let parts = text.split('.').map((part) => ({ part, at: 0 }));
  let at = offset;
  for (const entry of parts) {
    entry.at = at;
    at += entry.part.length + 1;
  }
  const hasHeader = section.sectionHeader && parts.length > 1 && text.startsWith(ALPHABET[id]!);
  let headerVersion = 1;
  if (hasHeader) {
    const invalid = new Fault('section_header_invalid', offset);
    const bits = bitsOf(parts[0]!.part);
    let listed: number[];
    try {
      listed = decodeRange(bits, 12, () => invalid);
    } catch {
      throw invalid;
    }
    if (listed.length !== parts.length - 2) throw invalid;
    headerVersion = Number.parseInt(bits.slice(6, 12), 2);
    parts = parts.slice(1);
  }

  const core = parts[0]!;
  const layout = chooseLayout(section, core.part);
  if (layout === null) throw new Fault('section_too_short', core.at + core.part.length);
  if (layout.specVersion === 1 && section.prefix === 'usnat' && core.part.length >= 12)
    result.padded.push(section.prefix);
  const fields: ReferenceFields = {};
  readFields(bitsOf(core.part), layout.fields, fields);
  parts.slice(1).forEach(({ part, at: partAt }, index) => {
    const invalid = new Fault('subsection_invalid', partAt);
    const bits = bitsOf(part);
    if (part === '') throw invalid;
    if (section.sensitiveSubsection !== undefined) {
      if (index > 0 || bits.length < 16) throw invalid;
      readFields(bits, section.sensitiveSubsection, fields);
    } else {
      if (bits.slice(0, 2) !== '01') throw invalid;
      fields.Gpc = fields.Gpc === true || bits[2] === '1';
    }
  });
  result.sections[section.prefix] = fields;
  result.layouts[section.prefix] = { specVersion: layout.specVersion, sectionHeader: hasHeader };
  if (headerVersion !== 1) result.headerVersionUnknown.push(section.prefix);
}

function chooseLayout(section: ReferenceSection, core: string): ReferenceLayout | null {
  const bits = bitsOf(core);
  const fitting = section.layouts.filter((layout) => bits.length >= layout.coreBits);
  if (section.prefix !== 'usnat') return fitting[0] ?? null;
  const version = Number.parseInt(bits.slice(0, 6), 2);
  if (fitting.length === 0) return null;
  if (fitting.length === 1) return version === 2 ? null : fitting[0]!;
  // A version 1 core padded with zeros beyond 70 bits.
  const padded = version === 1 && !bits.slice(60).includes('1') && ['01', '10'].includes(bits.slice(54, 56));
  return padded ? fitting[0]! : fitting[1]!;
}

function readFields(bits: string, fields: readonly ReferenceField[], into: ReferenceFields): void {
  let position = 0;
  const read = (width: number): number => {
    position += width;
    return Number.parseInt(bits.slice(position - width, position), 2);
  };
  for (const [name, width, itemCount] of fields) {
    into[name] = itemCount === undefined ? read(width) : Array.from({ length: itemCount }, () => read(width));
  }
}

function refuseUspv1(text: string, offset: number): void {
  const bad = [/^1/, /^1[YN-]/, /^1([YN-][YN]|--(?![YNyn]))/, /^1([YN-][YN][YN-]|---)/, /^1[YN-]{3}$/].findIndex(
    (pattern) => !pattern.test(text),
  );
  if (bad >= 0) throw new Fault('us_privacy_invalid', offset + bad);
}
