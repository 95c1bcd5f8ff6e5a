/**
 * gpp_sid in all the forms it has on the wire.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  GPP_SID_COUNT_MAX,
  GPP_SIDS_ABSENT,
  parseGppSid,
  SIDS_LISTED,
  SIDS_MALFORMED,
  SIDS_NONE_APPLY,
  SIDS_OTHER,
  SIDS_UNKNOWN,
  SIDS_US,
} from '../../../../src/core/signals/gpp/sids.js';

const us = (...ids: readonly number[]): number => ids.reduce((bits, id) => bits | (1 << id), SIDS_LISTED);

describe('forms', () => {
  const cases: readonly [name: string, value: unknown, bits: number][] = [
    ['no field', undefined, GPP_SIDS_ABSENT],
    ['null', null, GPP_SIDS_ABSENT],
    ['an empty list', [], GPP_SIDS_ABSENT],
    ['0 while the CMP is loading', [0], GPP_SIDS_ABSENT],
    ['0 as a number', 0, GPP_SIDS_ABSENT],
    ['an empty text', '', GPP_SIDS_ABSENT],
    ['one id', [7], us(7)],
    ['two ids', [7, 8], us(7, 8)],
    ['the first and the last US section', [6, 27], us(6, 27)],
    ['numeric strings', ['7', '8'], us(7, 8)],
    ['a query parameter', '7,8', us(7, 8)],
    ['mobile storage', '7_8', us(7, 8)],
    ['a query parameter inside a list', ['7,8'], us(7, 8)],
    ['spaces and blank items', ' 7, ,8 ', us(7, 8)],
    ['a single number', 8, us(8)],
    ['-1: no section applies', [-1], SIDS_NONE_APPLY],
    ['-1 as text', '-1', SIDS_NONE_APPLY],
    ['-1 beside an id', [-1, 7], us(7) | SIDS_NONE_APPLY],
    ['a section of another region', [2], SIDS_OTHER | SIDS_LISTED],
    ['an id not assigned yet', [28], SIDS_UNKNOWN | SIDS_LISTED],
    ['a huge id', [1e300], SIDS_UNKNOWN | SIDS_LISTED],
    ['40, which a shift would take for 8', [40], SIDS_UNKNOWN | SIDS_LISTED],
    ['two ids in one digit run', '78', SIDS_UNKNOWN | SIDS_LISTED],
    ['a fraction', [7.5], SIDS_MALFORMED],
    ['-2', [-2], SIDS_MALFORMED],
    ['NaN', [Number.NaN], SIDS_MALFORMED],
    ['Infinity', [Number.POSITIVE_INFINITY], SIDS_MALFORMED],
    ['a word beside an id', ['usca', 8], us(8) | SIDS_MALFORMED],
    ['another separator', '7;8', SIDS_MALFORMED],
    ['only a minus', '-', SIDS_MALFORMED],
    ['true', true, SIDS_MALFORMED],
    ['an object', { 0: 7 }, SIDS_MALFORMED],
    ['a list in a list', [[7]], SIDS_MALFORMED],
    ['null in a list', [null, 7], us(7) | SIDS_MALFORMED],
    ['too many', Array(GPP_SID_COUNT_MAX + 1).fill(7), us(7) | SIDS_MALFORMED],
    ['too long a text', '7,'.repeat(1000), SIDS_MALFORMED],
  ];
  for (const [name, value, bits] of cases) test(name, () => expect(parseGppSid(value)).toBe(bits));
});

test('every US id has its own bit, outside the marks', () => {
  for (let id = 6; id <= 27; id++) {
    expect(parseGppSid([id])).toBe((1 << id) | SIDS_LISTED);
    expect(SIDS_US & (1 << id)).not.toBe(0);
  }
  expect(SIDS_US & (SIDS_LISTED | SIDS_NONE_APPLY | SIDS_UNKNOWN | SIDS_MALFORMED | SIDS_OTHER)).toBe(0);
});

test('a list, its text with commas and its text with underscores are the same set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 60 }), { maxLength: 20 }), (ids) => {
      const bits = parseGppSid(ids);
      expect(parseGppSid(ids.map(String))).toBe(bits);
      expect(parseGppSid(ids.join(','))).toBe(bits);
      expect(parseGppSid(ids.join('_'))).toBe(bits);
    }),
  );
});

test('any value at all', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(Number.isInteger(parseGppSid(value))).toBe(true);
    }),
  );
});
