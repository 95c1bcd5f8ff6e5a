/**
 * What a relay that sits on a ledger serves from: it reads the log once for everyone, and makes the snapshots.
 *
 * The snapshot always reaches into the ring. If it can no longer be made, the ring stops taking entries before it loses one
 * that the snapshot does not hold; the heads served then grow older, and say so. A new epoch is served only when its
 * snapshot is there; until then the one before is, as old as it is.
 * @module
 */

import { Backoff } from '../backoff.js';
import { GateError } from '../core/errors.js';
import type { Frame, Head } from '../core/suppression/index.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { EntryRing } from './entry-ring.js';
import { asFailure } from './failures.js';
import { GuardedFeed } from './guarded-feed.js';
import {
  type FrameLimits,
  RELAY_BEAT_EVERY_MS,
  RELAY_RING_BYTES_MAX,
  type RelayAnswer,
  type RelayFeed,
  type RelaySnapshot,
} from './relay-feed.js';
import { SnapshotFolder, type SnapshotFolderOptions } from './relay-snapshot.js';
import type { EnforcerReport, LedgerFeed, Position, Reporter } from './source.js';
import { Waiters } from './waiters.js';

export const RELAY_SNAPSHOT_EVERY_MS = 600_000;
/** At most 20 MB of changes. */
const ENTRIES_PER_READ = 256;
const BACKOFF_CAP_MS = 5000;
/** While a new snapshot is being made the ring may become this many times its size. */
const RING_OVERFLOW = 2;
/** Snapshots that memory asks for come no faster than this. */
const REFRESH_PAUSE_MS = 1000;

export interface LedgerRelayOptions extends SnapshotFolderOptions {
  /** The relay owns the feed and closes it. */
  readonly feed: LedgerFeed;
  /** Changes kept in memory; a follower that is further behind starts from the snapshot. */
  readonly ringBytesMax?: number | undefined;
  /** How long the ledger is waited for before its heartbeat is read. */
  readonly beatEveryMs?: number | undefined;
  /** How often the snapshot is made anew if there were changes. */
  readonly snapshotEveryMs?: number | undefined;
  /** Called with every failure; the relay goes on trying. */
  readonly onFailure?: ((error: GateError) => void) | undefined;
  readonly clock?: Clock | undefined;
}

interface Served {
  readonly ring: EntryRing;
  readonly head: Head;
  readonly asOfMs: number;
}

export class LedgerRelayFeed implements RelayFeed {
  private readonly snapshots: SnapshotFolder;
  private readonly feed: LedgerFeed;
  private readonly clock: Clock;
  private readonly ringBytesMax: number;
  private readonly closing = new AbortController();
  private readonly waiters: Waiters;
  private readonly running: Promise<void>;
  private served: Served | null = null;
  private snapshotAtMs = 0;
  /** Of entries that came after the snapshot was begun. */
  private bytesSinceSnapshot = 0;
  private refreshing: Promise<GateError | null> | null = null;

  /** Starts at once. */
  constructor(private readonly options: LedgerRelayOptions) {
    this.snapshots = new SnapshotFolder(options);
    this.clock = options.clock ?? systemClock;
    this.waiters = new Waiters(this.clock);
    this.feed = new GuardedFeed(options.feed, this.clock, this.closing.signal);
    this.ringBytesMax = options.ringBytesMax ?? RELAY_RING_BYTES_MAX;
    this.running = this.run();
  }

  get head(): Head | null {
    return this.served?.head ?? null;
  }

  snapshot(): RelaySnapshot | null {
    return this.snapshots.current;
  }

  changesAfter({ epoch, seq }: Position, { entriesMax, bytesMax }: FrameLimits): RelayAnswer {
    if (this.served === null) return { kind: 'empty' };
    const { ring, head, asOfMs } = this.served;
    if (head.epoch !== epoch) return { kind: 'epoch' };
    if (seq < ring.afterSeq) return { kind: 'trimmed' };
    return { kind: 'frame', frame: { head, entries: ring.after(seq, entriesMax, bytesMax) }, passed: null, asOfMs };
  }

  wait({ epoch, seq }: Position, waitMs: number, signal: AbortSignal): Promise<void> {
    const { served } = this;
    const isDue = served !== null && (served.head.epoch !== epoch || served.ring.lastSeq > seq);
    return this.waiters.wait(isDue || this.closing.signal.aborted ? 0 : waitMs, signal);
  }

  report(report: EnforcerReport, reporter?: Reporter): Promise<void> {
    return this.feed.report(report, reporter);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.waiters.wake();
    await this.feed.close().catch(() => {});
    await this.running;
    await this.refreshing;
    await this.snapshots.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    const backoff = new Backoff({ capMs: BACKOFF_CAP_MS });
    let isFolderOpen = false;
    while (!signal.aborted) {
      try {
        if (!isFolderOpen) await this.snapshots.open();
        isFolderOpen = true;
        await this.step(signal);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        this.options.onFailure?.(asFailure(error));
        await sleep(this.clock, backoff.nextDelayMs(), signal);
      }
    }
  }

  private async step(signal: AbortSignal): Promise<void> {
    if (this.served === null) return this.load(signal);
    const { ring, head } = this.served;
    if (ring.bytes > this.ringBytesMax * RING_OVERFLOW) {
      const failure = await this.refresh(ring, signal);
      if (failure !== null) throw failure; // and so nothing more is read until there is a snapshot
    }
    const frame = await this.read(ring.lastSeq);
    if (frame.head.epoch !== head.epoch || !isNext(frame, ring)) return this.load(signal);
    this.take(ring, frame);
    if (this.isRefreshDue(ring)) void this.refresh(ring, signal);
    if (ring.lastSeq === frame.head.seq) {
      await this.feed.wait(this.options.beatEveryMs ?? RELAY_BEAT_EVERY_MS, signal);
    }
  }

  private async read(afterSeq: number): Promise<Frame & { readonly asOfMs: number }> {
    const asOfMs = this.clock.monotonicMs();
    return { ...(await this.feed.entriesAfter(afterSeq, ENTRIES_PER_READ)), asOfMs };
  }

  private take(ring: EntryRing, { head, entries, asOfMs }: Frame & { readonly asOfMs: number }): void {
    const { lastSeq, bytes } = ring;
    ring.append(entries);
    this.bytesSinceSnapshot += ring.bytes - bytes;
    ring.trim(this.ringBytesMax, this.snapshots.current?.position.seq ?? 0);
    this.served = { ring, head, asOfMs };
    if (ring.lastSeq > lastSeq) this.waiters.wake();
  }

  /** Begins anew, with a snapshot and the entries after it. What was served before is served until both are there. */
  private async load(signal: AbortSignal): Promise<void> {
    await this.refreshing;
    this.bytesSinceSnapshot = 0;
    const table = await this.feed.buildTable(signal);
    const snapshot = await this.snapshots.write(table, this.clock.wallMs());
    const ring = new EntryRing(snapshot.position.seq);
    const frame = await this.read(ring.lastSeq);
    if (frame.head.epoch !== snapshot.position.epoch || !isNext(frame, ring)) throw new GateError('sync.gap');
    await this.snapshots.use(snapshot);
    this.snapshotAtMs = this.clock.monotonicMs();
    this.take(ring, frame);
    this.waiters.wake();
  }

  private isRefreshDue(ring: EntryRing): boolean {
    if (this.refreshing !== null || ring.lastSeq <= (this.snapshots.current?.position.seq ?? 0)) return false;
    const ageMs = this.clock.monotonicMs() - this.snapshotAtMs;
    if (ageMs >= (this.options.snapshotEveryMs ?? RELAY_SNAPSHOT_EVERY_MS)) return true;
    return this.bytesSinceSnapshot > this.ringBytesMax / 2 && ageMs >= REFRESH_PAUSE_MS;
  }

  /** Makes a newer snapshot beside everything else; gives what it failed with. Never throws. */
  private refresh(ring: EntryRing, signal: AbortSignal): Promise<GateError | null> {
    this.refreshing ??= this.replaceSnapshot(ring, signal).then(
      () => this.refreshed(null),
      (error: unknown) => this.refreshed(asFailure(error)),
    );
    return this.refreshing;
  }

  private async replaceSnapshot(ring: EntryRing, signal: AbortSignal): Promise<void> {
    this.bytesSinceSnapshot = 0;
    const table = await this.feed.buildTable(signal);
    if (this.served?.head.epoch !== table.position.epoch) return; // another history: the next step begins anew
    await this.snapshots.use(await this.snapshots.write(table, this.clock.wallMs()));
    ring.trim(this.ringBytesMax, table.position.seq);
  }

  private refreshed(failure: GateError | null): GateError | null {
    this.snapshotAtMs = this.clock.monotonicMs(); // also after a failure: it is not tried again at every step
    this.refreshing = null;
    if (failure !== null && !this.closing.signal.aborted) this.options.onFailure?.(failure);
    return failure;
  }
}

/** Whether the frame goes on where the ring ends. If not, the ledger no longer has what comes next, or went back. */
function isNext({ head, entries }: Frame, ring: EntryRing): boolean {
  return entries.length === 0 ? head.seq === ring.lastSeq : entries[0]?.seq === ring.lastSeq + 1;
}
