/**
 * The words of requests: what a consumer asks for, how it reached us, and what became of it (11 CCR 7101(b)).
 *
 * Stored as they are: append, never rename.
 * @module
 */
import type { Right } from '../core/vocabulary.js';
import { NO_ASK_MONTHS } from './limits.js';
import type { RequestDeadline } from './records/request-deadline.js';

/** The manner in which a request was made. */
export const CHANNELS = ['gpc', 'web_form', 'email', 'phone', 'mail', 'agent', 'import', 'drop', 'api'] as const;
export type Channel = (typeof CHANNELS)[number];

/** Whom the request is about, as far as it was said. */
export const SCOPES = ['person', 'device', 'household'] as const;
export type Scope = (typeof SCOPES)[number];

export type RequestNature = 'opt_out' | 'opt_in' | 'import';

/** `pending`: waits for its second step. `in_progress`: an import that has not ended. */
export type RequestStatus = 'pending' | 'in_progress' | 'complied' | 'denied';

/** What is given back for a request that is recorded. */
export interface Receipt {
  /** `r_` and 22 characters; what a person or an auditor asks about later. */
  readonly requestId: string;
  /**
   * `epoch.seq`: an enforcer that has applied this has the request in force. `null`: the request is recorded and will be
   * in force, but had no place in the change log within the time allowed; ask again with {@link Receipt.requestId}.
   */
  readonly token: string | null;
  readonly receivedAtMs: number;
  /** First day on which the person may be asked to opt in again, `YYYY-MM-DD` in UTC; `null` for an opt-in. */
  readonly noAskUntil: string | null;
  /** True: this request was recorded before, under the same idempotency key. */
  readonly isRepeat: boolean;
  readonly identifierCount: number;
}

/** What is given back for an opt-in that is in force. */
export interface OptInReceipt extends Receipt {
  /** Rights these identifiers are still opted out of, through what others have recorded. */
  readonly remaining: readonly Right[];
}

/** A request as it stands. */
export interface RequestRecord extends RequestDeadline {
  readonly requestId: string;
  readonly nature: RequestNature;
  readonly channel: Channel;
  readonly status: RequestStatus;
  /** `null`: each row of an import has its own. */
  readonly rights: readonly Right[] | null;
  readonly receivedAtMs: number;
  readonly noAskUntil: string | null;
  /** When an opt-in must have been confirmed; `null` for anything else. */
  readonly confirmByMs: number | null;
  readonly identifierCount: number;
  readonly refusedCount: number;
  /** As in a {@link Receipt}; `null` also where nothing has changed yet. */
  readonly token: string | null;
}

/** The answer to the first step of an opt-in. Nothing has changed yet. */
export interface PendingOptIn {
  readonly requestId: string;
  /** To be given back in the second step. Shown here once; the ledger keeps only its digest. `null` in a repeat. */
  readonly confirmation: string | null;
  readonly confirmByMs: number;
  readonly status: RequestStatus;
  readonly isRepeat: boolean;
}

/** The first day on which a person who opted out may be asked again. */
export function noAskUntil(receivedAtMs: number): string {
  const day = new Date(receivedAtMs);
  day.setUTCMonth(day.getUTCMonth() + NO_ASK_MONTHS); // 29 February runs into 1 March: never a day too early
  return day.toISOString().slice(0, 10);
}

/** The id of a request, from 16 random bytes. */
export function requestIdOf(random: Uint8Array): string {
  return `r_${Buffer.from(random).toString('base64url')}`;
}

/** Whether a text has the form of a request's id. */
export function isRequestId(text: unknown): text is string {
  return typeof text === 'string' && /^r_[A-Za-z0-9_-]{22}$/.test(text);
}

/** The token of an entry. */
export function tokenOf(epoch: string, seq: number): string {
  return `${epoch}.${seq}`;
}
