import { expect, test } from 'vitest';
import { DelayWindow, EventLoopMonitor, worstEventLoop } from '../../../src/sidecar/observe/event-loop.js';
import { Shedder } from '../../../src/sidecar/observe/shedder.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
async function until(isDone: () => boolean): Promise<void> {
  for (let turn = 0; !isDone(); turn++) {
    if (turn > 2000) throw new Error('too late');
    await pause(10);
  }
}

test('a stall shows in the monitor, as often as the samples it held up', async () => {
  const delays: number[] = [];
  const monitor = new EventLoopMonitor({ onDelay: (delayMs) => delays.push(delayMs) });
  await pause(60);
  block(300);
  await until(() => delays.some((delayMs) => delayMs > 200));
  const { delayMaxMs, delayP99Ms, delayP50Ms, utilization } = monitor.state();
  expect(delayMaxMs).toBeGreaterThan(200);
  expect(delayP99Ms).toBeGreaterThan(150);
  expect(delayP50Ms).toBeLessThanOrEqual(delayP99Ms);
  expect(utilization).toBeGreaterThan(0);
  expect(utilization).toBeLessThanOrEqual(1);
  monitor.close();
});

test('a stall of 100 samples counts 100 times, falling; the window keeps no more than it holds', () => {
  const window = new DelayWindow(1000);
  for (let index = 0; index < 900; index++) window.add(0, 20);
  window.add(1990, 20);
  expect(window.quantiles([0.5, 0.9, 0.95, 1])).toEqual([0, 0, 990, 1990]);
  window.add(1e9, 20);
  expect(window.quantiles([1])).toEqual([1e9]);
  for (let index = 0; index < 1000; index++) window.add(3, 20);
  expect(window.quantiles([0, 1])).toEqual([3, 3]);
  expect(new DelayWindow(4).quantiles([0.5])).toEqual([0]);
});

test('shedding begins after two late samples in a row, and ends after a while well below the limit', () => {
  let nowMs = 0;
  const shedder = new Shedder({ delayMsMax: 100, resumeAfterMs: 500, now: () => nowMs });
  const observe = (...delaysMs: number[]) =>
    delaysMs.map((delayMs) => {
      nowMs += 20;
      shedder.observe(delayMs);
      return shedder.isShedding;
    });
  expect(observe(101, 0, 5000, 99, 101)).toEqual([false, false, false, false, false]);
  expect(observe(101)).toEqual([true]);
  expect(observe(...Array(24).fill(0)).every(Boolean)).toBe(true);
  expect(observe(51)).toEqual([true]); // not well enough: the while begins anew
  expect(observe(...Array(24).fill(50)).every(Boolean)).toBe(true);
  expect(observe(0)).toEqual([false]);
  expect(observe(101)).toEqual([false]);
  expect(shedder.state()).toEqual({ isShedding: false, onsetCount: 1 });
});

test('too many requests under way shed at once, and only as long as there are', () => {
  let inFlight = 10;
  const shedder = new Shedder({ inFlight: () => inFlight, inFlightMax: 10 });
  expect(shedder.isShedding).toBe(false);
  inFlight = 11;
  expect(shedder.state()).toEqual({ isShedding: true, onsetCount: 0 });
  inFlight = 10;
  expect(shedder.isShedding).toBe(false);
});

test('without a limit on the delay no delay sheds; limits that are none are refused', () => {
  const shedder = new Shedder({ delayMsMax: null });
  for (let index = 0; index < 10; index++) shedder.observe(1e9);
  expect(shedder.isShedding).toBe(false);
  expect(() => new Shedder({ delayMsMax: 0 })).toThrow(RangeError);
  expect(() => new Shedder({ samples: 0 })).toThrow(RangeError);
  expect(() => new Shedder({ inFlightMax: 0 })).toThrow(RangeError);
});

test('a thread that is really blocked again and again sheds, and serves again when it is not', async () => {
  const shedder = new Shedder({ delayMsMax: 100 });
  const monitor = new EventLoopMonitor({ onDelay: (delayMs) => shedder.observe(delayMs) });
  await pause(40);
  for (let turn = 0; turn < 10 && !shedder.isShedding; turn++) {
    block(200);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(shedder.isShedding).toBe(true);
  await until(() => !shedder.isShedding);
  monitor.close();
});

test('of several threads the worst counts', () => {
  const a = { delayP50Ms: 1, delayP99Ms: 20, delayMaxMs: 30, utilization: 0.9 };
  const b = { delayP50Ms: 2, delayP99Ms: 10, delayMaxMs: 40, utilization: 0.1 };
  expect(worstEventLoop([a, b])).toEqual({ delayP50Ms: 2, delayP99Ms: 20, delayMaxMs: 40, utilization: 0.9 });
});
