/**
 * How a CSV file is laid out: its delimiter, its header, and which columns hold identifiers.
 * @module
 */
import type { ColumnMapping } from '../mapping.js';
import { RowError } from '../row-error.js';

export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const QUOTE = 0x22;
const BYTE_ORDER_MARK = '\ufeff';

/** A column that holds identifiers. */
export interface CsvColumn {
  /** Counted from 0. */
  readonly index: number;
  /** Places of the mapping that it is. */
  readonly places: readonly number[];
}

/**
 * The byte between cells.
 * @throws {TypeError} where it is not one character of ASCII, or is one that means something else.
 */
export function delimiterByte(delimiter: string): number {
  const byte = delimiter.charCodeAt(0);
  if (delimiter.length !== 1 || byte > 0x7f || byte === QUOTE || byte === LINE_FEED || byte === CARRIAGE_RETURN) {
    throw new TypeError('delimiter: expected one character of ASCII that is no quote and no line end');
  }
  return byte;
}

/** How cells are told apart. */
export interface CsvStyle {
  /** The byte between cells. */
  readonly delimiter: number;
  /** The byte around a cell that holds delimiters or line ends; {@link NO_QUOTE} where it is a character like others. */
  readonly quote: number;
}

/** No byte is this one. */
export const NO_QUOTE = -1;

/** Where the header row ends, behind its line end; -1 if it does not end in these bytes. */
export function endOfHeader(bytes: Uint8Array, { delimiter, quote }: CsvStyle, isLast: boolean): number {
  let isQuoted = false;
  let isCellStart = true;
  for (let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (isQuoted) {
      if (byte === quote && bytes[at + 1] === quote) at++;
      else if (byte === quote) isQuoted = false;
    } else if (byte === quote && isCellStart) isQuoted = true;
    else if (byte === LINE_FEED) return at + 1;
    else if (byte === CARRIAGE_RETURN) {
      if (at + 1 === bytes.length && !isLast) return -1;
      return bytes[at + 1] === LINE_FEED ? at + 2 : at + 1;
    }
    isCellStart = byte === delimiter && !isQuoted;
  }
  return isLast ? bytes.length : -1;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What the header of a file says of its rows. */
export interface CsvLayout extends CsvStyle {
  /** Those with identifiers, in the order of the file. */
  readonly columns: readonly CsvColumn[];
  /** Cells of the header. A row with something in a further one has been cut in the wrong places. */
  readonly cellCount: number;
}

/**
 * The columns that a mapping names, in the order of the file. A name that the header has twice means both columns.
 * @throws {RowError} `column.missing`, which names the column; `header.missing`; `header.not_utf8`; `row.quote_misplaced`,
 * `row.quote_open`.
 */
export function layoutOf(header: Uint8Array, style: CsvStyle, mapping: ColumnMapping): CsvLayout {
  let text: string;
  try {
    text = utf8.decode(header);
  } catch {
    throw new RowError('header.not_utf8', 1);
  }
  if (text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
  text = text.replace(/\r\n$|[\r\n]$/, '');
  if (text === '') throw new RowError('header.missing', 1);
  const names = splitHeader(text, style).map((name) => name.trim());
  const columns = new Map<number, number[]>();
  for (const [place, { place: name }] of mapping.entries()) {
    if (!names.includes(name)) throw new RowError('column.missing', 1, name);
    for (const [index, known] of names.entries()) {
      if (known === name) columns.set(index, [...(columns.get(index) ?? []), place]);
    }
  }
  return {
    delimiter: style.delimiter,
    quote: style.quote,
    columns: [...columns].map(([index, places]) => ({ index, places })).sort((a, b) => a.index - b.index),
    cellCount: names.length,
  };
}

/** The cells of the header row, as the scanner sees them. */
function splitHeader(text: string, style: CsvStyle): readonly string[] {
  const delimiter = String.fromCharCode(style.delimiter);
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    let cell = '';
    if (text.charCodeAt(at) === style.quote) {
      let quoteAt = at + 1;
      for (;;) {
        const next = text.indexOf('"', quoteAt);
        if (next < 0) throw new RowError('row.quote_open', 1); // else all that follows would leave as a header
        cell += text.slice(quoteAt, next);
        at = next + 1;
        if (text[at] !== '"') break;
        cell += '"';
        quoteAt = at + 1;
      }
      if (at < text.length && text[at] !== delimiter) throw new RowError('row.quote_misplaced', 1);
    }
    const next = text.indexOf(delimiter, at);
    const end = next < 0 ? text.length : next;
    cells.push(cell + text.slice(at, end));
    at = end + 1;
  }
  return cells;
}
