/**
 * Adding to the audit trail: one row, in the transaction of what it tells of.
 *
 * What must stay true: no body, subject or name holds an identifier, not even as a digest; who is meant is said by a
 * commitment (commitment.ts), whose salt is in a table of its own.
 * @module
 */
import type { LedgerContext } from '../context.js';
import type { Session } from '../database.js';
import { canonicalJson } from './canonical-json.js';
import { BODY_LENGTH_MAX, CHECKPOINT_KIND, isKind, SUBJECT_LENGTH_MAX } from './entry.js';
import { DAMAGED_KIND } from './entry-row.js';

/** What happened. */
export interface AuditEvent {
  /** Lower case, parts joined by points, such as `destination.changed`. */
  readonly kind: string;
  /** What it is about, such as the id of a request or destination; `null`: nothing that has one. */
  readonly subject: string | null;
  /** JSON, without any identifier. */
  readonly body: object;
}

/** Salts of the commitments in an entry. */
export interface AuditSalts {
  readonly salts: Buffer;
  /** Row of the request whose erasure removes them; `null`: they go by their age. */
  readonly requestRow: string | null;
}

/** Columns of a new row, in the order of {@link auditValues}. */
export const AUDIT_COLUMNS = 'kind, actor_role, actor_name, actor_via, subject, body';

/** Values of a new row. Throws a TypeError for an event that cannot be one. */
export function auditValues(
  { actor }: Pick<LedgerContext, 'actor'>,
  { kind, subject, body }: AuditEvent,
): readonly (string | null)[] {
  if (!isKind(kind) || kind === CHECKPOINT_KIND || kind === DAMAGED_KIND)
    throw new TypeError('kind: expected words joined by points');
  if (subject !== null && (subject.length > SUBJECT_LENGTH_MAX || /[\p{Cc}\p{Cs}]/u.test(subject))) {
    throw new TypeError(`subject: expected at most ${SUBJECT_LENGTH_MAX} characters`);
  }
  const text = canonicalJson(body);
  if (text.length > BODY_LENGTH_MAX || !text.startsWith('{')) {
    throw new TypeError(`body: expected an object of at most ${BODY_LENGTH_MAX} characters of JSON`);
  }
  return [kind, actor.role, actor.name, actor.via, subject, text];
}

/**
 * Adds an entry in the caller's transaction: it is there if, and only if, what it tells of is.
 * @example await appendAudit(session, context, { kind: 'webhook.added', subject: id, body: { url } });
 */
export async function appendAudit(
  session: Session,
  context: Pick<LedgerContext, 'actor'>,
  event: AuditEvent,
  salts: AuditSalts | null = null,
): Promise<void> {
  const values = auditValues(context, event);
  if (salts === null) {
    await session.query(`insert into optgate.audit_entry (${AUDIT_COLUMNS}) values ($1, $2, $3, $4, $5, $6)`, values);
    return;
  }
  await session.query(
    `with added as (insert into optgate.audit_entry (${AUDIT_COLUMNS}) values ($1, $2, $3, $4, $5, $6) returning id)
     insert into optgate.audit_salt (entry_id, request_id, salts) select id, $7::int8, $8 from added`,
    [...values, salts.requestRow, salts.salts],
  );
}
