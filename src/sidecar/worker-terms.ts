/**
 * What the main thread and its serving workers tell each other.
 * @module
 */
import type { SharedGate } from '../gate-share.js';
import type { SidecarConfig } from './config-settings.js';
import type { DecisionBatch } from './observe/decision-batch.js';
import type { ThreadState } from './observe/thread-state.js';
import type { Sockets } from './thread.js';

export interface WorkerTerms {
  readonly config: SidecarConfig;
  readonly shared: SharedGate;
  /** What the first worker listens on; `null`: this is the first. */
  readonly sockets: Sockets | null;
}

export type ToWorker =
  | { readonly kind: 'announce_end' }
  | { readonly kind: 'drain'; readonly deadlineMs: number }
  /** Close the listening sockets: nobody accepts on them any more. */
  | { readonly kind: 'close' }
  /** A batch of decisions has arrived. */
  | { readonly kind: 'acknowledge' };

export type FromWorker =
  | { readonly kind: 'listening'; readonly sockets: Sockets }
  | { readonly kind: 'refused'; readonly address: string; readonly code: string }
  | { readonly kind: 'state'; readonly state: ThreadState }
  | { readonly kind: 'batch'; readonly batch: DecisionBatch }
  | { readonly kind: 'drained'; readonly state: ThreadState }
  | { readonly kind: 'closed' };
