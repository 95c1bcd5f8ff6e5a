/**
 * Runs the command line for tests: in this process where only its answer matters, or as a user does, the built files in
 * a process of their own.
 * @module
 */
import { type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { runCli } from '../../src/cli/run.js';

export const MAIN = 'dist/cli/main.js';

type RunOptions = Pick<SpawnSyncOptions, 'stdio' | 'env'>;

/** A command's answer, from a run in this process. */
export async function optgate(
  args: readonly string[],
  input: string | Uint8Array = '',
  { env = process.env, now = Date.now }: Pick<RunOptions, 'env'> & { readonly now?: () => number } = {},
) {
  const [stdout, stderr] = [new Heard(), new Heard()];
  const stdin = Readable.from([Buffer.from(input)]);
  const status = await runCli(args, { stdin, stdout, stderr, env, now });
  return answerOf(status, stdout.text, stderr.text);
}

/** The same from a process of its own. */
export function optgateProcess(args: readonly string[], input: string | Uint8Array = '', options: RunOptions = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  return answerOf(status, stdout ?? '', stderr);
}

function answerOf(status: number | null, stdout: string, stderr: string) {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, stdout, stderr, lines, json: () => lines.map((line) => JSON.parse(line)) };
}

/** What is written to it. */
class Heard extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
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
