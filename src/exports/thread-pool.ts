/**
 * Threads that do jobs for a filter, each one job at a time, over the table of the moment that a job begins in.
 * @module
 */
import { Worker } from 'node:worker_threads';
import type { SuppressionTable } from '../core/suppression/index.js';
import type { WithTable } from './thread-table.js';

export interface ThreadPoolOptions {
  /** The module that a thread runs. It answers every message with one. */
  readonly module: URL;
  /** What a thread is told when it begins. */
  readonly workerData: unknown;
  readonly threadCount: number;
  /** Asked for every job as it begins. */
  readonly tableNow: () => SuppressionTable;
}

interface Waiting<Job, Answer> {
  readonly job: Job;
  /** What is handed over, not copied. */
  readonly memory: readonly ArrayBuffer[];
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export class ThreadPool<Job extends object, Answer> {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #busy = new Map<Worker, Waiting<Job, Answer>>();
  readonly #queue: Waiting<Job, Answer>[] = [];
  readonly #tableNow: () => SuppressionTable;
  #table: SuppressionTable | null = null;
  #tableNumber = 0;
  #failure: unknown = null;

  constructor({ module, workerData, threadCount, tableNow }: ThreadPoolOptions) {
    this.#tableNow = tableNow;
    this.#workers = Array.from({ length: threadCount }, () => {
      const worker = new Worker(module, { workerData, execArgv: [] });
      worker.on('message', (answer: Answer) => this.#hear(worker, answer));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', () => this.#fail(new Error('a filtering thread ended')));
      return worker;
    });
    this.#idle = [...this.#workers];
  }

  /** Has a job done by the next thread that has time. @param memory Handed over until the answer hands it back. */
  run(job: Job, memory: readonly ArrayBuffer[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, memory, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#fail(new Error('the filter is closed'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#failure !== null) {
      this.#fail(this.#failure);
      return;
    }
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const waiting = this.#queue.shift();
      const worker = this.#idle.pop();
      if (waiting === undefined || worker === undefined) return;
      try {
        worker.postMessage({ ...waiting.job, ...this.#withTable() }, waiting.memory);
        this.#busy.set(worker, waiting);
      } catch (error) {
        this.#idle.push(worker);
        waiting.reject(error); // there is no table any more
      }
    }
  }

  #withTable(): WithTable {
    const table = this.#tableNow();
    if (table !== this.#table) this.#tableNumber++;
    this.#table = table;
    return { tableNumber: this.#tableNumber, table: table.share() };
  }

  #hear(worker: Worker, answer: Answer): void {
    this.#busy.get(worker)?.resolve(answer);
    this.#busy.delete(worker);
    this.#idle.push(worker);
    this.#next();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#busy.values(), ...this.#queue]) reject(this.#failure);
    this.#busy.clear();
    this.#queue.length = 0;
  }
}
