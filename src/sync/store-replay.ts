/**
 * What an enforcer's folder holds, as a table: the newest snapshot that is whole, and every entry in the tails after it.
 *
 * Runs in a worker thread and blocks it. Nothing is believed that does not verify: a damaged snapshot gives way to the
 * generation before, a tail ends at its first damaged frame, and where the ledger's own digest of a state disagrees the
 * whole generation is passed over.
 * @module
 */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GateError, type GateErrorCode } from '../core/errors.js';
import { compacted, decodeFrame, type Frame, type TableShare, type Verifier } from '../core/suppression/index.js';
import { readSnapshotFile, writeSnapshotFile } from '../snapshot-file.js';
import { Replica } from './replica.js';
import type { Position } from './source.js';
import { decodeFresh, FRESH_NAME, listFolder, snapshotPath, tailPath } from './store-files.js';
import { readTail, type TailEnd } from './tail.js';
import { VersionMemory, type VersionState } from './versions.js';

export interface StoreLoadTask {
  readonly kind: 'load';
  readonly folder: string;
  readonly bytesMax: number | undefined;
  readonly versionKeysMax: number;
  /** Nothing after this seq is applied. */
  readonly pinSeq: number | null;
}

/** Writes what the folder holds at `toSeq` as a new snapshot. */
export interface StoreCompactTask {
  readonly kind: 'compact';
  readonly folder: string;
  readonly bytesMax: number | undefined;
  readonly versionKeysMax: number;
  readonly fromSeq: number;
  /** A settled seq, and what the ledger said of the state at it. */
  readonly toSeq: number;
  readonly stateDigest: string;
}

/** Writes a table that nobody writes to. */
export interface StoreWriteTask {
  readonly kind: 'write';
  readonly share: TableShare;
  readonly path: string;
}

export type StoreTask = StoreLoadTask | StoreCompactTask | StoreWriteTask;

export interface StoreLoadResult {
  readonly share: TableShare;
  readonly position: Position;
  readonly versions: VersionState;
  /** Wall clock of this machine at which the content was complete, as far as is known; `null`: nobody ever said. */
  readonly freshAtMs: number | null;
  readonly snapshotSeq: number;
  /** Bytes in all tails of this generation. */
  readonly tailBytes: number;
  readonly tail: TailEnd | null;
}

export interface StoreLoadAnswer {
  /** `null`: the folder holds nothing that can be used. */
  readonly loaded: StoreLoadResult | null;
  /** What was found damaged on the way. */
  readonly problems: readonly GateErrorCode[];
}

/** The time given to content of which nobody knows when it was complete: long ago, so that no miss is believed. */
const LONG_AGO_MS = 1;

interface Replayed {
  readonly replica: Replica;
  readonly snapshotFreshAtMs: number | null;
  readonly tail: TailEnd | null;
  readonly tailBytes: number;
  readonly problems: readonly GateErrorCode[];
}

/** The newest generation that can be used. */
export async function loadStore(task: StoreLoadTask, verifier?: Verifier): Promise<StoreLoadAnswer> {
  const problems: GateErrorCode[] = [];
  const { snapshots } = await listFolder(task.folder);
  for (const snapshotSeq of snapshots.toReversed()) {
    try {
      if (task.pinSeq !== null && snapshotSeq > task.pinSeq) throw new GateError('sync.pinned');
      const replayed = await replay(task, snapshotSeq, task.pinSeq ?? Number.MAX_SAFE_INTEGER, verifier);
      problems.push(...replayed.problems);
      const { replica, tail, tailBytes } = replayed;
      await removeUnconnected(task.folder, replica.seq);
      const { position, table } = replica;
      const versions = replica.versionMemory.state();
      const freshAtMs = freshAt(task.folder, position, replayed.snapshotFreshAtMs);
      return {
        loaded: { share: table.share(), position, versions, freshAtMs, snapshotSeq, tailBytes, tail },
        problems,
      };
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      problems.push(error.code);
    }
  }
  return { loaded: null, problems };
}

/** Throws a GateError if the folder does not hold exactly what the ledger says it should. */
export async function compactStore(task: StoreCompactTask): Promise<void> {
  const { folder, fromSeq, toSeq, stateDigest } = task;
  const { replica, snapshotFreshAtMs } = await replay(task, fromSeq, toSeq);
  if (replica.seq !== toSeq) throw new GateError('sync.store', `the tail ends at seq ${replica.seq}, not ${toSeq}`);
  if (replica.table.stateDigest !== stateDigest) throw new GateError('sync.digest', `seq ${toSeq}, in the folder`);
  const table = compacted(replica.table);
  // complete as of when the old snapshot was, at least; `fresh` knows better
  table.publish(toSeq, snapshotFreshAtMs);
  await writeSnapshotFile(snapshotPath(folder, toSeq), table);
}

async function replay(
  task: Pick<StoreLoadTask, 'folder' | 'bytesMax' | 'versionKeysMax'>,
  snapshotSeq: number,
  toSeq: number,
  verifier?: Verifier,
): Promise<Replayed> {
  const { folder, bytesMax, versionKeysMax } = task;
  const options = { verifier, ...(bytesMax === undefined ? {} : { bytesMax }) };
  const table = await readSnapshotFile(snapshotPath(folder, snapshotSeq), options);
  if (table.seq !== snapshotSeq) throw new GateError('sync.store', 'a snapshot is not the one its name says');
  const snapshotFreshAtMs = table.freshAtMs;
  const replica = new Replica(table, { versions: new VersionMemory(versionKeysMax) });
  const problems: GateErrorCode[] = [];
  let tail: TailEnd | null = null;
  let tailBytes = 0;
  const { tails } = await listFolder(folder);
  for (const [index, startSeq] of tails.entries()) {
    const nextStartSeq = tails[index + 1] ?? Number.MAX_SAFE_INTEGER;
    if (nextStartSeq <= snapshotSeq) continue;
    if (startSeq > replica.seq || replica.seq >= toSeq) break;
    const replayed = replayTail(replica, tailPath(folder, startSeq), startSeq, toSeq, verifier);
    tail = replayed.end;
    tailBytes += tail.bytes;
    if (replayed.problem !== null) problems.push(replayed.problem);
  }
  return { replica, snapshotFreshAtMs, tail, tailBytes, problems };
}

/** Applies what follows; throws a GateError `sync.digest` if the result is not what the ledger had. */
function replayTail(
  replica: Replica,
  path: string,
  startSeq: number,
  toSeq: number,
  verifier: Verifier | undefined,
): { readonly end: TailEnd; readonly problem: GateErrorCode | null } {
  let end: TailEnd = { startSeq, lastSeq: startSeq, bytes: 0 };
  try {
    for (const { bytes, endBytes } of readTail(path)) {
      const frame = decodeFrame(bytes, verifier);
      if (frame.head.epoch !== replica.epoch || frame.head.seed !== replica.table.seed) {
        throw new GateError('sync.epoch', 'in a tail');
      }
      applyFrame(replica, frame, toSeq);
      end = { startSeq, lastSeq: Math.max(end.lastSeq, frame.entries.at(-1)?.seq ?? 0), bytes: endBytes };
    }
    return { end, problem: null };
  } catch (error) {
    if (!(error instanceof GateError) || error.code === 'sync.digest') throw error;
    return { end, problem: error.code };
  }
}

function applyFrame(replica: Replica, { head, entries }: Frame, toSeq: number): void {
  replica.addKinds(head);
  for (const entry of entries) {
    if (entry.seq <= replica.seq) continue;
    if (entry.seq > toSeq) break;
    if (entry.seq !== replica.seq + 1) throw new GateError('sync.gap', 'in a tail');
    replica.apply(entry);
    replica.publish(entry.seq, null);
  }
  replica.settle(head);
}

/** Tails that nothing leads to: what a damaged one was followed by. */
async function removeUnconnected(folder: string, seq: number): Promise<void> {
  const { tails } = await listFolder(folder);
  for (const startSeq of tails) if (startSeq > seq) await rm(tailPath(folder, startSeq), { force: true });
}

function freshAt(folder: string, { epoch, seq }: Position, snapshotFreshAtMs: number | null): number | null {
  const record = readFresh(folder);
  if (record !== null && record.epoch === epoch && record.seq <= seq) return record.freshAtMs;
  return snapshotFreshAtMs ?? LONG_AGO_MS;
}

function readFresh(folder: string) {
  try {
    return decodeFresh(readFileSync(join(folder, FRESH_NAME)));
  } catch {
    return null; // as if there were none
  }
}
