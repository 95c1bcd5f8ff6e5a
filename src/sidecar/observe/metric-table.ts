/**
 * THE TABLE of metrics: name, type, unit, labels, meaning, and how each is made from the state of the process.
 *
 * Everything is counted elsewhere and read when somebody asks, so a request costs no more for it. Labels have few values,
 * all of them known to us or to the operator's policy; none can hold anything of a request.
 * @module
 */
import { DOOR_ROWS } from './door-metrics.js';
import type { MetricRow } from './metric-row.js';
import { PAGE_ROWS } from './page-metrics.js';
import { PROCESS_ROWS } from './process-metrics.js';
import { SYNC_ROWS } from './sync-metrics.js';
import { TRAIL_ROWS } from './trail-metrics.js';
import { WEBHOOK_ROWS } from './webhook-metrics.js';

export const METRIC_ROWS: readonly MetricRow[] = [
  ...DOOR_ROWS,
  ...SYNC_ROWS,
  ...TRAIL_ROWS,
  ...WEBHOOK_ROWS,
  ...PAGE_ROWS,
  ...PROCESS_ROWS,
];
