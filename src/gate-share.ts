/**
 * One table for every thread of a process: the thread that follows the ledger shares it, the others attach to it.
 *
 * A worker looks up in the very memory the parent writes to, so it is never behind it. When the parent puts a larger or a
 * newer table in its place, each worker is told, moves over, and says so; only then does the parent let go of the table
 * before. A worker that does not answer keeps a table that gets no more writes and says `table.stale`.
 *
 * Messages of one port arrive in the order they were sent: a worker that is told of a token's table has it in place.
 * @module
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Gate, type GateOptions } from './core/gate.js';
import type { Policy } from './core/policy/policy.js';
import { SuppressionTable, TableHolder, type TableShare } from './core/suppression/index.js';
import { parsePolicy } from './policy-file.js';

/** What a worker needs to attach. Post it with its port in the transfer list; it serves one worker. */
export interface SharedGate {
  readonly table: TableShare | null;
  readonly policy: Policy;
  readonly port: MessagePort;
}

type FromParent =
  | { readonly kind: 'table'; readonly generation: number; readonly table: TableShare }
  | { readonly kind: 'policy'; readonly generation: number; readonly policy: Policy }
  | { readonly kind: 'reached'; readonly id: number; readonly hasReached: boolean };

type FromWorker =
  /** Nothing there reads an earlier table any more. */
  | { readonly kind: 'moved'; readonly generation: number }
  /** Nothing there decides by an earlier policy any more. */
  | { readonly kind: 'decides'; readonly generation: number }
  | { readonly kind: 'reach'; readonly id: number; readonly token: string; readonly waitMs: number };

/** How far a worker has followed its parent. */
interface Reader {
  table: number;
  policy: number;
}

/** The parent's side: keeps count of who reads which table, and decides by which policy. */
export class ShareHub {
  private readonly readers = new Map<MessagePort, Reader>();
  private readonly policyWaiters = new Set<() => void>();
  private readonly endSwaps: () => void;
  private tableGeneration = 0;
  private policyGeneration = 0;

  constructor(
    private readonly holder: TableHolder,
    private policy: Policy,
    private readonly reach: (token: string, waitMs: number) => Promise<boolean>,
  ) {
    this.endSwaps = holder.onSwap(({ share }) => {
      this.tableGeneration++;
      if (this.readers.size === 0) holder.releasePrevious();
      this.tell({ kind: 'table', generation: this.tableGeneration, table: share });
    });
  }

  share(): SharedGate {
    const { port1, port2 } = new MessageChannel();
    this.readers.set(port1, { table: this.tableGeneration, policy: this.policyGeneration });
    port1.on('message', (message: FromWorker) => this.hear(port1, message));
    port1.on('close', () => {
      this.readers.delete(port1);
      this.settle();
    });
    port1.unref();
    return { table: this.holder.current?.share() ?? null, policy: this.policy, port: port2 };
  }

  get readerCount(): number {
    return this.readers.size;
  }

  /** Resolves when every worker decides by it, or has gone. */
  usePolicy(policy: Policy): Promise<void> {
    this.policy = policy;
    this.policyGeneration++;
    this.tell({ kind: 'policy', generation: this.policyGeneration, policy });
    return new Promise((resolve) => {
      const generation = this.policyGeneration;
      const check = () => {
        for (const reader of this.readers.values()) if (reader.policy < generation) return;
        this.policyWaiters.delete(check);
        resolve();
      };
      this.policyWaiters.add(check);
      check();
    });
  }

  close(): void {
    this.endSwaps();
    for (const port of this.readers.keys()) port.close();
  }

  private tell(message: FromParent): void {
    for (const port of this.readers.keys()) port.postMessage(message);
  }

  private hear(port: MessagePort, message: FromWorker): void {
    const reader = this.readers.get(port);
    if (reader === undefined) return;
    switch (message.kind) {
      case 'moved':
        reader.table = message.generation;
        this.settle();
        break;
      case 'decides':
        reader.policy = message.generation;
        this.settle();
        break;
      case 'reach':
        void this.reach(message.token, message.waitMs).then((hasReached) => {
          port.postMessage({ kind: 'reached', id: message.id, hasReached } satisfies FromParent);
        });
        break;
      default:
        message satisfies never;
    }
  }

  private settle(): void {
    for (const check of [...this.policyWaiters]) check();
    for (const { table } of this.readers.values()) if (table < this.tableGeneration) return;
    this.holder.releasePrevious();
  }
}

/** The worker's side: the table of the moment, and the policy of the moment. Does not keep the thread alive. */
export class SharedTable {
  readonly holder: TableHolder;
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, (hasReached: boolean) => void>();
  #policy: Policy;
  #onPolicy: (policy: Policy) => void = () => {};
  #lastId = 0;

  /** @throws {TypeError} where the argument is not what `share()` returned. */
  constructor(shared: SharedGate) {
    const { table, port } = shared ?? {};
    if (typeof port?.postMessage !== 'function') throw new TypeError('shared: expected what gate.share() returned');
    this.holder = new TableHolder(table === null ? {} : { table: SuppressionTable.attach(table) });
    this.#policy = parsePolicy(shared.policy);
    this.#port = port;
    port.on('message', (message: FromParent) => this.#hear(message));
    port.on('close', () => this.#endWaits());
    port.unref();
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** `listener` puts every policy that comes into force; the parent hears of it when it returns. */
  onPolicy(listener: (policy: Policy) => void): void {
    this.#onPolicy = listener;
  }

  /** Resolves true as soon as the parent's table has reached a token `epoch.seq`, false after `waitMs`. Never throws. */
  reach(token: string, waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, resolve);
      this.#say({ kind: 'reach', id, token, waitMs });
    });
  }

  /** Lets go of the shared table; the parent stops waiting for this thread. */
  close(): void {
    this.#port.close();
  }

  #hear(message: FromParent): void {
    switch (message.kind) {
      case 'table':
        this.holder.replace(SuppressionTable.attach(message.table));
        this.#say({ kind: 'moved', generation: message.generation });
        break;
      case 'policy':
        this.#policy = parsePolicy(message.policy);
        this.#onPolicy(this.#policy);
        this.#say({ kind: 'decides', generation: message.generation });
        break;
      case 'reached':
        this.#waiting.get(message.id)?.(message.hasReached);
        this.#waiting.delete(message.id);
        break;
      default:
        message satisfies never;
    }
  }

  #say(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  #endWaits(): void {
    for (const end of this.#waiting.values()) end(false);
    this.#waiting.clear();
  }
}

/** A gate over a table that another thread keeps up to date. */
export class AttachedGate extends Gate {
  readonly #table: SharedTable;

  constructor(options: GateOptions, table: SharedTable) {
    super(options);
    this.#table = table;
  }

  /** Lets go of the shared table; the parent stops waiting for this thread. */
  close(): void {
    this.#table.close();
  }
}

/**
 * The gate in a worker thread, over the parent's table and, unless told otherwise, under the parent's policy.
 *
 * Until the parent has a table it answers `table.not_loaded`, as the parent does. Does not keep the thread alive.
 * @throws {TypeError} where the argument is not what `gate.share()` returned.
 * @example
 * // parent
 * const shared = gate.share();
 * new Worker('./bidder.js', { workerData: shared, transferList: [shared.port] });
 * // worker
 * const gate = attachGate(workerData);
 */
export function attachGate(shared: SharedGate, options: Omit<GateOptions, 'table'> = {}): AttachedGate {
  const table = new SharedTable(shared);
  return new AttachedGate({ ...options, policy: options.policy ?? table.policy, table: table.holder }, table);
}
