/**
 * The request that an import is: begun, found again, ended. One process at a time works on it.
 * @module
 */
import { GateError } from '../core/errors.js';
import { RIGHTS_ALL } from '../core/vocabulary.js';
import { AUDIT_COLUMNS, auditValues } from './audit/append.js';
import { importBegunTold } from './audit/requests-told.js';
import type { LedgerContext } from './context.js';
import { unavailable } from './database.js';
import type { ImportFields } from './import-input.js';
import { IMPORT_RETRY_MS } from './limits.js';
import { REQUEST_ID_BYTES } from './opt-out.js';
import { noAskUntil, requestIdOf } from './request.js';
import { type RequestRow, repeatedRequest, requestById } from './requests.js';
import { tellImport } from './webhooks/events.js';

/** First word of the advisory lock of whoever works on an import; the second is its row. */
const IMPORT_LOCK = 0x6f67_0002;

export interface StartedImport {
  readonly request: RequestRow;
  readonly isNew: boolean;
}

/** Inserts the request, or finds the one with the same idempotency key. */
export async function startImport(context: LedgerContext, fields: ImportFields): Promise<StartedImport> {
  const { database } = context;
  const requestId = requestIdOf(context.random(REQUEST_ID_BYTES));
  const { idempotencyKey, contentDigest, channel, receivedAtMs, operator, sourceDigest } = fields;
  const told = importBegunTold(context, requestId, fields);
  const inserted = await database.query(
    `with new as (insert into optgate.request (public_id, idempotency_key, content_digest, nature, channel, rights, scope, received_at,
       status, no_ask_until, source_digest, operator)
     values ($1, $2, $3, 'import', $4, $5, 'person', to_timestamp($6::float8 / 1000), 'in_progress', $7::date, $8, $9)
     on conflict (idempotency_key) do nothing returning id), told as (
       insert into optgate.audit_entry (${AUDIT_COLUMNS}) select $10, $11, $12, $13, $14, $15 from new returning id), salted as (
       insert into optgate.audit_salt (entry_id, request_id, salts) select told.id, new.id, $16::bytea from told, new)
     select 1 from new`,
    [
      requestId,
      idempotencyKey,
      contentDigest,
      channel,
      RIGHTS_ALL,
      receivedAtMs,
      noAskUntil(receivedAtMs),
      sourceDigest,
      operator,
      ...told.values,
      told.salts,
    ],
  );
  if (inserted.length > 0) return { request: await requestById(database, requestId), isNew: true };
  return { request: await repeatedRequest(database, { idempotencyKey, contentDigest }), isNew: false };
}

/** A hold on an import; nobody else works on it meanwhile. */
export interface ImportHold {
  /** Throws a GateError `ledger.unavailable` if the hold was lost. */
  check(): void;
  release(): Promise<void>;
}

/** Takes hold of an import, waiting while it is in other hands. */
export async function holdImport(
  context: LedgerContext,
  { row }: RequestRow,
  signal: AbortSignal | undefined,
): Promise<ImportHold> {
  const { database, imports } = context;
  while (imports.has(row)) await pause(signal);
  imports.add(row);
  // nobody outside this process can have it, and within there is but one connection to hold a lock
  if (database.name === 'pglite') return { check: () => {}, release: async () => void imports.delete(row) };
  const session = await database.dedicated().catch((error: unknown) => {
    imports.delete(row);
    throw error;
  });
  const release = async () => {
    imports.delete(row);
    await session.query(`select pg_advisory_unlock(${IMPORT_LOCK}, $1)`, [lockOf(row)]).catch(() => {});
    await session.close();
  };
  let isLost = false;
  void session.lost.then(() => {
    isLost = true;
  });
  const check = () => {
    if (isLost) throw unavailable('the connection that holds the import was lost');
  };
  try {
    for (;;) {
      const [answer] = await session.query(`select pg_try_advisory_lock(${IMPORT_LOCK}, $1) as held`, [lockOf(row)]);
      if (answer?.held === true) return { check, release };
      await pause(signal);
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** The row as a number of 31 bits: two imports that share one wait for each other, no more. */
function lockOf(row: string): number {
  return Number(BigInt(row) % 0x7fff_ffffn);
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, IMPORT_RETRY_MS));
}

/** Ends an import: everything it has is committed. Its last entry is the last in the log, which is in order of (xid, id). */
export async function finishImport(
  context: LedgerContext,
  { row, requestId }: RequestRow,
  { identifierCount, refusedCount }: { readonly identifierCount: number; readonly refusedCount: number },
): Promise<RequestRow> {
  const { database } = context;
  const body = { identifierCount, refusedCount };
  const isFinished = await database.transaction(async (session) => {
    const finished = await session.query(
      `with done as (update optgate.request set status = 'complied', responded_at = clock_timestamp(), response = 'opt_out',
         identifier_count = $2::float8::int8, refused_count = $3::float8::int8,
         last_entry = (select id from optgate.change_log where request_id = $1::int8 order by xid desc, id desc limit 1)
       where id = $1::int8 and status = 'in_progress' returning 1), told as (
         insert into optgate.audit_entry (${AUDIT_COLUMNS}) select $4, $5, $6, $7, $8, $9 from done)
       select 1 from done`,
      [
        row,
        identifierCount,
        refusedCount,
        ...auditValues(context, { kind: 'import.finished', subject: requestId, body }),
      ],
    );
    if (finished.length > 0) await tellImport(session, row);
    return finished.length > 0;
  });
  if (!isFinished) throw new GateError('ledger.damaged', 'an import was ended by somebody else');
  return requestById(database, requestId);
}
