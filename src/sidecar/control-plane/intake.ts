/**
 * What all intake shares: a request from a body and its headers, and the answer to one that was recorded.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { InputError } from '../../core/errors.js';
import { isRequestId, type RequestInput } from '../../ledger/index.js';
import { ProblemError } from './problems.js';
import type { Parameter, Reply } from './route.js';
import type { Answer, Body } from './schemas.js';
import type { Principal } from './tokens.js';

/** What a client is told to wait before it asks for a place in the change log again. */
const SEQUENCED_RETRY_SECONDS = '1';

export const IDEMPOTENCY_KEY: Parameter = {
  in: 'header',
  name: 'Idempotency-Key',
  description: 'The same request sent again with the same key is one request.',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
};
export const LOCATION = { Location: 'The request, as it stands.' };
export const REQUEST_ANSWERS = {
  200: { description: 'It was recorded before, under the same idempotency key.', body: 'Receipt', headers: LOCATION },
  201: { description: 'Recorded, with its place in the change log.', body: 'Receipt', headers: LOCATION },
  202: {
    description: 'Recorded, and comes into force; it has no place in the change log yet.',
    body: 'Receipt',
    headers: { ...LOCATION, 'Retry-After': 'Seconds until the request is worth looking at again.' },
  },
} as const;

/** An id that cannot be one is that of no request. Throws a ProblemError. */
export function requestIdOf(id: string): string {
  if (isRequestId(id)) return id;
  throw new ProblemError('ledger.unknown_request');
}

/** An answer to a request that was recorded; `isUnplaced`: it has no place in the change log yet. */
export function receiptReply(receipt: Answer<'Receipt'>, isUnplaced: boolean): NonNullable<Reply> {
  const headers = locationOf(receipt);
  if (isUnplaced)
    return { status: 202, body: receipt, headers: { ...headers, 'retry-after': SEQUENCED_RETRY_SECONDS } };
  return { status: receipt.repeat ? 200 : 201, body: receipt, headers };
}

/** Where a request is looked at. */
export function locationOf({ requestId }: { readonly requestId: string }): Readonly<Record<string, string>> {
  return { location: `/v1/requests/${requestId}` };
}

/** What the ledger is asked to record. Throws an InputError. */
export function requestInput(
  request: IncomingMessage,
  { receivedAt, ...body }: Body<'OptOutRequest'>,
  { name }: Principal,
): RequestInput {
  const operator = body.operator ?? name;
  const key = idempotencyKeyOf(request);
  return {
    ...(body as Omit<RequestInput, 'receivedAtMs' | 'idempotencyKey' | 'operator'>),
    ...(receivedAt === undefined ? {} : { receivedAtMs: Date.parse(receivedAt) }),
    ...(operator === null ? {} : { operator }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

/** The key in a header; in quotes or not it is the same key. Throws an InputError. */
export function idempotencyKeyOf({ headers }: IncomingMessage): string | undefined {
  const text = headers['idempotency-key'];
  if (text === undefined) return undefined;
  const key = /^"(.*)"$/.exec(String(text))?.[1] ?? String(text);
  if (key === '') throw new InputError('idempotencyKey', 'empty', 'expected 1 to 200 printable characters');
  return key;
}
