/**
 * What the audit trail says of a request that was recorded.
 * @module
 */
import { rightsOfMask } from '../../core/vocabulary.js';
import type { LedgerContext } from '../context.js';
import type { ImportFields } from '../import-input.js';
import type { RequestRead } from '../input.js';
import type { NewRequest } from '../requests.js';
import { auditValues } from './append.js';
import { commit } from './commitment.js';

export interface RequestTold {
  /** As {@link auditValues}. */
  readonly values: readonly (string | null)[];
  readonly salts: Buffer;
}

/** Who is meant stands there as commitments, in the order of the identifiers. */
export function requestTold(
  context: Pick<LedgerContext, 'actor' | 'random'>,
  { identifiers, channel, rights, scope, state, receivedAtMs }: RequestRead,
  { requestId, nature }: NewRequest,
): RequestTold {
  const { hashes, salts } = commit(
    context,
    identifiers.map(({ identity }) => identity),
  );
  const body = {
    channel,
    identifiers: identifiers.map(({ kind }, index) => ({ commitment: hashes[index] ?? '', kind })),
    receivedAt: new Date(receivedAtMs).toISOString(),
    rights: rightsOfMask(rights),
    scope,
    state,
  };
  const kind = nature === 'opt_in' ? 'request.opt_in_asked' : 'request.opt_out';
  return { values: auditValues(context, { kind, subject: requestId, body }), salts };
}

/** A list that begins. Its rows are told of in parts, as they are committed; the digest of its source is a commitment too. */
export function importBegunTold(
  context: Pick<LedgerContext, 'actor' | 'random'>,
  requestId: string,
  { channel, receivedAtMs, sourceDigest }: ImportFields,
): RequestTold {
  const { hashes, salts } = commit(context, [sourceDigest ?? Buffer.alloc(0)]);
  const body = {
    channel,
    receivedAt: new Date(receivedAtMs).toISOString(),
    source: sourceDigest === null ? null : (hashes[0] ?? null),
  };
  return { values: auditValues(context, { kind: 'import.begun', subject: requestId, body }), salts };
}

/** Some rows of a list: one commitment to all their identities, in the order of the rows. */
export function importPartTold(
  context: Pick<LedgerContext, 'actor' | 'random'>,
  requestId: string,
  { part, identities, count }: { readonly part: number; readonly identities: Uint8Array; readonly count: number },
): RequestTold {
  const { hashes, salts } = commit(context, [identities]);
  const body = { commitment: hashes[0] ?? '', identifierCount: count, part };
  return { values: auditValues(context, { kind: 'import.part', subject: requestId, body }), salts };
}
