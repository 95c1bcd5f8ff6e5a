/**
 * States of a whole sidecar, for what is made from them.
 * @module
 */
import type { MetricInputs } from '../../../src/sidecar/observe/metric-row.js';
import { mergeThreadStates } from '../../../src/sidecar/observe/thread-state.js';
import { type FollowerStatus, Histogram } from '../../../src/sync/index.js';

export function followerStatus(rest: Partial<FollowerStatus>): FollowerStatus {
  return {
    state: 'live',
    sinceMs: 0,
    source: 'ledger',
    position: { epoch: 'epoch-1', seq: 41 },
    headSeq: 43,
    seqLag: 2,
    freshnessMs: 1500,
    lastError: null,
    pinSeq: null,
    entryCount: 1000,
    bytes: 65_536,
    versionCount: 0,
    appliedCount: 12,
    resyncCount: 1,
    repairCount: 0,
    refusedCounts: {},
    failureCounts: {},
    reportFailureCount: 0,
    lastSnapshotSeq: null,
    canaryLatency: new Histogram().state(),
    store: null,
    ...rest,
  };
}

/** A sidecar in which nothing has happened and nothing is there. */
export function metricInputs(rest: Partial<MetricInputs> = {}): MetricInputs {
  return {
    threads: mergeThreadStates([]),
    follower: null,
    canary: null,
    decisionLog: null,
    policy: { version: 'default-1', reloadFailureCount: 0, isLastReloadFailed: false },
    isReady: false,
    isDraining: false,
    version: '0.1.0',
    horizonLagMs: null,
    trail: null,
    pages: [],
    webhooks: null,
    ...rest,
  };
}
