/**
 * What a follower can be told, what it is when nothing is said, and what makes no sense.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { TableHolder, Verifier } from '../core/suppression/index.js';
import { type Clock, systemClock } from './clock.js';
import type { EnforcerReport, Source } from './source.js';
import { FRESH_EVERY_MS, TAIL_AGE_MS_MAX, TAIL_BYTES_MAX } from './store-terms.js';
import { VERSION_KEYS_MAX } from './versions.js';

export const SOFT_STALE_AFTER_MS = 10_000;
export const HARD_STALE_AFTER_MS = 300_000;
export const MAX_SHRINK = 0.5;
export const REPORT_EVERY_MS = 1000;

/** Every limit of a follower. */
export interface FollowerLimits {
  /** How long a source may wait for something to come. */
  readonly waitMs: number;
  /** How much longer than that an answer may take. */
  readonly changesGraceMs: number;
  /** How long a snapshot may take, all in all. */
  readonly snapshotDeadlineMs: number;
  /** Bytes of a snapshot in the local folder; larger ones are refused. Unless told: SNAPSHOT_BYTES_MAX. */
  readonly snapshotBytesMax: number | undefined;
  /** Keys whose versions are remembered while they are not settled. */
  readonly versionKeysMax: number;
  /** Tail in the local folder from which a new snapshot is made of it. */
  readonly tailBytesMax: number;
  readonly tailAgeMsMax: number;
  /** How often the freshness is written down there, and the tail made to last. */
  readonly freshEveryMs: number;
}

export const FOLLOWER_LIMITS: FollowerLimits = {
  waitMs: 1000,
  changesGraceMs: 5000,
  snapshotDeadlineMs: 1_800_000,
  snapshotBytesMax: undefined,
  versionKeysMax: VERSION_KEYS_MAX,
  tailBytesMax: TAIL_BYTES_MAX,
  tailAgeMsMax: TAIL_AGE_MS_MAX,
  freshEveryMs: FRESH_EVERY_MS,
};

export interface EnforcerName {
  /** 1 to 64 of `A-Za-z0-9._:-`, different for each process; random unless told. */
  readonly id?: string;
  /** What people call it; the host name unless told. */
  readonly name?: string;
  readonly role: EnforcerReport['role'];
  readonly version: string;
}

export interface FollowerOptions {
  /** What to follow; the follower closes it. */
  readonly source: Source;
  /** Where the table goes. Nobody else writes to it. */
  readonly holder: TableHolder;
  readonly enforcer: EnforcerName;
  /** Folder for the last good state, for this process alone; without one nothing is kept. */
  readonly folder?: string;
  /** Age from which the state is no longer `live`. */
  readonly softStaleAfterMs?: number;
  /** Age from which the state is `hard_stale`. */
  readonly hardStaleAfterMs?: number;
  /** Share of the entries in use by which a new snapshot may be smaller, 0 to 1. */
  readonly maxShrink?: number;
  /** Fewest entries a snapshot may have. */
  readonly entryCountMin?: number;
  /** Nothing after this seq is applied. */
  readonly pinSeq?: number | null;
  /** Whose signatures to trust in the local folder; the source has its own. */
  readonly verifier?: Verifier;
  readonly reportEveryMs?: number;
  readonly limits?: Partial<FollowerLimits>;
  readonly clock?: Clock;
  /** From 0 up to, and without, 1; for the jitter. */
  readonly random?: () => number;
  /** @internal Tests turn it off to see what goes wrong without it. */
  readonly lastVersionWins?: boolean;
}

/** {@link FollowerOptions} with nothing left open. */
export interface FollowerSettings {
  readonly source: Source;
  readonly holder: TableHolder;
  readonly folder: string | null;
  readonly softStaleAfterMs: number;
  readonly maxShrink: number;
  readonly entryCountMin: number;
  readonly verifier: Verifier | undefined;
  readonly enforcer: Required<EnforcerName>;
  readonly reportEveryMs: number;
  readonly limits: FollowerLimits;
  readonly clock: Clock;
  readonly random: () => number;
  readonly lastVersionWins: boolean;
  /** These two can change later. */
  pinSeq: number | null;
  hardStaleAfterMs: number;
}

/** Throws a TypeError or RangeError for what makes no sense. */
export function settingsOf(options: FollowerOptions): FollowerSettings {
  const settings: FollowerSettings = {
    source: options.source,
    holder: options.holder,
    folder: options.folder ?? null,
    softStaleAfterMs: positive('softStaleAfterMs', options.softStaleAfterMs ?? SOFT_STALE_AFTER_MS),
    hardStaleAfterMs: positive('hardStaleAfterMs', options.hardStaleAfterMs ?? HARD_STALE_AFTER_MS),
    maxShrink: options.maxShrink ?? MAX_SHRINK,
    entryCountMin: options.entryCountMin ?? 0,
    verifier: options.verifier,
    enforcer: { id: randomUUID(), name: hostname(), ...options.enforcer },
    reportEveryMs: positive('reportEveryMs', options.reportEveryMs ?? REPORT_EVERY_MS),
    limits: { ...FOLLOWER_LIMITS, ...options.limits },
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    lastVersionWins: options.lastVersionWins ?? true,
    pinSeq: checkedPin(options.pinSeq ?? null),
  };
  if (!(settings.maxShrink >= 0 && settings.maxShrink <= 1)) throw new RangeError('maxShrink: expected 0 to 1');
  if (!isCount(settings.entryCountMin)) throw new RangeError('entryCountMin: expected a count');
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(settings.enforcer.id)) {
    throw new TypeError('enforcer.id: expected 1 to 64 of A-Za-z0-9._:-');
  }
  return settings;
}

/** A seq, or `null`. Throws a RangeError. */
export function checkedPin(seq: number | null): number | null {
  if (seq !== null && !isCount(seq)) throw new RangeError('pinSeq: expected a seq, or null');
  return seq;
}

function positive(field: string, value: number): number {
  if (!(value > 0)) throw new RangeError(`${field}: expected a number of ms above 0`);
  return value;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
