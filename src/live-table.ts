/**
 * A table that follows a source, and everyone in this process who reads it: what the library's gate and the sidecar share.
 * @module
 */
import type { Policy } from './core/policy/policy.js';
import { TableHolder } from './core/suppression/index.js';
import { type SharedGate, ShareHub } from './gate-share.js';
import {
  Follower,
  type FollowerEvent,
  type FollowerEvents,
  type FollowerOptions,
  type FollowerStatus,
} from './sync/index.js';

export interface LiveTableOptions extends Omit<FollowerOptions, 'holder' | 'hardStaleAfterMs'> {
  /** Says when the table is hard stale; and threads decide by it that attach without a policy of their own. */
  readonly policy: Policy;
}

export interface LiveTableStatus extends FollowerStatus {
  /** Worker threads that share the table. */
  readonly attachedCount: number;
}

export class LiveTable {
  readonly holder = new TableHolder();
  readonly #follower: Follower;
  readonly #hub: ShareHub;

  /** Throws a TypeError or RangeError for options that make no sense. */
  constructor({ policy, ...options }: LiveTableOptions) {
    this.#follower = new Follower({ ...options, holder: this.holder, hardStaleAfterMs: policy.table.staleAfterMs });
    this.#hub = new ShareHub(this.holder, policy, (token, waitMs) => this.reach(token, waitMs));
  }

  /** As {@link Follower.start}. */
  start(): Promise<void> {
    return this.#follower.start();
  }

  /** Where the table stands: state, since when, position, lag, age, last error. */
  status(): LiveTableStatus {
    return { ...this.#follower.status(), attachedCount: this.#hub.readerCount };
  }

  /** Calls `listener` at every such event from now on; returns what ends that. */
  on<Name extends FollowerEvent>(event: Name, listener: (event: FollowerEvents[Name]) => void): () => void {
    return this.#follower.on(event, listener);
  }

  /** As {@link Follower.reach}. */
  reach(token: string, waitMs: number): Promise<boolean> {
    return this.#follower.reach(token, waitMs);
  }

  /** As {@link Follower.pin}. */
  pin(seq: number | null): void {
    this.#follower.pin(seq);
  }

  /** For one worker thread: post it with `port` in the transfer list, and attach there. */
  share(): SharedGate {
    return this.#hub.share();
  }

  /** What threads decide by from now on; resolves when each of them does, or has gone. */
  usePolicy(policy: Policy): Promise<void> {
    this.#follower.hardStaleAfter(policy.table.staleAfterMs);
    return this.#hub.usePolicy(policy);
  }

  /** Stops following and lets go of the source. The table stays, and turns stale in time. */
  async close(): Promise<void> {
    this.#hub.close();
    await this.#follower.close();
  }
}
