/**
 * Threads that filter blocks, each one block at a time.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { type SuppressionTable, workerUrl } from '../core/suppression/index.js';
import type { Block, BlockResult, BlockTerms } from './block-filter.js';
import type { FromThread, ToThread } from './thread-messages.js';

/** A block that was filtered, and what it came to. */
export interface FilteredBlock {
  readonly block: Block;
  readonly result: BlockResult;
}

interface Waiting {
  readonly block: Block;
  resolve(filtered: FilteredBlock): void;
  reject(error: unknown): void;
}

export class ThreadPool {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #queue: Waiting[] = [];
  readonly #tableNow: () => SuppressionTable;
  #table: SuppressionTable | null = null;
  #tableNumber = 0;
  #failure: unknown = null;

  /** @param tableNow Asked for every block as it begins. */
  constructor(terms: BlockTerms, threadCount: number, tableNow: () => SuppressionTable) {
    this.#tableNow = tableNow;
    this.#workers = Array.from({ length: threadCount }, () => {
      const worker = new Worker(workerUrl('./filter-thread.js', import.meta.url), { workerData: terms, execArgv: [] });
      worker.on('message', (answer: FromThread) => this.#hear(worker, answer));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', () => this.#fail(new Error('a filtering thread ended')));
      return worker;
    });
    this.#idle = [...this.#workers];
  }

  /** Filters a block, whose memory is handed over until then. */
  run(block: Block): Promise<FilteredBlock> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ block, resolve, reject });
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
        this.#tell(worker, waiting.block);
        this.#busy.set(worker, waiting);
      } catch (error) {
        this.#idle.push(worker);
        waiting.reject(error); // there is no table any more
      }
    }
  }

  #tell(worker: Worker, { bytes, length, isLast }: Block): void {
    const table = this.#tableNow();
    if (table !== this.#table) this.#tableNumber++;
    this.#table = table;
    const memory = bytes.buffer as ArrayBuffer;
    const message: ToThread = { memory, length, isLast, tableNumber: this.#tableNumber, table: table.share() };
    worker.postMessage(message, [memory]);
  }

  #hear(worker: Worker, { memory, output, ...rest }: FromThread): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    this.#idle.push(worker);
    if (waiting !== undefined) {
      const { length, isLast } = waiting.block;
      waiting.resolve({
        block: { bytes: new Uint8Array(memory), length, isLast },
        result: { ...rest, output: new Uint8Array(output.memory ?? memory, output.from, output.length) },
      });
    }
    this.#next();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#busy.values(), ...this.#queue]) reject(this.#failure);
    this.#busy.clear();
    this.#queue.length = 0;
  }
}
