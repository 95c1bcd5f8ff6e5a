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
import { endOfTextFunction } from './end-of-text.js';
import { hexCellsFunction } from './hex-cells.js';
import {
  CELLS,
  CELLS_BYTES,
  COLUMNS,
  COLUMNS_MAX,
  HIGH,
  JUNK,
  KEY_ROW,
  LOW,
  MESSAGE_BYTES,
  MESSAGES,
  OTHER_FLAG,
  OTHER_ROW,
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
import { roundConstants, sha256BlocksFunction } from './sha256-blocks.js';

/** Longest message that is hashed here: one block of SHA-256 has room for no more. */
export const MESSAGE_TEXT_MAX = 55;
/** Messages hashed together. */
export const MESSAGES_MAX = ROWS_MAX;
/** Bytes looked at together: so many stand behind the block, too. */
const PAD_BYTES = 64;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const JUNK_WORDS = 4;
const NOTHING = new Int32Array(0);
const NOTHING_WRITTEN = new Uint8Array(0);

interface Exports {
  readonly memory: WasmMemory;
  index(from: number, to: number, out: number, outEnd: number, first: number, second: number, below: number): number;
  csvRows(to: number, delimiter: number, quote: number, rowBytesMax: number, base: number, cellCount: number): number;
  ndjsonRows(to: number, root: number, columnCount: number, base: number, rowBytesMax: number): number;
  hexCells(cells: number, rowCount: number, digits: number, base: number, messages: number): number;
  sha256Blocks(blocks: number, blockCount: number): number;
  mixKeys(keyCount: number, tag: number, seedLow: number, seedHigh: number): number;
}

let ofThread: WasmModule | null = null;

/** The module of all kernels of a thread: 20 ms to put together and compile. */
export function kernelModule(): WasmModule {
  ofThread ??= compiled([
    endOfTextFunction(), // ndjsonRows calls it as the first
    indexFunction(),
    csvRowsFunction(),
    ndjsonRowsFunction({ endOfText: 0 }),
    hexCellsFunction(),
    sha256BlocksFunction(),
    mixKeysFunction(),
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
  readonly #columnCount: number;
  /** Of the tree of paths. */
  readonly #root: number;
  /** Where the block stands. */
  readonly #base: number;
  #inputBytes = 0;
  #markCount = 0;
  #length = 0;
  #state: Int32Array = NOTHING;
  #input: Uint8Array = new Uint8Array(0);
  #cells: Int32Array = NOTHING;
  #messages: Uint8Array = new Uint8Array(0);

  private constructor(columnCount: number, tree: PathTree | null) {
    if (columnCount > COLUMNS_MAX) throw new RangeError(`expected at most ${COLUMNS_MAX} columns`);
    this.#columnCount = columnCount;
    this.#root = CELLS + columnCount * CELLS_BYTES;
    const written = tree?.written(this.#root) ?? NOTHING_WRITTEN;
    this.#base = this.#root + Math.ceil(written.length / PAD_BYTES) * PAD_BYTES;
    this.#allot(BLOCK_BYTES, BLOCK_BYTES >> 2);
    new Uint8Array(this.#wasm.memory.buffer, this.#root).set(written);
    new Int32Array(this.#wasm.memory.buffer, ROUND_CONSTANTS).set(roundConstants);
  }

  /** @param columns Numbers of those with identifiers, ascending. */
  static ofCsv(columns: readonly number[]): RowKernel {
    const kernel = new RowKernel(columns.length, null);
    new Int32Array(kernel.#wasm.memory.buffer, COLUMNS).set([...columns, -1]);
    return kernel;
  }

  /** Its columns are those of the tree. */
  static ofNdjson(tree: PathTree): RowKernel {
    return new RowKernel(tree.columns.length, tree);
  }

  /** Its cells are put there one by one. */
  static ofCells(columnCount: number): RowKernel {
    return new RowKernel(columnCount, null);
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
    return this.#state[STATE.at / WORD_BYTES]! - this.#base;
  }

  /** Line ends before that. */
  get lines(): number {
    return this.#state[STATE.lines / WORD_BYTES]!;
  }

  /** Whether it stopped before a row that does not end in the block. */
  get isCut(): boolean {
    return this.#state[STATE.isCut / WORD_BYTES] === 1;
  }

  /** HOT. Takes a block of CSV, `bytes[0..length)`. */
  beginCsv(bytes: Uint8Array, length: number, { delimiter, quote }: CsvStyle): void {
    this.beginNdjson(bytes, length);
    this.#mark(delimiter, quote === NO_QUOTE ? delimiter : quote, CARRIAGE_RETURN + 1);
    this.#state[STATE.mark / WORD_BYTES] = this.#base + this.#inputBytes;
  }

  /** HOT. Takes a block of NDJSON, `bytes[0..length)`. */
  beginNdjson(bytes: Uint8Array, length: number): void {
    if (this.#inputBytes < length + PAD_BYTES) this.#allot(length + PAD_BYTES, this.#markCount);
    this.#input.set(length === bytes.length ? bytes : bytes.subarray(0, length));
    this.#input[length] = LINE_FEED; // ends every loop
    this.#length = length;
    this.#state[STATE.at / WORD_BYTES] = this.#base;
    this.#state[STATE.lines / WORD_BYTES] = 0;
    this.#state[STATE.isCut / WORD_BYTES] = 0;
  }

  /** HOT. Reads the rows that come next, as many as are taken at a time; 0 where the scanner has to see. */
  nextCsvRows({ delimiter, quote, cellCount }: Omit<CsvLayout, 'columns'>, rowBytesMax: number): number {
    return this.#wasm.csvRows(this.#base + this.#length, delimiter, quote, rowBytesMax, this.#base, cellCount);
  }

  /** HOT. As {@link nextCsvRows}. */
  nextNdjsonRows(rowBytesMax: number): number {
    const to = this.#base + this.#length;
    return this.#wasm.ndjsonRows(to, this.#root, this.#columnCount, this.#base, rowBytesMax);
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
    return this.#wasm.hexCells(CELLS + column * CELLS_BYTES, rowCount, digits, this.#base, messages);
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

  /** HOT. */
  #mark(first: number, second: number, below: number): void {
    const from = this.#base;
    for (;;) {
      const marks = from + this.#inputBytes;
      const end = marks + this.#markCount * WORD_BYTES;
      if (this.#wasm.index(from, from + this.#length + 1, marks, end, first, second, below) >= 0) return;
      this.#allot(this.#inputBytes, 2 * this.#markCount + 4 * PAD_BYTES);
    }
  }

  /** Makes room. What stands there stays. */
  #allot(inputBytes: number, markCount: number): void {
    this.#inputBytes = Math.ceil(inputBytes / PAD_BYTES) * PAD_BYTES;
    this.#markCount = markCount;
    const { memory } = this.#wasm;
    const missing = this.#base + this.#inputBytes + markCount * WORD_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
    const { buffer } = memory;
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
  }
}
