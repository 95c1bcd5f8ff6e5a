/**
 * What a row of the table of metrics is, and what it is read from.
 * @module
 */
import type { FollowerStatus } from '../../sync/index.js';
import type { CanaryState } from './canary-watch.js';
import type { DecisionLogState } from './decision-log.js';
import type { PageCount } from './page-counts.js';
import type { ThreadState } from './thread-state.js';
import type { TrailState } from './trail-watch.js';

/** What metrics are made from: the state at one moment. `null`: this process has none. */
export interface MetricInputs {
  readonly threads: ThreadState;
  readonly follower: FollowerStatus | null;
  readonly canary: CanaryState | null;
  readonly decisionLog: DecisionLogState | null;
  readonly policy: PolicyState;
  readonly isReady: boolean;
  readonly isDraining: boolean;
  readonly version: string;
  /** How long the oldest entry of the ledger has waited for its place; `null`: not the sequencer. */
  readonly horizonLagMs: number | null;
  /** `null`: this process does not deliver. */
  readonly webhooks: readonly WebhookState[] | null;
  /** `null`: this process does not sign. */
  readonly trail: TrailState | null;
  readonly pages: readonly PageCount[];
}

/** One webhook, as the process that delivers knows it. */
export interface WebhookState {
  readonly id: string;
  readonly isEnabled: boolean;
  readonly behindCount: number;
  /** Age of the oldest event that is not done with; 0: there is none. */
  readonly behindMs: number;
  readonly deadCount: number;
  /** Since the start of this process. */
  readonly deliveredCount: number;
  readonly failedCount: number;
}

export interface PolicyState {
  readonly version: string;
  /** Reloads that were refused; the policy before stayed. */
  readonly reloadFailureCount: number;
  /** The last reload was refused. */
  readonly isLastReloadFailed: boolean;
}

type Labels = Readonly<Record<string, string>>;
/** `suffix`: `_bucket`, `_sum` or `_count` of a histogram. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly labels: readonly string[];
  readonly help: string;
  read(inputs: MetricInputs): readonly Sample[];
}

export const NO_SAMPLES: readonly Sample[] = [];

export const one = (value: number, labels: Labels = {}): readonly Sample[] => [{ labels, value }];
export const flag = (value: boolean): readonly Sample[] => one(value ? 1 : 0);
/** Nothing where it is not known: a 0 would be a claim. */
export const known = (value: number | null | undefined): readonly Sample[] =>
  value === null || value === undefined ? NO_SAMPLES : one(value);
export const seconds = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : ms / 1000);
export const byLabel = (label: string, counts: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));

/** Samples of one series of a histogram. */
export function histogram(
  labels: Labels,
  boundsMs: readonly number[],
  counts: readonly number[],
  sumMs: number,
): readonly Sample[] {
  let below = 0;
  const buckets = counts.map((count, index): Sample => {
    below += count;
    const bound = boundsMs[index];
    return {
      labels: { ...labels, le: bound === undefined ? '+Inf' : inSeconds(bound) },
      value: below,
      suffix: '_bucket',
    };
  });
  return [...buckets, { labels, value: sumMs / 1000, suffix: '_sum' }, { labels, value: below, suffix: '_count' }];
}

/** Without the digits that a division adds: 0.002 ms is 0.000002 s, not 0.0000020000000000000003. */
function inSeconds(boundMs: number): string {
  return String(Number((boundMs / 1000).toPrecision(6)));
}
