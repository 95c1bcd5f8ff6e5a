/**
 * The desk of one thread: decides with the gate of the moment, and takes note of it.
 * @module
 */
import { Gate } from '../core/gate.js';
import type { Decision } from '../core/policy/decision.js';
import type { Policy } from '../core/policy/policy.js';
import type { SuppressionTable, TableHolder } from '../core/suppression/index.js';
import type { Desk, DoorName, Operation } from './door.js';
import type { DoorRecorder } from './observe/door-recorder.js';
import type { Shedder } from './observe/shedder.js';
import { type MemoCounts, MemoTally } from './observe/thread-state.js';

/** The table of this thread: its own, or the one that another thread writes to. */
export interface TableView {
  readonly holder: TableHolder;
  /** Resolves true as soon as the table has reached the token, false after `waitMs`. Never throws. */
  reach(token: string, waitMs: number): Promise<boolean>;
}

export class GateDesk implements Desk {
  readonly #table: TableView;
  readonly #recorder: DoorRecorder;
  readonly #shedder: Shedder;
  readonly #memo = new MemoTally();
  #gate: Gate;

  constructor(table: TableView, policy: Policy, recorder: DoorRecorder, shedder: Shedder) {
    this.#table = table;
    this.#recorder = recorder;
    this.#shedder = shedder;
    this.#gate = new Gate({ table: table.holder, policy });
  }

  get gate(): Gate {
    return this.#gate;
  }

  get table(): SuppressionTable | null {
    return this.#table.holder.current;
  }

  get isShedding(): boolean {
    return this.#shedder.isShedding;
  }

  /** Of every gate there was. */
  get memo(): MemoCounts {
    return this.#memo.total(this.#gate.stats().memo);
  }

  /** Decides by another policy from the next request on. */
  usePolicy(policy: Policy): void {
    const gate = new Gate({ table: this.#table.holder, policy });
    this.#memo.replaced(this.#gate.stats().memo);
    this.#gate = gate;
  }

  reach(token: string, waitMs: number): Promise<boolean> {
    return this.#table.reach(token, waitMs);
  }

  decided(door: DoorName, operation: Operation, decision: Decision, destination: string | null): void {
    this.#recorder.decided(door, operation, decision, destination);
  }

  answered(door: DoorName, operation: Operation, durationMs: number): void {
    this.#recorder.answered(door, operation, durationMs);
  }

  refused(door: DoorName, code: string): void {
    this.#recorder.refused(door, code);
  }
}
