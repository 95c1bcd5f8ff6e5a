/**
 * Rows of the audit trail as entries. Chaining and reading go through here, so that what is hashed is what is read.
 *
 * What must stay true: whatever a row holds, an entry is made of it that can be written and verified. A row that cannot be an
 * entry was not written by this code; it is one that says so, so that it neither stops the trail nor stands in it unread.
 * @module
 */
import type { Row } from '../database.js';
import { SYSTEM_ACTOR } from './actor.js';
import { parseCanonical } from './canonical-json.js';
import { checkpointFault } from './checkpoint.js';
import { actorText, CHECKPOINT_KIND, type EntryParts, isActor, isKind, SUBJECT_LENGTH_MAX } from './entry.js';
import { isPlainObject } from './plain-json.js';

/** The columns {@link partsOf} reads. */
export const PART_COLUMNS = `kind, actor_role, actor_name, actor_via, subject, body,
  round(extract(epoch from at) * 1000)::float8 as at_ms`;

/** Kind of the entry that a row is made into that cannot be one. */
export const DAMAGED_KIND = 'trail.damaged';
/** Last moment that an entry can have. */
const AT_MS_MAX = 253_402_300_799_999;

export function partsOf(row: Row, n: number, previous: string): EntryParts {
  const { actor_role: role, actor_name: name, actor_via: via } = row;
  const actor = { name: name as string | null, role: role as never, via: via as never };
  const parts = {
    n,
    atMs: Number(row.at_ms),
    kind: String(row.kind),
    actor: actorText(actor),
    subject: row.subject as string | null,
    body: String(row.body),
    previous,
  };
  const field = isActor(actor) ? faultyField(parts) : 'actor';
  if (field === null) return parts;
  const atMs = isMoment(parts.atMs) ? parts.atMs : 0;
  const body = `{"field":"${field}"}`;
  return { n, atMs, kind: DAMAGED_KIND, actor: actorText(SYSTEM_ACTOR), subject: null, body, previous };
}

/** What of it cannot be in an entry; `null`: nothing. */
function faultyField({
  n,
  atMs,
  kind,
  subject,
  body,
  previous,
}: EntryParts): 'at' | 'kind' | 'subject' | 'body' | null {
  if (!isMoment(atMs)) return 'at';
  if (!isKind(kind)) return 'kind';
  if (subject !== null && subject.length > SUBJECT_LENGTH_MAX) return 'subject';
  if (kind === CHECKPOINT_KIND) {
    const said = { n, previous, body: Object(parseCanonical(body)) };
    return checkpointFault(said, '', null) === null ? null : 'body';
  }
  return isPlainObject(body, 0, body.length) || isObject(parseCanonical(body)) ? null : 'body';
}

function isMoment(atMs: number): boolean {
  return Number.isFinite(atMs) && atMs >= 0 && atMs <= AT_MS_MAX;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hexOf(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('hex');
}
