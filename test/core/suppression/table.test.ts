/**
 * The table by itself: what it answers, what it counts, what it refuses.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditTable } from '../../../src/core/suppression/copy.js';
import { allocatePlain } from '../../../src/core/suppression/memory.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import type { TableShare } from '../../../src/core/suppression/table-terms.js';
import { sharedMemory } from '../../../src/core/wasm.js';
import type { PlainKey } from '../../reference/suppression.js';
import { collidingPairs, highOfKey, keyAt, keyListOf, keysOfBucket, lowOfKey, rightsAt, SEED } from './keys.js';

const emptyTable = (seed = SEED): SuppressionTable => SuppressionTable.create({ capacity: 0, seed, epoch: 'test' });
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

describe('one key', () => {
  const key = keyAt(1);

  test('is not there before it is set', () => expect(emptyTable().rightsOf(...key)).toBe(0));

  test('has the rights it was given, then other ones, then none, then some again', () => {
    const table = emptyTable();
    expect([table.set(...key, 5), table.rightsOf(...key)]).toEqual(['added', 5]);
    expect([table.set(...key, 5), table.rightsOf(...key)]).toEqual(['unchanged', 5]);
    expect([table.set(...key, 127), table.rightsOf(...key)]).toEqual(['changed', 127]);
    expect([table.entryCount, table.tombstoneCount]).toEqual([1, 0]);
    expect([table.remove(...key), table.rightsOf(...key)]).toEqual(['removed', 0]);
    expect([table.remove(...key), table.rightsOf(...key)]).toEqual(['unchanged', 0]);
    expect([table.entryCount, table.tombstoneCount]).toEqual([0, 1]);
    expect([table.set(...key, 64), table.rightsOf(...key)]).toEqual(['added', 64]);
    expect([table.entryCount, table.tombstoneCount]).toEqual([1, 0]);
  });

  test('removing a key that was never there takes no slot', () => {
    const table = emptyTable();
    expect(table.remove(...key)).toBe('unchanged');
    expect([table.entryCount, table.tombstoneCount, table.changeCount]).toEqual([0, 0, 0]);
  });

  test('another tag makes another key', () => {
    const table = emptyTable();
    const [, w0, w1, w2, w3] = key;
    table.set(3, w0, w1, w2, w3, 9);
    table.set(31, w0, w1, w2, w3, 11);
    const found = numbers(33).map((tag) => table.rightsOf(tag, w0, w1, w2, w3));
    expect(found.flatMap((rights, tag) => (rights === 0 ? [] : [[tag, rights]]))).toEqual([
      [3, 9],
      [31, 11],
    ]);
  });

  test.each([0, 1, 2, 3])('every bit of word %d counts', (word) => {
    const table = emptyTable();
    table.set(...key, 1);
    for (let bit = 0; bit < 32; bit++) {
      const other = [...key] as [number, number, number, number, number];
      other[word + 1]! ^= 1 << bit;
      expect(table.rightsOf(...other)).toBe(0);
    }
  });
});

describe('keys that collide', () => {
  test('removing from a bucket that has overflowed leaves its neighbours, in every order', () => {
    const table = emptyTable();
    const keys = keysOfBucket(table, 4095, 20); // the last bucket, so that it overflows to the first ones
    fc.assert(
      fc.property(fc.shuffledSubarray([...keys], { minLength: keys.length }), fc.nat(19), (order, removedCount) => {
        const fresh = emptyTable();
        order.forEach((key, index) => {
          expect(fresh.set(...key, rightsAt(index))).toBe('added');
        });
        order.slice(0, removedCount).forEach((key) => {
          expect(fresh.remove(...key)).toBe('removed');
        });
        order.forEach((key, index) => {
          expect(fresh.rightsOf(...key)).toBe(index < removedCount ? 0 : rightsAt(index));
        });
        expect(auditTable(fresh)).toMatchObject({ entryCount: 20 - removedCount, misplacedCount: 0 });
      }),
      { numRuns: 50 },
    );
  });

  test('a tombstone is revived by its own key only', () => {
    const table = emptyTable();
    for (const [removed, other] of collidingPairs(8)) {
      table.set(...removed, 1);
      table.remove(...removed);
      expect(table.rightsOf(...other)).toBe(0);
      table.set(...other, 2);
      expect([table.rightsOf(...removed), table.rightsOf(...other)]).toEqual([0, 2]);
      table.set(...removed, 3);
      expect([table.rightsOf(...removed), table.rightsOf(...other)]).toEqual([3, 2]);
    }
    expect([table.entryCount, table.tombstoneCount]).toEqual([16, 0]);
  });

  test('the same bucket and fingerprint with another low word is another key', () => {
    for (const [inserted, other] of collidingPairs(8)) {
      const table = emptyTable();
      table.set(...inserted, 127);
      expect(table.rightsOf(...other)).toBe(0);
      expect(table.rightsOfKeys(keyListOf([other]), new Uint8Array(1))).toBe(0);
    }
  });

  test('a key without room within reach is refused, and changes nothing', () => {
    const table = emptyTable();
    const reach = (table.displacementMax + 1) * 8;
    const keys = keysOfBucket(table, 100, reach + 1);
    for (const key of keys.slice(0, reach)) expect(table.set(...key, 1)).toBe('added');
    const { changeCount, stateDigest } = table;
    const last = keys[reach] as PlainKey;
    expect([table.set(...last, 1), table.remove(...last), table.rightsOf(...last)]).toEqual(['full', 'unchanged', 0]);
    expect([table.changeCount, table.stateDigest, table.entryCount]).toEqual([changeCount, stateDigest, reach]);
    for (const key of keys.slice(0, reach)) expect(table.rightsOf(...key)).toBe(1);
  });
});

describe('kinds', () => {
  test('the mask has a bit for every tag ever inserted, and keeps it when the last key goes', () => {
    const table = emptyTable();
    expect(table.kindMask).toBe(0);
    for (const tag of [1, 8, 31]) table.set(tag, 1, 2, 3, 4, 1);
    table.remove(5, 1, 2, 3, 4);
    table.remove(8, 1, 2, 3, 4);
    expect(table.kindMask >>> 0).toBe(((1 << 1) | (1 << 8) | (1 << 31)) >>> 0);
    expect(table.rightsOf(31, 1, 2, 3, 4)).toBe(1);
  });
});

describe('kinds given on their own', () => {
  test('have a bit of their own; a digest that came with its clear value has none until it is given too', () => {
    const table = emptyTable();
    table.set(1, 1, 2, 3, 4, 127);
    table.set(3, 5, 6, 7, 8, 127, true);
    expect([table.kindMask, table.givenKindMask]).toEqual([(1 << 1) | (1 << 3), 1 << 1]);
    expect(table.set(3, 5, 6, 7, 8, 127)).toBe('unchanged');
    expect(table.givenKindMask).toBe((1 << 1) | (1 << 3));
    table.remove(4, 1, 1, 1, 1);
    expect(table.givenKindMask).toBe((1 << 1) | (1 << 3));
  });
});

describe('lists of keys', () => {
  test('a batch of any length answers as one by one do', () => {
    const table = emptyTable();
    for (let index = 0; index < 3000; index += 3) table.set(...keyAt(index), rightsAt(index));
    fc.assert(
      fc.property(fc.array(fc.nat(3000), { maxLength: 60 }), fc.nat(31), (indexes, tag) => {
        const keys = indexes.map((index) => (index % 10 === 0 ? ([tag, 1, 2, 3, index] as const) : keyAt(index)));
        const list = keyListOf(keys);
        const outRights = new Uint8Array(61).fill(255);
        const union = table.rightsOfKeys(list, outRights);
        const expected = keys.map((key) => table.rightsOf(...key));
        expect([...outRights.subarray(0, keys.length)]).toEqual(expected);
        expect(keys.map((_, index) => table.rightsOfKeyAt(list, index))).toEqual(expected);
        expect(union).toBe(expected.reduce((all, rights) => all | rights, 0));
        expect(outRights[keys.length]).toBe(255);
      }),
    );
  });
});

describe('the state digest', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 127 })), {
    selector: ([index]) => index,
    minLength: 1,
    maxLength: 50,
  });

  test('is the same whatever the order and the detours, and what a walk over the table gives', () => {
    fc.assert(
      fc.property(entries, fc.nat(5000), (content, detour) => {
        const [one, other] = [emptyTable(), emptyTable()];
        for (const [index, rights] of content) one.set(...keyAt(index), rights);
        for (const [index] of content) other.set(...keyAt(index), 127);
        other.set(...keyAt(detour + 10_000), 3);
        for (const [index, rights] of [...content].reverse()) other.set(...keyAt(index), rights);
        other.remove(...keyAt(detour + 10_000));
        expect(other.stateDigest).toBe(one.stateDigest);
        expect(auditTable(other).stateDigest).toBe(other.stateDigest);
      }),
    );
  });

  test('tells apart two keys that have swapped their rights, and 0 keys from some', () => {
    const [one, other] = [emptyTable(), emptyTable()];
    expect(one.stateDigest).toBe('0000000000000000');
    one.set(...keyAt(1), 1);
    one.set(...keyAt(2), 2);
    other.set(...keyAt(1), 2);
    other.set(...keyAt(2), 1);
    expect(one.stateDigest).not.toBe(other.stateDigest);
  });
});

describe('positions', () => {
  test('seq and freshness start unknown and are read as published', () => {
    const table = emptyTable();
    expect([table.seq, table.freshAtMs]).toEqual([0, null]);
    for (const seq of [1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER, 3]) {
      table.publish(seq, seq % 2 === 0 ? null : seq);
      expect([table.seq, table.freshAtMs]).toEqual([seq, seq % 2 === 0 ? null : seq]);
    }
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53])('a seq of %d is refused', (seq) => {
    expect(() => emptyTable().publish(seq, null)).toThrow(RangeError);
    expect(() => emptyTable().publish(1, seq)).toThrow(RangeError);
  });
});

describe('sharing', () => {
  test('an attached table sees every change and position, and cannot write', () => {
    const table = emptyTable();
    const reader = SuppressionTable.attach(table.share());
    table.set(...keyAt(1), 5);
    table.publish(77, 1000);
    expect([reader.rightsOf(...keyAt(1)), reader.seq, reader.freshAtMs, reader.epoch]).toEqual([5, 77, 1000, 'test']);
    expect([reader.entryCount, reader.kindMask, reader.stateDigest]).toEqual([1, table.kindMask, table.stateDigest]);
    expect(() => reader.set(...keyAt(1), 0)).toThrow(TypeError);
    expect(() => reader.publish(1, null)).toThrow(TypeError);
    expect(table.rightsOf(...keyAt(1))).toBe(5);
  });

  test('a thread can take over the writing', () => {
    const table = emptyTable();
    const writer = SuppressionTable.attach(table.share(), 'writer');
    expect(writer.set(...keyAt(1), 5)).toBe('added');
    expect(table.rightsOf(...keyAt(1))).toBe(5);
  });

  test('a table lies in memory that WebAssembly does not see, too, where there is no other', () => {
    const table = emptyTable();
    for (let index = 0; index < 300; index++) table.set(...keyAt(index), 5);
    const { buffer } = table.share().memory;
    const memory = allocatePlain(buffer.byteLength);
    new Uint8Array(memory.buffer).set(new Uint8Array(buffer));
    const plain = SuppressionTable.attach({ memory }, 'writer');
    plain.set(...keyAt(300), 6);
    const keys = Array.from({ length: 600 }, (_, index) => keyAt(index));
    const [high, low] = [Int32Array.from(keys, highOfKey), Int32Array.from(keys, lowOfKey)];
    const rights = new Uint8Array(600);
    expect(plain.rightsOfMixedKeys(high, low, 600, rights)).toBe(5 | 6);
    expect([...rights]).toEqual(keys.map((key) => plain.rightsOf(...key)));
    expect([...rights.subarray(299, 302)]).toEqual([5, 6, 0]);
  });

  test('memory that is not a table is refused', () => {
    expect(() => SuppressionTable.attach({ memory: sharedMemory(65_536) })).toThrow(TypeError);
    for (const memory of [null, {}, new SharedArrayBuffer(4096), { buffer: new SharedArrayBuffer(4096) }]) {
      expect(() => SuppressionTable.attach({ memory } as TableShare)).toThrow(TypeError);
    }
    const cut = sharedMemory(65_536);
    new Uint8Array(cut.buffer).set(new Uint8Array(emptyTable().share().memory.buffer, 0, 65_536));
    expect(() => SuppressionTable.attach({ memory: cut })).toThrow(TypeError);
  });
});

describe('what makes no sense is refused', () => {
  test.each([0, 32, -1, Number.NaN])('tag %d', (tag) => {
    expect(() => emptyTable().set(tag, 1, 2, 3, 4, 1)).toThrow(RangeError);
  });
  test.each([-1, 128, 1.5, Number.NaN])('rights %d', (rights) => {
    expect(() => emptyTable().set(8, 1, 2, 3, 4, rights)).toThrow(RangeError);
  });
  test.each(['', 'with space', 'ümlaut', 'x'.repeat(37)])('epoch "%s"', (epoch) => {
    expect(() => SuppressionTable.create({ capacity: 0, seed: SEED, epoch })).toThrow(TypeError);
  });
  test.each([-1n, 2n ** 64n])('seed %d', (seed) => expect(() => emptyTable(seed)).toThrow(RangeError));
});
