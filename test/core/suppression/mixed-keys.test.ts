/**
 * Mixed keys, as the ledger sends them: writing and reading them is the same as writing and reading the keys they are of.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compacted } from '../../../src/core/suppression/compaction.js';
import { auditTable } from '../../../src/core/suppression/copy.js';
import { TableHolder } from '../../../src/core/suppression/holder.js';
import { mixedLow, mixKey } from '../../../src/core/suppression/mix.js';
import { mintHigh, mintLow } from '../../../src/core/suppression/probe.js';
import { decodeSnapshot, encodeSnapshot } from '../../../src/core/suppression/snapshot.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import type { PlainKey } from '../../reference/suppression.js';
import { codeOf } from './codes.js';
import { collidingPairs, keyAt, keysOfBucket, rightsAt, SEED } from './keys.js';

interface Mixed {
  readonly high: number;
  readonly low: number;
}

function mixed(key: PlainKey): Mixed {
  const high = mintHigh(mixKey(...key, Number(BigInt.asIntN(32, SEED)), Number(SEED >> 32n)));
  return { high, low: mintLow(mixedLow[0] ?? 0) };
}

function tableOf(keyCount = 0): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 0, seed: SEED, epoch: 'mixed' });
  for (let index = 0; index < keyCount; index++) table.set(...keyAt(index), rightsAt(index));
  return table;
}

/** A holder whose table has just begun to grow. */
function growingHolder(): TableHolder {
  const holder = new TableHolder({ table: tableOf() });
  for (let index = 0; !holder.isGrowing; index++) holder.set(...keyAt(index), 1);
  return holder;
}

const masksOf = ({ current }: TableHolder) => [current?.kindMask, current?.givenKindMask];

describe('writing', () => {
  const nearlyFull = encodeSnapshot(tableOf(19_655), 0);
  const keys: readonly PlainKey[] = [
    ...[0, 1, 2, 100_000, 100_001, 100_002, 100_003].map(keyAt),
    ...collidingPairs(2).flat(),
    ...keysOfBucket(tableOf(), 4095, 70),
    ...[3, 12, 31].map((tag): PlainKey => [tag, 1, 2, 3, 4]),
  ];
  const write = fc.record({
    key: fc.constantFrom(...keys),
    rights: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 127 })),
    isDerived: fc.boolean(),
    isUnsigned: fc.boolean(),
    slots: fc.nat(4000),
  });

  test('mixed keys leaves what writing the keys leaves, through growth', () => {
    let grownCount = 0;
    fc.assert(
      fc.property(fc.array(write, { maxLength: 150, size: 'max' }), fc.boolean(), (writes, isNearlyFull) => {
        const open = () => new TableHolder({ table: isNearlyFull ? decodeSnapshot(nearlyFull) : tableOf() });
        const [byKey, byMixed] = [open(), open()];
        byMixed.onSwap(() => grownCount++);
        byKey.onSwap(() => {});
        for (const { key, rights, isDerived, isUnsigned, slots } of writes) {
          const { high, low } = mixed(key);
          const [givenHigh, givenLow] = isUnsigned ? [high >>> 0, low >>> 0] : [high, low];
          const changed = byKey.set(...key, rights, isDerived);
          expect(byMixed.setMixed(givenHigh, givenLow, key[0], rights, isDerived)).toBe(changed);
          expect(byMixed.current?.rightsOfMixed(givenHigh, givenLow)).toBe(rights);
          expect(byMixed.current?.rightsOf(...key)).toBe(rights);
          for (const holder of [byKey, byMixed]) holder.growStep(slots);
        }
        expect(masksOf(byMixed)).toEqual(masksOf(byKey));
        expect(byMixed.isGrowing).toBe(byKey.isGrowing);
        const [one, other] = [byKey.current, byMixed.current] as [SuppressionTable, SuppressionTable];
        expect(Buffer.from(encodeSnapshot(other, 0)).equals(encodeSnapshot(one, 0))).toBe(true);
      }),
      { numRuns: 60 },
    );
    expect(grownCount).toBeGreaterThan(5);
  });

  test('reaches tables that readers still use', () => {
    const holder = growingHolder();
    holder.onSwap(() => {});
    const reader = SuppressionTable.attach((holder.current as SuppressionTable).share());
    while (holder.growStep());
    const { high, low } = mixed([9, 1, 2, 3, 4]);
    holder.setMixed(high, low, 9, 5, true);
    expect([reader.standing, reader.rightsOf(9, 1, 2, 3, 4), reader.rightsOfMixed(high, low)]).toEqual([
      'superseded',
      5,
      5,
    ]);
    expect(reader.kindMask).toBe((1 << 8) | (1 << 9));
  });

  test.each([
    ['a high word that is not minted', 0x2000000, 1, 8, 1],
    ['a low word that is not minted', 1, 0, 8, 1],
    ['a high word that is no number', Number.NaN, 1, 8, 1],
    ['tag 0', 1, 1, 0, 1],
    ['tag 32', 1, 1, 32, 1],
    ['rights of 128', 1, 1, 8, 128],
  ])('%s is refused', (_, high, low, tag, rights) => {
    const holder = new TableHolder({ table: tableOf() });
    expect(() => holder.setMixed(high, low, tag, rights, false)).toThrow(RangeError);
    expect(holder.current?.changeCount).toBe(0);
  });

  test('needs a table', () => {
    expect(codeOf(() => new TableHolder().setMixed(1, 1, 8, 1, false))).toBe('table.not_loaded');
    expect(codeOf(() => new TableHolder().addKinds(2, 2))).toBe('table.not_loaded');
  });
});

describe('reading', () => {
  test('a mixed key that is not there has no rights', () => {
    const table = tableOf(1000);
    for (let index = 0; index < 2000; index++) {
      const { high, low } = mixed(keyAt(index));
      const expected = index < 1000 ? rightsAt(index) : 0;
      if (table.rightsOfMixed(high, low) !== expected) throw new Error(`key number ${index}`);
      if (table.rightsOfMixed(high >>> 0, low >>> 0) !== expected) throw new Error(`key number ${index}, unsigned`);
    }
  });
});

describe('kinds', () => {
  test('that the ledger knows of are added without an entry', () => {
    const holder = new TableHolder({ table: tableOf(1) });
    holder.addKinds((1 << 3) | (1 << 31), 1 << 31);
    expect(masksOf(holder)).toEqual([(1 << 3) | (1 << 8) | (1 << 31), (1 << 8) | (1 << 31)]);
    expect(holder.current?.changeCount).toBe(1);
  });

  test('are added to a copy that has begun, and to the tables that readers still use', () => {
    const holder = growingHolder();
    holder.onSwap(() => {});
    const reader = SuppressionTable.attach((holder.current as SuppressionTable).share());
    holder.growStep(8);
    holder.addKinds(1 << 4, 1 << 4);
    expect([holder.isGrowing, reader.kindMask]).toEqual([true, (1 << 4) | (1 << 8)]);
    while (holder.growStep());
    expect(masksOf(holder)).toEqual([(1 << 4) | (1 << 8), (1 << 4) | (1 << 8)]);
    expect(reader.standing).toBe('superseded');
    holder.addKinds(1 << 5, 0);
    expect([reader.kindMask, reader.givenKindMask]).toEqual([(1 << 4) | (1 << 5) | (1 << 8), (1 << 4) | (1 << 8)]);
    expect(compacted(holder.current as SuppressionTable).kindMask).toBe((1 << 4) | (1 << 5) | (1 << 8));
    expect(auditTable(holder.current as SuppressionTable).misplacedCount).toBe(0);
  });

  test.each([
    ['kind 0', 1, 0],
    ['kind 0 among others', 3, 2],
    ['a kind given that is not there', 2, 4],
  ])('%s is refused', (_, kindMask, givenKindMask) => {
    const holder = new TableHolder({ table: tableOf() });
    expect(() => holder.addKinds(kindMask, givenKindMask)).toThrow(RangeError);
    expect(masksOf(holder)).toEqual([0, 0]);
  });
});

test('many mixed keys at once answer as one by one do, from full buckets, far from home and after a removal, too', () => {
  const full = keysOfBucket(tableOf(), 4095, 70);
  const table = tableOf(15_000); // nearly every second slot
  for (const key of full.slice(0, 40)) table.set(...key, 9);
  for (const [one, other] of collidingPairs(2)) {
    table.set(...one, 5);
    table.set(...other, 6);
  }
  table.remove(...keyAt(7));
  table.remove(...(full[3] ?? keyAt(3)));
  const keys = [...full, ...collidingPairs(3).flat(), ...Array.from({ length: 20_000 }, (_, index) => keyAt(index))];
  const mixedKeys = keys.map(mixed);
  const high = Int32Array.from(mixedKeys, (key) => key.high);
  const low = Int32Array.from(mixedKeys, (key) => key.low);
  const rights = new Uint8Array(keys.length + 1).fill(255);
  const union = table.rightsOfMixedKeys(high, low, keys.length, rights);
  const expected = keys.map((key) => table.rightsOf(...key));
  expect([...rights]).toEqual([...expected, 255]);
  expect(union).toBe(expected.reduce((all, one) => all | one, 0));
  expect(table.rightsOfMixedKeys(high, low, 0, rights)).toBe(0);
});

test('many mixed keys are looked for in a small table right after a large one', () => {
  const large = SuppressionTable.create({ capacity: 1_000_000, seed: SEED, epoch: 'large' });
  const small = SuppressionTable.create({ capacity: 16_000, seed: SEED, epoch: 'small' });
  for (const table of [large, small]) {
    for (let index = 0; index < table.bucketCount * 5; index++) table.set(...keyAt(index), rightsAt(index));
  }
  const keys = Array.from({ length: 200 }, (_, index) => keyAt(index * 7919)).map(mixed);
  const [high, low] = [Int32Array.from(keys, (key) => key.high), Int32Array.from(keys, (key) => key.low)];
  const rights = new Uint8Array(200);
  for (let count = 1; count <= 200; count++) {
    for (const table of [large, small]) {
      table.rightsOfMixedKeys(high, low, count, rights);
      const expected = keys.slice(0, count).map((key) => table.rightsOfMixed(key.high, key.low));
      expect([...rights.subarray(0, count)]).toEqual(expected);
    }
  }
});
