/**
 * Finds the rows of CSV a batch at a time (kernel/), and judges them column by column.
 *
 * What must stay true: what leaves, what is counted and what is refused are the same as with {@link CsvScanner} alone, which
 * reads whatever the kernel does not: a last row without line end, a row that is refused, and all where places are blanked.
 * @module
 */
import { RowKernel } from '../kernel/row-kernel.js';
import { BATCH_COLUMNS_MAX } from '../limits.js';
import type { RowSink } from '../row-sink.js';
import type { CsvLayout } from './layout.js';
import { CsvScanner } from './scan.js';

export class CsvBatchScanner {
  readonly #scanner: CsvScanner;
  /** `null`: there are too many columns for one. */
  readonly #kernel: RowKernel | null;
  readonly #layout: CsvLayout;
  readonly #rowBytesMax: number;
  /** Line ends of the block before the row at which the last scan stopped. */
  lines = 0;

  /** As `CsvScanner`. */
  constructor(layout: CsvLayout, rowBytesMax: number) {
    this.#scanner = new CsvScanner(layout, rowBytesMax);
    const columns = layout.columns.map(({ index }) => index);
    this.#kernel = columns.length > BATCH_COLUMNS_MAX ? null : RowKernel.ofCsv(columns);
    this.#layout = layout;
    this.#rowBytesMax = rowBytesMax;
  }

  /** HOT. As `CsvScanner.scan`. */
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink): number {
    const kernel = this.#kernel;
    let at = 0;
    this.lines = 0;
    if (!sink.isBlanking && kernel !== null) {
      at = this.#scanBatches(kernel, bytes, to, sink);
      this.lines = kernel.lines;
      if (at === to || sink.fault !== null) return at;
      if (kernel.isCut && !isLast && to - at <= this.#rowBytesMax) return at;
    }
    const end = this.#scanner.scan(bytes, to, isLast, sink, at, this.lines);
    this.lines = this.#scanner.lines;
    return end;
  }

  /** HOT. Where the first row begins that the kernel leaves. */
  #scanBatches(kernel: RowKernel, bytes: Uint8Array, to: number, sink: RowSink): number {
    const { columns } = this.#layout;
    kernel.beginCsv(bytes, to, this.#layout);
    for (let at = 0; sink.fault === null; at = kernel.at) {
      const rowCount = kernel.nextCsvRows(this.#layout, this.#rowBytesMax);
      if (rowCount === 0) break;
      sink.startRows(kernel, rowCount, at);
      for (let column = 0; column < columns.length; column++) {
        const { places } = columns[column]!;
        for (let index = 0; index < places.length; index++) sink.judge.addColumn(places[index]!, kernel, column, bytes);
      }
      for (let row = 0; row < rowCount; row++) if (kernel.isOther(row)) sink.spoilRowOf(row);
      sink.endRows();
    }
    return kernel.at;
  }
}
