/**
 * Identifiers at the edge: what is accepted, and refusals that name the field and never show the value.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkIdentifier, expandIdentifier, IDENTIFIER_LENGTH_MAX } from '../../../src/core/identity/index.js';
import { type Identifier, KIND_TAG, PLAIN_KINDS } from '../../../src/core/vocabulary.js';
import { digestHex } from '../../reference/identity.js';
import { keysOf, keyText } from './keys.js';

const SHA256 = digestHex('sha256', 'anna@domain.com');

describe('accepted', () => {
  test.each([
    ['maid', ' A3F1C2D4-5678-90AB-CDEF-1234567890AB ', 'maid', 'A3F1C2D4-5678-90AB-CDEF-1234567890AB'],
    [' Email ', 'Anna@Domain.com', 'email', 'Anna@Domain.com'],
    ['EID:UIDAPI.com', ' Abc= ', 'eid:uidapi.com', 'Abc='],
    ['account: shop:eu ', '0', 'account:shop:eu', '0'],
    ['email_sha256', SHA256, 'email_sha256', SHA256],
    [
      'ndz_sha256',
      Buffer.from(SHA256, 'hex').toString('base64'),
      'ndz_sha256',
      Buffer.from(SHA256, 'hex').toString('base64'),
    ],
  ])('%s %s', (kind, value, canonicalKind, trimmed) => {
    expect(checkIdentifier(kind, value)).toEqual({ ok: { kind: canonicalKind, value: trimmed } });
  });
});

describe('refused', () => {
  test.each([
    ['no kind', undefined, 'x', 'kind', 'not_text'],
    ['a kind that is a number', 3, 'x', 'kind', 'not_text'],
    ['an empty kind', ' ', 'x', 'kind', 'empty'],
    ['an unknown kind', 'emial', 'x', 'kind', 'unknown'],
    ['a name every object has', 'constructor', 'x', 'kind', 'unknown'],
    ['a plain kind with a qualifier', 'email:x', 'x', 'kind', 'unknown'],
    ['an eid without its source', 'eid', 'x', 'kind', 'no_qualifier'],
    ['an eid with an empty source', 'eid: ', 'x', 'kind', 'no_qualifier'],
    ['a kind too long', `eid:${'x'.repeat(IDENTIFIER_LENGTH_MAX)}`, 'x', 'kind', 'too_long'],
    ['no value', 'maid', undefined, 'value', 'not_text'],
    ['a number for a value', 'phone', 4155559317, 'value', 'not_text'],
    ['an empty value', 'maid', '', 'value', 'empty'],
    ['a blank value', 'email', ' \u00a0', 'value', 'empty'],
    ['a value too long', 'account:a', 'x'.repeat(IDENTIFIER_LENGTH_MAX + 1), 'value', 'too_long'],
    ['the all-zero MAID', 'maid', '00000000-0000-0000-0000-000000000000', 'value', 'names_nobody'],
    ['the digest of nothing', 'email_sha256', digestHex('sha256', ''), 'value', 'names_nobody'],
    ['a MAID with a wrong digit', 'maid', 'a3f1c2d4-5678-90ab-cdef-1234567890ag', 'value', 'malformed'],
    ['a SHA-1 for a SHA-256', 'email_sha256', digestHex('sha1', 'a'), 'value', 'malformed'],
  ])('%s', (_, kind, value, field, code) => {
    const { error } = checkIdentifier(kind, value);
    expect(error).toMatchObject({ field, code });
    expect(error?.message).toMatch(/^expected /);
    expect(expandIdentifier({ kind, value } as Identifier).error).toEqual(error);
  });

  test.each([...PLAIN_KINDS])('a malformed %s says what was expected', (kind) => {
    expect(checkIdentifier(kind, '??').error?.message).toMatch(/^expected (?:an? |8 to 32 )/);
  });

  test('no message shows the value or the kind, whatever they are', () => {
    const kind = fc.oneof(fc.constantFrom<string>(...PLAIN_KINDS, 'eid:', 'account:a'), fc.string({ minLength: 3 }));
    fc.assert(
      fc.property(kind, fc.stringMatching(/^Q[A-Z0-9]{7,40}$/, { size: 'max' }), (kind, value) => {
        for (const { error } of [
          checkIdentifier(kind, value),
          checkIdentifier(value, kind),
          checkIdentifier(value, value),
        ]) {
          expect(JSON.stringify(error ?? {})).not.toContain(value);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('nothing throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (kind, value) => {
        const { ok, error } = checkIdentifier(kind, value);
        expect(ok === undefined).toBe(error !== undefined);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('expanded', () => {
  test('a digest gives itself, in lower-case hex', () => {
    for (const value of [SHA256.toUpperCase(), Buffer.from(SHA256, 'hex').toString('base64url')]) {
      const expansion = expandIdentifier({ kind: 'phone_sha256', value }).ok;
      expect(expansion?.digests).toEqual([{ kind: 'phone_sha256', hex: SHA256 }]);
      expect(keysOf(expansion!.keys)).toEqual([keyText(KIND_TAG.phone_sha256, SHA256)]);
    }
  });

  test('an eid gives one key and no digest, and the identifier in canonical form', () => {
    const expansion = expandIdentifier({ kind: 'eid:UIDAPI.com', value: ' Abc ' }).ok;
    expect(expansion?.identifier).toEqual({ kind: 'eid:uidapi.com', value: 'Abc' });
    expect(expansion?.digests).toEqual([]);
    expect(expansion?.keys.count).toBe(1);
  });

  test('one expansion does not change another', () => {
    const first = expandIdentifier({ kind: 'email', value: 'a@b.c' }).ok;
    const keys = keysOf(first!.keys);
    expandIdentifier({ kind: 'email', value: 'd@e.f' });
    expect(keysOf(first!.keys)).toEqual(keys);
  });
});
