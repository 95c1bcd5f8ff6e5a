import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cleanUrl } from '../../../src/core/openrtb/url.js';
import { cases } from '../../cases.js';
import { IDENTIFIERS } from './requests.js';

const UUID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const SHA256 = '5837d278eabede28e37b5766399ed0d1a4cdc36acee8d35710a255032f45beda';

describe('what names a person goes', () => {
  test.each([
    ['fragment', 'https://a.example/p?x=1#email=jane@doe.com', 'https://a.example/p?x=1'],
    ['user of the authority', 'https://jane:secret@a.example/p', 'https://a.example/p'],
    ['user with "@" in it', 'https://jane@doe.com@a.example/p', 'https://a.example/p'],
    ['user of a relative authority', '//jane@a.example/p', '//a.example/p'],
    ['user with ";" in it', 'https://ja;ne:x@a.example/p', 'https://a.example/p'],
    ['e-mail parameter', 'https://a.example/p?a=1&email=x&b=2', 'https://a.example/p?a=1&b=2'],
    ['first parameter', 'https://a.example/p?uid=7&b=2', 'https://a.example/p?b=2'],
    ['first of several parameters', 'https://a.example/p?uid=7&b=2&c=3;d=4', 'https://a.example/p?b=2&c=3;d=4'],
    ['only parameter', 'https://a.example/p?gclid=Cj0KCQ', 'https://a.example/p'],
    ['name in another case', 'https://a.example/p?GCLID=x&FbClId=y&q=1', 'https://a.example/p?q=1'],
    ['encoded name', 'https://a.example/p?e%6dail=x&q=1', 'https://a.example/p?q=1'],
    ['name in brackets', 'https://a.example/p?user[email]=x&q=1', 'https://a.example/p?q=1'],
    ['parameters after ";"', 'https://a.example/p?a=1;uid=7;b=2', 'https://a.example/p?a=1;b=2'],
    ['parameters in the path', 'https://a.example/p;jsessionid=AB12?a=1', 'https://a.example/p?a=1'],
    ['a second "?"', 'https://a.example/p?a=1?email=x', 'https://a.example/p?a=1'],
    ['e-mail as value', 'https://a.example/p?who=jane@doe.com', 'https://a.example/p'],
    ['encoded e-mail', 'https://a.example/p?who=jane%40doe.com', 'https://a.example/p'],
    ['twice encoded e-mail', 'https://a.example/p?who=jane%2540doe.com', 'https://a.example/p'],
    ['bare e-mail', 'https://a.example/p?jane@doe.com', 'https://a.example/p'],
    ['UUID as value', `https://a.example/p?v=${UUID}&q=1`, 'https://a.example/p?q=1'],
    ['UUID inside a value', `https://a.example/p?v=x.${UUID.toUpperCase()}.y`, 'https://a.example/p'],
    ['SHA-256', `https://a.example/p?h=${SHA256}`, 'https://a.example/p'],
    ['SHA-1', `https://a.example/p?h=${SHA256.slice(0, 40)}`, 'https://a.example/p'],
    ['MD5', `https://a.example/p?h=${SHA256.slice(0, 32).toUpperCase()}`, 'https://a.example/p'],
    [
      'id in the URL of a parameter',
      'https://a.example/p?u=https%3A%2F%2Fb.example%3Ffbclid%3DX&q=1',
      'https://a.example/p?q=1',
    ],
    ['e-mail in the path', 'https://a.example/unsubscribe/jane@doe.com/now', 'https://a.example/unsubscribe/-/now'],
    ['encoded e-mail in the path', 'https://a.example/u/jane%40doe.com', 'https://a.example/u/-'],
    ['nothing but an e-mail', 'mailto:jane@doe.com', '-'],
  ])('%s', (_name, url, cleaned) => expect(cleanUrl(url)).toBe(cleaned));
});

describe('the rest stays byte for byte', () => {
  test.each([
    '',
    'https://www.foobar.com/1234.html',
    'https://play.google.com/store/apps/details?id=com.example.p1&hl=en_US',
    'https://a.example/p?',
    'https://a.example/p?&&a=1&',
    'https://a.example/p?q=red%20shoes+size&utm_source=news;utm_medium=x',
    'https://a.example/%E4%B8%AD?%zz=%&x=%4',
    'https://medium.com/@writer/a-post',
    'https://cdn.example/npm/lib@3.6.0/logo@2x.png?v=lib@4.17.21',
    'https://a.example:8080/p?lat=1.5&article=12345678901',
    'www.referer.com',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a macro of ad servers
    '${PAGE_URL}',
    '{{page}}?cb=%%CACHEBUSTER%%',
    'https://a.example/p?cb=[RANDOM]&r={{ref}}',
    'not a url at all',
    '\ud800?\udc00=1',
  ])('%j', (url) => expect(cleanUrl(url)).toBe(url));
});

test('any text: cleaning twice is cleaning once, and adds nothing', () => {
  const part = fc.oneof(
    fc.constantFrom(
      '?',
      '&',
      ';',
      '#',
      '@',
      '/',
      '//',
      ':',
      '=',
      '%',
      '%40',
      '%2540',
      '%3f',
      'email',
      'uid',
      'http',
      'doe.com',
    ),
    fc.constantFrom(...IDENTIFIERS),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
      const url = parts.join('');
      const cleaned = cleanUrl(url);
      expect(cleanUrl(cleaned)).toBe(cleaned);
      expect(cleaned.length).toBeLessThanOrEqual(url.length);
    }),
    { numRuns: cases(20_000) },
  );
});

test.each(['@', '%', 'a@', '?', '=', 'a=', '&', '%25', '//', 'a@b.', '/'.repeat(3), 'deadbeef', 'x]='])(
  'takes linear time on a long run of %j',
  (unit) => {
    const url = `https://a.example/?${unit.repeat(200_000 / unit.length)}`;
    const startMs = performance.now();
    cleanUrl(url);
    expect(performance.now() - startMs).toBeLessThan(10_000);
  },
);
