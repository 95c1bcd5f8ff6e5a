/**
 * Reading the audit trail: its head, entries by what they say, and all of it in order.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { Row, Session } from '../database.js';
import { ACTOR_NAME_LENGTH_MAX, ACTOR_ROLES, type Actor } from './actor.js';
import { type AuditEntry, genesisOf, isKind, lineOfParts, SUBJECT_LENGTH_MAX } from './entry.js';
import { hexOf, PART_COLUMNS, partsOf } from './entry-row.js';

/** Entries that are given out at once, unless told. */
export const AUDIT_ENTRIES_PER_READ = 100;
/** Most entries given out at once. */
export const AUDIT_ENTRIES_PER_READ_MAX = 1_000;
/** Entries of a page of an export. */
const ENTRIES_PER_PAGE = 5_000;

export interface AuditHead {
  readonly ledgerId: string;
  /** Number of the last entry; 0: there is none. */
  readonly n: number;
  /** Its hash; of the first entry's `previous` where there is none. */
  readonly hash: string;
  /** When the last checkpoint was signed, and up to which entry; `null`: none was. */
  readonly checkpointN: number | null;
  /** Rows that are not chained yet. */
  readonly unchainedCount: number;
}

export interface AuditQuery {
  /** Entries after this number. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
  readonly kind?: string | undefined;
  readonly subject?: string | undefined;
  /** `role`, `role:name` or `:name`. */
  readonly actor?: string | undefined;
  /** At this moment or later; before that one. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** Where the trail ends. */
export async function auditHead(session: Session): Promise<AuditHead> {
  const [row] = await session.query(
    `select ledger_id::text, n::float8, hash, checkpoint_n::float8,
       (select count(*)::float8 from optgate.audit_entry where n is null) as unchained
     from optgate.audit_head, optgate.meta`,
  );
  if (row === undefined) throw new Error('unreachable: a migrated ledger has a head of its trail');
  const ledgerId = String(row.ledger_id);
  const checkpointN = Number(row.checkpoint_n);
  return {
    ledgerId,
    n: Number(row.n),
    hash: row.hash === null ? genesisOf(ledgerId) : hexOf(row.hash),
    checkpointN: checkpointN === 0 ? null : checkpointN,
    unchainedCount: Number(row.unchained),
  };
}

/** Chained entries that a query asks for, in order. @throws {InputError} */
export async function auditEntries(session: Session, query: AuditQuery): Promise<readonly AuditEntry[]> {
  const { role, name } = readActorQuery(query.actor);
  const rows = await session.query(
    `select n::float8, previous, hash, ${PART_COLUMNS} from optgate.audit_entry
     where n > $1::float8::int8 and ($2::text is null or kind = $2) and ($3::text is null or subject = $3)
       and ($4::text is null or actor_role = $4) and ($5::text is null or actor_name = $5)
       and ($6::float8 is null or at >= to_timestamp($6::float8 / 1000))
       and ($7::float8 is null or at < to_timestamp($7::float8 / 1000))
     order by audit_entry.n limit $8::int4`,
    [
      readNumber(query.after ?? 0, 'after', 0, Number.MAX_SAFE_INTEGER),
      readKind(query.kind),
      readSubject(query.subject),
      role,
      name,
      readMoment(query.sinceMs, 'since'),
      readMoment(query.untilMs, 'until'),
      readNumber(query.limit ?? AUDIT_ENTRIES_PER_READ, 'limit', 1, AUDIT_ENTRIES_PER_READ_MAX),
    ],
  );
  return rows.map((row) => JSON.parse(lineOf(row)) as AuditEntry);
}

/** The lines of all chained entries, in order, some at a time. Reads in pages; what is chained meanwhile is among them. */
export async function* auditLines(session: Session, upTo: number): AsyncGenerator<readonly string[]> {
  for (let after = 0; after < upTo; ) {
    const rows = await session.query(
      `select n::float8, previous, hash, ${PART_COLUMNS} from optgate.audit_entry
       where n > $1::float8::int8 and n <= $2::float8::int8 order by audit_entry.n limit ${ENTRIES_PER_PAGE}`,
      [after, upTo],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(lineOf);
    after = Number(last.n);
  }
}

function lineOf(row: Row): string {
  return lineOfParts(partsOf(row, Number(row.n), hexOf(row.previous)), hexOf(row.hash));
}

function readActorQuery(text: string | undefined): {
  readonly role: Actor['role'] | null;
  readonly name: string | null;
} {
  if (text === undefined) return { role: null, name: null };
  const [, word = '', name] = /^([a-z]*)(?::(.+))?$/s.exec(text) ?? [];
  const role = ACTOR_ROLES.find((known) => known === word) ?? null;
  if (role === null && (word !== '' || name === undefined)) {
    throw new InputError('actor', 'unknown', `expected one of ${ACTOR_ROLES.join(', ')}, a colon and a name, or both`);
  }
  return { role, name: name === undefined ? null : readText(name, 'actor', ACTOR_NAME_LENGTH_MAX) };
}

function readKind(kind: string | undefined): string | null {
  if (kind === undefined) return null;
  if (isKind(kind)) return kind;
  throw new InputError('kind', 'malformed', 'expected words in lower case, joined by points');
}

function readSubject(subject: string | undefined): string | null {
  return subject === undefined ? null : readText(subject, 'subject', SUBJECT_LENGTH_MAX);
}

function readText(text: string, field: string, lengthMax: number): string {
  if (text.length > lengthMax) throw new InputError(field, 'too_long', `expected at most ${lengthMax} characters`);
  if (text === '' || /[\p{Cc}\p{Cs}]/u.test(text)) throw new InputError(field, 'malformed', 'expected printable text');
  return text;
}

function readNumber(value: number, field: string, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new InputError(field, 'out_of_range', `expected a whole number from ${min} to ${max}`);
}

/** Latest moment that is taken: the end of the year 9999. */
const MOMENT_MS_MAX = 253_402_300_799_999;

function readMoment(ms: number | undefined, field: string): number | null {
  return ms === undefined ? null : readNumber(ms, field, 0, MOMENT_MS_MAX);
}
