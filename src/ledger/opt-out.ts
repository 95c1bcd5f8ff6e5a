/**
 * Recording an opt-out: the request, who it is about, the rights on every key, and the entry, in one transaction.
 * @module
 */
import type { LedgerContext } from './context.js';
import { keyTransaction, writeOptOutEntry } from './entry.js';
import { type RequestInput, type RequestRead, readRequest } from './input.js';
import { KeyBatch } from './keys.js';
import { noAskUntil, type Receipt, requestIdOf } from './request.js';
import { insertRequest, receiptOf, repeatedRequest } from './requests.js';
import { tellOptOut } from './webhooks/events.js';

/** Bytes of randomness in the id of a request. */
export const REQUEST_ID_BYTES = 16;

/** Records an opt-out; see Ledger.recordOptOut. */
export async function recordOptOut(context: LedgerContext, input: RequestInput): Promise<Receipt> {
  const { database, reader, identifiersMax, now, random } = context;
  const read = readRequest(input, 'opt_out', { reader, identifiersMax, nowMs: now() });
  const requestId = requestIdOf(random(REQUEST_ID_BYTES));
  const batch = batchOf(context, read);
  const noAsk = noAskUntil(read.receivedAtMs);
  const origin = await keyTransaction(database, async (session) => {
    const inserted = await insertRequest(session, context, read, {
      requestId,
      nature: 'opt_out',
      status: 'complied',
      noAskUntil: noAsk,
      confirmDigest: null,
      confirmByMs: null,
    });
    if (inserted === null) return null;
    await writeOptOutEntry(session, batch, inserted);
    await tellOptOut(session, inserted.requestRow);
    return inserted;
  });
  if (origin === null) return receiptOf(context, await repeatedRequest(database, read), { isRepeat: true });
  context.wake();
  const { receivedAtMs, identifiers } = read;
  const request = { requestId, lastEntry: origin.entryId, receivedAtMs, noAskUntil: noAsk };
  return receiptOf(context, { ...request, identifierCount: identifiers.length }, { isRepeat: false });
}

function batchOf({ seed }: LedgerContext, { identifiers, rights }: RequestRead): KeyBatch {
  const keyCount = identifiers.reduce((sum, identifier) => sum + identifier.keyCount, 0);
  const batch = new KeyBatch(seed, keyCount);
  for (const one of identifiers) batch.add({ words: one.keyWords, count: one.keyCount }, one.identity, rights);
  batch.sort();
  return batch;
}
