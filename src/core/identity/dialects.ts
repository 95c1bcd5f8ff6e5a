/**
 * From an identifier of any kind to all its keys.
 *
 * One person is known under many digests, because each system normalises and hashes in its own way. A clear value
 * therefore gives its own key and those of the digests of every dialect (normalize.ts), so that an opt-out received in
 * one dialect is found by a request that uses another.
 * @module
 */
import { hash } from 'node:crypto';
import type { CountryCode } from 'libphonenumber-js/min';
import { type BaseKind, type Identifier, KIND_TAG, type PlainKind } from '../vocabulary.js';
import { ALL_TAGS, appendCtvDigests, appendMaidDigests } from './device-digests.js';
import type { DigestBytes } from './hex.js';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendDigestBytes,
  appendEid,
  appendMaid,
  appendText,
  type KeyList,
  type KeyOutcome,
  outcomeOfUnread,
} from './key.js';
import { parseKind } from './kind.js';
import { IDENTIFIER_LENGTH_MAX } from './limits.js';
import { DEFAULT_COUNTRY, emailForms, type Forms, phoneForms } from './normalize.js';

export interface IdentifierOptions {
  /** Where a phone number without a country code is taken to be from (ISO 3166-1 alpha-2); `US` unless told. */
  readonly defaultCountry?: CountryCode;
  /** The kinds of digest wanted, as bits `1 << tag`; all unless told. The identifier's own key is always appended. */
  readonly wantedTags?: number;
}

/** A kind whose values are digests, and how they are made. */
export interface DigestKind {
  readonly kind: PlainKind;
  readonly algorithm: 'sha256' | 'sha1' | 'md5';
  readonly digestBytes: DigestBytes;
}

const EMAIL_DIGESTS: readonly DigestKind[] = [
  { kind: 'email_sha256', algorithm: 'sha256', digestBytes: 32 },
  { kind: 'email_sha1', algorithm: 'sha1', digestBytes: 20 },
  { kind: 'email_md5', algorithm: 'md5', digestBytes: 16 },
];
const PHONE_DIGESTS: readonly DigestKind[] = [
  { kind: 'phone_sha256', algorithm: 'sha256', digestBytes: 32 },
  { kind: 'phone_sha1', algorithm: 'sha1', digestBytes: 20 },
];
const MAID_DIGESTS: readonly DigestKind[] = [
  { kind: 'maid_sha256', algorithm: 'sha256', digestBytes: 32 },
  { kind: 'maid_sha1', algorithm: 'sha1', digestBytes: 20 },
  { kind: 'maid_md5', algorithm: 'md5', digestBytes: 16 },
];
const CTV_DIGESTS: readonly DigestKind[] = [{ kind: 'ctv_sha256', algorithm: 'sha256', digestBytes: 32 }];

/** The digests a clear kind can be turned into. */
export const DIGESTS_OF_CLEAR: Readonly<Partial<Record<BaseKind, readonly DigestKind[]>>> = {
  email: EMAIL_DIGESTS,
  phone: PHONE_DIGESTS,
  maid: MAID_DIGESTS,
  ctv: CTV_DIGESTS,
};

/**
 * Appends the keys of an identifier of any kind: its own, and for a clear value those of its digests in every dialect.
 * Anything that is no identifier is `malformed`; nothing throws.
 *
 * @example
 * const list = createKeyList(KEYS_PER_IDENTIFIER_MAX);
 * appendIdentifier(list, { kind: 'email', value: 'Anna.Smith@Domain.com' }); // 'ok', four keys
 */
export function appendIdentifier(list: KeyList, identifier: Identifier, options: IdentifierOptions = {}): KeyOutcome {
  const { kind, value } = (identifier ?? {}) as Partial<Record<keyof Identifier, unknown>>;
  const parsed = parseKind(kind);
  if (typeof parsed === 'string') return 'malformed';
  if (typeof value === 'string' && value.length > IDENTIFIER_LENGTH_MAX) return 'malformed';
  const wantedTags = options.wantedTags ?? ALL_TAGS;
  switch (parsed.base) {
    case 'email':
      return appendForms(list, 'email', value, typeof value === 'string' ? emailForms(value) : null, wantedTags);
    case 'phone': {
      const country = options.defaultCountry ?? DEFAULT_COUNTRY;
      return appendForms(
        list,
        'phone',
        value,
        typeof value === 'string' ? phoneForms(value, country) : null,
        wantedTags,
      );
    }
    case 'maid': {
      const outcome = appendMaid(list, value);
      return outcome === 'ok' ? appendMaidDigests(list, value, wantedTags) : outcome;
    }
    case 'ctv': {
      const outcome = appendCtv(list, value);
      return outcome === 'ok' ? appendCtvDigests(list, value, wantedTags) : outcome;
    }
    case 'eid':
      return appendEid(list, parsed.qualifier, value);
    case 'account':
      return appendAccount(list, parsed.qualifier, value);
    default:
      return appendDigest(list, KIND_TAG[parsed.base], digestBytesOf(parsed.base), value);
  }
}

type ClearBase = 'email' | 'phone' | 'maid' | 'ctv';
type DigestBase = Exclude<PlainKind, ClearBase>;

/** The length of the digests of a kind. */
export function digestBytesOf(base: DigestBase): DigestBytes {
  if (base.endsWith('_sha256')) return 32;
  return base.endsWith('_sha1') ? 20 : 16;
}

function appendForms(
  list: KeyList,
  base: 'email' | 'phone',
  value: unknown,
  forms: Forms | null,
  wantedTags: number,
): KeyOutcome {
  if (forms === null) return outcomeOfUnread(value);
  let outcome = appendText(list, KIND_TAG[base], forms.canonical);
  if (outcome !== 'ok') return outcome;
  for (const { kind, algorithm } of DIGESTS_OF_CLEAR[base] ?? []) {
    const tag = KIND_TAG[kind];
    if ((wantedTags & (1 << tag)) === 0) continue;
    for (const form of forms.hashed) outcome = appendDigestBytes(list, tag, hash(algorithm, form, 'binary'));
  }
  return outcome;
}
