/**
 * What a filter and its threads say to each other. Blocks are handed over, not copied.
 * @module
 */
import type { RowFault } from './row-sink.js';

/** A block to be filtered. */
export interface BlockJob {
  readonly memory: ArrayBuffer;
  readonly length: number;
  readonly isLast: boolean;
}

/** What the block came to, and its memory back. */
export interface BlockAnswer {
  readonly memory: ArrayBuffer;
  /** What leaves: memory of its own, or a part of the block's. */
  readonly output: { readonly memory: ArrayBuffer | null; readonly from: number; readonly length: number };
  readonly end: number;
  readonly lines: number;
  readonly fault: RowFault | null;
  readonly tally: Float64Array;
  readonly fingerprints: BigUint64Array | null;
}
