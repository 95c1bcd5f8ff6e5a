/**
 * Runs the command line as a user does, for tests: the built files, in a process of their own.
 * @module
 */
import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';

export const MAIN = 'dist/cli/main.js';

type RunOptions = Pick<SpawnSyncOptions, 'stdio' | 'cwd' | 'env'>;

export function optgate(args: readonly string[], input: string | Uint8Array = '', options: RunOptions = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  const lines = (stdout ?? '').split('\n').filter((line) => line !== '');
  return { status, stdout, stderr, lines, json: () => lines.map((line) => JSON.parse(line)) };
}

/** A command that goes on until it is stopped. */
export function startOptgate(args: readonly string[], options: RunOptions = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  let onOutput = () => {};
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      said[name] += text;
      onOutput();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    said,
    stdin: child.stdin,
    /** The exit code, when it has ended. */
    ended,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Resolves when an output matches; throws with all of it when the command ends or the time is up before. */
    async until(name: 'stdout' | 'stderr', pattern: RegExp, waitMs = 20_000): Promise<RegExpExecArray> {
      return new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new Error(`${why}: no ${pattern}\n${said.stdout}\n${said.stderr}`));
        const timer = setTimeout(() => fail('too late'), waitMs);
        void ended.then((code) => fail(`ended with ${code}`));
        onOutput = () => {
          const match = pattern.exec(said[name]);
          if (match === null) return;
          clearTimeout(timer);
          resolve(match);
        };
        onOutput();
      });
    },
  };
}

/** A bid request on one line. */
export const bid = (rest: object) => JSON.stringify({ id: 'r', imp: [{ id: '1' }], ...rest });
