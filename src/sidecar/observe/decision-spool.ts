/**
 * The decision log on disk: NDJSON in segments of bounded size and age, of which only so many bytes are kept.
 *
 * A segment grows under a temporary name and gets its own when it is whole and on disk (fsync, rename, fsync of the
 * folder), so a file with a final name is never partial. What a killed process left behind is cut after its last whole
 * line at the next start. One process per folder.
 * @module
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../snapshot-file.js';
import { FolderLock } from '../../sync/store-lock.js';

export const SEGMENT_BYTES_MAX = 16 * 1024 * 1024;
export const SEGMENT_AGE_MS_MAX = 60_000;
export const SPOOL_BYTES_MAX = 1024 * 1024 * 1024;

const NEWLINE = 0x0a;
const PART_NAME = '.decisions.part';
/** Serial, start (UTC), number of records. */
const SEGMENT = /^decisions-(\d{10})-\d{8}T\d{6}Z-(\d+)\.ndjson$/;

export interface DecisionSpoolOptions {
  readonly folder: string;
  readonly segmentBytesMax?: number | undefined;
  readonly segmentAgeMsMax?: number | undefined;
  /** Of all segments together; the oldest make room. */
  readonly totalBytesMax?: number | undefined;
  readonly now?: (() => number) | undefined;
  /** Hears of every failure of the disk. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

export interface SpoolState {
  readonly segmentCount: number;
  /** Of all segments, the one that grows included. */
  readonly bytes: number;
  /** Records in segments that were removed to make room. */
  readonly removedCount: number;
  readonly failureCount: number;
}

interface Segment {
  readonly name: string;
  readonly bytes: number;
  readonly recordCount: number;
}

interface Growing {
  readonly file: FileHandle;
  readonly startedAtMs: number;
  bytes: number;
  recordCount: number;
}

export class DecisionSpool {
  readonly #folder: string;
  readonly #segmentBytesMax: number;
  readonly #segmentAgeMsMax: number;
  readonly #totalBytesMax: number;
  readonly #now: () => number;
  readonly #onFailure: (error: Error) => void;
  #segments: Segment[] = [];
  #serial = 0;
  #growing: Growing | null = null;
  /** A part without a final name that is not being written to. */
  #interrupted: Growing | null = null;
  #removedCount = 0;
  #failureCount = 0;

  private constructor(
    options: DecisionSpoolOptions,
    private readonly lock: FolderLock,
  ) {
    const { segmentBytesMax = SEGMENT_BYTES_MAX, segmentAgeMsMax = SEGMENT_AGE_MS_MAX, now = Date.now } = options;
    this.#folder = options.folder;
    this.#segmentBytesMax = segmentBytesMax;
    this.#segmentAgeMsMax = segmentAgeMsMax;
    this.#totalBytesMax = options.totalBytesMax ?? SPOOL_BYTES_MAX;
    this.#now = now;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  /**
   * Takes the folder, made if need be, and saves what a killed process left. Throws what the disk says; a GateError
   * `sync.store` if another process has the folder.
   */
  static async open(options: DecisionSpoolOptions): Promise<DecisionSpool> {
    await mkdir(options.folder, { recursive: true, mode: 0o750 });
    const lock = await FolderLock.acquire(options.folder);
    const spool = new DecisionSpool(options, lock);
    try {
      await spool.#readFolder();
      await spool.#saveLeftover();
      await spool.#makeRoom();
    } catch (error) {
      await lock.release();
      throw error;
    }
    return spool;
  }

  get state(): SpoolState {
    const bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, this.#growing?.bytes ?? 0);
    return {
      segmentCount: this.#segments.length + (this.#growing === null ? 0 : 1),
      bytes,
      removedCount: this.#removedCount,
      failureCount: this.#failureCount,
    };
  }

  /** Appends whole lines. False if the disk failed: then none of them counts as written, and the same may be tried again. */
  async write(lines: string, recordCount: number): Promise<boolean> {
    try {
      this.#growing ??= await this.#begin();
      const growing = this.#growing;
      const bytes = Buffer.from(lines);
      await writeExactly(growing.file, bytes, growing.bytes);
      growing.bytes += bytes.length;
      growing.recordCount += recordCount;
    } catch (error) {
      await this.#failed(error);
      return false;
    }
    if (this.#growing.bytes >= this.#segmentBytesMax) await this.#rotateOrFail();
    return true;
  }

  /** Ends the segment if it is old enough. */
  async rotateIfOld(): Promise<void> {
    const { startedAtMs } = this.#growing ?? {};
    if (startedAtMs === undefined || this.#now() - startedAtMs < this.#segmentAgeMsMax) return;
    await this.#rotateOrFail();
  }

  /** Ends the segment and lets go of the folder. Throws what the disk says; the next start saves what is left. */
  async close(): Promise<void> {
    try {
      await this.#rotate();
    } finally {
      await this.lock.release();
    }
  }

  async #begin(): Promise<Growing> {
    await this.#saveInterrupted();
    const file = await open(join(this.#folder, PART_NAME), 'wx', 0o640);
    return { file, startedAtMs: this.#now(), bytes: 0, recordCount: 0 };
  }

  async #rotateOrFail(): Promise<void> {
    await this.#rotate().catch((error) => this.#failed(error));
  }

  async #rotate(): Promise<void> {
    const growing = this.#growing;
    if (growing === null) return this.#saveInterrupted();
    await growing.file.sync();
    await growing.file.close();
    this.#growing = null;
    this.#interrupted = growing; // until it has its name
    await this.#name(growing);
  }

  /** Gives the part its final name, and makes room. */
  async #name({ startedAtMs, bytes, recordCount }: Omit<Growing, 'file'>): Promise<void> {
    const part = join(this.#folder, PART_NAME);
    if (recordCount === 0) {
      await rm(part, { force: true });
    } else {
      const name = segmentName(this.#serial + 1, startedAtMs, recordCount);
      await rename(part, join(this.#folder, name));
      this.#serial++;
      this.#segments.push({ name, bytes, recordCount });
      await syncFolder(this.#folder);
    }
    this.#interrupted = null;
    await this.#makeRoom();
  }

  /** The disk failed: what is known to be whole is given its name when the disk works again. */
  async #failed(error: unknown): Promise<void> {
    this.#failureCount++;
    this.#onFailure(error as Error);
    if (this.#growing === null) return;
    this.#interrupted = this.#growing;
    this.#growing = null;
    await this.#interrupted.file.close().catch(() => {});
  }

  /** Ends a segment that a failure interrupted, with what is known to be whole in it. */
  async #saveInterrupted(): Promise<void> {
    const interrupted = this.#interrupted;
    if (interrupted === null) return;
    await cutTo(join(this.#folder, PART_NAME), interrupted.bytes);
    await this.#name(interrupted);
  }

  /** Ends the segment of a process that was killed, with its whole lines. */
  async #saveLeftover(): Promise<void> {
    const part = join(this.#folder, PART_NAME);
    const found = await readFile(part).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found === null) return;
    const bytes = found.lastIndexOf(NEWLINE) + 1;
    let recordCount = 0;
    for (let at = found.indexOf(NEWLINE); at !== -1; at = found.indexOf(NEWLINE, at + 1)) recordCount++;
    const { mtimeMs } = await stat(part);
    if (recordCount > 0) await cutTo(part, bytes);
    await this.#name({ startedAtMs: mtimeMs, bytes, recordCount });
  }

  async #readFolder(): Promise<void> {
    for (const name of (await readdir(this.#folder)).sort()) {
      const match = SEGMENT.exec(name);
      if (match === null) continue;
      const { size } = await stat(join(this.#folder, name));
      this.#serial = Math.max(this.#serial, Number(match[1]));
      this.#segments.push({ name, bytes: size, recordCount: Number(match[2]) });
    }
  }

  /** Removes the oldest segments until the rest is within the limit. The newest always stays. */
  async #makeRoom(): Promise<void> {
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    while (bytes > this.#totalBytesMax && this.#segments.length > 1) {
      const oldest = this.#segments[0]!;
      await rm(join(this.#folder, oldest.name), { force: true });
      this.#segments = this.#segments.slice(1);
      this.#removedCount += oldest.recordCount;
      bytes -= oldest.bytes;
    }
  }
}

function segmentName(serial: number, startedAtMs: number, recordCount: number): string {
  const started = `${new Date(startedAtMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  return `decisions-${String(serial).padStart(10, '0')}-${started}-${recordCount}.ndjson`;
}

async function writeExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function cutTo(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
