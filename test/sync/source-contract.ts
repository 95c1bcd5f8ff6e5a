/**
 * What every source has to keep to, run against each of them with its real service: the same writes in, the same table
 * out; nothing left out, nothing too fresh, and every call comes to an end.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import type { EnforcerReport, Position, Source } from '../../src/sync/source.js';
import { PlainFollower } from './plain-follower.js';

/** A source, and the ledger it follows. A test opens its own and has it to itself. */
export interface ContractSubject {
  readonly source: Source;
  /** Commits one entry with several changes, the `round`-th; resolves when it has its seq. */
  write(round: number): Promise<void>;
  /** Where the ledger is now, and the state digest of a table that holds all of it. */
  truth(): Promise<{ readonly position: Position; readonly stateDigest: string }>;
  /** Begins another history. Left out: the source has no epochs of its own. */
  rotateEpoch?(): Promise<void>;
  /** Makes what was committed up to now unavailable as changes. Left out: the source has none that could be. */
  trim?(): Promise<void>;
  /** Reports that came through; waits for `count` of them. Left out: there is no way back. */
  reports?(count: number): Promise<readonly EnforcerReport[]>;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** A source of changes. False: it only has snapshots, and answers with a new one. Default: true. */
  readonly hasChanges?: boolean;
}

const ENTRIES = 40;
/** A wait that nothing ends takes longer than any machine is busy. */
const LONG_WAIT_MS = 20_000;

/** Call it inside `describe`. */
export function sourceContract(
  name: string,
  open: () => Promise<ContractSubject>,
  { hasChanges = true }: ContractOptions = {},
): void {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const { close } of opened.splice(0).reverse()) await close();
  });

  async function begin(rounds = 3): Promise<{ subject: ContractSubject; follower: PlainFollower }> {
    const folder = await mkdtemp(join(tmpdir(), 'optgate-contract-'));
    opened.push({ close: () => rm(folder, { recursive: true, force: true }) });
    const subject = await open();
    opened.push(subject);
    for (let round = 0; round < rounds; round++) await subject.write(round);
    return { subject, follower: new PlainFollower(subject.source, folder) };
  }

  async function expectEqual(subject: ContractSubject, follower: PlainFollower): Promise<void> {
    const { position, stateDigest } = await subject.truth();
    await follower.catchUp(position.seq);
    expect(follower.position).toEqual(position);
    expect(follower.stateDigest).toBe(stateDigest);
  }

  /** The failure of a call that is cut short, and how long it took to fail. */
  async function failureOf(call: Promise<unknown>): Promise<{ readonly code: unknown; readonly tookMs: number }> {
    const startMs = performance.now();
    const error = await call.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(GateError);
    return { code: (error as GateError).code, tookMs: performance.now() - startMs };
  }

  test(`${name}: a snapshot holds what was written before it`, async () => {
    const { subject, follower } = await begin();
    const summaries: unknown[] = [];
    await follower.load((summary) => summaries.push(summary));
    await expectEqual(subject, follower);
    for (const summary of summaries) expect(summary).toMatchObject({ position: { epoch: follower.position.epoch } });
  });

  test(`${name}: who refuses a snapshot gets it not, and his own error back`, async () => {
    const { follower } = await begin();
    const refusal = new GateError('sync.shrunk', 'refused by the test');
    const refuse = () => {
      throw refusal;
    };
    await expect(follower.load(refuse)).rejects.toBe(refusal);
    await follower.load();
  });

  test(`${name}: a signal ends a snapshot and a wait at once`, async () => {
    const { follower } = await begin();
    expect((await failureOf(follower.load(() => {}, AbortSignal.abort()))).code).toBe('sync.closed');
    await follower.load();
    await follower.step();
    const ending = new AbortController();
    const waiting = (async () => {
      while (!ending.signal.aborted) await follower.step(LONG_WAIT_MS, ending.signal);
    })().catch((error: unknown) => expect(error).toMatchObject({ code: 'sync.closed' }));
    await sleep(100);
    const abortedAtMs = performance.now();
    ending.abort();
    await waiting;
    expect(performance.now() - abortedAtMs).toBeLessThan(10_000);
  });

  test(`${name}: closing ends calls in flight, and those that come after`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    await follower.step();
    const waiting = failureOf(
      (async () => {
        for (;;) await follower.step(LONG_WAIT_MS);
      })(),
    );
    await sleep(100);
    await subject.source.close();
    expect(await waiting).toMatchObject({ code: 'sync.closed' });
    expect((await failureOf(follower.step(0))).code).toBe('sync.closed');
    expect((await failureOf(follower.load())).code).toBe('sync.closed');
    await subject.source.close();
  });

  if (!hasChanges) return;

  test(`${name}: a snapshot is never without an age, which would count as fresh for ever`, async () => {
    const { follower } = await begin();
    await follower.load();
    expect(follower.snapshotLagMs).not.toBeNull();
  });

  test(`${name}: entries that are written one by one all arrive, in order, and give the ledger's table`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    for (let round = 0; round < ENTRIES; round++) {
      await subject.write(round);
      if (round % 7 === 0) await follower.step(200);
    }
    await expectEqual(subject, follower);
    expect(follower.snapshotCount).toBe(1);
  });

  test(`${name}: a follower that comes back finds everything since`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    await subject.write(1);
    await expectEqual(subject, follower);
    for (let round = 0; round < ENTRIES; round++) await subject.write(round);
    await expectEqual(subject, follower);
    expect(follower.snapshotCount).toBe(1);
  });

  test(`${name}: a wait ends when an entry comes`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    await expectEqual(subject, follower);
    await follower.step(500);
    const { position } = await subject.truth();
    const reached = (async () => {
      while (follower.position.seq <= position.seq) await follower.step(LONG_WAIT_MS);
    })();
    await sleep(100);
    const writtenAtMs = performance.now();
    await subject.write(9);
    await reached;
    expect(performance.now() - writtenAtMs).toBeLessThan(LONG_WAIT_MS / 2);
  });

  test(`${name}: a table is never said to be fresher than it is, and becomes fresh without any change`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    await expectEqual(subject, follower);
    const idleSinceMs = performance.now();
    while (follower.completeAtMs < idleSinceMs) {
      await follower.step(300);
      expect(performance.now() - idleSinceMs).toBeLessThan(30_000);
    }
    for (let round = 0; round < 10; round++) {
      const { position } = await subject.truth();
      let writtenAtMs = Number.POSITIVE_INFINITY;
      const written = subject.write(round).then(() => {
        writtenAtMs = performance.now();
      });
      while (follower.position.seq === position.seq) {
        await follower.step(50);
        // without the entry the table is complete up to its commit, and not after
        if (follower.position.seq === position.seq) expect(follower.completeAtMs).toBeLessThanOrEqual(writtenAtMs + 1);
      }
      await written;
    }
    await expectEqual(subject, follower);
  });

  test(`${name}: an answer without entries says so with a newer beat`, async () => {
    const { subject, follower } = await begin();
    await follower.load();
    await expectEqual(subject, follower);
    const beats: number[] = [];
    for (let count = 0; count < 3; count++) {
      const answer = await follower.step(500);
      if (answer.kind === 'frame') beats.push(answer.frame.head.beat);
    }
    expect(beats).toEqual([...new Set(beats)].sort((a, b) => a - b));
    expect(beats).toHaveLength(3);
  });

  test(`${name}: what it hands on can be kept: frames decode on their own`, async () => {
    const { decodeFrame } = await import('../../src/core/suppression/index.js');
    const { subject, follower } = await begin();
    await follower.load();
    const start = follower.position.seq;
    for (let round = 0; round < 5; round++) await subject.write(round);
    await expectEqual(subject, follower);
    if (follower.frameBytes.length === 0) return; // a database: it has entries and no frames
    const seqs = new Set(follower.frameBytes.flatMap((bytes) => decodeFrame(bytes).entries.map(({ seq }) => seq)));
    for (let seq = start + 1; seq <= follower.position.seq; seq++) expect(seqs).toContain(seq);
  });

  test(`${name}: another history is said to be one`, async ({ skip }) => {
    const { subject, follower } = await begin();
    if (subject.rotateEpoch === undefined) return skip('has no epochs of its own');
    await follower.load();
    await expectEqual(subject, follower);
    await subject.rotateEpoch();
    await subject.write(5);
    await expect
      .poll(() => follower.step(500).catch(String), { timeout: 10_000 })
      .toEqual({ kind: 'snapshot', why: 'sync.epoch' });
    await follower.load();
    await expectEqual(subject, follower);
  });

  test(`${name}: changes that are gone lead to the snapshot, and it to the rest`, async ({ skip }) => {
    const { subject, follower } = await begin();
    if (subject.trim === undefined) return skip('keeps everything');
    await follower.load();
    for (let round = 0; round < ENTRIES; round++) await subject.write(round);
    await subject.trim();
    await subject.write(7);
    await expect
      .poll(() => follower.step(500).catch(String), { timeout: 10_000 })
      .toEqual({ kind: 'snapshot', why: 'sync.trimmed' });
    await follower.load();
    await expectEqual(subject, follower);
  });

  test(`${name}: a report reaches the ledger as it was sent`, async ({ skip }) => {
    const { subject, follower } = await begin();
    if (subject.reports === undefined) return skip('has no way back');
    await follower.load();
    const report: EnforcerReport = {
      id: 'contract-1',
      name: 'a host',
      role: 'sidecar',
      version: '0.1.0',
      leaseMs: 30_000,
      position: follower.position,
      appliedAgeMs: 12,
      state: 'live',
      isLeaving: false,
    };
    await expect(subject.source.report?.(report)).resolves.toBeUndefined();
    await subject.source.report?.({ ...report, position: null, appliedAgeMs: null, isLeaving: true });
    const reports = await subject.reports(2);
    expect(reports).toEqual([report, { ...report, position: null, appliedAgeMs: null, isLeaving: true }]);
  });
}
