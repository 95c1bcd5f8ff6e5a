/**
 * Remembers the reasons of causes that were seen before. Most decisions of a process have one of a few dozen sets of
 * causes, and spelling their reasons out costs 2 us.
 *
 * Causes are compared by what they hold: the same GPP string may have been judged twice.
 * @module
 */
import type { GppVerdict } from '../signals/gpp/verdict.js';
import type { Causes, Reason } from './decision.js';

/** Sets of causes that are remembered; one that is new takes the place of one with the same hash. A power of two. */
const SLOT_COUNT = 512;

/** The reasons of one set of causes. Shared and frozen, so the same causes have the same arrays while remembered. */
export interface Explanation {
  readonly reasons: readonly Reason[];
  readonly codes: readonly string[];
}

interface Slot extends Explanation {
  readonly causes: Causes;
}

export class ReasonMemo {
  readonly #reasonsOf: (causes: Causes) => readonly Reason[];
  readonly #slots: (Slot | undefined)[] = new Array<Slot | undefined>(SLOT_COUNT).fill(undefined);

  constructor(reasonsOf: (causes: Causes) => readonly Reason[]) {
    this.#reasonsOf = reasonsOf;
  }

  /** HOT. */
  explain(causes: Causes): Explanation {
    const index = hashOf(causes) & (SLOT_COUNT - 1);
    const known = this.#slots[index];
    if (known !== undefined && areSame(known.causes, causes)) return known;
    const reasons = this.#reasonsOf(causes);
    for (const reason of reasons) Object.freeze(reason);
    const slot = { causes, reasons, codes: Object.freeze(reasons.map((reason) => reason.code)) };
    this.#slots[index] = slot;
    return slot;
  }
}

function hashOf(causes: Causes): number {
  let hash = Math.imul(causes.bits, 0x9e3779b1) ^ Math.imul(causes.sectionMask, 0x85ebca6b);
  hash ^= Math.imul(causes.missingMask, 0xc2b2ae35) ^ Math.imul(causes.hitKinds, 0x27d4eb2f);
  hash = mixed(mixed(hash ^ causes.hitRights, causes.verdict), causes.verdictExt);
  return hash ^ (hash >>> 15) ^ (hash >>> 23);
}

function mixed(hash: number, verdict: GppVerdict | null): number {
  if (verdict === null) return Math.imul(hash ^ 1, 0x01000193);
  const { sectionIds, findings } = verdict;
  let mix = hash;
  for (let index = 0; index < sectionIds.length; index++) {
    mix = Math.imul(mix ^ sectionIds[index]!, 0x01000193) ^ Math.imul(findings[index]!, 0x9e3779b1);
  }
  return mix;
}

function areSame(a: Causes, b: Causes): boolean {
  return (
    a.bits === b.bits &&
    a.sectionMask === b.sectionMask &&
    a.missingMask === b.missingMask &&
    a.hitKinds === b.hitKinds &&
    a.hitRights === b.hitRights &&
    saySame(a.verdict, b.verdict) &&
    saySame(a.verdictExt, b.verdictExt)
  );
}

/** Reasons are made of sections and findings alone. */
function saySame(a: GppVerdict | null, b: GppVerdict | null): boolean {
  if (a === b) return true;
  if (a === null || b === null || a.sectionIds.length !== b.sectionIds.length) return false;
  for (let index = 0; index < a.sectionIds.length; index++) {
    if (a.sectionIds[index] !== b.sectionIds[index] || a.findings[index] !== b.findings[index]) return false;
  }
  return true;
}
