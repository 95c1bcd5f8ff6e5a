/**
 * Observing the sidecar: counters, metrics, health, load, logs.
 * @module
 */
export { type CanaryState, CanaryWatch } from './canary-watch.js';
export type { DecisionBatch, DecisionRecord } from './decision-batch.js';
export { DecisionBuffer, type DecisionBufferOptions, type DecisionSampling } from './decision-buffer.js';
export { DecisionLog, type DecisionLogOptions, type DecisionLogState } from './decision-log.js';
export { DecisionSpool, type DecisionSpoolOptions, type SpoolState } from './decision-spool.js';
export {
  type DoorCounts,
  mergeDoorCounts,
  UNKNOWN_DESTINATIONS_MAX,
  type UnknownDestination,
} from './door-counts.js';
export { DoorRecorder, type DoorRecorderOptions } from './door-recorder.js';
export { EventLog, type EventLogOptions } from './event-log.js';
export { EventLoopMonitor, type EventLoopOptions, type EventLoopState } from './event-loop.js';
export { Health, type HealthOptions, type Readiness } from './health.js';
export { type LogEventName, type LogFields, type LogWord, Setting } from './log-events.js';
export type { MetricInputs, PolicyState } from './metric-row.js';
export { METRIC_ROWS } from './metric-table.js';
export { SidecarMetrics, type SidecarMetricsOptions } from './metrics.js';
export { createOperatorHandler, type OperatorHandler, type OperatorHandlerOptions } from './operator-handler.js';
export { type PageCount, PageCounts } from './page-counts.js';
export { Shedder, type ShedderOptions, type ShedderState } from './shedder.js';
export { MemoTally, mergeThreadStates, type ThreadState, ThreadStates } from './thread-state.js';
export { type TrailState, TrailWatch } from './trail-watch.js';
