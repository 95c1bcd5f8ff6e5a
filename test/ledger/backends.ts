/**
 * Ledgers of a test's own in each database there is, and a look at everything they hold.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { createDatabase, POSTGRES_URL, withService } from '../services.js';
import { prepareEmbedded } from './embedded-folder.js';

/** A place for a ledger. */
export interface TestPlace {
  readonly location: string;
  remove(): Promise<void>;
}

export interface Backend {
  readonly name: 'PGlite' | 'PostgreSQL';
  make(): Promise<TestPlace>;
}

const PGLITE: Backend = {
  name: 'PGlite',
  async make() {
    const location = await mkdtemp(join(tmpdir(), 'optgate-test-'));
    await prepareEmbedded(location);
    return { location, remove: () => rm(location, { recursive: true, force: true }) };
  },
};

export const POSTGRES: Backend = {
  name: 'PostgreSQL',
  async make() {
    const { url, drop } = await createDatabase();
    return { location: url, remove: drop };
  },
};

const hasPostgres = (await withService('PostgreSQL', POSTGRES_URL)) === describe;

/** Those that are there; the other one was said to be missing. */
export const BACKENDS: readonly Backend[] = hasPostgres ? [PGLITE, POSTGRES] : [PGLITE];

/** Every table of a ledger. */
export const TABLES = [
  'meta',
  'head',
  'change_log',
  'suppression',
  'suppression_holder',
  'request',
  'request_identifier',
  'import_part',
  'enforcer',
  'enforcer_ack',
  'destination',
  'export_run',
  'export_index',
  'webhook',
  'webhook_event',
  'webhook_delivery',
] as const;

/** Rows of each table, but not those that change by themselves. */
export async function rowCounts(database: Database): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const table of TABLES) {
    const [row] = await database.query(`select count(*)::int4 as count from optgate.${table}`);
    counts[table] = Number(row?.count);
  }
  return counts;
}

/** Everything a ledger holds, as bytes: texts in UTF-8, bytea as it is. */
export async function dump(location: string): Promise<Buffer> {
  const database = await openDatabase(location);
  try {
    const pieces: Buffer[] = [];
    for (const table of [...TABLES, 'audit_entry', 'audit_salt']) {
      for (const row of await database.query(`select * from optgate.${table}`)) {
        for (const value of Object.values(row)) {
          pieces.push(value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(JSON.stringify(value) ?? ''));
        }
      }
    }
    return Buffer.concat(pieces);
  } finally {
    await database.close();
  }
}
