/**
 * Decisions over time: differences of counters, in bounded rings; and values that are kept for a while.
 * @module
 */
import { expect, test } from 'vitest';
import { Cached } from '../../../src/sidecar/console/cached.js';
import {
  DecisionHistory,
  LONG_COUNT,
  REASONS_MAX,
  SHORT_COUNT,
  SHORT_MS,
  SHORT_PER_LONG,
} from '../../../src/sidecar/console/decision-history.js';
import { type DoorCounts, emptyDoorCounts } from '../../../src/sidecar/observe/door-counts.js';

function counts(restricted: number, reasons: Readonly<Record<string, number>>): DoorCounts {
  const empty = emptyDoorCounts();
  const decisions = empty.decisions.map((row) => {
    const isOne = row.door === 'socket' && row.operation === 'check' && row.action === 'restrict';
    return isOne ? { ...row, count: restricted } : row.operation === 'lookup' ? { ...row, count: 1e6 } : row;
  });
  return { ...empty, decisions, reasons };
}

test('an interval has what was counted in it; look-ups are no decisions', () => {
  const history = new DecisionHistory();
  expect(history.latest).toBeNull();
  history.sample(0, counts(100, { a: 50 }));
  history.sample(10, counts(103, { a: 52, b: 1 }));
  history.sample(20, counts(103, { a: 52, b: 1 }));
  expect(history.hour).toEqual([
    { atMs: 0, actions: { allow: 0, restrict: 100, block: 0 }, reasons: { a: 50 } },
    { atMs: 10, actions: { allow: 0, restrict: 3, block: 0 }, reasons: { a: 2, b: 1 } },
    { atMs: 20, actions: { allow: 0, restrict: 0, block: 0 }, reasons: {} },
  ]);
});

test('a long interval is the sum of short ones, and rings end', () => {
  const history = new DecisionHistory();
  const sampleCount = LONG_COUNT * SHORT_PER_LONG + 100;
  for (let index = 0; index <= sampleCount; index++) history.sample(index * SHORT_MS, counts(index, { a: index * 2 }));
  expect([history.hour.length, history.day.length]).toEqual([SHORT_COUNT, LONG_COUNT]);
  expect(history.day.at(-1)).toMatchObject({
    actions: { restrict: SHORT_PER_LONG },
    reasons: { a: SHORT_PER_LONG * 2 },
  });
  expect(history.latest?.atMs).toBe(sampleCount * SHORT_MS);
});

test('the rarest reasons are counted together', () => {
  const history = new DecisionHistory();
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`r${index}`, 100 - index]));
  history.sample(0, counts(0, {}));
  history.sample(1, counts(0, many));
  const { reasons = {} } = history.latest ?? {};
  expect(Object.keys(reasons)).toHaveLength(REASONS_MAX);
  expect(reasons.r0).toBe(100);
  expect(Object.values(reasons).reduce((sum, count) => sum + count)).toBe(5050);
});

test('a value is asked for once, given out while it is fresh, and then while a new one comes', async () => {
  let nowMs = 0;
  const asked: ((value: number) => void)[] = [];
  const cached = new Cached(
    () => new Promise<number>((resolve) => asked.push(resolve)),
    1000,
    () => nowMs,
  );
  const both = [cached.get(), cached.get()];
  asked[0]?.(1);
  expect(await Promise.all(both)).toEqual([1, 1]);
  nowMs = 999;
  expect(await cached.get()).toBe(1);
  expect(asked).toHaveLength(1);
  nowMs = 1000;
  expect(await Promise.all([cached.get(), cached.get()])).toEqual([1, 1]);
  expect(asked).toHaveLength(2);
  asked[1]?.(2);
  await expect.poll(() => cached.get()).toBe(2);
});

test('what cannot be fetched is tried again; an old value is better than none', async () => {
  let nowMs = 0;
  let isBroken = true;
  const fetch = async () => {
    if (isBroken) throw new Error('away');
    return nowMs;
  };
  const cached = new Cached(fetch, 1000, () => nowMs);
  await expect(cached.get()).rejects.toThrow('away');
  isBroken = false;
  nowMs = 5;
  expect(await cached.get()).toBe(5);
  isBroken = true;
  nowMs = 2000;
  expect(await cached.get()).toBe(5);
  expect(await cached.get()).toBe(5);
});
