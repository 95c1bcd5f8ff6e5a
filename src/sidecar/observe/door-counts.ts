/**
 * What one serving thread has counted, as a plain value that can be posted, and the sum of several.
 * @module
 */
import type { Action } from '../../core/vocabulary.js';
import type { DoorName, Operation } from '../door.js';
import { type LatencySeries, REQUEST_BOUNDS_MS } from './latency-counts.js';

/** Distinct destinations remembered that the policy does not list. */
export const UNKNOWN_DESTINATIONS_MAX = 1000;

export const DOORS: readonly DoorName[] = ['http', 'socket'];
export const OPERATIONS: readonly Operation[] = ['check', 'filter', 'lookup'];
export const ACTIONS: readonly Action[] = ['allow', 'restrict', 'block'];

/** Of each action at one door, for one operation. */
export interface DecisionCount {
  readonly door: DoorName;
  readonly operation: Operation;
  readonly action: Action;
  readonly count: number;
}

export interface RefusalCount {
  readonly door: DoorName;
  readonly code: string;
  readonly count: number;
}

export interface RequestLatency extends LatencySeries {
  readonly door: DoorName;
  readonly operation: Operation;
}

/** A destination in traffic that the policy does not list. */
export interface UnknownDestination {
  readonly id: string;
  /** Decisions for it. */
  readonly count: number;
  readonly lastSeenMs: number;
}

/** Every combination of door, operation and action is there, in a fixed order. */
export interface DoorCounts {
  readonly decisions: readonly DecisionCount[];
  /** Decisions by reason code; a decision counts once for each of its reasons. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly refusals: readonly RefusalCount[];
  readonly latencies: readonly RequestLatency[];
  /** Destinations in traffic that the policy did not list, up to {@link UNKNOWN_DESTINATIONS_MAX}; of all threads together. */
  readonly unknownDestinations: readonly UnknownDestination[];
}

export function emptyDoorCounts(): DoorCounts {
  const pairs = DOORS.flatMap((door) => OPERATIONS.map((operation) => ({ door, operation })));
  return {
    decisions: pairs.flatMap((pair) => ACTIONS.map((action) => ({ ...pair, action, count: 0 }))),
    reasons: {},
    refusals: [],
    latencies: pairs.map((pair) => ({ ...pair, counts: zeros(REQUEST_BOUNDS_MS.length + 1), sumMs: 0 })),
    unknownDestinations: [],
  };
}

/** The sum. Threads of the same version: their combinations are the same, in the same order. */
export function mergeDoorCounts(parts: readonly DoorCounts[]): DoorCounts {
  return parts.reduce(add, emptyDoorCounts());
}

function add(a: DoorCounts, b: DoorCounts): DoorCounts {
  return {
    decisions: a.decisions.map((row, index) => ({ ...row, count: row.count + (b.decisions[index]?.count ?? 0) })),
    reasons: addRecords(a.reasons, b.reasons),
    refusals: addRefusals(a.refusals, b.refusals),
    latencies: a.latencies.map((row, index) => addLatency(row, b.latencies[index])),
    unknownDestinations: addUnknown(a.unknownDestinations, b.unknownDestinations),
  };
}

/** Requests that were turned away because of the load: `busy.shedding`, `busy.waiting`. */
export function shedCountOf({ refusals }: DoorCounts): number {
  return refusals.reduce((sum, { code, count }) => (code.startsWith('busy.') ? sum + count : sum), 0);
}

function addRecords(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sum: Record<string, number> = { ...a };
  for (const [code, count] of Object.entries(b)) sum[code] = (sum[code] ?? 0) + count;
  return sum;
}

function addRefusals(a: readonly RefusalCount[], b: readonly RefusalCount[]): readonly RefusalCount[] {
  const sum = new Map<string, RefusalCount>();
  for (const row of [...a, ...b]) {
    const key = `${row.door} ${row.code}`;
    sum.set(key, { ...row, count: row.count + (sum.get(key)?.count ?? 0) });
  }
  return [...sum.values()];
}

/** Where together there are too many, those seen last. */
function addUnknown(a: readonly UnknownDestination[], b: readonly UnknownDestination[]): readonly UnknownDestination[] {
  const sum = new Map(a.map((one) => [one.id, one]));
  for (const one of b) {
    const { count = 0, lastSeenMs = 0 } = sum.get(one.id) ?? {};
    sum.set(one.id, { id: one.id, count: count + one.count, lastSeenMs: Math.max(lastSeenMs, one.lastSeenMs) });
  }
  const all = [...sum.values()];
  if (all.length <= UNKNOWN_DESTINATIONS_MAX) return all;
  return all.sort((one, other) => other.lastSeenMs - one.lastSeenMs).slice(0, UNKNOWN_DESTINATIONS_MAX);
}

function addLatency(a: RequestLatency, b: RequestLatency | undefined): RequestLatency {
  if (b === undefined) return a;
  return { ...a, counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)), sumMs: a.sumMs + b.sumMs };
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
