/**
 * The library: the core, policy files and snapshot files.
 * @module
 */
export * from './core/index.js';
export { PolicyError, type PolicyIssue, parsePolicy } from './policy-file.js';
export { readSnapshotFile, readSnapshotFileHeader, writeSnapshotFile } from './snapshot-file.js';
