/**
 * What an event says: made when it is sent, from the request it names, and the same in every attempt.
 *
 * Identifiers go out as the digests that the ledger keeps; clear values only to a consumer that is to have them, from a
 * ledger that keeps them. In a page of an import each identifier comes with the rights in force on it now, as its
 * row may have named other rights than the next, or somebody opted in again while the list still came.
 * @module
 */
import { GateError } from '../../core/errors.js';
import { BASE_KINDS, rightsOfMask } from '../../core/vocabulary.js';
import { unpackClear } from '../clear-values.js';
import type { LedgerContext } from '../context.js';
import type { Row } from '../database.js';
import { rightsOn } from '../gap-notices.js';
import { keysOfPacked, type PackedIdentifier, unpackIdentifiers } from '../packed-identifiers.js';
import type { EventKind } from './events.js';
import { EVENT_IDENTIFIERS_MAX } from './limits.js';

/** An event as its row says. */
export interface StoredEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly kind: EventKind;
  readonly atMs: number;
  readonly requestRow: string | null;
  readonly part: number | null;
  readonly first: number | null;
  readonly page: number;
  readonly pageCount: number;
  readonly body: Readonly<Record<string, unknown>> | null;
}

export interface EventIdentifier {
  /** With its qualifier where that is known: `account:crm`. */
  readonly kind: string;
  /** Hexadecimal, lower case, each with its kind. Empty where the ledger keeps none, as of eids and account ids. */
  readonly digests: readonly { readonly kind: string; readonly hex: string }[];
  readonly rights?: readonly string[];
  readonly value?: string;
}

/** The body of an event, as JSON. @throws {GateError} `ledger.clear_key`, `ledger.damaged`, `ledger.unavailable`. */
export async function eventBody(context: LedgerContext, event: StoredEvent, withValues: boolean): Promise<string> {
  const { seq, eventId, kind, atMs, requestRow, part, body } = event;
  if (kind === 'gap_notice.due' && body === null) throw new GateError('ledger.damaged', 'notices of an opt-out');
  const request = requestRow === null ? null : await requestOf(context, requestRow);
  const identifiers =
    request === null || body?.notices !== undefined ? null : await identifiersOf(context, event, withValues);
  return JSON.stringify({
    id: eventId,
    event: kind,
    seq,
    at: new Date(atMs).toISOString(),
    ...(request === null ? {} : { request }),
    ...(identifiers === null ? {} : { identifiers }),
    ...(part !== null || kind === 'import.completed' ? { page: { index: event.page, count: event.pageCount } } : {}),
    ...body,
  });
}

/** `null`: it is no longer there. */
async function requestOf({ database }: LedgerContext, requestRow: string): Promise<object | null> {
  const [row] = await database.query(
    `select public_id, nature, channel, rights, scope, state, received_at, recorded_at, no_ask_until::text,
       identifier_count::float8, refused_count::float8 from optgate.request where id = $1::int8`,
    [requestRow],
  );
  if (row === undefined) return null;
  return {
    id: row.public_id,
    nature: row.nature,
    channel: row.channel,
    rights: row.nature === 'import' ? null : rightsOfMask(Number(row.rights)),
    scope: row.scope,
    state: row.state,
    receivedAt: (row.received_at as Date).toISOString(),
    recordedAt: (row.recorded_at as Date).toISOString(),
    noAskUntil: row.no_ask_until,
    identifierCount: row.identifier_count,
    refusedCount: row.refused_count,
  };
}

/** `null`: they were in other events. */
async function identifiersOf(
  context: LedgerContext,
  { kind, requestRow, part, first }: StoredEvent,
  withValues: boolean,
): Promise<readonly EventIdentifier[] | null> {
  if (part !== null) return pageOf(context, { requestRow, part, first: first ?? 0 }, withValues);
  const rows = await context.database.query(
    `select named.n, named.kind, named.digests, named.clear, request.public_id
     from optgate.request_identifier as named join optgate.request on request.id = named.request_id
     where named.request_id = $1::int8 and request.nature <> 'import' order by named.n`,
    [requestRow],
  );
  if (rows.length === 0) return kind === 'import.completed' ? [] : null;
  return rows.map((row) => {
    const [packed] = unpackIdentifiers(row.digests as Uint8Array);
    const value = withValues ? clearValueOf(context, row) : null;
    return {
      kind: String(row.kind),
      digests: packed === undefined ? [] : digestsOf(packed),
      ...(value === null ? {} : { value }),
    };
  });
}

function clearValueOf({ vault }: LedgerContext, { n, clear, public_id: requestId }: Row): string | null {
  if (vault === null || clear === null) return null;
  const position = { requestId: String(requestId), table: 'identifier', index: Number(n) } as const;
  return vault.open(clear as Uint8Array, position).toString('utf8');
}

/** Identifiers of one part of an import. */
async function pageOf(
  context: LedgerContext,
  { requestRow, part, first }: { readonly requestRow: string | null; readonly part: number; readonly first: number },
  withValues: boolean,
): Promise<readonly EventIdentifier[]> {
  const { database, mixer, vault } = context;
  const packed = await packedPage(context, requestRow, part, first);
  const rights = await rightsOn(
    database,
    packed.identifiers.flatMap((one) => keysOfPacked(one, mixer)),
  );
  const values = withValues && vault !== null ? clearOf(context, packed, part) : null;
  return packed.identifiers.map((identifier, index) => {
    const mask = keysOfPacked(identifier, mixer).reduce((sum, key) => sum | (rights.get(key) ?? 0), 0);
    const clear = values?.[index] ?? null;
    return {
      kind: clear?.kind ?? kindOf(identifier.tag),
      digests: digestsOf(identifier),
      rights: rightsOfMask(mask),
      ...(clear === null ? {} : { value: clear.value }),
    };
  });
}

interface PackedPage {
  readonly requestId: string;
  /** Identifiers of the part before the page that are clear. */
  readonly clearBefore: number;
  readonly identifiers: readonly PackedIdentifier[];
  readonly clear: Uint8Array | null;
}

export async function packedPage(
  { database }: LedgerContext,
  requestRow: string | null,
  part: number,
  first: number,
): Promise<PackedPage> {
  const [row] = await database.query(
    `select request.public_id, part.digests, part.clear from optgate.import_part as part
       join optgate.request on request.id = part.request_id where part.request_id = $1::int8 and part.part = $2`,
    [requestRow, part],
  );
  if (row === undefined) return { requestId: '', clearBefore: 0, identifiers: [], clear: null };
  const all = [...unpackIdentifiers(row.digests as Uint8Array)];
  return {
    requestId: String(row.public_id),
    clearBefore: all.slice(0, first).filter(({ ownKey }) => ownKey !== null).length,
    identifiers: all.slice(first, first + EVENT_IDENTIFIERS_MAX),
    clear: row.clear as Uint8Array | null,
  };
}

/** The clear values of a page, by place; `null` where an identifier is a digest. */
function clearOf({ vault }: LedgerContext, { requestId, clearBefore, identifiers, clear }: PackedPage, part: number) {
  if (vault === null || clear === null) return [];
  const values = [...unpackClear(vault.open(clear, { requestId, table: 'part', index: part }))];
  let at = clearBefore;
  return identifiers.map(({ ownKey }) => (ownKey === null ? null : (values[at++] ?? null)));
}

function digestsOf({ digests }: PackedIdentifier): EventIdentifier['digests'] {
  return digests.map(({ tag, bytes }) => ({ kind: kindOf(tag), hex: bytes.toString('hex') }));
}

function kindOf(tag: number): string {
  const kind = BASE_KINDS[tag - 1];
  if (kind === undefined) throw new GateError('ledger.damaged', 'kind of an identifier');
  return kind;
}
