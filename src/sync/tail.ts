/**
 * A tail: frames in a file, one after the other, as they were received.
 *
 * Appended without waiting for the disk and in order; a crash can cost the last ones, which the source still has. A reader
 * stops at the first frame that is not whole and sound.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { GateError } from '../core/errors.js';
import { type Entry, FRAME_BYTES_MAX, type Frame, frameBytesAt } from '../core/suppression/index.js';

/** Bytes that may wait for the disk; if it is slower than that, what is kept on it is given up. */
export const TAIL_QUEUE_BYTES_MAX = 64 * 2 ** 20;
/** What a frame begins with, enough to know its length. */
const LENGTH_BYTES = 8;
const READ_BYTES = 2 ** 20;
/** Changes that are put into one frame where the source gives none. */
const FRAME_CHANGES_BYTES_MAX = 4 * 2 ** 20;

/** Where a tail can be gone on with. */
export interface TailEnd {
  /** The entries follow this seq. */
  readonly startSeq: number;
  readonly lastSeq: number;
  readonly bytes: number;
}

export function emptyTail(seq: number): TailEnd {
  return { startSeq: seq, lastSeq: seq, bytes: 0 };
}

export class TailWriter {
  /** The entries follow this seq. */
  readonly startSeq: number;
  private queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private writing: Promise<void> | null = null;
  private failure: GateError | null = null;
  private file: FileHandle | null = null;
  private byteLength: number;
  private writtenBytes: number;
  private lastSeq: number;

  /** Goes on at `bytes` of a tail; the file is made with the first frame, and what is behind `bytes` cut off then. */
  constructor(
    private readonly path: string,
    end: TailEnd,
  ) {
    this.startSeq = end.startSeq;
    this.lastSeq = end.lastSeq;
    this.byteLength = end.bytes;
    this.writtenBytes = end.bytes;
  }

  /** The last seq that was appended. */
  get seq(): number {
    return this.lastSeq;
  }

  get bytes(): number {
    return this.byteLength;
  }

  /** Why nothing is written any more; `null` while it is. */
  get error(): GateError | null {
    return this.failure;
  }

  /** Puts a frame, whose last entry is `seq`, behind the others. */
  append(frame: Uint8Array, seq: number): void {
    if (this.failure !== null) return;
    this.queuedBytes += frame.length;
    if (this.queuedBytes > TAIL_QUEUE_BYTES_MAX) {
      this.failure = new GateError('sync.store', 'the disk is too slow');
      return;
    }
    this.queue.push(frame);
    this.lastSeq = seq;
    this.byteLength += frame.length;
    this.writing ??= this.write();
  }

  /** Resolves when everything appended so far is with the system. Never throws; see {@link error}. */
  async flush(): Promise<void> {
    while (this.writing !== null) await this.writing;
  }

  /** Makes what was flushed last. Never throws; see {@link error}. */
  async sync(): Promise<void> {
    await this.flush();
    await this.guard(async () => this.file?.datasync());
  }

  /** Never throws. */
  async close(): Promise<void> {
    await this.flush();
    await this.file?.close().catch(() => {});
    this.file = null;
  }

  private async write(): Promise<void> {
    while (this.queue.length > 0 && this.failure === null) {
      const frames = this.queue;
      this.queue = [];
      await this.guard(async () => {
        this.file ??= await this.openFile();
        const bytes = frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames);
        for (let done = 0; done < bytes.length; ) {
          done += (await this.file.write(bytes, done, bytes.length - done, this.writtenBytes + done)).bytesWritten;
        }
        this.writtenBytes += bytes.length;
        this.queuedBytes -= bytes.length;
      });
    }
    this.writing = null;
  }

  private async openFile(): Promise<FileHandle> {
    if (this.writtenBytes === 0) return open(this.path, 'w', 0o640);
    const file = await open(this.path, 'r+');
    try {
      await file.truncate(this.writtenBytes);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private async guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      this.failure ??= new GateError('sync.store', 'tail', { cause });
    }
  }
}

/** What can be written of a frame from a database, which may be larger than one that can be read back. */
export function* partsOf({ head, entries }: Frame): Generator<Frame, void, undefined> {
  let part: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (bytes + entry.changes.length > FRAME_CHANGES_BYTES_MAX && part.length > 0) {
      yield { head, entries: part };
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += entry.changes.length;
  }
  yield { head, entries: part };
}

/** One frame of a tail. */
export interface TailFrame {
  readonly bytes: Uint8Array;
  /** Where the next one starts. */
  readonly endBytes: number;
}

/**
 * The frames of a tail, undecoded, in order. Blocks the thread. Throws a GateError `delta.truncated`, `delta.magic`,
 * `delta.too_large` or `delta.header` where no frame can begin or end, `sync.store` if the file cannot be read.
 */
export function* readTail(path: string): Generator<TailFrame, void, undefined> {
  const descriptor = systemCall(() => openSync(path, 'r'));
  try {
    let buffered = new Uint8Array(0);
    let at = 0;
    let isAtEnd = false;
    for (let endBytes = 0; ; ) {
      const left = buffered.length - at;
      const frameBytes = left >= LENGTH_BYTES ? frameBytesAt(buffered, at) : LENGTH_BYTES;
      if (left >= frameBytes && left >= LENGTH_BYTES) {
        endBytes += frameBytes;
        yield { bytes: buffered.slice(at, at + frameBytes), endBytes };
        at += frameBytes;
      } else if (isAtEnd) {
        if (left > 0) throw new GateError('delta.truncated');
        return;
      } else {
        const more = systemCall(() => readMore(descriptor, buffered.subarray(at), Math.max(READ_BYTES, frameBytes)));
        isAtEnd = more.length === left;
        buffered = more;
        at = 0;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

/** What is left, and what comes after it in the file; nothing more at its end. */
function readMore(descriptor: number, left: Uint8Array, bytesWanted: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(left.length + Math.min(bytesWanted, FRAME_BYTES_MAX));
  bytes.set(left);
  const bytesRead = readSync(descriptor, bytes, left.length, bytes.length - left.length, null);
  return bytes.subarray(0, left.length + bytesRead);
}

function systemCall<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new GateError('sync.store', 'tail', { cause });
  }
}
