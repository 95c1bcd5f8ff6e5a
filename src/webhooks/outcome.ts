/**
 * What an attempt means for its event: delivered, tried again after a pause, dead, or the consumer is gone.
 *
 * A refusal says that the consumer is there and does not want this event: so many attempts, and it is dead. An error of the
 * consumer's, or silence, says nothing about the event: it is tried until it is old.
 * @module
 */
import { fullJitterMs } from '../backoff.js';
import type { AttemptOutcome, NextDelivery } from '../ledger/index.js';
import type { DelivererOptions } from './deliverer.js';
import type { PostResult } from './post.js';

/** Nothing was sent. `damaged`: the event cannot be read; `key`, `secret`: a key is missing or wrong, or the secret is. */
export interface Unmade {
  readonly kind: 'unmade';
  readonly reason: 'damaged' | 'key' | 'secret';
}

export type OutcomeTerms = Required<
  Pick<
    DelivererOptions,
    | 'attemptsMax'
    | 'serverErrorAgeMsMax'
    | 'silenceAgeMsMax'
    | 'retryBaseMs'
    | 'retryCapMs'
    | 'retryAfterMsMax'
    | 'random'
  >
>;

export type Tried = Pick<NextDelivery, 'attemptCount' | 'refusedCount' | 'ageMs'>;

/** What an answer, or none, means for an event. */
export function outcomeOf(result: PostResult | Unmade, tried: Tried, terms: OutcomeTerms): AttemptOutcome {
  const status = result.kind === 'answered' ? result.status : null;
  if (status !== null && status >= 200 && status < 300) return { kind: 'delivered', status };
  if (status === 410) return { kind: 'gone', status };
  const reason = result.kind === 'answered' ? 'status' : result.reason;
  const said = saidBy(status);
  const failure = { status, reason, isRefused: said === 'refusal' };
  if (reason === 'damaged' || isOver(said, tried, terms)) return { kind: 'dead', ...failure };
  const { retryBaseMs: baseMs, retryCapMs: capMs, random } = terms;
  const askedMs = result.kind === 'answered' ? Math.min(result.retryAfterMs ?? 0, terms.retryAfterMsMax) : 0;
  const delayMs = Math.max(askedMs, fullJitterMs(tried.attemptCount, { baseMs, capMs, random }));
  return { kind: 'failed', ...failure, delayMs };
}

type Said = 'refusal' | 'server_error' | 'silence';

/** 408 and 429 say no more than silence does: come again. */
function saidBy(status: number | null): Said {
  if (status === null || status === 408 || status === 429) return 'silence';
  return status >= 500 && status < 600 ? 'server_error' : 'refusal';
}

function isOver(said: Said, { refusedCount, ageMs }: Tried, terms: OutcomeTerms): boolean {
  switch (said) {
    case 'refusal':
      return refusedCount + 1 >= terms.attemptsMax;
    case 'server_error':
      return ageMs > terms.serverErrorAgeMsMax;
    case 'silence':
      return ageMs > terms.silenceAgeMsMax;
    default:
      return said satisfies never;
  }
}
