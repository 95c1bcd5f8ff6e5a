/**
 * Sync: what an enforcer follows, and the follower.
 * @module
 */
export { Backoff, type BackoffOptions } from '../backoff.js';
export { type Clock, systemClock } from './clock.js';
export { createFileSource, type FileSourceOptions } from './file-source.js';
export { Follower } from './follower.js';
export { type EnforcerName, FOLLOWER_LIMITS, type FollowerLimits, type FollowerOptions } from './follower-options.js';
export type {
  FailureStatus,
  FollowerEvent,
  FollowerEvents,
  FollowerStatus,
  ResyncReason,
} from './follower-status.js';
export { Histogram, type HistogramState, LATENCY_BOUNDS_MS } from './histogram.js';
export { createHttpSource, type HttpSourceOptions } from './http-source.js';
export { LedgerRelayFeed, type LedgerRelayOptions } from './ledger-relay-feed.js';
export { createLedgerSource } from './ledger-source.js';
export {
  NatsPublisher,
  type NatsPublisherOptions,
  PUBLISHER_LIMITS,
  type PublisherLimits,
  type PublisherStatus,
} from './nats-publisher.js';
export { createNatsSource, type NatsSourceOptions } from './nats-source.js';
export { parsePosition, positionText } from './position.js';
export { createRelay, type RelayHandler, type RelayOptions } from './relay.js';
export { RELAY_SERVER_OPTIONS } from './relay-http.js';
export { createRelayedSource } from './relayed-source.js';
export { loadSnapshot, type SnapshotLoadOptions, type SnapshotResult } from './snapshot-load.js';
export type {
  ChangesAnswer,
  EnforcerReport,
  LedgerFeed,
  LoadedTable,
  Position,
  SnapshotRequest,
  SnapshotSummary,
  Source,
} from './source.js';
export { SourceRelayFeed, type SourceRelayOptions } from './source-relay-feed.js';
export type { FollowerState } from './state.js';
