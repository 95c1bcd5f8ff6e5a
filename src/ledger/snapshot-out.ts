/**
 * A table as a snapshot on its way out: into a file, or into a stream.
 * @module
 */
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { GateError } from '../core/errors.js';
import { type Signer, SnapshotWriter, SuppressionTable } from '../core/suppression/index.js';
import { writeSnapshotFile } from '../snapshot-file.js';
import type { LoadedTable, Position } from '../sync/source.js';

export interface SnapshotOutOptions {
  /** Signs the snapshot. */
  readonly signer?: Signer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was written. */
export interface WrittenSnapshot {
  readonly position: Position;
  readonly entryCount: number;
  readonly stateDigest: string;
}

/** Writes a table to a file, as a whole or not at all, or to a stream, which is ended. Throws a GateError `snapshot.io`. */
export async function writeSnapshot(
  target: string | Writable,
  { share, position }: LoadedTable,
  createdAtMs: number,
  { signer, signal }: SnapshotOutOptions,
): Promise<WrittenSnapshot> {
  const table = SuppressionTable.attach(share);
  if (typeof target === 'string') await writeSnapshotFile(target, table, createdAtMs, { signer });
  else await streamSnapshot(target, table, createdAtMs, signer, signal);
  return { position, entryCount: table.entryCount, stateDigest: table.stateDigest };
}

async function streamSnapshot(
  stream: Writable,
  table: SuppressionTable,
  createdAtMs: number,
  signer: Signer | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const writer = new SnapshotWriter(table, createdAtMs, { signer });
  // the head comes first, and holds the checksums of all blocks and the signature over them
  for (let index = 0; index < writer.blockCount; index++) {
    if (signer === undefined) writer.block(index);
    else writer.checksum(index);
    await breathe(signal);
  }
  for (let index = 0; index < writer.blockCount && signer !== undefined; index++) {
    writer.hash(index);
    await breathe(signal);
  }
  const ended = finished(stream);
  ended.catch(() => {});
  try {
    await write(stream, writer.head(), ended);
    for (let index = 0; index < writer.blockCount; index++) {
      await write(stream, Buffer.from(writer.block(index)), ended); // copied: streams take no shared memory
      signal?.throwIfAborted();
    }
    stream.end();
    await ended;
  } catch (cause) {
    stream.destroy();
    throw cause instanceof GateError ? cause : new GateError('snapshot.io', undefined, { cause });
  }
}

/** Resolves when the stream wants more; rejects if it has ended. */
async function write(stream: Writable, bytes: Uint8Array, ended: Promise<void>): Promise<void> {
  if (stream.write(bytes)) return;
  await Promise.race([
    new Promise((drained) => stream.once('drain', drained)),
    ended.then(() => {
      throw new Error('the stream has ended');
    }),
  ]);
}

async function breathe(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise((next) => setImmediate(next));
}
