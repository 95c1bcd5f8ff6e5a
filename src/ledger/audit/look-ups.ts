/**
 * Look-ups of people: each is an entry before there is an answer, so that none goes unrecorded.
 * @module
 */
import type { IdentifierKind } from '../../core/vocabulary.js';
import type { LedgerContext } from '../context.js';
import { appendAudit } from './append.js';
import { commit } from './commitment.js';

/** What was asked about a person: what is in force, or where the data went. */
export type LookUp = 'status' | 'exports';

/** Says that somebody looked a person up: who and when, and whom as a commitment. */
export async function recordLookUp(
  context: LedgerContext,
  { kind, identity }: { readonly kind: IdentifierKind; readonly identity: Uint8Array },
  asked: LookUp,
): Promise<void> {
  const { hashes, salts } = commit(context, [identity]);
  const body = { asked, commitment: hashes[0] ?? '', kind };
  // one statement is a transaction of its own
  const event = { kind: 'person.looked_up', subject: null, body };
  await appendAudit(context.database, context, event, { salts, requestRow: null });
}
