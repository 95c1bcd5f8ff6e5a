/**
 * Finds rows and cells of CSV in bytes (RFC 4180), without making a string of any.
 *
 * A quote opens a cell only at its beginning; inside, two stand for one. Behind the closing quote the cell must end: a stray
 * quote would take the rows that follow into its cell. Rows end with LF, CR LF or CR. A row may have fewer cells than the header, but nothing in
 * further ones: somebody has written a delimiter into a cell, and who knows into which. An empty line is no row. Bytes are bytes: NUL and what is no UTF-8 are part of a cell.
 * @module
 */
import { byteIndex } from '../byte-index.js';
import type { RowSink } from '../row-sink.js';
import { CARRIAGE_RETURN, type CsvColumn, type CsvLayout, LINE_FEED, NO_QUOTE } from './layout.js';
import { unquoted } from './quoted.js';

/** Instead of a place in the block: a quoted cell goes on behind it, or behind its own closing quote. */
const OPEN = -1;
const MISPLACED = -2;

export class CsvScanner {
  /** Line ends of the block before the row at which the last scan stopped. */
  lines = 0;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #columns: readonly CsvColumn[];
  readonly #cellCount: number;
  readonly #rowBytesMax: number;
  /** Where delimiters, quotes and line ends stand in the block, and other control characters; and the next of them. */
  #marks: Uint32Array = new Uint32Array(0);
  #mark = 0;
  /** Of the quoted cell that was read last: where its closing quote stands, line ends in it, and whether quotes are. */
  #closingAt = 0;
  #linesInside = 0;
  #hasQuotes = false;
  /** The row that was read last has something in a cell that the header does not have. */
  #hasMore = false;

  constructor({ delimiter, quote, columns, cellCount }: CsvLayout, rowBytesMax: number) {
    this.#delimiter = delimiter;
    this.#quote = quote;
    this.#columns = columns;
    this.#cellCount = cellCount;
    this.#rowBytesMax = rowBytesMax;
  }

  /**
   * HOT. Gives the rows in `bytes[from..to)` to the sink; answers where the first row begins that does not end there. With
   * `isLast` the last row needs no line end. Writes a line end to `bytes[to]`.
   * @param lines Line ends before `from`.
   */
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink, from = 0, lines = 0): number {
    bytes[to] = LINE_FEED; // ends every loop
    const index = byteIndex();
    index.fill(
      bytes,
      to + 1,
      this.#delimiter,
      this.#quote === NO_QUOTE ? this.#delimiter : this.#quote,
      CARRIAGE_RETURN + 1,
    );
    this.#marks = index.positions;
    this.#mark = 0;
    this.lines = lines;
    let at = from;
    while (this.#marks[this.#mark]! < at) this.#mark++;
    while (at < to && sink.fault === null) {
      const rowFrom = at;
      this.#linesInside = 0;
      this.#hasMore = false;
      const first = bytes[at]!;
      const isEmpty = first === LINE_FEED || first === CARRIAGE_RETURN;
      if (!isEmpty) {
        sink.startRow(rowFrom, this.lines);
        at = this.#readRow(bytes, at, to, sink);
        if (at === MISPLACED) {
          sink.fail({ code: 'row.quote_misplaced', linesBefore: this.lines });
          return rowFrom;
        }
        if (at === OPEN) {
          if (!isLast) return rowFrom;
          at = to;
          if (at - rowFrom <= this.#rowBytesMax) sink.fail({ code: 'row.quote_open', linesBefore: this.lines });
          if (sink.fault !== null) return rowFrom;
        }
        if (at - rowFrom > this.#rowBytesMax) {
          sink.fail({ code: 'row.too_long', linesBefore: this.lines, detail: `${this.#rowBytesMax} bytes` });
          return rowFrom;
        }
      }
      const end = endOfLine(bytes, at, to, isLast);
      if (end < 0) return rowFrom;
      if (this.#hasMore) sink.spoilRow();
      if (isEmpty) sink.pass(rowFrom, end);
      else sink.endRow(end);
      this.lines += this.#linesInside + 1;
      this.#mark += end - at; // a line end has a mark for each of its bytes
      at = end;
    }
    return at;
  }

  /** HOT. Reads the cells of a row; answers where its line end stands, {@link OPEN} or {@link MISPLACED}. */
  #readRow(bytes: Uint8Array, from: number, to: number, sink: RowSink): number {
    const delimiter = this.#delimiter;
    const columns = this.#columns;
    const marks = this.#marks;
    let mark = this.#mark;
    let cellFrom = from;
    let column = 0;
    for (let next = 0; next < columns.length; ) {
      const isQuoted = marks[mark] === cellFrom && bytes[cellFrom] === this.#quote;
      if (isQuoted) {
        mark = this.#endOfQuoted(bytes, mark, to);
        if (mark < 0) return mark;
      }
      let at = marks[mark]!;
      let byte = bytes[at]!;
      while (byte !== delimiter && byte !== LINE_FEED && byte !== CARRIAGE_RETURN) {
        at = marks[++mark]!;
        byte = bytes[at]!;
      }
      const wanted = columns[next]!;
      if (wanted.index === column) {
        if (isQuoted) this.#addQuoted(bytes, cellFrom, at, wanted, sink);
        else addCell(bytes, cellFrom, at, wanted, sink);
        if (sink.isBlanking) sink.addPlace(cellFrom, at);
        next++;
      }
      if (byte !== delimiter) {
        this.#mark = mark;
        return at;
      }
      mark++;
      column++;
      cellFrom = at + 1;
    }
    return this.#skipRow(bytes, cellFrom, mark, column, to);
  }

  /** HOT. From the beginning of a cell to the line end of its row, as {@link #readRow}. */
  #skipRow(bytes: Uint8Array, from: number, firstMark: number, firstColumn: number, to: number): number {
    const delimiter = this.#delimiter;
    const marks = this.#marks;
    let mark = firstMark;
    let cellFrom = from;
    let column = firstColumn;
    for (;;) {
      const at = marks[mark]!;
      const byte = bytes[at]!;
      if (byte === delimiter) {
        if (column >= this.#cellCount && at > cellFrom) this.#hasMore = true;
        cellFrom = at + 1;
        column++;
        mark++;
      } else if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        if (column >= this.#cellCount && at > cellFrom) this.#hasMore = true;
        this.#mark = mark;
        return at;
      } else if (byte === this.#quote && at === cellFrom) {
        mark = this.#endOfQuoted(bytes, mark, to);
        if (mark < 0) return mark;
      } else {
        mark++;
      }
    }
  }

  /** HOT. The mark behind the closing quote of the cell that opens at a mark; {@link OPEN} if there is none before `to`. */
  #endOfQuoted(bytes: Uint8Array, opening: number, to: number): number {
    const marks = this.#marks;
    this.#hasQuotes = false;
    for (let mark = opening + 1; ; mark++) {
      const at = marks[mark]!;
      const byte = bytes[at]!;
      if (byte === this.#quote) {
        if (bytes[at + 1] !== this.#quote) {
          const next = bytes[at + 1]!;
          if (next !== this.#delimiter && next !== LINE_FEED && next !== CARRIAGE_RETURN) return MISPLACED;
          this.#closingAt = at;
          return mark + 1;
        }
        this.#hasQuotes = true;
        mark++;
      } else if (byte === LINE_FEED) {
        if (at >= to) return OPEN;
        this.#linesInside++;
      }
    }
  }

  /** A quoted cell. */
  #addQuoted(bytes: Uint8Array, from: number, to: number, column: CsvColumn, sink: RowSink): void {
    if (!this.#hasQuotes) {
      addCell(bytes, from + 1, to - 1, column, sink);
      return;
    }
    const text = unquoted(bytes, from + 1, this.#closingAt);
    addCell(text, 0, text.length, column, sink);
  }
}

/** HOT. */
function addCell(bytes: Uint8Array, from: number, to: number, { places }: CsvColumn, sink: RowSink): void {
  for (let index = 0; index < places.length; index++) sink.judge.addBytes(places[index]!, bytes, from, to);
}

/** HOT. Behind the line end at `at`; -1 where that is not all there or lies behind `to`. */
function endOfLine(bytes: Uint8Array, at: number, to: number, isLast: boolean): number {
  if (at >= to) return isLast ? to : -1;
  if (bytes[at] === LINE_FEED) return at + 1;
  if (at + 1 === to) return isLast ? to : -1;
  return bytes[at + 1] === LINE_FEED ? at + 2 : at + 1;
}
