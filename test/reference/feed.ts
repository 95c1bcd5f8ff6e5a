/**
 * The plain twin of a ledger: transactions, locks, a sequencer and a log, as arrays and maps in memory. Slow and obvious.
 *
 * A transaction takes its id when it begins and its keys' versions when it commits, and the sequencer numbers by id, so
 * changes of one key come out of order here as they do from a database. Everything random comes from one seed.
 * @module
 */
import { GateError, type GateErrorCode } from '../../src/core/errors.js';
import {
  type Change,
  digestWord,
  type Frame,
  type Head,
  mintHigh,
  mintLow,
  SuppressionTable,
  writeChanges,
} from '../../src/core/suppression/index.js';
import { type Clock, systemClock } from '../../src/sync/clock.js';
import type { EnforcerReport, LedgerFeed, LoadedTable } from '../../src/sync/source.js';

export interface Write {
  /** Number of the key; see {@link keyOf}. */
  readonly key: number;
  readonly rights: number;
}

/** A row of the log; `seq` is null until it is sequenced. */
interface Row {
  readonly id: number;
  readonly xid: number;
  readonly atMs: number;
  readonly isCanary: boolean;
  readonly changes: readonly Change[];
  readonly bytes: Uint8Array;
  seq: number | null;
}

interface KeyState {
  readonly version: number;
  readonly rights: number;
}

export interface ReferenceOptions {
  readonly seed?: number;
  readonly clock?: Clock;
  readonly epoch?: string;
  /** Keys that random transactions write to; few, so that they meet. */
  readonly keyCount?: number;
}

/** Uniform numbers from 0 up to 1, the same in every run. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Key number `index`, mixed, as signed words. */
export function keyOf(index: number): { readonly high: number; readonly low: number; readonly tag: number } {
  const high = mintHigh(Math.imul(index + 1, 0x9e3779b1) ^ (index << 7));
  const low = mintLow(Math.imul(index + 1, 0x85ebca6b) | 0);
  return { high: high | 0, low: low | 0, tag: 1 + (index % 17) };
}

const TABLE_SEED = 0x0123456789abcdefn;
const RUNNING_MAX = 6;

export class ReferenceLedger implements LedgerFeed {
  readonly name = 'postgres';
  readonly reports: EnforcerReport[] = [];
  /** Thrown by the next calls instead of an answer. */
  failure: GateErrorCode | null = null;
  /** Calls never settle while this is set, signal or not. */
  isHanging = false;
  epoch: string;
  snapshotCount = 0;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly keyCount: number;
  private rows: Row[] = [];
  private log: Row[] = [];
  private keys = new Map<number, KeyState>();
  private readonly running = new Set<number>();
  private readonly waiters = new Set<() => void>();
  private nextXid = 1;
  private nextId = 1;
  private epochCount = 1;
  private beat = 1;
  private trimmedSeq = 0;
  private sequencedAtMs: number;
  /** State at `settledState.seq`, folded as far as asked. */
  private settledState = { seq: 0, fold: new Map<string, { change: Change }>(), kindMask: 0, givenKindMask: 0 };

  constructor({ seed = 1, clock = systemClock, epoch = 'epoch-1', keyCount = 60 }: ReferenceOptions = {}) {
    this.random = randomFrom(seed);
    this.clock = clock;
    this.epoch = epoch;
    this.keyCount = keyCount;
    this.sequencedAtMs = clock.wallMs();
  }

  get seq(): number {
    return this.log.length;
  }

  // -- writers

  begin(): number {
    const xid = this.nextXid++;
    this.running.add(xid);
    return xid;
  }

  /** Names the keys with the rights they now have; versions go up only where that changed something. */
  commit(xid: number, writes: readonly Write[], isCanary = false): void {
    const changes = writes.map(({ key, rights }): Change => {
      const before = this.keys.get(key) ?? { version: 0, rights: 0 };
      const isChanged = before.rights !== rights || before.version === 0;
      const version = isChanged ? before.version + 1 : before.version;
      if (isChanged) this.keys.set(key, { version, rights });
      const { high, low, tag } = keyOf(key);
      return { high, low, tag, version, rightsBefore: before.rights, rights, isDerived: key % 5 === 0 };
    });
    this.running.delete(xid);
    const row = { id: this.nextId++, xid, atMs: this.clock.wallMs(), isCanary, changes };
    this.rows.push({ ...row, bytes: writeChanges(changes), seq: null });
  }

  rollback(xid: number): void {
    this.running.delete(xid);
  }

  /** One step of the sequencer: numbers, by transaction id, what is below every running transaction. */
  sequence(): void {
    const horizon = Math.min(this.nextXid, ...this.running);
    const ready = this.rows.filter(({ xid }) => xid < horizon).sort((a, b) => a.xid - b.xid || a.id - b.id);
    this.rows = this.rows.filter(({ xid }) => xid >= horizon);
    for (const row of ready) {
      row.seq = this.log.length + 1;
      this.log.push(row);
    }
    this.beat++;
    this.sequencedAtMs = this.clock.wallMs();
    for (const waiter of this.waiters) waiter();
    this.waiters.clear();
  }

  /** A transaction of its own, sequenced at once unless another one is running. */
  write(writes: readonly Write[], isCanary = false): number {
    this.commit(this.begin(), writes, isCanary);
    this.sequence();
    return this.seq;
  }

  /** The sequencer steps by itself, as it does about every second; returns what stops it. */
  beatEvery(beatMs: number): () => void {
    let cancel = (): void => {};
    const schedule = (): void => {
      cancel = this.clock.after(beatMs, () => {
        this.sequence();
        schedule();
      });
    };
    schedule();
    return () => cancel();
  }

  /** Something random: a transaction begins, ends one way or the other, or the sequencer steps. */
  step(): void {
    const dice = this.random();
    const running = [...this.running];
    const some = running[Math.floor(this.random() * running.length)];
    if (some === undefined || (dice < 0.35 && running.length < RUNNING_MAX)) this.begin();
    else if (dice < 0.4) this.rollback(some);
    else if (dice < 0.8) this.commit(some, this.randomWrites(), this.random() < 0.05);
    else this.sequence();
  }

  private randomWrites(): readonly Write[] {
    const first = Math.floor(this.random() * this.keyCount);
    const rights = this.random() < 0.3 ? 0 : 1 + Math.floor(this.random() * 127);
    const count = 1 + Math.floor(this.random() * Math.min(7, this.keyCount));
    return Array.from({ length: count }, (_, index) => ({ key: (first + index * 7) % this.keyCount, rights }));
  }

  // -- accidents

  /** Another history begins; seqs go on. */
  rotateEpoch(): void {
    this.epoch = `epoch-${++this.epochCount}`;
    this.sequence();
  }

  /** As a backup that was restored without anybody noticing: everything after `seq` never was. */
  regress(seq: number, beat: number = this.beat): void {
    this.beat = beat;
    this.log = this.log.slice(0, seq);
    this.rows = [];
    this.running.clear();
    this.keys = new Map();
    for (let key = 0; key < this.keyCount; key++) {
      const { high, low } = keyOf(key);
      const last = foldOf(this.log).get(`${high}:${low}`)?.change;
      if (last !== undefined) this.keys.set(key, { version: last.version, rights: last.rights });
    }
    this.settledState = { seq: 0, fold: new Map(), kindMask: 0, givenKindMask: 0 };
    this.sequence();
  }

  /** The log no longer has entries up to `seq`. */
  trim(seq: number): void {
    this.trimmedSeq = seq;
  }

  // -- what should be

  /** Rights by key after `seq` entries, the last version of each; `naive`: the last in the order of the log. */
  fold(seq: number = this.seq, order: 'versions' | 'naive' = 'versions'): ReadonlyMap<string, number> {
    const rights = new Map<string, number>();
    for (const [key, { change }] of foldOf(this.log.slice(0, seq), order)) {
      if (change.rights !== 0) rights.set(key, change.rights);
    }
    return rights;
  }

  /** When the oldest change was committed that a table at `seq` lacks; `null` if it lacks none. */
  oldestMissingAtMs(seq: number): number | null {
    const missing = [...this.log.slice(seq), ...this.rows].map(({ atMs }) => atMs);
    return missing.length === 0 ? null : missing.reduce((a, b) => Math.min(a, b));
  }

  /**
   * The last seq at which the log can be cut: of no key does an entry up to it come after, in the order in which the key
   * was locked, one that follows in the log or has no seq yet.
   */
  get settledSeq(): number {
    const knownSeq = Math.min(this.settledState.seq, this.log.length); // a cut stays one
    for (let seq = this.log.length; seq > knownSeq; seq--) {
      const firstAfter = new Map<number, number>();
      for (const { id, changes } of [...this.log.slice(seq), ...this.rows]) {
        for (const { low } of changes) firstAfter.set(low, Math.min(id, firstAfter.get(low) ?? id));
      }
      const before = this.log.slice(knownSeq, seq);
      if (before.every(({ id, changes }) => changes.every(({ low }) => id < (firstAfter.get(low) ?? id + 1))))
        return seq;
    }
    return knownSeq;
  }

  head(): Head {
    const settledSeq = this.settledSeq;
    const { fold, kindMask, givenKindMask } = this.settledAt(settledSeq);
    let [high, low, entryCount] = [0, 0, 0];
    for (const { change } of fold.values()) {
      high = (high + digestWord(change.high, change.rights)) | 0;
      low = (low + digestWord(change.low, change.rights)) | 0;
      if (change.rights !== 0) entryCount++;
    }
    const stateDigest = [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
    const freshAtMs = Math.min(this.sequencedAtMs, ...this.rows.map(({ atMs }) => atMs));
    const lagMs = Math.max(0, Math.ceil(this.clock.wallMs() - freshAtMs));
    const { epoch, seq, beat } = this;
    return { epoch, seed: TABLE_SEED, seq, settledSeq, stateDigest, entryCount, kindMask, givenKindMask, beat, lagMs };
  }

  /** The fold at a settled seq, from the one before: no version order straddles it. */
  private settledAt(seq: number) {
    const state = this.settledState;
    for (const row of this.log.slice(state.seq, seq)) {
      foldRow(state.fold, row, 'versions');
      for (const { tag, isDerived } of row.changes) {
        state.kindMask |= 1 << tag;
        if (!isDerived) state.givenKindMask |= 1 << tag;
      }
    }
    state.seq = Math.max(state.seq, seq);
    return state;
  }

  // -- the feed

  async entriesAfter(seq: number, limit: number): Promise<Frame> {
    await this.misbehave();
    const rows = this.log.slice(Math.max(seq, this.trimmedSeq)).slice(0, limit);
    const entries = rows.map(({ seq: rowSeq, atMs, isCanary, bytes }) => {
      return { seq: rowSeq ?? 0, atMs, isCanary, changes: bytes };
    });
    return { head: this.head(), entries };
  }

  wait(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.waiters.delete(end);
        resolve();
      };
      const cancel = this.clock.after(waitMs, end);
      this.waiters.add(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async buildTable(_signal?: AbortSignal): Promise<LoadedTable> {
    await this.misbehave();
    this.snapshotCount++;
    const { settledSeq, lagMs } = this.head();
    const table = this.tableAt(settledSeq);
    const unsettledAtMs = this.log.slice(settledSeq).map(({ atMs }) => atMs);
    const oldestMs = Math.max(0, this.clock.wallMs() - Math.min(this.clock.wallMs(), ...unsettledAtMs));
    const position = { epoch: this.epoch, seq: settledSeq };
    return { share: table.share(), position, lagMs: Math.max(lagMs, Math.ceil(oldestMs)), path: null };
  }

  /** The table that a perfect follower would have at `seq`. */
  tableAt(seq: number): SuppressionTable {
    const { epoch } = this;
    const table = SuppressionTable.create({ capacity: Math.max(1, this.keys.size), seed: TABLE_SEED, epoch });
    for (const { change } of foldOf(this.log.slice(0, seq)).values()) {
      const kind = 1 << change.tag;
      table.setMixed(change.high, change.low, change.rights, kind, change.isDerived ? 0 : kind);
    }
    table.publish(seq, null);
    return table;
  }

  async report(report: EnforcerReport): Promise<void> {
    await this.misbehave();
    this.reports.push(report);
  }

  async close(): Promise<void> {
    for (const waiter of this.waiters) waiter();
  }

  private async misbehave(): Promise<void> {
    if (this.isHanging) await new Promise(() => {});
    if (this.failure !== null) throw new GateError(this.failure);
  }
}

function foldOf(rows: readonly Row[], order: 'versions' | 'naive' = 'versions'): Map<string, { change: Change }> {
  const fold = new Map<string, { change: Change }>();
  for (const row of rows) foldRow(fold, row, order);
  return fold;
}

function foldRow(fold: Map<string, { change: Change }>, { changes }: Row, order: 'versions' | 'naive'): void {
  for (const change of changes) {
    const key = `${change.high}:${change.low}`;
    const known = fold.get(key)?.change;
    if (order === 'naive' || known === undefined || change.version >= known.version) fold.set(key, { change });
  }
}
