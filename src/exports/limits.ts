/**
 * The limits of exports, each with a name.
 * @module
 */

/** Longest row that is read, in bytes without its line end. A longer one ends the run with an error. */
export const ROW_BYTES_MAX = 16 * 1024 * 1024;

/** Longest header row, in bytes with its line end: it is held in one piece. */
export const HEADER_BYTES_MAX = 1024 * 1024;

/** The longest line end. */
export const LINE_END_BYTES = 2;

/** Bytes read before rows are looked at, and so about the size of what is handed on at once. */
export const BLOCK_BYTES = 1024 * 1024;

/** Bytes behind the end of a block that a scanner may write its marks to. */
export const SPARE_BYTES = 4;

/** Places that a mapping may name. */
export const MAPPED_PLACES_MAX = 256;

/** Different kinds in a mapping: a set of them is a bit mask. */
export const MAPPED_KINDS_MAX = 32;

/** Deepest nesting of a row of JSON that is read. A deeper row counts as one that cannot be read. */
export const ROW_DEPTH_MAX = 1000;

/** Rows judged together, so that the waits for memory overlap. */
export const BATCH_ROWS_MAX = 512;

/** Columns with identifiers that are read a batch at a time; a file with more is read row by row. */
export const BATCH_COLUMNS_MAX = 256;

/** Bytes of a column that are taken for a batch at once; where values are longer, they are read row by row. */
export const BATCH_COLUMN_BYTES_MAX = 1024 * 1024;

/** Keys looked up together, at most; a row with more is looked up in parts. */
export const BATCH_KEYS_MAX = 4096;

/** Bytes of a file, or read of a stream, from which on threads are started: to start one takes as long as so much on one. */
export const THREADS_BYTES_MIN = 64 * 1024 * 1024;
/** The same for rows of text where there are no more cores than threads: what they take to start is taken from the work then. */
export const THREADS_BYTES_MIN_CROWDED = 1024 * 1024 * 1024;

/** Bytes of rows of text from which on so many threads are started. */
export function threadsBytesMinFor(threadCount: number, coreCount: number): number {
  return coreCount > threadCount ? THREADS_BYTES_MIN : THREADS_BYTES_MIN_CROWDED;
}

/** Bytes of a file from which on a thread of its own hashes it. */
export const HASH_THREAD_BYTES_MIN = 64 * 1024 * 1024;

/** Threads that a filter may have. */
export const THREADS_MAX = 64;
