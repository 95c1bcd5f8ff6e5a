/**
 * Files that appear whole or not at all: written under a temporary name beside the final one, brought to disk, renamed.
 *
 * Whatever stops the process in between leaves no file under the final name, or the one that was there before; and what a
 * killed one left behind is removed by the next one, when it is old enough to be nobody's.
 * @module
 */
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../snapshot-file.js';

/** Age from which a temporary file that nobody writes to is taken to be left behind. */
export const LEFTOVER_AGE_MS = 86_400_000;
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
    const temporaryPath = join(dirname(path), `.${basename(path)}.${token}.tmp`);
    return new AtomicFile(temporaryPath, path, await open(temporaryPath, 'wx', FILE_MODE));
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

/** Removes the temporary files of killed processes that were to become `path`. Never throws. */
export async function removeLeftovers(path: string, nowMs: number): Promise<void> {
  const start = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch((): string[] => [])) {
    if (!name.startsWith(start) || !/^[A-Za-z0-9_-]{1,64}\.tmp(\.\d+)?$/.test(name.slice(start.length))) continue;
    const leftover = join(dirname(path), name);
    const { mtimeMs } = await stat(leftover).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (nowMs - mtimeMs > LEFTOVER_AGE_MS) await rm(leftover, { force: true }).catch(() => {});
  }
}
