/**
 * Keys given twice in an allowed request: what was judged is what goes out.
 * @module
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasRepeatedKeys } from '../../src/core/openrtb/repeated-keys.js';
import { optgate } from './run.js';

const TEXTS: readonly (readonly [string, boolean])[] = [
  ['{"a":1,"b":{"a":1}}', false],
  ['{"a":1,"a":1}', true],
  ['{"a":{"x":1},"b":[{"x":1,"\\u0078":2}]}', true],
  ['{"a:b":"c:\\":d"}', false],
  ['{ "a" : [ ] , "b" : "" }', false],
  ['[]', false],
  ['{"__proto__":1,"__proto__":2}', true],
];
test.each(TEXTS)('%s: %s', async (text, expected) => expect(hasRepeatedKeys(text, JSON.parse(text))).toBe(expected));

test('nothing that JSON.stringify writes has a key twice', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => !hasRepeatedKeys(JSON.stringify(value), JSON.parse(JSON.stringify(value)))),
  );
});

test('an allowed request goes out as it came, but for a key given twice', async () => {
  const plain = '{"id":"1", "imp":[{"id":"1","ext":{"placementId":12345678901234567890}}],"bidfloor":1.0}';
  const twice = '{"id":"1","imp":[],"device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"},"device":{}}';
  const { stdout } = await optgate(['restrict'], `${plain}\n${twice}\n`);
  expect(stdout).toBe(`${plain}\n{"id":"1","imp":[],"device":{}}\n`);
});
