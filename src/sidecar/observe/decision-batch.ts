/**
 * Decisions on their way from the thread that made them into the decision log: columns, so that a batch is cheap to fill, to
 * post and to keep. It holds what the decision was, and nothing of the request.
 * @module
 */

import { stripList } from '../../core/policy/decision.js';
import { OUTSIDE_US, STATES, UNKNOWN_JURISDICTION, US_STATE_UNKNOWN } from '../../core/policy/jurisdiction.js';
import type { Action, StripGroup } from '../../core/vocabulary.js';
import type { DoorName, Operation } from '../door.js';
import { ACTIONS, DOORS, OPERATIONS } from './door-counts.js';

/** One decision, as the log gives it out. */
export interface DecisionRecord {
  /** Wall clock, ms since 1970. */
  readonly timeMs: number;
  readonly door: DoorName;
  readonly operation: Operation;
  /** Id in the policy's inventory; `null`: none was named, or one the policy does not list (`destination.unknown`). */
  readonly destination: string | null;
  readonly action: Action;
  readonly reasons: readonly string[];
  readonly strip: readonly StripGroup[];
  readonly seq: number | null;
  readonly epoch: string | null;
  readonly stale: boolean;
  readonly jurisdiction: string;
  readonly policyVersion: string;
}

/** Plain and cloneable. All of one epoch and one policy. */
export interface DecisionBatch {
  readonly epoch: string | null;
  readonly policyVersion: string;
  readonly count: number;
  readonly timesMs: Float64Array;
  /** NaN: no table. */
  readonly seqs: Float64Array;
  /** See {@link packFlags}. */
  readonly flags: Uint32Array;
  /** Index into `reasonSets`. */
  readonly reasons: Uint16Array;
  /** Index into `destinationIds` plus one; 0: none. */
  readonly destinations: Uint16Array;
  readonly reasonSets: readonly (readonly string[])[];
  readonly destinationIds: readonly string[];
}

/** Bytes of the columns per record. */
const RECORD_BYTES = 8 + 8 + 4 + 2 + 2;
const BATCH_BYTES = 512;

const JURISDICTIONS: readonly string[] = [UNKNOWN_JURISDICTION, US_STATE_UNKNOWN, OUTSIDE_US, ...STATES];
const JURISDICTION_INDEX = new Map(JURISDICTIONS.map((jurisdiction, index) => [jurisdiction, index]));

/** HOT. What has few values, in one integer. */
export function packFlags(
  doorIndex: number,
  operationIndex: number,
  actionIndex: number,
  stale: boolean,
  stripMask: number,
  jurisdiction: string,
): number {
  const place = JURISDICTION_INDEX.get(jurisdiction) ?? 0;
  return actionIndex | (doorIndex << 2) | (operationIndex << 4) | (stale ? 64 : 0) | (stripMask << 8) | (place << 16);
}

export function recordAt(batch: DecisionBatch, index: number): DecisionRecord {
  const flags = batch.flags[index] ?? 0;
  const seq = batch.seqs[index] ?? Number.NaN;
  const destination = batch.destinations[index] ?? 0;
  return {
    timeMs: batch.timesMs[index] ?? 0,
    door: DOORS[(flags >> 2) & 3] ?? 'http',
    operation: OPERATIONS[(flags >> 4) & 3] ?? 'check',
    destination: destination === 0 ? null : (batch.destinationIds[destination - 1] ?? null),
    action: ACTIONS[flags & 3] ?? 'block',
    reasons: batch.reasonSets[batch.reasons[index] ?? 0] ?? [],
    strip: stripList((flags >> 8) & 255),
    seq: Number.isNaN(seq) ? null : seq,
    epoch: batch.epoch,
    stale: (flags & 64) !== 0,
    jurisdiction: JURISDICTIONS[(flags >> 16) & 255] ?? UNKNOWN_JURISDICTION,
    policyVersion: batch.policyVersion,
  };
}

/** One JSON object a line, of every record: what is the same in many lines is put into words once. */
export function batchLines(batch: DecisionBatch): string {
  const reasons = batch.reasonSets.map((codes) => JSON.stringify(codes));
  const destinations = ['null', ...batch.destinationIds.map((id) => JSON.stringify(id))];
  const ends = new Map<number, string>();
  const batchEnd = `"epoch":${JSON.stringify(batch.epoch)},"policyVersion":${JSON.stringify(batch.policyVersion)}}\n`;
  let lines = '';
  for (let index = 0; index < batch.count; index++) {
    const flags = batch.flags[index] ?? 0;
    let end = ends.get(flags);
    if (end === undefined) {
      const { door, operation, action, strip, stale, jurisdiction } = recordAt(batch, index);
      const rest = JSON.stringify({ door, operation, action, strip, stale, jurisdiction });
      end = `${rest.slice(1, -1)},${batchEnd}`;
      ends.set(flags, end);
    }
    const seq = batch.seqs[index] ?? Number.NaN;
    lines +=
      `{"timeMs":${batch.timesMs[index]},"seq":${Number.isNaN(seq) ? 'null' : seq},` +
      `"destination":${destinations[batch.destinations[index] ?? 0]},` +
      `"reasons":${reasons[batch.reasons[index] ?? 0]},${end}`;
  }
  return lines;
}

/** Memory a batch takes, near enough to bound it. */
export function batchBytes({ count, reasonSets, destinationIds }: DecisionBatch): number {
  let bytes = BATCH_BYTES + count * RECORD_BYTES;
  for (const codes of reasonSets) for (const code of codes) bytes += 16 + code.length;
  for (const id of destinationIds) bytes += 16 + 2 * id.length;
  return bytes;
}
