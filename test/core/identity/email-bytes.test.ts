/**
 * E-mail addresses from bytes against those from texts, and MD5 against that of `node:crypto`.
 * @module
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALL_TAGS } from '../../../src/core/identity/device-digests.js';
import { appendIdentifier } from '../../../src/core/identity/dialects.js';
import { appendEmailAt } from '../../../src/core/identity/email-bytes.js';
import { createKeyList, KEY_WORDS, KEYS_PER_IDENTIFIER_MAX, type KeyList } from '../../../src/core/identity/index.js';
import { MD5_BYTES_MAX, md5 } from '../../../src/core/identity/md5.js';
import { KIND_TAG } from '../../../src/core/vocabulary.js';

const keysOf = ({ words, count }: KeyList) =>
  Array.from({ length: count }, (_, index) => words.slice(KEY_WORDS * index, KEY_WORDS * (index + 1)).join(':'));

const part = fc.string({ unit: fc.constantFrom('a', 'Z', '9', '.', '+', '-', '_'), maxLength: 12 });
const domain = fc.constantFrom(
  'gmail.com',
  'GMail.com',
  'googlemail.com',
  'example.com',
  'a.b.c',
  'x',
  '.com',
  'a..b',
  'a.',
  'a.b|c',
  'gmail.com/',
  'ogmail.com',
);
const address = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(part, domain).map(([local, at]) => `${local}@${at}`) },
  fc.string({ unit: fc.constantFrom('a', '@', '.', ' ', '+', '"', '\0', 'é', '@gmail.com'), maxLength: 8 }),
  fc.integer({ min: 40, max: 300 }).map((length) => `${'Q'.repeat(length)}@gmail.com`),
);
const tags = fc.constantFrom(
  0,
  ALL_TAGS,
  1 << KIND_TAG.email_md5,
  (1 << KIND_TAG.email_sha256) | (1 << KIND_TAG.maid_md5),
);

test('the keys are those of the text, or the address is left to others', () => {
  let readCount = 0;
  fc.assert(
    fc.property(address, tags, fc.nat(3), (text, wantedTags, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, '@'), Buffer.from(text), Buffer.from('@.')]);
      const [fromBytes, fromText] = [createKeyList(KEYS_PER_IDENTIFIER_MAX), createKeyList(KEYS_PER_IDENTIFIER_MAX)];
      const outcome = appendEmailAt(fromBytes, bytes, offset, bytes.length - 2, wantedTags);
      if (outcome === null) {
        expect(fromBytes.count).toBe(0);
        return;
      }
      readCount++;
      expect(outcome).toBe(appendIdentifier(fromText, { kind: 'email', value: text }, { wantedTags }));
      expect(keysOf(fromBytes).sort()).toEqual(keysOf(fromText).sort());
      expect(keysOf(fromBytes)[0]).toBe(keysOf(fromText)[0]);
    }),
    { numRuns: 3000 },
  );
  expect(readCount).toBeGreaterThan(800);
});

test('MD5 of every length that fits, and of any bytes', () => {
  const words = new Int32Array(5);
  for (let length = 0; length <= MD5_BYTES_MAX; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 89 + length * 31) & 0xff));
    md5(bytes, length, words, 1);
    const hex = [...words.subarray(1)].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    expect(hex).toBe(createHash('md5').update(bytes).digest('hex'));
  }
});
