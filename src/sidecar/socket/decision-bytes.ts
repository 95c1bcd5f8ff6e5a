/**
 * The bytes of a decision, all but its seq, written once for decisions that say the same. Most of a day's say one of a few
 * dozen things, and writing their texts anew took 1.2 us, against 0.03.
 * @module
 */
import type { Decision } from '../../core/policy/decision.js';
import { MsgpackWriter } from '../../wire/msgpack-writer.js';

/** Members that {@link decisionBytes} holds; `seq` comes after. */
export const DECISION_MEMBER_COUNT = 6;
/** Decisions remembered for one list of reasons: they differ in jurisdiction, destination's terms and staleness. */
const KEPT_PER_REASONS_MAX = 64;

interface Kept {
  readonly action: string;
  readonly stripMask: number;
  readonly stale: boolean;
  readonly jurisdiction: string;
  readonly policyVersion: string;
  readonly bytes: Buffer;
}

/** Decisions with the same causes share one list of reasons (core/policy/reason-memo.ts); what goes with it goes here. */
const keptByReasons = new WeakMap<readonly string[], Kept[]>();
const writer = new MsgpackWriter(1024);

/** HOT. Six members of a map, without its header. */
export function decisionBytes(decision: Decision): Buffer {
  const { reasons, action, stripMask, stale, jurisdiction, policyVersion } = decision;
  let kept = keptByReasons.get(reasons);
  if (kept === undefined) {
    kept = [];
    keptByReasons.set(reasons, kept);
  }
  for (let index = 0; index < kept.length; index++) {
    const row = kept[index]!;
    if (
      row.action === action &&
      row.stripMask === stripMask &&
      row.stale === stale &&
      row.jurisdiction === jurisdiction &&
      row.policyVersion === policyVersion
    ) {
      return row.bytes;
    }
  }
  const bytes = write(decision);
  if (kept.length === KEPT_PER_REASONS_MAX) kept.length = 0;
  kept.push({ action, stripMask, stale, jurisdiction, policyVersion, bytes });
  return bytes;
}

function write({ action, strip, reasons, stale, jurisdiction, policyVersion }: Decision): Buffer {
  const members = Object.entries({ action, strip, reasons, stale, jurisdiction, policyVersion });
  for (const [name, value] of members) {
    writer.text(name);
    writer.value(value);
  }
  return writer.take();
}
