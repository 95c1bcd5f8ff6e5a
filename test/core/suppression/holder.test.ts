/**
 * The holder: growing under use, swapping, and what readers of earlier tables see.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { auditTable } from '../../../src/core/suppression/copy.js';
import {
  GROW_SLOTS_PER_STEP,
  GROW_SLOTS_PER_WRITE,
  TableHolder,
  type TableSwap,
} from '../../../src/core/suppression/holder.js';
import { usedSlotsMax } from '../../../src/core/suppression/layout.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { keyAt, keysOfBucket, rightsAt, SEED } from './keys.js';

function tableOf(epoch = 'test', capacity = 0): SuppressionTable {
  return SuppressionTable.create({ capacity, seed: SEED, epoch });
}

/** A holder whose table has just begun to grow, and how many keys it has. */
function growingHolder(): { holder: TableHolder; keyCount: number } {
  const holder = new TableHolder({ table: tableOf() });
  let keyCount = 0;
  while (!holder.isGrowing) {
    holder.set(...keyAt(keyCount), rightsAt(keyCount));
    keyCount++;
  }
  return { holder, keyCount };
}

function expectKeys(table: SuppressionTable | null, keyCount: number): void {
  for (let index = 0; index < keyCount; index++) {
    if (table?.rightsOf(...keyAt(index)) !== rightsAt(index)) throw new Error(`key number ${index} differs`);
  }
}

describe('never loaded', () => {
  test('has no table, no epoch and no freshness, and takes no writes', () => {
    const holder = new TableHolder();
    expect([holder.current, holder.epoch, holder.seq, holder.freshAtMs]).toEqual([null, null, 0, null]);
    expect(() => holder.set(...keyAt(1), 1)).toThrow(expect.objectContaining({ code: 'table.not_loaded' }));
    expect(() => holder.publish(1, 1)).toThrow(expect.objectContaining({ code: 'table.not_loaded' }));
    expect(holder.growStep()).toBe(false);
  });
});

describe('writing', () => {
  test('says whether anything changed', () => {
    const holder = new TableHolder({ table: tableOf() });
    expect(holder.set(...keyAt(1), 1)).toBe(true);
    expect(holder.set(...keyAt(1), 1)).toBe(false);
    expect(holder.remove(...keyAt(1))).toBe(true);
    expect(holder.remove(...keyAt(1))).toBe(false);
    holder.set(9, 1, 2, 3, 4, 1, true);
    expect([holder.current?.kindMask, holder.current?.givenKindMask]).toEqual([(1 << 8) | (1 << 9), 1 << 8]);
    holder.publish(12, 34);
    expect([holder.epoch, holder.seq, holder.freshAtMs]).toEqual(['test', 12, 34]);
  });
});

describe('growing', () => {
  test('starts at the load limit, and ends by writes alone', () => {
    const { holder, keyCount } = growingHolder();
    const small = holder.current;
    expect(keyCount).toBe(usedSlotsMax(small?.bucketCount ?? 0));
    let written = keyCount;
    for (; holder.isGrowing; written++) holder.set(...keyAt(written), rightsAt(written));
    expect(holder.current).not.toBe(small);
    expect(written - keyCount).toBeLessThan(keyCount / 50);
    expectKeys(holder.current, written);
    expect(auditTable(holder.current as SuppressionTable)).toMatchObject({ entryCount: written, misplacedCount: 0 });
  });

  test('steps end it sooner; seq and freshness come along', () => {
    const { holder, keyCount } = growingHolder();
    holder.publish(7, 70);
    let steps = 1;
    while (holder.growStep()) steps++;
    expect(steps).toBe(Math.ceil((4096 * 8) / GROW_SLOTS_PER_STEP));
    expect([holder.seq, holder.freshAtMs, holder.isGrowing]).toEqual([7, 70, false]);
    expectKeys(holder.current, keyCount);
  });

  test('what is given on its own while growing is known to be so afterwards', () => {
    const { holder } = growingHolder();
    holder.set(9, 1, 2, 3, 4, 1, true);
    holder.set(10, 1, 2, 3, 4, 1);
    holder.set(9, 1, 2, 3, 4, 1);
    while (holder.growStep());
    expect(holder.current?.givenKindMask).toBe((1 << 8) | (1 << 9) | (1 << 10));
  });

  test('tombstones are left behind, and alone they do not make a table larger', () => {
    const holder = new TableHolder({ table: tableOf() });
    for (let index = 0; holder.current?.bucketCount === 4096 && index < 40_000; index++) {
      holder.set(...keyAt(index), 1);
      holder.remove(...keyAt(index));
    }
    while (holder.growStep());
    expect([holder.current?.entryCount, holder.current?.bucketCount]).toEqual([0, 4096]);
    expect(holder.current?.tombstoneCount).toBeLessThan(40_000 - 19_000);
  });

  test('a key without room makes a table grow at once', () => {
    const table = tableOf();
    const holder = new TableHolder({ table });
    const keys = keysOfBucket(table, 100, (table.displacementMax + 1) * 8 + 1);
    for (const key of keys) expect(holder.set(...key, 3)).toBe(true);
    expect(holder.current?.bucketCount).toBeGreaterThan(table.bucketCount);
    for (const key of keys) expect(holder.current?.rightsOf(...key)).toBe(3);
  });

  test('a copy that does not come out right is not put into use', () => {
    const { holder, keyCount } = growingHolder();
    const table = holder.current as SuppressionTable;
    holder.growStep(4096 * 8 - 8);
    table.set(...keyAt(0), 0); // behind the holder's back
    while (holder.growStep());
    expect(holder.current).toBe(table);
    expect(holder.growthError?.code).toBe('table.copy_differs');
    // it tries again when more has been written, and that goes well
    for (let index = keyCount; holder.current === table; index++) holder.set(...keyAt(index), rightsAt(index));
    expect(holder.growthError).toBeNull();
    expect(holder.current?.rightsOf(...keyAt(1))).toBe(rightsAt(1));
  });
});

describe('readers of earlier tables', () => {
  test('get every write until they are released, then know that they are abandoned', () => {
    const { holder, keyCount } = growingHolder();
    const swaps: TableSwap[] = [];
    holder.onSwap((swap) => swaps.push(swap));
    const reader = SuppressionTable.attach((holder.current as SuppressionTable).share());
    while (holder.growStep());
    expect(swaps.map(({ reason }) => reason)).toEqual(['grown']);
    expect(swaps.map(({ share }) => share.memory)).toEqual([holder.current?.share().memory]);
    expect(reader.standing).toBe('superseded');
    for (let index = 0; index < 100; index++) holder.set(...keyAt(keyCount + index), rightsAt(keyCount + index));
    holder.remove(...keyAt(keyCount));
    holder.publish(5, 55);
    expect([reader.rightsOf(...keyAt(keyCount)), reader.seq, reader.freshAtMs]).toEqual([0, 5, 55]);
    expect(reader.rightsOf(...keyAt(keyCount + 99))).toBe(rightsAt(keyCount + 99));
    holder.releasePrevious();
    holder.set(...keyAt(keyCount), 1);
    holder.publish(6, 66);
    expect([reader.standing, reader.seq, reader.rightsOf(...keyAt(keyCount))]).toEqual(['abandoned', 5, 0]);
  });

  test('are not kept if nobody asked to be told of swaps', () => {
    const { holder } = growingHolder();
    const reader = SuppressionTable.attach((holder.current as SuppressionTable).share());
    while (holder.growStep());
    expect(reader.standing).toBe('abandoned');
  });

  test('that run out of room are let go of, with their seq standing still', () => {
    const { holder, keyCount } = growingHolder();
    holder.onSwap(() => {});
    const previous = holder.current as SuppressionTable;
    while (holder.growStep());
    holder.publish(1, 1);
    let index = keyCount;
    for (; previous.standing === 'superseded'; index++) holder.set(...keyAt(index), rightsAt(index));
    holder.publish(2, 2);
    expect([previous.standing, previous.seq, previous.freshAtMs, holder.seq]).toEqual(['abandoned', 1, 1, 2]);
    expectKeys(holder.current, index);
  });

  test('are two at most', () => {
    const holder = new TableHolder({ table: tableOf() });
    const tables: SuppressionTable[] = [];
    holder.onSwap(() => tables.push(holder.current as SuppressionTable));
    for (let index = 0; tables.length < 4; index++) holder.set(...keyAt(index), 1);
    const abandonedCount = tables.filter(({ standing }) => standing === 'abandoned').length;
    expect(abandonedCount).toBeGreaterThanOrEqual(1);
    expect(tables.at(-1)?.standing).toBe('current');
  });
});

describe('replacing', () => {
  test('puts another table in place in one step, tells, and stops writing to the one before', () => {
    const before = tableOf('before');
    const holder = new TableHolder({ table: before });
    holder.set(...keyAt(1), 1);
    const seen: string[] = [];
    const stop = holder.onSwap(({ reason, share }) => {
      seen.push(`${reason} ${SuppressionTable.attach(share).epoch} ${holder.epoch}`);
    });
    const after = tableOf('after');
    after.publish(9, null);
    holder.replace(after);
    holder.set(...keyAt(2), 2);
    expect(seen).toEqual(['replaced after after']);
    expect([before.standing, before.rightsOf(...keyAt(2)), holder.seq]).toEqual(['abandoned', 0, 9]);
    stop();
    holder.replace(tableOf('third'));
    expect(seen).toHaveLength(1);
  });

  test('drops growth in progress', () => {
    const { holder } = growingHolder();
    const after = tableOf('after');
    holder.replace(after);
    expect([holder.isGrowing, holder.growStep(), holder.current]).toEqual([false, false, after]);
  });

  test('in a reading thread it says nothing about the table before', () => {
    const shared = tableOf('shared');
    const holder = new TableHolder({ table: SuppressionTable.attach(shared.share()) });
    holder.replace(SuppressionTable.attach(tableOf('next').share()));
    expect([shared.standing, holder.epoch]).toEqual(['current', 'next']);
  });
});

test('a step of growth is short: few slots with a write, some thousands at a time between other work', () => {
  // measured at 10 M keys: 128 slots 5 us, 8192 slots 0.3 ms; the limit is 5 ms
  expect(GROW_SLOTS_PER_WRITE).toBeLessThanOrEqual(512);
  expect(GROW_SLOTS_PER_STEP).toBeLessThanOrEqual(32_768);
});
