/**
 * Reads what an enforcer says of itself, as it comes over the network.
 *
 * Anyone who may report can send anything, so every field is checked, and nothing but the fields known here is passed on.
 * @module
 */
import { InputError } from '../core/errors.js';
import type { EnforcerReport, Position } from './source.js';

/** A report as JSON is no longer than this. */
export const REPORT_BYTES_MAX = 16_384;

const ROLES: readonly EnforcerReport['role'][] = ['library', 'sidecar', 'relay', 'publisher', 'export'];
const NAME_LENGTH_MAX = 256;
const VERSION_LENGTH_MAX = 64;
const STATE_LENGTH_MAX = 32;
const LEASE_MS_MAX = 86_400_000;
/** Ten years. */
const APPLIED_AGE_MS_MAX = 315_576_000_000;
const FIELDS = ['id', 'name', 'role', 'version', 'leaseMs', 'position', 'appliedAgeMs', 'state', 'isLeaving'];

/** The report in these bytes of JSON. Throws an InputError that names the field and never its value. */
export function parseEnforcerReport(bytes: Uint8Array): EnforcerReport {
  if (bytes.length > REPORT_BYTES_MAX) throw new InputError('report', 'too_long', `at most ${REPORT_BYTES_MAX} bytes`);
  const fields = objectOf('report', parseJson(bytes));
  for (const name of Object.keys(fields)) {
    if (!FIELDS.includes(name)) throw new InputError('report', 'unknown', 'a field that reports do not have');
  }
  const { isLeaving } = fields;
  if (typeof isLeaving !== 'boolean') throw new InputError('isLeaving', 'type', 'expected true or false');
  const role = ROLES.find((known) => known === fields.role);
  if (role === undefined) throw new InputError('role', 'malformed', `expected one of ${ROLES.join(', ')}`);
  const leaseMs = countOf('leaseMs', fields.leaseMs);
  if (leaseMs > LEASE_MS_MAX) throw new InputError('leaseMs', 'out_of_range', `at most ${LEASE_MS_MAX}`);
  const { appliedAgeMs = null } = fields;
  return {
    id: textOf('id', fields.id, /^[A-Za-z0-9._:-]{1,64}$/),
    name: textOf('name', fields.name, printable(NAME_LENGTH_MAX)),
    role,
    version: textOf('version', fields.version, printable(VERSION_LENGTH_MAX)),
    leaseMs,
    position: positionOf(fields.position ?? null),
    appliedAgeMs: appliedAgeMs === null ? null : ageOf('appliedAgeMs', appliedAgeMs),
    state: textOf('state', fields.state, new RegExp(`^[a-z_]{1,${STATE_LENGTH_MAX}}$`)),
    isLeaving,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new InputError('report', 'malformed', 'expected JSON');
  }
}

function positionOf(value: unknown): Position | null {
  if (value === null) return null;
  const { epoch, seq } = objectOf('position', value);
  return { epoch: textOf('position.epoch', epoch, /^[\x21-\x7e]{1,36}$/), seq: countOf('position.seq', seq) };
}

function objectOf(field: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(field, 'type', 'expected an object');
  }
  return value as Readonly<Record<string, unknown>>;
}

function textOf(field: string, value: unknown, pattern: RegExp): string {
  if (typeof value !== 'string') throw new InputError(field, 'type', 'expected a text');
  if (!pattern.test(value)) throw new InputError(field, 'malformed', `expected ${pattern.source}`);
  return value;
}

function countOf(field: string, value: unknown): number {
  if (typeof value !== 'number') throw new InputError(field, 'type', 'expected a number');
  if (!Number.isSafeInteger(value) || value < 0) throw new InputError(field, 'out_of_range', 'expected a whole number');
  return value;
}

function ageOf(field: string, value: unknown): number {
  const ageMs = countOf(field, value);
  if (ageMs > APPLIED_AGE_MS_MAX) throw new InputError(field, 'out_of_range', `at most ${APPLIED_AGE_MS_MAX}`);
  return ageMs;
}

/** Some text without control characters, so that it can be shown on a terminal and in a log as it is. */
function printable(lengthMax: number): RegExp {
  return new RegExp(`^[^\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]{0,${lengthMax}}$`, 'u');
}
