/**
 * Identifiers at the edge: rows of a file, bodies of an API. Checked here once, and expanded for the ledger.
 *
 * What must stay true: a message says what was expected and never holds the value, nor the kind, since the two columns
 * of a file are easily swapped.
 * @module
 */
import { hash } from 'node:crypto';
import { type BaseKind, type Identifier, PLAIN_KINDS, type PlainKind } from '../vocabulary.js';
import { ALL_TAGS, ctvForms, maidForms } from './device-digests.js';
import { appendIdentifier, DIGESTS_OF_CLEAR, digestBytesOf, type IdentifierOptions } from './dialects.js';
import { createKeyList, type KeyList, resetKeyList } from './key.js';
import { type KindErrorCode, kindText, parseKind } from './kind.js';
import {
  CTV_LENGTH_MAX,
  CTV_LENGTH_MIN,
  IDENTIFIER_LENGTH_MAX,
  KEYS_PER_IDENTIFIER_MAX,
  PHONE_DIGIT_COUNT_MIN,
} from './limits.js';
import { DEFAULT_COUNTRY, emailForms, phoneForms } from './normalize.js';

/** What is wrong: `names_nobody` is a value like the all-zero UUID; `malformed` is not a value of its kind. */
export interface IdentifierError {
  readonly field: 'kind' | 'value';
  readonly code: KindErrorCode | 'names_nobody' | 'malformed';
  readonly message: string;
}

export type IdentifierCheck =
  | { readonly ok: Identifier; readonly error?: never }
  | { readonly error: IdentifierError; readonly ok?: never };

/** A digest in lower-case hexadecimal. */
export interface Digest {
  readonly kind: PlainKind;
  readonly hex: string;
}

/** Everything an identifier can be found by. */
export interface Expansion {
  /** The identifier with its kind in canonical form and no white space around its value. */
  readonly identifier: Identifier;
  /** Of a clear value: its digests in every dialect. Of a digest: itself. Of an eid or account: none. */
  readonly digests: readonly Digest[];
  readonly keys: KeyList;
}

export type ExpansionResult =
  | { readonly ok: Expansion; readonly error?: never }
  | { readonly error: IdentifierError; readonly ok?: never };

const scratch = createKeyList(KEYS_PER_IDENTIFIER_MAX);

/**
 * Whether a kind and a value from outside make an identifier; if so, with a canonical kind and no white space around
 * the value. Never throws.
 *
 * @example
 * checkIdentifier('EID:UIDAPI.com', ' abc '); // { ok: { kind: 'eid:uidapi.com', value: 'abc' } }
 * checkIdentifier('maid', 'abc'); // { error: { field: 'value', code: 'malformed', message: 'expected a UUID, …' } }
 */
export function checkIdentifier(kind: unknown, value: unknown, options: IdentifierOptions = {}): IdentifierCheck {
  const parsed = parseKind(kind);
  if (typeof parsed === 'string') return refusal('kind', parsed, KIND_MESSAGES[parsed]);
  if (typeof value !== 'string') return refusal('value', 'not_text', 'expected text');
  if (value.length > IDENTIFIER_LENGTH_MAX) {
    return refusal('value', 'too_long', `expected at most ${IDENTIFIER_LENGTH_MAX} characters`);
  }
  const trimmed = value.trim();
  if (trimmed === '') return refusal('value', 'empty', 'expected a value');
  const identifier: Identifier = { kind: kindText(parsed), value: trimmed };
  resetKeyList(scratch);
  const outcome = appendIdentifier(scratch, identifier, { ...options, wantedTags: 0 });
  if (outcome === 'absent') return refusal('value', 'names_nobody', NAMES_NOBODY);
  return outcome === 'ok'
    ? { ok: identifier }
    : refusal('value', 'malformed', `expected ${VALUE_EXPECTED[parsed.base]}`);
}

/**
 * The digests of an identifier in every dialect, and all its keys.
 *
 * The key of a clear `maid` holds the sixteen bytes of the MAID itself: keys are as personal as what they stand for.
 */
export function expandIdentifier(identifier: Identifier, options: IdentifierOptions = {}): ExpansionResult {
  const { kind, value } = (identifier ?? {}) as Partial<Record<keyof Identifier, unknown>>;
  const checked = checkIdentifier(kind, value, options);
  if (checked.ok === undefined) return checked;
  const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
  appendIdentifier(keys, checked.ok, { ...options, wantedTags: ALL_TAGS });
  return { ok: { identifier: checked.ok, digests: digestsOf(checked.ok, options), keys } };
}

function digestsOf({ kind, value }: Identifier, options: IdentifierOptions): readonly Digest[] {
  const parsed = parseKind(kind);
  if (typeof parsed === 'string') return [];
  const { base } = parsed;
  switch (base) {
    case 'email':
      return hashForms(base, emailForms(value)?.hashed);
    case 'phone':
      return hashForms(base, phoneForms(value, options.defaultCountry ?? DEFAULT_COUNTRY)?.hashed);
    case 'maid':
      return hashForms(base, maidForms(value));
    case 'ctv':
      return hashForms(base, ctvForms(value));
    case 'eid':
    case 'account':
      return [];
    default: {
      const isHex = value.length === 2 * digestBytesOf(base);
      return [{ kind: base, hex: isHex ? value.toLowerCase() : Buffer.from(value, 'base64').toString('hex') }];
    }
  }
}

function hashForms(base: BaseKind, forms: readonly string[] | null | undefined): readonly Digest[] {
  const rows = DIGESTS_OF_CLEAR[base] ?? [];
  return rows.flatMap(({ kind, algorithm }) => (forms ?? []).map((form) => ({ kind, hex: hash(algorithm, form) })));
}

function refusal(
  field: IdentifierError['field'],
  code: IdentifierError['code'],
  message: string,
): { readonly error: IdentifierError } {
  return { error: { field, code, message } };
}

const NAMES_NOBODY = 'expected an identifier of one person, not zeros or a digest of nothing';

const KIND_MESSAGES: Readonly<Record<KindErrorCode, string>> = {
  not_text: 'expected text',
  empty: 'expected a kind',
  too_long: `expected at most ${IDENTIFIER_LENGTH_MAX} characters`,
  unknown: `expected one of ${[...PLAIN_KINDS, 'eid:<source>', 'account:<namespace>'].join(', ')}`,
  no_qualifier: 'expected a source or name space after the colon: eid:<source>, account:<namespace>',
};

const SHA256_EXPECTED = 'a SHA-256 digest: 64 hexadecimal digits, or 43 or 44 characters of Base64';
const SHA1_EXPECTED = 'a SHA-1 digest: 40 hexadecimal digits, or 27 or 28 characters of Base64';
const MD5_EXPECTED = 'an MD5 digest: 32 hexadecimal digits, or 22 or 24 characters of Base64';

const VALUE_EXPECTED: Readonly<Record<BaseKind, string>> = {
  email: 'an e-mail address alone, as in name@example.com: no "mailto:", display name, list or invisible character',
  phone: `a phone number with at least ${PHONE_DIGIT_COUNT_MIN} digits`,
  email_sha256: SHA256_EXPECTED,
  email_sha1: SHA1_EXPECTED,
  email_md5: MD5_EXPECTED,
  phone_sha256: SHA256_EXPECTED,
  phone_sha1: SHA1_EXPECTED,
  maid: 'a UUID: 32 hexadecimal digits, with hyphens or without',
  maid_sha256: SHA256_EXPECTED,
  maid_sha1: SHA1_EXPECTED,
  maid_md5: MD5_EXPECTED,
  ctv: `${CTV_LENGTH_MIN} to ${CTV_LENGTH_MAX} letters and digits`,
  ctv_sha256: SHA256_EXPECTED,
  ndz_sha256: SHA256_EXPECTED,
  name_vin_sha256: SHA256_EXPECTED,
  eid: 'an id of that source',
  account: 'an account id',
};
