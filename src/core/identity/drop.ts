/**
 * The standardisation and hashing rules of California's DROP (CalPrivacy, "Working with the data"): each field is
 * standardised, then hashed with SHA-256 over UTF-8, written in Base64; a composite is the hash of the hashes.
 *
 * Known gap: the Agency transliterates "supported" Greek and Cyrillic letters, but the tables are not published with the
 * rules read. Names in those scripts are kept as they are in lower case, so their hashes may differ from the Agency's.
 * Latin letters are folded to ASCII by Unicode decomposition and the usual spellings of the letters that do not decompose.
 * @module
 */
import { hash } from 'node:crypto';
import { canonicalCtv } from './ctv.js';
import { dateDigits } from './date.js';
import { maidForms } from './device-digests.js';
import { lastTenDigits } from './normalize.js';

export type DropField = 'firstName' | 'lastName' | 'dob' | 'zip' | 'email' | 'phone' | 'vin' | 'maid' | 'ctvid';

/**
 * The standardised text of a field, or `null` where the rules give none: nothing left, or not of the form the list needs.
 *
 * @example
 * standardizeDropField('phone', '+1(415)555-9317'); // '4155559317'
 */
export function standardizeDropField(field: DropField, value: string): string | null {
  return STANDARDIZERS[field](value) || null;
}

/** The hash that DROP lists hold: SHA-256 over UTF-8 in Base64. */
export function dropHash(standardized: string): string {
  return hash('sha256', standardized, 'base64');
}

/** The hash of a person in the NDZ list (name, date of birth, ZIP code); `null` if a field has no standardised form. */
export function dropNdzHash(person: {
  readonly firstName: string;
  readonly lastName: string;
  readonly dob: string;
  readonly zip: string;
}): string | null {
  return compositeHash(person, ['firstName', 'lastName', 'dob', 'zip']);
}

/** The hash of a person in the NameVIN list; `null` if a field has no standardised form. */
export function dropNameVinHash(person: {
  readonly firstName: string;
  readonly lastName: string;
  readonly vin: string;
}): string | null {
  return compositeHash(person, ['firstName', 'lastName', 'vin']);
}

function compositeHash<F extends DropField>(values: Readonly<Record<F, string>>, fields: readonly F[]): string | null {
  let hashes = '';
  for (const field of fields) {
    const standardized = standardizeDropField(field, values[field]);
    if (standardized === null) return null;
    hashes += dropHash(standardized);
  }
  return dropHash(hashes);
}

const STANDARDIZERS: Readonly<Record<DropField, (value: string) => string | null>> = {
  firstName: standardizeName,
  lastName: standardizeName,
  dob: dateDigits,
  zip: standardizeZip,
  email: (value) => value.replace(/\s+/g, '').toLowerCase(),
  phone: (value) => lastTenDigits(value.replace(/[^0-9]+/g, '')),
  vin: standardizeVin,
  maid: (value) => maidForms(value)?.[0] ?? null,
  ctvid: canonicalCtv,
};

/** Letters and digits in lower case; Latin letters without their marks. */
function standardizeName(value: string): string {
  return value
    .toLowerCase()
    .normalize('NFKD')
    .replace(/(\p{Script=Latin})\p{M}+/gu, '$1')
    .replace(/[ßæœøđðþłħıŋŧĸſ]/g, (letter) => UNDECOMPOSED[letter] ?? letter)
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, '');
}

/** Latin letters that Unicode does not decompose, in ASCII. */
const UNDECOMPOSED: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ħ: 'h',
  ı: 'i',
  ŋ: 'n',
  ŧ: 't',
  ĸ: 'k',
  ſ: 's',
};

/** Without the `+4` of a ZIP+4 and without leading zeros, the first five letters and digits. */
function standardizeZip(value: string): string {
  return value
    .trim()
    .replace(/-\d{4}$/, '')
    .replace(/[^0-9A-Za-z]+/g, '')
    .replace(/^0+/, '')
    .slice(0, 5)
    .toLowerCase();
}

/** Seventeen letters and digits. */
function standardizeVin(value: string): string | null {
  const vin = value.replace(/[^0-9A-Za-z]+/g, '').toLowerCase();
  return vin.length === 17 ? vin : null;
}
