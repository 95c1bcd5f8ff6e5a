/**
 * Names for what is being written, beside what it is to become, and the removal of what killed processes left under them.
 *
 * What must stay true: only names made here are removed, and only when they are old enough to be nobody's any more.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Age from which something temporary is taken to be left behind by a process that was killed. */
export const LEFTOVER_AGE_MS = 3_600_000;

/**
 * Where what is to become `path` is written, in the same folder.
 * @param token Tells it from others that are to become the same: 1 to 64 of `A-Za-z0-9_-`; random unless told.
 */
export function temporaryPath(path: string, token = randomBytes(6).toString('hex')): string {
  return join(dirname(path), `.${basename(path)}.${token}.tmp`);
}

/** Removes files and folders that were to become `path`, and those with a number behind that name. Never throws. */
export async function removeLeftovers(path: string, nowMs: number, ageMs = LEFTOVER_AGE_MS): Promise<void> {
  const start = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch((): string[] => [])) {
    if (!name.startsWith(start) || !/^[A-Za-z0-9_-]{1,64}\.tmp(\.\d+)?$/.test(name.slice(start.length))) continue;
    const leftover = join(dirname(path), name);
    const { mtimeMs } = await stat(leftover).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (nowMs - mtimeMs > ageMs) await rm(leftover, { recursive: true, force: true }).catch(() => {});
  }
}
