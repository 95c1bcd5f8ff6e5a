/**
 * The decision, written out plainly with names and sets instead of masks. Slow on purpose.
 * @module
 */
import type { Destination } from '../../src/core/policy/destinations.js';
import { EXEMPT_PURPOSES, RIGHT_COVERS } from '../../src/core/policy/destinations.js';
import type { Policy } from '../../src/core/policy/policy.js';
import {
  CAUSE_RULES,
  type CauseName,
  FINDING_RULES,
  RIGHT_RULES,
  type Rule,
  SECTION_MISSING_RULE,
} from '../../src/core/policy/rules.js';
import type { GppFinding } from '../../src/core/signals/gpp/findings.js';
import type { Action, Right } from '../../src/core/vocabulary.js';

export interface PlainEvidence {
  readonly causes: readonly CauseName[];
  readonly findings: readonly GppFinding[];
  readonly sectionMissing: boolean;
  /** The rights of each identifier that hit. */
  readonly hits: readonly (readonly Right[])[];
  readonly state: string;
  readonly placeDisputed: boolean;
  readonly nowMs: number;
}

export function decidePlainly(evidence: PlainEvidence, destination: Destination, policy: Policy) {
  const certain = !evidence.placeDisputed && !['US', 'unknown'].includes(evidence.state);
  const overrides = certain ? [destination.states[evidence.state] ?? {}] : [{}, ...Object.values(destination.states)];
  const candidates = overrides.map((override) => ({ ...destination, ...override }));
  const { contract } = destination;
  const contractLive =
    contract !== null && (contract.expires === null || evidence.nowMs < Date.parse(contract.expires) + 86_400_000);
  const exempt = candidates.every(
    (terms) =>
      terms.role !== 'third_party' &&
      contractLive &&
      terms.purposes.length > 0 &&
      terms.purposes.every((purpose) => purpose in EXEMPT_PURPOSES && policy.exemptPurposes[purpose as never]),
  );
  const purposes = candidates.flatMap((terms) => terms.purposes);
  const blocks = candidates.some((terms) => terms.whenOptedOut === 'block');

  const rules: Pick<Rule, 'strip' | 'exemptible' | 'off'>[] = [
    ...evidence.causes.map((name): Rule => CAUSE_RULES[name]),
    ...evidence.findings.map((name) => FINDING_RULES[name]),
    ...evidence.hits
      .flat()
      .filter((right) => purposes.some((purpose) => RIGHT_COVERS[right].includes(purpose)))
      .map((right) => RIGHT_RULES[right]),
  ];
  if (evidence.sectionMissing) rules.push(SECTION_MISSING_RULE);

  const strip = new Set(
    rules.filter((rule) => rule.off?.(policy) !== true && !(exempt && rule.exemptible)).flatMap((rule) => rule.strip),
  );
  const unsure = evidence.causes.some((name) => name.startsWith('table'));
  let action: Action = 'allow';
  if (strip.size > 0) action = blocks ? 'block' : 'restrict';
  if (strip.size > 0 && unsure && policy.table.onStale === 'block') action = 'block';
  return { action, strip };
}
