/**
 * Rows, cells and keys of a block in WebAssembly: a whole batch of rows for each step, where the plain loops take one.
 *
 * A kernel answers for what it has read only. Whatever is out of the ordinary it leaves: a row to the scanner, a cell to
 * core/identity. So nothing is decided here, and both ways of reading a block come to the same.
 * @module
 */
import { compiled, instanceOf, WASM_PAGE_BYTES, type WasmMemory, type WasmModule } from '../../core/wasm.js';
import { indexFunction } from '../byte-index.js';
import { type CsvLayout, type CsvStyle, NO_QUOTE } from '../csv/layout.js';
import { BLOCK_BYTES } from '../limits.js';
import { csvRowsFunction } from './csv-rows.js';
import { gatherRowsFunction } from './gather-rows.js';
import { hexCellsFunction } from './hex-cells.js';
import {
  CELLS,
  CELLS_BYTES,
  COLUMNS,
  COLUMNS_MAX,
  FLAG,
  HIGH,
  JUNK,
  KEY_ROW,
  LEAVES,
  LOW,
  MESSAGE_BYTES,
  MESSAGES,
  OTHER_FLAG,
  OTHER_ROW,
  PIECES,
  PIECES_BYTES,
  ROUND_CONSTANTS,
  ROW_LINES,
  ROW_TO,
  ROWS_MAX,
  STATE,
  WORD_BYTES,
} from './layout.js';
import { mixKeysFunction } from './mix-keys.js';
import { ndjsonRowsFunction } from './ndjson-rows.js';
import type { PathTree } from './path-tree.js';
import { rowTemplate } from './row-template.js';
import { roundConstants, sha256BlocksFunction } from './sha256-blocks.js';
import { TemplatePace } from './template-pace.js';
import { templateRowsFunction } from './template-rows.js';

/** Longest message that is hashed here: one block of SHA-256 has room for no more. */
export const MESSAGE_TEXT_MAX = 55;
/** Messages hashed together. */
export const MESSAGES_MAX = ROWS_MAX;
/** Bytes looked at together: so many stand behind the block, too. */
export const PAD_BYTES = 128;
/** Rows that a template is made of, and bytes of each, at most. */
const TEMPLATE_ROWS_MAX = 8;
const TEMPLATE_ROW_BYTES_MAX = 16 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const JUNK_WORDS = 4;
const NOTHING = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

interface Exports {
  readonly memory: WasmMemory;
  index(from: number, to: number, out: number, outEnd: number, first: number, second: number, below: number): number;
  csvRows(to: number, delimiter: number, quote: number, rowBytesMax: number, base: number, cellCount: number): number;
  ndjsonRows(to: number, root: number, columnCount: number, base: number, rowBytesMax: number): number;
  hexCells(cells: number, rowCount: number, digits: number, base: number, messages: number): number;
  sha256Blocks(blocks: number, blockCount: number): number;
  mixKeys(keyCount: number, tag: number, seedLow: number, seedHigh: number): number;
  gatherRows(rowCount: number, base: number, from: number, out: number): number;
}

let ofThread: WasmModule | null = null;

/** The module of all kernels of a thread: 20 ms to put together and compile. */
export function kernelModule(): WasmModule {
  ofThread ??= compiled([
    templateRowsFunction(), // ndjsonRows calls it as the first
    ndjsonRowsFunction({ templateRows: 0 }),
    indexFunction(),
    csvRowsFunction(),
    hexCellsFunction(),
    sha256BlocksFunction(),
    mixKeysFunction(),
    gatherRowsFunction(),
  ]);
  return ofThread;
}

/** Uses the module that another thread has compiled. */
export function useKernelModule(module: WasmModule): void {
  ofThread = module;
}

/** One of a filter's: the system sets aside much address space for each. */
export class RowKernel {
  /** Of the batch: where each row ends, and the line ends before it, negative for what is no row. */
  rowTo: Int32Array = NOTHING;
  rowLines: Int32Array = NOTHING;
  /** Rows whose cell gave a key, and rows whose cell did not and is not empty. */
  keyRow: Int32Array = NOTHING;
  otherRow: Int32Array = NOTHING;
  /** The keys as a table holds them. */
  high: Int32Array = NOTHING;
  low: Int32Array = NOTHING;
  readonly #wasm = instanceOf<Exports>(kernelModule());
  /** Of each row, 1 if it leaves: for {@link gather}. */
  leaves: Uint8Array = NO_BYTES;
  readonly #columnCount: number;
  /** Of the tree of paths. */
  readonly #root: number;
  /** Where bytes stand that are copied here. */
  readonly #base: number;
  /** Where the block stands. */
  #blockAt: number;
  readonly #templatePace = new TemplatePace();
  #inputBytes = 0;
  #markCount = 0;
  #length = 0;
  #state: Int32Array = NOTHING;
  #all: Uint8Array = NO_BYTES;
  #input: Uint8Array = NO_BYTES;
  #cells: Int32Array = NOTHING;
  #messages: Uint8Array = NO_BYTES;

  private constructor(columnCount: number, tree: PathTree | null, blockBytes: number, markCount = 0) {
    if (columnCount > COLUMNS_MAX) throw new RangeError(`expected at most ${COLUMNS_MAX} columns`);
    this.#columnCount = columnCount;
    this.#root = CELLS + columnCount * CELLS_BYTES;
    const written = tree?.written(this.#root) ?? NO_BYTES;
    this.#base = this.#root + padded(written.length);
    this.#blockAt = this.#base;
    this.#allot(blockBytes + PAD_BYTES, markCount);
    new Uint8Array(this.#wasm.memory.buffer, this.#root).set(written);
    new Int32Array(this.#wasm.memory.buffer, ROUND_CONSTANTS).set(roundConstants);
  }

  /** @param columns Numbers of those with identifiers, ascending. */
  static ofCsv(columns: readonly number[], blockBytes = BLOCK_BYTES): RowKernel {
    // a mark for every byte: the system gives what is used
    const kernel = new RowKernel(columns.length, null, blockBytes, padded(blockBytes) + 2 * PAD_BYTES);
    new Int32Array(kernel.#wasm.memory.buffer, COLUMNS).set([...columns, -1]);
    return kernel;
  }

  /** Its columns are those of the tree. */
  static ofNdjson(tree: PathTree, blockBytes = BLOCK_BYTES): RowKernel {
    return new RowKernel(tree.columns.length, tree, blockBytes);
  }

  /** Its cells are put there one by one. */
  static ofCells(columnCount: number): RowKernel {
    return new RowKernel(columnCount, null, BLOCK_BYTES);
  }

  /**
   * Memory for so many blocks, or for what leaves of them: they need not be copied to be read then. Called once, before
   * any block.
   */
  makeSlots(count: number): readonly Uint8Array[] {
    const from = this.#marksEnd;
    this.#reserve(from + count * this.#inputBytes);
    return Array.from(
      { length: count },
      (_, index) => new Uint8Array(this.#wasm.memory.buffer, from + index * this.#inputBytes, this.#inputBytes),
    );
  }

  /** Whether these bytes stand in the kernel's own memory. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.#all.buffer;
  }

  /** Whether a block is short enough to be taken. */
  fits(length: number): boolean {
    return length + PAD_BYTES <= this.#inputBytes;
  }

  /** What {@link addBytes} has added, where cells are put there one by one. */
  get input(): Uint8Array {
    return this.#input;
  }

  /** HOT. Begins another batch of rows whose cells are put there one by one. */
  beginCells(): void {
    this.#length = 0;
  }

  /** HOT. Adds bytes that cells stand in; answers where they begin. */
  addBytes(bytes: Uint8Array, from: number, to: number): number {
    const at = this.#length;
    const length = at + to - from;
    if (this.#inputBytes < length + PAD_BYTES) this.#allot(2 * (length + PAD_BYTES), this.#markCount);
    this.#input.set(bytes.subarray(from, to), at);
    this.#length = length;
    return at;
  }

  /** HOT. A cell in bytes that were added; an empty one where there is no value. */
  setCell(column: number, row: number, from: number, to: number): void {
    const at = 2 * (column * ROWS_MAX + row);
    this.#cells[at] = from;
    this.#cells[at + 1] = to;
  }

  /** Where the batch that follows begins. */
  get at(): number {
    return this.#state[STATE.at / WORD_BYTES]! - this.#blockAt;
  }

  /** Line ends before that. */
  get lines(): number {
    return this.#state[STATE.lines / WORD_BYTES]!;
  }

  /** Whether it stopped before a row that does not end in the block. */
  get isCut(): boolean {
    return this.#state[STATE.isCut / WORD_BYTES] === 1;
  }

  /** HOT. Takes a block of CSV, `bytes[0..length)`, that {@link fits}. */
  beginCsv(bytes: Uint8Array, length: number, { delimiter, quote }: CsvStyle): void {
    this.beginNdjson(bytes, length);
    this.#mark(delimiter, quote === NO_QUOTE ? delimiter : quote, CARRIAGE_RETURN + 1);
  }

  /** HOT. Takes a block of NDJSON, `bytes[0..length)`, that {@link fits}: as it stands where the kernel {@link holds} it. */
  beginNdjson(bytes: Uint8Array, length: number): void {
    const isHeld = this.holds(bytes);
    this.#blockAt = isHeld ? bytes.byteOffset : this.#base;
    if (!isHeld) this.#input.set(length === bytes.length ? bytes : bytes.subarray(0, length));
    this.#all[this.#blockAt + length] = LINE_FEED; // ends every loop
    this.#length = length;
    this.#state[STATE.at / WORD_BYTES] = this.#blockAt;
    this.#state[STATE.lines / WORD_BYTES] = 0;
    this.#state[STATE.isCut / WORD_BYTES] = 0;
  }

  /** HOT. Reads the rows that come next, as many as are taken at a time; 0 where the scanner has to see. */
  nextCsvRows({ delimiter, quote, cellCount }: Omit<CsvLayout, 'columns'>, rowBytesMax: number): number {
    const at = this.#blockAt;
    return this.#wasm.csvRows(at + this.#length, delimiter, quote, rowBytesMax, at, cellCount);
  }

  /** HOT. As {@link nextCsvRows}. */
  nextNdjsonRows(rowBytesMax: number): number {
    const base = this.#blockAt;
    const from = this.at;
    this.#state[STATE.missedCount / WORD_BYTES] = 0;
    const rowCount = this.#wasm.ndjsonRows(base + this.#length, this.#root, this.#columnCount, base, rowBytesMax);
    const next = this.#templatePace.afterBatch(rowCount, this.#state[STATE.missedCount / WORD_BYTES]!);
    if (next !== 'same') this.#state[STATE.hasTemplate / WORD_BYTES] = 0;
    if (next === 'another') this.#makeTemplate(from, rowCount);
    return rowCount;
  }

  /** Of the last rows of a batch that were read and are of usual length. The batch begins at `batchFrom`. */
  #makeTemplate(batchFrom: number, rowCount: number): void {
    const fromOf = (row: number) => (row === 0 ? batchFrom : this.rowTo[row - 1]!);
    const rows: number[] = [];
    for (let row = rowCount - 1; row >= 0 && rows.length < TEMPLATE_ROWS_MAX; row--) {
      const isRead = (this.rowLines[row]! & (FLAG | OTHER_FLAG)) === 0;
      if (isRead && this.rowTo[row]! - fromOf(row) <= TEMPLATE_ROW_BYTES_MAX) rows.push(row);
    }
    const [first] = rows;
    if (first === undefined) return;
    const cells = new Map<number, number>();
    for (let column = 0; column < this.#columnCount; column++) {
      cells.set(this.cellFrom(column, first), CELLS + column * CELLS_BYTES);
    }
    const template = rowTemplate(this.#all.subarray(this.#blockAt), rows.map(fromOf), cells);
    if (template.length > PIECES_BYTES) return;
    this.#all.set(template, PIECES);
    this.#state[STATE.hasTemplate / WORD_BYTES] = 1;
  }

  /**
   * HOT. Copies the rows of the batch that leave (`leaves`) to `target`, from `at` on. The kernel {@link holds} both `target` and the
   * block, and `target` has room for all of it. @returns Where the last one ends.
   * @param from Where the first row begins.
   */
  gather(rowCount: number, from: number, target: Uint8Array, at: number): number {
    return this.#wasm.gatherRows(rowCount, this.#blockAt, from, target.byteOffset + at) - target.byteOffset;
  }

  /** HOT. Whether a row of JSON was left to the scanner, or one of CSV cannot be read. */
  isOther(row: number): boolean {
    return (this.rowLines[row]! & OTHER_FLAG) !== 0;
  }

  /** HOT. Where the cell of a row begins; negative where its text has to be put together of parts. */
  cellFrom(column: number, row: number): number {
    return this.#cells[2 * (column * ROWS_MAX + row)]!;
  }

  /** HOT. Where it ends. */
  cellTo(column: number, row: number): number {
    return this.#cells[2 * (column * ROWS_MAX + row) + 1]!;
  }

  /**
   * HOT. Makes the keys of a column of UUIDs, or of digests of so many digits. @returns How many there are, in `keyRow`.
   * @param junk First words of digests that name nobody, at most three.
   * @param isHashed UUIDs are to be hashed next: their digits become messages.
   */
  hexKeys(column: number, rowCount: number, digits: number, junk: Int32Array, isHashed: boolean): number {
    if (junk.length >= JUNK_WORDS) throw new RangeError(`expected less than ${JUNK_WORDS} junk digests`);
    for (let index = 0; index < JUNK_WORDS; index++) this.#state[JUNK / WORD_BYTES + index] = junk[index] ?? 0;
    const messages = isHashed ? MESSAGES : 0;
    return this.#wasm.hexCells(CELLS + column * CELLS_BYTES, rowCount, digits, this.#blockAt, messages);
  }

  /** How many rows are in `otherRow`. */
  get otherCount(): number {
    return this.#state[STATE.otherCount / WORD_BYTES]!;
  }

  /** HOT. Lays a message down that is to be hashed, of `MESSAGE_TEXT_MAX` bytes at most; its number is how many were before. */
  addMessage(index: number, bytes: Uint8Array, length: number): void {
    const messages = this.#messages;
    const from = index * MESSAGE_BYTES;
    for (let at = 0; at < length; at++) messages[from + at] = bytes[at]!;
    messages[from + length] = 0x80;
    messages.fill(0, from + length + 1, from + MESSAGE_BYTES - 2);
    messages[from + MESSAGE_BYTES - 2] = length >> 5; // its length in bits
    messages[from + MESSAGE_BYTES - 1] = (length << 3) & 0xff;
  }

  /** HOT. Makes the keys of the SHA-256 of so many messages. */
  hashMessages(messageCount: number): void {
    this.#wasm.sha256Blocks(MESSAGES, messageCount);
  }

  /** HOT. Mixes the keys into `high` and `low`. */
  mix(keyCount: number, tag: number, seedLow: number, seedHigh: number): void {
    this.#wasm.mixKeys(keyCount, tag, seedLow, seedHigh);
  }

  /** Where the marks of the block begin. The word before them is the line end before its first row. */
  get #marks(): number {
    return this.#base + this.#inputBytes + PAD_BYTES;
  }

  get #marksEnd(): number {
    return this.#marks + this.#markCount * WORD_BYTES;
  }

  /** HOT. */
  #mark(first: number, second: number, below: number): void {
    const from = this.#blockAt;
    const marks = this.#marks;
    const found = this.#wasm.index(from, from + this.#length + 1, marks, this.#marksEnd, first, second, below);
    if (found < 0) throw new RangeError('expected room for a mark in every byte');
    new Int32Array(this.#wasm.memory.buffer, marks - WORD_BYTES, 1)[0] = from - 1;
    this.#state[STATE.mark / WORD_BYTES] = marks;
  }

  /** Makes room. What stands there stays. */
  #allot(inputBytes: number, markCount: number): void {
    this.#inputBytes = padded(inputBytes);
    this.#markCount = markCount;
    this.#reserve(this.#marksEnd);
  }

  /** Has so much memory. */
  #reserve(byteLength: number): void {
    const { memory } = this.#wasm;
    const missing = byteLength - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
    const { buffer } = memory;
    this.#all = new Uint8Array(buffer);
    this.#state = new Int32Array(buffer, 0, COLUMNS / WORD_BYTES);
    this.#input = new Uint8Array(buffer, this.#base, this.#inputBytes);
    this.#cells = new Int32Array(buffer, CELLS, (this.#columnCount * CELLS_BYTES) / WORD_BYTES);
    this.#messages = new Uint8Array(buffer, MESSAGES, ROWS_MAX * MESSAGE_BYTES);
    this.rowTo = new Int32Array(buffer, ROW_TO, ROWS_MAX);
    this.rowLines = new Int32Array(buffer, ROW_LINES, ROWS_MAX);
    this.keyRow = new Int32Array(buffer, KEY_ROW, ROWS_MAX);
    this.otherRow = new Int32Array(buffer, OTHER_ROW, ROWS_MAX);
    this.high = new Int32Array(buffer, HIGH, ROWS_MAX);
    this.low = new Int32Array(buffer, LOW, ROWS_MAX);
    this.leaves = new Uint8Array(buffer, LEAVES, ROWS_MAX);
  }
}

function padded(byteLength: number): number {
  return Math.ceil(byteLength / PAD_BYTES) * PAD_BYTES;
}
