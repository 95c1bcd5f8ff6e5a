/**
 * The parts a follower is made of, one by one.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backoff } from '../../src/backoff.js';
import { GateError } from '../../src/core/errors.js';
import { encodeFrame } from '../../src/core/suppression/index.js';
import { withDeadline } from '../../src/sync/deadline.js';
import { DigestRing } from '../../src/sync/digests.js';
import { Freshness, freshAtWallMs } from '../../src/sync/freshness.js';
import { Histogram } from '../../src/sync/histogram.js';
import { type StateFacts, stateOf } from '../../src/sync/state.js';
import { decodeFresh, encodeFresh } from '../../src/sync/store-files.js';
import { partsOf, readTail, TailWriter } from '../../src/sync/tail.js';
import { checkSnapshot } from '../../src/sync/validators.js';
import { VersionMemory } from '../../src/sync/versions.js';
import { keyOf, ReferenceLedger, randomFrom } from '../reference/feed.js';
import { FakeClock } from './fake-clock.js';

describe('backoff', () => {
  test('is random below a bound that doubles up to the cap, without end, and starts anew after a success', () => {
    const bounds: number[] = [];
    const backoff = new Backoff({ random: () => 1 - Number.EPSILON });
    for (let failure = 0; failure < 2000; failure++) bounds.push(Math.round(backoff.nextDelayMs()));
    expect(bounds.slice(0, 11)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    expect(bounds.at(-1)).toBe(30_000);
    expect(backoff.failureCount).toBe(2000);
    backoff.reset();
    expect(Math.round(backoff.nextDelayMs())).toBe(100);
    expect(new Backoff({ random: () => 0 }).nextDelayMs()).toBe(0);
    expect(() => new Backoff({ baseMs: 10, capMs: 5 })).toThrow(RangeError);
  });

  test('spreads a fleet over the whole range', () => {
    const delays = Array.from({ length: 500 }, (_, seed) => {
      const backoff = new Backoff({ random: randomFrom(seed) });
      for (let failure = 0; failure < 9; failure++) backoff.nextDelayMs();
      return backoff.nextDelayMs();
    });
    for (let tenth = 0; tenth < 10; tenth++) {
      const count = delays.filter((delay) => delay >= tenth * 3000 && delay < (tenth + 1) * 3000).length;
      expect(count).toBeGreaterThan(20);
    }
  });
});

describe('a deadline', () => {
  const open = () => new AbortController();
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'none',
      (error: unknown) => (error instanceof GateError ? error.code : String(error)),
    );

  test('gives what comes in time, and the error that comes in time', async () => {
    const clock = new FakeClock();
    const options = { clock, deadlineMs: 100, signal: open().signal };
    await expect(withDeadline(options, async () => 7)).resolves.toBe(7);
    await expect(withDeadline(options, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    const throwing = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(withDeadline(options, throwing)).rejects.toThrow('at once');
  });

  test('abandons what never settles, tells it, and hands what comes late to the cleaner', async () => {
    const clock = new FakeClock();
    const late: number[] = [];
    let finish: (value: number) => void = () => {};
    let isTold = false;
    const options = { clock, deadlineMs: 100, signal: open().signal, onLate: (value: number) => late.push(value) };
    const result = codeOf(
      withDeadline(options, (signal) => {
        signal.addEventListener('abort', () => {
          isTold = true;
        });
        return new Promise<number>((resolve) => {
          finish = resolve;
        });
      }),
    );
    await clock.advance(99);
    expect(isTold).toBe(false);
    await clock.advance(1);
    expect(await result).toBe('sync.deadline');
    expect(isTold).toBe(true);
    finish(3);
    await clock.advance(1);
    expect(late).toEqual([3]);
  });

  test('ends with its signal, and is not even begun after it', async () => {
    const clock = new FakeClock();
    const ending = open();
    const options = { clock, deadlineMs: 100, signal: ending.signal };
    const result = codeOf(withDeadline(options, () => new Promise(() => {})));
    ending.abort();
    expect(await result).toBe('sync.closed');
    let isBegun = false;
    const second = withDeadline(options, async () => {
      isBegun = true;
    });
    expect(await codeOf(second)).toBe('sync.closed');
    expect(isBegun).toBe(false);
  });
});

describe('the version memory', () => {
  test('agrees with a map, whatever is pruned and however it grows', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('change' as const), key: fc.nat(3000), version: fc.integer({ min: 1, max: 9 }) }),
        fc.record({ kind: fc.constant('prune' as const), back: fc.nat(30) }),
        fc.record({ kind: fc.constant('many' as const), from: fc.nat(3000), count: fc.nat(900) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const memory = new VersionMemory(50_000);
        const known = new Map<number, { version: number; seq: number }>();
        let settledSeq = 0;
        const advance = (key: number, version: number, seq: number): void => {
          const { high, low } = keyOf(key);
          expect(memory.hasRoom(1)).toBe(true);
          const before = known.get(key);
          const isForgotten = before === undefined || before.seq <= settledSeq;
          const isLatest = memory.advance(high, low, version, seq);
          // what is settled may be remembered or not: no lower version of it comes any more
          if (!isForgotten) expect(isLatest).toBe(version >= before.version);
          if (isLatest) known.set(key, { version, seq });
        };
        for (const [index, step] of list.entries()) {
          const seq = index + 1;
          if (step.kind === 'change') advance(step.key, step.version, seq);
          if (step.kind === 'prune') {
            settledSeq = Math.max(settledSeq, seq - step.back);
            memory.prune(settledSeq);
          }
          if (step.kind === 'many') {
            for (let key = step.from; key < step.from + step.count; key++) advance(key, 5, seq);
          }
        }
        const open = [...known.values()].filter(({ seq }) => seq > settledSeq).length;
        expect(memory.count).toBeGreaterThanOrEqual(open);
      }),
      { numRuns: 60 },
    );
  });

  test('survives the way to another thread', () => {
    const memory = new VersionMemory();
    for (let key = 0; key < 5000; key++) {
      const { high, low } = keyOf(key);
      memory.hasRoom(1);
      memory.advance(high, low, 7, key + 1);
    }
    const copy = VersionMemory.from(structuredClone(memory.state()));
    const { high, low } = keyOf(1234);
    expect(copy.count).toBe(5000);
    expect(copy.advance(high, low, 6, 9000)).toBe(false);
    expect(copy.advance(high, low, 7, 9000)).toBe(true);
    copy.prune(9000);
    expect(copy.count).toBe(0);
  });

  test('is bounded: what is settled makes room, and what is not does not', () => {
    const memory = new VersionMemory(3000);
    let seq = 0;
    const fill = (from: number, count: number): boolean => {
      for (let key = from; key < from + count; key++) {
        if (!memory.hasRoom(1)) return false;
        const { high, low } = keyOf(key);
        memory.advance(high, low, 1, ++seq);
      }
      return true;
    };
    expect(fill(0, 2900)).toBe(true);
    memory.prune(seq - 10);
    expect(fill(2900, 2900)).toBe(true);
    expect(fill(5800, 100_000)).toBe(false);
    expect(memory.count).toBeLessThan(12_000);
    memory.prune(seq);
    expect(memory.count).toBe(0);
    expect(fill(0, 100)).toBe(true);
  });
});

test('the digest ring remembers the last ones, and none across a gap', () => {
  const ring = new DigestRing(4);
  for (let seq = 10; seq < 20; seq++) ring.push(seq, `d${seq}`);
  expect([15, 16, 17, 19, 20].map((seq) => ring.at(seq))).toEqual([null, 'd16', 'd17', 'd19', null]);
  ring.push(30, 'd30');
  expect([19, 29, 30].map((seq) => ring.at(seq))).toEqual([null, null, 'd30']);
});

describe('freshness', () => {
  test('is promised by a head, and given when its seq is applied', () => {
    const freshness = new Freshness();
    expect(freshness.ageMs(1000)).toBeNull();
    freshness.reset(500);
    freshness.promised(10, 900, 5);
    expect(freshness.ageMs(1000)).toBe(500);
    freshness.promised(20, 950, 7); // the first one comes first
    freshness.applied(9);
    expect(freshness.ageMs(1000)).toBe(500);
    freshness.applied(10);
    expect(freshness.ageMs(1000)).toBe(100);
    freshness.promised(12, 800, 12);
    expect(freshness.ageMs(1000)).toBe(100); // never older than it was
    freshness.halt();
    freshness.promised(12, 990, 12);
    expect(freshness.ageMs(1000)).toBe(100);
    freshness.reset(null);
    expect(freshness.ageMs(1000)).toBeNull();
  });

  test('as a wall time is rounded to the older side, and is never what means unknown', () => {
    expect(freshAtWallMs(10.2, 1000)).toBe(989);
    expect(freshAtWallMs(5000, 1000)).toBe(1);
    expect(freshAtWallMs(null, 1000)).toBeNull();
  });

  test('on disk is the same again, or nothing', () => {
    const records = fc.record({
      epoch: fc.string({ minLength: 1, maxLength: 36, unit: fc.constantFrom('a', '~', '-', '9') }),
      seq: fc.maxSafeNat(),
      freshAtMs: fc.option(fc.integer({ min: 1, max: 2 ** 48 })),
    });
    const isSame = fc.property(records, (record) => {
      expect(decodeFresh(encodeFresh(record))).toEqual(record);
    });
    const isNothing = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(decodeFresh(bytes)).toBeNull();
    });
    fc.assert(isSame);
    fc.assert(isNothing);
  });
});

test.each<[string, Partial<StateFacts>, string]>([
  ['no table', { hasTable: false }, 'empty'],
  ['a source not reached, whatever the age', { isReached: false, ageMs: 1e9 }, 'last_good'],
  ['caught up and young', {}, 'live'],
  ['just too old', { ageMs: 10 }, 'soft_stale'],
  ['behind what is known, however young', { isCaughtUp: false, ageMs: 0 }, 'soft_stale'],
  ['old', { ageMs: 100 }, 'hard_stale'],
  ['of no known age', { ageMs: null }, 'hard_stale'],
  ['as old as can be', { ageMs: Number.POSITIVE_INFINITY }, 'hard_stale'],
  ['of an age that is about to be told', { ageMs: Number.POSITIVE_INFINITY, isAgeAwaited: true }, 'soft_stale'],
])('%s', (_name, facts, expected) => {
  const usual = {
    hasTable: true,
    isReached: true,
    isCaughtUp: true,
    ageMs: 9,
    isAgeAwaited: false,
    softStaleAfterMs: 10,
    hardStaleAfterMs: 100,
  };
  expect(stateOf({ ...usual, ...facts })).toBe(expected);
});

test.each<[string, { readonly entryCount: number | null; readonly seq?: number }, string | null]>([
  ['as large as before', { entryCount: 100 }, null],
  ['half as large', { entryCount: 50 }, null],
  ['less than half as large', { entryCount: 49 }, 'sync.shrunk'],
  ['empty', { entryCount: 0 }, 'sync.too_few'],
  ['of unknown size', { entryCount: null }, null],
  ['beyond the pin', { entryCount: 100, seq: 8 }, 'sync.pinned'],
])('a snapshot %s', (_name, { entryCount, seq = 7 }, code) => {
  const summary = { position: { epoch: 'e', seq }, entryCount };
  const check = () => checkSnapshot(summary, { maxShrink: 0.5, entryCountMin: 10, pinSeq: 7 }, 100);
  if (code === null) expect(check).not.toThrow();
  else expect(check).toThrow(code);
  // without a table in use nothing can shrink
  if (code === 'sync.shrunk') {
    expect(() => checkSnapshot(summary, { maxShrink: 0.5, entryCountMin: 10, pinSeq: 7 }, null)).not.toThrow();
  }
});

test('a histogram counts into its buckets, and its quantiles are bounds of them', () => {
  const histogram = new Histogram([10, 20, 50]);
  expect(histogram.quantile(0.5)).toBeNull();
  for (const value of [-5, 3, 10, 11, 19, 20, 49, 50]) histogram.record(value);
  expect(histogram.state()).toMatchObject({ counts: [3, 3, 2, 0], count: 8, sumMs: 162 });
  expect([0, 0.375, 0.5, 0.75, 0.76, 1].map((q) => histogram.quantile(q))).toEqual([10, 10, 20, 20, 50, 50]);
  histogram.record(1000);
  expect(histogram.quantile(1)).toBe(Number.POSITIVE_INFINITY);
  expect(() => new Histogram([2, 1])).toThrow(RangeError);
  expect(() => histogram.quantile(1.1)).toThrow(RangeError);
});

test('a tail gives back its frames, and goes on where it is told to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-tail-'));
  try {
    const ledger = new ReferenceLedger({ clock: new FakeClock() });
    for (let key = 0; key < 50; key++) ledger.write([{ key, rights: 1 }]);
    const frames: Uint8Array[] = [];
    for (let seq = 0; seq < 50; seq += 10) frames.push(encodeFrame(await ledger.entriesAfter(seq, 10)));
    const path = join(folder, 'tail.ogd');
    const writer = new TailWriter(path, { startSeq: 0, lastSeq: 0, bytes: 0 });
    for (const [index, frame] of frames.entries()) writer.append(frame, 10 * (index + 1));
    expect(writer.seq).toBe(50);
    await writer.close();
    const found = [...readTail(path)];
    expect(found.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(
      frames.map((bytes) => Buffer.from(bytes).toString('hex')),
    );
    const secondEnd = found[1]?.endBytes ?? 0;
    const next = new TailWriter(path, { startSeq: 0, lastSeq: 20, bytes: secondEnd });
    next.append(frames[4] ?? new Uint8Array(), 50);
    await next.sync();
    await next.close();
    expect(readFileSync(path)).toEqual(Buffer.concat([...frames.slice(0, 2), frames[4] ?? new Uint8Array()]));
    writeFileSync(path, Buffer.concat([...frames, Buffer.from('garbage after the end')]));
    const read = () => [...readTail(path)];
    expect(read).toThrow('delta.magic');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a frame that is too large for one is written as several', async () => {
  const ledger = new ReferenceLedger({ clock: new FakeClock() });
  const writes = Array.from({ length: 4096 }, (_, key) => ({ key, rights: 1 }));
  for (let index = 0; index < 120; index++) ledger.write(writes);
  const frame = await ledger.entriesAfter(0, 1000);
  expect(() => encodeFrame(frame)).toThrow('delta.too_large');
  const parts = [...partsOf(frame)];
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.flatMap(({ entries }) => entries)).toEqual(frame.entries);
  for (const part of parts) expect(encodeFrame(part).length).toBeLessThan(8 * 2 ** 20);
});
