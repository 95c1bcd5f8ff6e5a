/**
 * The thread that filters blocks for another, one at a time, over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BlockFilter } from './block-filter.js';
import { useKernelModule } from './kernel/row-kernel.js';
import { type BlockJob, type BlockThreadTerms, blockAnswer, memoryOf } from './thread-messages.js';
import { READY } from './thread-pool.js';
import { AttachedTable, type WithTable } from './thread-table.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const { terms, kernelModule } = workerData as BlockThreadTerms;
  useKernelModule(kernelModule);
  const filter = new BlockFilter(terms);
  filter.makeSlots(0);
  const attached = new AttachedTable();
  port.on('message', (message: BlockJob & WithTable) => {
    const answer = blockAnswer(filter, message, attached.of(message));
    port.postMessage(answer, memoryOf(answer));
  });
  port.postMessage(READY);
}

serve();
