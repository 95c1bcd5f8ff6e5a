/**
 * What the sidecar may write to its log: the events, and the fields they may have.
 *
 * Nothing else can be logged, so nothing of a request can be: there is no field for text from outside.
 * @module
 */
import { GATE_ERRORS, type GateErrorCode } from '../../core/errors.js';
import type { Action } from '../../core/vocabulary.js';
import type { FollowerState } from '../../sync/index.js';
import type { DoorName, Operation } from '../door.js';
import { ACTIONS, DOORS, OPERATIONS } from './door-counts.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Every event, its level and its sentence. Names are added, never renamed. */
export const LOG_EVENTS = {
  'sidecar.starting': ['info', 'starting'],
  'sidecar.listening': ['info', 'listening'],
  'sidecar.ready': ['info', 'ready: a table is in use'],
  'sidecar.draining': ['info', 'told to end: no new requests, those under way are finished'],
  'sidecar.ended': ['info', 'ended'],
  'sidecar.aborted': ['warn', 'told to end again: ended at once'],
  'sidecar.failed': ['error', 'cannot go on'],
  'worker.started': ['info', 'a serving thread started'],
  'worker.ended': ['warn', 'a serving thread ended'],
  'worker.failed': ['error', 'a serving thread failed, and the process ends: its threads share their sockets'],
  'policy.loaded': ['info', 'a policy is in use'],
  'policy.refused': ['error', 'the policy was refused; the one before stays in use'],
  'tokens.loaded': ['info', 'other tokens are in use'],
  'tokens.refused': ['error', 'the tokens were refused; those before stay in use'],
  'ledger.opened': ['info', 'the ledger is open: opt-outs are taken'],
  'ledger.failed': ['warn', 'something failed in the ledger; it is tried again'],
  'audit.checkpoint': ['info', 'the audit trail is signed up to this entry; keep this line elsewhere'],
  'audit.refused': ['error', 'the audit trail does not go on from what was signed before: nothing more is signed'],
  'audit.unrecorded': ['warn', 'something was done that could not be put into the audit trail in time'],
  'webhook.failed': ['warn', 'an event did not reach a webhook; it is sent again, and those behind it wait'],
  'webhook.dead': ['error', 'an event was given up for a webhook, and the next goes on; it waits for a replay'],
  'webhook.disabled': ['error', 'a webhook answered that it is gone, and is told of nothing more'],
  'relay.failed': ['warn', 'the relay failed; what it served before is served on, and it is tried again'],
  'sync.state': ['info', 'the follower is in another state'],
  'sync.stale': ['warn', 'the table is stale; hits are enforced, misses follow the policy'],
  'sync.failed': ['warn', 'following failed; the table in use stays, and it is tried again'],
  'sync.resync': ['warn', 'another table was put into use because following could not go on'],
  'canary.not_in_force': ['error', 'a canary came and is not in force: opt-outs do not work'],
  'ledger.horizon': ['error', 'a transaction that stays open keeps opt-outs from coming into force'],
  'shedding.began': ['warn', 'more work than can be done: requests are turned away'],
  'shedding.ended': ['info', 'requests are served again'],
  'decision_log.failed': ['error', 'the folder of the decision log cannot be written to; it is tried again'],
  'decision_log.unflushed': ['error', 'records of the decision log could not be written before the end'],
  'metrics.failed': ['error', 'the metrics could not be collected'],
  'control.failed': ['error', 'a request to the control plane failed'],
  'control.refused': ['warn', 'a request to the control plane was refused'],
  'control.open': [
    'warn',
    'no tokens: whoever reaches the control plane from this machine may do everything, also in the console',
  ],
  'pages.on_open_control': [
    'warn',
    'the public pages are on a control plane without tokens: give it tokens, or the pages an address of their own',
  ],
  'pages.failed': ['error', 'a public page failed, or the opt-out behind a signal could not be recorded yet'],
  'pages.signals_dropped': ['warn', 'opt-outs behind signals were not recorded; the next visit of each tries again'],
  'pages.untrusted_proxy': ['warn', 'X-Forwarded-For comes from a peer that publicPages.trustedProxies does not name'],
  'door.failed': ['error', 'a request failed for a reason nobody expected'],
} as const satisfies Readonly<Record<string, readonly [LogLevel, string]>>;
export type LogEventName = keyof typeof LOG_EVENTS;

/** A value of the operator's own: an address, a folder, a version. Made from configuration only, never from a request. */
export class Setting {
  readonly text: string;

  constructor(text: string) {
    this.text = withoutPassword(text).slice(0, SETTING_LENGTH_MAX);
  }
}

export const SETTING_LENGTH_MAX = 500;

/** Words that are known beforehand. What is not among them is logged as `other`. */
export type LogWord = GateErrorCode | FollowerState | DoorName | Operation | Action | (typeof FURTHER_WORDS)[number];
const FURTHER_WORDS = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'draining',
  'deadline',
  'data',
  'control',
  'main',
  'worker',
  'unauthorized',
  'forbidden',
  'empty',
  'file',
  'env',
  'flag',
  'default',
  'address',
  'name',
  'timeout',
  'tls',
  'connection',
  'status',
  'damaged',
  'key',
  'secret',
] as const;
const FOLLOWER_STATES: readonly FollowerState[] = ['empty', 'last_good', 'live', 'soft_stale', 'hard_stale'];
const WORDS: ReadonlySet<string> = new Set<LogWord>([
  ...(Object.keys(GATE_ERRORS) as GateErrorCode[]),
  ...FOLLOWER_STATES,
  ...DOORS,
  ...OPERATIONS,
  ...ACTIONS,
  ...FURTHER_WORDS,
]);
export const OTHER_WORD = 'other';

/** The fields an event may have. */
export interface LogFields {
  readonly code?: LogWord | undefined;
  readonly door?: LogWord | undefined;
  readonly operation?: LogWord | undefined;
  readonly part?: LogWord | undefined;
  readonly signal?: LogWord | undefined;
  readonly state?: LogWord | undefined;
  readonly why?: LogWord | undefined;
  readonly address?: Setting | undefined;
  readonly detail?: Setting | undefined;
  readonly epoch?: Setting | undefined;
  readonly folder?: Setting | undefined;
  readonly head?: Setting | undefined;
  readonly ledger?: Setting | undefined;
  readonly policyVersion?: Setting | undefined;
  readonly source?: Setting | undefined;
  readonly version?: Setting | undefined;
  readonly webhook?: Setting | undefined;
  readonly ageMs?: number | null | undefined;
  readonly consecutiveCount?: number | undefined;
  readonly count?: number | undefined;
  readonly delayMs?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly entryCount?: number | undefined;
  readonly exitCode?: number | null | undefined;
  readonly pid?: number | undefined;
  readonly seq?: number | null | undefined;
  readonly seqLag?: number | null | undefined;
  readonly status?: number | null | undefined;
  readonly thread?: number | undefined;
  readonly workers?: number | undefined;
  readonly isEmbedded?: boolean | undefined;
}

const FIELD_KINDS: Readonly<Record<keyof LogFields, 'word' | 'setting' | 'number' | 'boolean'>> = {
  code: 'word',
  door: 'word',
  operation: 'word',
  part: 'word',
  signal: 'word',
  state: 'word',
  why: 'word',
  address: 'setting',
  detail: 'setting',
  epoch: 'setting',
  folder: 'setting',
  head: 'setting',
  ledger: 'setting',
  policyVersion: 'setting',
  source: 'setting',
  version: 'setting',
  webhook: 'setting',
  ageMs: 'number',
  consecutiveCount: 'number',
  count: 'number',
  delayMs: 'number',
  durationMs: 'number',
  entryCount: 'number',
  exitCode: 'number',
  pid: 'number',
  seq: 'number',
  seqLag: 'number',
  status: 'number',
  thread: 'number',
  workers: 'number',
  isEmbedded: 'boolean',
};

/** What of the fields may be written: the types are checked again, because they do not bind at run time. */
export function loggable(fields: LogFields): Record<string, string | number | boolean | null> {
  const kept: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(fields) as [keyof LogFields, unknown][]) {
    const kind = Object.hasOwn(FIELD_KINDS, name) ? FIELD_KINDS[name] : undefined;
    if (kind === undefined || value === undefined) continue;
    if (kind === 'word') kept[name] = typeof value === 'string' && WORDS.has(value) ? value : OTHER_WORD;
    else if (kind === 'setting') kept[name] = value instanceof Setting ? value.text : OTHER_WORD;
    else if (value === null || typeof value === kind) kept[name] = value as number | boolean | null;
  }
  return kept;
}

/** A URL without its user and password, and any text that is no URL as it is. */
function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}
