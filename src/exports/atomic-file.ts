/**
 * Files that appear whole or not at all: written under a temporary name beside the final one, brought to disk, renamed.
 *
 * Whatever stops the process in between leaves no file under the final name, or the one that was there before; and what a
 * killed one left behind is removed by the next one, when it is old enough to be nobody's.
 * @module
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../snapshot-file.js';
import { temporaryPath } from '../temporary-files.js';

/** Age from which a file of an export is a leftover: what a pass has written lies there until the next one is through. */
export const EXPORT_LEFTOVER_AGE_MS = 86_400_000;
/** Only this user and group may read what is written: it names people. */
const FILE_MODE = 0o640;

export class AtomicFile {
  #bytes = 0;
  #isOpen = true;

  private constructor(
    /** Where it is until {@link publish}. */
    readonly temporaryPath: string,
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /** @param token Tells this file from others that are written to the same place: 1 to 64 of `A-Za-z0-9_-`. */
  static async create(path: string, token: string): Promise<AtomicFile> {
    const unfinished = temporaryPath(path, token);
    return new AtomicFile(unfinished, path, await open(unfinished, 'wx', FILE_MODE));
  }

  get byteCount(): number {
    return this.#bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done);
      done += bytesWritten;
    }
    this.#bytes += bytes.length;
  }

  /** Brings it to disk. Nothing can be written afterwards. */
  async seal(): Promise<void> {
    await this.file.sync();
    await this.#close();
  }

  /** Gives it its name, and makes that last. Only after {@link seal}. */
  async publish(): Promise<void> {
    await rename(this.temporaryPath, this.path);
    await syncFolder(dirname(this.path));
  }

  /** Removes it, if it has not been published. Never throws. */
  async discard(): Promise<void> {
    await this.#close().catch(() => {});
    await rm(this.temporaryPath, { force: true }).catch(() => {});
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.file.close();
  }
}
