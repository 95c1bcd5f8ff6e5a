/**
 * Canonical JSON: the vectors of RFC 8785, and that what is told quickly is told right.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, parseCanonical } from '../../../src/ledger/audit/canonical-json.js';
import { isPlainObject } from '../../../src/ledger/audit/plain-json.js';
import { cases } from '../../cases.js';
import { canonical } from '../../reference/audit-trail.js';

const { texts, numbers } = JSON.parse(readFileSync('test/vectors/canonical-json.json', 'utf8'));

describe('RFC 8785', () => {
  for (const { name, input, expected } of texts) {
    test(name, () => expect(canonicalJson(JSON.parse(input))).toBe(expected));
  }
  for (const [bits, expected] of numbers) {
    test(`the number ${bits}`, () => {
      const value = Buffer.from(bits, 'hex').readDoubleBE();
      if (expected === null) expect(() => canonicalJson(value)).toThrow(TypeError);
      else expect(canonicalJson(value)).toBe(expected);
    });
  }
});

test.each([
  ['nothing', undefined],
  ['nothing in a member', { a: undefined }],
  ['a hole in a list', new Array(1)],
  ['a bigint', { a: 1n }],
  ['a function', () => 1],
  ['a date', { a: new Date(0) }],
  ['half of a character', '\ud800'],
  ['half of a character in a name', { '\udc00': 1 }],
  ['what has no end', [[...Array(70)].reduce((inner) => [inner], [])]],
])('%s is refused', (_, value) => expect(() => canonicalJson(value)).toThrow(TypeError));

test('agrees with the reference, and is read back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(text).toBe(canonical(value));
      expect(parseCanonical(text)).toEqual(JSON.parse(text));
    }),
    { numRuns: cases(500) },
  );
});

/** Texts that are nearly canonical. */
const nearly = fc
  .tuple(
    fc.jsonValue({ maxDepth: 3 }),
    fc.nat(),
    fc.constantFrom('', ' ', '"', '0', ',', '\\', '}', '-', '\\u0041', 'e1', '.0'),
  )
  .map(([value, at, piece]) => {
    const text = canonical({ a: value, b: [value] });
    const place = at % text.length;
    return text.slice(0, place) + piece + text.slice(place + (at % 2));
  });

test('a text that is not the canonical one of its value is found out; and what is plain is canonical', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        nearly,
        fc.json().map((text) => `{"a":${text}}`),
      ),
      (text) => {
        let isCanonical = false;
        try {
          isCanonical = canonical(JSON.parse(text)) === text;
        } catch {}
        expect(parseCanonical(text) !== undefined).toBe(isCanonical);
        if (isPlainObject(text, 0, text.length)) expect(isCanonical).toBe(true);
      },
    ),
    { numRuns: cases(2_000) },
  );
});

test.each([
  ['{}', true],
  ['{"a":1,"b":[true,false,null,"x",-5,0],"c":{}}', true],
  ['{"b":1,"a":1}', false],
  ['{"a":1,"a":1}', false],
  ['{"ab":1,"a":1}', false],
  ['{"a":01}', false],
  ['{"a":-0}', false],
  ['{"a":1.0}', false],
  ['{"a":1e3}', false],
  ['{"a":"\\u0041"}', false],
  ['{"a":nul}', false],
  ['{"a":truex}', false],
  ['{"a":1,}', false],
  ['{"a":[1,]}', false],
  ['{"a":"', false],
  ['{"a":1} ', false],
])('%s', (text, isPlain) => expect(isPlainObject(text, 0, text.length)).toBe(isPlain));
