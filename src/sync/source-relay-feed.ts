/**
 * What a relay serves from that follows another source itself: it passes on what it gets, as it came.
 *
 * A frame or snapshot that another has signed stays as it is, so a relay needs no key to serve those who ask for
 * signatures, and cannot forge anything. With a key of its own it makes everything anew and signs it. Order and content
 * are judged by those who apply them, this process's own follower among them ({@link createRelayedSource}).
 * @module
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Backoff } from '../backoff.js';
import { GateError } from '../core/errors.js';
import type { Head } from '../core/suppression/index.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { withDeadline } from './deadline.js';
import { asFailure } from './failures.js';
import { FrameRing } from './frame-ring.js';
import {
  RELAY_BEAT_EVERY_MS,
  RELAY_RING_BYTES_MAX,
  type RelayAnswer,
  type RelayFeed,
  type RelaySnapshot,
} from './relay-feed.js';
import { SnapshotFolder, type SnapshotFolderOptions } from './relay-snapshot.js';
import type { ChangesAnswer, EnforcerReport, Position, SnapshotSummary, Source } from './source.js';
import { Waiters } from './waiters.js';

const CHANGES_GRACE_MS = 10_000;
const SNAPSHOT_DEADLINE_MS = 1_800_000;
const BACKOFF_CAP_MS = 5000;
/** While the source has no newer snapshot the ring may become this many times its size; then nothing more is taken. */
const RING_OVERFLOW = 8;
/** Snapshots that memory asks for come no faster than this. */
const REFRESH_PAUSE_MS = 10_000;

export interface SourceRelayOptions extends SnapshotFolderOptions {
  /** The relay owns the source and closes it. */
  readonly source: Source;
  /** How long the source is asked to wait: that is how often its heartbeat comes. */
  readonly beatEveryMs?: number | undefined;
  /** Changes kept in memory; a follower that is further behind starts from the snapshot. */
  readonly ringBytesMax?: number | undefined;
  /** Throws to refuse a snapshot. */
  readonly validate?: ((summary: SnapshotSummary) => void) | undefined;
  /** Called with every failure; the relay goes on trying. */
  readonly onFailure?: ((error: GateError) => void) | undefined;
  readonly clock?: Clock | undefined;
}

interface Newest {
  readonly head: Head;
  /** The frame that carries this head, as it came. */
  readonly bytes: Uint8Array | null;
  readonly asOfMs: number;
}

type FrameAnswer = Extract<ChangesAnswer, { readonly kind: 'frame' }>;

export class SourceRelayFeed implements RelayFeed {
  private readonly snapshots: SnapshotFolder;
  private readonly clock: Clock;
  private readonly waiters: Waiters;
  private readonly ringBytesMax: number;
  private readonly closing = new AbortController();
  private readonly running: Promise<void>;
  private ring: FrameRing | null = null;
  private newest: Newest | null = null;
  private refreshing: Promise<void> | null = null;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  /** Starts at once. */
  constructor(private readonly options: SourceRelayOptions) {
    this.clock = options.clock ?? systemClock;
    this.snapshots = new SnapshotFolder(options);
    this.waiters = new Waiters(this.clock);
    this.ringBytesMax = options.ringBytesMax ?? RELAY_RING_BYTES_MAX;
    this.running = this.run();
  }

  get head(): Head | null {
    return this.newest?.head ?? null;
  }

  snapshot(): RelaySnapshot | null {
    return this.newest === null ? null : this.snapshots.current;
  }

  changesAfter({ epoch, seq }: Position): RelayAnswer {
    const { ring, newest } = this;
    if (ring === null || newest === null) return { kind: 'empty' };
    const { head, asOfMs, bytes } = newest;
    if (head.epoch !== epoch) return { kind: 'epoch' };
    if (seq < ring.afterSeq) return { kind: 'trimmed' };
    const kept = seq < this.servedSeq ? ring.after(seq) : undefined;
    const entries = kept?.entries.filter((entry) => entry.seq > seq) ?? [];
    const isPassedOn = this.options.signer === undefined && bytes !== null;
    const passed = isPassedOn ? { entries: kept?.bytes ?? null, head: bytes } : null;
    return { kind: 'frame', frame: { head, entries }, passed, asOfMs };
  }

  wait({ epoch, seq }: Position, waitMs: number, signal: AbortSignal): Promise<void> {
    const isDue = this.newest !== null && (this.newest.head.epoch !== epoch || this.servedSeq > seq);
    return this.waiters.wait(isDue || this.closing.signal.aborted ? 0 : waitMs, signal);
  }

  /** The last seq of a frame that the newest head covers: no head is given that is behind its entries. */
  private get servedSeq(): number {
    const { ring, newest } = this;
    if (ring === null || newest === null) return 0;
    return ring.lastSeq <= newest.head.seq ? ring.lastSeq : ring.lastSeqUpTo(newest.head.seq);
  }

  async report(report: EnforcerReport): Promise<void> {
    const { source } = this.options;
    if (source.report === undefined) throw new GateError('sync.unavailable', 'there is no way back to the ledger');
    await source.report(report);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.waiters.wake();
    await this.options.source.close();
    await this.running;
    await this.refreshing;
    await this.snapshots.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    const backoff = new Backoff({ capMs: BACKOFF_CAP_MS });
    let isOpen = false;
    while (!signal.aborted) {
      try {
        if (!isOpen) await this.snapshots.open();
        isOpen = true;
        await this.step();
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        this.fail(error);
        await sleep(this.clock, backoff.nextDelayMs(), signal);
      }
    }
  }

  private async step(): Promise<void> {
    const { ring } = this;
    const snapshot = this.snapshots.current;
    if (ring === null || snapshot === null) return this.load();
    if (ring.bytes > this.ringBytesMax * RING_OVERFLOW) return this.refresh(ring); // nothing is taken until there is room
    const after = { epoch: snapshot.position.epoch, seq: ring.lastSeq };
    const answer = await this.ask(after);
    if (answer.kind === 'snapshot') return this.load();
    if (!ring.append({ entries: answer.frame.entries, bytes: answer.bytes })) return this.load();
    this.noteHead(answer);
    ring.trim(this.ringBytesMax, snapshot.position.seq);
    if (ring.lastSeq > after.seq) this.waiters.wake();
    const isDue = ring.bytes > this.ringBytesMax && this.clock.monotonicMs() - this.refreshedAtMs > REFRESH_PAUSE_MS;
    if (isDue && this.refreshing === null) void this.refresh(ring).catch((error: unknown) => this.fail(error));
  }

  private ask(after: Position): Promise<ChangesAnswer> {
    const { source, beatEveryMs: waitMs = RELAY_BEAT_EVERY_MS } = this.options;
    const deadline = { clock: this.clock, deadlineMs: waitMs + CHANGES_GRACE_MS, signal: this.closing.signal };
    return withDeadline(deadline, (signal) => source.changes(after, { waitMs, signal }));
  }

  private noteHead(answer: FrameAnswer): void {
    const known = newestOf(answer);
    const { newest } = this;
    if (known === null) return;
    const isOlder = newest !== null && newest.head.epoch === known.head.epoch && known.head.beat < newest.head.beat;
    if (!isOlder) this.newest = known;
  }

  /** Begins anew. What was served before is served until the snapshot is there, and the first head with it. */
  private async load(): Promise<void> {
    await this.refreshing;
    const snapshot = await this.fetch();
    const { position } = snapshot;
    const ring = new FrameRing(position.seq);
    for (let newest: Newest | null = null; newest === null; ) {
      const answer = await this.ask({ epoch: position.epoch, seq: ring.lastSeq });
      if (answer.kind === 'snapshot') throw new GateError('sync.unavailable', 'the source has a newer snapshot');
      if (!ring.append({ entries: answer.frame.entries, bytes: answer.bytes })) throw new GateError('sync.gap');
      newest = newestOf(answer);
      if (newest !== null) this.newest = newest;
    }
    this.ring = ring;
    await this.snapshots.use(snapshot);
    this.waiters.wake();
  }

  /** Fetches a newer snapshot and drops what it holds. Throws a GateError. */
  private async refresh(ring: FrameRing): Promise<void> {
    await this.refreshing;
    const refreshing = this.fetch().then(async (snapshot) => {
      const isOurs = this.ring === ring && snapshot.position.epoch === this.snapshots.current?.position.epoch;
      if (!isOurs || snapshot.position.seq > ring.lastSeq) return rm(snapshot.path, { force: true });
      await this.snapshots.use(snapshot);
      ring.trim(this.ringBytesMax, snapshot.position.seq);
    });
    this.refreshing = refreshing
      .catch(() => {})
      .finally(() => {
        this.refreshedAtMs = this.clock.monotonicMs();
        this.refreshing = null;
      });
    await refreshing;
  }

  private async fetch(): Promise<RelaySnapshot> {
    const { source, folder, signer, validate = () => {} } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o750 });
    const incoming = await mkdtemp(join(folder, 'incoming-'));
    const deadline = { clock: this.clock, deadlineMs: SNAPSHOT_DEADLINE_MS, signal: this.closing.signal };
    try {
      const loaded = await withDeadline(deadline, (signal) => source.snapshot({ folder: incoming, validate, signal }));
      if (loaded.path === null || signer !== undefined) return await this.snapshots.write(loaded, this.clock.wallMs());
      return await this.snapshots.adopt(loaded, loaded.path);
    } finally {
      await rm(incoming, { recursive: true, force: true }).catch(() => {});
    }
  }

  private fail(error: unknown): void {
    if (this.closing.signal.aborted) return;
    this.options.onFailure?.(asFailure(error));
  }
}

/** The head of an answer with the bytes that carry it; `null` if it says nothing of how fresh it is. */
function newestOf({ frame: { head }, bytes, headBytes, asOfMs }: FrameAnswer): Newest | null {
  return Number.isFinite(asOfMs) ? { head, bytes: headBytes ?? bytes, asOfMs } : null;
}
