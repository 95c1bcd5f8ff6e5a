/**
 * The data inventory: who may receive data, in which role, for which purposes, under which contract.
 *
 * A service provider or contractor with a live contract may go on receiving an opted-out person's data for the
 * purposes the law leaves open (`EXEMPT_PURPOSES`, each with its citation and its switch in the policy). Whoever has no
 * live contract is a third party (11 CCR 7051(c), 7053).
 * @module
 */
import { RIGHTS, type Right } from '../vocabulary.js';

export const PURPOSES = [
  'cross_context_ads',
  'audience',
  'measurement',
  'contextual_ads',
  'fraud_security',
  'service_delivery',
  'legal',
] as const;
export type Purpose = (typeof PURPOSES)[number];

export const ROLES = ['third_party', 'service_provider', 'contractor'] as const;
export type Role = (typeof ROLES)[number];

/** The ways data reaches a destination. */
export const DESTINATION_CHANNELS = ['bid', 'export', 'webhook'] as const;
export type DestinationChannel = (typeof DESTINATION_CHANNELS)[number];

/** What a destination may be, apart from its id; also what a state may say differently. */
export interface DestinationTerms {
  readonly role: Role;
  readonly purposes: readonly Purpose[];
  /** What an opted-out request becomes for this destination. */
  readonly whenOptedOut: 'restrict' | 'block';
}

export interface Destination extends DestinationTerms {
  readonly id: string;
  /** `expires`: last day the contract is in force, `YYYY-MM-DD`, UTC; `null` = until terminated. */
  readonly contract: { readonly reference: string; readonly expires: string | null } | null;
  /** Terms that differ by state, keyed by its two letters. */
  readonly states: Readonly<Record<string, Partial<DestinationTerms>>>;
  // what follows is for people who read the inventory; no decision depends on it
  /** Categories of data that go there, in the words of whoever keeps the inventory. */
  readonly dataCategories?: readonly string[] | undefined;
  /** Where notices of opt-outs go: an address or a URL of the business, never of a consumer. */
  readonly contact?: string | undefined;
  readonly channels?: readonly DestinationChannel[] | undefined;
}

/** Purposes that can be exempt. Cross-context advertising and audiences never can: 11 CCR 7050(b), Civ. Code 1798.140(e)(6). */
export const EXEMPT_PURPOSES = {
  contextual_ads: 'Civ. Code 1798.140(e)(4); 11 CCR 7027(m)',
  measurement: 'Civ. Code 1798.140(e)(1),(5)',
  fraud_security: 'Civ. Code 1798.140(e)(2)-(3); 11 CCR 7050(a)(4)',
  service_delivery: 'Civ. Code 1798.140(e)(5); 11 CCR 7050(a)(1)',
  legal: 'Civ. Code 1798.145(a)',
} as const satisfies Partial<Record<Purpose, string>>;
export type ExemptPurpose = keyof typeof EXEMPT_PURPOSES;

const EVERY: readonly Purpose[] = PURPOSES;
const MAY_BE_EXEMPT: readonly Role[] = ['service_provider', 'contractor'];

/** Which purposes a stored right stands against, at a third party. */
export const RIGHT_COVERS: Readonly<Record<Right, readonly Purpose[]>> = {
  // Making the data available to a third party is the sale, whatever it is then used for (1798.140(ad)).
  sale: EVERY,
  share: ['cross_context_ads', 'audience', 'measurement'],
  targeted_ads: ['cross_context_ads', 'audience'],
  sensitive: ['cross_context_ads', 'audience', 'measurement', 'contextual_ads'],
  profiling: ['cross_context_ads', 'audience'],
  child: EVERY,
  deletion: EVERY,
};

/** Every right, as a mask, that stands against at least one of the purposes. */
export function rightsAgainst(purposes: readonly Purpose[]): number {
  let mask = 0;
  RIGHTS.forEach((right, bit) => {
    if (RIGHT_COVERS[right].some((purpose) => purposes.includes(purpose))) mask |= 1 << bit;
  });
  return mask;
}

/** A destination made ready for the hot path. */
export interface CompiledTerms {
  readonly blocks: boolean;
  readonly coverMask: number;
  /** Role and purposes make it exempt for as long as a contract is in force. */
  readonly exempt: boolean;
  /** Moment the contract ends, milliseconds; `Infinity` = open end; `-Infinity` = no contract. */
  readonly contractEndsMs: number;
  readonly hasContract: boolean;
  /** A role that needs a contract, so that its lack is worth a reason. */
  readonly needsContract: boolean;
  readonly role: Role;
  readonly known: boolean;
}

export interface CompiledDestination {
  readonly base: CompiledTerms;
  readonly states: ReadonlyMap<string, CompiledTerms> | null;
  /** The strictest of the base and every state, for a person whose state is not certain. */
  readonly strictest: CompiledTerms;
}

const DAY_MS = 86_400_000;

export function compileDestination(
  destination: Destination,
  exemptPurposes: Readonly<Record<ExemptPurpose, boolean>>,
  known = true,
): CompiledDestination {
  const compileTerms = (terms: DestinationTerms): CompiledTerms => {
    const { contract } = destination;
    const isExempt = (purpose: Purpose) => purpose in EXEMPT_PURPOSES && exemptPurposes[purpose as ExemptPurpose];
    const endsMs = contract?.expires ? Date.parse(contract.expires) + DAY_MS : Number.POSITIVE_INFINITY;
    return {
      blocks: terms.whenOptedOut === 'block',
      coverMask: rightsAgainst(terms.purposes),
      exempt: MAY_BE_EXEMPT.includes(terms.role) && terms.purposes.length > 0 && terms.purposes.every(isExempt),
      contractEndsMs: contract === null ? Number.NEGATIVE_INFINITY : endsMs,
      hasContract: contract !== null,
      needsContract: terms.role !== 'third_party',
      role: terms.role,
      known,
    };
  };
  const base = compileTerms(destination);
  const states = Object.entries(destination.states).map(([state, terms]) => {
    const { role = destination.role, purposes = destination.purposes, whenOptedOut = destination.whenOptedOut } = terms;
    return [state, compileTerms({ role, purposes, whenOptedOut })] as const;
  });
  const strictest = states.reduce((strict, [, terms]) => strictestOf(strict, terms), base);
  return { base, states: states.length === 0 ? null : new Map(states), strictest };
}

function strictestOf(first: CompiledTerms, second: CompiledTerms): CompiledTerms {
  return {
    ...(first.exempt ? second : first),
    blocks: first.blocks || second.blocks,
    coverMask: first.coverMask | second.coverMask,
    exempt: first.exempt && second.exempt,
  };
}

/** A recipient nobody has described: a third party for every purpose. */
export function anyThirdParty(
  exemptPurposes: Readonly<Record<ExemptPurpose, boolean>>,
  known: boolean,
): CompiledDestination {
  return compileDestination(
    { id: '', role: 'third_party', purposes: PURPOSES, whenOptedOut: 'restrict', contract: null, states: {} },
    exemptPurposes,
    known,
  );
}
