/**
 * One attempt at a snapshot from the source, beside everything else: asked for, judged, and given up in time.
 * @module
 */
import { rm } from 'node:fs/promises';
import { GateError, type GateErrorCode } from '../core/errors.js';
import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import { asFailure } from './failures.js';
import type { ResyncReason } from './follower-status.js';
import type { LoadedTable, Position, SnapshotSummary, Source } from './source.js';

/**
 * How long the same snapshot is not fetched again after it turned out to be damaged: it may have been damaged on its way,
 * or at its source, so at first not long, then twice as long each time.
 */
export const DAMAGED_RETRY_MS_MIN = 500;
export const DAMAGED_RETRY_MS_MAX = 60_000;

/** What a snapshot is fetched for. */
export interface SnapshotNeed {
  readonly why: ResyncReason;
  /** `use`: it takes the place of the table. `keep`: only the file is wanted, for the local folder. */
  readonly purpose: 'use' | 'keep';
  /** The table in use can be followed until the snapshot is there. */
  readonly canFollow: boolean;
  /** Monotonic. */
  readonly notBeforeMs: number;
}

export interface FetchOptions {
  readonly source: Source;
  readonly clock: Clock;
  readonly folder: string;
  readonly deadlineMs: number;
  readonly validate: (summary: SnapshotSummary) => void;
  readonly signal: AbortSignal;
}

export class SnapshotFetch {
  readonly result: Promise<LoadedTable>;
  /** Monotonic ms at which the source was asked: what it gives is at least as new. */
  readonly askedAtMs: number;
  private settled = false;
  private readonly ending = new AbortController();

  constructor({ source, clock, folder, deadlineMs, validate, signal }: FetchOptions) {
    this.askedAtMs = clock.monotonicMs();
    const onLate = (late: LoadedTable): void => void removeDownload(late.path);
    const ending = AbortSignal.any([signal, this.ending.signal]);
    this.result = withDeadline({ clock, deadlineMs, signal: ending, onLate }, (fetchSignal) =>
      source.snapshot({ folder, validate, signal: fetchSignal }),
    ).finally(() => {
      this.settled = true;
    });
    this.result.catch(() => {}); // it is looked at when there is time for it
  }

  get isSettled(): boolean {
    return this.settled;
  }

  /** Nobody wants it any more. */
  abandon(): void {
    this.ending.abort();
    this.result.then((loaded) => removeDownload(loaded.path)).catch(() => {});
  }
}

/** A download that is not kept. Never throws. */
export async function removeDownload(path: string | null): Promise<void> {
  if (path !== null) await rm(path, { force: true }).catch(() => {});
}

/** Remembers the last snapshot that was refused, so that it is not fetched again only to be refused again. */
export class RefusedSnapshot {
  private offered: Position | null = null;
  private refused: {
    readonly position: Position;
    readonly code: GateErrorCode;
    readonly atMs: number;
    readonly holdMs: number;
  } | null = null;

  constructor(private readonly clock: Clock) {}

  /** Another attempt begins; nothing is on offer yet. */
  start(): void {
    this.offered = null;
  }

  /** A snapshot is on offer. Throws what it was refused with, if it was and nothing has changed. */
  offer(position: Position): void {
    const { refused } = this;
    const isRefused = refused !== null && isSame(refused.position, position);
    if (isRefused && this.clock.monotonicMs() - refused.atMs < refused.holdMs) {
      throw new GateError(refused.code, 'again');
    }
    this.offered = position;
  }

  /** True if the failure says something of the snapshot on offer, rather than of the way to it. */
  note(error: unknown): boolean {
    const { code } = asFailure(error);
    if (!isRefusal(code)) return false;
    const { offered, refused } = this;
    if (offered !== null) {
      const heldMs = refused !== null && isSame(refused.position, offered) ? refused.holdMs : 0;
      const isDamage = !REFUSALS.includes(code);
      const holdMs = isDamage ? Math.max(DAMAGED_RETRY_MS_MIN, 2 * heldMs) : DAMAGED_RETRY_MS_MAX;
      const atMs = this.clock.monotonicMs();
      this.refused = { position: offered, code, atMs, holdMs: Math.min(DAMAGED_RETRY_MS_MAX, holdMs) };
    }
    return true;
  }

  /** What it was refused for may no longer hold. */
  forget(): void {
    this.refused = null;
  }
}

const REFUSALS: readonly GateErrorCode[] = ['sync.shrunk', 'sync.too_few', 'sync.pinned'];

function isRefusal(code: GateErrorCode): boolean {
  if (REFUSALS.includes(code) || code.startsWith('signature.')) return true;
  return code.startsWith('snapshot.') && code !== 'snapshot.io';
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.seq === b.seq;
}
