/**
 * Recording an opt-out: the request, who it is about, the rights on every key, and the entry, in one transaction.
 *
 * On PostgreSQL opt-outs that come at the same time share that transaction (opt-out-intake.ts). Written alone, as here, each
 * leaves the same and is answered the same.
 * @module
 */
import { requestTold } from './audit/requests-told.js';
import type { LedgerContext } from './context.js';
import { keyTransaction, writeOptOutEntry } from './entry.js';
import { type RequestInput, type RequestRead, readRequest } from './input.js';
import type { RequestOrigin } from './key-rows.js';
import { KeyBatch } from './keys.js';
import type { NewOptOut } from './opt-out-group.js';
import { noAskUntil, type Receipt, requestIdOf } from './request.js';
import { insertRequest, type NewRequest, receiptOf, repeatedRequest } from './requests.js';
import { tellOptOuts } from './webhooks/events.js';

/** Bytes of randomness in the id of a request. */
export const REQUEST_ID_BYTES = 16;

/** Records an opt-out; see Ledger.recordOptOut. */
export async function recordOptOut(context: LedgerContext, input: RequestInput): Promise<Receipt> {
  const { database, reader, identifiersMax, intake, now, random } = context;
  const read = readRequest(input, 'opt_out', { reader, identifiersMax, nowMs: now() });
  const requestId = requestIdOf(random(REQUEST_ID_BYTES));
  const keys = batchOf(context, read);
  const noAsk = noAskUntil(read.receivedAtMs);
  const request = requestOf(requestId, noAsk);
  const alone = () => writeAlone(context, { read, request, keys });
  const origin =
    intake === null
      ? await alone()
      : await intake.write(context, newOptOut(context, { read, request, keys, noAskUntil: noAsk }), alone);
  if (origin === null) return receiptOf(context, await repeatedRequest(database, read), { isRepeat: true });
  context.wake();
  const { receivedAtMs, identifiers } = read;
  const written = { requestId, lastEntry: origin.entryId, receivedAtMs, noAskUntil: noAsk };
  return receiptOf(context, { ...written, identifierCount: identifiers.length }, { isRepeat: false });
}

interface Prepared {
  readonly read: RequestRead;
  readonly request: NewRequest;
  /** Sorted. */
  readonly keys: KeyBatch;
}

function requestOf(requestId: string, noAsk: string): NewRequest {
  return {
    requestId,
    nature: 'opt_out',
    status: 'complied',
    noAskUntil: noAsk,
    confirmDigest: null,
    confirmByMs: null,
  };
}

function newOptOut(
  context: LedgerContext,
  { read, request, ...others }: Prepared & { readonly noAskUntil: string },
): NewOptOut {
  return { ...others, read, requestId: request.requestId, told: requestTold(context, read, request) };
}

/** In a transaction of its own; `null`: it was recorded before. */
function writeAlone(context: LedgerContext, { read, request, keys }: Prepared): Promise<RequestOrigin | null> {
  return keyTransaction(context.database, async (session) => {
    const inserted = await insertRequest(session, context, read, request);
    if (inserted === null) return null;
    await writeOptOutEntry(session, keys, inserted);
    await tellOptOuts(session, [inserted.requestRow]);
    return inserted;
  });
}

function batchOf({ seed }: LedgerContext, { identifiers, rights }: RequestRead): KeyBatch {
  const keyCount = identifiers.reduce((sum, identifier) => sum + identifier.keyCount, 0);
  const batch = new KeyBatch(seed, keyCount);
  for (const one of identifiers) batch.add({ words: one.keyWords, count: one.keyCount }, one.identity, rights);
  batch.sort();
  return batch;
}
