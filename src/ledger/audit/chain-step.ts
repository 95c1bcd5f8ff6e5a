/**
 * One step of the chainer: rows of the audit trail get their number, the hash before them, and their own; before them, where
 * one is due, comes a checkpoint on what earlier steps have committed.
 *
 * Whoever chains holds the row of the head: two at once wait for each other, and a step that breaks off has done nothing.
 * Rows are taken by id among those that are visible. That needs no horizon, as the change log has one: nobody follows the
 * trail by numbers while it is being written, so a row that is committed late simply comes later. What was committed before
 * another transaction began has the smaller id, and is visible wherever that one's is: so causes come before effects.
 * @module
 */
import type { GateError } from '../../core/errors.js';
import type { Session, Transactor } from '../database.js';
import { byteaColumn, int8Column } from '../packed-column.js';
import { SYSTEM_ACTOR } from './actor.js';
import { canonicalJson } from './canonical-json.js';
import { type ChainHead, lockHead, moveHead } from './chain-head.js';
import { CHECKPOINT_ENTRIES, CHECKPOINT_EVERY_MS } from './checkpoint.js';
import { type CheckpointSigner, isForked } from './checkpoint-signer.js';
import { actorText, CHECKPOINT_KIND, hashOfParts } from './entry.js';
import { DAMAGED_KIND, PART_COLUMNS, partsOf } from './entry-row.js';

/** Rows of one step at most. */
export const CHAIN_ROWS_MAX = 5_000;

export interface ChainOptions {
  readonly rowsMax?: number;
  /** Signs checkpoints; `null`: there are none. */
  readonly signer?: CheckpointSigner | null;
  readonly checkpointEntries?: number;
  readonly checkpointEveryMs?: number;
  /** A checkpoint if there is any entry since the last one. */
  readonly isLast?: boolean;
}

export interface ChainStep {
  /** Rows that were chained. */
  readonly count: number;
  readonly n: number;
  readonly head: string;
  readonly hasCheckpoint: boolean;
  /** Rows of them that were no entries (entry-row.ts). */
  readonly damagedCount: number;
}

/** Chains at most `rowsMax` rows. Throws a GateError `ledger.trail_forked`, when that is done, if a checkpoint was refused. */
export async function chainStep(database: Transactor, options: ChainOptions = {}): Promise<ChainStep> {
  const { refusal, ...step } = await database.transaction((session) => chain(session, options));
  if (refusal !== null) throw refusal;
  return step;
}

/** Chains everything there is, and ends with a checkpoint where there is a key. */
export async function chainAll(database: Transactor, options: ChainOptions): Promise<void> {
  const { rowsMax = CHAIN_ROWS_MAX } = options;
  while ((await chainStep(database, options)).count === rowsMax);
  if (options.signer) await chainStep(database, { ...options, isLast: true });
}

/** True if a step would do something. Asking takes no lock and writes nothing. */
export async function hasChainWork(session: Session, options: ChainOptions): Promise<boolean> {
  const { signer = null, checkpointEntries = CHECKPOINT_ENTRIES, checkpointEveryMs = CHECKPOINT_EVERY_MS } = options;
  const [row] = await session.query(
    `select exists (select from optgate.audit_entry where n is null) or ($1::bool and exists (
       select from optgate.audit_head
       where n > checkpoint_n and (n - checkpoint_n >= $3::int8
         or checkpoint_at < clock_timestamp() - $2::float8 * interval '1 millisecond'))) as there`,
    [signer !== null, checkpointEveryMs, checkpointEntries],
  );
  return row?.there === true;
}

async function chain(
  session: Session,
  options: ChainOptions,
): Promise<ChainStep & { readonly refusal: GateError | null }> {
  const committed = await lockHead(session);
  const { head, refusal } = await checkpoint(session, committed, options);
  const rows = await session.query(
    `select id::text, ${PART_COLUMNS} from optgate.audit_entry where n is null order by audit_entry.id limit $1::int4`,
    [options.rowsMax ?? CHAIN_ROWS_MAX],
  );
  let { n, hash } = head;
  let damagedCount = 0;
  const ids: bigint[] = [];
  const hashes: Buffer[] = [Buffer.from(hash, 'hex')];
  for (const row of rows) {
    const parts = partsOf(row, ++n, hash);
    if (parts.kind === DAMAGED_KIND) damagedCount++;
    hash = hashOfParts(parts);
    ids.push(BigInt(String(row.id)));
    hashes.push(Buffer.from(hash, 'hex'));
  }
  if (rows.length > 0) await writeChain(session, head.n, ids, hashes);
  const hasCheckpoint = head !== committed;
  if (n > committed.n) await moveHead(session, { ...head, n, hash }, hasCheckpoint);
  return { count: rows.length, n, head: hash, hasCheckpoint, damagedCount, refusal };
}

/** The head with a checkpoint on it, if one is due; the same one, and why, if it was refused. */
async function checkpoint(
  session: Session,
  head: ChainHead,
  options: ChainOptions,
): Promise<{ readonly head: ChainHead; readonly refusal: GateError | null }> {
  const { signer = null } = options;
  if (signer === null || !isCheckpointDue(head, options)) return { head, refusal: null };
  try {
    return { head: await addCheckpoint(session, head, signer), refusal: null };
  } catch (error) {
    if (!isForked(error)) throw error;
    return { head, refusal: error };
  }
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
function isCheckpointDue({ n, checkpointN, sinceCheckpointMs }: ChainHead, options: ChainOptions): boolean {
  const { checkpointEntries = CHECKPOINT_ENTRIES, checkpointEveryMs = CHECKPOINT_EVERY_MS, isLast = false } = options;
  const since = n - checkpointN;
  return since > 0 && (isLast || since >= checkpointEntries || sinceCheckpointMs >= checkpointEveryMs);
}

/** An entry that is chained as it is written. */
async function addCheckpoint(session: Session, head: ChainHead, signer: CheckpointSigner): Promise<ChainHead> {
  const parts = {
    n: head.n + 1,
    atMs: head.atMs,
    kind: CHECKPOINT_KIND,
    actor: actorText(SYSTEM_ACTOR),
    subject: null,
    body: canonicalJson(await signer.sign(session, head)),
    previous: head.hash,
  };
  const hash = hashOfParts(parts);
  await session.query(
    `insert into optgate.audit_entry (at, kind, actor_role, actor_name, actor_via, body, n, previous, hash)
     values (to_timestamp($1::float8 / 1000), $2, $3, $4, $5, $6, $7::float8::int8, $8, $9)`,
    [
      parts.atMs,
      parts.kind,
      SYSTEM_ACTOR.role,
      SYSTEM_ACTOR.name,
      SYSTEM_ACTOR.via,
      parts.body,
      parts.n,
      Buffer.from(parts.previous, 'hex'),
      Buffer.from(hash, 'hex'),
    ],
  );
  return { ...head, n: parts.n, hash, checkpointN: parts.n };
}
