/**
 * Where the chained part of the trail ends, and up to where it is signed. Whoever writes to it holds its row.
 * @module
 */
import type { Session } from '../database.js';
import { genesisOf } from './entry.js';
import { hexOf } from './entry-row.js';

export interface ChainHead {
  readonly ledgerId: string;
  /** Number of the last entry; 0: there is none. */
  readonly n: number;
  /** Its hash. */
  readonly hash: string;
  /** Number of the last checkpoint; 0: there is none. */
  readonly checkpointN: number;
  readonly sinceCheckpointMs: number;
  /** Now, by the clock of the database. */
  readonly atMs: number;
}

export async function lockHead(session: Session): Promise<ChainHead> {
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

/** @param hasCheckpoint The last checkpoint is a new one. */
export async function moveHead(
  session: Session,
  { n, hash, checkpointN }: ChainHead,
  hasCheckpoint: boolean,
): Promise<void> {
  await session.query(
    `update optgate.audit_head set n = $1::float8::int8, hash = $2, checkpoint_n = $3::float8::int8,
       checkpoint_at = case when $4::bool then clock_timestamp() else checkpoint_at end`,
    [n, Buffer.from(hash, 'hex'), checkpointN, hasCheckpoint],
  );
}
