/**
 * What a filter and its threads say to each other. Blocks are handed over, not copied.
 * @module
 */
import type { TableShare } from '../core/suppression/index.js';
import type { RowFault } from './row-sink.js';

/** A block to be filtered, by a table that is attached to anew only where its number has changed. */
export interface ToThread {
  readonly memory: ArrayBuffer;
  readonly length: number;
  readonly isLast: boolean;
  readonly tableNumber: number;
  readonly table: TableShare;
}

/** What the block came to, and its memory back. */
export interface FromThread {
  readonly memory: ArrayBuffer;
  /** What leaves: memory of its own, or a part of the block's. */
  readonly output: { readonly memory: ArrayBuffer | null; readonly from: number; readonly length: number };
  readonly end: number;
  readonly lines: number;
  readonly fault: RowFault | null;
  readonly tally: Float64Array;
  readonly fingerprints: BigUint64Array | null;
}
