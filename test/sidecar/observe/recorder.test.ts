import { expect, test } from 'vitest';
import { createGate } from '../../../src/core/gate.js';
import { mergeDoorCounts, UNKNOWN_DESTINATIONS_MAX } from '../../../src/sidecar/observe/door-counts.js';
import { DoorRecorder, REFUSAL_CODES_MAX } from '../../../src/sidecar/observe/door-recorder.js';
import { LatencyCounts, REQUEST_BOUNDS_MS } from '../../../src/sidecar/observe/latency-counts.js';
import { ReasonSets } from '../../../src/sidecar/observe/reason-sets.js';
import {
  MemoTally,
  mergeThreadStates,
  type ThreadState,
  ThreadStates,
} from '../../../src/sidecar/observe/thread-state.js';
import { POLICY, traffic, trafficGate } from './traffic.js';

test('reasons counted from the causes are those that every decision says itself', () => {
  const recorder = new DoorRecorder();
  const expected: Record<string, number> = {};
  let count = 0;
  for (const { decision, destination } of traffic(trafficGate())) {
    recorder.decided('http', 'check', decision, destination);
    for (const code of decision.reasons) expected[code] = (expected[code] ?? 0) + 1;
    count++;
  }
  const counts = recorder.snapshot();
  expect(counts.reasons).toEqual(expected);
  expect(Object.keys(expected).length).toBeGreaterThan(60);
  expect(counts.decisions.reduce((sum, row) => sum + row.count, 0)).toBe(count);
});

test.each([1, 7, 4096])(
  'with room for %i combinations of reasons no count is lost, and no set is mistaken',
  (setsMax) => {
    const sets = new ReasonSets(setsMax);
    const expected: Record<string, number> = {};
    for (const { decision } of traffic(trafficGate())) {
      const set = sets.of(decision);
      set.count++;
      expect(set.codes).toEqual(decision.reasons);
      for (const code of decision.reasons) expected[code] = (expected[code] ?? 0) + 1;
      expect(sets.setCount).toBeLessThanOrEqual(setsMax);
    }
    expect(sets.counts()).toEqual(expected);
  },
);

test('decisions are counted by door, operation and action, each in its own cell', () => {
  const recorder = new DoorRecorder();
  const gate = createGate({ policy: POLICY, table: 'none' });
  const clean = { id: '1', imp: [{ id: '1' }] };
  const allowed = gate.check(clean);
  const restricted = gate.check(clean, { secGpc: '1' });
  const blocked = gate.check(clean, { secGpc: '1', destination: 'acme-dsp' });
  expect([allowed.action, restricted.action, blocked.action]).toEqual(['allow', 'restrict', 'block']);
  recorder.decided('http', 'check', allowed, null);
  recorder.decided('socket', 'check', restricted, null);
  recorder.decided('socket', 'filter', restricted, null);
  recorder.decided('http', 'filter', blocked, 'acme-dsp');
  const counted = recorder.snapshot().decisions.filter(({ count }) => count > 0);
  expect(counted).toEqual([
    { door: 'http', operation: 'check', action: 'allow', count: 1 },
    { door: 'http', operation: 'filter', action: 'block', count: 1 },
    { door: 'socket', operation: 'check', action: 'restrict', count: 1 },
    { door: 'socket', operation: 'filter', action: 'restrict', count: 1 },
  ]);
});

test('a duration is in the first bucket whose bound it does not pass; what is no duration counts as 0', () => {
  const counts = new LatencyCounts(2);
  for (const ms of [0.001, 0.0011, 5, 1000, 1000.1, -3, Number.NaN]) counts.record(1, ms);
  const { counts: buckets, sumMs } = counts.series(1);
  const at = (boundMs: number) => buckets[REQUEST_BOUNDS_MS.indexOf(boundMs)];
  expect([at(0.001), at(0.002), at(5), at(1000), buckets.at(-1)]).toEqual([3, 1, 1, 1, 1]);
  expect(sumMs).toBeCloseTo(2005.1021, 6);
  expect(counts.series(0)).toEqual({ counts: buckets.map(() => 0), sumMs: 0 });
});

test('refusal codes and unknown destinations cannot grow without end, whatever comes', () => {
  const recorder = new DoorRecorder();
  const gate = createGate({ policy: POLICY, table: 'none' });
  recorder.refused('http', 'busy.shedding');
  for (let index = 0; index < 2 * REFUSAL_CODES_MAX; index++) recorder.refused('http', `json.code_${index}`);
  recorder.refused('socket', 'jane@example.com');
  recorder.refused('socket', 'x'.repeat(41));
  recorder.refused('http', 'busy.shedding');
  for (let index = 0; index < 2 * UNKNOWN_DESTINATIONS_MAX; index++) {
    const destination = `d${index}`;
    recorder.decided('http', 'check', gate.check({ imp: [] }, { destination }), destination);
  }
  const { refusals, unknownDestinations, reasons } = recorder.snapshot();
  expect(refusals.length).toBe(REFUSAL_CODES_MAX + 2);
  expect(refusals).toContainEqual({ door: 'http', code: 'busy.shedding', count: 2 });
  expect(refusals).toContainEqual({ door: 'http', code: 'other', count: REFUSAL_CODES_MAX + 1 });
  expect(refusals).toContainEqual({ door: 'socket', code: 'other', count: 2 });
  expect(unknownDestinations.length).toBe(UNKNOWN_DESTINATIONS_MAX);
  expect(reasons['destination.unknown']).toBe(2 * UNKNOWN_DESTINATIONS_MAX);
});

test('unknown destinations are counted by name, with when they were seen last, also of several threads', () => {
  let nowMs = 1000;
  const gate = createGate({ policy: POLICY, table: 'none' });
  const recorders = [0, 1].map(() => new DoorRecorder({ now: () => nowMs }));
  const decide = (thread: number, destination: string | null) => {
    const decision = gate.check({ imp: [] }, destination === null ? null : { destination });
    recorders[thread]?.decided('socket', 'check', decision, destination);
  };
  decide(0, 'nobody');
  nowMs = 2000;
  decide(0, 'nobody');
  decide(1, 'x'.repeat(101));
  decide(1, null);
  nowMs = 3000;
  decide(1, 'nobody');
  decide(1, 'other');
  const posted = recorders.map((recorder) => structuredClone(recorder.snapshot()));
  expect(posted[0]?.unknownDestinations).toEqual([{ id: 'nobody', count: 2, lastSeenMs: 2000 }]);
  expect(mergeDoorCounts(posted).unknownDestinations).toEqual([
    { id: 'nobody', count: 3, lastSeenMs: 3000 },
    { id: 'other', count: 1, lastSeenMs: 3000 },
  ]);
  // of too many in several threads together, those that were seen last
  const many = ['a', 'b'].map((name, thread) => ({
    ...(posted[0] ?? expect.fail()),
    unknownDestinations: Array.from({ length: UNKNOWN_DESTINATIONS_MAX }, (_, index) => {
      return { id: `${name}${index}`, count: 1, lastSeenMs: 2 * index + thread };
    }),
  }));
  const merged = mergeDoorCounts(many).unknownDestinations;
  expect(merged).toHaveLength(UNKNOWN_DESTINATIONS_MAX);
  expect(Math.min(...merged.map(({ lastSeenMs }) => lastSeenMs))).toBe(UNKNOWN_DESTINATIONS_MAX);
});

test('the counts of two threads add up, also after being posted', () => {
  const gate = trafficGate();
  const parts = [new DoorRecorder(), new DoorRecorder()];
  const whole = new DoorRecorder();
  let turn = 0;
  for (const { decision, destination } of traffic(gate)) {
    const part = parts[turn++ % 2]!;
    for (const recorder of [part, whole]) {
      recorder.decided('socket', 'filter', decision, destination);
      recorder.answered('socket', 'filter', turn / 1024);
      if (turn % 10 === 0) recorder.refused('http', 'json.invalid');
    }
  }
  const merged = mergeDoorCounts(parts.map((part) => structuredClone(part.snapshot())));
  expect(merged).toEqual(whole.snapshot());
});

test('what a thread counted stays in the sums when it ends, and what it was does not', () => {
  const recorder = new DoorRecorder();
  recorder.refused('http', 'busy.shedding');
  const state: ThreadState = {
    doors: recorder.snapshot(),
    eventLoop: { delayP50Ms: 1, delayP99Ms: 2, delayMaxMs: 3, utilization: 0.5 },
    shedding: { isShedding: true, onsetCount: 2 },
    memo: { hits: 5, misses: 6, entryCount: 7 },
    logDroppedCount: 8,
  };
  const states = new ThreadStates();
  states.set(1, state);
  states.set(2, state);
  states.set(2, state);
  expect(states.total()).toEqual(mergeThreadStates([state, state]));
  states.ended(1);
  states.ended(1);
  states.ended(2);
  expect(states.total()).toEqual({
    doors: { ...state.doors, refusals: [{ door: 'http', code: 'busy.shedding', count: 2 }] },
    eventLoop: { delayP50Ms: 0, delayP99Ms: 0, delayMaxMs: 0, utilization: 0 },
    shedding: { isShedding: false, onsetCount: 4 },
    memo: { hits: 10, misses: 12, entryCount: 0 },
    logDroppedCount: 16,
  });
});

test('memo counts go on over a change of gate', () => {
  const tally = new MemoTally();
  tally.replaced({ hits: 10, misses: 4, entryCount: 3 });
  expect(tally.total({ hits: 1, misses: 2, entryCount: 1 })).toEqual({ hits: 11, misses: 6, entryCount: 1 });
});
