/**
 * Metrics of the audit trail. Only a process that signs its checkpoints has them.
 * @module
 */
import { flag, known, type MetricRow, NO_SAMPLES, one } from './metric-row.js';

export const TRAIL_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_audit_checkpoints_total',
    type: 'counter',
    unit: 'checkpoints',
    labels: [],
    help: 'Checkpoints of the audit trail signed since the start.',
    read: ({ trail }) => (trail === null ? NO_SAMPLES : one(trail.checkpointCount)),
  },
  {
    name: 'optgate_audit_signed_entry',
    type: 'gauge',
    unit: 'entry',
    labels: [],
    help: 'Number of the last entry of the audit trail that this process signed. Absent before the first.',
    read: ({ trail }) => known(trail?.signedN),
  },
  {
    name: 'optgate_audit_checkpoint_refused',
    type: 'gauge',
    unit: '1 or 0',
    labels: [],
    help: '1 while the audit trail does not go on from what was signed before: it was changed, and nothing more is signed.',
    read: ({ trail }) => (trail === null ? NO_SAMPLES : flag(trail.isRefused)),
  },
];
