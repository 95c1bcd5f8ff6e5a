/**
 * Worker thread: reads an enforcer's folder, makes a new snapshot of what it holds, or writes the first one.
 * @module
 */
import { SuppressionTable } from '../core/suppression/index.js';
import { writeSnapshotFile } from '../snapshot-file.js';
import { compactStore, loadStore, type StoreTask } from './store-replay.js';
import { serveTask } from './worker-task.js';

serveTask<StoreTask>(async (task, verifier) => {
  switch (task.kind) {
    case 'load':
      return loadStore(task, verifier);
    case 'compact':
      return compactStore(task);
    case 'write':
      return writeSnapshotFile(task.path, SuppressionTable.attach(task.share));
    default:
      return task satisfies never;
  }
});
