/**
 * Keys: one for every spelling of an identifier, none for what names nobody, and the same as the slow reference.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readUuid } from '../../../src/core/identity/hex.js';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  createKeyList,
  type DigestBytes,
  IDENTIFIER_LENGTH_MAX,
  type KeyList,
  type KeyOutcome,
} from '../../../src/core/identity/index.js';
import { KIND_TAG } from '../../../src/core/vocabulary.js';
import {
  digestHex,
  type ReferenceKey,
  referenceCtv,
  referenceDigest,
  referenceMaid,
  referenceQualified,
} from '../../reference/identity.js';
import { appended, keysOf, keyText } from './keys.js';

const MAID = 'a3f1c2d4-5678-90ab-cdef-1234567890ab';
const ALGORITHMS = ['sha256', 'sha1', 'md5'] as const;
const DIGEST_BYTES: Readonly<Record<(typeof ALGORITHMS)[number], DigestBytes>> = { sha256: 32, sha1: 20, md5: 16 };

/** The fast appender must do what the reference says: the same key, or the same refusal. */
function expectSame(tag: number, append: (list: KeyList) => KeyOutcome, reference: ReferenceKey): void {
  const expected = reference.outcome === 'ok' ? [keyText(tag, reference.hex)] : [];
  expect(appended(append)).toEqual({ outcome: reference.outcome, keys: expected });
}

/** Hexadecimal digits in random case. */
const hexText = (byteCount: number) =>
  fc
    .tuple(fc.uint8Array({ minLength: byteCount, maxLength: byteCount }), fc.infiniteStream(fc.boolean()))
    .map(([bytes, upper]) =>
      [...Buffer.from(bytes).toString('hex')].map((c) => (upper.next().value ? c.toUpperCase() : c)).join(''),
    );

/** A text of the right characters, with a little damage now and then. */
const damaged = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(
      text,
      fc.nat(80),
      fc.constantFrom('', ' ', '-', '=', 'g', '0', '\u0130', '\u0161', '\ud800', '+', '_', '\u00a0'),
      fc.nat(2),
    )
    .map(([whole, at, piece, cut]) => whole.slice(0, at) + piece + whole.slice(at + cut));

const maidText = hexText(16).chain((hex) =>
  fc.constantFrom(
    hex,
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
  ),
);
const digestText = (byteCount: number) =>
  fc
    .uint8Array({ minLength: byteCount, maxLength: byteCount })
    .chain((bytes) =>
      fc.constantFrom(
        Buffer.from(bytes).toString('hex'),
        Buffer.from(bytes).toString('hex').toUpperCase(),
        Buffer.from(bytes).toString('base64'),
        Buffer.from(bytes).toString('base64').replaceAll('=', ''),
        Buffer.from(bytes).toString('base64url'),
      ),
    );

describe('MAID', () => {
  test.each([
    ['lower case', MAID],
    ['upper case', MAID.toUpperCase()],
    ['no hyphens', MAID.replaceAll('-', '')],
    ['no hyphens, upper case', MAID.replaceAll('-', '').toUpperCase()],
    ['white space around it', ` ${MAID}\n`],
    ['braces', `{${MAID}}`],
    ['hyphens elsewhere', 'a3f1c2d45678-90ab-cdef-1234-567890ab'],
  ])('is one key in every spelling: %s', (_, value) => {
    expect(appended((list) => appendMaid(list, value)).keys).toEqual([
      keyText(KIND_TAG.maid, MAID.replaceAll('-', '')),
    ]);
  });

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['empty', ''],
    ['white space', ' \t'],
    ['zeros', '00000000-0000-0000-0000-000000000000'],
    ['zeros without hyphens', '0'.repeat(32)],
    ['a single zero', '0'],
  ])('names nobody: %s', (_, value) => expect(appended((list) => appendMaid(list, value)).outcome).toBe('absent'));

  test.each([
    ['a digit too few', MAID.slice(1)],
    ['a digit too many', `${MAID}0`],
    ['a letter past f', MAID.replace('a', 'g')],
    ['a character whose low byte is a digit', MAID.replace('3', '\u0133')],
    ['a number', 12],
    ['an array', [MAID]],
    ['too long', ' '.repeat(IDENTIFIER_LENGTH_MAX) + MAID],
  ])('is malformed: %s', (_, value) => expect(appended((list) => appendMaid(list, value)).outcome).toBe('malformed'));

  test('as the reference says, key or refusal', () => {
    fc.assert(
      fc.property(fc.oneof(maidText, damaged(maidText), fc.string({ unit: 'binary' })), (value) =>
        expectSame(KIND_TAG.maid, (list) => appendMaid(list, value), referenceMaid(value)),
      ),
      { numRuns: 3000 },
    );
  });

  test('every digit counts', () => {
    fc.assert(
      fc.property(hexText(16), fc.nat(31), fc.integer({ min: 1, max: 15 }), (hex, at, change) => {
        const digit = (Number.parseInt(hex[at]!, 16) ^ change).toString(16);
        const other = hex.slice(0, at) + digit + hex.slice(at + 1);
        expect(appended((list) => appendMaid(list, hex)).keys).not.toEqual(
          appended((list) => appendMaid(list, other)).keys,
        );
      }),
    );
  });
});

describe.each(ALGORITHMS)('%s digest', (algorithm) => {
  const tag = KIND_TAG[`email_${algorithm}`];
  const digestBytes = DIGEST_BYTES[algorithm];
  const append = (value: unknown) => appended((list) => appendDigest(list, tag, digestBytes, value));

  test('hex of any case, Base64 and Base64url, padded or not, are one key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: digestBytes, maxLength: digestBytes }), (bytes) => {
        const buffer = Buffer.from(bytes);
        const hex = buffer.toString('hex');
        const expected = append(hex);
        expect(expected).toEqual({ outcome: 'ok', keys: [keyText(tag, hex)] });
        const base64 = buffer.toString('base64');
        const spellings = [
          hex.toUpperCase(),
          base64,
          base64.replaceAll('=', ''),
          buffer.toString('base64url'),
          ` ${base64}\r\n`,
        ];
        for (const spelling of spellings) expect(append(spelling)).toEqual(expected);
      }),
    );
  });

  test('as the reference says, key or refusal', () => {
    const text = digestText(digestBytes);
    fc.assert(
      fc.property(fc.oneof(text, damaged(text), fc.string({ unit: 'binary' })), (value) =>
        expectSame(tag, (list) => appendDigest(list, tag, digestBytes, value), referenceDigest(algorithm, value)),
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['of empty text', ''],
    ['of the all-zero UUID', '00000000-0000-0000-0000-000000000000'],
    ['of the all-zero UUID without hyphens', '0'.repeat(32)],
  ])('names nobody: %s', (_, text) => {
    const hex = digestHex(algorithm, text);
    expect(append(hex).outcome).toBe('absent');
    expect(append(Buffer.from(hex, 'hex').toString('base64')).outcome).toBe('absent');
  });

  test('of zeros names nobody', () => {
    expect(append('00'.repeat(digestBytes)).outcome).toBe('absent');
    expect(append(Buffer.alloc(digestBytes).toString('base64')).outcome).toBe('absent');
  });

  test('of another length is malformed', () => {
    for (const other of ALGORITHMS.filter((name) => name !== algorithm)) {
      expect(append(digestHex(other, 'a')).outcome).toBe('malformed');
    }
  });

  test('a wrong character is malformed wherever it is', () => {
    const hex = digestHex(algorithm, 'a');
    const base64 = Buffer.from(hex, 'hex').toString('base64');
    for (let at = 0; at < hex.length; at++)
      expect(append(`${hex.slice(0, at)}g${hex.slice(at + 1)}`).outcome).toBe('malformed');
    for (let at = 0; at < base64.length; at++) {
      expect(append(`${base64.slice(0, at)}!${base64.slice(at + 1)}`).outcome).toBe('malformed');
    }
  });
});

describe.each([
  ['eid', appendEid, KIND_TAG.eid],
  ['account', appendAccount, KIND_TAG.account],
] as const)('%s', (_, appendQualified, tag) => {
  const append = (qualifier: unknown, id: unknown) => appended((list) => appendQualified(list, qualifier, id));

  test('the qualifier in any case, with white space around it, is one key; so is the id with white space', () => {
    const expected = append('example.com', 'AbC');
    expect(expected.outcome).toBe('ok');
    expect(append(' EXAMPLE.com\t', 'AbC')).toEqual(expected);
    expect(append('example.com', ' AbC\n')).toEqual(expected);
    for (const id of ['\u00a0AbC\u3000', 'AbC\u3000', '\u00a0AbC', 'AbC\u2028'])
      expect(append('example.com', id)).toEqual(expected);
  });

  test('the case of the id counts', () =>
    expect(append('example.com', 'abc')).not.toEqual(append('example.com', 'AbC')));

  test('qualifier and id cannot run into each other', () => {
    expect(append('ab', 'c')).not.toEqual(append('a', 'bc'));
    expect(append('a:b', 'c')).not.toEqual(append('a', 'b:c'));
    expect(append('a', 'b')).not.toEqual(append('b', 'a'));
  });

  test.each([
    ['no id', 'example.com', undefined, 'absent'],
    ['an empty id', 'example.com', '', 'absent'],
    ['a blank id', 'example.com', ' \u00a0', 'absent'],
    ['the all-zero UUID', 'example.com', '00000000-0000-0000-0000-000000000000', 'absent'],
    ['the all-zero UUID without hyphens', 'example.com', '0'.repeat(32), 'absent'],
    ['an id that is a number', 'example.com', 7, 'malformed'],
    ['no source', undefined, 'abc', 'malformed'],
    ['a blank source', ' ', 'abc', 'malformed'],
    ['a source that is no text', {}, 'abc', 'malformed'],
    ['an id too long', 'example.com', 'x'.repeat(IDENTIFIER_LENGTH_MAX + 1), 'malformed'],
    ['a source too long', 'x'.repeat(IDENTIFIER_LENGTH_MAX + 1), 'abc', 'malformed'],
    ['a single zero, which may be somebody', 'example.com', '0', 'ok'],
    ['the longest of both', 'x'.repeat(IDENTIFIER_LENGTH_MAX), 'x'.repeat(IDENTIFIER_LENGTH_MAX), 'ok'],
  ])('%s', (_name, qualifier, id, outcome) => expect(append(qualifier, id).outcome).toBe(outcome));

  test('as the reference says, key or refusal', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary', maxLength: 60, size: 'max' }),
      fc.constantFrom('', ' ', 'İ', 'uidapi.com'),
    );
    fc.assert(
      fc.property(text, text, (qualifier, id) =>
        expectSame(tag, (list) => appendQualified(list, qualifier, id), referenceQualified(qualifier, id)),
      ),
      { numRuns: 3000 },
    );
  });

  test('more sources than are remembered change nothing', () => {
    for (let i = 0; i < 3000; i++) {
      const source = `source-${i}.example`;
      expectSame(tag, (list) => appendQualified(list, source, 'abc'), referenceQualified(source, 'abc'));
    }
    const long = `${'long.'.repeat(40)}example`;
    for (let i = 0; i < 2; i++)
      expectSame(tag, (list) => appendQualified(list, long, 'abc'), referenceQualified(long, 'abc'));
  });
});

test('a UUID and a bare one are read without the slow path', () => {
  const words = new Int32Array(4);
  for (const text of [MAID, MAID.replaceAll('-', '')]) {
    expect(readUuid(text, words.fill(0), 0)).toBe(true);
    expect([...words]).toEqual([0xa3f1c2d4, 0x567890ab, 0xcdef1234, 0x567890ab].map((word) => word | 0));
  }
});

describe('CTV id', () => {
  test('as the reference says, key or refusal', () => {
    const text = fc.oneof(
      fc.stringMatching(/^[0-9A-Za-z_:-]{0,40}$/, { size: 'max' }),
      fc.string({ unit: 'binary' }),
      maidText,
    );
    fc.assert(
      fc.property(text, (value) => expectSame(KIND_TAG.ctv, (list) => appendCtv(list, value), referenceCtv(value))),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['null', null, 'absent'],
    ['blank', ' ', 'absent'],
    ['zeros', '00000000', 'absent'],
    ['zeros with hyphens', '00000000-0000-0000-0000-000000000000', 'absent'],
    ['7 letters', 'abcdefg', 'malformed'],
    ['33 letters', 'a'.repeat(33), 'malformed'],
    ['8 letters', 'abcdefgh', 'ok'],
    ['32 letters', 'a'.repeat(32), 'ok'],
  ])('%s', (_, value, outcome) => expect(appended((list) => appendCtv(list, value)).outcome).toBe(outcome));
});

describe('a list', () => {
  test.each([0, -1, 1.5, Number.NaN, 2 ** 60])('of %s keys is refused', (capacity) =>
    expect(() => createKeyList(capacity)).toThrow(RangeError),
  );

  test('that is full keeps its keys and says so, but only of what would have been a key', () => {
    const list = createKeyList(2);
    appendMaid(list, MAID);
    appendEid(list, 'a.example', 'x');
    const before = keysOf(list);
    expect(appendMaid(list, '')).toBe('absent');
    expect(appendMaid(list, 'x')).toBe('malformed');
    expect(list.overflowed).toBe(false);
    expect(appendMaid(list, MAID)).toBe('overflow');
    expect(appendEid(list, 'a.example', 'x')).toBe('overflow');
    expect(appendDigest(list, KIND_TAG.email_sha256, 32, digestHex('sha256', 'a'))).toBe('overflow');
    expect(list.overflowed).toBe(true);
    expect(keysOf(list)).toEqual(before);
  });

  test('equal bytes under different kinds are different keys', () => {
    const hex = digestHex('md5', 'a');
    const list = createKeyList(8);
    appendMaid(list, hex);
    appendDigest(list, KIND_TAG.email_md5, 16, hex);
    appendDigest(list, KIND_TAG.maid_md5, 16, hex);
    appendEid(list, 'a.example', hex);
    appendAccount(list, 'a.example', hex);
    appendCtv(list, hex);
    expect(new Set(keysOf(list)).size).toBe(6);
  });
});

test('no value of any type makes an appender throw', () => {
  const anything = fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withTypedArray: true });
  fc.assert(
    fc.property(anything, anything, (a, b) => {
      const list = createKeyList(32);
      appendMaid(list, a);
      appendCtv(list, a);
      for (const algorithm of ALGORITHMS) appendDigest(list, 1, DIGEST_BYTES[algorithm], a);
      appendEid(list, a, b);
      appendAccount(list, a, b);
    }),
    { numRuns: 1000 },
  );
});
