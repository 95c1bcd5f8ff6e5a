/**
 * An identifier as the ledger keeps it: who it is (the identity), what it hashes to (the digests), how it is found (the
 * keys).
 *
 * The identity is the holder of rights: 128 bits of SHA-256 over canonical kind and canonical value. Keys can be made to
 * collide by whoever chooses the value; identities cannot, so that nobody's opt-in ends what another person holds.
 *
 * What must stay true: the keys and digests are those of core/identity (appendIdentifier, expandIdentifier), computed
 * here in one pass with one hash each; and every spelling of an identifier has the same identity.
 * @module
 */
import { hash } from 'node:crypto';
import type { CountryCode } from 'libphonenumber-js/min';
import { canonicalCtv } from '../core/identity/ctv.js';
import { ctvForms, maidForms } from '../core/identity/device-digests.js';
import { DIGESTS_OF_CLEAR, type DigestKind, digestBytesOf } from '../core/identity/dialects.js';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  checkIdentifier,
  createKeyList,
  IDENTIFIER_LENGTH_MAX,
  type IdentifierError,
  KEYS_PER_IDENTIFIER_MAX,
  type KeyList,
  type KeyOutcome,
  resetKeyList,
} from '../core/identity/index.js';
import { appendDigestBytes, appendText } from '../core/identity/key.js';
import { kindText, type ParsedKind, parseKind } from '../core/identity/kind.js';
import { DEFAULT_COUNTRY, emailForms, type Forms, phoneForms } from '../core/identity/normalize.js';
import { type BaseKind, type IdentifierKind, KIND_TAG } from '../core/vocabulary.js';

/** Bytes of an identity. */
export const IDENTITY_BYTES = 16;
/** Bytes before a packed digest: its tag and its length. */
export const DIGEST_HEAD_BYTES = 2;
/** The name space of account ids that the ledger keeps to itself, for canaries. */
export const RESERVED_NAMESPACE = 'optgate-canary';
/** The kind of canaries. */
export const CANARY_KIND: IdentifierKind = `account:${RESERVED_NAMESPACE}`;

/** Most bytes the packed digests of one identifier take. */
export const DIGESTS_BYTES_MAX = KEYS_PER_IDENTIFIER_MAX * (DIGEST_HEAD_BYTES + 32);

/** Why a kind and a value are no identifier that can be recorded. */
export type IdentifierRefusal =
  | IdentifierError
  | { readonly field: 'kind'; readonly code: 'reserved'; readonly message: string };

const RESERVED: IdentifierRefusal = {
  field: 'kind',
  code: 'reserved',
  message: 'expected a name space that the ledger does not keep to itself',
};

/** A kind is kept as text, and a database takes no zero characters. */
const UNPRINTABLE: IdentifierRefusal = {
  field: 'kind',
  code: 'malformed',
  message: 'expected a source or name space without control characters',
};

/** How identifiers are read. */
export interface IdentifierReaderOptions {
  /** Where a phone number without a country code is taken to be from; `US` unless told. */
  readonly defaultCountry?: CountryCode | undefined;
  /** Also take the kind of canaries. */
  readonly allowReserved?: boolean;
}

/**
 * Reads identifiers one after the other into memory of its own; what it holds is valid until the next {@link read}.
 *
 * @example
 * const reader = new IdentifierReader();
 * if (reader.read('email', 'jane@example.com') === null) use(reader.identity, reader.keys);
 */
export class IdentifierReader {
  /** The canonical kind. */
  kind: IdentifierKind = 'email';
  /** The value without white space around it. */
  value = '';
  /** True for a value that says more than a digest of it. */
  isClear = false;
  /** True if some digests are those of this spelling only, so that they cannot be found from another one. */
  isSpelt = false;
  /** The first key is the identifier's own; the others are those of its digests. */
  readonly keys: KeyList = createKeyList(KEYS_PER_IDENTIFIER_MAX);
  readonly identity = Buffer.alloc(IDENTITY_BYTES);
  /** Packed digests: tag, length, bytes; {@link digestsBytes} of them. */
  readonly digests = Buffer.alloc(DIGESTS_BYTES_MAX);
  digestsBytes = 0;
  readonly #defaultCountry: CountryCode;
  readonly #allowReserved: boolean;
  readonly #digestIdentity = new DigestIdentity();
  #lastKind: unknown;
  #lastParsed: ParsedKind = { base: 'email', qualifier: '' };

  constructor(options: IdentifierReaderOptions = {}) {
    this.#defaultCountry = options.defaultCountry ?? DEFAULT_COUNTRY;
    this.#allowReserved = options.allowReserved === true;
  }

  /** `null` if kind and value make an identifier of somebody; else what is wrong. Never throws. */
  read(kind: unknown, value: unknown): IdentifierRefusal | null {
    if (typeof value !== 'string' || value.length > IDENTIFIER_LENGTH_MAX) return this.#refuse(kind, value);
    if (kind !== this.#lastKind) {
      const parsed = parseKind(kind);
      if (typeof parsed === 'string') return this.#refuse(kind, value);
      if (/[\p{Cc}\p{Cs}]/u.test(parsed.qualifier)) return UNPRINTABLE;
      this.#lastKind = kind;
      this.#lastParsed = parsed;
      this.kind = kindText(parsed);
    }
    const { base, qualifier } = this.#lastParsed;
    if (base === 'account' && qualifier === RESERVED_NAMESPACE && !this.#allowReserved) return RESERVED;
    resetKeyList(this.keys);
    this.digestsBytes = 0;
    this.isSpelt = false;
    this.value = value.trim();
    const outcome = this.#readAs(base, qualifier, this.value);
    return outcome === 'ok' ? null : this.#refuse(kind, value);
  }

  #readAs(base: BaseKind, qualifier: string, value: string): KeyOutcome {
    switch (base) {
      case 'email':
        return this.#readForms(base, emailForms(value));
      case 'phone': {
        const forms = phoneForms(value, this.#defaultCountry);
        this.isSpelt = forms !== null && forms.canonical !== value && this.#hasOwnForms(forms);
        return this.#readForms(base, forms);
      }
      case 'maid': {
        const outcome = appendMaid(this.keys, value);
        const forms = outcome === 'ok' ? maidForms(value) : null;
        if (forms === null) return outcome;
        return this.#readClear(base, forms[0] ?? '', forms);
      }
      case 'ctv': {
        const outcome = appendCtv(this.keys, value);
        const forms = outcome === 'ok' ? ctvForms(value) : null;
        if (forms === null) return outcome;
        this.isSpelt = forms.length > 1;
        return this.#readClear(base, canonicalCtv(value) ?? '', forms);
      }
      case 'eid':
        return this.#readQualified(appendEid(this.keys, qualifier, value), value);
      case 'account':
        return this.#readQualified(appendAccount(this.keys, qualifier, value), value);
      default: {
        const digestBytes = digestBytesOf(base);
        const outcome = appendDigest(this.keys, KIND_TAG[base], digestBytes, value);
        if (outcome !== 'ok') return outcome;
        const isHex = value.length === 2 * digestBytes;
        this.digests.write(value, DIGEST_HEAD_BYTES, digestBytes, isHex ? 'hex' : 'base64');
        this.digests[0] = KIND_TAG[base];
        this.digests[1] = digestBytes;
        this.digestsBytes = DIGEST_HEAD_BYTES + digestBytes;
        this.isClear = false;
        this.#digestIdentity.write(base, this.digests, DIGEST_HEAD_BYTES, digestBytes, this.identity);
        return 'ok';
      }
    }
  }

  #readForms(base: 'email' | 'phone', forms: Forms | null): KeyOutcome {
    if (forms === null) return 'malformed';
    const outcome = appendText(this.keys, KIND_TAG[base], forms.canonical);
    return outcome === 'ok' ? this.#readClear(base, forms.canonical, forms.hashed) : outcome;
  }

  /** Whether a phone number has forms that its canonical spelling has not. */
  #hasOwnForms({ canonical, hashed }: Forms): boolean {
    const plain = phoneForms(canonical, this.#defaultCountry)?.hashed ?? [];
    return hashed.some((form) => !plain.includes(form));
  }

  /** The digests of every form, with their keys, once the own key is in the list. */
  #readClear(base: 'email' | 'phone' | 'maid' | 'ctv', canonical: string, forms: readonly string[]): KeyOutcome {
    let outcome: KeyOutcome = 'ok';
    for (const row of DIGESTS_OF_CLEAR[base] ?? []) {
      for (const form of forms) outcome = this.#appendDigestOf(row, form);
    }
    this.#identify(canonical);
    return outcome;
  }

  #appendDigestOf({ kind, algorithm, digestBytes }: DigestKind, form: string): KeyOutcome {
    const digest = hash(algorithm, form, 'binary');
    const at = this.digestsBytes;
    this.digests[at] = KIND_TAG[kind];
    this.digests[at + 1] = digestBytes;
    this.digests.write(digest, at + DIGEST_HEAD_BYTES, digestBytes, 'latin1');
    this.digestsBytes = at + DIGEST_HEAD_BYTES + digestBytes;
    return appendDigestBytes(this.keys, KIND_TAG[kind], digest);
  }

  #readQualified(outcome: KeyOutcome, value: string): KeyOutcome {
    if (outcome === 'ok') this.#identify(value);
    return outcome;
  }

  #identify(canonical: string): void {
    this.isClear = true;
    this.identity.write(hash('sha256', `${this.kind}\0${canonical}`, 'binary'), 0, IDENTITY_BYTES, 'latin1');
  }

  /** Why it is refused, in the words of core/identity. */
  #refuse(kind: unknown, value: unknown): IdentifierRefusal {
    const checked = checkIdentifier(kind, value, { defaultCountry: this.#defaultCountry });
    if (checked.error === undefined) throw new Error('unreachable: what core/identity takes is taken here');
    return checked.error;
  }
}

/** The identity of a digest given as bytes: SHA-256 over its kind, a zero byte and its bytes. */
export class DigestIdentity {
  readonly #prefixes = new Map<BaseKind, Buffer>();

  /** Writes the identity of the digest at `bytes[at..at + digestBytes)` to the start of `out`. */
  write(kind: BaseKind, bytes: Uint8Array, at: number, digestBytes: number, out: Buffer): void {
    let input = this.#prefixes.get(kind);
    if (input === undefined) {
      input = Buffer.alloc(kind.length + 1 + digestBytes);
      input.write(kind, 'latin1');
      this.#prefixes.set(kind, input);
    }
    const start = kind.length + 1;
    for (let index = 0; index < digestBytes; index++) input[start + index] = bytes[at + index] ?? 0;
    out.write(hash('sha256', input, 'binary'), 0, IDENTITY_BYTES, 'latin1');
  }
}
