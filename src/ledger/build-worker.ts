/**
 * The thread that builds one table from PostgreSQL, over a connection of its own.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { buildTable } from './build-table.js';
import { asLedgerError, openDatabase } from './database.js';
import { postedError } from './posted-error.js';
import type { BuildAnswer, BuildWorkerData } from './worker-messages.js';

async function build(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('expected to run as a worker');
  const send = (answer: BuildAnswer) => port.postMessage(answer);
  const { url, options, stop } = workerData as BuildWorkerData;
  try {
    const database = await openDatabase(url, { ...options, connectionsMax: 1 });
    const session = await database.dedicated();
    send({ kind: 'table', table: await buildTable(session, { stop, onProgress: () => send({ kind: 'progress' }) }) });
    await session.close();
    await database.close();
  } catch (error) {
    send({ kind: 'error', error: postedError(error instanceof RangeError ? error : asLedgerError(error)) });
  }
}

await build();
