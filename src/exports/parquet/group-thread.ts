/**
 * The thread that filters row groups for another, one at a time, from the file and over the table that they share.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { useKernelModule } from '../kernel/row-kernel.js';
import { READY } from '../thread-pool.js';
import { AttachedTable, type WithTable } from '../thread-table.js';
import { GroupFilter } from './group-filter.js';
import { usePageModule } from './page-kernel.js';
import { readerOf } from './read-at.js';
import { answered, type GroupJob, type GroupThreadTerms } from './thread-messages.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const { descriptor, mapped, terms, kernelModule, pageModule } = workerData as GroupThreadTerms;
  useKernelModule(kernelModule);
  usePageModule(pageModule);
  const filter = new GroupFilter(readerOf(descriptor), mapped, terms);
  const attached = new AttachedTable();
  const work = async (message: GroupJob & WithTable) => {
    const { group, rowsBefore, room } = message;
    const answer = await answered(filter.run(group, rowsBefore, attached.of(message), room));
    port.postMessage(answer, answer.kind === 'result' ? [answer.result.room] : []);
  };
  let before = Promise.resolve();
  port.on('message', (message: GroupJob & WithTable) => {
    before = before.then(() => work(message)); // one after another: they work in the same memory
  });
  port.postMessage(READY);
}

serve();
