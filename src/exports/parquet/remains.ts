/**
 * What a column chunk may hold besides the values of its rows: what another program has left of rows that it took away.
 *
 * Some writers keep a dictionary whole when rows are filtered out before (pandas with categories does), and some quote the
 * least and greatest value in page headers. A row group that is copied would carry such values on.
 * @module
 */
import type { ChunkPages } from './page.js';

/** The dictionary has values that no row refers to. */
export function hasUnusedValues({ dictionary, pages }: ChunkPages): boolean {
  if (dictionary === null) return false;
  let unusedCount = dictionary.valueCount;
  const isUsed = new Uint8Array(unusedCount);
  for (const { values } of pages) {
    if (values.kind === 'indexes') unusedCount -= markUsed(values.indexes, isUsed);
  }
  return unusedCount > 0;
}

/** HOT. @returns How many were not marked before. Indexes were checked when they were judged. */
function markUsed(indexes: Int32Array, isUsed: Uint8Array): number {
  let newCount = 0;
  for (let at = 0; at < indexes.length; at++) {
    const index = indexes[at]!;
    newCount += 1 - isUsed[index]!;
    isUsed[index] = 1;
  }
  return newCount;
}
