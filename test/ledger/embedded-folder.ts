/**
 * Folders of embedded databases, as copies of one that is made once: making one syncs a thousand files.
 * @module
 */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';

/** Puts an empty database, without a ledger, into a folder. */
export async function prepareEmbedded(folder: string): Promise<void> {
  const template = join(inject('sharedFolder'), 'embedded');
  if (!existsSync(template)) await makeTemplate(template);
  await cp(template, folder, { recursive: true });
}

async function makeTemplate(template: string): Promise<void> {
  const unfinished = await mkdtemp(`${template}-`);
  const database = await openDatabase(unfinished);
  await database.close();
  // another test file may have been quicker
  await rename(unfinished, template).catch(() => rm(unfinished, { recursive: true, force: true }));
}
