/**
 * Metrics of the table and of what keeps it in step with the ledger.
 * @module
 */
import type { FollowerState } from '../../sync/index.js';
import { byLabel, histogram, known, type MetricRow, NO_SAMPLES, one, seconds } from './metric-row.js';

const STATES: readonly FollowerState[] = ['empty', 'last_good', 'live', 'soft_stale', 'hard_stale'];

export const SYNC_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_table_entries',
    type: 'gauge',
    unit: 'entries',
    labels: [],
    help: 'Suppression keys in the table in use.',
    read: ({ follower }) => known(follower?.entryCount),
  },
  {
    name: 'optgate_table_bytes',
    type: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'Memory of the table in use.',
    read: ({ follower }) => known(follower?.bytes),
  },
  {
    name: 'optgate_table_seq',
    type: 'gauge',
    unit: 'seq',
    labels: [],
    help: 'Position in the change log of the table in use, the seq that decisions name. Absent without a table.',
    read: ({ follower }) => known(follower?.position?.seq),
  },
  {
    name: 'optgate_table_freshness_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'Age of what the table is known to be complete to. Absent while nobody has said.',
    read: ({ follower }) => known(seconds(follower?.freshnessMs)),
  },
  {
    name: 'optgate_sync_state',
    type: 'gauge',
    unit: '1 or 0',
    labels: ['state'],
    help: 'State of the follower: 1 for the one it is in, 0 for the others.',
    read: ({ follower }) =>
      follower === null
        ? NO_SAMPLES
        : STATES.map((state) => ({ labels: { state }, value: state === follower.state ? 1 : 0 })),
  },
  {
    name: 'optgate_sync_head_seq',
    type: 'gauge',
    unit: 'seq',
    labels: [],
    help: 'Newest seq the source is known to have. Absent before it has answered.',
    read: ({ follower }) => known(follower?.headSeq),
  },
  {
    name: 'optgate_sync_applied_seq',
    type: 'gauge',
    unit: 'seq',
    labels: [],
    help: 'Seq up to which changes are applied. Absent without a table.',
    read: ({ follower }) => known(follower?.position?.seq),
  },
  {
    name: 'optgate_sync_seq_lag',
    type: 'gauge',
    unit: 'entries',
    labels: [],
    help: 'Entries of the change log that are known and not applied yet.',
    read: ({ follower }) => known(follower?.seqLag),
  },
  {
    name: 'optgate_sync_applied_total',
    type: 'counter',
    unit: 'entries',
    labels: [],
    help: 'Entries of the change log applied since the start.',
    read: ({ follower }) => known(follower?.appliedCount),
  },
  {
    name: 'optgate_sync_failures_total',
    type: 'counter',
    unit: 'failures',
    labels: ['code'],
    help: 'What failed while following, by error code; refused snapshots are among them.',
    read: ({ follower }) => (follower === null ? NO_SAMPLES : byLabel('code', follower.failureCounts)),
  },
  {
    name: 'optgate_sync_refused_total',
    type: 'counter',
    unit: 'snapshots',
    labels: ['code'],
    help: 'Snapshots that were not put into use, by error code; the table in use stayed.',
    read: ({ follower }) => (follower === null ? NO_SAMPLES : byLabel('code', follower.refusedCounts)),
  },
  {
    name: 'optgate_sync_consecutive_failures',
    type: 'gauge',
    unit: 'failures',
    labels: [],
    help: 'Failures in a row; 0 while following works.',
    read: ({ follower }) => (follower === null ? NO_SAMPLES : one(follower.lastError?.consecutiveCount ?? 0)),
  },
  {
    name: 'optgate_sync_resyncs_total',
    type: 'counter',
    unit: 'snapshots',
    labels: [],
    help: 'Snapshots put into use because following could not go on.',
    read: ({ follower }) => known(follower?.resyncCount),
  },
  {
    name: 'optgate_sync_repairs_total',
    type: 'counter',
    unit: 'snapshots',
    labels: [],
    help: 'Those of them that put right a table that was not what the ledger had.',
    read: ({ follower }) => known(follower?.repairCount),
  },
  {
    name: 'optgate_sync_report_failures_total',
    type: 'counter',
    unit: 'reports',
    labels: [],
    help: 'Reports of the applied seq that did not reach the source.',
    read: ({ follower }) => known(follower?.reportFailureCount),
  },
  {
    name: 'optgate_canary_seconds',
    type: 'histogram',
    unit: 'seconds',
    labels: [],
    help: 'Time to effect: from a synthetic opt-out in the ledger until it was in force here.',
    read: ({ follower }) => {
      if (follower === null) return NO_SAMPLES;
      const { boundsMs, counts, sumMs } = follower.canaryLatency;
      return histogram({}, boundsMs, counts, sumMs);
    },
  },
  {
    name: 'optgate_canary_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'Time since the last canary came. Absent before the first.',
    read: ({ canary }) => known(seconds(canary?.ageMs)),
  },
  {
    name: 'optgate_canary_not_in_force_total',
    type: 'counter',
    unit: 'canaries',
    labels: [],
    help: 'Canaries that came and were not in force: opt-outs do not work.',
    read: ({ canary }) => known(canary?.notInForceCount),
  },
  {
    name: 'optgate_ledger_horizon_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'How long the oldest entry of the ledger has waited for its place in the log. Only where this process gives out places.',
    read: ({ horizonLagMs }) => known(seconds(horizonLagMs)),
  },
];
