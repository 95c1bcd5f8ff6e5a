/**
 * Under which terms rows leave for a destination: decided as the gate decides, by the same rules.
 *
 * What must stay true: a right that binds service providers, too (child, deletion), keeps its person out whatever the
 * exemption; and a row says nothing of its state, so the strictest of a destination's terms hold.
 * @module
 */
import { CAUSE, compileRules, stripFor } from '../core/policy/compile.js';
import { destinationCauses } from '../core/policy/decide.js';
import { anyThirdParty, compileDestination, type Destination, type Purpose } from '../core/policy/destinations.js';
import type { Policy } from '../core/policy/policy.js';
import { CAUSE_RULES, type CauseName } from '../core/policy/rules.js';
import { GPP_FINDINGS } from '../core/signals/gpp/findings.js';
import { prefixOf } from '../core/signals/gpp/sections.js';
import { RIGHTS } from '../core/vocabulary.js';

/** Which rows may not leave. `rightsMask`: a person with any of these rights stays behind; see `rightsMask()`. */
export type ExportTerms =
  /** A service provider or contractor under a live contract, for a purpose that the law leaves open to them. */
  | { readonly kind: 'exempt'; readonly exemption: string; readonly rightsMask: number }
  /** Everybody else. `reason` is a stable code, as in a decision of the gate. */
  | { readonly kind: 'filter'; readonly reason: string; readonly rightsMask: number };

export interface ExportTermsOptions {
  readonly policy: Policy;
  /** Id in the policy's data inventory. */
  readonly destination: string;
  readonly purpose: Purpose;
  /** Milliseconds since the epoch: decides whether a contract is live. */
  readonly now: number;
}

/**
 * The terms of an export.
 * @throws {TypeError} where `policy` was not made by `parsePolicy`.
 * @example
 * exportTerms({ policy, destination: 'acme', purpose: 'audience', now: Date.now() });
 * // { kind: 'filter', reason: 'destination.third_party', rightsMask: 127 }
 */
export function exportTerms({ policy, destination, purpose, now }: ExportTermsOptions): ExportTerms {
  const rules = compileRules(policy, { findings: GPP_FINDINGS, prefixOf });
  const row = policy.destinations.find(({ id }) => id === destination);
  const isDeclared = row !== undefined && declaresPurpose(row, purpose);
  const { strictest: terms } =
    row === undefined
      ? anyThirdParty(policy.exemptPurposes, false)
      : compileDestination(forPurpose(row, purpose, isDeclared), policy.exemptPurposes);
  const isExempt = terms.exempt && now < terms.contractEndsMs;
  let rightsMask = 0;
  for (let bit = 0; bit < RIGHTS.length; bit++) {
    if (stripFor(rules.rights, 1 << bit, isExempt) !== 0) rightsMask |= 1 << bit;
  }
  rightsMask &= terms.coverMask;
  if (isExempt) {
    const exemption = terms.role === 'contractor' ? CAUSE_RULES.exemptContractor : CAUSE_RULES.exemptServiceProvider;
    return { kind: 'exempt', exemption: exemption.code, rightsMask };
  }
  const causes = destinationCauses(terms, now);
  const cause = (Object.keys(CAUSE_RULES) as CauseName[]).find((name) => (causes & CAUSE[name]) !== 0);
  if (cause !== undefined) return { kind: 'filter', reason: CAUSE_RULES[cause].code, rightsMask };
  if (row !== undefined && !isDeclared) return { kind: 'filter', reason: 'purpose.undeclared', rightsMask };
  const reason = terms.role === 'third_party' ? 'destination.third_party' : 'purpose.not_exempt';
  return { kind: 'filter', reason, rightsMask };
}

/** Whether the inventory names the purpose, in every state that differs too. */
function declaresPurpose({ purposes, states }: Destination, purpose: Purpose): boolean {
  return [purposes, ...Object.values(states).map((terms) => terms.purposes ?? purposes)].every((some) =>
    some.includes(purpose),
  );
}

/** The destination as it is for one purpose. For a purpose nobody declared it is a third party. */
function forPurpose(row: Destination, purpose: Purpose, isDeclared: boolean): Destination {
  if (!isDeclared) return { ...row, role: 'third_party', purposes: [...row.purposes, purpose], states: {} };
  const states = Object.entries(row.states).map(
    ([state, terms]) => [state, { ...terms, purposes: [purpose] }] as const,
  );
  return { ...row, purposes: [purpose], states: Object.fromEntries(states) };
}
