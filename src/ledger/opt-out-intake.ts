/**
 * Opt-outs that come at the same time share a transaction: those that arrive while others are being committed are written
 * together. Nobody waits for a group to fill.
 *
 * What must stay true: each is answered when it is committed, and fails by its own fault only. A group that did not come
 * about is written one by one, unless it may have been committed: then nobody knows, and each is told so.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { LedgerContext } from './context.js';
import { type Database, unavailable } from './database.js';
import { keyTransaction } from './entry.js';
import type { RequestOrigin } from './key-rows.js';
import {
  OPT_OUT_GROUP_KEYS_MAX,
  OPT_OUT_GROUP_LOCK_MS_MAX,
  OPT_OUT_GROUP_MAX,
  OPT_OUT_GROUPS_IN_FLIGHT,
  OPT_OUT_WAIT_MS_MAX,
} from './limits.js';
import { type NewOptOut, writeOptOuts } from './opt-out-group.js';

interface Waiting {
  readonly context: LedgerContext;
  readonly optOut: NewOptOut;
  /** Writes it in a transaction of its own. */
  readonly alone: () => Promise<RequestOrigin | null>;
  readonly endMs: number;
  readonly resolve: (origin: RequestOrigin | null) => void;
  readonly reject: (error: unknown) => void;
}

/** How far the transaction of a group has come. */
type Stage = 'outside' | 'writing' | 'committing';

export class OptOutIntake {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #queue: Waiting[] = [];
  #inFlight = 0;
  #isStarting = false;
  #timer: NodeJS.Timeout | null = null;

  /** @param now A clock that only goes forward, in ms. */
  constructor(database: Database, now: () => number = () => performance.now()) {
    this.#database = database;
    this.#now = now;
  }

  /**
   * Writes an opt-out, with whichever others there are; `null`: its idempotency key was used before, by what is committed.
   * @throws what writing it alone throws; {GateError} `ledger.unavailable`.
   */
  write(
    context: LedgerContext,
    optOut: NewOptOut,
    alone: () => Promise<RequestOrigin | null>,
  ): Promise<RequestOrigin | null> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ context, optOut, alone, endMs: this.#now() + OPT_OUT_WAIT_MS_MAX, resolve, reject });
      this.#watchHead();
      this.#start();
    });
  }

  /** Once whoever is going to call in this turn of the event loop has called. */
  #start(): void {
    if (this.#isStarting || this.#inFlight >= OPT_OUT_GROUPS_IN_FLIGHT) return;
    this.#isStarting = true;
    setImmediate(() => {
      this.#isStarting = false;
      const group = this.#take();
      if (group.length === 0) return;
      this.#inFlight++;
      void this.#writeGroup(group).finally(() => {
        this.#inFlight--;
        this.#start();
      });
      this.#start();
    });
  }

  /** The next group, in the order of arrival: as far as the limits go, and up to the first that shares a key with one in it. */
  #take(): readonly Waiting[] {
    const keys = new Set<bigint>();
    let count = 0;
    for (const { optOut } of this.#queue) {
      const own = optOut.keys.sqlKeys();
      if (count === OPT_OUT_GROUP_MAX || own.some((key) => keys.has(key))) break;
      if (count > 0 && keys.size + own.length > OPT_OUT_GROUP_KEYS_MAX) break;
      for (const key of own) keys.add(key);
      count++;
    }
    const group = this.#queue.splice(0, count);
    this.#watchHead();
    return group;
  }

  /** Never throws. Resolves when the group holds no place any more; who is written alone may be under way still. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    let stage: Stage = 'outside';
    try {
      const origins = await this.#transaction(first.context, group, (reached) => {
        stage = reached;
      });
      for (const [index, { resolve }] of group.entries()) resolve(origins[index] ?? null);
    } catch (error) {
      const isForAll = error instanceof GateError && ((stage as Stage) !== 'writing' || group.length === 1);
      for (const { alone, resolve, reject } of group) isForAll ? reject(error) : void alone().then(resolve, reject);
    }
  }

  /** One try; whatever is in its way is in the way of some of the group only. */
  #transaction(
    context: LedgerContext,
    group: readonly Waiting[],
    reached: (stage: Stage) => void,
  ): Promise<readonly (RequestOrigin | null)[]> {
    const optOuts = group.map(({ optOut }) => optOut);
    return keyTransaction(
      this.#database,
      async (session) => {
        reached('writing');
        const origins = await writeOptOuts(session, context, optOuts);
        reached('committing');
        return origins;
      },
      { lockMsMax: OPT_OUT_GROUP_LOCK_MS_MAX },
    );
  }

  /** As somebody who waits for a connection: not for ever. */
  #watchHead(): void {
    if (this.#timer !== null) return;
    const [head] = this.#queue;
    if (head === undefined) return;
    this.#timer = setTimeout(() => this.#endWaits(), Math.max(1, head.endMs - this.#now()));
    this.#timer.unref(); // while somebody waits, groups are under way
  }

  #endWaits(): void {
    this.#timer = null;
    const nowMs = this.#now();
    const overCount = this.#queue.findIndex(({ endMs }) => endMs > nowMs);
    const over = this.#queue.splice(0, overCount < 0 ? this.#queue.length : overCount);
    for (const { reject } of over) reject(unavailable('no connection'));
    this.#watchHead();
  }
}
