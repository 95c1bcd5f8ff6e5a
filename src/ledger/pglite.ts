/**
 * A ledger in a folder: PGlite, on a thread of its own.
 *
 * There is one connection, so whoever wants something of it takes turns; a transaction is one long turn. What survives:
 * everything committed, also when the process is killed or the power fails (pglite-files.ts). A statement cannot be
 * cancelled; one that passes its deadline costs the thread, and with it every call after.
 * @module
 */
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GateError } from '../core/errors.js';
import { workerUrl } from '../core/suppression/index.js';
import type { LoadedTable } from '../sync/source.js';
import {
  type Database,
  type DedicatedSession,
  IDLE_TRANSACTION_MS_MAX,
  insertPacked,
  type Row,
  type Session,
  SqlError,
  type TransactionOptions,
  unavailable,
  withRetries,
} from './database.js';
import { type FolderLock, lockFolder } from './folder-lock.js';
import { unpostedError } from './posted-error.js';
import { Turns } from './turns.js';
import type { PgliteAnswer, PgliteOrder, PgliteWorkerData } from './worker-messages.js';

/** Longest a statement may take. */
export const PGLITE_STATEMENT_MS_MAX = 300_000;
/** Longest the database may take to be there; making one takes about 4 s. */
export const PGLITE_OPEN_MS_MAX = 60_000;
/** Longest the database may take to close in order. */
export const PGLITE_CLOSE_MS_MAX = 10_000;

type OrderBody = PgliteOrder extends infer Order ? (Order extends { id: number } ? Omit<Order, 'id'> : never) : never;

interface Pending {
  resolve(answer: PgliteAnswer): void;
  reject(error: Error): void;
}

/** Opens the database in a folder, and makes both if they are not there. */
export async function openPglite(path: string): Promise<PgliteDatabase> {
  const folder = resolve(path);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw unavailable('the folder cannot be made', error);
  });
  const lock = await lockFolder(folder);
  const data: PgliteWorkerData = { folder };
  const worker = new Worker(workerUrl('./pglite-worker.js', import.meta.url), { workerData: data, execArgv: [] });
  const database = new PgliteDatabase(worker, lock);
  try {
    await database.opened;
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

export class PgliteDatabase implements Database {
  readonly name = 'pglite';
  /** @internal Resolves when the database answers. */
  readonly opened: Promise<unknown>;
  /** Resolves when the thread has ended. */
  readonly lost: Promise<void>;
  private readonly turns = new Turns();
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Map<string, Set<(payload: string) => void>>();
  private nextId = 1;
  private failure: Error | null = null;
  private closing: Promise<void> | null = null;

  constructor(
    private readonly worker: Worker,
    private readonly lock: FolderLock,
  ) {
    this.opened = this.answerTo(0, PGLITE_OPEN_MS_MAX);
    this.opened.catch(() => {});
    this.lost = new Promise((ended) => worker.once('exit', () => ended()));
    worker.on('message', (answer: PgliteAnswer) => this.take(answer));
    worker.on('error', (error) => this.fail(unavailable('the thread of the database failed', error)));
    worker.on('exit', () => this.fail(unavailable('the thread of the database has ended')));
  }

  async query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]> {
    return this.turns.take(() => this.run<T>(sql, parameters));
  }

  async transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return withRetries(() => this.turns.take(() => this.oneTransaction(work, options)));
  }

  copyIn: Database['copyIn'] = insertPacked;

  async dedicated(): Promise<DedicatedSession> {
    return new PgliteView(this);
  }

  /** Calls `onNotify` with every notification of a channel; returns what ends that. */
  async listen(channel: string, onNotify: (payload: string) => void): Promise<() => void> {
    const known = this.listeners.get(channel);
    const listeners = known ?? new Set();
    listeners.add(onNotify);
    this.listeners.set(channel, listeners);
    if (known === undefined) await this.turns.take(() => this.order({ kind: 'listen', channel }));
    return () => listeners.delete(onNotify);
  }

  /** The table at the settled seq, built on the thread of the database. Nothing else is done meanwhile. */
  async buildTable(signal: AbortSignal): Promise<LoadedTable> {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const onAbort = () => Atomics.store(stop, 0, 1);
    signal.addEventListener('abort', onAbort);
    try {
      return await this.turns.take(async () => {
        if (signal.aborted) throw new GateError('sync.closed');
        const answer = await this.order({ kind: 'build', stop });
        if (answer.kind !== 'table') throw new Error('unreachable: a build is answered with a table');
        return answer.table;
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  close(): Promise<void> {
    this.closing ??= this.closeInOrder();
    return this.closing;
  }

  private async closeInOrder(): Promise<void> {
    if (this.failure === null) {
      const closed = this.turns.take(() => this.order({ kind: 'close' }, PGLITE_CLOSE_MS_MAX));
      await closed.catch(() => {});
    }
    await this.worker.terminate();
    this.fail(unavailable('closed'));
    this.lock.release();
  }

  private async run<T>(sql: string, parameters: readonly unknown[] = []): Promise<readonly T[]> {
    const answer = await this.order({ kind: 'query', sql, parameters });
    if (answer.kind !== 'rows') throw new Error('unreachable: a query is answered with rows');
    if (answer.isRolledBack === true) throw new SqlError('25P02', null, 'the transaction had failed before COMMIT');
    return answer.rows as readonly T[];
  }

  private async oneTransaction<T>(
    work: (session: Session) => Promise<T>,
    { isSnapshot = false }: TransactionOptions = {},
  ): Promise<T> {
    await this.run(
      isSnapshot ? 'begin isolation level repeatable read read only' : 'begin isolation level read committed',
    );
    const turn = new TransactionTurn((sql, parameters) => this.run(sql, parameters));
    try {
      const result = await Promise.race([work(turn), turn.abandoned]);
      await this.run('commit');
      return result;
    } catch (error) {
      await this.run('rollback').catch(() => {});
      throw error;
    } finally {
      turn.end();
    }
  }

  private order(body: OrderBody, waitMs = PGLITE_STATEMENT_MS_MAX): Promise<PgliteAnswer> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const id = this.nextId++;
    const answer = this.answerTo(id, waitMs);
    this.worker.postMessage({ ...body, id });
    return answer;
  }

  private async answerTo(id: number, waitMs: number): Promise<PgliteAnswer> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.pending.set(id, { resolve, reject });
        timer = setTimeout(() => {
          this.fail(unavailable('no answer within the deadline'));
          void this.worker.terminate();
        }, waitMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  private take(answer: PgliteAnswer): void {
    if (answer.kind === 'notify') {
      for (const listener of this.listeners.get(answer.channel) ?? []) listener(answer.payload);
      return;
    }
    const id = answer.kind === 'ready' ? 0 : answer.id;
    const pending = this.pending.get(id);
    this.pending.delete(id);
    if (answer.kind === 'error') pending?.reject(unpostedError(answer.error));
    else pending?.resolve(answer);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.pending.values()) reject(this.failure);
    this.pending.clear();
  }
}

/** What a transaction's work gets to see of the connection, for as long as its turn lasts. */
class TransactionTurn implements Session {
  /** Rejects when the work does nothing for too long: all others wait for it. */
  readonly abandoned: Promise<never>;
  private isOver = false;
  private idle: NodeJS.Timeout | undefined;
  private abandon: (error: Error) => void = () => {};

  constructor(private readonly run: <T>(sql: string, parameters?: readonly unknown[]) => Promise<readonly T[]>) {
    this.abandoned = new Promise((_, reject) => {
      this.abandon = reject;
    });
    this.abandoned.catch(() => {});
    this.waitForWork();
  }

  async query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]> {
    if (this.isOver) throw unavailable('the transaction is over');
    clearTimeout(this.idle);
    try {
      return await this.run<T>(sql, parameters);
    } finally {
      if (!this.isOver) this.waitForWork();
    }
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.idle);
  }

  private waitForWork(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => {
      this.isOver = true;
      this.abandon(unavailable('the transaction stood still for too long'));
    }, IDLE_TRANSACTION_MS_MAX);
  }
}

class PgliteView implements DedicatedSession {
  readonly lost: Promise<void>;
  private readonly endings = new Set<() => void>();

  constructor(private readonly database: PgliteDatabase) {
    const closed = new Promise<void>((ended) => this.endings.add(ended));
    this.lost = Promise.race([database.lost, closed]);
  }

  query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]> {
    return this.database.query<T>(sql, parameters);
  }

  transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return this.database.transaction(work, options);
  }

  async listen(channel: string, onNotify: (payload: string) => void): Promise<void> {
    this.endings.add(await this.database.listen(channel, onNotify));
  }

  async close(): Promise<void> {
    for (const end of this.endings) end();
  }
}
