/**
 * Runs the command line as a user does, for tests: the built files, in a process of their own.
 * @module
 */
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';

export const MAIN = 'dist/cli/main.js';

export function optgate(
  args: readonly string[],
  input: string | Uint8Array = '',
  options: Pick<SpawnSyncOptions, 'stdio'> = {},
) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  const lines = (stdout ?? '').split('\n').filter((line) => line !== '');
  return { status, stdout, stderr, lines, json: () => lines.map((line) => JSON.parse(line)) };
}

/** A bid request on one line. */
export const bid = (rest: object) => JSON.stringify({ id: 'r', imp: [{ id: '1' }], ...rest });
