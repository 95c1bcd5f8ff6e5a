/**
 * The proof of an earlier run to the same output, where no ledger has it: kept under the name of that run.
 *
 *     FILE.lineage, FILE.manifest.json   →   FILE.x_….lineage, FILE.x_….manifest.json
 *
 * What was sent was sent, whatever takes its place on this disk: who was in it is found in the index, and in no other file.
 * @module
 */
import { copyFile, link, readFile, rename, rm, stat } from 'node:fs/promises';
import { temporaryPath } from '../temporary-files.js';
import { LINEAGE_SUFFIX, MANIFEST_SUFFIX } from './manifest.js';

const RUN_ID = /^x_[A-Za-z0-9_-]{22}$/;

/** Gives what is there a second name, so that there is no moment without it. Nothing is done where there is no index. */
export async function keepEarlierProof(output: string): Promise<void> {
  const index = await stat(`${output}${LINEAGE_SUFFIX}`).catch(() => null);
  if (index === null) return;
  const kept = `${output}.${(await runIdIn(`${output}${MANIFEST_SUFFIX}`)) ?? Math.round(index.mtimeMs)}`;
  for (const suffix of [MANIFEST_SUFFIX, LINEAGE_SUFFIX]) await alsoNamed(`${output}${suffix}`, `${kept}${suffix}`);
}

/** Takes away the index of an earlier run, which {@link keepEarlierProof} has given another name. */
export async function removeEarlierIndex(output: string): Promise<void> {
  await rm(`${output}${LINEAGE_SUFFIX}`, { force: true });
}

/** `null`: there is no manifest, or none of ours. */
async function runIdIn(manifest: string): Promise<string | null> {
  try {
    const { runId } = JSON.parse(await readFile(manifest, 'utf8')) as { readonly runId?: unknown };
    return typeof runId === 'string' && RUN_ID.test(runId) ? runId : null;
  } catch {
    return null;
  }
}

/** A second name for a file, or a copy where file systems have none. What has that name already is the same file. */
async function alsoNamed(path: string, name: string): Promise<void> {
  try {
    await link(path, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOENT') return;
    const unfinished = temporaryPath(name);
    await copyFile(path, unfinished);
    await rename(unfinished, name);
  }
}
