/**
 * Keys from bytes are the keys of the same text as a string, outcome and all.
 * @module
 */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  createKeyList,
  type KeyList,
  type KeyOutcome,
} from '../../../src/core/identity/key.js';
import {
  appendAccountAt,
  appendCtvAt,
  appendDigestAt,
  appendEidAt,
  appendMaidAt,
} from '../../../src/core/identity/key-bytes.js';
import { IDENTIFIER_LENGTH_MAX } from '../../../src/core/identity/limits.js';
import { hashText, hashUtf8 } from '../../../src/core/identity/string-hash.js';

const UUID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const ZERO = '00000000-0000-0000-0000-000000000000';
const digests = ['md5', 'sha1', 'sha256'].flatMap((name) => [
  hash(name, 'x'),
  hash(name, 'x').toUpperCase(),
  hash(name, 'x', 'base64'),
  hash(name, 'x', 'base64url'),
  hash(name, ''),
  hash(name, ZERO),
]);

/** Printable ASCII as it stands in a text of JSON without escapes; often nearly an identifier. */
const anyText = fc.oneof(
  fc.constantFrom(
    ...[UUID, UUID.toUpperCase(), UUID.replaceAll('-', ''), `{${UUID}}`, ZERO, '0'.repeat(32), '', ' ', '0'],
  ),
  fc.constantFrom(
    ...digests,
    'SmartTV_9F8E7D6C',
    'x'.repeat(IDENTIFIER_LENGTH_MAX),
    'x'.repeat(IDENTIFIER_LENGTH_MAX + 1),
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 70 }),
  fc
    .tuple(fc.constantFrom(UUID, ...digests), fc.nat(70), fc.string({ unit: 'grapheme-ascii', maxLength: 2 }))
    .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + put.length)),
  fc.constantFrom(UUID, 'abc', ...digests).map((text) => `  ${text} `),
);

type Appender = (list: KeyList, text: string) => KeyOutcome;
type ByteAppender = (list: KeyList, bytes: Uint8Array, from: number, to: number) => KeyOutcome;
const PAIRS: readonly (readonly [name: string, Appender, ByteAppender])[] = [
  ['maid', appendMaid, appendMaidAt],
  ['ctv', appendCtv, appendCtvAt],
  ...([16, 20, 32] as const).map(
    (size) =>
      [
        `digest of ${size}`,
        (list: KeyList, text: string) => appendDigest(list, 3, size, text),
        (list: KeyList, bytes: Uint8Array, from: number, to: number) => appendDigestAt(list, 3, size, bytes, from, to),
      ] as const,
  ),
  [
    'account',
    (list, text) => appendAccount(list, ' Shop', text),
    (list, bytes, from, to) => appendAccountAt(list, ' Shop', bytes, from, to),
  ],
  [
    'account without a name space',
    (list, text) => appendAccount(list, '', text),
    (list, bytes, from, to) => appendAccountAt(list, '', bytes, from, to),
  ],
  [
    'eid, its source the text',
    (list, text) => appendEid(list, text, 'abc'),
    (list, bytes, from, to) => {
      const all = Buffer.concat([bytes.subarray(from, to), Buffer.from('abc')]);
      return appendEidAt(list, all, 0, to - from, to - from, to - from + 3);
    },
  ],
  [
    'eid',
    (list, text) => appendEid(list, 'Liveramp.com', text),
    (list, bytes, from, to) => {
      const all = Buffer.concat([bytes.subarray(from, to), Buffer.from('Liveramp.com')]);
      return appendEidAt(list, all, to - from, all.length, 0, to - from);
    },
  ],
];

describe('bytes and strings', () => {
  test.each(PAIRS)('%s', (_name, append, appendAt) => {
    const [fromText, fromBytes] = [createKeyList(2), createKeyList(2)];
    fc.assert(
      fc.property(anyText, fc.nat(9), (text, offset) => {
        for (const list of [fromText, fromBytes]) {
          list.count = 0;
          list.overflowed = false;
        }
        const bytes = Buffer.concat([Buffer.alloc(offset, 'f'), Buffer.from(text), Buffer.from('ffff')]);
        for (let times = 0; times < 3; times++) {
          const outcome = append(fromText, text);
          expect(appendAt(fromBytes, bytes, offset, offset + text.length)).toBe(outcome);
        }
        expect([fromBytes.count, fromBytes.overflowed]).toEqual([fromText.count, fromText.overflowed]);
        const end = fromText.count * 5;
        expect(fromBytes.words.subarray(0, end)).toEqual(fromText.words.subarray(0, end));
      }),
      { numRuns: 1_500 },
    );
  });

  test('the hash of text and of its UTF-8', () => {
    const [first, second] = [new Int32Array(4), new Int32Array(4)];
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.nat(5), (text, offset) => {
        first.fill(7);
        second.fill(7);
        hashText(text, first, 0);
        const bytes = Buffer.concat([Buffer.alloc(offset, 1), Buffer.from(text), Buffer.alloc(5, 2)]);
        hashUtf8(bytes, offset, bytes.length - 5, second, 0);
        expect(second).toEqual(first);
      }),
      { numRuns: 2_000 },
    );
  });
});
