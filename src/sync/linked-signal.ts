/**
 * Several signals as one that can be let go of. `AbortSignal.any` stays registered with a signal that lives as long as
 * the process; a source that is asked every second would collect one for every question.
 * @module
 */
import { GateError } from '../core/errors.js';

export interface LinkedSignal {
  /** Given when any of the others is. */
  readonly signal: AbortSignal;
  /** Lets go of the others. */
  unlink(): void;
}

export function linkSignals(...signals: readonly AbortSignal[]): LinkedSignal {
  const linked = new AbortController();
  const abort = (): void => linked.abort();
  for (const signal of signals) {
    if (signal.aborted) linked.abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  return {
    signal: linked.signal,
    unlink() {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    },
  };
}

/** What `work` gives, unless one of the signals comes first: then a GateError `sync.closed`, whatever becomes of the work. */
export function unlessAborted<T>(work: Promise<T>, ...signals: readonly AbortSignal[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const { signal, unlink } = linkSignals(...signals);
    const onAbort = (): void => {
      unlink();
      reject(new GateError('sync.closed'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.finally(unlink).then(resolve, reject);
  });
}
