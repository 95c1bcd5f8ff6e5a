/**
 * The thread that filters blocks for another, one at a time, over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BlockFilter, type BlockTerms } from './block-filter.js';
import { type BlockJob, blockAnswer, memoryOf } from './thread-messages.js';
import { READY } from './thread-pool.js';
import { AttachedTable, type WithTable } from './thread-table.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const filter = new BlockFilter(workerData as BlockTerms);
  const attached = new AttachedTable();
  port.on('message', (message: BlockJob & WithTable) => {
    const answer = blockAnswer(filter, message, attached.of(message));
    port.postMessage(answer, memoryOf(answer));
  });
  port.postMessage(READY);
}

serve();
