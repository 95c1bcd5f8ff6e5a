/**
 * Opting in again, in two steps (11 CCR 7028(a)): the request, then a separate confirmation.
 *
 * The second step ends what the named identifiers hold, and what was recorded for a digest that is theirs alone. It ends nothing
 * that another identifier holds, not even on a shared key: the receipt says what therefore remains. Whoever has opted out
 * again since the first step has taken it back: it can no longer be confirmed.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { InputError } from '../core/errors.js';
import { ENTRY_CHANGES_MAX } from '../core/suppression/index.js';
import { rightsOfMask } from '../core/vocabulary.js';
import { appendAudit } from './audit/append.js';
import { planOptIn } from './changes.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { ownIdentitiesOfPacked } from './digest-identities.js';
import { keyTransaction, lastEntriesOf, NEXT_ENTRY_ID, writeEntry } from './entry.js';
import { type RequestInput, readRequest } from './input.js';
import { lockKeys, readHolders, setHolders, updateKeys } from './key-rows.js';
import { CONFIRM_WITHIN_MS } from './limits.js';
import { REQUEST_ID_BYTES } from './opt-out.js';
import { entriesAhead } from './order.js';
import { uuidColumn } from './packed-column.js';
import { keysOfPacked, unpackIdentifiers } from './packed-identifiers.js';
import { type OptInReceipt, type PendingOptIn, requestIdOf } from './request.js';
import { insertRequest, type RequestRow, receiptOf, repeatedRequest, requestById } from './requests.js';
import { tellOptIn } from './webhooks/events.js';

/** Bytes of randomness in a confirmation. */
const CONFIRMATION_BYTES = 32;
/** Longest text that is looked at as a confirmation. */
const CONFIRMATION_LENGTH_MAX = 256;

/** The first step; see Ledger.recordOptIn. */
export async function recordOptIn(context: LedgerContext, input: RequestInput): Promise<PendingOptIn> {
  const { database, reader, identifiersMax, now, random } = context;
  const read = readRequest(input, 'opt_in', { reader, identifiersMax, nowMs: now() });
  const requestId = requestIdOf(random(REQUEST_ID_BYTES));
  const confirmation = Buffer.from(random(CONFIRMATION_BYTES)).toString('base64url');
  const confirmByMs = now() + CONFIRM_WITHIN_MS;
  const origin = await database.transaction((session) =>
    insertRequest(session, context, read, {
      requestId,
      nature: 'opt_in',
      status: 'pending',
      noAskUntil: null,
      confirmDigest: digestOf(confirmation),
      confirmByMs,
    }),
  );
  if (origin !== null) return { requestId, confirmation, confirmByMs, status: 'pending', isRepeat: false };
  const repeated = await repeatedRequest(database, read);
  const { status } = repeated;
  return {
    requestId: repeated.requestId,
    confirmation: null,
    confirmByMs: repeated.confirmByMs ?? 0,
    status,
    isRepeat: true,
  };
}

/** The second step; see Ledger.confirmOptIn. */
export async function confirmOptIn(
  context: LedgerContext,
  requestId: string,
  confirmation: string,
): Promise<OptInReceipt> {
  const { request, remaining, isRepeat } = await keyTransaction(context.database, async (session) => {
    const asked = await requestById(session, requestId, { isLocked: true });
    checkConfirmation(asked, confirmation, context.now());
    // the answer to the first confirmation may have been lost
    if (asked.status === 'complied')
      return { request: asked, remaining: await heldNow(session, context, asked), isRepeat: true };
    return { ...(await comply(session, context, asked)), isRepeat: false };
  });
  context.wake();
  return { ...(await receiptOf(context, request, { isRepeat })), remaining: rightsOfMask(remaining) };
}

/** Throws an InputError unless this confirms the request. What is right is told apart in constant time. */
function checkConfirmation(request: RequestRow, confirmation: unknown, nowMs: number): void {
  if (request.nature !== 'opt_in') throw new InputError('requestId', 'unknown', 'expected the id of an opt-in');
  if (typeof confirmation !== 'string') throw new InputError('confirmation', 'type', 'expected text');
  if (confirmation.length > CONFIRMATION_LENGTH_MAX) {
    throw new InputError('confirmation', 'too_long', `expected at most ${CONFIRMATION_LENGTH_MAX} characters`);
  }
  const { confirmDigest } = request;
  if (confirmDigest === null || !timingSafeEqual(confirmDigest, digestOf(confirmation))) {
    throw new InputError('confirmation', 'unknown', 'expected the confirmation that was given for this request');
  }
  if (request.status === 'complied') return;
  if (request.status === 'denied') {
    throw new InputError('confirmation', 'superseded', 'this request was denied');
  }
  if (request.confirmByMs === null || nowMs > request.confirmByMs) {
    throw new InputError('confirmation', 'expired', 'this request can no longer be confirmed');
  }
}

/** Takes the rights, writes the entries, and completes the request. */
async function comply(
  session: Session,
  context: LedgerContext,
  request: RequestRow,
): Promise<{ readonly request: RequestRow; readonly remaining: number }> {
  const { keys, identities } = await whatIsMeant(session, context, request.row);
  let remaining = 0;
  let lastEntry = '';
  // locked before it is asked: an opt-out that is still under way comes after this, and puts its rights in force again
  const locked = await lockKeys(session, keys);
  if (await hasOptedOutSince(session, request.row, identities)) {
    throw new InputError('confirmation', 'superseded', 'these identifiers were opted out again since; ask anew');
  }
  // more keys than an entry holds take thousands of spellings of one identifier, which somebody may send
  for (let from = 0; from === 0 || from < locked.length; from += ENTRY_CHANGES_MAX) {
    const held = locked.slice(from, from + ENTRY_CHANGES_MAX);
    const further = await readHolders(
      session,
      held.map(({ key }) => key),
    );
    const ahead = await entriesAhead(session, lastEntriesOf(held));
    const plan = planOptIn(held, further, identities, request.rights, new Set(ahead));
    remaining |= plan.remaining;
    const [row] = await session.query(`select ${NEXT_ENTRY_ID}::text as id`);
    lastEntry = String(row?.id);
    const origin = { entryId: lastEntry, requestRow: request.row };
    await updateKeys(session, plan.updates, origin);
    await setHolders(session, plan.holders);
    await writeEntry(session, { ...origin, ...plan, isCanary: false, behind: ahead.at(-1) ?? null });
  }
  await session.query(
    `update optgate.request set status = 'complied', responded_at = clock_timestamp(), response = 'opt_in',
       last_entry = $2::int8 where id = $1::int8`,
    [request.row, lastEntry],
  );
  await tellOptIn(session, request.row, rightsOfMask(remaining));
  const body = { remaining: rightsOfMask(remaining), rights: rightsOfMask(request.rights) };
  await appendAudit(session, context, { kind: 'request.opt_in_confirmed', subject: request.requestId, body });
  return { request: { ...request, status: 'complied', lastEntry }, remaining };
}

/** What is in force for the identifiers of a request. */
async function heldNow(session: Session, context: LedgerContext, request: RequestRow): Promise<number> {
  const { keys } = await whatIsMeant(session, context, request.row);
  let rights = 0;
  for (const row of await lockKeys(session, keys)) rights |= row.rights;
  return rights;
}

/** Whether a request after this one opted one of the identities out, by itself or in a list. */
async function hasOptedOutSince(
  session: Session,
  requestRow: string,
  identities: ReadonlySet<string>,
): Promise<boolean> {
  const packed = Buffer.from([...identities].join(''), 'hex');
  const [row] = await session.query(
    `with named as (select identity from unnest($2::uuid[]) as given (identity))
     select exists (
       select from optgate.request_identifier as one join optgate.request as later on later.id = one.request_id
       where later.id > $1::int8 and later.nature = 'opt_out' and later.status <> 'denied'
         and one.identity in (select identity from named)
     ) or exists (
       select from optgate.import_part as part cross join named
       where part.request_id > $1::int8 and position(uuid_send(named.identity) in part.identities) > 0
     ) as there`,
    [requestRow, uuidColumn(packed).bytes],
  );
  return row?.there === true;
}

/**
 * All keys that the identifiers of a request can have rights on, in order, and all identities that hold them: also those of other
 * spellings, which earlier requests were made in.
 */
async function whatIsMeant(
  session: Session,
  { mixer }: LedgerContext,
  requestRow: string,
): Promise<{ readonly keys: readonly bigint[]; readonly identities: ReadonlySet<string> }> {
  const keys = new Set<bigint>();
  const identities = new Set<string>();
  const own = await session.query(
    'select identity::text, digests from optgate.request_identifier where request_id = $1::int8',
    [requestRow],
  );
  for (const { identity, digests } of own) {
    identities.add(String(identity).replaceAll('-', ''));
    for (const packed of unpackIdentifiers(digests as Uint8Array)) {
      for (const hex of ownIdentitiesOfPacked(packed)) identities.add(hex);
    }
  }
  const everywhere = await session.query(
    `select distinct digests from optgate.request_identifier
     where identity in (select identity from optgate.request_identifier where request_id = $1::int8)`,
    [requestRow],
  );
  for (const { digests } of everywhere) {
    for (const packed of unpackIdentifiers(digests as Uint8Array)) {
      for (const key of keysOfPacked(packed, mixer)) keys.add(key);
    }
  }
  return { keys: [...keys].sort((one, other) => (one < other ? -1 : 1)), identities };
}

function digestOf(confirmation: string): Buffer {
  return createHash('sha256').update(confirmation).digest();
}
