/**
 * The limits of Parquet files, each with a name. What they hold is kept in memory a row group at a time.
 * @module
 */

/** Bytes of a footer. */
export const FOOTER_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of a column in a row group, compressed. */
export const CHUNK_BYTES_MAX = 2 ** 30;
/** Bytes of a page, decompressed. */
export const PAGE_BYTES_MAX = 2 ** 29;
/** Memory that a thread keeps from one row group to the next. */
export const SCRATCH_BYTES_MAX = 256 * 1024 * 1024;
/** Values of a page, nulls included. */
export const PAGE_VALUES_MAX = 2 ** 26;
/** Rows of a row group. */
export const GROUP_ROWS_MAX = 2 ** 28;
/** Nesting of a schema, and so the highest level of a value. */
export const SCHEMA_DEPTH_MAX = 64;
/** Columns, counted without the groups they are in. */
export const COLUMNS_MAX = 100_000;
