/**
 * A snapshot file as a source: loaded, watched, loaded again when it is another one.
 *
 * Files are replaced by renames, symlinks by other symlinks, and both may be gone for a while; a watch on any one inode
 * would miss that. So the folder is watched for speed, and the file is looked at every second for certainty. A file
 * that is gone or damaged costs freshness and nothing else.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants, type FSWatcher, watch } from 'node:fs';
import { copyFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GateError } from '../core/errors.js';
import { createVerifier, type Head, type SnapshotHeader, type Verifier } from '../core/suppression/index.js';
import { readSnapshotFileHeader } from '../snapshot-file.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { ageOfWallMs } from './freshness.js';
import { loadSnapshot } from './snapshot-load.js';
import type { ChangesAnswer, LoadedTable, Position, SnapshotRequest, Source } from './source.js';

/** How often the file is looked at, whatever the watch says. */
export const FILE_POLL_MS = 1000;
/** How long after a sign of change the file is looked at: writers that do not rename need a moment. */
const SETTLE_MS = 20;

export interface FileSourceOptions {
  readonly path: string;
  /** Public keys (PEM, Ed25519): with them, only files signed by one of them are loaded. */
  readonly trustedKeys?: readonly string[];
  /** Larger files are refused. Default: SNAPSHOT_BYTES_MAX. */
  readonly bytesMax?: number;
  readonly pollMs?: number;
  readonly clock?: Clock;
}

/** Throws a GateError `signature.key` for a key that is none. The file need not be there yet. */
export function createFileSource(options: FileSourceOptions): Source {
  const { trustedKeys } = options;
  return new FileSource(options, trustedKeys === undefined ? undefined : createVerifier(trustedKeys));
}

class FileSource implements Source {
  readonly name = 'file';
  private readonly clock: Clock;
  private readonly pollMs: number;
  /** What the file was when it was last loaded. */
  private loaded: { readonly identity: string; readonly header: SnapshotHeader } | null = null;
  private watcher: FSWatcher | null = null;
  private readonly closing = new AbortController();
  private readonly waiters = new Set<() => void>();

  constructor(
    private readonly options: FileSourceOptions,
    private readonly verifier: Verifier | undefined,
  ) {
    this.clock = options.clock ?? systemClock;
    this.pollMs = options.pollMs ?? FILE_POLL_MS;
  }

  /** Loads a copy, so that nobody can change the bytes between their verification and their use as last good. */
  async snapshot({ folder, validate, signal }: SnapshotRequest): Promise<LoadedTable> {
    const { path, bytesMax } = this.options;
    const identity = await this.identity();
    const limits = bytesMax === undefined ? {} : { bytesMax };
    const offered = await readSnapshotFileHeader(path, limits);
    validate({ position: positionOf(offered), entryCount: offered.entryCount });
    const copy = join(folder, `${randomBytes(8).toString('hex')}.ogs`);
    try {
      await copyOf(path, copy);
      if ((await this.identity()) !== identity) throw new GateError('sync.unavailable', 'the file is being written');
      const { share, position, freshAtMs } = await loadSnapshot(copy, {
        ...{ validate, signal, verifier: this.verifier },
        ...limits,
      });
      this.loaded = { identity, header: await readSnapshotFileHeader(copy, limits) };
      const lagMs = ageOfWallMs(freshAtMs, this.clock.wallMs());
      return { share, position, lagMs, path: copy };
    } catch (error) {
      await rm(copy, { force: true }).catch(() => {});
      throw error;
    }
  }

  async changes(
    after: Position,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ChangesAnswer> {
    const untilMs = this.clock.monotonicMs() + waitMs;
    this.watchFolder();
    for (;;) {
      const asOfMs = this.clock.monotonicMs();
      const why = await this.newsSince(after);
      if (why !== null) return { kind: 'snapshot', why };
      const { header } = this.known();
      const leftMs = untilMs - this.clock.monotonicMs();
      if (leftMs <= 0) return { kind: 'frame', frame: { head: headOf(header), entries: [] }, bytes: null, asOfMs };
      await this.wait(Math.min(leftMs, this.pollMs), signal);
      if (signal.aborted || this.closing.signal.aborted) throw new GateError('sync.closed');
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.watcher?.close();
    for (const waiter of this.waiters) waiter();
  }

  /** Why the file has to be loaded (again); `null` if it is what it was. */
  private async newsSince(after: Position): Promise<'sync.epoch' | 'sync.regressed' | 'sync.trimmed' | null> {
    const identity = await this.identity();
    if (this.loaded?.identity !== identity) {
      const { bytesMax } = this.options;
      const header = await readSnapshotFileHeader(this.options.path, bytesMax === undefined ? {} : { bytesMax });
      if (this.loaded === null && isAt(header, after)) this.loaded = { identity, header };
      if (this.loaded === null || !isSame(header, this.loaded.header)) return newsOf(header, after);
      this.loaded = { identity, header };
    }
    const { header } = this.known();
    return isAt(header, after) ? null : newsOf(header, after);
  }

  private known(): { readonly identity: string; readonly header: SnapshotHeader } {
    if (this.loaded === null) throw new GateError('sync.unavailable', 'the file has not been read');
    return this.loaded;
  }

  /** Of the file that the path leads to now. Throws a GateError `sync.unavailable` if there is none. */
  private async identity(): Promise<string> {
    try {
      const { dev, ino, size, mtimeNs } = await stat(this.options.path, { bigint: true });
      return [dev, ino, size, mtimeNs].join();
    } catch (cause) {
      throw new GateError('sync.unavailable', 'the file is not there', { cause });
    }
  }

  /** The folder outlives the file. If it cannot be watched, looking at the file every now and then has to do. */
  private watchFolder(): void {
    if (this.watcher !== null || this.closing.signal.aborted) return;
    const { path } = this.options;
    try {
      const watcher = watch(dirname(path), { persistent: false }, (_kind, name) => {
        // a symlink farther up, as volumes of containers have it, shows under another name
        if (name === null || name === basename(path) || name.startsWith('..')) this.stir();
      });
      watcher.on('error', () => this.unwatch(watcher));
      this.watcher = watcher;
    } catch {
      this.watcher = null;
    }
  }

  private unwatch(watcher: FSWatcher): void {
    watcher.close();
    this.watcher = null;
  }

  private stir(): void {
    this.clock.after(SETTLE_MS, () => {
      for (const waiter of this.waiters) waiter();
    });
  }

  private async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    const wake = (): void => waking.abort();
    this.waiters.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await sleep(this.clock, waitMs, waking.signal);
    signal.removeEventListener('abort', wake);
    this.waiters.delete(wake);
  }
}

async function copyOf(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (cause) {
    throw new GateError('snapshot.io', undefined, { cause });
  }
}

/** A file has no beat, so its head never counts as new: it was as fresh as it will ever be when it was loaded. */
function headOf(header: SnapshotHeader): Head {
  const { epoch, seed, seq, stateDigest, entryCount, kindMask, givenKindMask } = header;
  return {
    ...{ epoch, seed, seq, settledSeq: seq, stateDigest, entryCount, kindMask, givenKindMask },
    ...{ beat: -1, lagMs: 0 },
  };
}

function newsOf(header: SnapshotHeader, { epoch, seq }: Position): 'sync.epoch' | 'sync.regressed' | 'sync.trimmed' {
  if (header.epoch !== epoch) return 'sync.epoch';
  return header.seq < seq ? 'sync.regressed' : 'sync.trimmed';
}

function positionOf({ epoch, seq }: SnapshotHeader): Position {
  return { epoch, seq };
}

function isAt(header: SnapshotHeader, { epoch, seq }: Position): boolean {
  return header.epoch === epoch && header.seq === seq;
}

/** Whether two files hold the same set, as far as their headers say. */
function isSame(a: SnapshotHeader, b: SnapshotHeader): boolean {
  const isAlike = a.epoch === b.epoch && a.seq === b.seq && a.stateDigest === b.stateDigest;
  return isAlike && a.entryCount === b.entryCount && a.seed === b.seed && a.freshAtMs === b.freshAtMs;
}
