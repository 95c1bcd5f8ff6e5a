/**
 * Gives each combination of reasons one object, found from the causes of a decision without building its reasons.
 *
 * Building the reasons of a decision takes 2 us; there are few combinations, so each is built once. Two decisions share
 * an object only if everything that makes a reason code is equal: the hash finds candidates, a comparison decides.
 * @module
 */
import type { Causes, Decision } from '../../core/policy/decision.js';
import type { GppVerdict } from '../../core/signals/gpp/verdict.js';

/** Combinations kept at once. When there are more, all are let go and found anew; counts are kept. */
export const REASON_SETS_MAX = 4096;

/** One combination, and how often it was counted since it was made. */
export interface ReasonSet {
  readonly codes: readonly string[];
  readonly causes: Causes;
  count: number;
  /** Where a batch of the decision log has it; see DecisionBuffer. */
  batchSerial: number;
  batchIndex: number;
}

export class ReasonSets {
  #byHash = new Map<number, ReasonSet[]>();
  #setCount = 0;
  /** Counts of combinations that were let go. */
  readonly #folded = new Map<string, number>();

  constructor(private readonly setsMax = REASON_SETS_MAX) {
    if (!(setsMax >= 1)) throw new RangeError('setsMax: expected at least 1');
  }

  /** HOT. The set of a decision's reasons. Does not count. */
  of(decision: Decision): ReasonSet {
    const { causes } = decision;
    const hash = hashOf(causes);
    const candidates = this.#byHash.get(hash);
    if (candidates !== undefined) {
      for (let index = 0; index < candidates.length; index++) {
        const candidate = candidates[index]!;
        if (isSame(candidate.causes, causes)) return candidate;
      }
    }
    return this.#add(hash, decision);
  }

  /** Decisions that had each reason code, as a copy. */
  counts(): Record<string, number> {
    const totals = new Map(this.#folded);
    for (const sets of this.#byHash.values()) fold(sets, totals);
    return Object.fromEntries(totals);
  }

  get setCount(): number {
    return this.#setCount;
  }

  #add(hash: number, decision: Decision): ReasonSet {
    if (this.#setCount >= this.setsMax) {
      for (const sets of this.#byHash.values()) fold(sets, this.#folded);
      this.#byHash = new Map();
      this.#setCount = 0;
    }
    const codes = Object.freeze([...decision.reasons]);
    const added: ReasonSet = { codes, causes: decision.causes, count: 0, batchSerial: -1, batchIndex: 0 };
    const others = this.#byHash.get(hash);
    if (others === undefined) this.#byHash.set(hash, [added]);
    else others.push(added);
    this.#setCount++;
    return added;
  }
}

function fold(sets: readonly ReasonSet[], into: Map<string, number>): void {
  for (const { codes, count } of sets) {
    if (count === 0) continue;
    for (const code of codes) into.set(code, (into.get(code) ?? 0) + count);
  }
}

/** HOT. */
function hashOf(causes: Causes): number {
  const { verdict, verdictExt, sectionMask } = causes;
  let hash = Math.imul(causes.bits ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + causes.hitKinds, 0xc2b2ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + causes.missingMask, 0x85ebca6b);
  if (verdict !== null) hash = hashVerdict(hash, verdict, sectionMask);
  if (verdictExt !== null) hash = hashVerdict(hash ^ 0x5bd1e995, verdictExt, sectionMask);
  return (hash ^ (hash >>> 16)) | 0;
}

function hashVerdict(start: number, { sectionIds, findings }: GppVerdict, sectionMask: number): number {
  let hash = start;
  for (let index = 0; index < sectionIds.length; index++) {
    const id = sectionIds[index]!;
    if ((sectionMask & (1 << id)) === 0 || findings[index] === 0) continue;
    hash = Math.imul((hash ^ (hash >>> 15)) + findings[index]! + (id << 24), 0xc2b2ae35);
  }
  return hash;
}

/** HOT. Whether both give the same reason codes in the same order; `hitRights` decides what is stripped, not a code. */
function isSame(a: Causes, b: Causes): boolean {
  return (
    a.bits === b.bits &&
    a.hitKinds === b.hitKinds &&
    a.missingMask === b.missingMask &&
    saysSame(a.verdict, a.sectionMask, b.verdict, b.sectionMask) &&
    saysSame(a.verdictExt, a.sectionMask, b.verdictExt, b.sectionMask)
  );
}

function saysSame(a: GppVerdict | null, maskA: number, b: GppVerdict | null, maskB: number): boolean {
  if (a === b && maskA === maskB) return true;
  if (a === null) return findsNothing(b, maskB);
  if (b === null) return findsNothing(a, maskA);
  let at = 0;
  for (let index = 0; index < a.sectionIds.length; index++) {
    const id = a.sectionIds[index]!;
    if ((maskA & (1 << id)) === 0 || a.findings[index] === 0) continue;
    at = nextThatFinds(b, maskB, at);
    if (b.sectionIds[at] !== id || b.findings[at] !== a.findings[index]) return false;
    at++;
  }
  return nextThatFinds(b, maskB, at) === b.sectionIds.length;
}

function findsNothing(verdict: GppVerdict | null, sectionMask: number): boolean {
  return verdict === null || nextThatFinds(verdict, sectionMask, 0) === verdict.sectionIds.length;
}

/** The next index from `at` of a section that applies and has a finding; the count of sections if there is none. */
function nextThatFinds({ sectionIds, findings }: GppVerdict, sectionMask: number, at: number): number {
  let index = at;
  while (index < sectionIds.length && ((sectionMask & (1 << sectionIds[index]!)) === 0 || findings[index] === 0)) {
    index++;
  }
  return index;
}
