/**
 * Filters the rows of a stream: what may leave comes out byte for byte, in order, as it is asked for.
 *
 * Input is read only as output is taken, a few blocks ahead, and memory is bounded by the longest row, whatever the length of the
 * stream. Nobody leaves in a piece who had opted out when it was asked for.
 * @module
 */
import { availableParallelism } from 'node:os';
import { GateError } from '../core/errors.js';
import { SuppressionTable, TableHolder } from '../core/suppression/index.js';
import type { BlockTerms, RowLayout } from './block-filter.js';
import { BlockReader } from './block-reader.js';
import { filterBlocks } from './block-results.js';
import { delimiterByte, endOfHeader, layoutOf, NO_QUOTE, QUOTE } from './csv/layout.js';
import { BLOCK_BYTES, HEADER_BYTES_MAX, ROW_BYTES_MAX, THREADS_MAX, threadsBytesMinFor } from './limits.js';
import type { ColumnMapping } from './mapping.js';
import { pathTree } from './ndjson/path.js';
import { type RowCounts, RowTotals } from './row-counts.js';
import { RowError } from './row-error.js';
import { errorOfFault } from './row-sink.js';
import type { ExportTerms } from './terms.js';

export type RowFormat = 'csv' | 'tsv' | 'ndjson';
export const QUOTES = ['double', 'none'] as const;
export const MODES = ['drop', 'blank'] as const;
export const ON_UNIDENTIFIABLE = ['keep', 'drop', 'fail'] as const;

export interface FilterOptions {
  /** The suppression set. A holder is asked anew for every block of rows. */
  readonly table: TableHolder | SuppressionTable;
  /** From {@link exportTerms}. */
  readonly terms: ExportTerms;
  readonly format: RowFormat;
  /** Between cells: one character of ASCII. The default is a comma, and a tab for `tsv`. */
  readonly delimiter?: string | undefined;
  /** `none`: a quote is a character like others, also at the beginning of a cell. Default: `double` (RFC 4180). */
  readonly quote?: (typeof QUOTES)[number] | undefined;
  /** From {@link parseMapping}. */
  readonly mapping: ColumnMapping;
  /** What becomes of a suppressed person's row: it is dropped (default), or leaves without the values mapped. */
  readonly mode?: (typeof MODES)[number] | undefined;
  /**
   * What becomes of a row without an identifier that can be looked up. By default what cannot be checked does not leave; a row
   * that cannot be read does not leave in any case.
   */
  readonly onUnidentifiable?: (typeof ON_UNIDENTIFIABLE)[number] | undefined;
  /** Threads that judge, this one among them, which also reads and hands on. With 0 or 1, the default, it does all. */
  readonly threads?: number | undefined;
  /**
   * Bytes read, or of a file of Parquet, before threads are started. Default: `THREADS_BYTES_MIN`, and for rows of text
   * `THREADS_BYTES_MIN_CROWDED` on a machine that has no more cores than threads are asked for.
   */
  readonly threadsBytesMin?: number | undefined;
  /** Longest row, in bytes. Default: `ROW_BYTES_MAX`. */
  readonly rowBytesMax?: number | undefined;
  /** Bytes read before rows are looked at. Default: `BLOCK_BYTES`. */
  readonly blockBytes?: number | undefined;
  /**
   * What is given out is used no longer when the next piece is asked for: its memory is then written to again, which takes
   * half the time. Not for a stream that keeps pieces to write them later.
   */
  readonly isOutputLent?: boolean | undefined;
  /** Told of the fingerprints of rows that left as they came, after those rows were taken; those of a block in any order. */
  readonly onFingerprints?: ((fingerprints: BigUint64Array) => void) | undefined;
  /** Told how far it is, after every block. */
  readonly onProgress?: ((progress: FilterProgress) => void) | undefined;
}

/** Rows that were judged, and bytes that were read of what the filter was given. */
export interface FilterProgress {
  readonly rowsIn: number;
  readonly bytesIn: number;
}

export interface Filtering {
  /** To be read once. Ends with an error where the input cannot be read or filtered to its end. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when the output was read to its end; rejects with the error that it ended with. */
  readonly done: Promise<RowCounts>;
}

const BYTE_ORDER_MARK_BYTES = 3;

/**
 * Starts to filter. Nothing is read before the output is.
 * @throws {TypeError} or {RangeError} for options that make no sense, {InputError} for a mapping that is no JSON path.
 * The output and `done` end with a {RowError} for a file that is not laid out as expected, and a {GateError}
 * `table.not_loaded`.
 * @example
 * const { output, done } = filterRows(createReadStream(path), { table, terms, format: 'csv', mapping });
 * await pipeline(output, createWriteStream(target));
 * console.log(await done);
 */
export function filterRows(input: AsyncIterable<Uint8Array>, options: FilterOptions): Filtering {
  checkOptions(options);
  const totals = new RowTotals(options.mapping);
  return filteringOf(filtered(input, options, totals), totals);
}

/** The pieces as a filtering: `done` is settled as they end. */
export function filteringOf(pieces: AsyncIterable<Uint8Array>, totals: RowTotals): Filtering {
  let settle: { resolve(counts: RowCounts): void; reject(error: unknown): void } | undefined;
  const done = new Promise<RowCounts>((resolve, reject) => {
    settle = { resolve, reject };
  });
  done.catch(() => {}); // whoever reads the output hears of it
  async function* output(): AsyncGenerator<Uint8Array> {
    let error: unknown = new RowError('output.abandoned', null);
    try {
      yield* pieces;
      error = null;
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      if (error === null) settle?.resolve(totals.counts());
      else settle?.reject(error);
    }
  }
  return { output: output(), done };
}

async function* filtered(
  input: AsyncIterable<Uint8Array>,
  options: FilterOptions,
  totals: RowTotals,
): AsyncGenerator<Uint8Array> {
  const { blockBytes = BLOCK_BYTES, rowBytesMax = ROW_BYTES_MAX, threads = 1, isOutputLent = false } = options;
  const { threadsBytesMin = threadsBytesMinFor(threads, availableParallelism()), onFingerprints, onProgress } = options;
  const reader = new BlockReader(input, {
    blockBytes,
    rowBytesMax,
    endsWithReturn: options.format !== 'ndjson',
  });
  try {
    const { head, layout } = await readHead(reader, options);
    const terms = termsOf(options, layout, { rowBytesMax, blockBytes });
    if (head.length > 0) yield head;
    totals.bytesOut = head.length;
    let linesBefore = layout.kind === 'csv' ? lineEndsIn(head) : 0;
    const flow = { threadCount: threads, threadsBytesMin, tableNow: () => tableOf(options.table), isOutputLent };
    for await (const result of filterBlocks(reader, terms, flow)) {
      totals.add(result.tally);
      totals.bytesIn = reader.bytesIn;
      totals.bytesOut += result.output.length;
      if (result.output.length > 0) yield result.output;
      if (result.fault !== null) throw errorOfFault(result.fault, linesBefore);
      if (result.fingerprints !== null && result.fingerprints.length > 0) onFingerprints?.(result.fingerprints);
      linesBefore += result.lines;
      onProgress?.(totals);
    }
    totals.bytesIn = reader.bytesIn;
  } finally {
    await reader.close();
  }
}

/** What leaves before any row, and how the rows are laid out. */
async function readHead(
  reader: BlockReader,
  { format, delimiter, quote, mapping }: FilterOptions,
): Promise<{ head: Uint8Array; layout: RowLayout }> {
  if (format === 'ndjson') {
    const head = await reader.head(endOfMark, HEADER_BYTES_MAX);
    return { head: head ?? new Uint8Array(0), layout: { kind: 'ndjson' } };
  }
  const style = {
    delimiter: delimiterByte(delimiter ?? DELIMITERS[format]),
    quote: quote === 'none' ? NO_QUOTE : QUOTE,
  };
  const head = await reader.head((bytes, isLast) => endOfHeader(bytes, style, isLast), HEADER_BYTES_MAX);
  if (head === null) throw new RowError('header.too_long', 1, `HEADER_BYTES_MAX, ${HEADER_BYTES_MAX} bytes`);
  return { head, layout: { kind: 'csv', ...layoutOf(head, style, mapping) } };
}

const DELIMITERS = { csv: ',', tsv: '\t' } as const;

/** Behind a byte order mark. */
function endOfMark(bytes: Uint8Array, isLast: boolean): number {
  if (bytes.length < BYTE_ORDER_MARK_BYTES && !isLast) return -1;
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? BYTE_ORDER_MARK_BYTES : 0;
}

function termsOf(
  options: FilterOptions,
  layout: RowLayout,
  sizes: Pick<BlockTerms, 'rowBytesMax' | 'blockBytes'>,
): BlockTerms {
  const { mapping, terms, mode = 'drop', onUnidentifiable = 'drop', onFingerprints } = options;
  const wantsFingerprints = onFingerprints !== undefined;
  return { layout, mapping, rightsMask: terms.rightsMask, mode, onUnidentifiable, wantsFingerprints, ...sizes };
}

/** The table of the moment. */
export function tableOf(table: TableHolder | SuppressionTable): SuppressionTable {
  if (table instanceof SuppressionTable) return table;
  if (table.current === null) throw new GateError('table.not_loaded');
  return table.current;
}

function lineEndsIn(header: Uint8Array): number {
  return (
    Buffer.from(header)
      .toString('latin1')
      .match(/\r\n|\r|\n/g) ?? []
  ).length;
}

function checkOptions(options: FilterOptions): void {
  const {
    table,
    format,
    delimiter,
    quote,
    mapping,
    threads = 1,
    rowBytesMax = ROW_BYTES_MAX,
    blockBytes = BLOCK_BYTES,
  } = options;
  if (!(table instanceof TableHolder) && !(table instanceof SuppressionTable)) {
    throw new TypeError('table: expected a TableHolder or a SuppressionTable');
  }
  if (!['csv', 'tsv', 'ndjson'].includes(format)) throw new TypeError('format: expected csv, tsv or ndjson');
  if (delimiter !== undefined) {
    if (format === 'ndjson') throw new TypeError('delimiter: expected none, since rows are JSON');
    delimiterByte(delimiter);
  }
  if (quote !== undefined && (format === 'ndjson' || !QUOTES.includes(quote))) {
    throw new TypeError(`quote: expected ${format === 'ndjson' ? 'none, since rows are JSON' : QUOTES.join(' or ')}`);
  }
  if (mapping.length === 0) throw new TypeError('mapping: expected at least one place');
  if (format === 'ndjson') pathTree(mapping);
  checkCount('threads', threads, 0, THREADS_MAX);
  checkCount('rowBytesMax', rowBytesMax, 1, ROW_BYTES_LIMIT);
  checkCount('blockBytes', blockBytes, 1, ROW_BYTES_LIMIT);
}

/** Positions in a block take four bytes each, in memory that ends at 2 GiB; a row and what is joined to it must fit. */
const ROW_BYTES_LIMIT = 2 ** 25;

function checkCount(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name}: expected a whole number from ${min} to ${max}`);
  }
}
