/**
 * What an enforcer can follow: something that has a snapshot of the suppression set, and every change after it.
 *
 * A source moves bytes and says how fresh they are. It decides nothing: order, gaps, epochs, versions and what is safe
 * to put into use are the follower's business (follower.ts), once for all sources.
 * @module
 */
import type { Frame, TableShare } from '../core/suppression/index.js';

/** A place in one history. Written `epoch.seq` it is the token that a write returns. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** A table that was built off the main thread, verified, and that nobody writes to any more. */
export interface LoadedTable {
  readonly share: TableShare;
  readonly position: Position;
  /**
   * Age of the content when it was loaded, in ms, or {@link AGE_TOLD_LATER}. `null`: nobody ever tells (a set in a file that
   * names no time), and age is no measure of it.
   */
  readonly lagMs: number | null;
  /** The snapshot file it was read from, to be kept as last good; `null` if there was no file. */
  readonly path: string | null;
}

/** The age of a snapshot whose source tells it with its changes: until then the table counts as old as can be. */
export const AGE_TOLD_LATER = Number.POSITIVE_INFINITY;

export interface SnapshotRequest {
  /** Folder of the enforcer's own, for downloads; they carry a temporary name and are the caller's to move or remove. */
  readonly folder: string;
  /** Called with what a snapshot says of itself, before it is built; throws to refuse it. */
  validate(summary: SnapshotSummary): void;
  readonly signal: AbortSignal;
}

/** What is known of a snapshot before it is loaded. */
export interface SnapshotSummary {
  readonly position: Position;
  /** Entries with rights; `null` where only loading tells. */
  readonly entryCount: number | null;
}

export type ChangesAnswer =
  /** Entries after the position asked for, or none: then it is a heartbeat. */
  | {
      readonly kind: 'frame';
      readonly frame: Frame;
      /** The frame as it came, with its signature; `null` where the source is a database. */
      readonly bytes: Uint8Array | null;
      /** The frame that carries `frame.head`, where that came in another one than the entries. */
      readonly headBytes?: Uint8Array;
      /** Monotonic ms (performance.now) at which the source was asked; the content was `frame.head.lagMs` old then. */
      readonly asOfMs: number;
    }
  /** The changes asked for are no longer to be had, or there is a new history: only a snapshot helps. */
  | { readonly kind: 'snapshot'; readonly why: 'sync.trimmed' | 'sync.epoch' | 'sync.regressed' };

/** What an enforcer says of itself to the ledger. */
export interface EnforcerReport {
  /** Chosen once per process: 1 to 64 of `A-Za-z0-9._:-`. */
  readonly id: string;
  /** What people call it: host name, pod name. */
  readonly name: string;
  readonly role: 'library' | 'sidecar' | 'relay' | 'publisher' | 'export';
  readonly version: string;
  /** How long the ledger should wait for the next report before it calls the enforcer silent. */
  readonly leaseMs: number;
  readonly position: Position | null;
  /** How long ago it had applied `position`, ms by its monotonic clock: the ledger places that on a clock of its own. */
  readonly appliedAgeMs: number | null;
  readonly state: string;
  /** True in the last report of a process that ends in order: it is no longer waited for. */
  readonly isLeaving: boolean;
}

/** Whose token a report came with, where ids are bound to tokens (docs/control-plane.md). */
export interface Reporter {
  /** `null`: it has no name, and so cannot be told from others. */
  readonly tokenName: string | null;
}

export interface Source {
  /** `postgres`, `pglite`, `http`, `nats` or `file`; for status and metrics. */
  readonly name: string;
  /** The newest snapshot as a table. Throws a GateError. */
  snapshot(request: SnapshotRequest): Promise<LoadedTable>;
  /** What comes after a position; waits up to `waitMs` for something to come. Throws a GateError. */
  changes(after: Position, options: { readonly waitMs: number; readonly signal: AbortSignal }): Promise<ChangesAnswer>;
  /** Tells the ledger; sources that have no way back leave it out. Throws a GateError. */
  report?(report: EnforcerReport): Promise<void>;
  /** Lets go of every connection, at once. Calls in flight fail with `sync.closed`. Never throws. */
  close(): Promise<void>;
}

/**
 * A ledger as a source sees it; `src/ledger` implements it for PostgreSQL and PGlite. Everything is read in one
 * consistent view of the database.
 */
export interface LedgerFeed {
  readonly name: 'postgres' | 'pglite';
  /** Entries after `seq`, oldest first, at most `limit`, with the head as of the same moment. */
  entriesAfter(seq: number, limit: number): Promise<Frame>;
  /** Resolves when the head may have moved, and after `waitMs` at the latest. Never throws; a broken connection resolves. */
  wait(waitMs: number, signal: AbortSignal): Promise<void>;
  /** The table at the settled seq, built on another thread. */
  buildTable(signal: AbortSignal): Promise<LoadedTable>;
  /** @param reporter Left out: whoever reports may do so for any. Throws a GateError, `ledger.enforcer_bound` among them. */
  report(report: EnforcerReport, reporter?: Reporter): Promise<void>;
  close(): Promise<void>;
}
