/**
 * Metrics of requests and decisions.
 * @module
 */
import { REQUEST_BOUNDS_MS } from './latency-counts.js';
import { byLabel, histogram, type MetricRow, one, type Sample } from './metric-row.js';

export const DOOR_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_decisions_total',
    type: 'counter',
    unit: 'decisions',
    labels: ['action', 'door'],
    help: 'Decisions by action and by the door the request came through.',
    read: ({ threads }) => {
      const sums = new Map<string, Sample>();
      for (const { action, door, count } of threads.doors.decisions) {
        const key = `${action} ${door}`;
        sums.set(key, { labels: { action, door }, value: count + (sums.get(key)?.value ?? 0) });
      }
      return [...sums.values()];
    },
  },
  {
    name: 'optgate_decision_reasons_total',
    type: 'counter',
    unit: 'decisions',
    labels: ['reason'],
    help: 'Decisions by reason code (docs/reasons.md). A decision counts once for each of its reasons.',
    read: ({ threads }) => byLabel('reason', threads.doors.reasons),
  },
  {
    name: 'optgate_unknown_destinations',
    type: 'gauge',
    unit: 'destinations',
    labels: [],
    help: 'Distinct destinations in traffic since the start that the policy does not list, up to 1000; GET /v1/destinations/unknown names them.',
    read: ({ threads }) => one(threads.doors.unknownDestinations.length),
  },
  {
    name: 'optgate_requests_refused_total',
    type: 'counter',
    unit: 'requests',
    labels: ['code', 'door'],
    help: 'Requests that were refused, by error code. At most 64 codes a door; further ones count as "other".',
    read: ({ threads }) =>
      threads.doors.refusals.map(({ code, door, count }) => ({ labels: { code, door }, value: count })),
  },
  {
    name: 'optgate_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    labels: ['door', 'operation'],
    help: 'Time from the first byte of a request to the last byte of its answer.',
    read: ({ threads }) =>
      threads.doors.latencies.flatMap(({ door, operation, counts, sumMs }) =>
        histogram({ door, operation }, REQUEST_BOUNDS_MS, counts, sumMs),
      ),
  },
];
