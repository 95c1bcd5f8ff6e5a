/**
 * The thread that filters blocks for another, one at a time, over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SuppressionTable } from '../core/suppression/index.js';
import { BlockFilter, type BlockTerms } from './block-filter.js';
import type { FromThread, ToThread } from './thread-messages.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const filter = new BlockFilter(workerData as BlockTerms);
  let table: SuppressionTable | null = null;
  let tableNumber = -1;
  port.on('message', (message: ToThread) => {
    if (table === null || message.tableNumber !== tableNumber) table = SuppressionTable.attach(message.table);
    tableNumber = message.tableNumber;
    const { memory, length, isLast } = message;
    const { output, ...rest } = filter.run({ bytes: new Uint8Array(memory), length, isLast }, table);
    const own = output.buffer === memory ? null : (output.buffer as ArrayBuffer);
    const answer: FromThread = {
      ...rest,
      memory,
      output: { memory: own, from: output.byteOffset, length: output.length },
    };
    port.postMessage(answer, own === null ? [memory] : [memory, own]);
  });
}

serve();
