/**
 * What counts as an e-mail address: one address alone. The check of rows and the making of keys use the same rule.
 * @module
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appendIdentifier, checkIdentifier } from '../../../src/core/identity/index.js';
import { referenceIsEmail } from '../../reference/identity-email.js';
import { appended } from './keys.js';

const outcomeOf = (value: string) => appended((list) => appendIdentifier(list, { kind: 'email', value })).outcome;
const keysOf = (value: string) => appended((list) => appendIdentifier(list, { kind: 'email', value })).keys;

test.each([
  'jane@example.com',
  ' Jane.Doe+ads@Mail.Example.co.uk\t',
  'Anna Smith@Domain.com',
  'jane @ example.com',
  "o'hara_!#$%&*/=?^`{|}~-@example.com",
  'jörg@müller.example',
  '用户@例子.公司',
  'jane@[192.0.2.1]',
  'a@b.c',
])('%j is one', (value) => {
  expect(outcomeOf(value)).toBe('ok');
  expect(checkIdentifier('email', value).error).toBeUndefined();
});

test.each([
  ['mailto:', 'mailto:jane@example.com'],
  ['a display name', 'Jane <jane@example.com>'],
  ['brackets alone', '<jane@example.com>'],
  ['quotes', '"jane"@example.com'],
  ['a comment', 'jane(work)@example.com'],
  ['a list', 'jane@example.com,joan@example.com'],
  ['a list with a semicolon', 'jane@example.com;'],
  ['two addresses', 'jane@example.com joan@example.com'],
  ['two signs', 'jane@@example.com'],
  ['no sign', 'jane.example.com'],
  ['nothing before it', ' @example.com'],
  ['nothing after it', 'jane@'],
  ['a domain without a dot', 'jane@localhost'],
  ['an empty label first', 'jane@.com'],
  ['an empty label', 'jane@example..com'],
  ['two dots at the end', 'jane@example.com..'],
  ['only a dot', 'jane@.'],
  ['a note after it', 'jane@example.com bounced'],
  ['a bar and a phone number', 'jane@example.com|+14155559317'],
  ['a slash and what follows it', 'jane@example.com/joan'],
  ['a space in the domain', 'jane@example .com'],
  ['a zero-width space', 'ja\u200bne@example.com'],
  ['a zero-width joiner at the end', 'jane@example.com\u200d'],
  ['a soft hyphen', 'jane@exam\u00adple.com'],
  ['a byte order mark inside', 'ja\ufeffne@example.com'],
  ['a direction mark', '\u202ejane@example.com'],
  ['an invisible filler', 'jane\u3164@example.com'],
  ['a control character', 'jane\u0000@example.com'],
  ['half a surrogate pair', 'jane\ud800@example.com'],
])('%s is refused', (_, value) => {
  expect(outcomeOf(value)).toBe('malformed');
  const { error } = checkIdentifier('email', value);
  expect(error).toMatchObject({ field: 'value', code: 'malformed' });
  expect(error?.message).toMatch(/^expected an e-mail address alone, as in name@example\.com: no "mailto:"/);
});

test('a dot at the end of the domain names the same address', () => {
  expect(keysOf('Jane@Example.com.')).toEqual(keysOf('jane@example.com'));
});

test('the plain version of the rule says the same', () => {
  const unit = fc.constantFrom(...'ab@@..:<>|/+ \t,"\u200b\ufeff\u00a0é', 'x.com', '@x.com', 'jane');
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 9 }), (units) => {
      const value = units.join('');
      const outcome = outcomeOf(value);
      expect(outcome === 'ok').toBe(referenceIsEmail(value));
      expect(checkIdentifier('email', value).ok !== undefined).toBe(outcome === 'ok');
    }),
    { numRuns: 5000 },
  );
});

test('a long value takes no long time', () => {
  for (const value of [`${'a.'.repeat(1000)}@`, `a@${'b.'.repeat(1000)}.`, `a@${' .'.repeat(1000)}`]) {
    const startMs = performance.now();
    expect(outcomeOf(value)).toBe('malformed');
    expect(performance.now() - startMs).toBeLessThan(1_000);
  }
});
