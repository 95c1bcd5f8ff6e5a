/**
 * The words every part of optgate shares: kinds of identifier, rights, strip groups, actions.
 *
 * Data only, and it imports nothing, so any part may import it. The numbers given here are part of the snapshot
 * format and of every stored change: append, never renumber.
 * @module
 */

/** Kinds without a qualifier, in the order of their tags (the first is tag 1; tag 0 means "no key"). */
export const PLAIN_KINDS = [
  'email',
  'phone',
  'email_sha256',
  'email_sha1',
  'email_md5',
  'phone_sha256',
  'phone_sha1',
  'maid',
  'maid_sha256',
  'maid_sha1',
  'maid_md5',
  'ctv',
  'ctv_sha256',
  'ndz_sha256',
  'name_vin_sha256',
] as const;
export type PlainKind = (typeof PLAIN_KINDS)[number];

/** Kinds that carry a qualifier after the colon: `eid:uidapi.com`, `account:shop`. */
export const QUALIFIED_KINDS = ['eid', 'account'] as const;
export type QualifiedKind = (typeof QUALIFIED_KINDS)[number];

/** A kind as people write it. */
export type IdentifierKind = PlainKind | `${QualifiedKind}:${string}`;

/** The part of a kind before the colon; what a reason may name. */
export type BaseKind = PlainKind | QualifiedKind;

/** A typed value that can name a consumer. Never log one. */
export interface Identifier {
  readonly kind: IdentifierKind;
  readonly value: string;
}

/** All base kinds; the index of a kind plus one is its tag. At most 31, so that a set of kinds fits in one integer. */
export const BASE_KINDS: readonly BaseKind[] = [...PLAIN_KINDS, ...QUALIFIED_KINDS];

/** The tag of each base kind, 1..31. */
export const KIND_TAG = Object.fromEntries(BASE_KINDS.map((kind, index) => [kind, index + 1])) as Readonly<
  Record<BaseKind, number>
>;

/** What a person can opt out of, in bit order: the index of a right is its bit. */
export const RIGHTS = ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling', 'child', 'deletion'] as const;
export type Right = (typeof RIGHTS)[number];

/** Every right at once: what an opt-out without further detail means. */
export const RIGHTS_ALL = 2 ** RIGHTS.length - 1;

/** A set of rights as an integer, 0..RIGHTS_ALL. */
export function rightsMask(rights: readonly Right[]): number {
  let mask = 0;
  for (const right of rights) mask |= 1 << RIGHTS.indexOf(right);
  return mask;
}

/** The rights in a mask, in bit order. */
export function rightsOfMask(mask: number): readonly Right[] {
  return RIGHTS.filter((_, bit) => (mask & (1 << bit)) !== 0);
}

/** The groups of fields a restricted request can lose, in bit order. */
export const STRIP_GROUPS = ['ids', 'eids', 'ufpd', 'geo', 'ip', 'tid', 'urls', 'ua'] as const;
export type StripGroup = (typeof STRIP_GROUPS)[number];

/** Every strip group at once: what remains can only be used contextually. */
export const STRIP_ALL = 2 ** STRIP_GROUPS.length - 1;

/** A set of strip groups as an integer, 0..STRIP_ALL. */
export function stripMask(groups: readonly StripGroup[]): number {
  let mask = 0;
  for (const group of groups) mask |= 1 << STRIP_GROUPS.indexOf(group);
  return mask;
}

/** `allow`: send as is. `restrict`: send without what names the person. `block`: do not send. */
export type Action = 'allow' | 'restrict' | 'block';
