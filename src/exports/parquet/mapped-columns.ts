/**
 * Finds the columns that a mapping names, and whatever else can be known to go wrong before anything is written.
 * @module
 */
import type { ColumnMapping } from '../mapping.js';
import { RowError } from '../row-error.js';
import { codecOf } from './codecs.js';
import type { Footer } from './footer.js';
import type { MappedColumns } from './group-filter.js';
import { checkIdentifierLeaf } from './identifier-column.js';
import { ParquetError } from './parquet-error.js';

/** @throws {RowError} `column.missing`, {ParquetError} `parquet.unsupported`. */
export function mappedColumns(
  { leaves, groups }: Footer,
  { mapping, mode }: { readonly mapping: ColumnMapping; readonly mode: 'drop' | 'blank' },
): MappedColumns {
  for (const { chunks } of groups) for (const { codec } of chunks) codecOf(codec);
  return mapping.flatMap(({ place: name }, place) => {
    const columns = leaves.flatMap((leaf, column) => (leaf.name === name || leaf.path === name ? [column] : []));
    if (columns.length === 0) throw new RowError('column.missing', null, name);
    for (const column of columns) {
      const leaf = leaves[column];
      if (leaf === undefined) continue;
      checkIdentifierLeaf(leaf);
      if (mode === 'blank' && !leaf.isOptional) {
        throw new ParquetError('parquet.unsupported', `blanking column ${leaf.path}, which is required`);
      }
    }
    return columns.map((column) => ({ place, column }));
  });
}
