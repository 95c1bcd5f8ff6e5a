/**
 * The rows of requests: written once, found again by idempotency key or id.
 *
 * What must stay true: an idempotency key stands for one request. Whoever sends it again, at the same time or later, gets
 * the receipt of the first; with other content it is refused.
 * @module
 */

import { GateError, InputError } from '../core/errors.js';
import { parseKind } from '../core/identity/kind.js';
import { KIND_TAG, rightsOfMask } from '../core/vocabulary.js';
import { AUDIT_COLUMNS } from './audit/append.js';
import { requestTold } from './audit/requests-told.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { NEXT_ENTRY_ID } from './entry.js';
import type { RequestIdentifier, RequestRead } from './input.js';
import type { RequestOrigin } from './key-rows.js';
import type { KeyMixer } from './keys.js';
import { byteaColumn, int4Column, textColumn, uuidColumn } from './packed-column.js';
import { packIdentifier } from './packed-identifiers.js';
import { requestDeadlines } from './records/request-deadline.js';
import {
  type Channel,
  isRequestId,
  type Receipt,
  type RequestNature,
  type RequestRecord,
  type RequestStatus,
  tokenOf,
} from './request.js';

/** A request as its row says. */
export interface RequestRow {
  readonly row: string;
  readonly requestId: string;
  readonly nature: RequestNature;
  readonly channel: string;
  readonly rights: number;
  readonly status: RequestStatus;
  readonly contentDigest: Buffer;
  readonly state: string | null;
  readonly receivedAtMs: number;
  readonly respondedAtMs: number | null;
  readonly noAskUntil: string | null;
  readonly confirmDigest: Buffer | null;
  readonly confirmByMs: number | null;
  readonly identifierCount: number;
  readonly refusedCount: number;
  readonly sourceDigest: Buffer | null;
  /** `null`: it has written no entry yet. */
  readonly lastEntry: string | null;
}

/** What a new request says besides what was read. */
export interface NewRequest {
  readonly requestId: string;
  readonly nature: 'opt_out' | 'opt_in';
  readonly status: 'complied' | 'pending';
  readonly noAskUntil: string | null;
  readonly confirmDigest: Buffer | null;
  readonly confirmByMs: number | null;
}

/**
 * Inserts a request with its identifiers. `null`: there is one with this idempotency key, and that is committed by now.
 * For a request that is complied with at once the id of its entry is taken.
 */
export async function insertRequest(
  session: Session,
  context: LedgerContext,
  read: RequestRead,
  request: NewRequest,
): Promise<RequestOrigin | null> {
  const isComplied = request.status === 'complied';
  const told = requestTold(context, read, request);
  const rows = await session.query(
    `with new as (
       insert into optgate.request (public_id, idempotency_key, content_digest, nature, channel, rights, scope, state,
         received_at, status, responded_at, response, confirm_digest, confirm_by, no_ask_until, identifier_count,
         last_entry, operator, agent_name, agent_permission)
       values ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9::float8 / 1000), $10,
         case when $11::bool then clock_timestamp() end, case when $11::bool then $4 end, $12,
         to_timestamp($13::float8 / 1000), $14::date, $15, case when $11::bool then ${NEXT_ENTRY_ID} end, $16, $29, $30::bool)
       on conflict (idempotency_key) do nothing returning id, last_entry
     ), named as (
       insert into optgate.request_identifier (request_id, n, kind, identity, digests, clear)
       select new.id, one.n, one.kind, one.identity, one.digests, one.clear from new,
         unnest($17::int4[], $18::text[], $19::uuid[], $20::bytea[], $21::bytea[])
           as one (n, kind, identity, digests, clear)
     ), told as (
       insert into optgate.audit_entry (${AUDIT_COLUMNS}) select $22, $23, $24, $25, $26, $27 from new returning id
     ), salted as (
       insert into optgate.audit_salt (entry_id, request_id, salts) select told.id, new.id, $28::bytea from told, new
     )
     select id::text, last_entry::text from new`,
    [
      request.requestId,
      read.idempotencyKey,
      read.contentDigest,
      request.nature,
      read.channel,
      read.rights,
      read.scope,
      read.state,
      read.receivedAtMs,
      request.status,
      isComplied,
      request.confirmDigest,
      request.confirmByMs,
      request.noAskUntil,
      read.identifiers.length,
      read.operator,
      ...identifierArrays(context, read.identifiers, request.requestId),
      ...told.values,
      told.salts,
      read.agent?.name ?? null,
      read.agent?.isPermitted ?? null,
    ],
  );
  const [row] = rows;
  return row === undefined ? null : { requestRow: String(row.id), entryId: String(row.last_entry) };
}

function identifierArrays(
  { mixer, vault }: LedgerContext,
  identifiers: readonly RequestIdentifier[],
  requestId: string,
): readonly Buffer[] {
  const columns = [
    int4Column([...identifiers.keys()]),
    textColumn(identifiers.map(({ kind }) => kind)),
    uuidColumn(Buffer.concat(identifiers.map(({ identity }) => identity))),
    byteaColumn(identifiers.map((identifier) => packed(identifier, mixer))),
    byteaColumn(
      identifiers.map(({ isClear, value }, index) =>
        vault === null || !isClear ? null : vault.seal(Buffer.from(value), { requestId, table: 'identifier', index }),
      ),
    ),
  ];
  return columns.map(({ bytes }) => bytes);
}

/** What is kept of an identifier. */
export function packed({ kind, isClear, keyWords, digests }: RequestIdentifier, mixer: KeyMixer): Buffer {
  const parsed = parseKind(kind);
  const tag = typeof parsed === 'string' ? 0 : KIND_TAG[parsed.base];
  const ownKey = isClear ? (mixer.keysOf({ words: keyWords, count: 1 })[0] ?? null) : null;
  return packIdentifier(tag, ownKey, digests);
}

const REQUEST_COLUMNS = `id::text, public_id, nature, channel, rights, status, state, content_digest,
  round(extract(epoch from responded_at) * 1000)::float8 as responded_at_ms,
  round(extract(epoch from received_at) * 1000)::float8 as received_at_ms, no_ask_until::text, confirm_digest,
  round(extract(epoch from confirm_by) * 1000)::float8 as confirm_by_ms, identifier_count::float8, refused_count::float8,
  source_digest, last_entry::text`;

/** The request with an idempotency key; `null` if there is none. */
export async function requestByIdempotencyKey(session: Session, idempotencyKey: string): Promise<RequestRow | null> {
  const [row] = await session.query(`select ${REQUEST_COLUMNS} from optgate.request where idempotency_key = $1`, [
    idempotencyKey,
  ]);
  return row === undefined ? null : requestRowOf(row);
}

/**
 * The request with an id.
 * @throws {InputError} where the id has not the form of one.
 * @throws {GateError} `ledger.unknown_request`.
 */
export async function requestById(
  session: Session,
  requestId: unknown,
  { isLocked = false }: { readonly isLocked?: boolean } = {},
): Promise<RequestRow> {
  if (!isRequestId(requestId)) throw new InputError('requestId', 'malformed', 'expected r_ and 22 characters');
  const [row] = await session.query(
    `select ${REQUEST_COLUMNS} from optgate.request where public_id = $1${isLocked ? ' for update' : ''}`,
    [requestId],
  );
  if (row === undefined) throw new GateError('ledger.unknown_request');
  return requestRowOf(row);
}

function requestRowOf(row: Row): RequestRow {
  return {
    row: String(row.id),
    requestId: String(row.public_id),
    nature: row.nature as RequestNature,
    channel: String(row.channel),
    rights: Number(row.rights),
    status: row.status as RequestStatus,
    contentDigest: bytesOrNull(row.content_digest) ?? Buffer.alloc(0), // erased: equal to none
    state: row.state === null ? null : String(row.state),
    receivedAtMs: Number(row.received_at_ms),
    respondedAtMs: row.responded_at_ms === null ? null : Number(row.responded_at_ms),
    noAskUntil: row.no_ask_until === null ? null : String(row.no_ask_until),
    confirmDigest: bytesOrNull(row.confirm_digest),
    confirmByMs: row.confirm_by_ms === null ? null : Number(row.confirm_by_ms),
    identifierCount: Number(row.identifier_count),
    refusedCount: Number(row.refused_count),
    sourceDigest: bytesOrNull(row.source_digest),
    lastEntry: row.last_entry === null ? null : String(row.last_entry),
  };
}

function bytesOrNull(value: unknown): Buffer | null {
  return value instanceof Uint8Array ? Buffer.from(value) : null;
}

/**
 * The request that was recorded before under this key.
 * @throws {GateError} `ledger.idempotency_conflict` if that said something else.
 */
export async function repeatedRequest(
  session: Session,
  { idempotencyKey, contentDigest }: Pick<RequestRead, 'idempotencyKey' | 'contentDigest'>,
): Promise<RequestRow> {
  const request = idempotencyKey === null ? null : await requestByIdempotencyKey(session, idempotencyKey);
  if (request === null) throw new GateError('ledger.damaged', 'a request is gone');
  if (!request.contentDigest.equals(contentDigest)) throw new GateError('ledger.idempotency_conflict');
  return request;
}

/** The receipt of a request, once its entry has a place or the time for that is over. */
export async function receiptOf(
  context: LedgerContext,
  request: Pick<RequestRow, 'requestId' | 'lastEntry' | 'receivedAtMs' | 'noAskUntil' | 'identifierCount'>,
  { isRepeat, waitMs = context.tokenWaitMs }: { readonly isRepeat: boolean; readonly waitMs?: number },
): Promise<Receipt> {
  return {
    requestId: request.requestId,
    token: await tokenOfEntry(context, request.lastEntry, waitMs),
    receivedAtMs: request.receivedAtMs,
    noAskUntil: request.noAskUntil,
    isRepeat,
    identifierCount: request.identifierCount,
  };
}

/** A request as it stands now. @throws {GateError} `ledger.unknown_request`. */
export async function recordOf(context: LedgerContext, requestId: string): Promise<RequestRecord> {
  const request = await requestById(context.database, requestId);
  const [timed] = await requestDeadlines(context.database, [request], context.now());
  const { compliance: _, ...deadline } = timed ?? unreachable();
  return {
    requestId: request.requestId,
    nature: request.nature,
    channel: request.channel as Channel,
    status: request.status,
    rights: request.nature === 'import' ? null : rightsOfMask(request.rights),
    receivedAtMs: request.receivedAtMs,
    noAskUntil: request.noAskUntil,
    confirmByMs: request.confirmByMs,
    identifierCount: request.identifierCount,
    refusedCount: request.refusedCount,
    ...deadline,
    token: await tokenOfEntry(context, request.lastEntry, 0),
  };
}

function unreachable(): never {
  throw new Error('unreachable: one for each request');
}

/** The token of an entry; `null` where there is none, or it has no place in the log within the time allowed. */
export async function tokenOfEntry(
  { placeOf }: LedgerContext,
  entryId: string | null,
  waitMs: number,
): Promise<string | null> {
  const place = entryId === null ? null : await placeOf(entryId, waitMs);
  return place === null ? null : tokenOf(place.epoch, place.seq);
}
