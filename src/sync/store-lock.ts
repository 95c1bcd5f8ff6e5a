/**
 * One process per folder: a lock file that names its process, and that nobody has to remove by hand after a crash.
 *
 * Where the process can be looked up (same machine, same boot, same process namespace) it counts exactly as long as that
 * process lives. Where it cannot, as between containers that share a volume, the holder's touches of the file tell:
 * a file that is not touched for a while, by this machine's monotonic clock, has no holder.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { LOCK_NAME } from './store-files.js';

/** How often the holder touches its lock. */
export const LOCK_TOUCH_MS = 2000;
/** How long a lock of a process that cannot be looked up is watched before it counts as left behind. */
export const LOCK_WATCH_MS = 7000;

interface Holder {
  readonly pid: number;
  /** When the process started, as the system counts; empty where it does not say. */
  readonly startedAt: string;
  readonly bootId: string;
  readonly namespace: string;
  readonly host: string;
  /** Of this lock alone. */
  readonly token: string;
}

export class FolderLock {
  private readonly touching: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly token: string,
  ) {
    this.touching = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {}); // if the folder is gone, writing to it will say so
    }, LOCK_TOUCH_MS).unref();
  }

  /** Takes the folder. Throws a GateError `sync.store` that names the process that has it. */
  static async acquire(folder: string, clock: Clock = systemClock): Promise<FolderLock> {
    const path = join(folder, LOCK_NAME);
    const mine = await thisProcess();
    for (;;) {
      if (await writeLock(path, mine)) return new FolderLock(path, mine.token);
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text === null) continue; // let go of in between
      const holder = parseHolder(text);
      if (holder !== null && (await isAlive(holder, mine, path, clock))) {
        throw new GateError('sync.store', `the folder is in use by process ${holder.pid} on ${holder.host}`);
      }
      await takeOver(path, text);
    }
  }

  /** Lets go of the folder. Never throws. */
  async release(): Promise<void> {
    clearInterval(this.touching);
    const text = await readFile(this.path, 'utf8').catch(() => '');
    if (parseHolder(text)?.token === this.token) await rm(this.path, { force: true }).catch(() => {});
  }
}

/** Puts the lock there, whole, if there is none. */
async function writeLock(path: string, mine: Holder): Promise<boolean> {
  const own = `${path}.${mine.token}`;
  await writeFile(own, JSON.stringify(mine), { mode: 0o640 });
  try {
    await link(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOENT') return false; // taken, or taken and tidied up
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Moves a dead lock out of the way; if it turns out to be another one by now, moves it back. */
async function takeOver(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return; // somebody else was faster
  }
  if ((await readFile(aside, 'utf8').catch(() => text)) !== text) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function isAlive(holder: Holder, mine: Holder, path: string, clock: Clock): Promise<boolean> {
  if (holder.host === mine.host && holder.bootId !== mine.bootId) return false;
  if (holder.bootId !== mine.bootId || holder.namespace !== mine.namespace) return isTouched(path, clock);
  if (!isRunning(holder.pid)) return false;
  return (await startOf(holder.pid)) === holder.startedAt;
}

/** Whether somebody touches the file while it is watched. */
async function isTouched(path: string, clock: Clock): Promise<boolean> {
  const touchedAt = async (): Promise<number> => (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs;
  const before = await touchedAt();
  const startMs = clock.monotonicMs();
  while (clock.monotonicMs() - startMs < LOCK_WATCH_MS) {
    await sleep(clock, LOCK_TOUCH_MS / 4);
    const now = await touchedAt();
    if (now !== before) return now !== 0;
  }
  return false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function thisProcess(): Promise<Holder> {
  return {
    pid: process.pid,
    startedAt: await startOf(process.pid),
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(),
    namespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    host: hostname(),
    token: randomBytes(12).toString('hex'),
  };
}

/** Ticks from boot to the start of a process, the 22nd field; the second, its name, may hold blanks and brackets. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function parseHolder(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return Number.isSafeInteger(holder?.pid) && typeof holder?.token === 'string' ? (holder as Holder) : null;
  } catch {
    return null;
  }
}
