/**
 * Rows of `kind,value,rights` from CSV or NDJSON, one a line, each with its line number.
 *
 * A row that cannot be used is a value that names the field and never the identifier; nothing is skipped silently.
 * @module
 */
import { checkIdentifier } from '../core/identity/index.js';
import { type Identifier, RIGHTS, RIGHTS_ALL, type Right, rightsMask } from '../core/vocabulary.js';
import { CommandError } from './command.js';
import { LineError, parseLine, readLines } from './lines.js';

export type RowFormat = 'csv' | 'ndjson';

export type Row =
  | { readonly kind: 'row'; readonly line: number; readonly identifier: Identifier; readonly rights: number }
  | { readonly kind: 'refused'; readonly line: number; readonly field: string; readonly message: string };

interface RawRow {
  readonly kind?: unknown;
  readonly value?: unknown;
  readonly rights?: unknown;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
const COLUMNS = ['kind', 'value', 'rights'] as const;

/** Reads every row. @throws {CommandError} where a CSV file lacks its header. */
export async function* readRows(stream: AsyncIterable<string | Uint8Array>, format: RowFormat): AsyncGenerator<Row> {
  let header: readonly string[] | null = null;
  let line = 0;
  for await (const bytes of readLines(stream)) {
    line++;
    try {
      if (format === 'ndjson') {
        yield checkRow(parseLine(bytes), line);
        continue;
      }
      if (bytes === null) throw new LineError('line.too_long');
      const cells = splitCsv(decoded(bytes));
      if (header === null) header = headerOf(cells);
      else if (cells.length === 1 && cells[0] === '') throw new LineError('input.invalid', 'the line is empty');
      else yield checkRow(Object.fromEntries(header.map((name, index) => [name, cells[index]])), line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      yield { kind: 'refused', line, field: 'line', message: error.message };
    }
  }
  if (format === 'csv' && header === null) throw new CommandError('expected a header line: kind,value,rights');
}

function decoded(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new LineError('json.not_utf8', 'the line is not UTF-8');
  }
}

function headerOf(cells: readonly string[]): readonly string[] {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  if (!names.includes('kind') || !names.includes('value')) {
    throw new CommandError(`expected a header line with the columns ${COLUMNS.join(', ')}`);
  }
  return names;
}

/** The cells of one CSV record (RFC 4180). A quoted cell that does not end on its line is refused: no identifier has a line break. */
export function splitCsv(text: string): readonly string[] {
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length : comma;
      cells.push(text.slice(at, end));
      at = end + 1;
      continue;
    }
    let cell = '';
    let quote = at;
    do {
      const next = text.indexOf('"', quote + 1);
      if (next < 0) throw new LineError('input.invalid', 'a quoted cell does not end');
      cell += text.slice(quote + 1, next);
      quote = next;
      if (text[quote + 1] === '"') cell += '"';
    } while (text[quote + 1] === '"' && quote++ >= 0);
    if (quote + 1 < text.length && text[quote + 1] !== ',') {
      throw new LineError('input.invalid', 'text follows a quoted cell');
    }
    cells.push(cell);
    at = quote + 2;
  }
  return cells;
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
