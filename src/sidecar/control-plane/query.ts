/**
 * Parameters of a query that several routes read alike.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { REPORT_FORMATS, type ReportFormat } from '../../ledger/index.js';
import type { Parameter } from './route.js';
import { moment } from './schemas.js';

type Query = ReadonlyMap<string, string>;

export function wholeNumber(name: string, description: string): Parameter {
  return { in: 'query', name, description, schema: { type: 'integer', minimum: 0 } };
}

/** A whole number; `undefined`: it was not said. Throws an InputError. */
export function numberOf(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new InputError(name, 'malformed', 'expected a whole number');
  return Number(text);
}

export function momentParameter(name: string, description: string): Parameter {
  const expected = 'A day (UTC), or a moment with its zone.';
  return { in: 'query', name, description: `${description} ${expected}`, schema: { type: 'string' } };
}

/** A moment, or the beginning of a day in UTC. Throws an InputError. */
export function momentOf(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const whole = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (!moment.safeParse(whole).success) {
    throw new InputError(name, 'malformed', 'expected a day, or a moment with its zone, such as 2026-11-20T10:00:00Z');
  }
  return Date.parse(whole);
}

export const FORMAT: Parameter = {
  in: 'query',
  name: 'format',
  description: 'Default: json.',
  schema: { type: 'string', enum: [...REPORT_FORMATS] },
};

/** What a report comes as. Throws an InputError. */
export function formatOf(query: Query): ReportFormat {
  const text = query.get('format') ?? 'json';
  const format = REPORT_FORMATS.find((known) => known === text);
  if (format === undefined) throw new InputError('format', 'unknown', `expected one of ${REPORT_FORMATS.join(', ')}`);
  return format;
}

export function flagParameter(name: string, description: string): Parameter {
  return { in: 'query', name, description, schema: { type: 'boolean' } };
}

/** `true` or `false`; false where it was not said. Throws an InputError. */
export function flagOf(query: Query, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false') throw new InputError(name, 'unknown', 'expected true or false');
  return text === 'true';
}
