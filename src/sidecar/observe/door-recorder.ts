/**
 * Takes note of what the doors of one thread decide, answer and refuse; the counting half of a `Desk`.
 *
 * HOT, so it only counts into typed arrays and shared objects: 20 to 55 ns a decision, 80 to 140 ns with the decision log
 * (Node 20; the requests of the vectors, the most with a GPP string of its own in each). Metrics are made from its snapshot.
 * @module
 */
import { CAUSE } from '../../core/policy/compile.js';
import type { Decision } from '../../core/policy/decision.js';
import type { DoorName, Operation } from '../door.js';
import type { DecisionBuffer } from './decision-buffer.js';
import {
  ACTIONS,
  DOORS,
  type DoorCounts,
  OPERATIONS,
  type RefusalCount,
  UNKNOWN_DESTINATIONS_MAX,
} from './door-counts.js';
import { LatencyCounts } from './latency-counts.js';
import { ReasonSets } from './reason-sets.js';

/** Refusal codes counted by name in one thread; further ones are counted as `other`. */
export const REFUSAL_CODES_MAX = 64;
/** How long the id of a destination may be to be remembered, though the policy does not list it. */
export const UNKNOWN_DESTINATION_LENGTH_MAX = 100;

/** As doors name their refusals: `json.invalid`, or a fault of our own. */
const CODE = /^(?:internal|[a-z][a-z0-9_]*(?:\.[a-z0-9_]+){1,3})$/;
const CODE_LENGTH_MAX = 40;
const OTHER_CODE = 'other';

export interface DoorRecorderOptions {
  /** Where decisions are logged; `null`: nowhere. */
  readonly log?: DecisionBuffer | null;
  /** Wall clock, ms since 1970. */
  readonly now?: () => number;
}

export class DoorRecorder {
  readonly #log: DecisionBuffer | null;
  readonly #decisions = new Float64Array(DOORS.length * OPERATIONS.length * ACTIONS.length);
  readonly #latencies = new LatencyCounts(DOORS.length * OPERATIONS.length);
  readonly #reasons = new ReasonSets();
  readonly #refusals = DOORS.map(() => new Map<string, number>());
  readonly #unknownDestinations = new Map<string, { count: number; lastSeenMs: number }>();
  readonly #now: () => number;

  constructor({ log = null, now = Date.now }: DoorRecorderOptions = {}) {
    this.#log = log;
    this.#now = now;
  }

  /** HOT. See Desk. */
  decided(door: DoorName, operation: Operation, decision: Decision, destination: string | null): void {
    const doorIndex = door === 'http' ? 0 : 1;
    const operationIndex = operation === 'check' ? 0 : operation === 'filter' ? 1 : 2;
    const { action } = decision;
    const actionIndex = action === 'allow' ? 0 : action === 'restrict' ? 1 : 2;
    this.#decisions[(doorIndex * OPERATIONS.length + operationIndex) * ACTIONS.length + actionIndex]!++;
    const set = this.#reasons.of(decision);
    set.count++;
    const isUnknown = (decision.causes.bits & CAUSE.destinationUnknown) !== 0;
    if (isUnknown && destination !== null) this.#noteUnknown(destination);
    if (this.#log === null) return;
    this.#log.add(doorIndex, operationIndex, actionIndex, decision, set, isUnknown ? null : destination);
  }

  /** HOT. See Desk. */
  answered(door: DoorName, operation: Operation, durationMs: number): void {
    const doorIndex = door === 'http' ? 0 : 1;
    const operationIndex = operation === 'check' ? 0 : operation === 'filter' ? 1 : 2;
    this.#latencies.record(doorIndex * OPERATIONS.length + operationIndex, durationMs);
  }

  /** See Desk. A code is kept by name only if it looks like one and there are not too many. */
  refused(door: DoorName, code: string): void {
    const counts = this.#refusals[door === 'http' ? 0 : 1]!;
    const isCode = code.length <= CODE_LENGTH_MAX && CODE.test(code);
    const name = counts.has(code) || (isCode && counts.size < REFUSAL_CODES_MAX) ? code : OTHER_CODE;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  /** Everything so far, as a copy that can be posted. */
  snapshot(): DoorCounts {
    const decisions = [];
    const latencies = [];
    const refusals: RefusalCount[] = [];
    let series = 0;
    let cell = 0;
    for (const [doorIndex, door] of DOORS.entries()) {
      for (const operation of OPERATIONS) {
        for (const action of ACTIONS) decisions.push({ door, operation, action, count: this.#decisions[cell++] ?? 0 });
        latencies.push({ door, operation, ...this.#latencies.series(series++) });
      }
      for (const [code, count] of this.#refusals[doorIndex] ?? []) refusals.push({ door, code, count });
    }
    return {
      decisions,
      reasons: this.#reasons.counts(),
      refusals,
      latencies,
      unknownDestinations: Array.from(this.#unknownDestinations, ([id, seen]) => ({ id, ...seen })),
    };
  }

  #noteUnknown(destination: string): void {
    const seen = this.#unknownDestinations.get(destination);
    if (seen !== undefined) {
      seen.count++;
      seen.lastSeenMs = this.#now();
      return;
    }
    if (destination.length > UNKNOWN_DESTINATION_LENGTH_MAX) return;
    if (this.#unknownDestinations.size >= UNKNOWN_DESTINATIONS_MAX) return;
    // a copy: a part of a longer string would keep all of it in memory
    this.#unknownDestinations.set(Buffer.from(destination).toString(), { count: 1, lastSeenMs: this.#now() });
  }
}
