/**
 * Whom to tell of which opt-out: for every destination that was sent a person's data, the opt-outs of that person
 * (11 CCR 7026(f)(2)).
 *
 * A notice says what the destination needs to find the person again: the digests under which it received them, or, where
 * it received another kind of id, their digests as far as the ledger has any. Nothing is told of who has opted in again
 * since, nor of runs that an exemption let pass.
 * @module
 */
import { GateError, InputError } from '../core/errors.js';
import { BASE_KINDS, type BaseKind, rightsMask } from '../core/vocabulary.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { hitsIn, pagesOfRuns, type StoredRun } from './export-lineage.js';
import { NOTICE_IDENTIFIERS_PER_PAGE } from './limits.js';
import { int8Column } from './packed-column.js';
import { keysOfPacked, type PackedIdentifier, unpackIdentifiers } from './packed-identifiers.js';

export interface GapOptions {
  /** Opt-outs received at this moment or later, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** This destination only. */
  readonly destination?: string | undefined;
  /** Only to be looked at: nobody is told of them. Default: false. */
  readonly isView?: boolean | undefined;
  /** This request only. */
  readonly requestId?: string | undefined;
}

/** One identifier of one opt-out that one destination is to be told of. */
export interface GapNotice {
  readonly destination: string;
  readonly requestId: string;
  readonly receivedAtMs: number;
  /** Kind of the identifier that left: a digest, or what the digests are of. */
  readonly kind: BaseKind;
  /** Hexadecimal, lower case. Empty where the ledger holds no digest of it, as of eids and account ids. */
  readonly digests: readonly NoticeDigest[];
  /** When the first and the last of the exports that hold the person were finished. */
  readonly sentFirstMs: number;
  readonly sentLastMs: number;
  /** Something was sent after the request had been received. */
  readonly isSentAfterRequest: boolean;
  readonly runIds: readonly string[];
}

export interface NoticeDigest {
  readonly kind: BaseKind;
  readonly hex: string;
}

/** An identifier of an opt-out. */
export interface Asked {
  readonly requestId: string;
  readonly receivedAtMs: number;
  readonly identifier: PackedIdentifier;
  readonly keys: readonly bigint[];
}

/** See Ledger.gapNotices. */
export async function* gapNotices(
  context: LedgerContext,
  { sinceMs, destination, requestId, isView = false }: GapOptions,
): AsyncGenerator<GapNotice> {
  if (!Number.isSafeInteger(sinceMs) || sinceMs < 0) {
    throw new InputError('sinceMs', 'out_of_range', 'expected whole milliseconds since 1970');
  }
  const body = { destination: destination ?? null, since: new Date(sinceMs).toISOString() };
  const subject = requestId ?? destination ?? null;
  await appendAudit(context.database, context, {
    kind: isView ? 'gap_notices.viewed' : 'gap_notices.made',
    subject,
    body,
  });
  for await (const some of askedPages(context, sinceMs, requestId ?? null))
    yield* noticesFor(context, some, destination);
}

/** The notices of some identifiers. */
export async function* noticesFor(
  { database }: LedgerContext,
  some: readonly Asked[],
  destination?: string,
): AsyncGenerator<GapNotice> {
  const rights = await rightsOn(
    database,
    some.flatMap(({ keys }) => keys),
  );
  const asked = some.filter(({ keys }) => keys.some((key) => rights.has(key)));
  const found = new Map<Asked, StoredHit[]>();
  for await (const runs of pagesOfRuns(database, destination ?? null))
    await findHits(database, runs, asked, rights, found);
  for (const [one, hits] of found) yield* noticesOf(one, hits);
}

interface StoredHit {
  readonly run: StoredRun;
  readonly keys: readonly bigint[];
}

async function findHits(
  session: Session,
  runs: readonly StoredRun[],
  asked: readonly Asked[],
  rights: ReadonlyMap<bigint, number>,
  found: Map<Asked, StoredHit[]>,
): Promise<void> {
  const hits = await hitsIn(
    session,
    runs,
    asked.flatMap(({ keys }) => keys),
  );
  for (const run of runs) {
    const held = new Set(hits.get(run.row));
    if (held.size === 0) continue;
    const covered = rightsMask(run.rights);
    for (const one of asked) {
      const keys = one.keys.filter((key) => held.has(key));
      if (keys.length === 0 || !one.keys.some((key) => ((rights.get(key) ?? 0) & covered) !== 0)) continue;
      found.set(one, [...(found.get(one) ?? []), { run, keys }]);
    }
  }
}

/** One notice for each destination. */
function* noticesOf(
  { requestId, receivedAtMs, identifier, keys }: Asked,
  hits: readonly StoredHit[],
): Generator<GapNotice> {
  for (const destination of new Set(hits.map(({ run }) => run.destination))) {
    const runs = hits.filter(({ run }) => run.destination === destination);
    const sent = runs.map(({ run }) => run.finishedAtMs);
    const held = new Set(runs.flatMap((hit) => hit.keys));
    const firstDigest = identifier.ownKey === null ? 0 : 1;
    const isHeld = (index: number) => held.has(keys[index + firstDigest] ?? 0n);
    const known = identifier.digests.map(({ tag, bytes }, index) => ({
      isHeld: isHeld(index),
      digest: { kind: kindOf(tag), hex: bytes.toString('hex') },
    }));
    const received = known.filter((one) => one.isHeld);
    yield {
      destination,
      requestId,
      receivedAtMs,
      kind: received[0]?.digest.kind ?? kindOf(identifier.tag),
      digests: (received.length > 0 ? received : known).map(({ digest }) => digest),
      sentFirstMs: Math.min(...sent),
      sentLastMs: Math.max(...sent),
      isSentAfterRequest: sent.some((atMs) => atMs > receivedAtMs),
      runIds: runs.map(({ run }) => run.runId),
    };
  }
}

function kindOf(tag: number): BaseKind {
  const kind = BASE_KINDS[tag - 1];
  if (kind === undefined) throw new GateError('ledger.damaged', 'kind of an identifier');
  return kind;
}

/** The rights in force on some keys; keys without any are left out. */
export async function rightsOn(session: Session, keys: readonly bigint[]): Promise<ReadonlyMap<bigint, number>> {
  const rows = await session.query(
    'select key::text, rights from optgate.suppression where key = any($1::int8[]) and rights <> 0',
    [int8Column([...new Set(keys)]).bytes],
  );
  return new Map(rows.map(({ key, rights }) => [BigInt(String(key)), Number(rights)]));
}

/** The identifiers of all opt-outs since, some at a time: those of single requests, then those of imports. */
async function* askedPages(
  context: LedgerContext,
  sinceMs: number,
  requestId: string | null,
): AsyncGenerator<readonly Asked[]> {
  for (const page of [singlePage, importPage]) {
    for (let after: Row = { id: '0', n: -1 }; ; ) {
      const rows = await page(context.database, sinceMs, requestId, after);
      const last = rows.at(-1);
      if (last === undefined) break;
      yield rows.flatMap((row) => [...askedOf(context, row)]);
      after = last;
    }
  }
}

function* askedOf({ mixer }: LedgerContext, row: Row): Generator<Asked> {
  for (const identifier of unpackIdentifiers(row.digests as Uint8Array)) {
    yield {
      requestId: String(row.public_id),
      receivedAtMs: Number(row.received_at_ms),
      identifier,
      keys: keysOfPacked(identifier, mixer),
    };
  }
}

/** Two statements, as one of many requests is found in another way than all of them. */
function requestSince(requestId: string | null): string {
  const which = requestId === null ? '$4::text is null' : 'request.public_id = $4';
  return `round(extract(epoch from request.received_at) * 1000)::float8 as received_at_ms
  from optgate.request where request.received_at >= to_timestamp($1::float8 / 1000) and ${which}`;
}

function singlePage(
  session: Session,
  sinceMs: number,
  requestId: string | null,
  { id, n }: Row,
): Promise<readonly Row[]> {
  return session.query(
    `select request.id::text, named.n, request.public_id, named.digests, request.received_at_ms
     from (select request.id, request.public_id, request.nature, ${requestSince(requestId)}) as request
       join optgate.request_identifier as named on named.request_id = request.id
     where request.nature = 'opt_out' and (request.id, named.n) > ($2::int8, $3::int4)
     order by request.id, named.n limit ${NOTICE_IDENTIFIERS_PER_PAGE}`,
    [sinceMs, id, n, requestId],
  );
}

/** A part holds as many identifiers as a page. Those that have a row of their own are in their part as well. */
function importPage(
  session: Session,
  sinceMs: number,
  requestId: string | null,
  { id, n }: Row,
): Promise<readonly Row[]> {
  return session.query(
    `select request.id::text, part.part as n, request.public_id, part.digests, request.received_at_ms
     from (select request.id, request.public_id, ${requestSince(requestId)}) as request
       join optgate.import_part as part on part.request_id = request.id
     where (request.id, part.part) > ($2::int8, $3::int4)
     order by request.id, part.part limit 1`,
    [sinceMs, id, n, requestId],
  );
}
