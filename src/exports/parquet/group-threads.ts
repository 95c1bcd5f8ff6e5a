/**
 * Threads that filter row groups, each one group at a time: group `i` is the work of thread `i` modulo their number.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { type SuppressionTable, workerUrl } from '../../core/suppression/index.js';
import { RowError } from '../row-error.js';
import type { GroupResult } from './group-filter.js';
import { ParquetError } from './parquet-error.js';
import type { FromGroupThread, GroupThreadTerms, ToGroupThread } from './thread-messages.js';

interface Waiting {
  resolve(result: GroupResult): void;
  reject(error: unknown): void;
}

export class GroupThreads {
  readonly #workers: readonly Worker[];
  readonly #waiting = new Map<Worker, Waiting>();
  #table: SuppressionTable | null = null;
  #tableNumber = 0;
  #failure: unknown = null;

  constructor(terms: GroupThreadTerms, threadCount: number) {
    this.#workers = Array.from({ length: threadCount }, () => {
      const worker = new Worker(workerUrl('./group-thread.js', import.meta.url), { workerData: terms, execArgv: [] });
      worker.on('message', (answer: FromGroupThread) => this.#hear(worker, answer));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', () => this.#fail(new Error('a filtering thread ended')));
      return worker;
    });
  }

  /** Filters a group; the one before on the same thread must be done. Throws as GroupFilter does. */
  run(index: number, rowsBefore: number, table: SuppressionTable): Promise<GroupResult> {
    const worker = this.#workers[index % this.#workers.length];
    if (worker === undefined || this.#failure !== null) return Promise.reject(this.#failure);
    if (table !== this.#table) this.#tableNumber++;
    this.#table = table;
    return new Promise((resolve, reject) => {
      this.#waiting.set(worker, { resolve, reject });
      const message: ToGroupThread = { index, rowsBefore, tableNumber: this.#tableNumber, table: table.share() };
      worker.postMessage(message);
    });
  }

  async close(): Promise<void> {
    this.#fail(new Error('the filter is closed'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #hear(worker: Worker, answer: FromGroupThread): void {
    const waiting = this.#waiting.get(worker);
    this.#waiting.delete(worker);
    switch (answer.kind) {
      case 'result':
        waiting?.resolve(answer.result);
        break;
      case 'parquet':
        waiting?.reject(new ParquetError(answer.code, answer.detail));
        break;
      case 'row':
        waiting?.reject(new RowError(answer.code, null, answer.detail));
        break;
      case 'other':
        waiting?.reject(answer.error);
        break;
      default:
        answer satisfies never;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
