/**
 * The newest frames as they came from a source, so that they can be passed on to many as they are.
 *
 * As with entries (entry-ring.ts), what is oldest is dropped only as far as a snapshot reaches.
 * @module
 */
import type { Entry } from '../core/suppression/index.js';

/** What an entry costs besides its changes: the objects around them. */
const ENTRY_OVERHEAD_BYTES = 192;

export interface KeptFrame {
  readonly entries: readonly Entry[];
  /** As it came; `null`: the source gave none. */
  readonly bytes: Uint8Array | null;
}

export class FrameRing {
  private frames: KeptFrame[] = [];
  private byteCount = 0;
  private newestSeq: number;

  /** Without frames, after `baseSeq`. */
  constructor(private baseSeq: number) {
    this.newestSeq = baseSeq;
  }

  /** Entries after this seq are here. */
  get afterSeq(): number {
    return this.baseSeq;
  }

  get lastSeq(): number {
    return this.newestSeq;
  }

  get bytes(): number {
    return this.byteCount;
  }

  /** Adds a frame that goes on where the ring ends; it may begin before. False if there is a gap: nothing was added. */
  append(frame: KeptFrame): boolean {
    const lastSeq = lastSeqOf(frame);
    if (lastSeq <= this.newestSeq) return true;
    if ((frame.entries[0]?.seq ?? 0) > this.newestSeq + 1) return false;
    this.frames.push(frame);
    this.newestSeq = lastSeq;
    this.byteCount += bytesOf(frame);
    return true;
  }

  /** The frame with the entry after `seq`; `undefined`: it has not come yet. */
  after(seq: number): KeptFrame | undefined {
    let [from, to] = [0, this.frames.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const frame = this.frames[middle];
      if (frame !== undefined && lastSeqOf(frame) > seq) to = middle;
      else from = middle + 1;
    }
    return this.frames[from];
  }

  /** The last seq of the last frame that holds nothing after `seq`. */
  lastSeqUpTo(seq: number): number {
    const next = this.after(seq);
    return next === undefined ? this.newestSeq : (next.entries[0]?.seq ?? 1) - 1;
  }

  /** Drops the oldest frames until there are at most `bytesMax`, but none with an entry after `seqMax`. */
  trim(bytesMax: number, seqMax: number): void {
    let count = 0;
    for (const frame of this.frames) {
      const lastSeq = lastSeqOf(frame);
      if (this.byteCount <= bytesMax || lastSeq > seqMax) break;
      this.byteCount -= bytesOf(frame);
      this.baseSeq = lastSeq;
      count++;
    }
    if (count > 0) this.frames.splice(0, count);
  }
}

function lastSeqOf({ entries }: KeptFrame): number {
  return entries.at(-1)?.seq ?? 0;
}

function bytesOf({ entries, bytes }: KeptFrame): number {
  if (bytes !== null) return bytes.length + entries.length * ENTRY_OVERHEAD_BYTES;
  return entries.reduce((sum, { changes }) => sum + changes.length + ENTRY_OVERHEAD_BYTES, 0);
}
