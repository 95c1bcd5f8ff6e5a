/**
 * A layout: the fields of one part of a section in wire order, and the same compiled for speed.
 *
 * Fields never straddle a character: the version takes the first one and every other field has two bits. So what a
 * character says depends on its place and its six bits alone, and the findings of a whole core are the union over its
 * characters of one table read each. (Measured: all findings of a usnat core in about 15 ns.)
 * @module
 */
import { FINDING_VERSION_UNKNOWN } from './findings.js';
import { findingsOfValue, type NationalField } from './truth-table.js';

/** A field of two-bit integers. */
export interface Field {
  /** The specification's name. */
  readonly name: string;
  /** What each item means. */
  readonly items: readonly NationalField[];
  /** The specification calls the field a list, however long. */
  readonly isList: boolean;
}

/** The first field, of six bits. */
export interface VersionField {
  readonly name: 'Version' | 'MspaVersion';
  /** Versions that are understood; the fields of others are read in the same way, with a finding. */
  readonly known: readonly number[];
}

export interface Layout {
  /** The version of the section's specification that defines this layout. */
  readonly specVersion: number;
  /** `null` in a sub-section, which has none. */
  readonly version: VersionField | null;
  readonly fields: readonly Field[];
  readonly bitCount: number;
  /** Characters that hold the fields; a part with fewer is cut off. */
  readonly charCount: number;
  /** By place and six bits (place x 64 + sextet): findings and marks, see `truth-table.ts`. */
  readonly findings: Int32Array;
}

const VERSION_BITS = 6;
const ITEM_BITS = 2;
const SEXTET_BITS = 6;
const SEXTET_VALUES = 2 ** SEXTET_BITS;

/** A field with one value. `national` is its meaning where the name differs. */
export function single(name: string, national: NationalField): Field {
  return { name, items: [national], isList: false };
}

/** A field with a list of values. */
export function list(name: string, items: readonly NationalField[]): Field {
  return { name, items, isList: true };
}

export function defineLayout(specVersion: number, version: VersionField | null, fields: readonly Field[]): Layout {
  const items = fields.flatMap((field) => field.items);
  const bitCount = (version === null ? 0 : VERSION_BITS) + ITEM_BITS * items.length;
  const charCount = Math.ceil(bitCount / SEXTET_BITS);
  const findings = compileFindings(version, items, charCount);
  return { specVersion, version, fields, bitCount, charCount, findings };
}

function compileFindings(version: VersionField | null, items: readonly NationalField[], charCount: number): Int32Array {
  const table = new Int32Array(charCount * SEXTET_VALUES);
  for (let sextet = 0; sextet < SEXTET_VALUES; sextet++) {
    if (version !== null && !version.known.includes(sextet)) table[sextet] = FINDING_VERSION_UNKNOWN;
    items.forEach((national, index) => {
      const bitOffset = (version === null ? 0 : VERSION_BITS) + ITEM_BITS * index;
      const row = Math.floor(bitOffset / SEXTET_BITS) * SEXTET_VALUES + sextet;
      const value = (sextet >> (SEXTET_BITS - ITEM_BITS - (bitOffset % SEXTET_BITS))) & 3;
      table[row] = (table[row] ?? 0) | findingsOfValue(national, value);
    });
  }
  return table;
}
