/**
 * The filter of an export made ready, for rows of text and for Parquet.
 * @module
 */
import type { TableHolder } from '../core/suppression/index.js';
import {
  type ColumnMapping,
  type ExportTerms,
  filterRows,
  type MODES,
  type ON_UNIDENTIFIABLE,
  type QUOTES,
} from '../exports/index.js';
import type { InputFile } from '../exports/input-file.js';
import { filterParquet } from '../exports/parquet/filter.js';
import type { Pass } from '../exports/run.js';
import type { FileFormat } from './export-files.js';

export interface PassTerms {
  readonly mapping: ColumnMapping;
  readonly mode: (typeof MODES)[number];
  readonly onUnidentifiable: (typeof ON_UNIDENTIFIABLE)[number];
  readonly threads: number;
  readonly delimiter: string | undefined;
  readonly quote: (typeof QUOTES)[number] | undefined;
}

export function passOf(
  { mapping, mode, onUnidentifiable, threads, delimiter, quote }: PassTerms,
  table: TableHolder,
  terms: ExportTerms,
  format: FileFormat,
): Pass<InputFile> {
  return (input, { isRecheck, isOutputLent, onFingerprints, onProgress }) => {
    // what was kept although it names nobody, or was blanked, stays
    const kept = isRecheck ? 'keep' : onUnidentifiable;
    const options = { table, terms, mapping, mode, onUnidentifiable: kept, threads, onFingerprints, onProgress };
    return format === 'parquet'
      ? filterParquet(input.path, { ...options, isOutputLent })
      : filterRows(input.rows(), { ...options, format, delimiter, quote, isOutputLent });
  };
}
