/**
 * The words that tables are spoken of in: what they are made with, what they answer, what they say of themselves.
 * @module
 */
import type { SharedMemory } from '../wasm.js';

/** What another thread needs to read the same table; post it as it is. */
export interface TableShare {
  readonly memory: SharedMemory;
}

/** `full`: the key has no room within its reach; the table must grow. Nothing was changed. */
export type SetOutcome = 'added' | 'changed' | 'removed' | 'unchanged' | 'full';

/**
 * `superseded`: another table has taken this one's place, and until its readers have moved on this one gets every write
 * too. `abandoned`: it gets no more writes, so its seq stands still and its misses mean nothing.
 */
export type TableStanding = 'current' | 'superseded' | 'abandoned';
/** In the order of their numbers in a table's memory. */
export const STANDINGS: readonly TableStanding[] = ['current', 'superseded', 'abandoned'];

export interface TableOptions {
  /** Keys the table is to hold; about 6 % more fit before it should grow. */
  readonly capacity: number;
  /** 64 random bits. Whoever knows them can make keys collide; two tables with one seed agree on `stateDigest`. */
  readonly seed: bigint;
  /** Which history the seq counts: 1 to 36 printable ASCII characters, no spaces. */
  readonly epoch: string;
}

/** What is fixed when a table is made. */
export interface TableShape {
  readonly bucketCount: number;
  readonly displacementMax: number;
  readonly seed: bigint;
  readonly epoch: string;
}

/** What a table says of its buckets. */
export interface TableContent {
  readonly kindMask: number;
  readonly givenKindMask: number;
  readonly entryCount: number;
  readonly tombstoneCount: number;
  readonly stateDigest: string;
  readonly seq: number;
  readonly freshAtMs: number | null;
}
