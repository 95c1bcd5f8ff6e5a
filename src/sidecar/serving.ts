/**
 * The threads that answer, seen from the main thread: itself alone, or a pool of workers.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Policy } from '../core/policy/policy.js';
import type { LiveTable } from '../live-table.js';
import type { SidecarConfig } from './config-settings.js';
import type { DecisionBatch } from './observe/decision-batch.js';
import { type ThreadState, ThreadStates } from './observe/thread-state.js';
import { ServingThread, type Sockets } from './thread.js';

export interface ServingOptions {
  readonly config: SidecarConfig;
  readonly live: LiveTable;
  readonly policy: Policy;
  /** Answers probes on the data port of the main thread. */
  readonly probe: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Takes decisions of any thread. */
  readonly append: (batch: DecisionBatch) => void;
  /** A fault of our own, while a request was answered. */
  readonly onFault: (error: unknown) => void;
  /** A thread ended that should not have: the process cannot go on. */
  readonly onFailure: (error: Error) => void;
}

export interface Serving {
  readonly sockets: Sockets;
  /** What all threads together have counted. */
  state(): ThreadState;
  /** Resolves when every thread decides by it. */
  usePolicy(policy: Policy): Promise<void>;
  /** Clients are told to look for another server; nobody is refused yet. */
  announceEnd(): void;
  /** Answers what has come in and takes nothing more; who is not done by the deadline is cut off. Never throws. */
  drain(deadlineMs: number): Promise<void>;
}

/** Serves on the main thread. @throws {ListenError} */
export async function serveHere(options: ServingOptions): Promise<Serving> {
  const { live, append, ...rest } = options;
  const states = new ThreadStates();
  const thread = new ServingThread({
    ...rest,
    table: live,
    deliver: (batch) => {
      append(batch);
      return 'taken';
    },
  });
  const sockets = await thread.listen();
  return {
    sockets,
    state: () => {
      states.set(0, thread.state());
      return states.total();
    },
    usePolicy: (policy) => {
      thread.desk.usePolicy(policy);
      return live.usePolicy(policy);
    },
    announceEnd: () => thread.announceEnd(),
    drain: (deadlineMs) => thread.drain(deadlineMs, { closes: true }),
  };
}
