/**
 * What every door of the sidecar (HTTP, socket) needs to answer: the gate of the moment, and someone who takes note.
 *
 * Each thread that serves has a desk of its own. The gate may be another one after any await (a new policy), so a door
 * takes it anew for every request and uses one gate for all of it.
 * @module
 */
import type { Gate } from '../core/gate.js';
import type { SuppressionTable } from '../core/index.js';
import type { Decision } from '../core/policy/decision.js';

/** How a request came in. */
export type DoorName = 'http' | 'socket';
/** What was asked. */
export type Operation = 'check' | 'filter' | 'lookup';

export interface Desk {
  /** The gate to decide with now. */
  readonly gate: Gate;
  /** The table to look up in now; `null`: there is none yet. */
  readonly table: SuppressionTable | null;
  /** True while more work would only make everyone wait: the door answers "busy" and does nothing else. */
  readonly isShedding: boolean;
  /** Resolves true as soon as the table has reached the token `epoch.seq`, false after `waitMs`. Never throws. */
  reach(token: string, waitMs: number): Promise<boolean>;
  /** HOT. Takes note of one decision. `destination` as the caller gave it; it is kept only if the policy knows it. */
  decided(door: DoorName, operation: Operation, decision: Decision, destination: string | null): void;
  /** HOT. A request was answered, whatever with; from its first byte to the answer's last, in milliseconds. */
  answered(door: DoorName, operation: Operation, durationMs: number): void;
  /** A request was refused with a stable code, such as `json.invalid`. */
  refused(door: DoorName, code: string): void;
}
