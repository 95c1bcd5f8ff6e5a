/**
 * One step of the chainer: rows of the audit trail get their number, the hash before them, and their own.
 *
 * Whoever chains holds the row of the head: two at once wait for each other, and a step that breaks off has done nothing.
 * Rows are taken by id among those that are visible. That needs no horizon, as the change log has one: nobody follows the
 * trail by numbers while it is being written, so a row that is committed late simply comes later. What was committed before
 * another transaction began has the smaller id, and is visible wherever that one's is: so causes come before effects.
 * @module
 */
import type { Signer } from '../../core/suppression/index.js';
import type { Row, Session, Transactor } from '../database.js';
import { byteaColumn, int8Column } from '../packed-column.js';
import { SYSTEM_ACTOR } from './actor.js';
import { canonicalJson } from './canonical-json.js';
import { CHECKPOINT_ENTRIES, CHECKPOINT_EVERY_MS, signCheckpoint } from './checkpoint.js';
import { actorText, CHECKPOINT_KIND, type EntryParts, genesisOf, hashOfParts } from './entry.js';

/** Rows of one step at most. */
export const CHAIN_ROWS_MAX = 5_000;

export interface ChainOptions {
  readonly rowsMax?: number;
  /** Signs checkpoints; `null`: there are none. */
  readonly signer?: Signer | null;
  readonly checkpointEntries?: number;
  readonly checkpointEveryMs?: number;
  /** A checkpoint after this step, if there is any entry since the last one. */
  readonly isLast?: boolean;
}

export interface ChainStep {
  /** Rows that were chained. */
  readonly count: number;
  readonly n: number;
  readonly head: string;
  readonly hasCheckpoint: boolean;
}

interface ChainHead {
  readonly ledgerId: string;
  readonly n: number;
  readonly hash: string;
  readonly checkpointN: number;
  readonly sinceCheckpointMs: number;
  readonly atMs: number;
}

/** Chains at most `rowsMax` rows. */
export function chainStep(database: Transactor, options: ChainOptions = {}): Promise<ChainStep> {
  return database.transaction((session) => chain(session, options));
}

/** Chains everything there is, and ends with a checkpoint where there is a key. */
export async function chainAll(database: Transactor, options: ChainOptions): Promise<void> {
  const { rowsMax = CHAIN_ROWS_MAX } = options;
  while ((await chainStep(database, options)).count === rowsMax);
  if (options.signer) await chainStep(database, { ...options, isLast: true });
}

/** True if a step would do something. Asking takes no lock and writes nothing. */
export async function hasChainWork(session: Session, options: ChainOptions): Promise<boolean> {
  const { signer = null, checkpointEveryMs = CHECKPOINT_EVERY_MS } = options;
  const [row] = await session.query(
    `select exists (select from optgate.audit_entry where n is null) or ($1::bool and exists (
       select from optgate.audit_head
       where n > checkpoint_n and checkpoint_at < clock_timestamp() - $2::float8 * interval '1 millisecond')) as there`,
    [signer !== null, checkpointEveryMs],
  );
  return row?.there === true;
}

async function chain(session: Session, options: ChainOptions): Promise<ChainStep> {
  const head = await lockHead(session);
  const rows = await session.query(
    `select id::text, ${PART_COLUMNS} from optgate.audit_entry where n is null order by audit_entry.id limit $1::int4`,
    [options.rowsMax ?? CHAIN_ROWS_MAX],
  );
  let { n, hash } = head;
  const ids: bigint[] = [];
  const hashes: Buffer[] = [Buffer.from(hash, 'hex')];
  for (const row of rows) {
    hash = hashOfParts(partsOf(row, ++n, hash));
    ids.push(BigInt(String(row.id)));
    hashes.push(Buffer.from(hash, 'hex'));
  }
  if (rows.length > 0) await writeChain(session, head.n, ids, hashes);
  const isDue = isCheckpointDue(head, n, options);
  const point = { ...head, n, hash };
  const last = isDue && options.signer ? await addCheckpoint(session, point, options.signer) : point;
  if (last.n > head.n) await moveHead(session, last, last !== point);
  return { count: rows.length, n: last.n, head: last.hash, hasCheckpoint: last !== point };
}

async function lockHead(session: Session): Promise<ChainHead> {
  const [row] = await session.query(
    `select ledger_id::text, n::float8, hash, checkpoint_n::float8,
       extract(epoch from clock_timestamp() - checkpoint_at)::float8 * 1000 as since_ms,
       floor(extract(epoch from clock_timestamp()) * 1000)::float8 as at_ms
     from optgate.audit_head, optgate.meta for update of audit_head`,
  );
  if (row === undefined) throw new Error('unreachable: a migrated ledger has a head of its trail');
  const ledgerId = String(row.ledger_id);
  return {
    ledgerId,
    n: Number(row.n),
    hash: row.hash === null ? genesisOf(ledgerId) : hexOf(row.hash),
    checkpointN: Number(row.checkpoint_n),
    sinceCheckpointMs: Number(row.since_ms),
    atMs: Number(row.at_ms),
  };
}

/** The columns {@link partsOf} reads. */
export const PART_COLUMNS = `kind, actor_role, actor_name, actor_via, subject, body,
  round(extract(epoch from at) * 1000)::float8 as at_ms`;

export function partsOf(row: Row, n: number, previous: string): EntryParts {
  const { actor_role: role, actor_name: name, actor_via: via } = row;
  return {
    n,
    atMs: Number(row.at_ms),
    kind: String(row.kind),
    actor: actorText({ name: name as string | null, role: role as never, via: via as never }),
    subject: row.subject as string | null,
    body: String(row.body),
    previous,
  };
}

export function hexOf(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('hex');
}

async function writeChain(session: Session, after: number, ids: readonly bigint[], hashes: readonly Buffer[]) {
  await session.query(
    `update optgate.audit_entry as entry set n = new.n, previous = new.previous, hash = new.hash
     from unnest($1::int8[], $2::int8[], $3::bytea[], $4::bytea[]) as new (id, n, previous, hash) where entry.id = new.id`,
    [
      int8Column(ids).bytes,
      int8Column(ids.map((_, index) => BigInt(after + index + 1))).bytes,
      byteaColumn(hashes.slice(0, -1)).bytes,
      byteaColumn(hashes.slice(1)).bytes,
    ],
  );
}

/** Nothing new since the last checkpoint: nothing to sign. */
function isCheckpointDue({ checkpointN, sinceCheckpointMs }: ChainHead, n: number, options: ChainOptions): boolean {
  const { checkpointEntries = CHECKPOINT_ENTRIES, checkpointEveryMs = CHECKPOINT_EVERY_MS, isLast = false } = options;
  const since = n - checkpointN;
  return since > 0 && (isLast || since >= checkpointEntries || sinceCheckpointMs >= checkpointEveryMs);
}

/** An entry that is chained as it is written. */
async function addCheckpoint(session: Session, point: ChainHead, signer: Signer): Promise<ChainHead> {
  const { ledgerId, n, hash: head, atMs } = point;
  const parts = {
    n: n + 1,
    atMs,
    kind: CHECKPOINT_KIND,
    actor: actorText(SYSTEM_ACTOR),
    subject: null,
    body: canonicalJson(signCheckpoint({ ledgerId, n, head }, signer)),
    previous: head,
  };
  const hash = hashOfParts(parts);
  await session.query(
    `insert into optgate.audit_entry (at, kind, actor_role, actor_name, actor_via, body, n, previous, hash)
     values (to_timestamp($1::float8 / 1000), $2, $3, $4, $5, $6, $7::float8::int8, $8, $9)`,
    [
      atMs,
      parts.kind,
      SYSTEM_ACTOR.role,
      SYSTEM_ACTOR.name,
      SYSTEM_ACTOR.via,
      parts.body,
      parts.n,
      Buffer.from(head, 'hex'),
      Buffer.from(hash, 'hex'),
    ],
  );
  return { ...point, n: parts.n, hash };
}

async function moveHead(session: Session, { n, hash }: ChainHead, isCheckpoint: boolean): Promise<void> {
  await session.query(
    `update optgate.audit_head set n = $1::float8::int8, hash = $2,
       checkpoint_n = case when $3::bool then $1::float8::int8 else checkpoint_n end,
       checkpoint_at = case when $3::bool then clock_timestamp() else checkpoint_at end`,
    [n, Buffer.from(hash, 'hex'), isCheckpoint],
  );
}
