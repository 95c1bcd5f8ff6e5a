/**
 * Builds the table of a ledger in PostgreSQL on a thread of its own, which can be told to stop.
 *
 * However large the ledger, there is no limit on the whole, only on standing still: every statement must be answered.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { GateError } from '../core/errors.js';
import { workerUrl } from '../core/suppression/index.js';
import type { LoadedTable } from '../sync/source.js';
import { CONNECT_MS_MAX, type DatabaseOptions, STATEMENT_GRACE_MS, STATEMENT_MS_MAX, unavailable } from './database.js';
import { unpostedError } from './posted-error.js';
import type { BuildAnswer, BuildWorkerData } from './worker-messages.js';

/** The thread itself ends a statement at its deadline; this is for a thread that does not. */
const STANDSTILL_MS_MAX = STATEMENT_MS_MAX + STATEMENT_GRACE_MS + CONNECT_MS_MAX;

/** Throws as `Database.buildTable` does. */
export function buildOnThread(url: string, options: DatabaseOptions, signal: AbortSignal): Promise<LoadedTable> {
  if (signal.aborted) return Promise.reject(new GateError('sync.closed'));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const data: BuildWorkerData = { url, options, stop };
  const worker = new Worker(workerUrl('./build-worker.js', import.meta.url), { workerData: data, execArgv: [] });
  return new Promise((resolve, reject) => {
    let standstill: NodeJS.Timeout | undefined;
    const end = () => {
      clearTimeout(standstill);
      signal.removeEventListener('abort', onAbort);
      void worker.terminate();
    };
    const fail = (error: Error) => {
      end();
      reject(error);
    };
    const onAbort = () => {
      Atomics.store(stop, 0, 1);
      fail(new GateError('sync.closed'));
    };
    const watch = () => {
      clearTimeout(standstill);
      standstill = setTimeout(() => fail(unavailable('the table is not getting on')), STANDSTILL_MS_MAX);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    worker.on('message', (answer: BuildAnswer) => {
      if (answer.kind === 'progress') return watch();
      if (answer.kind === 'error') return fail(unpostedError(answer.error));
      end();
      resolve(answer.table);
    });
    worker.once('error', (error) => fail(threadError(error)));
    worker.once('exit', () => fail(unavailable('the thread that builds the table has ended')));
    watch();
  });
}

function threadError(error: Error): GateError {
  const { code } = error as { code?: string };
  return code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new GateError('table.memory', undefined, { cause: error })
    : unavailable('the thread that builds the table failed', error);
}
