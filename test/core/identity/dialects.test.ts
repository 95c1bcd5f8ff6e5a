/**
 * Dialects: a clear value gives its own key and the digests of every system's normalisation, no more and no fewer.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ALL_TAGS,
  appendCtvDigests,
  appendDigest,
  appendIdentifier,
  appendMaidDigests,
  createKeyList,
  expandIdentifier,
  KEYS_PER_IDENTIFIER_MAX,
  standardizeDropField,
} from '../../../src/core/identity/index.js';
import {
  type Identifier,
  type IdentifierKind,
  KIND_TAG,
  PLAIN_KINDS,
  type PlainKind,
} from '../../../src/core/vocabulary.js';
import { referenceTextHex } from '../../reference/identity.js';
import dropVectors from '../../vectors/drop-vectors.json' with { type: 'json' };
import dialects from '../../vectors/identity-dialects.json' with { type: 'json' };
import uid2 from '../../vectors/identity-uid2.json' with { type: 'json' };
import { appended, keysOf, keyText } from './keys.js';

const sorted = (texts: readonly string[]) => [...texts].sort();
const keysOfIdentifier = (identifier: Identifier) => appended((list) => appendIdentifier(list, identifier)).keys;

describe('every dialect', () => {
  test.each(dialects.cases)('$name', ({ kind, value, digests }) => {
    const identifier: Identifier = { kind: kind as IdentifierKind, value };
    const { outcome, keys } = appended((list) => appendIdentifier(list, identifier));
    expect(outcome).toBe('ok');
    const expected = digests.map((digest) => keyText(KIND_TAG[digest.kind as PlainKind], digest.hex));
    expect(sorted(keys.slice(1))).toEqual(sorted(expected));
    expect(expandIdentifier(identifier).ok?.digests).toHaveLength(digests.length);
    expect(expandIdentifier(identifier).ok?.digests).toEqual(expect.arrayContaining(digests));
  });

  test.each(uid2.cases)('UID2, published: $name', ({ kind, digestKind, input, hex, base64 }) => {
    const keys = keysOfIdentifier({ kind: kind as IdentifierKind, value: input });
    expect(keys).toContain(keyText(KIND_TAG[digestKind as PlainKind], hex));
    expect(keysOfIdentifier({ kind: digestKind as IdentifierKind, value: base64 })).toEqual([
      keyText(KIND_TAG[digestKind as PlainKind], hex),
    ]);
  });

  const dropKinds: Readonly<Record<string, PlainKind>> = { email: 'email', phone: 'phone', maid: 'maid', ctvid: 'ctv' };
  test.each(dropVectors.single.filter(({ field }) => field in dropKinds))(
    'DROP, published: $field $input',
    (vector) => {
      const kind = dropKinds[vector.field]!;
      const hex = Buffer.from(vector.b64, 'base64').toString('hex');
      expect(keysOfIdentifier({ kind, value: vector.input })).toContain(
        keyText(KIND_TAG[`${kind}_sha256` as PlainKind], hex),
      );
      expect(standardizeDropField(vector.field as 'email', vector.input)).toBe(vector.standardized);
    },
  );
});

describe('own keys', () => {
  test.each<[IdentifierKind, string, string]>([
    ['email', ' Anna.Smith@Domain.com ', 'anna.smith@domain.com'],
    ['phone', '(415) 555-9317', '+14155559317'],
    ['phone', '84901234567', '+84901234567'],
    ['phone', '555-9317', '5559317'],
    ['phone', '+1 415 555 9317 ext 12345', '+14155559317'],
    ['phone', '(415) 555-9317, 12', '+14155559317'],
    ['phone', '011 44 20 7946 0958', '+442079460958'],
    ['phone', '+49 30/1234567', '+49301234567'],
    ['ctv', 'SmartTV_9F8E7D6C', 'smarttv9f8e7d6c'],
  ])('%s %s', (kind, value, canonical) => {
    const tag = KIND_TAG[kind as PlainKind];
    expect(keysOfIdentifier({ kind, value })[0]).toBe(keyText(tag, referenceTextHex(canonical)));
  });

  test('a phone number is read in the country given', () => {
    const keys = appended((list) =>
      appendIdentifier(list, { kind: 'phone', value: '(02) 1234 5678' }, { defaultCountry: 'AU' }),
    );
    expect(keys.keys[0]).toBe(keyText(KIND_TAG.phone, referenceTextHex('+61212345678')));
  });

  test('an unknown country is no country, not an error', () => {
    const defaultCountry = 'XX' as 'US';
    const { outcome, keys } = appended((list) =>
      appendIdentifier(list, { kind: 'phone', value: '4155559317' }, { defaultCountry }),
    );
    expect(outcome).toBe('ok');
    expect(keys.length).toBeGreaterThan(1);
  });

  test.each<[IdentifierKind, string, string]>([
    ['email', '', 'absent'],
    ['email', ' ', 'absent'],
    ['email', 'anna', 'malformed'],
    ['email', '@domain.com', 'malformed'],
    ['email', 'anna@', 'malformed'],
    ['phone', '000-000-0000', 'absent'],
    ['phone', '+', 'absent'],
    ['phone', '12345', 'malformed'],
    ['phone', 'ask reception', 'malformed'],
    ['phone', '415-555-9317; 212-555-0123', 'malformed'],
    ['phone', '4155559317 2125550123', 'malformed'],
    ['phone', '+1 415 555 9317 / +1 212 555 0123', 'malformed'],
    ['phone', '555-9317, 555-0123', 'malformed'],
    ['phone', '4155552/6715550', 'malformed'],
    ['phone', '415-555-9317 home, 212-555-0123 work', 'malformed'],
    ['phone', '1234567890123456', 'malformed'],
    ['maid', '00000000-0000-0000-0000-000000000000', 'absent'],
    ['maid', 'x', 'malformed'],
    ['eid:', 'x', 'malformed'],
    ['account: ', 'x', 'malformed'],
  ])('%s %j is %s', (kind, value, outcome) => {
    expect(appended((list) => appendIdentifier(list, { kind, value }))).toEqual({ outcome, keys: [] });
  });

  test('wanted tags choose the digests; the own key always comes', () => {
    const value = 'A3F1C2D4-5678-90AB-CDEF-1234567890AB';
    const tagsOf = (wantedTags: number, identifier: Identifier) =>
      appended((list) => appendIdentifier(list, identifier, { wantedTags })).keys.map((key) =>
        Number(key.split(':')[0]),
      );
    expect(tagsOf(0, { kind: 'maid', value })).toEqual([KIND_TAG.maid]);
    expect(tagsOf(0, { kind: 'email', value: 'a@b.c' })).toEqual([KIND_TAG.email]);
    expect(tagsOf(1 << KIND_TAG.email_md5, { kind: 'email', value: 'a@b.c' })).toEqual([
      KIND_TAG.email,
      KIND_TAG.email_md5,
    ]);
    expect(new Set(tagsOf(1 << KIND_TAG.maid_sha1, { kind: 'maid', value }))).toEqual(
      new Set([KIND_TAG.maid, KIND_TAG.maid_sha1]),
    );
  });

  test('a list too short for the digests overflows', () => {
    const list = createKeyList(3);
    expect(appendIdentifier(list, { kind: 'email', value: 'anna@domain.com' })).toBe('overflow');
    expect(list.overflowed).toBe(true);
  });
});

describe('digests of device ids on demand', () => {
  const maid = 'A3F1C2D4-5678-90AB-CDEF-1234567890AB';

  test('of a MAID: the ones appendIdentifier gives, for any spelling', () => {
    const expected = keysOfIdentifier({ kind: 'maid', value: maid }).slice(1);
    for (const spelling of [maid, maid.toLowerCase(), maid.replaceAll('-', ''), ` ${maid} `]) {
      const { outcome, keys } = appended((list) => appendMaidDigests(list, spelling, ALL_TAGS));
      expect(outcome).toBe('ok');
      expect(sorted(keys)).toEqual(sorted(expected));
    }
  });

  test('of a CTV id: the ones appendIdentifier gives', () => {
    const value = 'SmartTV_9F8E7D6C';
    const expected = keysOfIdentifier({ kind: 'ctv', value }).slice(1);
    expect(appended((list) => appendCtvDigests(list, value, ALL_TAGS)).keys).toEqual(expected);
  });

  test('only of the kinds wanted', () => {
    for (const kind of ['maid_sha256', 'maid_sha1', 'maid_md5'] as const) {
      const { keys } = appended((list) => appendMaidDigests(list, maid, 1 << KIND_TAG[kind]));
      expect(keys).toHaveLength(4);
      expect(keys.every((key) => key.startsWith(`${KIND_TAG[kind]}:`))).toBe(true);
    }
    const others = ~(
      (1 << KIND_TAG.maid_sha256) |
      (1 << KIND_TAG.maid_sha1) |
      (1 << KIND_TAG.maid_md5) |
      (1 << KIND_TAG.ctv_sha256)
    );
    expect(appended((list) => appendMaidDigests(list, maid, others))).toEqual({ outcome: 'ok', keys: [] });
    expect(appended((list) => appendCtvDigests(list, maid, others))).toEqual({ outcome: 'ok', keys: [] });
  });

  test.each([
    ['null', null, 'absent'],
    ['blank', ' ', 'absent'],
    ['zeros', '0'.repeat(32), 'absent'],
    ['junk', 'x', 'malformed'],
    ['a number', 7, 'malformed'],
  ])('%s', (_, value, outcome) => {
    expect(appended((list) => appendMaidDigests(list, value, ALL_TAGS)).outcome).toBe(outcome);
    expect(appended((list) => appendCtvDigests(list, value, ALL_TAGS)).outcome).toBe(outcome);
  });
});

describe('properties', () => {
  const email = fc.tuple(
    fc.stringMatching(/^[a-zA-Z.+ ]{1,12}$/, { size: 'max' }),
    fc.constantFrom('gmail.com', 'Gmail.COM', 'googlemail.com', 'x.org'),
  );
  const identifier = fc.oneof(
    email.map(([local, domain]): Identifier => ({ kind: 'email', value: `${local}@${domain}` })),
    fc
      .stringMatching(/^[+]?[0-9() -]{5,20}( ext [0-9]{2})?$/, { size: 'max' })
      .map((value): Identifier => ({ kind: 'phone', value })),
    fc.uuid().map((value): Identifier => ({ kind: 'maid', value })),
    fc.stringMatching(/^[0-9A-Za-z_-]{8,34}$/, { size: 'max' }).map((value): Identifier => ({ kind: 'ctv', value })),
  );

  test('every digest of an expansion, in hex or Base64, is one of its keys, and there are no others', () => {
    fc.assert(
      fc.property(identifier, (one) => {
        const expansion = expandIdentifier(one).ok;
        if (expansion === undefined) return;
        const list = createKeyList(KEYS_PER_IDENTIFIER_MAX);
        for (const { kind, hex } of expansion.digests) {
          const digestBytes = (hex.length / 2) as 16 | 20 | 32;
          appendDigest(list, KIND_TAG[kind], digestBytes, Buffer.from(hex, 'hex').toString('base64'));
        }
        expect(sorted(keysOf(list))).toEqual(sorted(keysOf(expansion.keys).slice(1)));
        expect(new Set(keysOf(list)).size).toBe(list.count);
        expect(expansion.keys.overflowed).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('the case of an e-mail address and white space around it change no key', () => {
    fc.assert(
      fc.property(email, ([local, domain]) => {
        const keys = keysOfIdentifier({ kind: 'email', value: `${local}@${domain}` });
        expect(keysOfIdentifier({ kind: 'email', value: `\t${local}@${domain} `.toUpperCase() })).toEqual(keys);
      }),
    );
  });

  test('no identifier of any shape throws', () => {
    const kind = fc.oneof(
      fc.constantFrom<unknown>(...PLAIN_KINDS, 'eid:a', 'account:b', 'eid:', 'constructor'),
      fc.anything(),
    );
    const shape = fc.oneof(
      fc.record({ kind, value: fc.anything() }),
      fc.record({ kind, value: fc.string({ unit: 'binary' }) }),
      fc.anything(),
    );
    fc.assert(
      fc.property(shape, (one) => {
        const list = createKeyList(KEYS_PER_IDENTIFIER_MAX);
        expect(['ok', 'absent', 'malformed']).toContain(appendIdentifier(list, one as Identifier));
        expandIdentifier(one as Identifier);
      }),
      { numRuns: 3000 },
    );
  });
});
