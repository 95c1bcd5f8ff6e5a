/**
 * Threads that do jobs for a filter, over the table of the moment that a job begins in.
 *
 * This thread does them itself while there is no other, or none that is ready: to start one takes a tenth of a second. Later it
 * does so only while somebody waits for an answer that another thread owes: each turn of its event loop hands on no more
 * than one piece, and a job makes a turn long.
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { SuppressionTable } from '../core/suppression/index.js';
import type { WithTable } from './thread-table.js';

/** Jobs that a thread is given ahead, the one it is at included, so that it need not wait for the next. */
const JOBS_PER_THREAD = 2;

/** What a thread says once, before it answers. */
export const READY = 'ready';

export interface ThreadPoolOptions<Job, Answer> {
  /** The module that a thread runs. It says {@link READY}, and answers every message with one, in order. */
  readonly module: URL;
  /** What a thread is told when it begins. */
  readonly workerData: unknown;
  /** Asked for every job as it begins. */
  readonly tableNow: () => SuppressionTable;
  /** Memory of a job that is handed over to another thread, not copied. */
  readonly memoryOf?: (job: Job) => readonly ArrayBuffer[];
  /** Whether another thread can do a job. Default: any. */
  readonly canLeave?: (job: Job) => boolean;
  /** Does a job on this thread. */
  readonly here: (job: Job, table: SuppressionTable) => Answer | Promise<Answer>;
}

interface Waiting<Job, Answer> {
  readonly job: Job;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

interface Thread<Job, Answer> {
  readonly worker: Worker;
  isReady: boolean;
  /** Jobs that it has, the one that it is at first. */
  readonly jobs: Waiting<Job, Answer>[];
}

export class ThreadPool<Job extends object, Answer> {
  readonly #threads: Thread<Job, Answer>[] = [];
  readonly #queue: Waiting<Job, Answer>[] = [];
  readonly #options: ThreadPoolOptions<Job, Answer>;
  #isBusyHere = false;
  /** Somebody waits for an answer, and this thread has nothing else to do. */
  #isHelping = false;
  /** Settled when this thread is done with its job. */
  #here: Promise<void> = Promise.resolve();
  #table: SuppressionTable | null = null;
  #tableNumber = 0;
  #failure: unknown = null;

  constructor(options: ThreadPoolOptions<Job, Answer>) {
    this.#options = options;
  }

  /** Starts so many threads. */
  start(threadCount: number): void {
    if (this.#failure !== null) return; // whoever was reading for a run that has ended comes here late
    for (let count = 0; count < threadCount; count++) this.#threads.push(this.#started());
  }

  /** Has a job done by the next thread that has time. */
  run(job: Job): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject });
      this.#next();
    });
  }

  /** Waits for an answer, and does other jobs meanwhile that no thread has time for. */
  async helpUntil<T>(answer: Promise<T>): Promise<T> {
    this.#isHelping = true;
    this.#next();
    try {
      return await answer;
    } finally {
      this.#isHelping = false;
    }
  }

  /** Resolves when nothing is being done any more. */
  async close(): Promise<void> {
    this.#fail(new Error('the filter is closed'));
    await this.#here;
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #started(): Thread<Job, Answer> {
    const { module, workerData } = this.#options;
    const worker = new Worker(module, { workerData, execArgv: [] });
    const thread: Thread<Job, Answer> = { worker, isReady: false, jobs: [] };
    worker.on('message', (message: Answer | typeof READY) => this.#hear(thread, message));
    worker.on('messageerror', (error) => this.#fail(error));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('a filtering thread ended')));
    return thread;
  }

  /** Gives out what waits: to other threads as soon as one is ready, until then to this one. */
  #next(): void {
    if (this.#failure !== null) {
      this.#fail(this.#failure);
      return;
    }
    while (this.#queue.length > 0) {
      const { canLeave } = this.#options;
      const staysHere = canLeave !== undefined && !canLeave(this.#queue[0]!.job);
      const thread = staysHere ? null : this.#freest();
      if (thread !== null) this.#send(thread);
      else if (!this.#isBusyHere && (staysHere || this.#isHelping || !this.#threads.some(({ isReady }) => isReady)))
        this.#begin();
      else return;
    }
  }

  #freest(): Thread<Job, Answer> | null {
    let found: Thread<Job, Answer> | null = null;
    for (const thread of this.#threads) {
      if (!thread.isReady || thread.jobs.length >= JOBS_PER_THREAD) continue;
      if (found === null || thread.jobs.length < found.jobs.length) found = thread;
    }
    return found;
  }

  #send({ worker, jobs }: Thread<Job, Answer>): void {
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    try {
      worker.postMessage({ ...waiting.job, ...this.#withTable() }, this.#options.memoryOf?.(waiting.job) ?? []);
      jobs.push(waiting);
    } catch (error) {
      waiting.reject(error); // there is no table any more
    }
  }

  /** Does a job here when the event loop has had its turn. */
  #begin(): void {
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    this.#isBusyHere = true;
    this.#here = this.#doHere(waiting);
  }

  async #doHere({ job, resolve, reject }: Waiting<Job, Answer>): Promise<void> {
    await setImmediate();
    try {
      if (this.#failure !== null) throw this.#failure;
      resolve(await this.#options.here(job, this.#options.tableNow()));
    } catch (error) {
      reject(error);
    }
    this.#isBusyHere = false;
    this.#next();
  }

  #withTable(): WithTable {
    const table = this.#options.tableNow();
    if (table !== this.#table) this.#tableNumber++;
    this.#table = table;
    return { tableNumber: this.#tableNumber, table: table.share() };
  }

  #hear(thread: Thread<Job, Answer>, message: Answer | typeof READY): void {
    if (message === READY) thread.isReady = true;
    else thread.jobs.shift()?.resolve(message);
    this.#next();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#threads.flatMap(({ jobs }) => jobs), ...this.#queue]) reject(this.#failure);
    for (const { jobs } of this.#threads) jobs.length = 0;
    this.#queue.length = 0;
  }
}
