/**
 * Finds the values in rows of JSON a batch at a time (kernel/), and judges them place by place.
 *
 * What must stay true: what leaves, what is counted and what is refused are the same as with {@link NdjsonScanner} alone,
 * which reads whatever the kernel does not, and all where places are blanked.
 * @module
 */
import { PathTree } from '../kernel/path-tree.js';
import { RowKernel } from '../kernel/row-kernel.js';
import type { RowSink } from '../row-sink.js';
import type { PathNode } from './path.js';
import { NdjsonScanner } from './scan.js';

export class NdjsonBatchScanner {
  /** Line ends of the block before the row at which the last scan stopped. */
  lines = 0;
  readonly #scanner: NdjsonScanner;
  readonly #kernel: RowKernel;
  readonly #columns: readonly (readonly number[])[];
  readonly #rowBytesMax: number;

  /** As `NdjsonScanner`. */
  constructor(root: PathNode, rowBytesMax: number) {
    const tree = new PathTree(root);
    this.#scanner = new NdjsonScanner(root, rowBytesMax);
    this.#kernel = RowKernel.ofNdjson(tree);
    this.#columns = tree.columns;
    this.#rowBytesMax = rowBytesMax;
  }

  /** HOT. As `CsvScanner.scan`. */
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink): number {
    const kernel = this.#kernel;
    let at = 0;
    this.lines = 0;
    if (!sink.isBlanking) {
      at = this.#scanBatches(bytes, to, sink);
      this.lines = kernel.lines;
      if (at === to || sink.fault !== null) return at;
      if (kernel.isCut && !isLast && to - at <= this.#rowBytesMax) return at;
    }
    const end = this.#scanner.scan(bytes, to, isLast, sink, at, this.lines);
    this.lines = this.#scanner.lines;
    return end;
  }

  /** HOT. Where the first row begins that the kernel leaves. */
  #scanBatches(bytes: Uint8Array, to: number, sink: RowSink): number {
    const kernel = this.#kernel;
    const columns = this.#columns;
    kernel.beginNdjson(bytes, to);
    for (let at = 0; sink.fault === null; at = kernel.at) {
      const rowCount = kernel.nextNdjsonRows(this.#rowBytesMax);
      if (rowCount === 0) break;
      sink.startRows(kernel, rowCount, at);
      for (let column = 0; column < columns.length; column++) {
        const places = columns[column]!;
        for (let index = 0; index < places.length; index++) sink.judge.addColumn(places[index]!, kernel, column, bytes);
      }
      for (let row = 0; row < rowCount; row++) {
        if (!kernel.isOther(row)) continue;
        sink.judge.resumeRow(row);
        this.#scanner.readRow(bytes, row === 0 ? at : kernel.rowTo[row - 1]!, sink);
      }
      sink.endRows();
    }
    return kernel.at;
  }
}
