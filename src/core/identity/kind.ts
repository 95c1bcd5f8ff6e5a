/**
 * Reads a kind as people write it (`email_sha256`, `eid:uidapi.com`) into its parts.
 * @module
 */
import { BASE_KINDS, type BaseKind, type IdentifierKind, QUALIFIED_KINDS } from '../vocabulary.js';
import { IDENTIFIER_LENGTH_MAX } from './limits.js';
import { canonicalQualifier } from './qualifier.js';

/** A kind in parts. `qualifier` is canonical, and empty for a plain kind. */
export interface ParsedKind {
  readonly base: BaseKind;
  readonly qualifier: string;
}

/** Why a kind cannot be read. */
export type KindErrorCode = 'not_text' | 'empty' | 'too_long' | 'unknown' | 'no_qualifier';

const BASES: ReadonlyMap<string, BaseKind> = new Map(BASE_KINDS.map((base) => [base, base]));
const QUALIFIED: ReadonlySet<string> = new Set(QUALIFIED_KINDS);

/** The parts of a kind, in any case and with white space around it, or the reason why it has none. */
export function parseKind(kind: unknown): ParsedKind | KindErrorCode {
  if (typeof kind !== 'string') return 'not_text';
  if (kind.length > IDENTIFIER_LENGTH_MAX) return 'too_long';
  const text = kind.trim().toLowerCase();
  if (text === '') return 'empty';
  const colonAt = text.indexOf(':');
  const base = BASES.get(colonAt < 0 ? text : text.slice(0, colonAt));
  if (base === undefined) return 'unknown';
  if (!QUALIFIED.has(base)) return colonAt < 0 ? { base, qualifier: '' } : 'unknown';
  const qualifier = colonAt < 0 ? '' : canonicalQualifier(text.slice(colonAt + 1));
  return qualifier === '' ? 'no_qualifier' : { base, qualifier };
}

/** The canonical text of a kind. */
export function kindText({ base, qualifier }: ParsedKind): IdentifierKind {
  return (qualifier === '' ? base : `${base}:${qualifier}`) as IdentifierKind;
}
