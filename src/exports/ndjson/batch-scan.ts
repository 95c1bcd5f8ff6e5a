/**
 * Rows of JSON read a batch at a time.
 * @module
 */
import { BatchScanner } from '../kernel/batch-scanner.js';
import { PathTree } from '../kernel/path-tree.js';
import { RowKernel } from '../kernel/row-kernel.js';
import { BLOCK_BYTES } from '../limits.js';
import type { PathNode } from './path.js';
import { NdjsonScanner } from './scan.js';

export class NdjsonBatchScanner extends BatchScanner {
  /** As `NdjsonScanner`. */
  constructor(root: PathNode, rowBytesMax: number, blockBytes = BLOCK_BYTES) {
    const tree = new PathTree(root);
    const scanner = new NdjsonScanner(root, rowBytesMax);
    super({
      scanner,
      kernel: RowKernel.ofNdjson(tree, blockBytes),
      columns: tree.columns,
      rowBytesMax,
      format: {
        begin: (kernel, bytes, to) => kernel.beginNdjson(bytes, to),
        next: (kernel) => kernel.nextNdjsonRows(rowBytesMax),
        readOther: (sink, bytes, row, from) => {
          sink.judge.resumeRow(row);
          scanner.readRow(bytes, from, sink);
        },
      },
    });
  }
}
