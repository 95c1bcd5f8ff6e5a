/**
 * The snapshot files a relay keeps for those who download them: one at a time, each under a name of its own, hashed once.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { type Signer, SuppressionTable } from '../core/suppression/index.js';
import { writeSnapshotFile } from '../snapshot-file.js';
import type { RelaySnapshot } from './relay-feed.js';
import type { LoadedTable } from './source.js';

const NAME = /^(?:relay-\d+-[0-9a-f]{12}\.ogs|incoming-.{6})$/;
const HASH_READ_BYTES = 2 ** 20;

export interface SnapshotFolderOptions {
  /** A folder of the relay's own: what looks like a snapshot of an earlier relay is removed. */
  readonly folder: string;
  readonly signer?: Signer | undefined;
}

/** The folder with the current file. */
export class SnapshotFolder {
  private currentSnapshot: RelaySnapshot | null = null;

  constructor(private readonly options: SnapshotFolderOptions) {}

  get current(): RelaySnapshot | null {
    return this.currentSnapshot;
  }

  /** Makes the folder, and removes what an earlier relay left in it. Throws a GateError `snapshot.io`. */
  async open(): Promise<void> {
    const { folder } = this.options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o750 });
      for (const name of await readdir(folder))
        if (NAME.test(name)) await rm(join(folder, name), { recursive: true, force: true });
    } catch (cause) {
      throw new GateError('snapshot.io', undefined, { cause });
    }
  }

  /** Writes a table into a file of its own. Throws a GateError. */
  async write({ share, position }: LoadedTable, createdAtMs: number): Promise<RelaySnapshot> {
    const { signer } = this.options;
    const path = this.newPath(position.seq);
    const table = SuppressionTable.attach(share);
    try {
      await writeSnapshotFile(path, table, createdAtMs, signer === undefined ? {} : { signer });
      return { path, position, entryCount: table.entryCount, sha256: await hashFile(path) };
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw error instanceof GateError ? error : new GateError('snapshot.io', undefined, { cause: error });
    }
  }

  /** Takes a file that was downloaded, as it is. Throws a GateError. */
  async adopt({ share, position }: LoadedTable, downloadPath: string): Promise<RelaySnapshot> {
    const path = this.newPath(position.seq);
    try {
      await rename(downloadPath, path);
      const { entryCount } = SuppressionTable.attach(share);
      return { path, position, entryCount, sha256: await hashFile(path) };
    } catch (cause) {
      throw new GateError('snapshot.io', undefined, { cause });
    }
  }

  /** Makes a snapshot the current one and removes the file of the one before; whoever has it open reads it to its end. */
  async use(snapshot: RelaySnapshot): Promise<void> {
    const before = this.currentSnapshot;
    this.currentSnapshot = snapshot;
    if (before !== null) await rm(before.path, { force: true }).catch(() => {}); // `open` removes it the next time
  }

  private newPath(seq: number): string {
    return join(this.options.folder, `relay-${seq}-${randomBytes(6).toString('hex')}.ogs`);
  }

  /** Removes the current file. Never throws. */
  async close(): Promise<void> {
    const { currentSnapshot } = this;
    this.currentSnapshot = null;
    if (currentSnapshot !== null) await rm(currentSnapshot.path, { force: true }).catch(() => {});
  }
}

/** SHA-256 of a file. Throws what reading throws. */
export async function hashFile(path: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path, { highWaterMark: HASH_READ_BYTES })) hash.update(bytes as Buffer);
  return new Uint8Array(hash.digest());
}
