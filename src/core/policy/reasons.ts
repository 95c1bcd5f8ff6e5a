/**
 * Turns the masks a decision was made from back into reasons, in a fixed order. Off the hot path.
 * @module
 */
import type { GppFinding } from '../signals/gpp/findings.js';
import type { GppVerdict } from '../signals/gpp/verdict.js';
import { BASE_KINDS, RIGHTS, STRIP_GROUPS, type StripGroup } from '../vocabulary.js';
import type { Causes, Reason } from './decision.js';
import { STATE_LAWS } from './jurisdiction.js';
import type { Policy } from './policy.js';
import { CAUSE_RULES, FINDING_RULES, RIGHT_RULES, type Rule, SECTION_MISSING_RULE, suppressedRule } from './rules.js';

/** What the signals part knows of sections and findings, handed in because policy imports its types only. */
export interface GppNames {
  readonly findings: readonly GppFinding[];
  /** `usca` for 8. */
  readonly prefixOf: (sectionId: number) => string;
}

/** A set of sections is one integer; which ids exist is for the signals part to say. */
const MASK_BITS = 32;

/** Every reason the causes give under a policy, each code once. */
export function reasonsOf(causes: Causes, policy: Policy, names: GppNames): readonly Reason[] {
  const byCode = new Map<string, Reason>();
  for (const reason of allReasons(causes, policy, names)) {
    if (!byCode.has(reason.code)) byCode.set(reason.code, reason);
  }
  return Object.freeze([...byCode.values()]);
}

function* allReasons(causes: Causes, policy: Policy, names: GppNames): Generator<Reason> {
  for (const [bit, rule] of Object.values<Rule>(CAUSE_RULES).entries()) {
    if (causes.bits & (1 << bit)) yield toReason(rule, policy);
  }
  if (causes.verdict !== null) yield* sectionReasons(causes.verdict, causes.sectionMask, policy, names);
  if (causes.verdictExt !== null) yield* sectionReasons(causes.verdictExt, causes.sectionMask, policy, names);
  for (let id = 1; id < MASK_BITS; id++) {
    if (causes.missingMask & (1 << id)) yield ofSection(SECTION_MISSING_RULE, id, policy, names);
  }
  for (const [index, kind] of BASE_KINDS.entries()) {
    if ((causes.hitKinds & (1 << (index + 1))) === 0) continue;
    yield { ...toReason(suppressedRule(kind), policy), strip: strippedByRights(causes.hitRights) };
  }
}

function* sectionReasons(verdict: GppVerdict, sectionMask: number, policy: Policy, names: GppNames): Generator<Reason> {
  for (const [index, sectionId] of verdict.sectionIds.entries()) {
    if ((sectionMask & (1 << sectionId)) === 0) continue;
    const findings = verdict.findings[index] ?? 0;
    for (const [bit, name] of names.findings.entries()) {
      if (findings & (1 << bit)) yield ofSection(FINDING_RULES[name], sectionId, policy, names);
    }
  }
}

function ofSection(rule: Rule, sectionId: number, policy: Policy, names: GppNames): Reason {
  const law = STATE_LAWS.find((row) => row.gppSectionId === sectionId);
  const citation = law === undefined ? rule.citation : `${rule.citation}; ${law.citation}`;
  return { ...toReason(rule, policy), code: `gpp.${names.prefixOf(sectionId)}.${rule.code}`, citation };
}

function toReason(rule: Rule, policy: Policy): Reason {
  const { code, sentence, citation } = rule;
  return { code, sentence, citation, strip: rule.off?.(policy) === true ? [] : rule.strip };
}

function strippedByRights(hitRights: number): readonly StripGroup[] {
  const stripped = RIGHTS.filter((_, bit) => hitRights & (1 << bit)).flatMap((right) => RIGHT_RULES[right].strip);
  return STRIP_GROUPS.filter((group) => stripped.includes(group));
}
