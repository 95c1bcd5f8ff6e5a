/**
 * Exports: files and streams of rows, filtered by the suppression set.
 * @module
 */
export { type Compression, compressed, compressionOfName, decompressed } from './compression.js';
export { fileBytes } from './file-bytes.js';
export {
  type Filtering,
  type FilterOptions,
  filterRows,
  MODES,
  ON_UNIDENTIFIABLE,
  QUOTES,
  type RowFormat,
} from './filter.js';
export { fingerprintsOf } from './fingerprint.js';
export { ROW_BYTES_MAX } from './limits.js';
export { type ColumnMapping, type MappedPlace, type MappingRecord, parseMapping } from './mapping.js';
export { filterParquet } from './parquet/filter.js';
export { ParquetError, type ParquetErrorCode } from './parquet/parquet-error.js';
export type { RowCounts } from './row-counts.js';
export { ROW_ERRORS, RowError, type RowErrorCode } from './row-error.js';
export { type ExportTerms, type ExportTermsOptions, exportTerms } from './terms.js';
