/**
 * The thread that filters blocks for another, one at a time, over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BlockFilter, type BlockTerms } from './block-filter.js';
import type { BlockAnswer, BlockJob } from './thread-messages.js';
import { AttachedTable, type WithTable } from './thread-table.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const filter = new BlockFilter(workerData as BlockTerms);
  const attached = new AttachedTable();
  port.on('message', (message: BlockJob & WithTable) => {
    const { memory, length, isLast } = message;
    const block = { bytes: new Uint8Array(memory), length, isLast };
    const { output, ...rest } = filter.run(block, attached.of(message));
    const own = output.buffer === memory ? null : (output.buffer as ArrayBuffer);
    const answer: BlockAnswer = {
      ...rest,
      memory,
      output: { memory: own, from: output.byteOffset, length: output.length },
    };
    port.postMessage(answer, own === null ? [memory] : [memory, own]);
  });
}

serve();
