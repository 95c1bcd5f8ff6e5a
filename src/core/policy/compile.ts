/**
 * Turns the rules and a policy into masks, so that deciding is a few ANDs.
 * @module
 */
import type { GppVerdict } from '../signals/gpp/verdict.js';
import { RIGHTS, rightsMask, STRIP_ALL, stripMask } from '../vocabulary.js';
import type { Causes } from './decision.js';
import { assertPolicy, type Policy } from './policy.js';
import { type Explanation, ReasonMemo } from './reason-memo.js';
import { type GppNames, reasonsOf } from './reasons.js';
import { CAUSE_RULES, type CauseName, FINDING_RULES, RIGHT_RULES, type Rule, SECTION_MISSING_RULE } from './rules.js';

const CAUSE_NAMES = Object.keys(CAUSE_RULES) as CauseName[];

/** The bit of each cause. */
export const CAUSE = Object.fromEntries(CAUSE_NAMES.map((name, bit) => [name, 1 << bit])) as Readonly<
  Record<CauseName, number>
>;

const CHILD_RIGHT = rightsMask(['child']);

/** Signals a policy may decide not to hear at all; without their consequence they are not worth a reason either. */
const SILENCEABLE: readonly CauseName[] = ['lmt', 'dnt', 'att'];

/** The bits of one table that strip one set of groups. */
export interface StripRow {
  readonly strip: number;
  readonly mask: number;
  /** The part of `mask` that no service provider is exempt from. */
  readonly binding: number;
}

export interface CompiledRules {
  readonly policy: Policy;
  readonly causes: readonly StripRow[];
  readonly findings: readonly StripRow[];
  readonly rights: readonly StripRow[];
  readonly missingStrip: number;
  /** What of that binds service providers. */
  readonly missingBinding: number;
  /** Causes this policy does not hear; cleared before anything else looks. */
  readonly silenced: number;
  explain(causes: Causes): Explanation;
  concernsChild(causes: Causes): boolean;
}

/** @throws {TypeError} where `policy` was not made by `parsePolicy`. */
export function compileRules(policy: Policy, names: GppNames): CompiledRules {
  assertPolicy(policy);
  const stripOf = (rule: Rule): number => (rule.off?.(policy) === true ? 0 : stripMask(rule.strip));
  const rows = (rules: readonly Rule[]) => stripRows(rules.map((rule) => [stripOf(rule), rule.exemptible]));
  const childFinding = 1 << names.findings.indexOf('childNoConsent');
  const memo = new ReasonMemo((causes) => reasonsOf(causes, policy, names));
  return {
    policy,
    causes: rows(Object.values(CAUSE_RULES)),
    findings: rows(names.findings.map((name) => FINDING_RULES[name])),
    rights: stripRows(RIGHTS.map((right) => [stripMask(RIGHT_RULES[right].strip), RIGHT_RULES[right].exemptible])),
    missingStrip: stripOf(SECTION_MISSING_RULE),
    missingBinding: SECTION_MISSING_RULE.exemptible ? 0 : stripOf(SECTION_MISSING_RULE),
    silenced: SILENCEABLE.reduce((mask, name) => (stripOf(CAUSE_RULES[name]) === 0 ? mask | CAUSE[name] : mask), 0),
    explain: (causes) => memo.explain(causes),
    concernsChild: (causes) => concernsChild(causes, childFinding),
  };
}

/** HOT. */
function concernsChild(causes: Causes, childFinding: number): boolean {
  const { bits, hitRights, verdict, verdictExt, sectionMask } = causes;
  return (
    (bits & CAUSE.coppa) !== 0 ||
    (hitRights & CHILD_RIGHT) !== 0 ||
    (verdict !== null && hasFinding(verdict, sectionMask, childFinding)) ||
    (verdictExt !== null && hasFinding(verdictExt, sectionMask, childFinding))
  );
}

/** HOT. Whether a section that applies has a finding. */
function hasFinding({ sectionIds, findings }: GppVerdict, sectionMask: number, finding: number): boolean {
  for (let index = 0; index < sectionIds.length; index++) {
    if ((sectionMask & (1 << sectionIds[index]!)) !== 0 && (findings[index]! & finding) !== 0) return true;
  }
  return false;
}

/** One row for each distinct set of groups, the full set first because it is the common one. */
function stripRows(rules: readonly (readonly [strip: number, exemptible: boolean])[]): readonly StripRow[] {
  const masks = new Map<number, { mask: number; binding: number }>();
  for (const [bit, [strip, exemptible]] of rules.entries()) {
    if (strip === 0) continue;
    const row = masks.get(strip) ?? { mask: 0, binding: 0 };
    row.mask |= 1 << bit;
    if (!exemptible) row.binding |= 1 << bit;
    masks.set(strip, row);
  }
  const isFull = (row: StripRow) => Number(row.strip === STRIP_ALL);
  return [...masks].map(([strip, row]) => ({ strip, ...row })).sort((a, b) => isFull(b) - isFull(a));
}

/** HOT. The groups that the set bits strip. */
export function stripFor(rows: readonly StripRow[], bits: number, exempt: boolean): number {
  let strip = 0;
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    if ((bits & (exempt ? row.binding : row.mask)) !== 0) strip |= row.strip;
  }
  return strip;
}
