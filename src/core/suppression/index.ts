/**
 * The suppression set: the table, its holder and its snapshots.
 * @module
 */
export { auditTable, compacted, type TableAudit } from './copy.js';
export { TableHolder, type TableSwap } from './holder.js';
export { KEYS_MAX } from './layout.js';
export { mixedLow, mixKey } from './mix.js';
export { digestWord, mintHigh, mintLow } from './probe.js';
export { decodeSnapshot, encodeSnapshot, SnapshotReader, SnapshotWriter } from './snapshot.js';
export {
  dataOffset,
  readSnapshotHeader,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotHeader,
} from './snapshot-header.js';
export { type SetOutcome, SuppressionTable, type TableOptions, type TableShare, type TableStanding } from './table.js';
