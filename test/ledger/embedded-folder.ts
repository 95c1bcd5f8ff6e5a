/**
 * Folders of embedded databases, as copies of ones that are made once: making a database syncs a thousand files, and a new
 * ledger's schema takes as long as all that most tests do.
 * @module
 */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';
import { migrate } from '../../src/ledger/migrations.js';

/**
 * Puts a database into a folder: with an empty ledger, which has the id, seed and epoch of all ledgers made like this, or
 * `bare` with nothing in it.
 */
export async function prepareEmbedded(folder: string, content: 'ledger' | 'bare' = 'ledger'): Promise<void> {
  const template = join(inject('sharedFolder'), content);
  if (!existsSync(template)) await makeTemplate(template, content);
  await cp(template, folder, { recursive: true });
}

async function makeTemplate(template: string, content: 'ledger' | 'bare'): Promise<void> {
  const unfinished = await mkdtemp(`${template}-`);
  if (content === 'ledger') await prepareEmbedded(unfinished, 'bare');
  const database = await openDatabase(unfinished);
  if (content === 'ledger') await migrate(database);
  await database.close();
  // another test file may have been quicker
  await rename(unfinished, template).catch(() => rm(unfinished, { recursive: true, force: true }));
}
