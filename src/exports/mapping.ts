/**
 * Which columns or JSON paths hold which kind of identifier.
 *
 *     email=email,maid=idfa,eid:uidapi.com=uid2,phone_sha256=phone|phone2
 *
 * A comma separates kinds, a bar the places of one kind; a backslash before `,`, `|`, `=` or `\` makes it part of a name.
 * The same as data: `{ email: 'email', phone_sha256: ['phone', 'phone2'] }`, where nothing need be escaped.
 * @module
 */
import { InputError } from '../core/errors.js';
import { kindText, parseKind } from '../core/identity/kind.js';
import type { BaseKind, IdentifierKind } from '../core/vocabulary.js';
import { MAPPED_KINDS_MAX, MAPPED_PLACES_MAX } from './limits.js';

/** One place that holds identifiers of one kind. */
export interface MappedPlace {
  readonly kind: IdentifierKind;
  readonly base: BaseKind;
  /** Source of an eid or name space of an account, canonical; empty for other kinds. */
  readonly qualifier: string;
  /** A column's name, or a JSON path. */
  readonly place: string;
}

/** Every place, in the order given. */
export type ColumnMapping = readonly MappedPlace[];

/** A mapping as data. */
export type MappingRecord = Readonly<Record<string, string | readonly string[]>>;

/**
 * Reads a mapping.
 * @throws {InputError} that names the entry: an unknown kind, a place that is empty or there twice, too many places.
 * @example
 * parseMapping('email=email,maid=idfa|gaid');
 */
export function parseMapping(mapping: string | MappingRecord): ColumnMapping {
  const entries = typeof mapping === 'string' ? splitText(mapping) : Object.entries(mapping);
  const places: MappedPlace[] = [];
  for (const [index, [kind, named]] of entries.entries()) {
    const field = `mapping[${index}]`;
    const parsed = parseKind(kind);
    if (typeof parsed === 'string') {
      throw new InputError(
        field,
        'unknown',
        'expected a kind of identifier before the "=", such as email or eid:<source>',
      );
    }
    const names: readonly unknown[] = typeof named === 'string' ? [named] : named;
    if (names.length === 0) throw new InputError(field, 'empty', 'expected a column or path after the "="');
    for (const place of names) {
      if (typeof place !== 'string' || place === '') {
        throw new InputError(field, 'empty', 'expected the name of a column or a path');
      }
      const text = kindText(parsed);
      if (places.some((known) => known.kind === text && known.place === place)) {
        throw new InputError(field, 'used', 'this place is mapped to this kind already');
      }
      if (places.length === MAPPED_PLACES_MAX) {
        throw new InputError(field, 'too_many', `expected at most ${MAPPED_PLACES_MAX} places`);
      }
      places.push({ kind: text, base: parsed.base, qualifier: parsed.qualifier, place });
    }
  }
  if (kindsOf(places).length > MAPPED_KINDS_MAX) {
    throw new InputError('mapping', 'too_many', `expected at most ${MAPPED_KINDS_MAX} kinds`);
  }
  if (places.length === 0) throw new InputError('mapping', 'empty', 'expected kinds and columns, such as email=email');
  return places;
}

/** The kinds of a mapping, each once. */
export function kindsOf(mapping: ColumnMapping): readonly IdentifierKind[] {
  return [...new Set(mapping.map(({ kind }) => kind))];
}

/** The kinds and places of a mapping written as text. */
function splitText(text: string): readonly (readonly [string, readonly string[]])[] {
  if (text.trim() === '') return [];
  return splitAt(text, ',').map((entry, index) => {
    const [kind = '', places, ...more] = splitAt(entry, '=');
    if (places === undefined || more.length > 0) {
      throw new InputError(
        `mapping[${index}]`,
        'malformed',
        'expected <kind>=<column>, several columns with "|" between them',
      );
    }
    return [kind, splitAt(places, '|').map(unescaped)] as const;
  });
}

/** The parts between separators that no backslash stands before. */
function splitAt(text: string, separator: string): string[] {
  const parts: string[] = [''];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === separator) parts.push('');
    else parts[parts.length - 1] += character === '\\' ? character + (text[++at] ?? '') : character;
  }
  return parts;
}

/** Backslashes taken away, also for a path: those that it needs itself are written twice. */
function unescaped(text: string): string {
  return text.trim().replace(/\\([,|=\\])/g, '$1');
}
