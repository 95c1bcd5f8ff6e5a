/**
 * The rows of several opt-outs, inserted by one statement: what {@link insertRequest} writes for each of them.
 *
 * What must stay true: rows with an idempotency key go in in the order of these keys, so that two transactions never wait
 * for each other; entries have ids in the order in which the opt-outs came.
 * @module
 */
import { AUDIT_COLUMNS } from './audit/append.js';
import type { RequestTold } from './audit/requests-told.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { NEXT_ENTRY_ID } from './entry.js';
import type { RequestRead } from './input.js';
import type { RequestOrigin } from './key-rows.js';
import { byteaColumn, int4Column, textColumn, uuidColumn } from './packed-column.js';
import { packed } from './requests.js';

/** A request that is complied with at once, as it shall stand in its rows. */
export interface RequestToInsert {
  readonly requestId: string;
  readonly read: RequestRead;
  readonly noAskUntil: string;
  readonly told: RequestTold;
}

const INSERT = `with given as materialized (
  select one.*, ${NEXT_ENTRY_ID} as entry_id
  from unnest($1::int4[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::int4[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::int4[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
      $19::text[], $20::text[], $21::bytea[])
    as one (n, public_id, idempotency_key, content_digest, channel, rights, scope, state, received_ms,
      no_ask_until, identifier_count, operator, agent_name, agent_permission, kind, actor_role, actor_name, actor_via,
      subject, body, salts)
), new as (
  insert into optgate.request (public_id, idempotency_key, content_digest, nature, channel, rights, scope, state,
    received_at, status, responded_at, response, no_ask_until, identifier_count, last_entry, operator, agent_name,
    agent_permission)
  select public_id, idempotency_key, content_digest, 'opt_out', channel, rights, scope, state,
    to_timestamp(received_ms::float8 / 1000), 'complied', clock_timestamp(), 'opt_out', no_ask_until::date,
    identifier_count, entry_id, operator, agent_name, agent_permission::bool
  from given order by idempotency_key collate "C", n
  on conflict (idempotency_key) do nothing returning id, public_id, last_entry
), placed as (
  select given.*, new.id, new.last_entry from new join given using (public_id)
), named as (
  insert into optgate.request_identifier (request_id, n, kind, identity, digests, clear)
  select placed.id, one.n, one.kind, one.identity, one.digests, one.clear
  from unnest($22::int4[], $23::int4[], $24::text[], $25::uuid[], $26::bytea[], $27::bytea[])
      as one (request, n, kind, identity, digests, clear)
    join placed on placed.n = one.request
), told as (
  insert into optgate.audit_entry (${AUDIT_COLUMNS})
  select ${AUDIT_COLUMNS} from placed order by n returning id, subject
), salted as (
  insert into optgate.audit_salt (entry_id, request_id, salts)
  select told.id, placed.id, placed.salts from told join placed on placed.public_id = told.subject
)
select n, id::text, last_entry::text from placed`;

/** Inserts requests. In the order given, `null` for each whose idempotency key there is already, or was given before. */
export async function insertRequests(
  session: Session,
  context: LedgerContext,
  requests: readonly RequestToInsert[],
): Promise<readonly (RequestOrigin | null)[]> {
  const columns = [...requestColumns(requests), ...identifierColumns(context, requests)];
  const rows = await session.query(
    INSERT,
    columns.map(({ bytes }) => bytes),
  );
  const origins = new Map<number, RequestOrigin>();
  for (const { n, id, last_entry: entry } of rows) {
    origins.set(Number(n), { requestRow: String(id), entryId: String(entry) });
  }
  return requests.map((_, n) => origins.get(n) ?? null);
}

function requestColumns(requests: readonly RequestToInsert[]) {
  const text = (of: (request: RequestToInsert) => string | null) => textColumn(requests.map(of));
  const told = (column: number) => text((request) => request.told.values[column] ?? null);
  return [
    int4Column([...requests.keys()]),
    text(({ requestId }) => requestId),
    text(({ read }) => read.idempotencyKey),
    byteaColumn(requests.map(({ read }) => read.contentDigest)),
    text(({ read }) => read.channel),
    int4Column(requests.map(({ read }) => read.rights)),
    text(({ read }) => read.scope),
    text(({ read }) => read.state),
    text(({ read }) => String(read.receivedAtMs)),
    text(({ noAskUntil }) => noAskUntil),
    int4Column(requests.map(({ read }) => read.identifiers.length)),
    text(({ read }) => read.operator),
    text(({ read }) => read.agent?.name ?? null),
    text(({ read }) => (read.agent === null ? null : String(read.agent.isPermitted))),
    ...[0, 1, 2, 3, 4, 5].map(told), // in the order of AUDIT_COLUMNS
    byteaColumn(requests.map((request) => request.told.salts)),
  ];
}

function identifierColumns({ mixer, vault }: LedgerContext, requests: readonly RequestToInsert[]) {
  const rows = requests.flatMap(({ read, requestId }, request) =>
    read.identifiers.map((identifier, index) => ({ request, requestId, identifier, index })),
  );
  return [
    int4Column(rows.map(({ request }) => request)),
    int4Column(rows.map(({ index }) => index)),
    textColumn(rows.map(({ identifier }) => identifier.kind)),
    uuidColumn(Buffer.concat(rows.map(({ identifier }) => identifier.identity))),
    byteaColumn(rows.map(({ identifier }) => packed(identifier, mixer))),
    byteaColumn(
      rows.map(({ identifier: { isClear, value }, requestId, index }) =>
        vault === null || !isClear ? null : vault.seal(Buffer.from(value), { requestId, table: 'identifier', index }),
      ),
    ),
  ];
}
