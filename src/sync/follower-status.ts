/**
 * What a follower says of itself: its status, and the events on the way.
 * @module
 */
import type { GateError, GateErrorCode } from '../core/errors.js';
import type { HistogramState } from './histogram.js';
import type { Position } from './source.js';
import type { FollowerState } from './state.js';

/** Why a table was loaded: there was none, or following could not go on. */
export type ResyncReason = GateErrorCode | 'empty';

export interface FailureStatus {
  readonly code: GateErrorCode;
  /** Wall clock, ms since 1970. */
  readonly atMs: number;
  /** Failures in a row; 0 once it works again. */
  readonly consecutiveCount: number;
}

export interface FollowerStatus {
  readonly state: FollowerState;
  /** Since when it is that, wall clock, ms since 1970. */
  readonly sinceMs: number;
  /** Name of the source. */
  readonly source: string;
  /** Where the table in use stands; `null`: there is none. */
  readonly position: Position | null;
  /** The newest seq the source is known to have. */
  readonly headSeq: number | null;
  /** How many entries the table in use is behind that. */
  readonly seqLag: number | null;
  /** Age of what is known to be complete; `null`: nobody said. */
  readonly freshnessMs: number | null;
  /** Last failure, of whatever kind, also when it works again by now. */
  readonly lastError: FailureStatus | null;
  readonly pinSeq: number | null;
  readonly entryCount: number;
  /** Memory of the table. */
  readonly bytes: number;
  /** Keys whose versions are remembered. */
  readonly versionCount: number;
  /** Entries applied since the start. */
  readonly appliedCount: number;
  /** Snapshots put into use because following could not go on. */
  readonly resyncCount: number;
  /** Those of them that put right a table that was not what the ledger had. */
  readonly repairCount: number;
  /** Snapshots that were not put into use, by code. */
  readonly refusedCounts: Readonly<Partial<Record<GateErrorCode, number>>>;
  /** Everything that failed, by code; refused snapshots are in it. */
  readonly failureCounts: Readonly<Partial<Record<GateErrorCode, number>>>;
  readonly reportFailureCount: number;
  /** Seq of the snapshot that was loaded last. */
  readonly lastSnapshotSeq: number | null;
  /** How long canaries took from the ledger into this table. */
  readonly canaryLatency: HistogramState;
  /** The local folder; `null` if nothing is kept. */
  readonly store: {
    readonly snapshotSeq: number | null;
    readonly tailSeq: number | null;
    readonly tailBytes: number;
  } | null;
}

export interface FollowerEvents {
  /** The state is another one. */
  readonly state: FollowerStatus;
  /** Entries were applied, and the table says so. */
  readonly applied: { readonly position: Position; readonly entryCount: number; readonly changeCount: number };
  /** An entry that the ledger made to measure with is in force, or should be. */
  readonly canary: { readonly seq: number; readonly latencyMs: number; readonly isInForce: boolean };
  /** Something failed; `error` has what the system said of it as its cause. */
  readonly error: FailureStatus & { readonly error: GateError };
  /** Another table has been put into use. */
  readonly resync: { readonly why: ResyncReason; readonly position: Position; readonly entryCount: number };
}

export type FollowerEvent = keyof FollowerEvents;

/** Listeners by event. One that throws does not disturb the others, nor what it listens to. */
export class Listeners {
  private readonly byEvent = new Map<FollowerEvent, Set<(event: never) => void>>();

  add<Name extends FollowerEvent>(name: Name, listener: (event: FollowerEvents[Name]) => void): () => void {
    const listeners = this.byEvent.get(name) ?? new Set();
    this.byEvent.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
    };
  }

  tell<Name extends FollowerEvent>(name: Name, event: FollowerEvents[Name]): void {
    for (const listener of this.byEvent.get(name) ?? []) {
      try {
        (listener as (event: FollowerEvents[Name]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error; // a defect of the listener's owner, who is to hear of it
        });
      }
    }
  }
}
