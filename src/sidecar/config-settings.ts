/**
 * Every setting of the sidecar: its name in the file, its flag, what it may be, and what it is unless told. THE TABLE.
 *
 * A setting `decisionLog.spoolFolder` is that path in the file, OPTGATE_DECISION_LOG_SPOOL_FOLDER in the environment, and
 * `--set decisionLog.spoolFolder=…` on the command line, or its own flag where it has one.
 * @module
 */
import { z } from 'zod';
import { DEAD_KEEP_MS } from '../ledger/webhooks/limits.js';
import {
  ATTEMPT_MS_MAX,
  ATTEMPTS_MAX,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SERVER_ERROR_AGE_MS_MAX,
  SILENCE_AGE_MS_MAX,
} from '../webhooks/limits.js';
import { PAGES_LIMITS } from './choices/limits.js';
import { PAGES_SETTINGS } from './config-pages.js';
import {
  addressText,
  choice,
  count,
  duration,
  durationText,
  fileMode,
  flag,
  type ListenAddress,
  listenAddress,
  listOf,
  orOff,
  place,
  sampling,
  share,
  shownPlace,
  size,
  sizeText,
  text,
} from './config-values.js';
import { CONTROL_LIMITS } from './control-plane/options.js';
import { DATA_LIMITS } from './data-plane/limits.js';
import { BATCH_RECORDS_MAX, type DecisionSampling } from './observe/decision-buffer.js';
import { LOG_BYTES_MAX, LOG_BYTES_MIN, LOG_ENTRIES_MAX } from './observe/decision-log.js';
import { SPOOL_BYTES_MAX } from './observe/decision-spool.js';
import { SHED_DELAY_MS } from './observe/shedder.js';
import { SOCKET_LIMITS } from './socket/limits.js';

const LEDGER_SCHEMES = ['postgres', 'postgresql'];
const SOURCE_SCHEMES = ['postgres', 'postgresql', 'nats', 'tls', 'http', 'https', 'file'];
export const WORKERS_MAX = 64;
const AGE_MS_MAX = 3650 * 86_400_000;

export interface Setting<T = unknown> {
  readonly schema: z.ZodType<T>;
  /** What it is unless told, parsed. */
  readonly fallback: T;
  readonly help: string;
  /** A flag of its own, without the dashes. */
  readonly flag?: string;
  /** The flag takes no value. */
  readonly isSwitch?: boolean;
  /** The flag may be given again; all of them are the list. */
  readonly isList?: boolean;
  /** The value as it may be printed; secrets are left out. */
  show(value: T): string | number | boolean | null | readonly string[];
}

const asIs = (value: unknown) => value as string | number | boolean | null | readonly string[];
const addresses = (list: readonly ListenAddress[]) => list.map(addressText);

function setting<T>(
  schema: z.ZodType<T>,
  fallback: T,
  help: string,
  more: Partial<Omit<Setting<T>, 'schema' | 'fallback' | 'help'>> = {},
): Setting<T> {
  return { schema, fallback, help, show: asIs, ...more };
}

function time(fallbackMs: number, minMs: number, help: string, flagName?: string): Setting<number> {
  return setting(duration(minMs), fallbackMs, help, {
    show: durationText,
    ...(flagName === undefined ? {} : { flag: flagName }),
  });
}

/** A time that no timer waits for, so it may be longer than one can. */
function age(fallbackMs: number, help: string): Setting<number> {
  return setting(duration(0, AGE_MS_MAX), fallbackMs, help, { show: durationText });
}

function path(flagName: string | undefined, help: string): Setting<string | null> {
  return setting(orOff(text), null, help, flagName === undefined ? {} : { flag: flagName });
}

function listen(flagName: string, fallback: readonly ListenAddress[], help: string): Setting<readonly ListenAddress[]> {
  return setting(listOf(listenAddress), fallback, help, { flag: flagName, isList: true, show: addresses });
}

function bytes(fallback: number, min: number, max: number, help: string): Setting<number> {
  return setting(size(min, max), fallback, help, { show: sizeText });
}

/** Limits of one door: a size, a duration or a count, as the name says. */
function limitSettings<Door extends string, Limits extends Readonly<Record<string, number>> | object>(
  door: Door,
  limits: Limits,
): { readonly [Name in keyof Limits & string as `limits.${Door}.${Name}`]: Setting<number> } {
  const rows = Object.entries(limits as Record<string, number>).map(([name, fallback]) => {
    const help = `limit of ${door}`;
    const isTime = /Ms(?:Max)?$/.test(name);
    const row = isTime
      ? time(fallback, 1, help)
      : /Bytes(?:Max)?$/.test(name)
        ? bytes(fallback, 1, 2 ** 50, help)
        : setting(count(1, 2 ** 32), fallback, help);
    return [`limits.${door}.${name}`, row];
  });
  return Object.fromEntries(rows);
}

const loopback = (port: number): ListenAddress => ({ kind: 'tcp', host: '127.0.0.1', port });
const shownOrNull = (value: string | null) => (value === null ? null : shownPlace(value));

export const SETTINGS = {
  ledger: setting<string | null>(place(LEDGER_SCHEMES, true), null, 'the system of record: postgres:, or a folder', {
    flag: 'ledger',
    show: shownOrNull,
  }),
  from: setting<string | null>(place(SOURCE_SCHEMES, false), null, 'follow this source and keep no ledger', {
    flag: 'from',
    show: shownOrNull,
  }),
  policy: path('policy', 'policy file, JSON'),
  folder: path('folder', 'where the last good state is kept'),
  name: path('name', 'what people call this process; the host name unless told'),
  workers: setting(count(1, WORKERS_MAX), 1, 'threads that answer', { flag: 'workers' }),

  'data.listen': listen('data', [loopback(8787)], 'where decisions are asked for over HTTP'),
  'control.listen': listen('control', [loopback(8788)], 'where opt-outs are recorded and probes are served'),
  'control.tokenFile': path('tokens', 'bearer tokens and their roles'),
  'control.tokens': setting<string | null>(
    orOff(z.string('expected text').min(1)),
    null,
    'the same as text, for the environment',
    {
      show: (value) => (value === null ? null : '(hidden)'),
    },
  ),
  'socket.listen': listen('socket', [], 'where the socket protocol is spoken'),
  socketMode: setting(fileMode, 0o660, 'mode of Unix sockets', { show: (mode) => `0${mode.toString(8)}` }),

  'source.tokenFile': path('token-file', 'bearer token for https: and nats:, read again for each request'),
  'source.trustedKeyFiles': setting(listOf(text), [], 'public keys; what they did not sign is refused', {
    flag: 'trust-key',
    isList: true,
  }),
  'source.maxShrink': setting(share, 0.5, 'refuse a snapshot smaller by more than this share'),
  'source.entryCountMin': setting(count(0, 2 ** 32), 0, 'refuse a snapshot with fewer entries'),
  'source.softStaleAfter': time(10_000, 100, 'age from which the state is soft_stale'),

  'relay.enabled': setting<boolean | null>(orOff(flag), null, 'serve snapshots and changes to other enforcers', {
    flag: 'relay',
    isSwitch: true,
    show: (value) => value ?? false,
  }),
  'relay.signKeyFile': path('sign-key', 'private key that snapshots and changes are signed with'),

  'intake.canaryEvery': setting<number | null>(
    orOff(duration(100)),
    60_000,
    'a synthetic opt-out this often measures the way',
    { flag: 'canary-every', show: (ms) => (ms === null ? null : durationText(ms)) },
  ),
  'intake.keepClearKeyFile': path(undefined, 'key of 32 bytes; with it clear values are kept, encrypted'),

  'webhooks.enabled': setting<boolean>(flag, true, 'send the events of the ledger to its webhooks'),
  'webhooks.attemptsMax': setting(count(1, 1000), ATTEMPTS_MAX, 'refusals (3xx, 4xx) after which an event is dead'),
  'webhooks.serverErrorAgeMax': age(SERVER_ERROR_AGE_MS_MAX, 'age from which an event is dead on an answer of 5xx'),
  'webhooks.silenceAgeMax': age(SILENCE_AGE_MS_MAX, 'age from which it is dead without an answer, or on 408 and 429'),
  'webhooks.deadKeep': age(DEAD_KEEP_MS, 'how long a dead event waits for a replay'),
  'webhooks.attemptTimeout': time(ATTEMPT_MS_MAX, 100, 'longest an attempt may take'),
  'webhooks.retryBase': time(RETRY_BASE_MS, 1, 'first bound of the random pause between attempts; it doubles'),
  'webhooks.retryCap': time(RETRY_CAP_MS, 1, 'last bound of it'),

  ...PAGES_SETTINGS,

  'log.level': setting(choice(['debug', 'info', 'warn', 'error']), 'info', 'least serious line of the log', {
    flag: 'log-level',
  }),

  'decisionLog.sample': setting<DecisionSampling | null>(
    orOff(sampling),
    'all',
    'decisions that are logged: all, non_allow, or a share of them',
  ),
  'decisionLog.entriesMax': setting(count(BATCH_RECORDS_MAX, 10_000_000), LOG_ENTRIES_MAX, 'records kept in memory'),
  'decisionLog.bytesMax': bytes(LOG_BYTES_MAX, LOG_BYTES_MIN, 4 * 2 ** 30, 'memory for them'),
  'decisionLog.spoolFolder': path('decision-log', 'folder that all records are written to, as NDJSON'),
  'decisionLog.spoolBytesMax': bytes(SPOOL_BYTES_MAX, 2 ** 20, 2 ** 40, 'size of that folder; the oldest make room'),

  'shed.eventLoopDelay': setting<number | null>(
    orOff(duration(1)),
    SHED_DELAY_MS,
    'answer "busy" while the event loop is later than this',
    { show: (ms) => (ms === null ? null : durationText(ms)) },
  ),

  ...limitSettings('http', DATA_LIMITS),
  ...limitSettings('socket', SOCKET_LIMITS),
  ...limitSettings('control', CONTROL_LIMITS),
  ...limitSettings('pages', PAGES_LIMITS),

  'shutdown.drainDelay': time(0, 0, 'not ready, but still accepting, for so long', 'drain-delay'),
  'shutdown.flushDeadline': time(3000, 0, 'for the decision log'),
  'shutdown.deadline': time(15_000, 100, 'for all of it; then the process ends'),
} as const;

export type SettingName = keyof typeof SETTINGS;

/** The effective value of each setting. */
export type SidecarConfig = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer T> ? T : never;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** The limits of one door, by their own names. */
export function limitsOf(
  config: SidecarConfig,
  door: 'http' | 'socket' | 'control' | 'pages',
): Readonly<Record<string, number>> {
  const prefix = `limits.${door}.`;
  const rows = Object.entries(config).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(rows.map(([name, value]) => [name.slice(prefix.length), value as number]));
}

/** `decisionLog.spoolFolder` as OPTGATE_DECISION_LOG_SPOOL_FOLDER. */
export function variableOf(name: SettingName): string {
  const words = name.replace(/[A-Z]/g, (letter) => `_${letter}`).replaceAll('.', '_');
  return `OPTGATE_${words.toUpperCase()}`;
}

export function settingOf(name: SettingName): Setting {
  return SETTINGS[name] as Setting;
}
