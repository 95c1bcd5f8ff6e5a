/**
 * The US Privacy string against its grammar, over every short text of the letters that matter.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUsPrivacy, US_PRIVACY_ABSENT, type UsPrivacy } from '../../../src/core/signals/us-privacy.js';

/** The specification as one pattern: a dash for the sale choice only where CCPA does not apply. */
const LEGAL = /^1(?:[YN-][YN][YN-]|---)$/;

function slowly(text: string): UsPrivacy {
  const upper = text.toUpperCase();
  if (LEGAL.test(upper) && text.length === 4) {
    const [, notice, sale, lspaCovered] = upper as unknown as ['1', 'Y' | 'N' | '-', 'Y' | 'N' | '-', 'Y' | 'N' | '-'];
    return { kind: 'parsed', notice, saleOptOut: sale === '-' ? null : sale === 'Y', lspaCovered, text: upper };
  }
  // The first character after which no legal string can begin.
  const legal = [
    '1---',
    ...['Y', 'N', '-'].flatMap((a) => ['Y', 'N'].flatMap((b) => ['Y', 'N', '-'].map((c) => `1${a}${b}${c}`))),
  ];
  let at = 0;
  while (at < text.length && legal.some((whole) => whole.startsWith(upper.slice(0, at + 1)))) at++;
  // `1--Y`: it is the third character that is out of place, since the fourth says that CCPA applies.
  if (/^1--[YN]/.test(upper)) at = 2;
  return { kind: 'malformed', at };
}

test('every text of up to five letters of Y, N, -, 1, 2 and a stray one', () => {
  const letters = ['1', '2', 'Y', 'n', '-', '~'];
  let texts = [''];
  for (let length = 0; length <= 5; length++) {
    for (const text of texts) expect(parseUsPrivacy(text), text).toEqual(slowly(text));
    texts = texts.flatMap((text) => letters.map((letter) => text + letter));
  }
});

test('any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(parseUsPrivacy(text)).toEqual(slowly(text));
    }),
  );
});

describe('cases from the specification and from traffic', () => {
  const cases: readonly [name: string, value: unknown, expected: object][] = [
    ['no field', undefined, { kind: 'absent' }],
    ['null', null, { kind: 'absent' }],
    ['an empty string is not absent', '', { kind: 'malformed', at: 0 }],
    ['opted out', '1YYN', { kind: 'parsed', notice: 'Y', saleOptOut: true, lspaCovered: 'N', text: '1YYN' }],
    ['not opted out', '1YNN', { kind: 'parsed', notice: 'Y', saleOptOut: false, lspaCovered: 'N', text: '1YNN' }],
    ['CCPA does not apply', '1---', { kind: 'parsed', notice: '-', saleOptOut: null, lspaCovered: '-', text: '1---' }],
    ['opted out, the rest unknown', '1-Y-', { saleOptOut: true, text: '1-Y-' }],
    ['lower case', '1yyn', { saleOptOut: true, text: '1YYN' }],
    ['CCPA applies, choice unknown', '1Y-N', { kind: 'malformed', at: 2 }],
    ['version 2 was never defined', '2YNN', { kind: 'malformed', at: 0 }],
    ['too short', '1YN', { kind: 'malformed', at: 3 }],
    ['too long', '1YNNN', { kind: 'malformed', at: 4 }],
    ['no trimming', '1YNN ', { kind: 'malformed', at: 4 }],
    ['an unexpanded macro', '%%US_PRIVACY%%', { kind: 'malformed', at: 0 }],
    ['a number', 1, { kind: 'malformed', at: 0 }],
    ['an object', {}, { kind: 'malformed', at: 0 }],
  ];
  for (const [name, value, expected] of cases) test(name, () => expect(parseUsPrivacy(value)).toMatchObject(expected));
});

test('answers are shared and cannot be changed', () => {
  expect(parseUsPrivacy('1YNN')).toBe(parseUsPrivacy('1ynn'));
  for (const value of ['1YNN', 'x', undefined]) expect(Object.isFrozen(parseUsPrivacy(value))).toBe(true);
  expect(parseUsPrivacy(undefined)).toBe(US_PRIVACY_ABSENT);
});
