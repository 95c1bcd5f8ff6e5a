/**
 * The policy: every switch a deployment has, as one immutable value with named defaults.
 *
 * A policy is made by `parsePolicy` (src/policy-file) or is `DEFAULT_POLICY`; the gate accepts no other object, so
 * nothing downstream checks it again. The defaults are never looser than the strictest of Prebid.js and Prebid Server
 * Java on the same request; each switch that makes optgate looser says so here and is off.
 * @module
 */
import type { Destination, ExemptPurpose } from './destinations.js';

export interface Policy {
  /** Named in every decision. */
  readonly version: string;
  /** `by_state`: GPC counts only where a state's law asks for it, from its date on. Looser. */
  readonly honor: 'everywhere' | 'by_state';
  /** GPC of a request from a known country outside the US. `ignore` is looser. */
  readonly gpcOutsideUs: 'honor' | 'ignore';
  readonly signals: {
    readonly lmt: 'honor' | 'ignore';
    readonly dnt: 'honor' | 'ignore';
    readonly att: 'honor' | 'ignore';
    /** A signal that is there but breaks its specification. `ignore` is looser (Prebid Server's result). */
    readonly malformed: 'restrict' | 'ignore';
    /** What `""` means in `us_privacy` and `gpp`. `absent` is looser. */
    readonly empty: 'malformed' | 'absent';
  };
  readonly gpp: {
    /** `gpp_sid` lists a US section that the string does not hold. `ignore` is looser (Prebid Server Java's result). */
    readonly sectionMissing: 'restrict' | 'ignore';
    /** A listed section that cannot be decoded, or holds a value the specification does not know. */
    readonly sectionMalformed: 'restrict' | 'ignore';
    /** A listed section of a version not known to this release. */
    readonly versionUnknown: 'restrict' | 'ignore';
    /** `gpp_sid` lists an id above 27, which no specification assigns yet. */
    readonly sectionUnknown: 'restrict' | 'ignore';
    /** A string without `gpp_sid`: judge every US section in it, or none. `ignore` is looser (Prebid's result). */
    readonly withoutSid: 'judge' | 'ignore';
    /** PersonalDataConsents = 2, which Prebid denies. `allow` is looser. */
    readonly personalDataConsent: 'restrict' | 'allow';
    /** MspaCoveredTransaction = 0, not legal, which Prebid.js denies. `allow` is looser. */
    readonly coveredTransactionZero: 'restrict' | 'allow';
  };
  readonly table: {
    /** Age of the table's last proof of freshness, in milliseconds, beyond which it is stale. */
    readonly staleAfterMs: number;
    /** What a request with identifiers gets from a stale, behind or never loaded table. `allow` is looser. */
    readonly onStale: 'restrict' | 'block' | 'allow';
  };
  readonly restrict: {
    readonly ipv4KeepBits: number;
    readonly ipv6KeepBits: number;
    /** Latitude and longitude: two decimals, or gone. */
    readonly coordinates: 'round' | 'remove';
  };
  readonly identifiers: {
    /** `account:<namespace>` that `user.id` is looked up under; `null` = not at all. */
    readonly userIdNamespace: string | null;
    /** The same for `user.buyeruid`. */
    readonly buyerUidNamespace: string | null;
  };
  readonly memo: {
    /** Distinct GPP strings whose verdict is kept. 0 turns the memo off. */
    readonly entryCountMax: number;
  };
  /** Purposes a service provider or contractor under a live contract may serve for an opted-out person. */
  readonly exemptPurposes: Readonly<Record<ExemptPurpose, boolean>>;
  /** The data inventory. Ids are unique. */
  readonly destinations: readonly Destination[];
}

const POLICIES = new WeakSet<object>();

/** Deep-freezes and mints: only for the policy parser, which has checked every field. */
export function mintPolicy(policy: Policy): Policy {
  freezeDeep(policy);
  POLICIES.add(policy);
  return policy;
}

/** @throws {TypeError} where the value did not come from `parsePolicy`. */
export function assertPolicy(policy: unknown): asserts policy is Policy {
  if (typeof policy !== 'object' || policy === null || !POLICIES.has(policy)) {
    throw new TypeError('policy: expected a value made by parsePolicy() or DEFAULT_POLICY');
  }
}

function freezeDeep(value: object): void {
  Object.freeze(value);
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) freezeDeep(inner);
  }
}

export const DEFAULT_POLICY: Policy = mintPolicy({
  version: 'default-1',
  honor: 'everywhere',
  gpcOutsideUs: 'honor',
  signals: { lmt: 'honor', dnt: 'honor', att: 'honor', malformed: 'restrict', empty: 'malformed' },
  gpp: {
    sectionMissing: 'restrict',
    sectionMalformed: 'restrict',
    versionUnknown: 'restrict',
    sectionUnknown: 'restrict',
    withoutSid: 'judge',
    personalDataConsent: 'restrict',
    coveredTransactionZero: 'restrict',
  },
  table: { staleAfterMs: 300_000, onStale: 'restrict' },
  restrict: { ipv4KeepBits: 24, ipv6KeepBits: 48, coordinates: 'round' },
  identifiers: { userIdNamespace: 'user.id', buyerUidNamespace: 'user.buyeruid' },
  memo: { entryCountMax: 10_000 },
  exemptPurposes: {
    contextual_ads: true,
    measurement: false,
    fraud_security: true,
    service_delivery: true,
    legal: true,
  },
  destinations: [],
});
