/**
 * One table for every thread of a process: the thread that follows the ledger shares it, the others attach to it.
 *
 * A worker looks up in the very memory the parent writes to, so it is never behind it. When the parent puts a larger or a
 * newer table in its place, each worker is told, moves over, and says so; only then does the parent let go of the table
 * before. A worker that does not answer keeps a table that gets no more writes and says `table.stale`.
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

/** From the parent. */
interface TableMessage {
  readonly generation: number;
  readonly table: TableShare;
}

/** From the worker, when nothing there reads an earlier table any more. */
interface MovedMessage {
  readonly movedTo: number;
}

/** The parent's side: keeps count of who reads which table. */
export class ShareHub {
  private readonly readers = new Map<MessagePort, number>();
  private readonly endSwaps: () => void;
  private generation = 0;

  constructor(
    private readonly holder: TableHolder,
    private readonly policy: Policy,
  ) {
    this.endSwaps = holder.onSwap(({ share }) => {
      this.generation++;
      if (this.readers.size === 0) holder.releasePrevious();
      for (const port of this.readers.keys()) {
        port.postMessage({ generation: this.generation, table: share } satisfies TableMessage);
      }
    });
  }

  share(): SharedGate {
    const { port1, port2 } = new MessageChannel();
    this.readers.set(port1, this.generation);
    port1.on('message', ({ movedTo }: MovedMessage) => {
      this.readers.set(port1, movedTo);
      this.releaseIfMoved();
    });
    port1.on('close', () => {
      this.readers.delete(port1);
      this.releaseIfMoved();
    });
    port1.unref();
    return { table: this.holder.current?.share() ?? null, policy: this.policy, port: port2 };
  }

  get readerCount(): number {
    return this.readers.size;
  }

  close(): void {
    this.endSwaps();
    for (const port of this.readers.keys()) port.close();
  }

  private releaseIfMoved(): void {
    for (const generation of this.readers.values()) if (generation < this.generation) return;
    this.holder.releasePrevious();
  }
}

/** A gate over a table that another thread keeps up to date. */
export class AttachedGate extends Gate {
  readonly #port: MessagePort;

  constructor(options: GateOptions, port: MessagePort) {
    super(options);
    this.#port = port;
  }

  /** Lets go of the shared table; the parent stops waiting for this thread. */
  close(): void {
    this.#port.close();
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
  const { table, port } = shared ?? {};
  if (typeof port?.postMessage !== 'function') throw new TypeError('shared: expected what gate.share() returned');
  const holder = new TableHolder(table === null ? {} : { table: SuppressionTable.attach(table) });
  port.on('message', (message: TableMessage) => {
    holder.replace(SuppressionTable.attach(message.table));
    port.postMessage({ movedTo: message.generation } satisfies MovedMessage);
  });
  port.unref();
  return new AttachedGate({ ...options, policy: options.policy ?? parsePolicy(shared.policy), table: holder }, port);
}
