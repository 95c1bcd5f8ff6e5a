/**
 * Child processes of tests: found, stopped and killed together with whatever they have started.
 * @module
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const hasSetpriv = succeeds('setpriv', ['--version']);

function succeeds(program: string, options: readonly string[]): boolean {
  try {
    execFileSync(program, options, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Starts a process that does not outlive this one, however this one ends (where the system has `setpriv`). */
export function spawnTied(
  program: string,
  options: readonly string[],
  spawnOptions: SpawnOptions,
  /** The user to run it as. */
  user: string | null = null,
): ChildProcess {
  const asUser = user === null ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  if (!hasSetpriv && user === null) return spawn(program, options, spawnOptions);
  return spawn('setpriv', [...asUser, '--pdeathsig=KILL', '--', program, ...options], spawnOptions);
}

/** What a process says, where it was started with pipes. */
export function pipesOf({ stdout, stderr }: ChildProcess): { readonly stdout: Readable; readonly stderr: Readable } {
  if (stdout === null || stderr === null) throw new Error('expected a process with pipes');
  return { stdout, stderr };
}

/** Below the range that systems take ports of outgoing connections from: a client must not find itself at the other end. */
const PORT_MIN = 18_000;
const PORT_COUNT = 12_000;

/** A port that is free now, for servers that cannot choose one themselves and have to come back on the same. */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(random() * PORT_COUNT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A process and all that descend from it, the process first. */
export function familyOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== null) parents.set(Number(name), parent);
  }
  const family = [pid];
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child);
  return family;
}

function parentOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? null : Number(parent);
  } catch {
    return null; // it has ended meanwhile
  }
}

/** Sends a signal to a process and all that descend from it. */
export function signalFamily(pid: number, signal: NodeJS.Signals): readonly number[] {
  const family = familyOf(pid);
  for (const member of family) {
    try {
      process.kill(member, signal);
    } catch {
      // it has ended meanwhile
    }
  }
  return family;
}

/** Kills a process and all that descend from it, at once; resolves when none is left. */
export async function killFamily(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const family = signalFamily(pid, 'SIGKILL');
  await ended;
  while (family.some((member) => parentOf(member) !== null)) await sleep(5);
}
