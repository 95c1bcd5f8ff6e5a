/**
 * Rows of `kind,value,rights` from CSV or NDJSON, one a line, each with its line number.
 *
 * A row that cannot be used is a value that names the field and never the identifier; nothing is skipped silently. A CSV
 * file that is not laid out as expected (header, line ends) is refused as a whole: its rows would be read wrongly.
 * @module
 */
import { checkIdentifier } from '../core/identity/index.js';
import { type Identifier, RIGHTS, RIGHTS_ALL, type Right, rightsMask } from '../core/vocabulary.js';
import { LINE_BYTES_MAX, type Line, LineError, lineText, parseJson, readLines } from './lines.js';
import { ListError } from './list-error.js';

export type RowFormat = 'csv' | 'ndjson';

export type Row =
  | { readonly kind: 'row'; readonly line: number; readonly identifier: Identifier; readonly rights: number }
  | { readonly kind: 'refused'; readonly line: number; readonly field: string; readonly message: string };

/**
 * A row whose kind and value nobody has looked at yet: for a reader that checks them itself. One that is no row has
 * neither, so that a reader that counts refusals counts it too.
 */
export interface UncheckedRow {
  readonly line: number;
  readonly kind: unknown;
  readonly value: unknown;
  readonly rights: number;
}

/** Told of each row that cannot be used. */
export type RefuseRow = (line: number, field: string, message: string) => void;

interface RawRow {
  readonly kind?: unknown;
  readonly value?: unknown;
  readonly rights?: unknown;
}

/** Where each column is in a CSV file; -1 for one that is not there. */
interface Header {
  readonly kindIndex: number;
  readonly valueIndex: number;
  readonly rightsIndex: number;
  readonly columnCount: number;
}

const COLUMNS = ['kind', 'value', 'rights'];

/** Reads every row. @throws {ListError} where a CSV file is not laid out as expected. */
export function readRows(stream: AsyncIterable<string | Uint8Array>, format: RowFormat): AsyncGenerator<Row> {
  return parseRows(stream, format, checkRow, refusedRow);
}

/**
 * Reads every row and leaves kind and value to whoever takes it, so that no identifier is checked twice. `refuse` is told
 * of a row that is none, or whose rights are none, just before it is given out. @throws {ListError} as {@link readRows}.
 */
export function readUncheckedRows(
  stream: AsyncIterable<string | Uint8Array>,
  format: RowFormat,
  refuse: RefuseRow,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<UncheckedRow> {
  const refused = (line: number, field: string, message: string): UncheckedRow => {
    refuse(line, field, message);
    return { line, kind: null, value: null, rights: RIGHTS_ALL };
  };
  return parseRows(stream, format, (raw, line) => uncheckedRow(raw, line, refused), refused, lineBytesMax);
}

/** Reads every row as what `use` makes of it, or `refused` of one that is none. */
async function* parseRows<T>(
  stream: AsyncIterable<string | Uint8Array>,
  format: RowFormat,
  use: (raw: unknown, line: number) => T,
  refused: (line: number, field: string, message: string) => T,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<T> {
  let header: Header | null = null;
  let line = 0;
  for await (const bytes of readLines(stream, lineBytesMax)) {
    line++;
    let row: T | null = null;
    try {
      if (format === 'ndjson') row = use(parseJson(lineText(bytes)), line);
      else if (header === null) header = readHeader(bytes);
      else row = use(csvRow(header, bytes, line), line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      row = refused(line, 'line', error.message);
    }
    if (row !== null) yield row;
  }
  if (format === 'csv' && header === null) throw new ListError('expected a header line: kind,value,rights');
}

/** The columns, in the order of the file. Names that are not ours are never shown: without a header they are identifiers. */
function readHeader(bytes: Line): Header {
  let text: string;
  let cells: readonly string[];
  try {
    text = lineText(bytes);
    refuseCarriageReturn(text, 1);
    cells = splitCsv(text);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new ListError(`line 1: expected the header ${COLUMNS.join(',')} in UTF-8 (${error.message})`);
  }
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const separator = names.length > 1 ? undefined : /[\t;|]/.exec(text)?.[0];
  if (separator !== undefined) {
    const shown = separator === '\t' ? 'tabs' : `"${separator}"`;
    throw new ListError(`line 1: expected the header ${COLUMNS.join(',')} with commas, not ${shown}`);
  }
  if (!names.includes('kind') || !names.includes('value')) {
    throw new ListError(`line 1: expected a header with the columns ${COLUMNS.join(', ')}`);
  }
  for (const [index, name] of names.entries()) {
    const fault = !COLUMNS.includes(name) ? 'unknown' : names.indexOf(name) < index ? 'there twice' : null;
    if (fault === null) continue;
    throw new ListError(`line 1: column ${index + 1} of the header is ${fault}; expected ${COLUMNS.join(', ')}`);
  }
  return {
    kindIndex: names.indexOf('kind'),
    valueIndex: names.indexOf('value'),
    rightsIndex: names.indexOf('rights'),
    columnCount: names.length,
  };
}

function csvRow({ kindIndex, valueIndex, rightsIndex, columnCount }: Header, bytes: Line, line: number): RawRow {
  const text = lineText(bytes);
  refuseCarriageReturn(text, line);
  if (text.trim() === '') throw new LineError('input.invalid', 'the line is empty');
  const cells = splitCsv(text);
  if (cells.length > columnCount) {
    throw new LineError('input.invalid', `expected ${columnCount} cells, as in the header, not ${cells.length}`);
  }
  return { kind: cells[kindIndex], value: cells[valueIndex], rights: cells[rightsIndex] };
}

/** A file with the line ends of an old Mac would be one long header, and all its rows lost. @throws {ListError} */
function refuseCarriageReturn(text: string, line: number): void {
  if (!text.includes('\r')) return;
  throw new ListError(`line ${line}: a carriage return inside the line; expected lines that end in LF or CR LF`);
}

/**
 * The cells of one CSV record (RFC 4180), and spaces around a quoted cell. A quoted cell that does not end on its line is
 * refused: no identifier has a line break.
 */
export function splitCsv(text: string): readonly string[] {
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const quoteAt = skipSpaces(text, at);
    if (text[quoteAt] !== '"') {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      const cell = text.slice(at, end);
      if (cell.includes('"'))
        throw new LineError('input.invalid', 'a quote inside a cell that does not start with one');
      cells.push(cell);
      at = end + 1;
      continue;
    }
    let cell = '';
    let quote = quoteAt;
    do {
      const next = text.indexOf('"', quote + 1);
      if (next < 0) throw new LineError('input.invalid', 'a quoted cell does not end');
      cell += text.slice(quote + 1, next);
      quote = next;
      if (text[quote + 1] === '"') cell += '"';
    } while (text[quote + 1] === '"' && quote++ >= 0);
    const end = skipSpaces(text, quote + 1);
    if (end < text.length && text[end] !== ',') throw new LineError('input.invalid', 'text follows a quoted cell');
    cells.push(cell);
    at = end + 1;
  }
  return cells;
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

function checkRow(raw: unknown, line: number): Row {
  if (!isRawRow(raw)) return refusedRow(line, 'line', ROW_EXPECTED);
  const checked = checkIdentifier(trimmed(raw.kind), raw.value);
  if ('error' in checked) return refusedRow(line, checked.error.field, checked.error.message);
  const rights = parseRights(raw.rights);
  return rights === null
    ? refusedRow(line, 'rights', RIGHTS_EXPECTED)
    : { kind: 'row', line, identifier: checked.ok, rights };
}

function uncheckedRow(
  raw: unknown,
  line: number,
  refused: (line: number, field: string, message: string) => UncheckedRow,
): UncheckedRow {
  if (!isRawRow(raw)) return refused(line, 'line', ROW_EXPECTED);
  const rights = parseRights(raw.rights);
  if (rights === null) return refused(line, 'rights', RIGHTS_EXPECTED);
  return { line, kind: trimmed(raw.kind), value: raw.value, rights };
}

const ROW_EXPECTED = 'expected an object with kind, value and rights';
const RIGHTS_EXPECTED = `expected some of ${RIGHTS.join(', ')}, or nothing for all`;

function isRawRow(raw: unknown): raw is RawRow {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function trimmed(kind: unknown): unknown {
  return typeof kind === 'string' ? kind.trim() : kind;
}

function refusedRow(line: number, field: string, message: string): Row {
  return { kind: 'refused', line, field, message };
}

/** `sale|share`, an array of names, or nothing at all for every right; `null` for anything else. */
export function parseRights(rights: unknown): number | null {
  if (rights === undefined || rights === null || rights === '') return RIGHTS_ALL;
  if (typeof rights === 'string') return parseRightsText(rights);
  return Array.isArray(rights) ? maskOfNames(rights) : null;
}

/** A row mostly names the same rights as the row before it, so they are not split again (0.3 of 2 µs a row). */
let lastText = '';
let lastMask: number | null = RIGHTS_ALL;

function parseRightsText(text: string): number | null {
  if (text !== lastText) {
    lastMask = maskOfNames(text.split(/[|;,\s]+/).filter(Boolean));
    lastText = text;
  }
  return lastMask;
}

function maskOfNames(names: readonly unknown[]): number | null {
  if (names.length === 0 || (names.length === 1 && names[0] === 'all')) return RIGHTS_ALL;
  return names.every((name) => RIGHTS.includes(name as Right)) ? rightsMask(names as Right[]) : null;
}
