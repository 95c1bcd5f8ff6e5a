/**
 * Whether this process lives, and whether requests should be sent to it.
 *
 * Ready means that data has been *applied*: a table was put into use. That of the local folder (`last_good`) counts, so
 * that a machine can start while the ledger is away: its hits are right however old they are, and its misses are judged by
 * the policy's `onStale`. It stays ready from then on: an upstream that fails takes the age with it, and must not take
 * every sidecar out of rotation at once. Who wants age to count asks with a limit.
 * @module
 */
import type { FollowerStatus } from '../../sync/index.js';

export type Readiness = { readonly kind: 'ready' } | NotReady;
export interface NotReady {
  readonly kind: 'not_ready';
  /**
   * - `draining`: the process was told to end.
   * - `table.not_loaded`: there is no table yet.
   * - `table.freshness_unknown`: a limit was asked for, and nobody said how old the table is (a set in a file).
   * - `table.stale`: it is older than the limit that was asked for.
   */
  readonly reason: 'draining' | 'table.not_loaded' | 'table.freshness_unknown' | 'table.stale';
  readonly detail: string;
}

export interface ReadinessQuestion {
  /** The table must be known to be complete to within this. */
  readonly maxStalenessMs?: number | undefined;
}

export interface HealthOptions {
  /** `null`: there is no follower yet. */
  readonly follower: () => Pick<FollowerStatus, 'state' | 'freshnessMs'> | null;
}

export class Health {
  readonly #follower: HealthOptions['follower'];
  #hasApplied = false;
  #isDraining = false;

  constructor({ follower }: HealthOptions) {
    this.#follower = follower;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on not ready: the process is about to end. */
  drain(): void {
    this.#isDraining = true;
  }

  /** The process answers, so it lives; nothing else is looked at. */
  healthz(): { readonly kind: 'alive' } {
    return { kind: 'alive' };
  }

  readiness({ maxStalenessMs }: ReadinessQuestion = {}): Readiness {
    const status = this.#follower();
    if (status !== null && status.state !== 'empty') this.#hasApplied = true;
    if (this.#isDraining) return notReady('draining', 'the process is about to end');
    if (!this.#hasApplied) return notReady('table.not_loaded', 'no table has been put into use yet');
    if (maxStalenessMs === undefined) return { kind: 'ready' };
    const ageMs = status?.freshnessMs ?? null;
    if (ageMs === null) return notReady('table.freshness_unknown', 'nobody has said how old the table is');
    if (ageMs <= maxStalenessMs) return { kind: 'ready' };
    return notReady('table.stale', `the table is ${inSeconds(ageMs)} old, more than ${inSeconds(maxStalenessMs)}`);
  }
}

function notReady(reason: NotReady['reason'], detail: string): NotReady {
  return { kind: 'not_ready', reason, detail };
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
