/**
 * Whom to tell of which opt-out: for every destination that was sent a person's data, the opt-outs of that person
 * (11 CCR 7026(f)(2)).
 *
 * A notice says what the destination needs to find the person again: the digests under which it received them, or, where
 * it received another kind of id, their digests as far as the ledger has any. Nothing is told of who has opted in again
 * since, of requests that were denied, nor of runs that an exemption let pass.
 *
 * An index holds clear values under their SHA-256 (exports/fingerprint.ts). An opt-out that the ledger knows by MD5 or SHA-1
 * alone is found where that digest was sent, and cannot be found where a clear value was: such opt-outs are counted.
 * @module
 */
import { GateError, InputError } from '../core/errors.js';
import { BASE_KINDS, type BaseKind, KIND_TAG } from '../core/vocabulary.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { type BriefRun, briefRuns, hitsIn } from './export-lineage.js';
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
  /** Told how many more identifiers of opt-outs in force are known by MD5 or SHA-1 alone; exports of clear values cannot be asked for them. */
  readonly onOldDigests?: ((count: number) => void) | undefined;
}

const OLD_DIGEST_TAGS: ReadonlySet<number> = new Set(
  (['email_md5', 'email_sha1', 'phone_sha1', 'maid_md5', 'maid_sha1'] as const).map((kind) => KIND_TAG[kind]),
);

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
  { sinceMs, destination, requestId, isView = false, onOldDigests }: GapOptions,
): AsyncGenerator<GapNotice> {
  if (!Number.isSafeInteger(sinceMs) || sinceMs < 0) {
    throw new InputError('sinceMs', 'out_of_range', 'expected whole milliseconds since 1970');
  }
  const body = { destination: destination ?? null, since: new Date(sinceMs).toISOString() };
  const subject = requestId ?? destination ?? null;
  const kind = isView ? 'gap_notices.viewed' : 'gap_notices.made';
  await appendAudit(context.database, context, { kind, subject, body });
  const pages = await briefRuns(context.database, destination ?? null);
  for await (const some of askedPages(context, sinceMs, requestId ?? null)) {
    const inForce = await askedInForce(context.database, some);
    const oldCount = inForce.asked.filter(({ identifier }) => OLD_DIGEST_TAGS.has(identifier.tag)).length;
    if (oldCount > 0) onOldDigests?.(oldCount);
    yield* noticesIn(context.database, inForce, pages);
  }
}

/** The notices of some identifiers, for every destination. */
export async function* noticesFor({ database }: LedgerContext, some: readonly Asked[]): AsyncGenerator<GapNotice> {
  yield* noticesIn(database, await askedInForce(database, some), await briefRuns(database, null));
}

/** Identifiers with rights in force, and these. */
interface InForce {
  readonly asked: readonly Asked[];
  readonly rights: ReadonlyMap<bigint, number>;
}

async function askedInForce(session: Session, some: readonly Asked[]): Promise<InForce> {
  const keys = some.flatMap((one) => one.keys);
  const rights = await rightsOn(session, keys);
  return { asked: some.filter((one) => one.keys.some((key) => rights.has(key))), rights };
}

async function* noticesIn(
  session: Session,
  inForce: InForce,
  pages: readonly (readonly BriefRun[])[],
): AsyncGenerator<GapNotice> {
  const found = new Map<Asked, StoredHit[]>();
  for (const runs of pages) await findHits(session, runs, inForce, found);
  for (const [one, hits] of found) yield* noticesOf(one, hits);
}

interface StoredHit {
  readonly run: BriefRun;
  readonly keys: readonly bigint[];
}

async function findHits(
  session: Session,
  runs: readonly BriefRun[],
  { asked, rights }: InForce,
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
    for (const one of asked) {
      const keys = one.keys.filter((key) => held.has(key));
      if (keys.length === 0 || !one.keys.some((key) => ((rights.get(key) ?? 0) & run.rights) !== 0)) continue;
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
  from optgate.request where request.received_at >= to_timestamp($1::float8 / 1000)
    and request.status <> 'denied' and ${which}`;
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
