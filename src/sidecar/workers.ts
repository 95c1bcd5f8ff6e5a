/**
 * A pool of worker threads that answer over one table.
 *
 * They accept on the same listening sockets (docs/decisions/017-workers.md), which the first of them made. Such a socket can
 * only be closed for all at once: while draining each thread turns new connections away, and when all are done the first one
 * closes it. A worker stays until the process ends, for a thread that ends closes what is not its own. So one that fails
 * takes the process with it.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../core/suppression/index.js';
import { ListenError } from './listen.js';
import { ThreadStates } from './observe/thread-state.js';
import type { Serving, ServingOptions } from './serving.js';
import type { Sockets } from './thread.js';
import type { FromWorker, ToWorker, WorkerTerms } from './worker-terms.js';

/** How long a worker that was told to drain may take longer than its deadline. */
const GRACE_MS = 500;

/** Serves on `config.workers` threads. @throws {ListenError} */
export async function serveOnWorkers(options: ServingOptions): Promise<Serving> {
  const states = new ThreadStates();
  const first = new PoolWorker(options, null, states);
  const workers = [first];
  let sockets: Sockets;
  try {
    sockets = await first.listening();
    for (let index = 1; index < options.config.workers; index++) {
      workers.push(new PoolWorker(options, sockets, states));
    }
    await Promise.all(workers.map((worker) => worker.listening()));
  } catch (error) {
    await Promise.all(workers.map((worker) => worker.terminate()));
    throw error;
  }
  return {
    sockets,
    state: () => states.total(),
    usePolicy: (policy) => options.live.usePolicy(policy),
    announceEnd: () => {
      for (const worker of workers) worker.tell({ kind: 'announce_end' });
    },
    drain: async (deadlineMs) => {
      await Promise.all(
        workers.map((worker) => worker.ask({ kind: 'drain', deadlineMs }, 'drained', deadlineMs + GRACE_MS)),
      );
      await first.ask({ kind: 'close' }, 'closed', GRACE_MS);
    },
  };
}

class PoolWorker {
  private readonly worker: Worker;
  private readonly heard = new Map<FromWorker['kind'], () => void>();
  private readonly ready: Promise<Sockets>;
  private hasEnded = false;

  constructor({ config, live, append, onFailure }: ServingOptions, sockets: Sockets | null, states: ThreadStates) {
    const shared = live.share();
    this.worker = new Worker(workerUrl('./worker.js', import.meta.url), {
      workerData: { config, shared, sockets } satisfies WorkerTerms,
      transferList: [shared.port],
    });
    const { threadId } = this.worker;
    this.worker.on('message', (message: FromWorker) => {
      if (message.kind === 'batch') {
        append(message.batch);
        this.tell({ kind: 'acknowledge' });
      }
      if (message.kind === 'state' || message.kind === 'drained') states.set(threadId, message.state);
      this.heard.get(message.kind)?.();
    });
    this.ready = new Promise((resolve, reject) => {
      let isListening = false;
      const fail = (error: Error) => {
        this.hasEnded = true;
        for (const stopWaiting of this.heard.values()) stopWaiting();
        reject(error);
        if (isListening) onFailure(error);
      };
      this.worker.on('message', (message: FromWorker) => {
        if (message.kind === 'listening') {
          isListening = true;
          resolve(message.sockets);
        }
        if (message.kind === 'refused') reject(new ListenError(message.address, message.code));
      });
      this.worker.once('error', fail);
      this.worker.once('exit', () => fail(new Error('a serving thread ended')));
    });
    this.ready.catch(() => {}); // whoever asks hears of it
  }

  listening(): Promise<Sockets> {
    return this.ready;
  }

  tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  /** Resolves with the answer, or without it after `waitMs`. From then on the thread does not keep the process alive. */
  async ask(message: ToWorker, kind: FromWorker['kind'], waitMs: number): Promise<void> {
    if (this.hasEnded) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.heard.set(kind, () => {
        clearTimeout(timer);
        resolve();
      });
      this.tell(message);
    });
    this.worker.unref();
  }
}
