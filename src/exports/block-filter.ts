/**
 * Filters one block of rows: what a thread does, over and over.
 * @module
 */
import type { SuppressionTable } from '../core/suppression/index.js';
import { CsvBatchScanner } from './csv/batch-scan.js';
import type { CsvLayout } from './csv/layout.js';
import type { ColumnMapping } from './mapping.js';
import { NdjsonBatchScanner } from './ndjson/batch-scan.js';
import { pathTree } from './ndjson/path.js';

import { type RowFault, RowSink } from './row-sink.js';

/** How rows are read. A thread is told so once. */
export type RowLayout = ({ readonly kind: 'csv' } & CsvLayout) | { readonly kind: 'ndjson' };

export interface BlockTerms {
  readonly layout: RowLayout;
  readonly mapping: ColumnMapping;
  readonly rightsMask: number;
  readonly mode: 'drop' | 'blank';
  readonly onUnidentifiable: 'keep' | 'drop' | 'fail';
  readonly wantsFingerprints: boolean;
  readonly rowBytesMax: number;
  readonly blockBytes: number;
}

/** Rows in `bytes[0..length)`; at least `SPARE_BYTES` more can be written to. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Nothing follows. */
  readonly isLast: boolean;
}

export interface BlockResult {
  /** What leaves. May be a part of the block itself, or of its room. */
  readonly output: Uint8Array;
  /** Where the first row begins that does not end in the block. */
  readonly end: number;
  /** Line ends before that. */
  readonly lines: number;
  readonly fault: RowFault | null;
  readonly tally: Float64Array;
  /** Of the rows that leave; `null` where nobody wants them. */
  readonly fingerprints: BigUint64Array | null;
}

const NOTHING = new Uint8Array(0);
const NULL = Buffer.from('null');

export class BlockFilter {
  readonly #sink: RowSink;
  readonly #scanner: CsvBatchScanner | NdjsonBatchScanner;
  readonly #wantsFingerprints: boolean;
  /** Memory of the kernel's own that blocks are copied to, and back: one for what is read, one for what leaves. */
  #copies: readonly Uint8Array[] = [];

  constructor({ layout, rowBytesMax, blockBytes, ...terms }: BlockTerms) {
    this.#sink = new RowSink({ ...terms, blank: layout.kind === 'csv' ? NOTHING : NULL });
    this.#wantsFingerprints = terms.wantsFingerprints;
    this.#scanner =
      layout.kind === 'csv'
        ? new CsvBatchScanner(layout, rowBytesMax, blockBytes)
        : new NdjsonBatchScanner(pathTree(terms.mapping), rowBytesMax, blockBytes);
  }

  /**
   * As `RowKernel.makeSlots`; none where rows are read without a kernel. To be called before any block, with 0 if blocks come in other
   * memory only: they are copied then, since rows that leave are put together faster in the kernel's.
   */
  makeSlots(count: number): readonly Uint8Array[] {
    const slots = this.#scanner.kernel?.makeSlots(count + 2) ?? [];
    this.#copies = slots.slice(count);
    return slots.slice(0, count);
  }

  /** Whether memory is the kernel's own, which cannot be handed to other threads. */
  holds(memory: Uint8Array): boolean {
    return this.#scanner.kernel?.holds(memory) === true;
  }

  /** The rows of a block, judged by the table as it is now. @param room Where what leaves may be written, as much as fits. */
  run(block: Block, room: Uint8Array, table: SuppressionTable): BlockResult {
    const [bytes, copiedRoom] = this.#copies;
    const { length } = block;
    const isCopied = !this.holds(block.bytes) && this.#scanner.isForKernel(length, this.#sink);
    if (bytes === undefined || copiedRoom === undefined || !isCopied) return this.#run(block, room, table);
    bytes.set(length === block.bytes.length ? block.bytes : block.bytes.subarray(0, length));
    const result = this.#run({ ...block, bytes }, copiedRoom, table);
    const { output } = result;
    const from = output.byteOffset - bytes.byteOffset;
    const isWhole = output.buffer === bytes.buffer && from >= 0 && from < bytes.length;
    if (isWhole) return { ...result, output: partOf(block.bytes, from, output.length) };
    if (room.length < output.length) return { ...result, output: Uint8Array.prototype.slice.call(output) };
    room.set(output);
    return { ...result, output: partOf(room, 0, output.length) };
  }

  #run({ bytes, length, isLast }: Block, room: Uint8Array, table: SuppressionTable): BlockResult {
    const sink = this.#sink;
    sink.judge.use(table);
    sink.begin(bytes, room);
    const end = this.#scanner.scan(bytes, length, isLast, sink);
    const output = sink.end();
    const { fault, tally } = sink;
    const fingerprints = this.#wantsFingerprints ? sink.takeFingerprints() : null;
    return { output, end, lines: this.#scanner.lines, fault, tally, fingerprints };
  }
}

function partOf(bytes: Uint8Array, from: number, length: number): Uint8Array {
  return bytes.subarray(from, from + length);
}
