/**
 * Compaction: what a table holds decides its bytes, and nothing of its history does.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compacted } from '../../../src/core/suppression/compaction.js';
import { auditTable, TableCopy } from '../../../src/core/suppression/copy.js';
import { TableHolder } from '../../../src/core/suppression/holder.js';
import { bucketCountFor, HEADER_BYTES } from '../../../src/core/suppression/layout.js';
import { encodeSnapshot } from '../../../src/core/suppression/snapshot.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import type { PlainKey } from '../../reference/suppression.js';
import { codeOf } from './codes.js';
import { collidingPairs, highOfKey, keyAt, keysOfBucket, lowOfKey, rightsAt, SEED } from './keys.js';

const build = fileURLToPath(new URL('../../../dist/', import.meta.url));
const stress = Number(process.env.OPTGATE_STRESS ?? 1);

function emptyTable(capacity = 0): SuppressionTable {
  return SuppressionTable.create({ capacity, seed: SEED, epoch: 'test' });
}

function bytesOf(table: SuppressionTable): Buffer {
  return Buffer.from(encodeSnapshot(table, 0));
}

function copyInto(table: SuppressionTable, bucketCount: number): SuppressionTable {
  const copy = new TableCopy(table, bucketCount);
  if (copy.step(Number.MAX_SAFE_INTEGER) !== 'complete') throw new Error('expected room');
  return copy.target;
}

/** Keys that get into each other's way: of one high word, of one bucket in the middle, of the last one, and others. */
const crowd: readonly PlainKey[] = [
  ...collidingPairs(4).flat(),
  ...keysOfBucket(emptyTable(), 2000, 14),
  ...keysOfBucket(emptyTable(), 4095, 20),
  ...keysOfBucket(emptyTable(), 0, 10),
  ...Array.from({ length: 40 }, (_, index) => keyAt(1_000_000 + index)),
];

describe('the same entries give the same bytes', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.nat(crowd.length - 1), fc.integer({ min: 1, max: 127 })), {
    selector: ([index]) => index,
    maxLength: crowd.length,
  });

  test('in any order, after any detour, from a table of any size', () => {
    let differentCount = 0;
    const detours = fc.array(fc.nat(crowd.length - 1), { maxLength: 20 });
    const bucketCounts = fc.constantFrom(4096, 4097, 5003, 8192, 50_001);
    fc.assert(
      fc.property(
        entries,
        detours,
        fc.infiniteStream(fc.nat()),
        bucketCounts,
        (content, detour, order, bucketCount) => {
          const [plain, winding] = [emptyTable(), emptyTable()];
          for (const [index, rights] of content) plain.set(...(crowd[index] as PlainKey), rights);
          for (const index of detour) winding.set(...(crowd[index] as PlainKey), 64);
          const shuffled = content.map((entry) => ({ entry, place: order.next().value as number }));
          shuffled.sort((one, other) => one.place - other.place);
          for (const { entry } of shuffled) winding.set(...(crowd[entry[0]] as PlainKey), 127);
          for (const index of detour) winding.remove(...(crowd[index] as PlainKey));
          for (const { entry } of shuffled) winding.set(...(crowd[entry[0]] as PlainKey), entry[1]);
          for (const table of [plain, winding]) table.addKinds(1 << 8, 1 << 8);
          if (!bytesOf(plain).equals(bytesOf(winding))) differentCount++;
          const expected = bytesOf(compacted(plain));
          expect(bytesOf(compacted(winding)).equals(expected)).toBe(true);
          expect(bytesOf(compacted(copyInto(winding, bucketCount))).equals(expected)).toBe(true);
          expect(bytesOf(compacted(compacted(plain))).equals(expected)).toBe(true);
        },
      ),
      { numRuns: 100 * stress },
    );
    expect(differentCount).toBeGreaterThan(50); // or there was nothing to do
  });

  test('through growth that went on while keys came and went', () => {
    const keyCount = 60_000 * stress;
    const straight = emptyTable(keyCount);
    for (let index = 0; index < keyCount; index++) straight.set(...keyAt(index), rightsAt(index));
    const holder = new TableHolder({ table: emptyTable() });
    let swapCount = 0;
    holder.onSwap(() => swapCount++);
    for (let index = keyCount - 1; index >= 0; index--) {
      holder.set(...keyAt(index), rightsAt(index + 1));
      holder.set(...keyAt(keyCount + index), 1);
      if (index % 3 === 0) holder.remove(...keyAt(keyCount + index));
    }
    for (let index = 0; index < keyCount; index++) {
      holder.set(...keyAt(index), rightsAt(index));
      holder.remove(...keyAt(keyCount + index));
    }
    while (holder.growStep());
    expect(swapCount).toBeGreaterThan(2);
    const table = holder.current as SuppressionTable;
    expect(bytesOf(compacted(table)).equals(bytesOf(compacted(straight)))).toBe(true);
    expect(table.tombstoneCount).toBeGreaterThan(0);
  });

  test('also where they found no room at first', () => {
    // more keys of one bucket than the smallest table has room for: 8 buckets of 8 within reach
    const keys = keysOfBucket(emptyTable(), 3000, 70);
    const tables = [keys, [...keys].reverse()].map((order) => {
      const holder = new TableHolder({ table: emptyTable() });
      for (const [index, key] of order.entries()) holder.set(...key, 1 + ((order === keys ? index : 69 - index) % 127));
      return compacted(holder.current as SuppressionTable);
    });
    const [one, other] = tables as [SuppressionTable, SuppressionTable];
    expect(one.bucketCount).toBeGreaterThan(4096);
    expect(bytesOf(one).equals(bytesOf(other))).toBe(true);
    for (const [index, key] of keys.entries()) expect(one.rightsOf(...key)).toBe(1 + (index % 127));
  });

  test('and others give others', () => {
    const tables = [1, 2, 3].map((count) => {
      const table = emptyTable();
      for (let index = 0; index < count; index++) table.set(...keyAt(index), 1);
      return table;
    });
    const [one, two] = tables as [SuppressionTable, SuppressionTable];
    const texts = tables.map((table) => bytesOf(compacted(table)).toString('base64'));
    expect(new Set(texts).size).toBe(3);
    two.remove(...keyAt(1));
    expect(bytesOf(compacted(two)).equals(bytesOf(compacted(one)))).toBe(true);
    two.addKinds(1 << 9, 0);
    expect(bytesOf(compacted(two)).equals(bytesOf(compacted(one)))).toBe(false);
  });
});

describe('a compacted table', () => {
  test('holds what the other held, seq, freshness and kinds included, in the order of the keys', () => {
    const keyCount = 200_000;
    const source = emptyTable(keyCount);
    for (let index = 0; index < keyCount; index++) source.set(...keyAt(index), rightsAt(index));
    for (let index = 0; index < keyCount; index += 7) source.remove(...keyAt(index));
    source.set(9, 1, 2, 3, 4, 1, true);
    source.publish(99, 1234);
    const table = compacted(source);
    expect(auditTable(table)).toEqual({
      ...{ entryCount: source.entryCount, tombstoneCount: 0, stateDigest: source.stateDigest, misplacedCount: 0 },
    });
    expect(table).toMatchObject({
      seed: SEED,
      epoch: 'test',
      seq: 99,
      freshAtMs: 1234,
      changeCount: source.entryCount,
    });
    expect([table.kindMask, table.givenKindMask]).toEqual([(1 << 8) | (1 << 9), 1 << 8]);
    expect(table.bucketCount).toBe(bucketCountFor(source.entryCount));
    for (let index = 0; index < keyCount; index++) {
      const expected = index % 7 === 0 ? 0 : rightsAt(index);
      if (table.rightsOf(...keyAt(index)) !== expected) throw new Error(`key number ${index} differs`);
    }

    // put in by ascending key, one by one: the plain way
    const inOrder = emptyTable();
    const keys = crowd.map((key) => ({ key, high: highOfKey(key) >>> 0, low: lowOfKey(key) >>> 0 }));
    keys.sort((one, other) => one.high - other.high || one.low - other.low);
    for (const { key } of keys) inOrder.set(...key, 3);
    const shuffled = emptyTable();
    for (const key of crowd) shuffled.set(...key, 3);
    expect(bytesOf(compacted(shuffled)).equals(bytesOf(inOrder))).toBe(true);
  });

  test('takes writes', () => {
    const table = compacted(emptyTable());
    expect([table.set(...keyAt(1), 5), table.rightsOf(...keyAt(1))]).toEqual(['added', 5]);
  });

  test('is not given out if the table is damaged', () => {
    const table = emptyTable();
    for (let index = 0; index < 1000; index++) table.set(...keyAt(index), 1);
    const words = new Int32Array(table.share().memory.buffer);
    const at = words.findIndex((word, index) => index >= HEADER_BYTES / 4 && word !== 0);
    words[at]! ^= 1;
    expect(codeOf(() => compacted(table))).toBe('table.copy_differs');
  });
});

test('takes the memory of the new table and no more', () => {
  if (!existsSync(build)) throw new Error('expected a build: run "npm run build" first');
  const script = `
    import { existsSync, readFileSync } from 'node:fs';
    import { compacted, SuppressionTable } from '${build}core/suppression/index.js';
    // maxRSS begins, on Linux, with what the process that started this one had
    const status = '/proc/self/status';
    const peakKib = () => existsSync(status)
      ? Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync(status, 'utf8'))[1])
      : process.resourceUsage().maxRSS;
    const capacity = 4_000_000;
    const table = SuppressionTable.create({ capacity, seed: 1n, epoch: 'memory' });
    for (let index = 0; index < capacity; index++) table.set(8, index, 0, 0, 0, 1);
    const beforeKib = peakKib();
    const copy = compacted(table);
    const bytes = (peakKib() - beforeKib) * 1024;
    console.log(JSON.stringify([bytes, copy.byteLength]));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const [bytes, tableBytes] = JSON.parse(stdout) as [number, number];
  expect(bytes).toBeGreaterThan(tableBytes * 0.9);
  expect(bytes).toBeLessThan(tableBytes + 12 * 2 ** 20); // a list of the entries would be 32 MB at least
});
