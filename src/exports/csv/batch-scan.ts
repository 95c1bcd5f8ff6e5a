/**
 * Rows of CSV read a batch at a time.
 * @module
 */
import { BatchScanner } from '../kernel/batch-scanner.js';
import { RowKernel } from '../kernel/row-kernel.js';
import { BATCH_COLUMNS_MAX, BLOCK_BYTES } from '../limits.js';
import type { CsvLayout } from './layout.js';
import { CsvScanner } from './scan.js';

export class CsvBatchScanner extends BatchScanner {
  /** As `CsvScanner`. */
  constructor(layout: CsvLayout, rowBytesMax: number, blockBytes = BLOCK_BYTES) {
    const { columns } = layout;
    super({
      scanner: new CsvScanner(layout, rowBytesMax),
      kernel:
        columns.length > BATCH_COLUMNS_MAX
          ? null
          : RowKernel.ofCsv(
              columns.map(({ index }) => index),
              blockBytes,
            ),
      columns: columns.map(({ places }) => places),
      rowBytesMax,
      format: {
        begin: (kernel, bytes, to) => kernel.beginCsv(bytes, to, layout),
        next: (kernel) => kernel.nextCsvRows(layout, rowBytesMax),
        readOther: (sink, _, row) => sink.spoilRowOf(row),
      },
    });
  }
}
