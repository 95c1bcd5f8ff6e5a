/**
 * The thread that filters row groups for another, one at a time, from the file and over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SuppressionTable } from '../../core/suppression/index.js';
import { RowError } from '../row-error.js';
import { readFooter } from './footer.js';
import { GroupFilter } from './group-filter.js';
import { mappedColumns } from './mapped-columns.js';
import { ParquetError } from './parquet-error.js';
import { readerOf } from './read-at.js';
import type { FromGroupThread, GroupThreadTerms, ToGroupThread } from './thread-messages.js';

async function serve(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const { descriptor, fileBytes, terms } = workerData as GroupThreadTerms;
  const readAt = readerOf(descriptor);
  const footer = await readFooter(readAt, fileBytes);
  const filter = new GroupFilter(readAt, footer, mappedColumns(footer, terms), terms);
  let table: SuppressionTable | null = null;
  let tableNumber = -1;
  port.on('message', async (message: ToGroupThread) => {
    if (table === null || message.tableNumber !== tableNumber) table = SuppressionTable.attach(message.table);
    tableNumber = message.tableNumber;
    try {
      const result = await filter.run(message.index, message.rowsBefore, table);
      const memory = (result.chunks ?? []).map(({ bytes }) => bytes.buffer as ArrayBuffer);
      port.postMessage({ kind: 'result', result } satisfies FromGroupThread, memory);
    } catch (error) {
      port.postMessage(failure(error));
    }
  });
}

/** Classes do not survive being posted. */
function failure(error: unknown): FromGroupThread {
  if (error instanceof ParquetError) return { kind: 'parquet', code: error.code, detail: error.detail };
  if (error instanceof RowError) return { kind: 'row', code: error.code, detail: error.detail };
  return { kind: 'other', error };
}

void serve();
