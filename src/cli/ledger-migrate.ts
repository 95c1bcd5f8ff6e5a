/**
 * Makes the schema of a ledger, on purpose.
 * @module
 */
import { openDatabase } from '../ledger/database.js';
import { migrate, randomSeeds, SCHEMA_VERSION } from '../ledger/migrations.js';
import { cliActor, type LedgerLocation, withLocation } from './ledger-location.js';

/** What was done. */
export interface Migrated {
  readonly schemaVersion: number;
  /** The steps that were taken; none if it was up to date. */
  readonly steps: readonly number[];
}

/** Brings the ledger up to date. @throws {CommandError} */
export async function migrateLedger(location: LedgerLocation): Promise<Migrated> {
  try {
    const database = await openDatabase(location.kind === 'folder' ? location.folder : location.url);
    try {
      return { schemaVersion: SCHEMA_VERSION, steps: await migrate(database, randomSeeds(), cliActor()) };
    } finally {
      await database.close();
    }
  } catch (error) {
    throw withLocation(error, location);
  }
}
