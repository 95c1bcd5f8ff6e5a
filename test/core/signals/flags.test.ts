/**
 * GPC outside GPP, and the flags of device and request.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAtt, parseBinaryFlag } from '../../../src/core/signals/device-flags.js';
import { parseRegsGpc, parseSecGpc } from '../../../src/core/signals/gpc.js';

describe('the Sec-GPC header', () => {
  const on: readonly unknown[] = [
    ...['1', ['1'], ['0', '1'], '0, 1', '1,0', '1 , 1', ' 1', '1\t', 'true,1', ['x,1']],
    ...['"1"', ' "1" ', 1, true, [1]],
  ];
  const off: readonly unknown[] = [
    ...['', '0', 'true', '1.0', '11', '1 1', '"1', '""1""', '1;q=1', '?1', ',', ', ,', '01', '１'],
    ...[undefined, null, 0, false, {}, [], [0], [['1']], ['']],
  ];
  for (const value of on) test(`on: ${JSON.stringify(value)}`, () => expect(parseSecGpc(value)).toBe(true));
  for (const value of off) test(`off: ${JSON.stringify(value)}`, () => expect(parseSecGpc(value)).toBe(false));

  test('as a list split at commas and trimmed', () => {
    const texts = fc.string({ unit: fc.constantFrom('1', '0', ',', ' ', '\t', 'x'), maxLength: 12 });
    fc.assert(
      fc.property(texts, (text) => {
        const items = text.split(',').map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ''));
        expect(parseSecGpc(text)).toBe(items.includes('1'));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('flags', () => {
  const cases: readonly [value: unknown, binary: string, att: string][] = [
    [undefined, 'absent', 'absent'],
    [null, 'absent', 'absent'],
    [0, 'off', 'on'],
    [1, 'on', 'on'],
    [2, 'malformed', 'on'],
    [3, 'malformed', 'off'],
    [4, 'malformed', 'malformed'],
    [-1, 'malformed', 'malformed'],
    [0.5, 'malformed', 'malformed'],
    [Number.NaN, 'malformed', 'malformed'],
    ['0', 'off', 'on'],
    ['1', 'on', 'on'],
    ['2', 'malformed', 'on'],
    ['3', 'malformed', 'off'],
    ['', 'malformed', 'malformed'],
    [' 1', 'malformed', 'malformed'],
    ['true', 'malformed', 'malformed'],
    [true, 'on', 'malformed'],
    [false, 'off', 'malformed'],
    [{}, 'malformed', 'malformed'],
    [[1], 'malformed', 'malformed'],
  ];
  for (const [value, binary, att] of cases) {
    test(`${typeof value} ${JSON.stringify(value)}`, () => {
      expect(parseBinaryFlag(value)).toBe(binary);
      expect(parseRegsGpc(value)).toBe(binary);
      expect(parseAtt(value)).toBe(att);
    });
  }
});
