/**
 * Metrics of the process: memo, event loop, load, decision log, policy.
 * @module
 */
import { shedCountOf } from './door-counts.js';
import { byLabel, flag, known, type MetricRow, NO_SAMPLES, one } from './metric-row.js';

export const PROCESS_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_memo_hits_total',
    type: 'counter',
    unit: 'lookups',
    labels: [],
    help: 'GPP strings whose verdict was remembered.',
    read: ({ threads }) => one(threads.memo.hits),
  },
  {
    name: 'optgate_memo_misses_total',
    type: 'counter',
    unit: 'lookups',
    labels: [],
    help: 'GPP strings that had to be judged.',
    read: ({ threads }) => one(threads.memo.misses),
  },
  {
    name: 'optgate_memo_entries',
    type: 'gauge',
    unit: 'entries',
    labels: [],
    help: 'Verdicts remembered, of all threads together.',
    read: ({ threads }) => one(threads.memo.entryCount),
  },
  {
    name: 'optgate_eventloop_delay_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: ['stat'],
    help: 'How late the event loop was in the last 30 s: p50, p99, max; of several threads the worst.',
    read: ({ threads }) => {
      const { delayP50Ms, delayP99Ms, delayMaxMs } = threads.eventLoop;
      return byLabel('stat', { p50: delayP50Ms / 1000, p99: delayP99Ms / 1000, max: delayMaxMs / 1000 });
    },
  },
  {
    name: 'optgate_eventloop_utilization',
    type: 'gauge',
    unit: '0 to 1',
    labels: [],
    help: 'Share of the last 30 s in which the event loop was busy; of several threads the busiest.',
    read: ({ threads }) => one(threads.eventLoop.utilization),
  },
  {
    name: 'optgate_shedding',
    type: 'gauge',
    unit: '1 or 0',
    labels: [],
    help: '1 while a thread answers "busy" because it has more work than it can do.',
    read: ({ threads }) => flag(threads.shedding.isShedding),
  },
  {
    name: 'optgate_shed_total',
    type: 'counter',
    unit: 'requests',
    labels: [],
    help: 'Requests that were answered "busy" because of the load.',
    read: ({ threads }) => one(shedCountOf(threads.doors)),
  },
  {
    name: 'optgate_shed_onsets_total',
    type: 'counter',
    unit: 'times',
    labels: [],
    help: 'How often shedding began because the event loop was late.',
    read: ({ threads }) => one(threads.shedding.onsetCount),
  },
  {
    name: 'optgate_decision_log_records_total',
    type: 'counter',
    unit: 'records',
    labels: [],
    help: 'Records that reached the decision log.',
    read: ({ decisionLog }) => known(decisionLog?.appendedCount),
  },
  {
    name: 'optgate_decision_log_dropped_total',
    type: 'counter',
    unit: 'records',
    labels: ['reason'],
    help:
      'Records that are lost. hand_over: the log could not take them from their thread; queue_full: the folder was too ' +
      'slow or failed; unflushed: not written when the process ended; expired: removed from the folder to keep its size; ' +
      'overwritten: of a log without a folder.',
    read: ({ decisionLog, threads }) =>
      decisionLog === null
        ? NO_SAMPLES
        : byLabel('reason', {
            hand_over: threads.logDroppedCount,
            queue_full: decisionLog.queueFullCount,
            unflushed: decisionLog.unflushedCount,
            expired: decisionLog.spool?.removedCount ?? 0,
            overwritten: decisionLog.overwrittenCount,
          }),
  },
  {
    name: 'optgate_decision_log_queued',
    type: 'gauge',
    unit: 'records',
    labels: [],
    help: 'Records that wait to be written to the folder.',
    read: ({ decisionLog }) => known(decisionLog?.queuedCount),
  },
  {
    name: 'optgate_decision_log_spool_bytes',
    type: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'Size of all segments in the folder of the decision log.',
    read: ({ decisionLog }) => known(decisionLog?.spool?.bytes),
  },
  {
    name: 'optgate_decision_log_spool_failures_total',
    type: 'counter',
    unit: 'failures',
    labels: [],
    help: 'Failures of the disk under the decision log; what could not be written is tried again.',
    read: ({ decisionLog }) => known(decisionLog?.spool?.failureCount),
  },
  {
    name: 'optgate_policy_info',
    type: 'gauge',
    unit: '1',
    labels: ['version'],
    help: 'Version of the policy in use, as its file says.',
    read: ({ policy }) => one(1, { version: policy.version }),
  },
  {
    name: 'optgate_policy_reload_failures_total',
    type: 'counter',
    unit: 'reloads',
    labels: [],
    help: 'Policies that were refused; the one before stayed in use.',
    read: ({ policy }) => one(policy.reloadFailureCount),
  },
  {
    name: 'optgate_policy_reload_failed',
    type: 'gauge',
    unit: '1 or 0',
    labels: [],
    help: '1 while the last policy that was given is not the one in use, because it was refused.',
    read: ({ policy }) => flag(policy.isLastReloadFailed),
  },
  {
    name: 'optgate_ready',
    type: 'gauge',
    unit: '1 or 0',
    labels: [],
    help: '1 while /readyz says ready.',
    read: ({ isReady }) => flag(isReady),
  },
  {
    name: 'optgate_draining',
    type: 'gauge',
    unit: '1 or 0',
    labels: [],
    help: '1 from the moment the process was told to end.',
    read: ({ isDraining }) => flag(isDraining),
  },
  {
    name: 'optgate_build_info',
    type: 'gauge',
    unit: '1',
    labels: ['version'],
    help: 'Version of optgate.',
    read: ({ version }) => one(1, { version }),
  },
];
