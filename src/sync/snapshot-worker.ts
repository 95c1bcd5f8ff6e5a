/**
 * Worker thread: reads and verifies one snapshot file, and hands over its table.
 * @module
 */
import { readSnapshotFile } from '../snapshot-file.js';
import type { SnapshotResult, SnapshotTask } from './snapshot-load.js';
import { serveTask } from './worker-task.js';

serveTask<SnapshotTask>(async ({ path, bytesMax }, verifier) => {
  const table = await readSnapshotFile(path, { verifier, ...(bytesMax === undefined ? {} : { bytesMax }) });
  const { epoch, seq, entryCount, freshAtMs } = table;
  return { share: table.share(), position: { epoch, seq }, entryCount, freshAtMs } satisfies SnapshotResult;
});
