/**
 * Identifiers as the ledger keeps them: the same keys and digests as the core's, one identity for every spelling.
 * @module
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendIdentifier } from '../../src/core/identity/dialects.js';
import {
  checkIdentifier,
  createKeyList,
  expandIdentifier,
  KEY_WORDS,
  KEYS_PER_IDENTIFIER_MAX,
} from '../../src/core/identity/index.js';
import { BASE_KINDS, type Identifier, type PlainKind } from '../../src/core/vocabulary.js';
import { DigestIdentity, IdentifierReader } from '../../src/ledger/identity.js';
import { digestHex } from '../reference/identity.js';

function identityOf(kind: string, value: string): string {
  const reader = new IdentifierReader();
  expect(reader.read(kind, value)).toBeNull();
  return reader.identity.toString('hex');
}

/** Packed digests as the core writes them. */
function unpacked(reader: IdentifierReader): readonly { kind: PlainKind; hex: string }[] {
  const digests: { kind: PlainKind; hex: string }[] = [];
  for (let at = 0; at < reader.digestsBytes; ) {
    const length = reader.digests[at + 1] ?? 0;
    const kind = BASE_KINDS[(reader.digests[at] ?? 0) - 1] as PlainKind;
    digests.push({ kind, hex: reader.digests.subarray(at + 2, at + 2 + length).toString('hex') });
    at += 2 + length;
  }
  return digests;
}

const SPELLINGS: readonly (readonly [name: string, kind: string, values: readonly string[]])[] = [
  ['an e-mail address in any case', 'email', ['jane@example.com', ' JANE@Example.com ', 'jane@example.com.']],
  ['a phone number with and without its country', 'phone', ['+1 415 555 9317', '(415) 555-9317', '14155559317']],
  [
    'a MAID in any case, with hyphens or without',
    'maid',
    ['6D92078A-8246-4BA4-AE5B-76104861E7DC', '6d92078a82464ba4ae5b76104861e7dc'],
  ],
  ['a CTV id with separators or without', 'ctv', ['AB-cd-12-34-ef', 'abcd1234ef']],
  [
    'a digest in hex or Base64',
    'email_sha1',
    [digestHex('sha1', 'a'), createHash('sha1').update('a').digest('base64')],
  ],
  ['an eid with white space around it', 'eid:Example.com', ['abc', ' abc ']],
];

describe('identities', () => {
  test.each(SPELLINGS)('%s is one person', (_, kind, values) => {
    expect(new Set(values.map((value) => identityOf(kind, value))).size).toBe(1);
  });

  test('they are the first 16 bytes of SHA-256 over canonical kind, zero byte and canonical value', () => {
    const expected = (text: string | Buffer) => createHash('sha256').update(text).digest('hex').slice(0, 32);
    expect(identityOf('EMAIL', ' JANE@example.com')).toBe(expected('email\0jane@example.com'));
    expect(identityOf('EID:Uidapi.COM', 'aB')).toBe(expected('eid:uidapi.com\0aB'));
    const digest = createHash('md5').update('x').digest();
    expect(identityOf('maid_md5', digest.toString('hex'))).toBe(
      expected(Buffer.concat([Buffer.from('maid_md5\0'), digest])),
    );
    const out = Buffer.alloc(16);
    new DigestIdentity().write('maid_md5', Buffer.concat([Buffer.from([9]), digest]), 1, 16, out);
    expect(out.toString('hex')).toBe(identityOf('maid_md5', digest.toString('base64')));
  });

  test('the same text under two kinds is two people', () => {
    expect(identityOf('eid:a', 'b')).not.toBe(identityOf('account:a', 'b'));
    expect(identityOf('eid:a', 'b')).not.toBe(identityOf('eid:b', 'b'));
  });
});

describe('reading', () => {
  const value = fc.oneof(
    fc.emailAddress(),
    fc.stringMatching(/^[a-z.+]{1,10}@(gmail|googlemail)\.com$/),
    fc.uuid(),
    fc.stringMatching(/^[+()0-9 -]{5,18}$/),
    fc.stringMatching(/^[0-9A-Za-z-]{8,34}$/),
    fc.constantFrom('', ' ', '0', '00000000-0000-0000-0000-000000000000', digestHex('sha256', ''), 'x'.repeat(3000)),
    fc
      .tuple(fc.constantFrom('sha256', 'sha1', 'md5'), fc.string())
      .map(([algorithm, text]) => digestHex(algorithm, text)),
    fc.base64String({ minLength: 43, maxLength: 44 }),
    fc.string({ unit: 'binary' }),
    fc.anything(),
  );
  const kind = fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom<unknown>(...BASE_KINDS, 'eid:uidapi.com', 'account:shop', ' Email ') },
    { weight: 1, arbitrary: fc.anything() },
  );

  test('keys, digests and refusals are those of the core, one identifier after the other', () => {
    const reader = new IdentifierReader();
    let readCount = 0;
    fc.assert(
      fc.property(kind, value, (oneKind, oneValue) => {
        const refusal = reader.read(oneKind, oneValue);
        const checked = checkIdentifier(oneKind, oneValue);
        expect(refusal).toEqual(checked.error ?? null);
        if (checked.ok === undefined) return;
        readCount++;
        expect({ kind: reader.kind, value: reader.value }).toEqual(checked.ok);
        const expanded = expandIdentifier(checked.ok);
        expect(keysOf(reader.keys)).toEqual(expanded.ok === undefined ? null : keysOf(expanded.ok.keys));
        const list = createKeyList(KEYS_PER_IDENTIFIER_MAX);
        appendIdentifier(list, checked.ok as Identifier);
        expect(ownKey(reader.keys)).toEqual(ownKey(list));
        const digests = [...(expanded.ok?.digests ?? [])].sort(byText);
        expect([...unpacked(reader)].sort(byText)).toEqual(digests);
      }),
      { numRuns: 3000 },
    );
    expect(readCount).toBeGreaterThan(200);
  });

  test('what the ledger keeps to itself is refused, unless it is the ledger that asks', () => {
    const refusal = new IdentifierReader().read(' Account:OPTGATE-canary ', 'x');
    expect(refusal).toMatchObject({ field: 'kind', code: 'reserved' });
    expect(new IdentifierReader({ allowReserved: true }).read('account:optgate-canary', 'x')).toBeNull();
  });

  test('a kind no database can keep is refused', () => {
    const reader = new IdentifierReader();
    expect(reader.read('eid:a\0b', 'x')).toMatchObject({ field: 'kind', code: 'malformed' });
    expect(reader.read('eid:a\ud800', 'x')).toMatchObject({ field: 'kind', code: 'malformed' });
  });

  test('the default country counts', () => {
    const abroad = new IdentifierReader({ defaultCountry: 'DE' });
    expect(abroad.read('phone', '030 123456')).toBeNull();
    expect(abroad.identity.toString('hex')).toBe(identityOf('phone', '+49 30 123456'));
  });
});

function keysOf(list: { words: Int32Array; count: number }): readonly string[] {
  return Array.from({ length: list.count }, (_, index) =>
    list.words.slice(index * KEY_WORDS, (index + 1) * KEY_WORDS).join(','),
  ).sort();
}

function ownKey(list: { words: Int32Array }): readonly number[] {
  return [...list.words.slice(0, KEY_WORDS)];
}

function byText(one: object, other: object): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}
