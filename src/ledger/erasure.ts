/**
 * Erasing who a request was about: its identifiers, digests, sealed values, and the salts that tie the audit trail to them.
 *
 * What must stay true: the opt-out stays in force, for its keys stay, with the identity that holds the rights, so that an
 * opt-in can end them; the record that there was a request, and the answer, stays (11 CCR 7101(b)); and the audit trail
 * stays valid, for commitments without salts are only random bytes.
 *
 * The identity stays with the request as well: it is in the set anyway, and whoever denies another request of the same
 * person must know which rights this one still holds.
 *
 * What can no longer be done with the digests of an erased request: find it by another dialect of an identifier, send a gap
 * notice for it, publish its digests (current-digests.ts refuses a set with holes).
 * @module
 */
import { InputError } from '../core/errors.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { int8Column } from './packed-column.js';
import { requestById } from './requests.js';
import { forgetRequests } from './webhooks/events.js';

/** Parts of a list that are erased in one transaction. */
const PARTS_PER_STEP = 100;

/** What an erasure has done. */
export interface Erasure {
  readonly requestId: string;
  /** Identifiers that were there. */
  readonly identifierCount: number;
  /** It was erased before: nothing was done. */
  readonly isRepeat: boolean;
}

/** See Ledger.erase. */
export async function eraseRequest(context: LedgerContext, requestId: string): Promise<Erasure> {
  const { database } = context;
  const { row, identifierCount, nature, status, confirmByMs } = await requestById(database, requestId);
  const isOver = status === 'pending' && confirmByMs !== null && confirmByMs < context.now();
  if (status === 'in_progress' || (status === 'pending' && !isOver)) {
    throw new InputError('requestId', 'unknown', 'expected a request that was answered');
  }
  if (nature === 'import') await eraseList(context, row, requestId);
  return database.transaction(async (session) => {
    if (!(await eraseRows(session, [row]))) return { requestId, identifierCount: 0, isRepeat: true };
    const body = { identifierCount };
    await appendAudit(session, context, { kind: 'request.erased', subject: requestId, body });
    return { requestId, identifierCount, isRepeat: false };
  });
}

/** The parts of a list, with an entry before the first: an erasure that breaks off is in the trail. */
export async function eraseList(context: LedgerContext, requestRow: string, requestId: string): Promise<void> {
  const [left] = await context.database.query(
    'select 1 from optgate.import_part where request_id = $1::int8 and octet_length(digests) > 0 limit 1',
    [requestRow],
  );
  if (left === undefined) return;
  await appendAudit(context.database, context, { kind: 'erasure.begun', subject: requestId, body: {} });
  await eraseParts(context.database, requestRow);
}

/** Empties the parts of a list, some at a time: an open transaction holds the change log up. */
async function eraseParts(session: Session, requestRow: string): Promise<void> {
  for (;;) {
    const erased = await session.query(
      `update optgate.import_part set digests = '', clear = null
       where request_id = $1::int8 and part in (
         select part from optgate.import_part where request_id = $1::int8 and octet_length(digests) > 0 limit ${PARTS_PER_STEP})
       returning 1`,
      [requestRow],
    );
    if (erased.length === 0) return;
  }
}

/** Everything but the parts of some requests, in the caller's transaction; false: all of them were erased before. */
export async function eraseRows(session: Session, requestRows: readonly string[]): Promise<boolean> {
  const rows = [int8Column(requestRows.map(BigInt)).bytes];
  const erased = await session.query(
    `update optgate.request set erased_at = clock_timestamp(), content_digest = null, source_digest = null
     where id = any($1::int8[]) and erased_at is null returning 1`,
    rows,
  );
  await session.query(
    `update optgate.request_identifier set digests = '', clear = null where request_id = any($1::int8[])`,
    rows,
  );
  await session.query('delete from optgate.audit_salt where request_id = any($1::int8[])', rows);
  await forgetRequests(session, requestRows);
  return erased.length > 0;
}
