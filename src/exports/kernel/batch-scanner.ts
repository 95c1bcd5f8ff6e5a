/**
 * Rows of a block read a batch at a time by a kernel and judged column by column, whatever their format.
 *
 * What must stay true: what leaves, what is counted and what is refused are the same as with the plain scanner alone, which
 * reads whatever the kernel does not: a last row without line end, a row that is refused, and all where places are blanked.
 * @module
 */
import type { RowSink } from '../row-sink.js';
import type { RowKernel } from './row-kernel.js';

/** Reads rows one after another. */
export interface PlainScanner {
  /** Line ends of the block before the row at which the last scan stopped. */
  readonly lines: number;
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink, from: number, lines: number): number;
}

/** What a format does with a kernel. */
export interface BatchFormat {
  /** Takes the block `bytes[0..to)`. */
  begin(kernel: RowKernel, bytes: Uint8Array, to: number): void;
  /** Reads the rows that come next; 0 where the scanner has to see. */
  next(kernel: RowKernel): number;
  /** A row that is flagged as one the kernel has not read. It begins at `from`. */
  readOther(sink: RowSink, bytes: Uint8Array, row: number, from: number): void;
}

export interface BatchScannerOptions {
  readonly scanner: PlainScanner;
  /** `null`: there are too many columns for one. */
  readonly kernel: RowKernel | null;
  /** Places of the mapping that each column is. */
  readonly columns: readonly (readonly number[])[];
  readonly rowBytesMax: number;
  readonly format: BatchFormat;
}

export class BatchScanner {
  /** As {@link PlainScanner}. */
  lines = 0;
  readonly #options: BatchScannerOptions;

  /** `null`: every row is read by the plain scanner. */
  get kernel(): RowKernel | null {
    return this.#options.kernel;
  }

  constructor(options: BatchScannerOptions) {
    this.#options = options;
  }

  /** Whether the kernel reads a block of this length. */
  isForKernel(length: number, sink: RowSink): boolean {
    return !sink.isBlanking && this.kernel?.fits(length) === true;
  }

  /** HOT. As `CsvScanner.scan`. */
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink): number {
    const { scanner, kernel, rowBytesMax } = this.#options;
    let at = 0;
    this.lines = 0;
    if (kernel !== null && this.isForKernel(to, sink)) {
      at = this.#scanBatches(kernel, bytes, to, sink);
      this.lines = kernel.lines;
      if (at === to || sink.fault !== null) return at;
      if (kernel.isCut && !isLast && to - at <= rowBytesMax) return at;
    }
    const end = scanner.scan(bytes, to, isLast, sink, at, this.lines);
    this.lines = scanner.lines;
    return end;
  }

  /** HOT. Where the first row begins that the kernel leaves. */
  #scanBatches(kernel: RowKernel, bytes: Uint8Array, to: number, sink: RowSink): number {
    const { columns, format } = this.#options;
    format.begin(kernel, bytes, to);
    for (let at = 0; sink.fault === null; at = kernel.at) {
      const rowCount = format.next(kernel);
      if (rowCount === 0) break;
      sink.startRows(rowCount, at);
      for (let column = 0; column < columns.length; column++) {
        const places = columns[column]!;
        for (let index = 0; index < places.length; index++) sink.judge.addColumn(places[index]!, kernel, column, bytes);
      }
      for (let row = 0; row < rowCount; row++) {
        if (kernel.isOther(row)) format.readOther(sink, bytes, row, row === 0 ? at : kernel.rowTo[row - 1]!);
      }
      sink.endRows(kernel);
    }
    return kernel.at;
  }
}
