/**
 * What `optgate follow` prints: each change once and only when it is applied, a failure once, never which key it is.
 * @module
 */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/command.js';
import { changeLines, FollowReport } from '../../src/cli/follow-report.js';
import { type Entry, writeChanges } from '../../src/core/suppression/index.js';
import { KIND_TAG } from '../../src/core/vocabulary.js';
import type { FollowerStatus } from '../../src/sync/index.js';

const [HIGH, LOW] = [0x12345678, 0x0abcdef1];
const change = { high: HIGH, low: LOW, version: 1, tag: KIND_TAG.maid, rightsBefore: 0, rights: 3, isDerived: false };

function entry(seq: number, rest: Partial<typeof change> = {}, isCanary = false): Entry {
  return { seq, atMs: 0, isCanary, changes: writeChanges([{ ...change, ...rest }]) };
}

const STATUS = {
  state: 'live',
  sinceMs: 0,
  position: { epoch: 'e', seq: 7 },
  headSeq: 9,
  seqLag: 2,
  freshnessMs: 1_250,
  entryCount: 1,
  lastError: null,
} as unknown as FollowerStatus;

function reportWith({ isTTY = false, asJson = false, status = STATUS } = {}) {
  const said = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') =>
    Object.assign(
      new PassThrough().on('data', (text) => (said[name] += text)),
      { isTTY },
    );
  const io = { stdout: stream('stdout'), stderr: stream('stderr'), now: () => 0 } as unknown as Io;
  return { said, report: new FollowReport({ io, asJson, current: () => status }) };
}

describe('changes', () => {
  test('what was added and taken away, and what kind it is; nothing of the key', () => {
    expect(changeLines(entry(5), false)).toEqual(['seq 5 maid +sale +share']);
    expect(changeLines(entry(5, { rightsBefore: 3, rights: 5 }), false)).toEqual(['seq 5 maid +targeted_ads -share']);
    expect(changeLines(entry(5, { rightsBefore: 3, isDerived: true }), false)).toEqual([
      'seq 5 maid as before (derived)',
    ]);
    expect(changeLines(entry(5, {}, true), true).map((line) => JSON.parse(line))).toEqual([
      { seq: 5, kind: 'maid', added: ['sale', 'share'], removed: [], derived: false, canary: true },
    ]);
    const all = [false, true].flatMap((asJson) => changeLines(entry(5), asJson)).join();
    for (const part of [HIGH, LOW]) expect(all).not.toMatch(new RegExp(`${part}|${part.toString(16)}`));
  });
  test('are shown once they are applied, and once only, however often they come', () => {
    const { said, report } = reportWith();
    report.came('e', [entry(5), entry(6)]);
    expect(said.stdout).toBe('');
    report.applied({ epoch: 'e', seq: 5 });
    expect(said.stdout).toBe('seq 5 maid +sale +share\n');
    report.came('e', [entry(5), entry(6), entry(7)]);
    report.applied({ epoch: 'e', seq: 7 });
    expect(said.stdout.match(/seq \d/g)).toEqual(['seq 5', 'seq 6', 'seq 7']);
  });
  test('of a history that is over are not shown any more', () => {
    const { said, report } = reportWith();
    report.came('e', [entry(5)]);
    report.came('f', [entry(3)]);
    report.applied({ epoch: 'e', seq: 5 });
    report.applied({ epoch: 'f', seq: 3 });
    expect(said.stdout).toBe('seq 3 maid +sale +share\n');
  });
});

describe('the state', () => {
  const LINE = '1970-01-01T00:00:00.000Z live, seq 7 of 9, 1.3 s old, 1 entry';
  test('as a line, as JSON, as a line of a terminal that the next one takes the place of', () => {
    const asLine = reportWith();
    asLine.report.end({ isTold: false });
    expect(asLine.said.stdout).toBe(`${LINE}\n`);
    const asJson = reportWith({ asJson: true, isTTY: true });
    asJson.report.state(STATUS);
    expect(JSON.parse(asJson.said.stdout)).toMatchObject({
      state: 'live',
      seq: 7,
      headSeq: 9,
      seqLag: 2,
      ageMs: 1_250,
    });
    const onTerminal = reportWith({ isTTY: true });
    onTerminal.report.state(STATUS);
    expect(onTerminal.said.stdout).toBe(`\r\x1b[K${LINE}\n`);
  });
  test('without a table, and while something fails', () => {
    const lastError = { code: 'sync.unavailable', atMs: 0, consecutiveCount: 2 } as const;
    const none = {
      state: 'empty',
      position: null,
      headSeq: null,
      freshnessMs: null,
      entryCount: 0,
      lastError,
    } as const;
    const { said, report } = reportWith({ status: { ...STATUS, ...none } });
    report.end({ isTold: false });
    expect(said.stdout).toMatch(/Z empty, no table, age not known, 0 entries, failing: sync\.unavailable\n$/);
  });
  test('a failure is told once until it works again', () => {
    const { said, report } = reportWith();
    const failure = { code: 'sync.unavailable', atMs: 0, consecutiveCount: 1 } as const;
    for (let count = 0; count < 3; count++) report.failed(failure);
    report.state(STATUS);
    report.failed(failure);
    expect(said.stderr.match(/trying again\n/g)).toHaveLength(2);
    expect(said.stderr).toMatch(/^optgate follow: sync\.unavailable: the source could not be reached/);
  });
});
