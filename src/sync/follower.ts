/**
 * Keeps a table in step with a source, and says at any moment how far it can be relied on.
 *
 * What stays true whatever happens: the table never claims to be fresher than it is; what was applied stays in use until
 * something at least as good has been verified; and an unreachable, lying or hanging source costs freshness, nothing else.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GateError } from '../core/errors.js';
import { type Entry, readChanges } from '../core/suppression/index.js';
import { withDeadline } from './deadline.js';
import { Failures } from './failures.js';
import { checkedPin, type FollowerOptions, type FollowerSettings, settingsOf } from './follower-options.js';
import { type FollowerEvent, type FollowerEvents, type FollowerStatus, Listeners } from './follower-status.js';
import { Histogram } from './histogram.js';
import { FollowLoop, type LoopHooks } from './loop.js';
import { parsePosition } from './position.js';
import { Reporter } from './reporter.js';
import type { EnforcerReport, Position } from './source.js';
import { type FollowerState, stateOf } from './state.js';
import { LocalStore } from './store.js';
import type { FreshRecord } from './store-files.js';

/** How often freshness and state are brought up to date: within this a jump of the wall clock is put right. */
export const TICK_MS = 500;
/** How long a source may take to let go of its connections. */
export const CLOSE_DEADLINE_MS = 5000;

interface Waiter {
  readonly epoch: string;
  readonly seq: number;
  end(hasReached: boolean): void;
}

/**
 * Follows a source until it is closed.
 * @example
 * const holder = new TableHolder();
 * const follower = new Follower({ source, holder, folder: '/var/lib/optgate', enforcer: { role: 'sidecar', version } });
 * await follower.start();        // there is a table, perhaps the one of yesterday; follower.status().state says
 */
export class Follower {
  private readonly settings: FollowerSettings;
  private readonly listeners = new Listeners();
  private readonly failures: Failures;
  private readonly reporter: Reporter;
  private readonly canaries = new Histogram();
  private readonly ending = new AbortController();
  private readonly waiters = new Set<Waiter>();
  private loop: FollowLoop | null = null;
  private store: LocalStore | null = null;
  private temporaryFolder: string | null = null;
  private starting: Promise<void> | null = null;
  private opening: Promise<void> | null = null;
  private running: Promise<void> | null = null;
  private closing: Promise<void> | null = null;
  private cancelTick: (() => void) | null = null;
  private storing: Promise<void> | null = null;
  private announceStart: () => void = () => {};
  private state: FollowerState = 'empty';
  private sinceMs: number;
  /** Monotonic. */
  private appliedAtMs: number | null = null;
  private appliedCount = 0;
  private resyncCount = 0;
  private repairCount = 0;
  private hasBeenLive = false;

  /** Throws a TypeError or RangeError for options that make no sense. */
  constructor(options: FollowerOptions) {
    const settings = settingsOf(options);
    const { source, clock, reportEveryMs, enforcer } = settings;
    this.settings = settings;
    this.failures = new Failures(clock);
    this.sinceMs = clock.wallMs();
    this.reporter = new Reporter({ source, clock, everyMs: reportEveryMs, enforcer, current: () => this.standing() });
  }

  /**
   * Begins. Resolves when there is a table to decide with, or the follower is closed; an unreachable source only makes
   * that later. Throws a GateError `sync.store` if the folder cannot be used, or another process has it.
   */
  start(): Promise<void> {
    this.starting ??= this.begin();
    return this.starting;
  }

  /** Calls `listener` at every such event from now on; returns what ends that. */
  on<Name extends FollowerEvent>(event: Name, listener: (event: FollowerEvents[Name]) => void): () => void {
    return this.listeners.add(event, listener);
  }

  status(): FollowerStatus {
    const { settings, loop, failures, store } = this;
    const { clock, holder, source, pinSeq } = settings;
    const active = loop?.active ?? null;
    const headSeq = (loop?.staged ?? active)?.headSeq ?? null;
    return {
      state: this.state,
      sinceMs: this.sinceMs,
      source: source.name,
      position: active?.position ?? null,
      headSeq,
      seqLag: active === null || headSeq === null ? null : Math.max(0, headSeq - active.seq),
      freshnessMs: active?.freshness.ageMs(clock.monotonicMs()) ?? null,
      lastError: failures.last,
      pinSeq,
      entryCount: holder.current?.entryCount ?? 0,
      bytes: holder.current?.byteLength ?? 0,
      versionCount: active?.versionCount ?? 0,
      appliedCount: this.appliedCount,
      resyncCount: this.resyncCount,
      repairCount: this.repairCount,
      refusedCounts: { ...failures.refusedCounts },
      failureCounts: { ...failures.counts },
      reportFailureCount: this.reporter.failureCount,
      lastSnapshotSeq: loop?.lastSnapshotSeq ?? null,
      canaryLatency: this.canaries.state(),
      store: store?.status ?? null,
    };
  }

  /**
   * True as soon as the table has reached a token `epoch.seq`, false if it has not after `waitMs`. A token of another
   * epoch is waited for, too, as the follower may be about to turn to it.
   */
  reach(token: string, waitMs: number): Promise<boolean> {
    const position = parsePosition(token);
    if (position === null) return Promise.resolve(false);
    if (this.hasReached(position)) return Promise.resolve(true);
    if (!(waitMs > 0) || this.ending.signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (hasReached: boolean): void => {
        cancel();
        this.waiters.delete(waiter);
        resolve(hasReached);
      };
      const waiter: Waiter = { ...position, end };
      const cancel = this.settings.clock.after(waitMs, () => end(false));
      this.waiters.add(waiter);
    });
  }

  /**
   * Applies nothing after `seq`, or goes on (`null`). What has been applied stays. While something is held back the
   * table's freshness stands still, so that it turns stale in time. Throws a RangeError for what is no seq.
   */
  pin(seq: number | null): void {
    this.settings.pinSeq = checkedPin(seq);
    this.loop?.wake();
  }

  /** The age from which the state is `hard_stale`, from now on. Throws a RangeError for what is no age. */
  hardStaleAfter(ageMs: number): void {
    if (!(ageMs > 0)) throw new RangeError('ageMs: expected a number of ms above 0');
    this.settings.hardStaleAfterMs = ageMs;
    this.refresh();
  }

  /** Stops: tells the ledger, keeps what has been received, lets go of the source. The table stays. Never throws. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async begin(): Promise<void> {
    if (this.ending.signal.aborted) return;
    this.opening = this.open();
    await this.opening;
    const { settings, ending, store, failures } = this;
    if (ending.signal.aborted) return;
    const folder = store?.incomingFolder ?? this.temporaryFolder ?? tmpdir();
    const hooks: LoopHooks = {
      published: (entry) => this.onPublished(entry),
      applied: (event) => this.onApplied(event),
      failed: (error, isRefusal) => this.onFailed(error, isRefusal),
      activated: (event) => this.onActivated(event),
      changed: () => this.refresh(),
    };
    const loop = new FollowLoop({ settings, store, folder, failures, hooks, signal: ending.signal });
    this.loop = loop;
    await new Promise<void>((resolve) => {
      this.announceStart = resolve;
      this.running = loop.run();
      this.reporter.start();
      this.tick();
    });
  }

  private async open(): Promise<void> {
    const { folder, clock, verifier, limits } = this.settings;
    if (folder === null) {
      this.temporaryFolder = await mkdtemp(join(tmpdir(), 'optgate-'));
    } else {
      const onError = (error: GateError): void => this.onFailed(error, false);
      this.store = await LocalStore.open(folder, { clock, verifier, limits, signal: this.ending.signal, onError });
    }
  }

  private async end(): Promise<void> {
    const { source, clock } = this.settings;
    this.ending.abort();
    this.cancelTick?.();
    this.announceStart();
    for (const waiter of this.waiters) waiter.end(false);
    await this.opening?.catch(() => {}); // start() has told
    await this.running;
    await this.storing;
    if (this.loop !== null) await this.reporter.leave();
    await this.store?.close(this.freshRecord());
    const deadline = { clock, deadlineMs: CLOSE_DEADLINE_MS, signal: new AbortController().signal };
    await withDeadline(deadline, () => source.close()).catch(() => {});
    if (this.temporaryFolder !== null) await rm(this.temporaryFolder, { recursive: true, force: true }).catch(() => {});
  }

  /** Brings up to date what changes by itself: the age of the table, and what follows from it. */
  private tick(): void {
    const { loop, store, settings } = this;
    if (loop === null || this.ending.signal.aborted) return;
    const { active, settled } = loop;
    if (active !== null) active.holder.publish(active.seq, loop.freshAtMs(active));
    this.refresh();
    const fresh = this.freshRecord();
    if (store !== null && fresh !== null && this.storing === null) {
      this.storing = store.tick(fresh, settled).finally(() => {
        this.storing = null;
      });
    }
    this.cancelTick = settings.clock.after(TICK_MS, () => this.tick());
  }

  private refresh(): void {
    const { loop, settings } = this;
    const active = loop?.active ?? null;
    if (loop === null || active === null) return;
    this.announceStart();
    this.tellWaiters();
    const nowMs = settings.clock.monotonicMs();
    const contactAgeMs = loop.contactAtMs === null ? null : nowMs - loop.contactAtMs;
    const state = stateOf({
      ...settings,
      hasTable: true,
      isReached: loop.contactAtMs !== null,
      isCaughtUp: active.isCaughtUp && loop.isOnCourse,
      ageMs: active.freshness.ageMs(nowMs) ?? contactAgeMs,
      isAgeAwaited: active.freshness.isAwaited(nowMs, settings.softStaleAfterMs),
    });
    if (state === 'live') this.hasBeenLive = true;
    if (state === this.state) return;
    this.state = state;
    this.sinceMs = settings.clock.wallMs();
    this.listeners.tell('state', this.status());
    this.reporter.nudge();
  }

  private onPublished(entry: Entry): void {
    this.appliedCount++;
    this.appliedAtMs = this.settings.clock.monotonicMs();
    this.tellWaiters();
    // what was committed before this process was up to date says nothing of how long changes take
    if (entry.isCanary && this.hasBeenLive) this.onCanary(entry);
  }

  private onCanary({ seq, atMs, changes }: Entry): void {
    const table = this.settings.holder.current;
    const isInForce = readChanges(changes).every(({ high, low, rights }) => table?.rightsOfMixed(high, low) === rights);
    const latencyMs = Math.max(0, this.settings.clock.wallMs() - atMs);
    if (isInForce) this.canaries.record(latencyMs);
    this.listeners.tell('canary', { seq, latencyMs, isInForce });
  }

  private onApplied(event: FollowerEvents['applied']): void {
    this.listeners.tell('applied', event);
    this.reporter.nudge();
  }

  private onActivated(event: FollowerEvents['resync']): void {
    if (event.why !== 'empty') this.resyncCount++;
    if (event.why === 'sync.digest') this.repairCount++;
    this.appliedAtMs = this.settings.clock.monotonicMs();
    this.refresh();
    this.tellWaiters();
    this.listeners.tell('resync', event);
    this.reporter.nudge();
  }

  private onFailed(error: GateError, isRefusal: boolean): void {
    this.listeners.tell('error', { ...this.failures.note(error.code, isRefusal), error });
  }

  private hasReached({ epoch, seq }: Position): boolean {
    const { holder } = this.settings;
    return holder.current !== null && holder.epoch === epoch && holder.seq >= seq;
  }

  private tellWaiters(): void {
    for (const waiter of this.waiters) if (this.hasReached(waiter)) waiter.end(true);
  }

  private standing(): Pick<EnforcerReport, 'position' | 'appliedAgeMs' | 'state'> {
    const { appliedAtMs, settings, state } = this;
    // rounded down, as what is told must not be too early
    const appliedAgeMs = appliedAtMs === null ? null : Math.floor(settings.clock.monotonicMs() - appliedAtMs);
    return { position: this.loop?.active?.position ?? null, appliedAgeMs, state };
  }

  /** What may be written down of the freshness; `null` while the table in use is not the one that is kept. */
  private freshRecord(): FreshRecord | null {
    const { loop } = this;
    if (loop === null || loop.active === null || loop.staged !== null) return null;
    return { ...loop.active.position, freshAtMs: loop.freshAtMs(loop.active) };
  }
}
