/**
 * Metrics of webhooks, by their ids. Only the process that delivers has them.
 * @module
 */
import type { MetricRow, Sample, WebhookState } from './metric-row.js';

const LABELS = ['webhook'];

const each =
  (value: (state: WebhookState) => number): MetricRow['read'] =>
  ({ webhooks }) =>
    (webhooks ?? []).map((state): Sample => ({ labels: { webhook: state.id }, value: value(state) }));

export const WEBHOOK_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_webhook_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: LABELS,
    help: 'Age of the oldest event that a webhook is not done with; 0: there is none.',
    read: each(({ behindMs }) => behindMs / 1000),
  },
  {
    name: 'optgate_webhook_behind_events',
    type: 'gauge',
    unit: 'events',
    labels: LABELS,
    help: 'Events that a webhook is not done with.',
    read: each(({ behindCount }) => behindCount),
  },
  {
    name: 'optgate_webhook_delivered_total',
    type: 'counter',
    unit: 'events',
    labels: LABELS,
    help: 'Events delivered since the start.',
    read: each(({ deliveredCount }) => deliveredCount),
  },
  {
    name: 'optgate_webhook_failed_attempts_total',
    type: 'counter',
    unit: 'attempts',
    labels: LABELS,
    help: 'Attempts since the start that did not deliver.',
    read: each(({ failedCount }) => failedCount),
  },
  {
    name: 'optgate_webhook_dead_events',
    type: 'gauge',
    unit: 'events',
    labels: LABELS,
    help: 'Events that were given up, and wait for a replay.',
    read: each(({ deadCount }) => deadCount),
  },
  {
    name: 'optgate_webhook_enabled',
    type: 'gauge',
    unit: '1 or 0',
    labels: LABELS,
    help: '0 for a webhook that is switched off, or has answered that it is gone.',
    read: each(({ isEnabled }) => (isEnabled ? 1 : 0)),
  },
];
