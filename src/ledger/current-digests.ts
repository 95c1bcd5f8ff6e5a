/**
 * The set in force as digests, for whoever joins it with data that optgate never sees: a warehouse.
 *
 * A clear value is found under its digests in every dialect, so its own key, which only the ledger can make, is left out.
 * Two kinds have no dialects: of an `eid` and an `account` the identity is given, the first 16 bytes of SHA-256 over the
 * kind as it is written (`eid:uidapi.com`), a zero byte, and the value without white space around it.
 *
 * What must stay true: a digest is given if, and only if, its key has rights in force; each once; and if the ledger has no
 * digest for a key in force, all of it fails, for a set with holes lets people's data leave.
 * @module
 */
import { GateError } from '../core/errors.js';
import { SuppressionTable } from '../core/suppression/index.js';
import { BASE_KINDS, type BaseKind, KIND_TAG } from '../core/vocabulary.js';
import type { Position } from '../sync/source.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { IDENTITY_BYTES } from './identity.js';
import { highOfSqlKey, type KeyMixer, lowOfSqlKey } from './keys.js';
import { int2Column, int8Column } from './packed-column.js';
import { unpackIdentifiers } from './packed-identifiers.js';

/** Identifiers of requests that are read at a time. */
const IDENTIFIERS_PER_PAGE = 1000;
/** Keys that are looked up at a time. */
const KEYS_PER_LOOKUP = 4096;

/** Kinds whose own key is in the set, but nothing that a warehouse could make of the clear value. */
const CLEAR_TAGS: readonly number[] = [KIND_TAG.email, KIND_TAG.phone, KIND_TAG.maid, KIND_TAG.ctv];
const IDENTITY_TAGS: readonly number[] = [KIND_TAG.eid, KIND_TAG.account];

/** One digest in force. */
export interface CurrentDigest {
  readonly kind: BaseKind;
  readonly digest: Buffer;
  /** As a mask. */
  readonly rights: number;
  /** When the oldest request behind it that is in force was received; `null`: no request is. */
  readonly sinceMs: number | null;
}

/** What was given out. */
export interface CurrentSet {
  /** Everything up to it is in the set; what came while it was read may be, too. */
  readonly position: Position;
  readonly digestCount: number;
}

interface Candidate {
  readonly tag: number;
  readonly digest: Buffer;
}

/** See Ledger.eachCurrentDigest. */
export async function eachCurrentDigest(
  context: LedgerContext,
  take: (digests: readonly CurrentDigest[]) => Promise<void>,
): Promise<CurrentSet> {
  return context.database.transaction((session) => readSet(session, context, take), { isSnapshot: true });
}

async function readSet(
  session: Session,
  { mixer, seed }: LedgerContext,
  take: (digests: readonly CurrentDigest[]) => Promise<void>,
): Promise<CurrentSet> {
  const [head] = await session.query('select epoch, seq::float8 as seq from optgate.head');
  if (head === undefined) throw new GateError('ledger.not_migrated');
  const digestCount = await countInForce(session);
  // about 10 bytes a digest: lists that come in every month name the same people again
  const given = SuppressionTable.create({ capacity: Math.max(1, digestCount), seed, epoch: 'given' });
  let givenCount = 0;
  const pending = new Map<bigint, Candidate>();
  const settle = async () => {
    const digests = await inForce(session, pending);
    const fresh = digests.filter(({ key }) => given.setMixed(highOfSqlKey(key), lowOfSqlKey(key), 1, 0, 0) === 'added');
    givenCount += fresh.length;
    pending.clear();
    await take(fresh);
  };
  for await (const [key, candidate] of eachRecorded(session, mixer)) {
    if (given.rightsOfMixed(highOfSqlKey(key), lowOfSqlKey(key)) !== 0) continue;
    pending.set(key, candidate);
    if (pending.size === KEYS_PER_LOOKUP) await settle();
  }
  await settle();
  if (givenCount !== digestCount) throw await holesError(session);
  return { position: { epoch: String(head.epoch), seq: Number(head.seq) }, digestCount };
}

/** Why there are holes: somebody was erased, or something is wrong. */
async function holesError(session: Session): Promise<GateError> {
  const [row] = await session.query(
    'select exists (select from optgate.request where erased_at is not null) as is_erased',
  );
  const why = row?.is_erased === true ? '; requests were erased, and their digests with them' : '';
  return new GateError('ledger.damaged', `the digests of some keys in force are missing${why}`);
}

/** Keys in force that must have a digest: all but those of clear values, and those of canaries, who are nobody. */
async function countInForce(session: Session): Promise<number> {
  const [row] = await session.query(
    `select count(*)::float8 as count from optgate.suppression
     where rights <> 0 and request_id is not null and tag <> all($1::int2[])`,
    [int2Column(CLEAR_TAGS).bytes],
  );
  return Number(row?.count ?? 0);
}

/** Every key that was ever recorded, with its digest; as often as it was. */
async function* eachRecorded(session: Session, mixer: KeyMixer): AsyncGenerator<readonly [bigint, Candidate]> {
  for await (const { identity, packed } of eachPacked(session)) {
    let at = 0;
    for (const { tag, ownKey, digests } of unpackIdentifiers(packed)) {
      if (ownKey !== null && IDENTITY_TAGS.includes(tag)) {
        yield [ownKey, { tag, digest: identity.subarray(at, at + IDENTITY_BYTES) }];
      }
      at += IDENTITY_BYTES;
      for (const { tag, bytes } of digests) {
        const [w0, w1, w2, w3] = [0, 4, 8, 12].map((offset) => bytes.readInt32BE(offset)) as [
          number,
          number,
          number,
          number,
        ];
        yield [mixer.keyOf(tag, w0, w1, w2, w3), { tag, digest: bytes }];
      }
    }
  }
}

interface Packed {
  /** Of the identifiers, one after the other. */
  readonly identity: Buffer;
  readonly packed: Uint8Array;
}

async function* eachPacked(session: Session): AsyncGenerator<Packed> {
  for (let after: readonly unknown[] = [0, -1]; ; ) {
    const rows = await session.query(
      `select request_id::text, n, identity::text, digests from optgate.request_identifier
       where (request_id, n) > ($1::int8, $2::int4) order by request_id, n limit ${IDENTIFIERS_PER_PAGE}`,
      after,
    );
    for (const { identity, digests } of rows) {
      yield { identity: Buffer.from(String(identity).replaceAll('-', ''), 'hex'), packed: digests as Uint8Array };
    }
    const last = rows.at(-1);
    if (last === undefined) break;
    after = [last.request_id, last.n];
  }
  for (let after: readonly unknown[] = [0, -1]; ; ) {
    const [part] = await session.query(
      `select request_id::text, part, identities, digests from optgate.import_part
       where (request_id, part) > ($1::int8, $2::int4) order by request_id, part limit 1`,
      after,
    );
    if (part === undefined) return;
    yield { identity: Buffer.from(part.identities as Uint8Array), packed: part.digests as Uint8Array };
    after = [part.request_id, part.part];
  }
}

/** What is in force of some keys. */
async function inForce(
  session: Session,
  candidates: ReadonlyMap<bigint, Candidate>,
): Promise<readonly (CurrentDigest & { readonly key: bigint })[]> {
  if (candidates.size === 0) return [];
  const rows = await session.query(
    `select held.key::text, held.rights, round(extract(epoch from least(
       case when held.identity_rights <> 0 then own.received_at end,
       (select min(request.received_at) from optgate.suppression_holder as further
          join optgate.request on request.id = further.request_id where further.key = held.key)
     )) * 1000)::float8 as since_ms
     from optgate.suppression as held left join optgate.request as own on own.id = held.request_id
     where held.key = any($1::int8[]) and held.rights <> 0`,
    [int8Column([...candidates.keys()]).bytes],
  );
  return rows.flatMap((row) => {
    const key = BigInt(String(row.key));
    const { tag = 0, digest } = candidates.get(key) ?? {};
    const kind = BASE_KINDS[tag - 1];
    if (kind === undefined || digest === undefined) return [];
    return {
      key,
      kind,
      digest,
      rights: Number(row.rights),
      sinceMs: row.since_ms === null ? null : Number(row.since_ms),
    };
  });
}
