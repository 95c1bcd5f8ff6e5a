/**
 * What a snapshot must be before it may take the place of the table in use. An empty or truncated export upstream is the
 * one accident that would undo every opt-out at once, so a snapshot that is far smaller is refused, loudly.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { SnapshotSummary } from './source.js';

export interface SnapshotRules {
  /** Share of the entries in use by which a snapshot may be smaller. */
  readonly maxShrink: number;
  readonly entryCountMin: number;
  readonly pinSeq: number | null;
}

/**
 * Throws a GateError `sync.pinned`, `sync.too_few` or `sync.shrunk` if the snapshot must not be used.
 * @param entryCountInUse Of the table in use; `null` if there is none.
 */
export function checkSnapshot(summary: SnapshotSummary, rules: SnapshotRules, entryCountInUse: number | null): void {
  const { position, entryCount } = summary;
  const { maxShrink, entryCountMin, pinSeq } = rules;
  if (pinSeq !== null && position.seq > pinSeq) {
    throw new GateError('sync.pinned', `seq ${position.seq}, pinned at ${pinSeq}`);
  }
  if (entryCount === null) return;
  if (entryCount < entryCountMin) {
    throw new GateError('sync.too_few', `${entryCount} entries, at least ${entryCountMin}`);
  }
  if (entryCountInUse !== null && entryCount < entryCountInUse * (1 - maxShrink)) {
    throw new GateError('sync.shrunk', `${entryCount} entries, ${entryCountInUse} in use`);
  }
}
