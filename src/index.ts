/**
 * The library: the core, policy files and snapshot files.
 * @module
 */
export * from './core/index.js';
export { type AttachedGate, attachGate, type SharedGate } from './gate-share.js';
export * from './ledger/index.js';
export {
  type LiveGate,
  type LiveGateStatus,
  type OpenGateOptions,
  openGate,
  openSource,
  type SuppressionLocation,
} from './open-gate.js';
export { PolicyError, type PolicyIssue, parsePolicy } from './policy-file.js';
export { readSnapshotFile, readSnapshotFileHeader, writeSnapshotFile } from './snapshot-file.js';
