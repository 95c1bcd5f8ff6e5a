/**
 * Change records: lists come back, the readers of single fields agree with them, and illegal ones are refused.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CHANGE_BYTES,
  CHANGE_DERIVED,
  type Change,
  changeHigh,
  changeIsDerived,
  changeLow,
  changeRights,
  changeRightsBefore,
  changesView,
  changeTag,
  changeVersion,
  checkChanges,
  readChanges,
  writeChanges,
} from '../../../src/core/suppression/change.js';
import { codeOf } from './codes.js';

const CHANGE: Change = { high: 5, low: 7, version: 2, tag: 8, rightsBefore: 1, rights: 127, isDerived: false };

const changes: fc.Arbitrary<Change> = fc.record({
  high: fc.integer().filter((high) => (high & 0x1ffffff) !== 0),
  low: fc.integer().filter((low) => low !== 0),
  version: fc.oneof(
    fc.integer({ min: 1, max: 5 }),
    fc.maxSafeInteger().map((version) => Math.abs(version) || 1),
  ),
  tag: fc.integer({ min: 1, max: 31 }),
  rightsBefore: fc.integer({ min: 0, max: 127 }),
  rights: fc.integer({ min: 0, max: 127 }),
  isDerived: fc.boolean(),
});

describe('a list', () => {
  test('comes back, and field by field too', () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 20 }), fc.nat(7), (list, offset) => {
        const written = writeChanges(list);
        const bytes = new Uint8Array(new ArrayBuffer(written.length + offset), offset);
        bytes.set(written);
        expect(readChanges(bytes)).toEqual(list);
        const view = changesView(bytes);
        const read = list.map((_, index): Change => {
          const at = index * CHANGE_BYTES;
          return {
            ...{ high: changeHigh(view, at), low: changeLow(view, at), version: changeVersion(view, at) },
            ...{ tag: changeTag(view, at), rightsBefore: changeRightsBefore(view, at) },
            ...{ rights: changeRights(view, at), isDerived: changeIsDerived(view, at) },
          };
        });
        expect(read).toEqual(list);
      }),
    );
  });

  test('takes words of either sign and gives them back signed', () => {
    const [change] = readChanges(writeChanges([{ ...CHANGE, high: 0xffffffff, low: 0x80000001 }]));
    expect([change?.high, change?.low]).toEqual([-1, -0x7fffffff]);
  });

  test('has its bytes where the format says', () => {
    const bytes = writeChanges([
      { ...CHANGE, high: 0x04030201, low: 0x08070605, version: 2 ** 40 + 9, isDerived: true },
    ]);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 1, 0, 0, 8, 1, 127, CHANGE_DERIVED]);
  });

  test.each<[string, Partial<Change>]>([
    ['a high word that is not minted', { high: 0x2000000 }],
    ['a high word of 33 bits', { high: 2 ** 32 + 5 }],
    ['half a high word', { high: 5.5 }],
    ['a low word of 0', { low: 0 }],
    ['a low word of 33 bits', { low: 2 ** 32 + 1 }],
    ['version 0', { version: 0 }],
    ['half a version', { version: 1.5 }],
    ['version -1', { version: -1 }],
    ['a version beyond 2^53', { version: 2 ** 53 }],
    ['a version beyond 2^64', { version: 2 ** 64 + 2 ** 20 }],
    ['a version that is no number', { version: Number.NaN }],
    ['tag 0', { tag: 0 }],
    ['tag 32', { tag: 32 }],
    ['tag 264, which is 8 in a byte', { tag: 264 }],
    ['rights of 128', { rights: 128 }],
    ['rights of 257, which is 1 in a byte', { rights: 257 }],
    ['rights before of -1', { rightsBefore: -1 }],
  ])('with %s is not written', (_, part) => {
    expect(() => writeChanges([CHANGE, { ...CHANGE, ...part }])).toThrow(RangeError);
  });

  test('of part of a record, or with an illegal one, is not read', () => {
    const bytes = writeChanges([CHANGE, CHANGE]);
    expect(codeOf(() => checkChanges(bytes))).toBe('nothing thrown');
    expect(codeOf(() => checkChanges(new Uint8Array(0)))).toBe('nothing thrown');
    for (const run of [checkChanges, readChanges]) {
      for (const length of [1, 19, 21, 39]) expect(codeOf(() => run(bytes.subarray(0, length)))).toBe('delta.header');
      expect(codeOf(() => run(Uint8Array.from([...bytes, ...new Uint8Array(20)])))).toBe('delta.header');
    }
  });
});
