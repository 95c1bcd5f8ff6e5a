/**
 * Whether what a table says of a person may be taken for complete: an empty list of rights proves nothing if it is stale.
 * @module
 */
import { hasReached } from '../core/causes.js';
import type { SuppressionTable } from '../core/index.js';

/** As the gate sees it: shown fresh within the policy's time, not left behind by its writer, and as far as asked for. */
export function isFresh(
  table: SuppressionTable,
  staleAfterMs: number,
  nowMs: number,
  minSeq: string | null | undefined,
): boolean {
  const { freshAtMs, standing } = table;
  if (standing === 'abandoned' || (freshAtMs !== null && nowMs - freshAtMs > staleAfterMs)) return false;
  return minSeq === undefined || minSeq === null || hasReached(table, minSeq);
}
