/**
 * The suppression set: the table, its holder, its snapshots and the changes to it.
 * @module
 */
export {
  CHANGE_BYTES,
  CHANGE_DERIVED,
  type Change,
  changeHigh,
  changeIsDerived,
  changeLow,
  changeRights,
  changeRightsBefore,
  changesView,
  changeTag,
  changeVersion,
  checkChanges,
  ENTRY_CHANGES_MAX,
  readChanges,
  writeChanges,
} from './change.js';
export { compacted } from './compaction.js';
export { auditTable, type TableAudit } from './copy.js';
export {
  decodeFrame,
  type Entry,
  encodeFrame,
  FRAME_BYTES_MAX,
  type Frame,
  frameBytesAt,
  type Head,
} from './delta.js';
export { TableHolder, type TableSwap } from './holder.js';
export { KEYS_MAX } from './layout.js';
export { mixedLow, mixKey } from './mix.js';
export { digestWord, mintHigh, mintLow } from './probe.js';
export { createSigner, createVerifier, type Signer, type Verifier } from './signature.js';
export { decodeSnapshot, encodeSnapshot, SnapshotReader, SnapshotWriter } from './snapshot.js';
export {
  dataOffset,
  readSnapshotHeader,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotHeader,
} from './snapshot-header.js';
export { SuppressionTable } from './table.js';
export type { SetOutcome, TableOptions, TableShare, TableStanding } from './table-terms.js';
export { workerUrl } from './worker-url.js';
