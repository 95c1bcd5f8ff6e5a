/**
 * Makes the schema of a ledger, and brings it up to date.
 *
 * Each step is one transaction, and only one process at a time does any: several may start together. A ledger that a
 * newer optgate made is left alone.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { GateError } from '../core/errors.js';
import { type Actor, SYSTEM_ACTOR } from './audit/actor.js';
import { appendAudit } from './audit/append.js';
import type { Session, Transactor } from './database.js';
import { MIGRATIONS } from './schema.js';

/** The schema this code works with. */
export const SCHEMA_VERSION = MIGRATIONS.length;
/** Advisory lock, within the database: whoever migrates. */
export const MIGRATION_LOCK = 0x6f67_0001;

/** What a new ledger gets at random. */
export interface LedgerSeeds {
  /** 64 bits. */
  readonly seed: bigint;
  readonly ledgerId: string;
  readonly epoch: string;
}

/**
 * Brings the database to {@link SCHEMA_VERSION}; says which steps it took, none if it was there already. Throws a
 * GateError `ledger.newer`, `ledger.unavailable`.
 */
export async function migrate(
  database: Transactor,
  seeds: LedgerSeeds = randomSeeds(),
  actor: Actor = SYSTEM_ACTOR,
): Promise<readonly number[]> {
  const taken: number[] = [];
  for (const { version, statements } of MIGRATIONS) {
    const isTaken = await database.transaction(async (session) => {
      await session.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      const present = await schemaVersion(session);
      refuseNewer(present);
      if (present >= version) return false;
      if (version === 1) await session.query('create schema if not exists optgate');
      for (const statement of statements) await session.query(statement);
      if (version === 1) await begin(session, seeds);
      await session.query('update optgate.meta set schema_version = $1', [version]);
      if (await hasTable(session, 'audit_entry')) {
        const body = { schemaVersion: version, steps: statements.length };
        await appendAudit(session, { actor }, { kind: 'ledger.migrated', subject: null, body });
      }
      return true;
    });
    if (isTaken) taken.push(version);
  }
  return taken;
}

/** Throws a GateError `ledger.not_migrated` or `ledger.newer` if this code cannot work with the database. */
export async function checkMigrated(session: Session): Promise<void> {
  const present = await schemaVersion(session);
  refuseNewer(present);
  if (present < SCHEMA_VERSION) throw new GateError('ledger.not_migrated');
}

/** New ones, from the system's source of randomness. */
export function randomSeeds(): LedgerSeeds {
  return { seed: randomBytes(8).readBigUInt64LE(), ledgerId: randomUUID(), epoch: randomUUID() };
}

/**
 * 0: there is no ledger. The catalogue is read as any table: `to_regclass` may answer from what the connection remembers, which
 * a wait for the lock does not bring up to date.
 */
async function schemaVersion(session: Session): Promise<number> {
  if (!(await hasTable(session, 'meta'))) return 0;
  const [meta] = await session.query<{ schema_version: number }>('select schema_version from optgate.meta');
  return meta?.schema_version ?? 0;
}

async function hasTable(session: Session, name: string): Promise<boolean> {
  const [table] = await session.query<{ there: boolean }>(
    `select exists (
       select from pg_catalog.pg_class as class join pg_catalog.pg_namespace as schema on schema.oid = class.relnamespace
       where schema.nspname = 'optgate' and class.relname = $1) as there`,
    [name],
  );
  return table?.there === true;
}

function refuseNewer(present: number): void {
  if (present > SCHEMA_VERSION) throw new GateError('ledger.newer', `schema ${present}, known up to ${SCHEMA_VERSION}`);
}

async function begin(session: Session, { seed, ledgerId, epoch }: LedgerSeeds): Promise<void> {
  await session.query('insert into optgate.meta (schema_version, ledger_id, seed) values (1, $1::uuid, $2::int8)', [
    ledgerId,
    BigInt.asIntN(64, seed).toString(),
  ]);
  await session.query('insert into optgate.head (epoch) values ($1)', [epoch]);
}
