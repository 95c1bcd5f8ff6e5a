/**
 * The one loop of a follower: last good state, then what is new, and a snapshot where that does not lead on.
 *
 * A table is put in the place of another only when it is at least as far, or has everything the source has; until then it
 * is caught up to the side (`staged`) while the one in use goes on answering. So no opt-out that was in force is ever
 * missing for a while because of a repair. Whatever fails is noted and tried again, without end.
 * @module
 */

import { Backoff } from '../backoff.js';
import { GateError, type GateErrorCode } from '../core/errors.js';
import { CHANGE_BYTES, type Entry, type Frame, SuppressionTable } from '../core/suppression/index.js';
import { breathe, sleep } from './clock.js';
import { withDeadline } from './deadline.js';
import { asFailure, type Failures } from './failures.js';
import type { FollowerSettings } from './follower-options.js';
import type { FollowerEvents, ResyncReason } from './follower-status.js';
import { FrameGuard } from './frame-guard.js';
import { ageOfWallMs, freshAtWallMs } from './freshness.js';
import { Replica } from './replica.js';
import { RefusedSnapshot, removeDownload, SnapshotFetch, type SnapshotNeed } from './snapshot-fetch.js';
import { AGE_TOLD_LATER, type ChangesAnswer, type LoadedTable, type Position, type SnapshotSummary } from './source.js';
import type { LocalStore } from './store.js';
import type { SettledState } from './store-terms.js';
import { checkSnapshot } from './validators.js';
import { VersionMemory } from './versions.js';

/** Changes applied before everything else on this thread gets its turn: 1 to 2 ms. */
export const SLICE_CHANGES = 2048;
/** What publishing an entry takes, counted in changes. */
const ENTRY_COST = 8;
/** Answers in a row that cannot be used before a snapshot is tried instead. */
export const USELESS_ANSWERS_MAX = 3;
/** How long to wait for changes while a snapshot is on its way. */
const WAIT_BESIDE_FETCH_MS = 100;
/** Shortest time from one answer without entries to the next question: a source that does not wait is not asked in a rush. */
const EMPTY_SPACING_MS = 20;
/** How long after a newer snapshot for the local folder was not to be had it is asked for again. */
const KEEP_RETRY_MS = 60_000;

/** Failures after which only a snapshot helps. */
const LOST_CODES: readonly GateErrorCode[] = ['sync.epoch', 'sync.regressed', 'sync.trimmed', 'sync.unsettled'];

export interface LoopHooks {
  /** An entry is whole and published, in the table in use. */
  published(entry: Entry): void;
  applied(event: FollowerEvents['applied']): void;
  failed(error: GateError, isRefusal: boolean): void;
  activated(event: FollowerEvents['resync']): void;
  /** Something the state depends on may be another one. */
  changed(): void;
}

export interface LoopOptions {
  readonly settings: FollowerSettings;
  readonly store: LocalStore | null;
  /** For downloads. */
  readonly folder: string;
  readonly failures: Failures;
  readonly hooks: LoopHooks;
  readonly signal: AbortSignal;
}

export class FollowLoop {
  /** The table in use. */
  active: Replica | null = null;
  /** The table that will take its place, once it is as far. */
  staged: Replica | null = null;
  /** Monotonic ms at which the source last answered with something of use; `null`: not since the start. */
  contactAtMs: number | null = null;
  lastSnapshotSeq: number | null = null;
  /** The last settled state that is applied and agreed. */
  settled: SettledState | null = null;
  private readonly guard = new FrameGuard();
  private readonly refused: RefusedSnapshot;
  private readonly changesBackoff: Backoff;
  private readonly snapshotBackoff: Backoff;
  private need: SnapshotNeed | null = null;
  private fetch: SnapshotFetch | null = null;
  private stagedWhy: ResyncReason = 'empty';
  private isResynced = false;
  private uselessCount = 0;
  /** Changes until everything else gets its turn; across frames, as a source may have the next one at hand. */
  private budget = SLICE_CHANGES;
  private keepAtMs = Number.NEGATIVE_INFINITY;
  private waking = new AbortController();

  constructor(private readonly options: LoopOptions) {
    const { clock, random } = options.settings;
    this.refused = new RefusedSnapshot(clock);
    this.changesBackoff = new Backoff({ random });
    this.snapshotBackoff = new Backoff({ random });
    options.signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** The table in use is being followed, as far as it can be. */
  get isOnCourse(): boolean {
    return this.staged === null && (this.need === null || this.need.why === 'sync.store');
  }

  /** Until the signal is given. Never throws. */
  async run(): Promise<void> {
    await this.loadStore();
    while (!this.options.signal.aborted) {
      try {
        await this.turn();
      } catch (error) {
        await this.recover(asFailure(error));
      }
    }
    this.fetch?.abandon();
  }

  /** What a pin forbade, or a wait was for, may be possible now. */
  wake(): void {
    this.refused.forget();
    this.waking.abort();
    this.waking = new AbortController();
  }

  private async loadStore(): Promise<void> {
    const { store, settings, hooks } = this.options;
    if (store === null) return;
    const { clock, limits, holder, lastVersionWins } = settings;
    try {
      const { loaded, problems } = await store.load(settings.pinSeq);
      for (const code of problems) hooks.failed(new GateError(code, 'in the local folder'), code !== 'sync.store');
      if (loaded === null) return;
      const table = SuppressionTable.attach(loaded.share, 'writer');
      const versions = VersionMemory.from(loaded.versions, limits.versionKeysMax);
      const replica = new Replica(table, { versions, lastVersionWins });
      const nowMs = clock.monotonicMs(); // before the wall clock is asked, for the same reason as in freshAtMs
      const ageMs = ageOfWallMs(loaded.freshAtMs, clock.wallMs());
      replica.freshness.reset(ageMs === null ? null : nowMs - ageMs);
      table.publish(replica.seq, this.freshAtMs(replica));
      this.lastSnapshotSeq = loaded.snapshotSeq;
      holder.replace(table);
      replica.holder = holder;
      this.active = replica;
      hooks.changed();
    } catch (error) {
      if (!this.options.signal.aborted) hooks.failed(asFailure(error), false);
    }
  }

  private async turn(): Promise<void> {
    const { clock } = this.options.settings;
    await this.considerStore();
    const target = this.staged ?? this.active;
    if (target === null) this.require('empty', false);
    const { need } = this;
    if (need !== null && this.fetch === null && clock.monotonicMs() >= need.notBeforeMs) this.fetch = this.startFetch();
    const canFollow = target !== null && (need?.canFollow ?? true);
    if (need !== null && this.fetch !== null && (this.fetch.isSettled || !canFollow))
      await this.collect(this.fetch, need);
    else if (canFollow) await this.follow(target);
    else if (need !== null) await this.sleep(need.notBeforeMs - clock.monotonicMs());
  }

  /** The local folder may want a snapshot, too. */
  private async considerStore(): Promise<void> {
    const { store, settings } = this.options;
    if (store === null || this.need !== null || this.active === null || this.staged !== null) return;
    const nowMs = settings.clock.monotonicMs();
    if (await store.needsGeneration()) this.require('sync.store', true);
    else if (store.needsSnapshot && nowMs >= this.keepAtMs) {
      this.keepAtMs = nowMs + KEEP_RETRY_MS;
      this.need = { why: 'sync.store', purpose: 'keep', canFollow: true, notBeforeMs: nowMs };
    }
  }

  /** A snapshot is needed, at once the first time, later and later if they do not help. */
  private require(why: ResyncReason, canFollow: boolean): void {
    if (this.need?.purpose === 'use') {
      const { need } = this;
      this.need = {
        ...need,
        why: need.why === 'sync.store' ? why : need.why,
        canFollow: need.canFollow && canFollow,
      };
      return;
    }
    this.fetch?.abandon();
    this.fetch = null;
    const delayMs = this.isResynced ? this.snapshotBackoff.nextDelayMs() : 0;
    this.isResynced = true;
    const notBeforeMs = this.options.settings.clock.monotonicMs() + delayMs;
    this.need = { why, purpose: 'use', canFollow, notBeforeMs };
  }

  private startFetch(): SnapshotFetch {
    const { settings, folder, signal } = this.options;
    const { source, clock, limits } = settings;
    const validate = (summary: SnapshotSummary): void => {
      this.refused.offer(summary.position);
      this.check(summary);
    };
    this.refused.start();
    return new SnapshotFetch({ source, clock, folder, deadlineMs: limits.snapshotDeadlineMs, validate, signal });
  }

  private check(summary: SnapshotSummary): void {
    const { settings } = this.options;
    checkSnapshot(summary, settings, settings.holder.current?.entryCount ?? null);
  }

  private async collect(fetch: SnapshotFetch, need: SnapshotNeed): Promise<void> {
    let path: string | null = null;
    try {
      const loaded = await fetch.result;
      path = loaded.path;
      await this.take(loaded, fetch.askedAtMs, need);
      this.refused.forget();
    } catch (error) {
      await removeDownload(path);
      if (this.options.signal.aborted) return;
      this.options.hooks.failed(asFailure(error), this.refused.note(error));
      const notBeforeMs = this.options.settings.clock.monotonicMs() + this.snapshotBackoff.nextDelayMs();
      this.need = need.purpose === 'keep' ? null : { ...need, ...this.need, notBeforeMs };
    } finally {
      this.fetch = null;
    }
  }

  /** A snapshot has come: keeps it, and puts it into use, or to the side until it is as far as the table in use. */
  private async take(loaded: LoadedTable, askedAtMs: number, need: SnapshotNeed): Promise<void> {
    const { settings, store } = this.options;
    const { limits, lastVersionWins } = settings;
    const table = SuppressionTable.attach(loaded.share, 'writer');
    const { epoch, seq, entryCount } = table;
    if (epoch !== loaded.position.epoch || seq !== loaded.position.seq)
      throw new GateError('sync.protocol', 'position');
    this.check({ position: loaded.position, entryCount });
    this.need = null;
    if (need.purpose === 'keep') {
      if (loaded.path !== null) await store?.adopt(loaded.position, loaded.path);
      return;
    }
    const replica = new Replica(table, { versions: new VersionMemory(limits.versionKeysMax), lastVersionWins });
    const { lagMs } = loaded;
    const awaitedSinceMs = lagMs === AGE_TOLD_LATER ? settings.clock.monotonicMs() : null;
    replica.freshness.reset(lagMs === null ? null : askedAtMs - lagMs, awaitedSinceMs);
    const freshAtMs = this.freshAtMs(replica);
    table.publish(seq, freshAtMs);
    if (need.why === 'sync.regressed') this.guard.goBack();
    this.settled = null;
    this.uselessCount = 0;
    this.lastSnapshotSeq = seq;
    this.contact();
    const isAsFar = this.active === null || seq >= this.active.seq;
    if (isAsFar) this.activate(replica, need.why);
    const keepsPrevious = need.why !== 'sync.digest' && need.why !== 'sync.regressed';
    await store?.begin({ ...loaded, freshAtMs, keepsPrevious });
    if (store === null) await removeDownload(loaded.path);
    this.stagedWhy = need.why;
    this.staged = isAsFar ? null : replica;
  }

  private activate(replica: Replica, why: ResyncReason): void {
    const { holder } = this.options.settings;
    const { table, position } = replica;
    table.publish(replica.seq, this.freshAtMs(replica));
    holder.replace(table);
    replica.holder = holder;
    this.active = replica;
    this.staged = null;
    this.options.hooks.activated({ why, position, entryCount: table.entryCount });
  }

  private async follow(target: Replica): Promise<void> {
    const { source, clock, limits } = this.options.settings;
    const waitMs = this.fetch === null ? limits.waitMs : Math.min(limits.waitMs, WAIT_BESIDE_FETCH_MS);
    const deadline = { clock, deadlineMs: waitMs + limits.changesGraceMs, signal: this.options.signal };
    const askedAtMs = clock.monotonicMs();
    const answer = await withDeadline(deadline, (signal) => source.changes(target.position, { waitMs, signal }));
    if (answer.kind === 'snapshot') throw new GateError(answer.why);
    const { entryCount, isHeldBack } = await this.apply(answer, target);
    this.changesBackoff.reset();
    this.uselessCount = 0;
    if (target.isVerified) {
      this.isResynced = false;
      this.snapshotBackoff.reset();
    }
    if (this.need === null) this.options.failures.recovered();
    this.options.hooks.changed();
    if (isHeldBack) await this.sleep(limits.waitMs);
    else if (entryCount === 0) await this.sleep(askedAtMs + EMPTY_SPACING_MS - clock.monotonicMs());
  }

  private async apply(
    { frame, bytes, asOfMs }: Extract<ChangesAnswer, { kind: 'frame' }>,
    target: Replica,
  ): Promise<{ readonly entryCount: number; readonly isHeldBack: boolean }> {
    const { settings, store } = this.options;
    const { head } = frame;
    const { entries, headKind } = this.guard.inspect(frame, target, bytes !== null);
    this.contact();
    const pinSeq = settings.pinSeq ?? Number.MAX_SAFE_INTEGER;
    const due = entries.filter(({ seq }) => seq <= pinSeq);
    target.addKinds(head);
    if (due.length > 0) store?.append(frame, bytes);
    if (due.length > 0) await this.applyEntries(due, target);
    target.settle(head);
    if (target.isVerified && head.settledSeq <= target.seq) {
      this.settled = { seq: head.settledSeq, stateDigest: head.stateDigest };
    }
    if (headKind === 'new') {
      target.headSeq = head.seq;
      target.freshness.promised(head.seq, asOfMs - head.lagMs, target.seq);
    }
    target.holder.publish(target.seq, this.freshAtMs(target));
    const goalSeq = Math.min(this.active?.seq ?? 0, headKind === 'old' ? Number.MAX_SAFE_INTEGER : head.seq);
    const isAsFar = target.seq >= goalSeq;
    if (target === this.staged && isAsFar) this.activate(target, this.stagedWhy);
    else if (due.length > 0 && target === this.active) this.tellApplied(due, target.position);
    return { entryCount: due.length, isHeldBack: entries.length > due.length };
  }

  private async applyEntries(entries: Frame['entries'], target: Replica): Promise<void> {
    let freshAtMs = this.freshAtMs(target);
    for (const entry of entries) {
      const changeCount = entry.changes.length / CHANGE_BYTES;
      for (let from = 0; from < changeCount; ) {
        if (this.budget <= 0) {
          await breathe();
          if (this.options.signal.aborted) throw new GateError('sync.closed');
          this.budget = SLICE_CHANGES;
          freshAtMs = this.freshAtMs(target);
        }
        const to = Math.min(changeCount, from + this.budget);
        target.apply(entry, from, to);
        this.budget -= to - from;
        from = to;
      }
      this.budget -= ENTRY_COST;
      target.publish(entry.seq, freshAtMs);
      if (target === this.active) this.options.hooks.published(entry);
    }
  }

  private tellApplied(entries: readonly Entry[], position: Position): void {
    let changeCount = 0;
    for (const { changes } of entries) changeCount += changes.length / CHANGE_BYTES;
    this.options.hooks.applied({ position, entryCount: entries.length, changeCount });
  }

  /** What follows from a failure. */
  private async recover(error: GateError): Promise<void> {
    if (this.options.signal.aborted) return;
    const { code } = error;
    this.options.hooks.failed(error, false);
    if (LOST_CODES.includes(code)) {
      this.require(code as ResyncReason, false);
    } else if (code === 'sync.digest') {
      // the table in use stays, and goes on getting changes, but is never called fresh again
      if (this.staged === null) this.active?.freshness.halt();
      this.require(code, this.staged === null);
      this.staged = null;
    } else if (isUseless(code) && ++this.uselessCount >= USELESS_ANSWERS_MAX) {
      this.uselessCount = 0;
      this.require(code, false);
    } else {
      await this.sleep(Math.max(1, this.changesBackoff.nextDelayMs()));
    }
    this.options.hooks.changed();
  }

  private contact(): void {
    this.contactAtMs = this.options.settings.clock.monotonicMs();
  }

  /** The freshness of a replica as it goes into its table: never later than it is. */
  freshAtMs(replica: Replica): number | null {
    const { clock } = this.options.settings;
    const wallMs = clock.wallMs(); // first: if this thread has to wait between the two, it is to look older
    return freshAtWallMs(replica.freshness.ageMs(clock.monotonicMs()), wallMs);
  }

  private async sleep(delayMs: number): Promise<void> {
    if (delayMs > 0) await sleep(this.options.settings.clock, delayMs, this.waking.signal);
  }
}

/** The source does answer, but not with what can be applied; asking again gives the same, perhaps. */
function isUseless(code: GateErrorCode): boolean {
  return code.startsWith('delta.') || code.startsWith('signature.') || code === 'sync.gap' || code === 'sync.protocol';
}
