/**
 * An entry of the audit trail: its form as text, to the byte, and the hash that ties it to the one before
 * (docs/audit-trail.md).
 *
 *     {"actor":…,"at":…,"body":…,"hash":…,"kind":…,"n":…,"previous":…,"subject":…}
 *
 * `hash` is the SHA-256 of the same line without its member `hash`; `previous` is the hash of entry n - 1, and of the
 * ledger's id for the first one.
 * @module
 */
import { hash } from 'node:crypto';
import { ACTOR_ROLES, ACTOR_VIAS, type Actor } from './actor.js';

/** The first member of a header. */
export const TRAIL_FORMAT = 'optgate-audit';
export const TRAIL_VERSION = 1;
/** The kind of entries that are signed; nobody else may write one. */
export const CHECKPOINT_KIND = 'checkpoint';

export const KIND_LENGTH_MAX = 64;
export const SUBJECT_LENGTH_MAX = 200;
/** Longest body, in characters of canonical JSON. */
export const BODY_LENGTH_MAX = 65_536;

/** Characters of a hash in hex. */
export const HASH_LENGTH = 64;

const KIND = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*$/;
const HEX = /^[0-9a-f]{64}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

export interface AuditEntry {
  /** Dense, from 1. */
  readonly n: number;
  /** By the clock of the database, in UTC with milliseconds. */
  readonly at: string;
  readonly kind: string;
  readonly actor: Actor;
  /** What it is about, such as the id of a request; never an identifier. */
  readonly subject: string | null;
  readonly body: object;
  /** In hex, as {@link hash}. */
  readonly previous: string;
  readonly hash: string;
}

/** An entry whose parts are text in canonical JSON already. */
export interface EntryParts {
  readonly n: number;
  readonly atMs: number;
  readonly kind: string;
  readonly actor: string;
  readonly subject: string | null;
  readonly body: string;
  readonly previous: string;
}

/** What follows the member `hash` in the line. */
function tailOf({ kind, n, previous, subject }: Omit<EntryParts, 'actor' | 'body' | 'atMs'>): string {
  return `"kind":"${kind}","n":${n},"previous":"${previous}","subject":${JSON.stringify(subject)}}`;
}

function startOf({ actor, atMs, body }: Pick<EntryParts, 'actor' | 'body' | 'atMs'>): string {
  return `{"actor":${actor},"at":"${new Date(atMs).toISOString()}","body":${body},`;
}

/** The hash of an entry, in hex. */
export function hashOfParts(parts: EntryParts): string {
  return hash('sha256', startOf(parts) + tailOf(parts), 'hex');
}

/** The line of an entry, without its end. */
export function lineOfParts(parts: EntryParts, entryHash: string): string {
  return `${startOf(parts)}"hash":"${entryHash}",${tailOf(parts)}`;
}

/** The canonical text of an actor. */
export function actorText({ name, role, via }: Actor): string {
  return `{"name":${JSON.stringify(name)},"role":"${role}","via":"${via}"}`;
}

/** What comes before the first entry: so that the trail of one ledger is not that of another. */
export function genesisOf(ledgerId: string): string {
  return hash('sha256', `${TRAIL_FORMAT} ${ledgerId}`, 'hex');
}

export function isKind(text: unknown): text is string {
  return typeof text === 'string' && text.length <= KIND_LENGTH_MAX && KIND.test(text);
}

/** A moment as entries have it: in UTC, with milliseconds. */
export function isMoment(text: string): boolean {
  return MOMENT.test(text);
}

export function isHash(text: unknown): text is string {
  return typeof text === 'string' && HEX.test(text);
}

const MEMBERS = ['actor', 'at', 'body', 'hash', 'kind', 'n', 'previous', 'subject'];

/** Whether a value has the members of an entry, each of its form. */
export function isEntry(value: unknown): value is AuditEntry {
  if (!hasMembers(value, MEMBERS)) return false;
  const { actor, at, body, hash: own, kind, n, previous, subject } = value as Record<keyof AuditEntry, unknown>;
  return (
    isActor(actor) &&
    typeof at === 'string' &&
    isMoment(at) &&
    typeof body === 'object' &&
    body !== null &&
    !Array.isArray(body) &&
    isHash(own) &&
    isKind(kind) &&
    Number.isSafeInteger(n) &&
    (n as number) > 0 &&
    isHash(previous) &&
    (subject === null || (typeof subject === 'string' && subject.length <= SUBJECT_LENGTH_MAX))
  );
}

export function isActor(value: unknown): boolean {
  if (!hasMembers(value, ['name', 'role', 'via'])) return false;
  const { name, role, via } = value as Record<keyof Actor, unknown>;
  const isNamed = name === null || typeof name === 'string';
  return isNamed && ACTOR_ROLES.some((known) => known === role) && ACTOR_VIAS.some((known) => known === via);
}

/** True for an object with these members in this order, and no others. */
export function hasMembers(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  let count = 0;
  for (const name in value) if (name !== names[count++]) return false;
  return count === names.length;
}
