/**
 * Mappings: which columns and paths hold which kind.
 * @module
 */
import { expect, test } from 'vitest';
import { InputError } from '../../src/core/errors.js';
import { filterRows, parseMapping } from '../../src/exports/index.js';
import { optedOutTable, pieces, termsOf } from './people.js';

const short = (text: string) => parseMapping(text).map(({ kind, place }) => [kind, place]);

test('kinds, columns, several of one kind', () => {
  expect(short('email=email, maid = idfa ,eid:UIDAPI.com=uid2,phone_sha256=phone|phone2')).toEqual([
    ['email', 'email'],
    ['maid', 'idfa'],
    ['eid:uidapi.com', 'uid2'],
    ['phone_sha256', 'phone'],
    ['phone_sha256', 'phone2'],
  ]);
  expect(short('email=a\\,b\\|c\\=d\\\\e,maid=user.ids[].value')).toEqual([
    ['email', 'a,b|c=d\\e'],
    ['maid', 'user.ids[].value'],
  ]);
  expect(parseMapping({ email: 'a,b', maid: ['x|y', 'z'] }).map(({ place }) => place)).toEqual(['a,b', 'x|y', 'z']);
});

test.each([
  ['', 'mapping'],
  ['email', 'mapping[0]'],
  ['email=a,mail=b', 'mapping[1]'],
  ['email=a,eid=b', 'mapping[1]'],
  ['email=', 'mapping[0]'],
  ['email=a|', 'mapping[0]'],
  ['email=a=b', 'mapping[0]'],
  ['email=a,maid=b,email=a', 'mapping[2]'],
  [`email=${Array.from({ length: 257 }, (_, index) => index).join('|')}`, 'mapping[0]'],
  [Array.from({ length: 33 }, (_, index) => `eid:s${index}=a`).join(','), 'mapping'],
])('%s is refused', (text, field) => {
  expect(() => parseMapping(text)).toThrow(expect.objectContaining({ name: 'InputError', field }));
});

test.each(['a..b', '.a', 'a[0]', 'a[]b', 'a.[].b'])('the path %s is refused for rows of JSON', (path) => {
  const options = {
    table: optedOutTable(),
    terms: termsOf(),
    format: 'ndjson',
    mapping: parseMapping({ email: path }),
  } as const;
  expect(() => filterRows(pieces(new Uint8Array(0), [1]), options)).toThrow(InputError);
});
