/**
 * A ledger of the test's own in each of the two databases.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe as plainDescribe } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { migrate } from '../../src/ledger/migrations.js';
import { createDatabase, POSTGRES_URL, withService } from '../services.js';
import { prepareEmbedded } from './embedded-folder.js';

export interface TestLocation {
  readonly location: string;
  remove(): Promise<void>;
}

export interface Backend {
  readonly name: 'postgres' | 'pglite';
  readonly describe: typeof plainDescribe | typeof plainDescribe.skip;
  /** `bare`: an empty database. Otherwise one that may hold an empty ledger. */
  create(content?: 'bare'): Promise<TestLocation>;
}

export const BACKENDS: readonly Backend[] = [
  {
    name: 'postgres',
    describe: await withService('PostgreSQL', POSTGRES_URL),
    create: async () => {
      const { url, drop } = await createDatabase();
      return { location: url, remove: drop };
    },
  },
  {
    name: 'pglite',
    describe: plainDescribe,
    create: async (content) => {
      const location = await mkdtemp(join(tmpdir(), 'optgate-ledger-'));
      await prepareEmbedded(location, content);
      return { location, remove: () => rm(location, { recursive: true, force: true }) };
    },
  },
];

export interface TestLedger {
  readonly location: string;
  readonly database: Database;
  close(): Promise<void>;
}

/** An empty ledger. */
export async function createLedger({ create }: Backend): Promise<TestLedger> {
  const { location, remove } = await create();
  const database = await openDatabase(location);
  await migrate(database);
  const close = async () => {
    await database.close();
    await remove();
  };
  return { location, database, close };
}
