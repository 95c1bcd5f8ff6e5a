/**
 * The words and limits of the local store.
 * @module
 */
import type { GateError } from '../core/errors.js';
import type { TableShare, Verifier } from '../core/suppression/index.js';
import type { Clock } from './clock.js';
import type { Position } from './source.js';

/** Tail from which a new snapshot is made of it, in bytes, and in age if there is anything in it. */
export const TAIL_BYTES_MAX = 64 * 2 ** 20;
export const TAIL_AGE_MS_MAX = 15 * 60_000;
/** How often the freshness is written down, and the tail made to last. */
export const FRESH_EVERY_MS = 10_000;
/** After a disk failed: how long until the next attempt, doubling up to the second. */
export const HEAL_AFTER_MS = 60_000;
export const HEAL_AFTER_MS_MAX = 3_600_000;
/** A disk that takes longer for a snapshot has failed. */
export const WRITE_DEADLINE_MS = 120_000;
/** How long closing waits for a first snapshot that is being written. */
export const LINGER_MS = 10_000;
/** Written to find out whether a disk that failed can be written to again. */
export const PROBE_BYTES = 2 ** 20;
export interface StoreLimits {
  readonly tailBytesMax: number;
  readonly tailAgeMsMax: number;
  readonly freshEveryMs: number;
  readonly snapshotBytesMax: number | undefined;
  readonly versionKeysMax: number;
}

export interface StoreOptions {
  readonly clock: Clock;
  readonly verifier: Verifier | undefined;
  readonly limits: StoreLimits;
  /** Ends workers. */
  readonly signal: AbortSignal;
  readonly onError: (error: GateError) => void;
}

/** What the ledger said of its state at a settled seq. */
export interface SettledState {
  readonly seq: number;
  readonly stateDigest: string;
}

/** A snapshot that is to be kept, and is not written to until {@link LocalStore.begin} is done. */
export interface NewGeneration {
  readonly share: TableShare;
  readonly position: Position;
  /** Its file, which is moved into the folder; `null` if there is none. */
  readonly path: string | null;
  readonly freshAtMs: number | null;
  /** Nothing is wrong with the generation before. */
  readonly keepsPrevious: boolean;
}

export interface StoreStatus {
  readonly snapshotSeq: number | null;
  readonly tailSeq: number | null;
  readonly tailBytes: number;
}
