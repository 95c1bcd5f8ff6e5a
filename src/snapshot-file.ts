/**
 * Snapshots in files: read whole or not at all, written whole or not at all.
 *
 * Reading fills the new table's memory in one pass and checks every block on the way. Writing goes to a temporary name
 * in the same folder, which is renamed only when everything is on disk; a failure leaves the file that was there.
 * @module
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { GateError } from './core/errors.js';
import type { Signer, Verifier } from './core/suppression/signature.js';
import { SnapshotReader, SnapshotWriter } from './core/suppression/snapshot.js';
import {
  dataOffset,
  readSnapshotHeader,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotHeader,
} from './core/suppression/snapshot-header.js';
import type { SuppressionTable } from './core/suppression/table.js';
import { removeLeftovers, temporaryPath } from './temporary-files.js';

/** Blocks read at the same time; the system zeroes memory and copies, which takes longer than checking. */
const READS_IN_FLIGHT = 3;

export interface SnapshotReadOptions {
  /** Larger files are refused before anything is allocated. Default: SNAPSHOT_BYTES_MAX. */
  readonly bytesMax?: number | undefined;
  /** Whose signatures to trust: with it, only signed files are read. */
  readonly verifier?: Verifier | undefined;
}

export interface SnapshotWriteOptions {
  /** Signs the file, which takes a second pass over the table. */
  readonly signer?: Signer | undefined;
}

/**
 * The table in a snapshot file. Throws a GateError: `snapshot.io` if the file cannot be read, `table.memory` if there is
 * no room, `signature.missing`, `.unknown_key` or `.wrong` with a verifier, otherwise what {@link readSnapshotHeader}
 * throws. The event loop waits for one block at a time to be checked, never for more.
 * @example holder.replace(await readSnapshotFile('/var/lib/optgate/last-good.ogs'))
 */
export async function readSnapshotFile(path: string, options: SnapshotReadOptions = {}): Promise<SuppressionTable> {
  return withFile(path, async (file, fileBytes) => {
    const header = await readHeader(file, fileBytes, options);
    const head = await readExactly(file, new Uint8Array(dataOffset(header)), 0);
    const reader = new SnapshotReader(head, fileBytes, options);
    await readBlocks(file, reader, head.length);
    return reader.finish();
  });
}

/** What a snapshot file says of itself, without loading it. Only the header's checksum is verified, no signature. Throws as {@link readSnapshotFile}. */
export async function readSnapshotFileHeader(path: string, options: SnapshotReadOptions = {}): Promise<SnapshotHeader> {
  return withFile(path, (file, fileBytes) => readHeader(file, fileBytes, options));
}

/**
 * Writes a snapshot of the table as it is now, under `path` in one step. The table must not be written to until that is
 * done: if it is, nothing is kept and a GateError `snapshot.table_changed` thrown. Other failures: `snapshot.io`.
 * @param createdAtMs What the header says of when it was made, in milliseconds since the epoch; now unless told.
 * @example await writeSnapshotFile('/var/lib/optgate/last-good.ogs', table)
 */
export async function writeSnapshotFile(
  path: string,
  table: SuppressionTable,
  createdAtMs = Date.now(),
  { signer }: SnapshotWriteOptions = {},
): Promise<void> {
  const writer = new SnapshotWriter(table, createdAtMs, { signer });
  const unfinished = temporaryPath(path);
  await removeLeftovers(path, Date.now());
  try {
    const file = await open(unfinished, 'wx', 0o640);
    try {
      // the hash begins with the head, which holds the checksums of all blocks
      for (let index = 0; index < writer.blockCount && signer !== undefined; index++) {
        writer.checksum(index);
        await setImmediate();
      }
      for (let index = 0; index < writer.blockCount; index++) {
        const written = writeExactly(file, writer.block(index), writer.blockOffset(index));
        if (signer !== undefined) writer.hash(index);
        await written;
      }
      await writeExactly(file, writer.head(), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw asGateError(error);
  }
}

async function withFile<T>(path: string, use: (file: FileHandle, fileBytes: number) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return await use(file, size);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asGateError(error);
  }
}

async function readHeader(
  file: FileHandle,
  fileBytes: number,
  { bytesMax }: SnapshotReadOptions,
): Promise<SnapshotHeader> {
  if (fileBytes < SNAPSHOT_HEADER_BYTES) throw new GateError('snapshot.truncated');
  return readSnapshotHeader(await readExactly(file, new Uint8Array(SNAPSHOT_HEADER_BYTES), 0), fileBytes, bytesMax);
}

/** Fills and verifies every block: while one is checked, the next ones are being read. */
async function readBlocks(file: FileHandle, reader: SnapshotReader, start: number): Promise<void> {
  const { blockBytes, blockCount } = reader.header;
  const reads: Promise<unknown>[] = [];
  // a failure is kept as a value until its turn comes
  const read = (index: number): Promise<unknown> =>
    readExactly(file, reader.block(index), start + index * blockBytes).catch((error: unknown) => error);
  try {
    for (let index = 0; index < blockCount; index++) {
      while (reads.length < READS_IN_FLIGHT && index + reads.length < blockCount)
        reads.push(read(index + reads.length));
      const result = await reads.shift();
      if (!(result instanceof Uint8Array)) throw result;
      reader.verify(index);
      await setImmediate(); // reads that are done would otherwise be checked one after the other without a pause
    }
  } finally {
    await Promise.all(reads); // the file must not be closed under them
  }
}

async function readExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<Uint8Array> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new GateError('snapshot.truncated');
    done += bytesRead;
  }
  return bytes;
}

async function writeExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Makes names that were given in a folder last; where folders cannot be opened (Windows) they last anyway. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function asGateError(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError('snapshot.io', undefined, { cause: error });
}
