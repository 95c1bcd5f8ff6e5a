/**
 * Rows of `kind,value,rights` from CSV or NDJSON, one a line, each with its line number.
 *
 * A row that cannot be used is a value that names the field and never the identifier; nothing is skipped silently. A CSV
 * file that is not laid out as expected (header, line ends) is refused as a whole: its rows would be read wrongly.
 * @module
 */
import { checkIdentifier } from '../core/identity/index.js';
import { type Identifier, RIGHTS, RIGHTS_ALL, type Right, rightsMask } from '../core/vocabulary.js';
import { CommandError } from './command.js';
import { type Line, LineError, lineText, parseJson, readLines } from './lines.js';

export type RowFormat = 'csv' | 'ndjson';

export type Row =
  | { readonly kind: 'row'; readonly line: number; readonly identifier: Identifier; readonly rights: number }
  | { readonly kind: 'refused'; readonly line: number; readonly field: string; readonly message: string };

interface RawRow {
  readonly kind?: unknown;
  readonly value?: unknown;
  readonly rights?: unknown;
}

const COLUMNS = ['kind', 'value', 'rights'];

/** Reads every row. @throws {CommandError} where a CSV file is not laid out as expected. */
export async function* readRows(stream: AsyncIterable<string | Uint8Array>, format: RowFormat): AsyncGenerator<Row> {
  let header: readonly string[] | null = null;
  let line = 0;
  for await (const bytes of readLines(stream)) {
    line++;
    try {
      if (format === 'ndjson') yield checkRow(parseJson(lineText(bytes)), line);
      else if (header === null) header = readHeader(bytes);
      else yield checkRow(csvRow(header, bytes, line), line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      yield { kind: 'refused', line, field: 'line', message: error.message };
    }
  }
  if (format === 'csv' && header === null) throw new CommandError('expected a header line: kind,value,rights');
}

/** The columns, in the order of the file. Names that are not ours are never shown: without a header they are identifiers. */
function readHeader(bytes: Line): readonly string[] {
  let text: string;
  let cells: readonly string[];
  try {
    text = lineText(bytes);
    refuseCarriageReturn(text, 1);
    cells = splitCsv(text);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new CommandError(`line 1: expected the header ${COLUMNS.join(',')} in UTF-8 (${error.message})`);
  }
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const separator = names.length > 1 ? undefined : /[\t;|]/.exec(text)?.[0];
  if (separator !== undefined) {
    const shown = separator === '\t' ? 'tabs' : `"${separator}"`;
    throw new CommandError(`line 1: expected the header ${COLUMNS.join(',')} with commas, not ${shown}`);
  }
  if (!names.includes('kind') || !names.includes('value')) {
    throw new CommandError(`line 1: expected a header with the columns ${COLUMNS.join(', ')}`);
  }
  for (const [index, name] of names.entries()) {
    const fault = !COLUMNS.includes(name) ? 'unknown' : names.indexOf(name) < index ? 'there twice' : null;
    if (fault === null) continue;
    throw new CommandError(`line 1: column ${index + 1} of the header is ${fault}; expected ${COLUMNS.join(', ')}`);
  }
  return names;
}

function csvRow(header: readonly string[], bytes: Line, line: number): RawRow {
  const text = lineText(bytes);
  refuseCarriageReturn(text, line);
  if (text.trim() === '') throw new LineError('input.invalid', 'the line is empty');
  const cells = splitCsv(text);
  if (cells.length > header.length) {
    throw new LineError('input.invalid', `expected ${header.length} cells, as in the header, not ${cells.length}`);
  }
  return Object.fromEntries(header.map((name, index) => [name, cells[index]]));
}

/** A file with the line ends of an old Mac would be one long header, and all its rows lost. @throws {CommandError} */
function refuseCarriageReturn(text: string, line: number): void {
  if (!text.includes('\r')) return;
  throw new CommandError(`line ${line}: a carriage return inside the line; expected lines that end in LF or CR LF`);
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
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return { kind: 'refused', line, field: 'line', message: 'expected an object with kind, value and rights' };
  }
  const { kind, value, rights } = raw as RawRow;
  const checked = checkIdentifier(typeof kind === 'string' ? kind.trim() : kind, value);
  if ('error' in checked) return { kind: 'refused', line, ...pick(checked.error) };
  const mask = parseRights(rights);
  if (mask === null) {
    return {
      kind: 'refused',
      line,
      field: 'rights',
      message: `expected some of ${RIGHTS.join(', ')}, or nothing for all`,
    };
  }
  return { kind: 'row', line, identifier: checked.ok, rights: mask };
}

function pick({ field, message }: { readonly field: string; readonly message: string }) {
  return { field, message };
}

/** `sale|share`, an array of names, or nothing at all for every right; `null` for anything else. */
export function parseRights(rights: unknown): number | null {
  if (rights === undefined || rights === null) return RIGHTS_ALL;
  const names: unknown[] =
    typeof rights === 'string' ? rights.split(/[|;,\s]+/).filter(Boolean) : Array.isArray(rights) ? rights : [null];
  if (names.length === 0 || (names.length === 1 && names[0] === 'all')) return RIGHTS_ALL;
  return names.every((name) => RIGHTS.includes(name as Right)) ? rightsMask(names as Right[]) : null;
}
