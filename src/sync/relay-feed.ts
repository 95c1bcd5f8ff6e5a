/**
 * What a relay serves from: recent changes in memory, and a snapshot file that reaches into them.
 * @module
 */
import type { Frame, Head } from '../core/suppression/index.js';
import type { EnforcerReport, Position, Reporter } from './source.js';

/** How long a relay waits for something to come before it reads the heartbeat alone, unless told. */
export const RELAY_BEAT_EVERY_MS = 1000;
/** Bytes of changes a relay keeps in memory, unless told. */
export const RELAY_RING_BYTES_MAX = 64 * 2 ** 20;

export type RelayAnswer =
  | {
      readonly kind: 'frame';
      /** Entries after the position, as many as fit; none: there are none yet. */
      readonly frame: Frame;
      /** What came from another relay or publisher, to be passed on as it is; `null`: the frame is to be encoded. */
      readonly passed: PassedOn | null;
      /** Monotonic ms at which the content was `frame.head.lagMs` old. */
      readonly asOfMs: number;
    }
  /** The entries after the position are no longer kept. */
  | { readonly kind: 'trimmed' }
  /** The position is of another history. */
  | { readonly kind: 'epoch' }
  /** Nothing is loaded yet. */
  | { readonly kind: 'empty' };

export interface PassedOn {
  /** The frame with the entries; it may begin before the position. `null`: there are no entries. */
  readonly entries: Uint8Array | null;
  /** The frame that carries the head. */
  readonly head: Uint8Array;
}

/** A snapshot file that does not change any more; when a newer one takes its place it is removed. */
export interface RelaySnapshot {
  readonly path: string;
  readonly position: Position;
  readonly entryCount: number;
  /** SHA-256 of the file: its strong entity tag, and what a download is checked against. */
  readonly sha256: Uint8Array;
}

export interface FrameLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export interface RelayFeed {
  /** The newest head; `null`: nothing is loaded yet. */
  readonly head: Head | null;
  /** What comes after a position, at once. */
  changesAfter(position: Position, limits: FrameLimits): RelayAnswer;
  /** Resolves when {@link changesAfter} may answer otherwise than with no entries, and after `waitMs` at the latest. */
  wait(position: Position, waitMs: number, signal: AbortSignal): Promise<void>;
  /** The newest snapshot; `null`: nothing is loaded yet. */
  snapshot(): RelaySnapshot | null;
  /** Passes a report upstream. Throws a GateError. */
  report(report: EnforcerReport, reporter?: Reporter): Promise<void>;
  /** Lets go of everything. Never throws. */
  close(): Promise<void>;
}
