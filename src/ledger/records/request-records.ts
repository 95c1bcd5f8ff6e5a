/**
 * The record of every request that a business has to keep (11 CCR 7101(b)), and what an auditor asks about it besides: who
 * decided, when sharing ceased, who had been sent the person's data.
 *
 * Read in pages by date of receipt; memory does not grow with the number of requests, and no transaction is open between
 * pages. Identifiers are shown as digests. Clear values only for whoever has the key they were sealed with, and asks.
 * @module
 */
import { GateError, InputError } from '../../core/errors.js';
import { BASE_KINDS, type Right, rightsOfMask } from '../../core/vocabulary.js';
import { appendAudit } from '../audit/append.js';
import { unpackClear } from '../clear-values.js';
import type { LedgerContext } from '../context.js';
import type { Row } from '../database.js';
import { int8Column } from '../packed-column.js';
import { keysOfPacked, type PackedIdentifier, unpackIdentifiers } from '../packed-identifiers.js';
import type { Channel, RequestNature, RequestStatus } from '../request.js';
import type { DeadlineState } from './deadline.js';
import { requestDeadlines, type TimedDeadline, timedRequestOf } from './request-deadline.js';
import { pagesOfRequests } from './request-pages.js';
import { type Sent, type SentQuery, sentOf } from './sent.js';

/** Requests that are read at a time. */
const REQUESTS_PER_PAGE = 100;

export interface RecordOptions {
  /** Requests received at this moment or later, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** And before this one. */
  readonly untilMs: number;
  /** One record for each row of an import, instead of one for the whole of it. Default: false. */
  readonly eachRow?: boolean | undefined;
  /** With clear values, where they were kept. Default: false. */
  readonly withClear?: boolean | undefined;
}

export interface RecordedIdentifier {
  readonly kind: string;
  /** Hexadecimal; none of an id that the ledger holds no digest of. */
  readonly digests: readonly { readonly kind: string; readonly hex: string }[];
  /** Only where it was asked for and kept. */
  readonly value?: string;
}

/** One request, as it stands in the record. */
export interface AuditRecord extends Sent {
  readonly requestId: string;
  /** Of a row of an import: its number, from 1; `null`: the whole request. */
  readonly row: number | null;
  readonly receivedAtMs: number;
  readonly nature: RequestNature;
  /** `null`: each row of an import has its own. */
  readonly rights: readonly Right[] | null;
  readonly channel: Channel;
  readonly agent: { readonly name: string; readonly isPermitted: boolean } | null;
  readonly state: string | null;
  readonly status: RequestStatus;
  readonly respondedAtMs: number | null;
  /** What was answered; `null`: nothing yet. */
  readonly response: 'complied' | 'denied' | null;
  readonly denialBasis: string | null;
  readonly recordedAtMs: number;
  readonly recordedBy: string | null;
  readonly deniedBy: string | null;
  readonly processedAtMs: number | null;
  /** Sharing has ceased: it was in force everywhere. */
  readonly inForceEverywhereAtMs: number | null;
  readonly inForceOn: number;
  readonly enforcerCount: number;
  readonly dueAtMs: number | null;
  readonly dueOn: string | null;
  readonly deadlineState: DeadlineState | null;
  readonly deadlineRule: string | null;
  readonly identifierCount: number;
  readonly refusedCount: number;
  /** Empty for the whole of an import. */
  readonly identifiers: readonly RecordedIdentifier[];
}

/** See LedgerRecords.requests. */
export async function* requestRecords(context: LedgerContext, options: RecordOptions): AsyncGenerator<AuditRecord> {
  const { sinceMs, untilMs, eachRow = false, withClear = false } = options;
  for (const [field, value] of Object.entries({ sinceMs, untilMs })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new InputError(field, 'out_of_range', 'expected whole milliseconds since 1970');
  }
  if (untilMs < sinceMs) throw new InputError('untilMs', 'out_of_range', 'expected no earlier moment than the first');
  if (withClear && context.vault === null) throw new GateError('ledger.clear_key');
  const body = { since: sinceMs, until: untilMs, rows: eachRow, withClear };
  await appendAudit(context.database, context, { kind: 'records.read', subject: null, body });
  for await (const rows of pagesOfRequests(context.database, { sinceMs, untilMs }, REQUESTS_PER_PAGE)) {
    const deadlines = await requestDeadlines(context.database, rows.map(timedRequestOf), context.now());
    const single = rows.filter(({ nature }) => nature !== 'import').map((row) => String(row.row));
    const named = await identifiersOf(context, single, withClear);
    const queries = rows.map((row) => queryOf(context, row, named.get(String(row.row)) ?? []));
    const sent = await sentOf(context.database, queries);
    for (const [index, row] of rows.entries()) {
      const [deadline, whatWasSent] = [deadlines[index], sent[index]];
      if (deadline === undefined || whatWasSent === undefined) throw new Error('unreachable: one for each request');
      const identifiers = (named.get(String(row.row)) ?? []).map(({ shown }) => shown);
      const record = recordOf(row, deadline, whatWasSent, identifiers);
      if (eachRow && row.nature === 'import') yield* importRows(context, row, record, withClear);
      else yield record;
    }
  }
}

interface Named {
  readonly shown: RecordedIdentifier;
  readonly packed: PackedIdentifier;
}

/** The identifiers of single requests, by the id of the request's row. */
async function identifiersOf(
  context: LedgerContext,
  requestRows: readonly string[],
  withClear: boolean,
): Promise<ReadonlyMap<string, readonly Named[]>> {
  const found = new Map<string, Named[]>();
  if (requestRows.length === 0) return found;
  const rows = await context.database.query(
    `select request_id::text as row, request.public_id, n, kind, digests, case when $2::bool then clear end as clear
     from optgate.request_identifier join optgate.request on request.id = request_id
     where request_id = any($1::int8[]) order by request_id, n`,
    [int8Column(requestRows.map(BigInt)).bytes, withClear],
  );
  for (const { row, public_id: publicId, n, kind, digests, clear } of rows) {
    const position = { requestId: String(publicId), table: 'identifier', index: Number(n) } as const;
    const value = clear instanceof Uint8Array ? context.vault?.open(clear, position).toString('utf8') : undefined;
    const list = found.get(String(row)) ?? [];
    found.set(String(row), list);
    for (const packed of unpackIdentifiers(digests as Uint8Array)) {
      list.push({
        packed,
        shown: { ...shownOf(packed), kind: String(kind), ...(value === undefined ? {} : { value }) },
      });
    }
  }
  return found;
}

/** The rows of an import, a part at a time. Which of its own rights each has only the set knows; the record says of all. */
async function* importRows(
  context: LedgerContext,
  row: Row,
  record: AuditRecord,
  withClear: boolean,
): AsyncGenerator<AuditRecord> {
  for (let [after, at] = [-1, 0]; ; ) {
    const [part] = await context.database.query(
      `select part, first_row::float8 as first_row, digests, case when $3::bool then clear end as clear
       from optgate.import_part where request_id = $1::int8 and part > $2 order by part limit 1`,
      [row.row, after, withClear],
    );
    if (part === undefined) return;
    after = Number(part.part);
    at = Number(part.first_row);
    const identifiers = [...unpackIdentifiers(part.digests as Uint8Array)];
    const values = clearOf(context, record.requestId, part);
    const sent = await sentOf(
      context.database,
      identifiers.map((packed) => queryOf(context, row, [{ packed }])),
    );
    for (const [index, packed] of identifiers.entries()) {
      const shown = shownOf(packed);
      // digests that were imported are not sealed, so those that were stand in the order of the others
      const value = packed.ownKey === null ? undefined : values.shift();
      yield {
        ...record,
        ...(sent[index] ?? { notices: [], exportsAfter: [], exportsAfterCount: 0 }),
        row: at + index + 1,
        identifierCount: 1,
        refusedCount: 0,
        identifiers: [value === undefined ? shown : { ...shown, value }],
      };
    }
  }
}

function clearOf({ vault }: LedgerContext, requestId: string, { part, clear }: Row): string[] {
  if (vault === null || !(clear instanceof Uint8Array)) return [];
  const sealed = vault.open(clear, { requestId, table: 'part', index: Number(part) });
  return Array.from(unpackClear(sealed), ({ value }) => value);
}

function queryOf({ mixer }: LedgerContext, row: Row, named: readonly Pick<Named, 'packed'>[]): SentQuery {
  const isOptIn = row.nature === 'opt_in';
  return {
    keys: isOptIn ? [] : named.flatMap(({ packed }) => keysOfPacked(packed, mixer)),
    rights: Number(row.rights),
    receivedAtMs: Number(row.received_at_ms),
  };
}

function shownOf({ tag, digests }: PackedIdentifier): RecordedIdentifier {
  return {
    kind: kindOf(tag),
    digests: digests.map((digest) => ({ kind: kindOf(digest.tag), hex: digest.bytes.toString('hex') })),
  };
}

function kindOf(tag: number): string {
  const kind = BASE_KINDS[tag - 1];
  if (kind === undefined) throw new GateError('ledger.damaged', 'kind of an identifier');
  return kind;
}

function recordOf(
  row: Row,
  { compliance, ...deadline }: TimedDeadline,
  sent: Sent,
  identifiers: readonly RecordedIdentifier[],
): AuditRecord {
  const status = row.status as RequestStatus;
  // of a denied request the last entry is what took it back: nothing of it is in force, and sharing may go on
  const isDenied = status === 'denied';
  const textOf = (value: unknown) => (value === null ? null : String(value));
  return {
    requestId: String(row.public_id),
    row: null,
    receivedAtMs: Number(row.received_at_ms),
    nature: row.nature as RequestNature,
    rights: row.nature === 'import' ? null : rightsOfMask(Number(row.rights)),
    channel: row.channel as Channel,
    agent:
      row.agent_name === null ? null : { name: String(row.agent_name), isPermitted: row.agent_permission === true },
    state: textOf(row.state),
    status,
    respondedAtMs: row.responded_at_ms === null ? null : Number(row.responded_at_ms),
    response: status === 'complied' || status === 'denied' ? status : null,
    denialBasis: textOf(row.denial_basis),
    recordedAtMs: Number(row.recorded_at_ms),
    recordedBy: textOf(row.operator),
    deniedBy: textOf(row.denied_by),
    processedAtMs: isDenied ? null : compliance.processedAtMs,
    inForceEverywhereAtMs: isDenied ? null : compliance.compliedAtMs,
    inForceOn: isDenied ? 0 : compliance.inForceOn,
    enforcerCount: compliance.enforcerCount,
    dueAtMs: deadline.dueAtMs,
    dueOn: deadline.dueOn,
    deadlineState: deadline.deadlineState,
    deadlineRule: deadline.deadlineRule,
    identifierCount: Number(row.identifier_count),
    refusedCount: Number(row.refused_count),
    identifiers,
    ...sent,
  };
}
