/**
 * The decision log: the last decisions of all threads, and, if a folder is given, all of them in files.
 *
 * Bounded in entries and bytes. What does not fit any more makes room oldest first; a record that leaves before the
 * folder has it is counted, never waited for. No record holds an identifier or the id of a request: see DecisionRecord.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { batchBytes, batchLines, type DecisionBatch, type DecisionRecord, recordAt } from './decision-batch.js';
import { BATCH_RECORDS_MAX } from './decision-buffer.js';
import type { DecisionSpool, SpoolState } from './decision-spool.js';

export const LOG_ENTRIES_MAX = 50_000;
export const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** What `bytesMax` may be at the least: room for a few batches, of which the newest always stays. */
export const LOG_BYTES_MIN = 1024 * 1024;
/** Pause after a write that failed. */
export const SPOOL_RETRY_MS = 1000;
/** How often the age of the segment is looked at. */
const ROTATE_CHECK_MS = 1000;

export interface DecisionLogOptions {
  /** Records kept at most; at least BATCH_RECORDS_MAX. */
  readonly entriesMax?: number | undefined;
  readonly bytesMax?: number | undefined;
  /** Where all of them are written; the log closes it. `null`: only the last ones are kept, in memory. */
  readonly spool?: DecisionSpool | null | undefined;
  readonly retryMs?: number | undefined;
}

export interface DecisionLogState {
  /** Records appended since the start. */
  readonly appendedCount: number;
  /** Records in memory. */
  readonly keptCount: number;
  readonly keptBytes: number;
  /** Records that wait for the folder; 0 without one. */
  readonly queuedCount: number;
  /** Records that left memory before the folder had them: it is too slow, or fails. */
  readonly queueFullCount: number;
  /** Records that left memory in a log without a folder, which is how it is meant to be. */
  readonly overwrittenCount: number;
  /** Records still not in the folder when the log had to close. */
  readonly unflushedCount: number;
  readonly spool: SpoolState | null;
}

interface Kept {
  readonly batch: DecisionBatch;
  readonly bytes: number;
  isWritten: boolean;
  /** It made room while it was being written. */
  hasLeft: boolean;
}

export class DecisionLog {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  readonly #retryMs: number;
  readonly #spool: DecisionSpool | null;
  readonly #rotating: NodeJS.Timeout | null;
  readonly #ending = new AbortController();
  #kept: Kept[] = [];
  #keptCount = 0;
  #keptBytes = 0;
  #appendedCount = 0;
  #queueFullCount = 0;
  #overwrittenCount = 0;
  #unflushedCount = 0;
  #writing: Kept | null = null;
  #pumping: Promise<void> | null = null;

  constructor(options: DecisionLogOptions = {}) {
    const { entriesMax = LOG_ENTRIES_MAX, bytesMax = LOG_BYTES_MAX, spool = null, retryMs = SPOOL_RETRY_MS } = options;
    if (!(entriesMax >= BATCH_RECORDS_MAX)) throw new RangeError(`entriesMax: expected at least ${BATCH_RECORDS_MAX}`);
    if (!(bytesMax >= LOG_BYTES_MIN)) throw new RangeError(`bytesMax: expected at least ${LOG_BYTES_MIN}`);
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
    this.#retryMs = retryMs;
    this.#spool = spool;
    this.#rotating = spool === null ? null : setInterval(() => this.#pump(), ROTATE_CHECK_MS).unref();
  }

  /** Takes a batch from a thread. */
  append(batch: DecisionBatch): void {
    this.#appendedCount += batch.count;
    const kept: Kept = { batch, bytes: batchBytes(batch), isWritten: false, hasLeft: false };
    this.#kept.push(kept);
    this.#keptCount += batch.count;
    this.#keptBytes += kept.bytes;
    while (this.#keptCount > this.#entriesMax || (this.#keptBytes > this.#bytesMax && this.#kept.length > 1)) {
      this.#dropOldest();
    }
    this.#pump();
  }

  /** The last records, newest first. */
  recent(countMax: number): DecisionRecord[] {
    const records: DecisionRecord[] = [];
    for (let at = this.#kept.length - 1; at >= 0 && records.length < countMax; at--) {
      const { batch } = this.#kept[at]!;
      for (let index = batch.count - 1; index >= 0 && records.length < countMax; index--) {
        records.push(recordAt(batch, index));
      }
    }
    return records;
  }

  state(): DecisionLogState {
    const waiting = this.#spool === null ? [] : this.#kept.filter(({ isWritten }) => !isWritten);
    return {
      appendedCount: this.#appendedCount,
      keptCount: this.#keptCount,
      keptBytes: this.#keptBytes,
      queuedCount: waiting.reduce((sum, { batch }) => sum + batch.count, 0),
      queueFullCount: this.#queueFullCount,
      overwrittenCount: this.#overwrittenCount,
      unflushedCount: this.#unflushedCount,
      spool: this.#spool?.state ?? null,
    };
  }

  /**
   * Brings what waits into the folder and ends its segment, then closes. True if that was done within the deadline; what
   * was not written by then is counted as unflushed.
   */
  async flush(deadlineMs: number): Promise<boolean> {
    if (this.#rotating !== null) clearInterval(this.#rotating);
    const spool = this.#spool;
    if (spool === null) return true;
    const late = new AbortController();
    const isDone = await Promise.race([
      this.#drain().then(async () => {
        await spool.close();
        return true;
      }),
      delay(deadlineMs, false, { signal: late.signal }),
    ]).catch(() => false);
    late.abort();
    this.#ending.abort();
    this.#unflushedCount = this.state().queuedCount;
    return isDone && this.#unflushedCount === 0;
  }

  async #drain(): Promise<void> {
    while (this.#nextToWrite() !== undefined && !this.#ending.signal.aborted) {
      this.#pump();
      await this.#pumping;
    }
    await this.#pumping;
  }

  #dropOldest(): void {
    const oldest = this.#kept.shift();
    if (oldest === undefined) return;
    this.#keptCount -= oldest.batch.count;
    this.#keptBytes -= oldest.bytes;
    if (this.#spool === null) this.#overwrittenCount += oldest.batch.count;
    else if (oldest === this.#writing) oldest.hasLeft = true;
    else if (!oldest.isWritten) this.#queueFullCount += oldest.batch.count;
  }

  #nextToWrite(): Kept | undefined {
    return this.#kept.find(({ isWritten }) => !isWritten);
  }

  /** Starts writing what waits, unless that is going on. */
  #pump(): void {
    const spool = this.#spool;
    if (spool === null || this.#pumping !== null || this.#ending.signal.aborted) return;
    this.#pumping = this.#writeAll(spool).finally(() => {
      this.#pumping = null;
    });
  }

  async #writeAll(spool: DecisionSpool): Promise<void> {
    for (let next = this.#nextToWrite(); next !== undefined; next = this.#nextToWrite()) {
      if (this.#ending.signal.aborted) return;
      this.#writing = next;
      const isWritten = await spool.write(batchLines(next.batch), next.batch.count);
      this.#writing = null;
      next.isWritten = isWritten;
      if (isWritten) continue;
      if (next.hasLeft) this.#queueFullCount += next.batch.count;
      await delay(this.#retryMs, undefined, { signal: this.#ending.signal, ref: false }).catch(() => {});
    }
    await spool.rotateIfOld();
  }
}
