/**
 * The newest entries of the log in memory, so that many followers can be served without asking the ledger for each.
 *
 * Entries are dense. What is oldest is dropped, and only as far as a snapshot reaches that replaces it: whoever loads the
 * snapshot finds everything after it here.
 * @module
 */
import { ENTRY_HEADER_BYTES, type Entry } from '../core/suppression/delta.js';

/** What an entry costs besides its changes: the objects around them. Measured: 180. */
const ENTRY_OVERHEAD_BYTES = 192;
/** Dropped entries are let go of when there are this many of them. */
const DROPPED_MAX = 4096;

export class EntryRing {
  private entries: Entry[] = [];
  /** Entries before this index are dropped. */
  private from = 0;
  private byteCount = 0;

  /** Without entries, after `baseSeq`. */
  constructor(private baseSeq: number) {}

  /** Entries after this seq are here. */
  get afterSeq(): number {
    return this.baseSeq;
  }

  /** Seq of the newest entry. */
  get lastSeq(): number {
    return this.baseSeq + this.entries.length - this.from;
  }

  get bytes(): number {
    return this.byteCount;
  }

  /** Adds what comes next; entries that are here already are left out. Copies the changes. Throws a RangeError at a gap. */
  append(entries: readonly Entry[]): void {
    const fresh = entries.filter(({ seq }) => seq > this.lastSeq);
    let changesBytes = 0;
    for (const [index, { seq, changes }] of fresh.entries()) {
      if (seq !== this.lastSeq + 1 + index) throw new RangeError('expected entries without a gap');
      changesBytes += changes.length;
    }
    const memory = new Uint8Array(changesBytes); // one for all: most entries are smaller than an ArrayBuffer's own cost
    let at = 0;
    for (const { seq, atMs, isCanary, changes } of fresh) {
      memory.set(changes, at);
      this.entries.push({ seq, atMs, isCanary, changes: memory.subarray(at, at + changes.length) });
      at += changes.length;
      this.byteCount += ENTRY_OVERHEAD_BYTES + changes.length;
    }
  }

  /** Entries after `seq`, at most so many and, but for the first, so many bytes in a frame. */
  after(seq: number, entriesMax: number, bytesMax: number): readonly Entry[] {
    const start = this.from + Math.max(0, seq - this.baseSeq);
    let bytes = 0;
    let end = start;
    while (end < this.entries.length && end - start < entriesMax) {
      bytes += ENTRY_HEADER_BYTES + (this.entries[end]?.changes.length ?? 0);
      if (bytes > bytesMax && end > start) break;
      end++;
    }
    return this.entries.slice(start, end);
  }

  /** Drops the oldest entries until there are at most `bytesMax`, but none after `seqMax`. */
  trim(bytesMax: number, seqMax: number): void {
    while (this.byteCount > bytesMax && this.baseSeq < seqMax && this.from < this.entries.length) {
      this.byteCount -= ENTRY_OVERHEAD_BYTES + (this.entries[this.from]?.changes.length ?? 0);
      this.from++;
      this.baseSeq++;
    }
    if (this.from < DROPPED_MAX && this.from < this.entries.length) return;
    this.entries = this.entries.slice(this.from);
    this.from = 0;
  }
}
