/**
 * A sidecar in a process of its own, as `optgate serve` runs it, on ports that the system chooses.
 * @module
 */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { startOptgate } from '../cli/run.js';

/** How long anything may take on a busy machine. */
export const PATIENCE_MS = 40_000;

export const maidOf = (index: number) => `6d92078a-8246-4ba4-ae5b-${index.toString(16).padStart(12, '0')}`;
export const requestOf = (index: number) => ({ id: 'r', imp: [{ id: '1' }], device: { ifa: maidOf(index) } });

export interface Answer {
  readonly action: string;
  readonly reasons: readonly string[];
  readonly seq: number | null;
  readonly stale: boolean;
  readonly policyVersion: string;
}

export type Running = Awaited<ReturnType<typeof startSidecarProcess>>;

/** Starts it and resolves when it says where it listens. Its environment holds no settings but those given. */
export async function startSidecarProcess(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const ports = ['--data', '--control'].flatMap((flag) => (args.includes(flag) ? [] : [flag, '127.0.0.1:0']));
  const child = startOptgate(['serve', ...ports, ...args], { env: { PATH: process.env.PATH, ...env } });
  const found = await child.until(
    'stderr',
    /"sidecar.listening","address":"(127[^"]+)"[\s\S]*?"address":"(127[^"]+)"/,
    PATIENCE_MS,
  );
  const [, data = '', control = ''] = found;
  const get = async (where: string, path: string, init?: RequestInit) => {
    const response = await fetch(`http://${where}${path}`, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const json = (body: object): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    ...child,
    data,
    control,
    onData: (path: string, init?: RequestInit) => get(data, path, init),
    onControl: (path: string, init?: RequestInit) => get(control, path, init),
    check: async (request: object): Promise<Answer> => {
      const { status, text } = await get(data, '/v1/check', json(request));
      if (status !== 200) throw new Error(`status ${status}: ${text}`);
      return JSON.parse(text);
    },
    optOut: (index: number) =>
      get(control, '/v1/opt-outs', json({ identifiers: [{ kind: 'maid', value: maidOf(index) }], channel: 'api' })),
    /** Ends it in order; gives its exit code. */
    stop: async () => {
      child.kill('SIGTERM');
      return child.ended;
    },
  };
}

/** A set in a file, of these people. */
export async function writeSet(path: string, indexes: readonly number[], seq: number): Promise<void> {
  const table = SuppressionTable.create({ capacity: 100, seed: 5n, epoch: 'set' });
  const holder = new TableHolder({ table });
  for (const index of indexes)
    enterIdentifier(holder, { kind: 'maid', value: maidOf(index) }, RIGHTS_ALL, { exact: true });
  holder.publish(seq, null);
  await writeSnapshotFile(path, table, Date.now());
}

/** A port where nobody listens, for now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
