/**
 * Requests made to cost much, in any size: each a function from a number of bytes to a text of about as many.
 *
 * Keys differ, identifiers differ, and letters differ in case alone where that makes hashes collide.
 * @module
 */

const pad = (index) => index.toString(36).padStart(8, '0');
const request = (inside) => `{"imp":[{"id":"1"}],${inside}}`;
/** `part(index)` again and again, with commas. */
const list = (byteCount, part) =>
  Array.from({ length: Math.ceil(byteCount / (part(0).length + 1)) }, (_, index) => part(index)).join(',');
const nested = (byteCount, open, close, levels) =>
  list(byteCount, () => `${open.repeat(levels)}0${close.repeat(levels)}`);
/** Eight letters in one of 256 combinations of cases: the scanner's hash of keys disregards case. */
const cased = (index) => [...'abcdefgh'].map((one, bit) => ((index >> bit) & 1 ? one.toUpperCase() : one)).join('');
const uuidOf = (index) => `${pad(index)}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;

/** By name. */
export const HOSTILE = {
  '`[` alone': (byteCount) => '['.repeat(byteCount),
  '`{"a":` alone': (byteCount) => '{"a":'.repeat(byteCount / 5),
  '`[` in ext, closed': (byteCount) => request(`"ext":${'['.repeat(byteCount / 2)}${']'.repeat(byteCount / 2)}`),
  '`"` alone': (byteCount) => '"'.repeat(byteCount),
  '`"` in an array': (byteCount) => request(`"ext":["${'",'.repeat(byteCount / 2)}`),
  '`\\` in a text, never closed': (byteCount) => request(`"ext":"${'\\'.repeat(byteCount)}`),
  '`\\\\` in a text': (byteCount) => request(`"ext":"${'\\\\'.repeat(byteCount / 2)}"`),
  '`\\u0069` in a text': (byteCount) => request(`"ext":"${'\\u0069'.repeat(byteCount / 6)}"`),
  'white space': (byteCount) => request(`"ext":${' '.repeat(byteCount)}0`),
  'digits of one number': (byteCount) => request(`"ext":${'7'.repeat(byteCount)}`),
  'many numbers': (byteCount) => request(`"ext":[${list(byteCount, () => '1e308')}]`),
  'keys of one object': (byteCount) => request(`"ext":{${list(byteCount, (index) => `"${pad(index)}":0`)}}`),
  'objects of 64 keys': (byteCount) =>
    request(`"ext":[${list(byteCount, () => `{${list(830, (index) => `"${pad(index)}":0`)}}`)}]`),
  'keys that collide': (byteCount) =>
    request(`"ext":[${list(byteCount, () => `{${list(820, (index) => `"${cased(index)}":0`)}}`)}]`),
  'nested 40 deep, again and again': (byteCount) => request(`"ext":[${nested(byteCount, '[', ']', 40)}]`),
  'nested 100 deep, again and again': (byteCount) => request(`"ext":[${nested(byteCount, '{"a":', '}', 100)}]`),
  'eids, all different': (byteCount) =>
    request(`"user":{"eids":[{"source":"a","uids":[${list(byteCount, (index) => `{"id":"${uuidOf(index)}"}`)}]}]}`),
  '60 ids, and text that nearly holds them': (byteCount) => {
    const ids = list(2_700, (index) => `{"id":"${uuidOf(index)}"}`);
    return request(`"user":{"eids":[{"uids":[${ids}]}]},"site":{"name":"${'0000000'.repeat(byteCount / 7)}"}`);
  },
  '`@` in a text': (byteCount) => request(`"site":{"name":"${'a@'.repeat(byteCount / 2)}"}`),
  '`\\\\u0040`, escaped twice, in a text': (byteCount) =>
    request(`"site":{"name":"${'\\\\u0040'.repeat(byteCount / 7)}"}`),
  '`%` in a text': (byteCount) => request(`"site":{"name":"${'%2525'.repeat(byteCount / 5)}"}`),
  'parameters of a URL': (byteCount) =>
    request(
      `"site":{"page":"https://a.example/?${list(byteCount, (index) => `uid=${pad(index)}`).replaceAll(',', '&')}"}`,
    ),
  'letters of three bytes': (byteCount) => request(`"ext":"${'€'.repeat(byteCount / 3)}"`),
  'values of all kinds, then garbage': (byteCount) => `${request(`"ext":[${list(byteCount, () => 'null')}]`)}x`,
};
