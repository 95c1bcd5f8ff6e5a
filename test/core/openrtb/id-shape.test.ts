import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupOfNamed, ID_NAMES, isIdName, isIdParameter } from '../../../src/core/openrtb/id-names.js';
import {
  isIdentifierShaped,
  isPlaceholder,
  isTokenShaped,
  percentDecoded,
  unescaped,
} from '../../../src/core/openrtb/id-shape.js';
import { plainlyPercentDecoded, plainlyUnescaped } from '../../reference/escapes.js';

const UUID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';

describe('shapes', () => {
  test.each([
    'jane@doe.com',
    'JANE+ads@Doe.Example',
    'x <jane@mail.123.org>',
    'jane@doe.com.',
    "o'neill@doe.ie",
    'jane@пример.рф',
    UUID,
    UUID.toUpperCase(),
    `prefix_${UUID}`,
    'd41d8cd98f00b204e9800998ecf8427f',
    'id=0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33;',
    'A'.repeat(64),
  ])('%s is an identifier', (text) => expect(isIdentifierShaped(text)).toBe(true));

  test.each([
    '',
    '@',
    '@writer',
    'jane@',
    'jane@localhost',
    'jane@doe.',
    'jane@doe.c',
    'lib@3.6.0',
    'logo@2x.png',
    '12345@N00',
    'a, b@ c.de',
    UUID.slice(1),
    'f'.repeat(31),
    'f'.repeat(33),
    `g${'f'.repeat(32)}`,
    '1234567890',
    '/19968336/header-bid-tag-0',
  ])('%s is none', (text) => expect(isIdentifierShaped(text)).toBe(false));

  test('tokens', () => {
    expect(isTokenShaped('XY1000bIVBVah9ium-sZ3ykhPiXQbEcUp')).toBe(true);
    expect(isTokenShaped('justonelongwordindeed')).toBe(false);
    expect(isTokenShaped('two words 1 and then more')).toBe(false);
    expect(isTokenShaped('1234567890123456')).toBe(false);
  });

  test('placeholders', () => {
    for (const text of ['00000000', '00000000-0000-0000-0000-000000000000', 'test-user', 'text/html', 'http://']) {
      expect(isPlaceholder(text)).toBe(true);
    }
    for (const text of ['Abcdefgh', 'abcdefg1', 'abcdefghijklmnop', '00000001', UUID, 'http://a', '--------']) {
      expect(isPlaceholder(text)).toBe(text === '--------');
    }
  });

  test('escapes of JSON are undone, junk stays', () => {
    expect(unescaped('a\\u0040b\\/c\\u00g\\n\\')).toBe('a@b/c\\u00g\\n\\');
  });

  test('percent-encoding is undone, junk stays', () => {
    expect(percentDecoded('a%40b%2540c%zz%')).toBe('a@b@c%zz%');
    expect(percentDecoded('%E4%B8%AD%41')).toBe('%E4%B8%ADA');
  });

  test('escapes are undone as by regular expressions', () => {
    const percents = ['%', '25', '2', '5', '4', '0', 'a', 'F', 'g', '7f', '%41', '%80', '%2525'];
    const slashes = ['\\', 'u', 'U', '/', '\\u004', '\\u0041', '\\ud83D', '\\\\'];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...percents, ...slashes, 'é', '\u0141', '\ud83d'), { maxLength: 24 }),
        (parts) => {
          const text = parts.join('');
          expect(percentDecoded(text)).toBe(plainlyPercentDecoded(text));
          expect(unescaped(text)).toBe(plainlyUnescaped(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('names', () => {
  test.each([
    'ifa',
    'IDFA',
    'gaid',
    'aaid',
    'adid',
    'idfv',
    'android_id',
    'email',
    'hem',
    'phone',
    'buyeruid',
    'user_id',
  ])('%s is an identifier whatever the value', (name) => {
    for (const value of ['x', 1, null, {}, []]) expect(groupOfNamed(name, value)).toBe('ids');
  });

  test.each(['uid', 'userId', 'uuid', 'ppid', 'session_id'])('%s is one if the value is', (name) => {
    for (const value of ['1234', 'slot-7', 11, null, ['a', 2], []]) expect(groupOfNamed(name, value)).toBeNull();
    for (const value of [UUID, 'jane@doe.com', ['a', UUID], {}, [{}]]) expect(groupOfNamed(name, value)).toBe('ids');
  });

  test('eids are a group of their own', () => expect(groupOfNamed('userIdAsEids', [])).toBe('eids'));

  test.each(['', 'id', 'placementId', 'publisherId', 'sid', 'tagid', 'name', 'constructor', '__proto__', 'keyid'])(
    '%j says nothing',
    (name) => expect(groupOfNamed(name, UUID)).toBeNull(),
  );

  test('whatever is an id as a member is one as a parameter', () => {
    expect(ID_NAMES).toEqual(expect.arrayContaining(['tdid', 'pubcid', 'idl_env', 'uid2_token', 'hem', 'imei', 'ifv']));
    for (const name of ID_NAMES) expect([groupOfNamed(name, ''), isIdParameter(name)]).toEqual(['ids', true]);
  });

  test('parameters and names inside what is removed', () => {
    expect(['gclid', 'FBCLID', 'msclkid', 'ttclid', 'dclid', 'email'].every(isIdParameter)).toBe(true);
    expect(['rdid', 'srsltid', '_branch_match_id', 'adnxs_uid', 'uuid2'].every(isIdParameter)).toBe(true);
    expect(['q', 'id', 'utm_source', 'page', ''].some(isIdParameter)).toBe(false);
    expect(['id', 'tpid', 'sessionId', 'uids', 'email'].every(isIdName)).toBe(true);
    expect(['source', 'name', 'value'].some(isIdName)).toBe(false);
  });
});
