/**
 * Puts an end to calls that have none: whatever a source does, or does not, the follower goes on.
 *
 * A call that is out of time is abandoned. It is told so by its signal, and whatever becomes of it later is given to
 * `onLate` and never to the caller.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { Clock } from './clock.js';

export interface DeadlineOptions<T> {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Ends the call early, with `sync.closed`. */
  readonly signal: AbortSignal;
  /** What an abandoned call gave after all, so that it can be cleaned up. */
  readonly onLate?: (result: T) => void;
}

/**
 * The result of `work`, if it comes in time. Throws what it throws, a GateError `sync.deadline` if it takes too long, or
 * `sync.closed` if the signal comes first. `work` may hang for ever, even with its own signal given.
 */
export function withDeadline<T>(
  { clock, deadlineMs, signal, onLate }: DeadlineOptions<T>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal.aborted) return Promise.reject(new GateError('sync.closed'));
  const ending = new AbortController();
  return new Promise<T>((resolve, reject) => {
    let isOver = false;
    const end = (settle: () => void): void => {
      isOver = true;
      cancel();
      signal.removeEventListener('abort', onClosed);
      settle();
    };
    const abandon = (error: GateError): void => {
      end(() => reject(error));
      ending.abort(error);
    };
    const onClosed = (): void => abandon(new GateError('sync.closed'));
    const cancel = clock.after(deadlineMs, () => abandon(new GateError('sync.deadline')));
    signal.addEventListener('abort', onClosed, { once: true });
    invoke(work, ending.signal).then(
      (result) => (isOver ? onLate?.(result) : end(() => resolve(result))),
      (error: unknown) => {
        if (!isOver) end(() => reject(error));
      },
    );
  });
}

/** A call that throws at once is one that rejects. */
async function invoke<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  return work(signal);
}
