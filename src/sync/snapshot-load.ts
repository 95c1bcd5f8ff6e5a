/**
 * Loads a snapshot file off the main thread: what every source does that has its snapshots in files.
 * @module
 */
import { GateError } from '../core/errors.js';
import { type TableShare, type Verifier, workerUrl } from '../core/suppression/index.js';
import { readSnapshotFileHeader } from '../snapshot-file.js';
import type { Position, SnapshotSummary } from './source.js';
import { runTask } from './worker-task.js';

export interface SnapshotLoadOptions {
  /** Called with the header before anything is loaded, and again should the file hold something else by then. */
  readonly validate?: (summary: SnapshotSummary) => void;
  readonly signal?: AbortSignal;
  /** Whose signatures to trust: with it, only signed snapshots are loaded. */
  readonly verifier?: Verifier | undefined;
  /** Larger files are refused before anything is allocated. Default: SNAPSHOT_BYTES_MAX. */
  readonly bytesMax?: number | undefined;
}

export interface SnapshotTask {
  readonly path: string;
  readonly bytesMax: number | undefined;
}

export interface SnapshotResult {
  readonly share: TableShare;
  readonly position: Position;
  readonly entryCount: number;
  /** By the clock of whoever wrote the file; `null`: it does not say. */
  readonly freshAtMs: number | null;
}

/**
 * The table in a snapshot file, verified and ready for a writer to attach to. The event loop is not held up.
 * Throws what `validate` throws, what `readSnapshotFile` throws, and a GateError `sync.closed` when the signal is given.
 */
export async function loadSnapshot(path: string, options: SnapshotLoadOptions = {}): Promise<SnapshotResult> {
  const { validate, signal, verifier, bytesMax } = options;
  const header = await readSnapshotFileHeader(path, bytesMax === undefined ? {} : { bytesMax });
  validate?.({ position: { epoch: header.epoch, seq: header.seq }, entryCount: header.entryCount });
  if (signal?.aborted === true) throw new GateError('sync.closed');
  const url = workerUrl('./snapshot-worker.js', import.meta.url);
  const task: SnapshotTask = { path, bytesMax };
  const loaded = await runTask<SnapshotResult>(url, task, { signal, verifier, failureCode: 'snapshot.io' });
  const { position, entryCount } = loaded;
  const isAsSaid = position.epoch === header.epoch && position.seq === header.seq && entryCount === header.entryCount;
  if (!isAsSaid) validate?.({ position, entryCount });
  return loaded;
}
