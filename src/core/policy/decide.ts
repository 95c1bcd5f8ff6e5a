/**
 * The decision: a pure function of what is known about one request, one destination and the table's state.
 *
 * Every cause can only add to what is stripped, and every action only gets stricter, so an additional opt-out can never
 * loosen a decision (DESIGN: "adding an opt-out never makes a decision looser").
 * @module
 */
import type { GppVerdict } from '../signals/gpp/verdict.js';
import type { Action } from '../vocabulary.js';
import { CAUSE, type CompiledRules, stripFor } from './compile.js';
import { Decision } from './decision.js';
import type { CompiledDestination, CompiledTerms } from './destinations.js';
import { isStateOrAbroad, type Jurisdiction } from './jurisdiction.js';

const TABLE_UNSURE = CAUSE.tableNotLoaded | CAUSE.tableStale | CAUSE.tableBehind;

/** What is known of one request, whoever it may go to. Reused from call to call. */
export interface Evidence {
  /** Bits of the causes found so far (`CAUSE`). */
  causes: number;
  verdict: GppVerdict | null;
  verdictExt: GppVerdict | null;
  sectionMask: number;
  missingMask: number;
  /** The identifiers that hit, as pairs of kind tag and rights mask. */
  readonly hits: Int32Array;
  hitCount: number;
  jurisdiction: Jurisdiction;
  /** The device is in one state and the person at home in another. */
  placeDisputed: boolean;
  seq: number | null;
  /** The table was not loaded, stale or behind, whether or not anything was looked up. */
  stale: boolean;
  nowMs: number;
}

/** HOT. Decides for one destination. Allocates the decision and its causes, nothing else. */
export function decide(evidence: Evidence, destination: CompiledDestination, rules: CompiledRules): Decision {
  const terms = termsFor(destination, evidence);
  const exempt = terms.exempt && evidence.nowMs < terms.contractEndsMs;
  const { causes, verdict, verdictExt, sectionMask, missingMask } = evidence;

  const findings =
    (verdict === null ? 0 : findingsOf(verdict, sectionMask)) |
    (verdictExt === null ? 0 : findingsOf(verdictExt, sectionMask));
  let hitKinds = 0;
  let hitRights = 0;
  for (let index = 0; index < evidence.hitCount; index++) {
    const rights = evidence.hits[2 * index + 1]! & terms.coverMask;
    if (rights === 0) continue;
    hitKinds |= 1 << evidence.hits[2 * index]!;
    hitRights |= rights;
  }

  let strip = stripAll(rules, causes, findings, missingMask, hitRights, false);
  let bits = causes | destinationCauses(terms, evidence.nowMs);
  if (exempt && strip !== 0) {
    const binding = stripAll(rules, causes, findings, missingMask, hitRights, true);
    if (binding !== strip) bits |= terms.role === 'contractor' ? CAUSE.exemptContractor : CAUSE.exemptServiceProvider;
    strip = binding;
  }
  return new Decision(
    actionFor(strip, bits, terms, rules),
    strip,
    evidence.seq,
    evidence.stale,
    evidence.jurisdiction,
    { bits, verdict, verdictExt, sectionMask, missingMask, hitKinds, hitRights },
    rules,
  );
}

function stripAll(
  rules: CompiledRules,
  causes: number,
  findings: number,
  missingMask: number,
  hitRights: number,
  exempt: boolean,
): number {
  return (
    stripFor(rules.causes, causes, exempt) |
    (findings === 0 ? 0 : stripFor(rules.findings, findings, exempt)) |
    (hitRights === 0 ? 0 : stripFor(rules.rights, hitRights, exempt)) |
    (missingMask === 0 ? 0 : exempt ? rules.missingBinding : rules.missingStrip)
  );
}

/** HOT. The findings of the sections that apply. */
function findingsOf(verdict: GppVerdict, sectionMask: number): number {
  const { sectionIds, findings } = verdict;
  let union = 0;
  for (let index = 0; index < sectionIds.length; index++) {
    if ((sectionMask & (1 << sectionIds[index]!)) !== 0) union |= findings[index]!;
  }
  return union;
}

/** The causes in what a destination is: unknown, or without the contract that its role needs. */
export function destinationCauses(terms: CompiledTerms, nowMs: number): number {
  if (!terms.known) return CAUSE.destinationUnknown;
  if (!terms.needsContract || nowMs < terms.contractEndsMs) return 0;
  return terms.hasContract ? CAUSE.contractExpired : CAUSE.contractMissing;
}

/** HOT. The terms where the person is; the strictest of all where that is not certain. */
function termsFor(destination: CompiledDestination, { jurisdiction, placeDisputed }: Evidence): CompiledTerms {
  if (destination.states === null) return destination.base;
  if (placeDisputed || !isStateOrAbroad(jurisdiction)) return destination.strictest;
  return destination.states.get(jurisdiction) ?? destination.base;
}

/** The strictest action any cause asks for. */
function actionFor(strip: number, bits: number, terms: CompiledTerms, rules: CompiledRules): Action {
  if (strip === 0) return 'allow';
  if (terms.blocks) return 'block';
  return (bits & TABLE_UNSURE) !== 0 && rules.policy.table.onStale === 'block' ? 'block' : 'restrict';
}
