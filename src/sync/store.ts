/**
 * The last good state of an enforcer, in a folder of its own: a snapshot, and the frames received since.
 *
 * What is written is there whole or not at all, and the generation before is kept until the next one. The main thread
 * never stops for it: tables are read, replayed, compacted and written by a worker. Nothing here throws once the folder
 * is open: a disk that fails costs the last good state, never the following; {@link LocalStore.error} says why.
 *
 * With a verifier only what carries its signature is kept: a compaction of our own would carry none, so a tail that has
 * grown long is ended by a newer snapshot from the source ({@link LocalStore.needsSnapshot}).
 * @module
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GateError, type GateErrorCode } from '../core/errors.js';
import { encodeFrame, type Frame, workerUrl } from '../core/suppression/index.js';
import { syncFolder } from '../snapshot-file.js';
import { withDeadline } from './deadline.js';
import type { Position } from './source.js';
import {
  encodeFresh,
  FRESH_NAME,
  type FreshRecord,
  INCOMING_NAME,
  listFolder,
  overwriteFile,
  prepareFolder,
  removeUnneeded,
  snapshotPath,
  syncFile,
  tailPath,
} from './store-files.js';
import { FolderLock } from './store-lock.js';
import type { StoreCompactTask, StoreLoadAnswer, StoreLoadTask, StoreTask, StoreWriteTask } from './store-replay.js';
import {
  HEAL_AFTER_MS,
  HEAL_AFTER_MS_MAX,
  LINGER_MS,
  type NewGeneration,
  PROBE_BYTES,
  type SettledState,
  type StoreOptions,
  type StoreStatus,
  WRITE_DEADLINE_MS,
} from './store-terms.js';
import { emptyTail, partsOf, type TailEnd, TailWriter } from './tail.js';
import { runTask } from './worker-task.js';

/** What is in use on disk. */
interface Generation {
  readonly epoch: string;
  readonly snapshotSeq: number;
  readonly previousSeq: number | null;
  readonly beganAtMs: number;
  /** Bytes in tails before the one that is written. */
  readonly closedTailBytes: number;
}

export class LocalStore {
  private generation: Generation | null = null;
  private tail: TailWriter | null = null;
  private failure: GateError | null = null;
  private retryAtMs = 0;
  private healDelayMs = HEAL_AFTER_MS;
  private compacting: Promise<void> | null = null;
  private compactionEnding = new AbortController();
  private freshWrittenAtMs = Number.NEGATIVE_INFINITY;
  /** A first snapshot that is being written when the follower is closed has this much longer than everything else. */
  private readonly stopping = new AbortController();
  private cancelLinger: () => void = () => {};

  private constructor(
    readonly folder: string,
    private readonly options: StoreOptions,
    private readonly lock: FolderLock,
  ) {
    const linger = (): void => {
      this.cancelLinger = options.clock.after(LINGER_MS, () => this.stopping.abort());
    };
    options.signal.addEventListener('abort', linger, { once: true });
  }

  /** Takes the folder. Throws a GateError `sync.store` if it cannot be used, or another process has it. */
  static async open(folder: string, options: StoreOptions): Promise<LocalStore> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o750 });
      const lock = await FolderLock.acquire(folder, options.clock);
      await prepareFolder(folder);
      return new LocalStore(folder, options, lock);
    } catch (cause) {
      throw cause instanceof GateError ? cause : new GateError('sync.store', undefined, { cause });
    }
  }

  /** Where sources put their downloads. */
  get incomingFolder(): string {
    return join(this.folder, INCOMING_NAME);
  }

  /** Why nothing is kept at the moment; `null` if nothing is wrong. */
  get error(): GateError | null {
    return this.failure ?? this.tail?.error ?? null;
  }

  get status(): StoreStatus {
    const { generation, tail } = this;
    const tailBytes = (generation?.closedTailBytes ?? 0) + (tail?.bytes ?? 0);
    return { snapshotSeq: generation?.snapshotSeq ?? null, tailSeq: tail?.seq ?? null, tailBytes };
  }

  /** The newest generation that can be used. Throws a GateError if the worker fails, `sync.closed` at the end. */
  async load(pinSeq: number | null): Promise<StoreLoadAnswer> {
    const { snapshotBytesMax: bytesMax, versionKeysMax } = this.options.limits;
    const task: StoreLoadTask = { kind: 'load', folder: this.folder, bytesMax, versionKeysMax, pinSeq };
    const answer = await this.run<StoreLoadAnswer>(task);
    const { loaded } = answer;
    if (loaded === null) return answer;
    const { position, snapshotSeq, tail, tailBytes } = loaded;
    await this.attempt(async () => {
      const { snapshots } = await listFolder(this.folder);
      this.generation = {
        ...{ epoch: position.epoch, snapshotSeq, beganAtMs: this.options.clock.monotonicMs() },
        previousSeq: snapshots.findLast((seq) => seq < snapshotSeq) ?? null,
        closedTailBytes: tailBytes - (tail?.bytes ?? 0),
      };
      this.tail = this.writerAt(tail ?? emptyTail(position.seq));
    });
    return answer;
  }

  /** Puts a new generation in the place of the one in use. */
  async begin(next: NewGeneration): Promise<void> {
    const { position } = next;
    this.compactionEnding.abort(); // it would be of what is replaced
    await this.compacting;
    await this.tail?.close();
    this.tail = null;
    this.failure = null;
    if (this.options.verifier !== undefined && next.path === null) return; // it would not be believed when it is read
    const isKept = await this.attempt(async () => {
      const { tails } = await listFolder(this.folder);
      for (const seq of tails) if (seq >= position.seq) await rm(tailPath(this.folder, seq), { force: true });
      await this.putSnapshot(next);
      await this.writeFresh({ ...position, freshAtMs: next.freshAtMs });
      this.tail = this.writerAt(emptyTail(position.seq));
      await this.startGeneration(position, this.previousOf(next));
    });
    if (isKept) this.healDelayMs = HEAL_AFTER_MS;
    else this.tail = null;
  }

  /** Keeps a newer snapshot of the history that is being followed; the tail goes on. */
  async adopt(position: Position, path: string): Promise<void> {
    const { generation, tail } = this;
    const isNewer = generation?.epoch === position.epoch && position.seq > generation.snapshotSeq;
    if (!isNewer || tail === null || position.seq > tail.seq) {
      await rm(path, { force: true }).catch(() => {});
      return;
    }
    await this.attempt(async () => {
      await this.moveIn(path, position.seq);
      await this.nextTail(tail);
      await this.startGeneration(position, generation.snapshotSeq);
    });
  }

  /** Keeps a frame of which something is about to be applied. */
  append(frame: Frame, bytes: Uint8Array | null): void {
    const { tail } = this;
    const lastSeq = frame.entries.at(-1)?.seq ?? 0;
    if (tail === null || tail.error !== null || lastSeq <= tail.seq) return;
    const firstSeq = frame.entries[0]?.seq ?? 0;
    if (firstSeq > tail.seq + 1) {
      this.drop(new GateError('sync.store', `seq ${firstSeq} after ${tail.seq}`));
    } else if (bytes !== null) {
      tail.append(bytes, lastSeq);
    } else if (this.options.verifier === undefined) {
      this.appendEncoded(tail, frame);
    }
  }

  private appendEncoded(tail: TailWriter, frame: Frame): void {
    try {
      for (const part of partsOf(frame)) tail.append(encodeFrame(part), part.entries.at(-1)?.seq ?? 0);
    } catch (cause) {
      this.drop(new GateError('sync.store', 'a frame that cannot be kept', { cause }));
    }
  }

  /** Once a second or so: writes down what is due. `settled` is what the ledger said of a settled seq, if it did. */
  async tick(fresh: FreshRecord, settled: SettledState | null): Promise<void> {
    const { tail } = this;
    if (tail === null) return;
    if (tail.error !== null) {
      this.drop(tail.error);
      return;
    }
    if (this.options.clock.monotonicMs() - this.freshWrittenAtMs >= this.options.limits.freshEveryMs) {
      await this.attempt(() => this.writeFresh(fresh));
    }
    if (settled !== null && this.isTailLong() && this.options.verifier === undefined) this.compact(settled);
  }

  /** A tail of signed frames has grown long: a newer snapshot from the source would end it. */
  get needsSnapshot(): boolean {
    return this.options.verifier !== undefined && this.isTailLong();
  }

  /** True, now and then, while nothing is kept because the disk failed, and now it can be written to. */
  async needsGeneration(): Promise<boolean> {
    const nowMs = this.options.clock.monotonicMs();
    if (this.tail !== null || this.failure === null || nowMs < this.retryAtMs) return false;
    this.delayRetry();
    const probe = join(this.incomingFolder, 'probe');
    try {
      await writeFile(probe, new Uint8Array(PROBE_BYTES), { flush: true });
      return true;
    } catch {
      return false;
    } finally {
      await rm(probe, { force: true }).catch(() => {});
    }
  }

  /** Everything received is with the system; the folder is free. Never throws. */
  async close(fresh: FreshRecord | null): Promise<void> {
    await this.compacting;
    if (fresh !== null && this.tail?.error === null) await this.attempt(() => this.writeFresh(fresh));
    await this.tail?.close();
    this.cancelLinger();
    await this.lock.release();
  }

  private isTailLong(): boolean {
    const { generation } = this;
    const { tailBytesMax, tailAgeMsMax } = this.options.limits;
    const { tailBytes } = this.status;
    if (generation === null || tailBytes === 0) return false;
    return tailBytes > tailBytesMax || this.options.clock.monotonicMs() - generation.beganAtMs > tailAgeMsMax;
  }

  /** Begins to make a new snapshot of the last one and its tails, at a settled seq: from there no versions are needed. */
  private compact({ seq, stateDigest }: SettledState): void {
    const { generation, tail } = this;
    if (this.compacting !== null || this.options.clock.monotonicMs() < this.retryAtMs) return;
    if (generation === null || tail === null || seq <= generation.snapshotSeq || seq > tail.seq) return;
    const { snapshotBytesMax: bytesMax, versionKeysMax } = this.options.limits;
    const sizes = { folder: this.folder, bytesMax, versionKeysMax };
    const task: StoreCompactTask = {
      kind: 'compact',
      ...sizes,
      fromSeq: generation.snapshotSeq,
      toSeq: seq,
      stateDigest,
    };
    this.compactionEnding = new AbortController();
    this.compacting = this.runCompaction(task, generation, tail).finally(() => {
      this.compacting = null;
    });
  }

  private async runCompaction(task: StoreCompactTask, generation: Generation, tail: TailWriter): Promise<void> {
    try {
      await tail.sync();
      if (tail.error !== null) throw tail.error;
      await this.run(task, AbortSignal.any([this.options.signal, this.compactionEnding.signal]));
      await this.nextTail(tail); // not before: who is killed again and again on the way would leave a file each time
      await this.startGeneration({ epoch: generation.epoch, seq: task.toSeq }, generation.snapshotSeq);
      this.failure = null;
    } catch (cause) {
      if (isCode(cause, ['sync.closed'])) return;
      const error = new GateError('sync.store', 'compaction', { cause });
      // no room is no damage: the tail goes on, and it is tried again
      if (isCode(cause, ['snapshot.io', 'table.memory'])) this.fail(error);
      else this.drop(error);
    }
  }

  /** Ends the tail that is written and begins another one, in one step; throws if the first is not whole on disk. */
  private async nextTail(tail: TailWriter): Promise<void> {
    if (tail.bytes === 0) return;
    if (this.generation !== null) {
      this.generation = { ...this.generation, closedTailBytes: this.generation.closedTailBytes + tail.bytes };
    }
    this.tail = this.writerAt(emptyTail(tail.seq));
    await tail.close();
    if (tail.error !== null) throw tail.error;
  }

  /** A snapshot is in place: removes what neither it nor the one before needs. */
  private async startGeneration({ epoch, seq }: Position, previousSeq: number | null): Promise<void> {
    const beganAtMs = this.options.clock.monotonicMs();
    this.generation = { epoch, snapshotSeq: seq, previousSeq, beganAtMs, closedTailBytes: 0 };
    const kept = previousSeq === null ? [seq] : [previousSeq, seq];
    await removeUnneeded(this.folder, kept, this.tail?.startSeq ?? seq);
  }

  /** The generation to keep beside a new one: an earlier one of the same history, if nothing is wrong with it. */
  private previousOf({ position, keepsPrevious }: NewGeneration): number | null {
    const { generation } = this;
    const isSound = keepsPrevious && generation?.epoch === position.epoch && generation.snapshotSeq < position.seq;
    return isSound ? generation.snapshotSeq : null;
  }

  private async putSnapshot({ path, share, position }: NewGeneration): Promise<void> {
    if (path !== null) return this.moveIn(path, position.seq);
    const task: StoreWriteTask = { kind: 'write', share, path: snapshotPath(this.folder, position.seq) };
    const { clock } = this.options;
    const { signal } = this.stopping;
    await withDeadline({ clock, signal, deadlineMs: WRITE_DEADLINE_MS }, (ending) => this.run(task, ending));
  }

  private async moveIn(path: string, seq: number): Promise<void> {
    await syncFile(path);
    await rename(path, snapshotPath(this.folder, seq));
    await syncFolder(this.folder);
  }

  private async writeFresh(fresh: FreshRecord): Promise<void> {
    this.freshWrittenAtMs = this.options.clock.monotonicMs();
    await this.tail?.sync();
    await overwriteFile(join(this.folder, FRESH_NAME), encodeFresh(fresh));
  }

  private writerAt(end: TailEnd): TailWriter {
    return new TailWriter(tailPath(this.folder, end.startSeq), end);
  }

  private run<Result>(task: StoreTask, signal: AbortSignal = this.options.signal): Promise<Result> {
    const url = workerUrl('./store-worker.js', import.meta.url);
    return runTask<Result>(url, task, { signal, verifier: this.options.verifier, failureCode: 'sync.store' });
  }

  /** False if it failed; then {@link error} says how. */
  private async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (cause) {
      if (!isCode(cause, ['sync.closed'])) this.fail(new GateError('sync.store', undefined, { cause }));
      return false;
    }
  }

  /** Nothing more is kept of what is on disk, as something in between would be missing. */
  private drop(error: GateError): void {
    void this.tail?.close();
    this.tail = null;
    this.fail(error);
  }

  private fail(error: GateError): void {
    this.failure = error;
    this.delayRetry();
    this.options.onError(error);
  }

  private delayRetry(): void {
    this.retryAtMs = this.options.clock.monotonicMs() + this.healDelayMs;
    this.healDelayMs = Math.min(HEAL_AFTER_MS_MAX, 2 * this.healDelayMs);
  }
}

function isCode(error: unknown, codes: readonly GateErrorCode[]): boolean {
  return error instanceof GateError && codes.includes(error.code);
}
