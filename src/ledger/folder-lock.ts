/**
 * One process a folder: PGlite has no server that could keep two writers apart.
 *
 * The lock is a file that names its process: host, pid and when the process started, for pids are used again. The file is
 * touched every few seconds. The lock of a process that has ended is taken over: on the same host that is seen at once,
 * of another host (a container that was replaced) only the touching tells.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GateError } from '../core/errors.js';

export const LOCK_FILE = 'optgate.lock';
/** How often a lock is touched. */
export const LOCK_TOUCH_MS = 2_000;
/** A lock of another host that was not touched for so long is nobody's. */
export const LOCK_STALE_MS = 15_000;
/** Pause before a lock that was taken over is looked at again: another process may have done the same. */
const TAKEOVER_PAUSE_MS = 50;
const TAKEOVERS_MAX = 5;

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Whatever this system says of when the process started; `null` where it says nothing. */
  readonly startedAt: string | null;
  /** Tells two holders apart. */
  readonly nonce: string;
}

export interface FolderLock {
  /** Never throws. */
  release(): void;
}

/** Takes the lock of a folder, which must exist. Throws a GateError `ledger.locked` that names the pid of who has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, LOCK_FILE);
  const nonce = randomBytes(8).toString('hex');
  const own: Holder = { host: hostname(), pid: process.pid, startedAt: processStart(process.pid), nonce };
  const text = `${JSON.stringify(own)}\n`;
  for (let takeover = 0; takeover < TAKEOVERS_MAX; takeover++) {
    if (await wroteNew(path, text)) {
      if (takeover > 0) await sleep(TAKEOVER_PAUSE_MS);
      if ((await textOf(path)) === text) return heldLock(path, text);
      continue;
    }
    const found = await textOf(path);
    if (found === null) continue;
    const holder = parseHolder(found);
    if (await isAlive(path, holder)) throw lockedBy(holder);
    await moveAway(path, found);
  }
  throw new GateError('ledger.locked', 'several processes want it at once');
}

function heldLock(path: string, text: string): FolderLock {
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, LOCK_TOUCH_MS);
  touching.unref();
  return {
    release: () => {
      clearInterval(touching);
      try {
        if (readFileSync(path, 'utf8') === text) rmSync(path);
      } catch {
        // gone already
      }
    },
  };
}

async function wroteNew(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o640);
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new GateError('ledger.unavailable', 'the folder cannot be written to', { cause: error });
  }
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

function parseHolder(text: string): Holder | null {
  try {
    const { host, pid, startedAt, nonce } = JSON.parse(text) as Holder;
    return typeof host === 'string' && Number.isInteger(pid) ? { host, pid, startedAt, nonce } : null;
  } catch {
    return null; // written by half, or not yet
  }
}

async function isAlive(path: string, holder: Holder | null): Promise<boolean> {
  if (holder !== null && holder.host === hostname()) {
    const startedAt = processStart(holder.pid);
    return startedAt === null ? exists(holder.pid) && holder.startedAt === null : startedAt === holder.startedAt;
  }
  const touchedAtMs = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  return Date.now() - touchedAtMs < LOCK_STALE_MS;
}

/** Removes a lock that was found to be nobody's, unless it has become another one since: that is put back. */
async function moveAway(path: string, found: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was faster
  }
  if ((await textOf(aside)) !== found) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, in ticks since this boot (Linux, proc(5), field 22 of stat); `null`: no such process, or not told. */
function processStart(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const isGone = fields[0] === 'Z' || fields[0] === 'X'; // ended, and only not yet waited for
    return isGone ? null : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return null;
  }
}

function lockedBy(holder: Holder | null): GateError {
  const who = holder === null ? 'by a process that does not say its name' : `by process ${holder.pid} on its host`;
  return new GateError('ledger.locked', who);
}
