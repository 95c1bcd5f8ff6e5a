/**
 * The identifiers of a list in which a row is a person and columns hold its identifiers, such as a CRM exports it.
 *
 * A row gives as many identifiers as its mapped places hold values, each with the row's line. Only mapped cells are decoded: a
 * name in another encoding costs nobody an opt-out. A quoted cell may hold line breaks. A row without any value is told of,
 * and nothing is skipped silently.
 * @module
 */
import { RIGHTS_ALL } from '../core/vocabulary.js';
import { LINE_BYTES_MAX, type Line, LineError, lineText, parseJson, readLines } from '../rows/lines.js';
import { ListError } from '../rows/list-error.js';
import type { RefuseRow, RowFormat, UncheckedRow } from '../rows/rows.js';
import type { ColumnMapping } from './mapping.js';
import { type PathNode, pathTree } from './ndjson/path.js';

/** What may stand between cells; the first with which the header has all columns is taken. */
const DELIMITERS = [',', ';', '\t'] as const;
/** Arrays and objects inside each other that are walked through. */
const DEPTH_MAX = 64;
const QUOTE = '"';
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'; // as single bytes

interface Found {
  readonly place: number;
  readonly value: string;
}

/** Reads a list once. While a row is in somebody's hands, {@link place} is where its value stood. */
export class IdentifierRows {
  #place: string | null = null;
  #line = 0;

  /** @throws {InputError} for a path of JSON that is none. */
  constructor(
    private readonly stream: AsyncIterable<string | Uint8Array>,
    private readonly format: RowFormat,
    private readonly mapping: ColumnMapping,
    private readonly refuse: RefuseRow,
    private readonly rowBytesMax = LINE_BYTES_MAX,
  ) {
    if (format === 'ndjson') pathTree(mapping);
  }

  /** The column or path of the identifier that was given out last; `null`: it was a row that has none. */
  get place(): string | null {
    return this.#place;
  }

  /** Every identifier. @throws {ListError} where a CSV file has not the columns, or a quoted cell does not end. */
  async *read(): AsyncGenerator<UncheckedRow> {
    const found = this.format === 'csv' ? this.#csv() : this.#ndjson();
    for await (const values of found) {
      const isEmpty = typeof values !== 'string' && values.length === 0;
      if (typeof values === 'string' || isEmpty) {
        this.#place = null;
        this.refuse(this.#line, 'line', isEmpty ? 'none of the mapped places has a value' : String(values));
        yield { line: this.#line, kind: null, value: null, rights: RIGHTS_ALL };
        continue;
      }
      for (const { place, value } of values) {
        const mapped = this.mapping[place];
        this.#place = mapped?.place ?? null;
        yield { line: this.#line, kind: mapped?.kind, value, rights: RIGHTS_ALL };
      }
    }
  }

  /** The values of each row, or why it has none. */
  async *#ndjson(): AsyncGenerator<readonly Found[] | string> {
    const tree = pathTree(this.mapping);
    for await (const line of readLines(this.stream, this.rowBytesMax)) {
      this.#line++;
      yield ofRow(() => {
        const found: Found[] = [];
        walk(parseJson(lineText(line)), tree, found, 0);
        return found;
      });
    }
  }

  async *#csv(): AsyncGenerator<readonly Found[] | string> {
    let layout: CsvLayout | null = null;
    let begun = '';
    let lineCount = 0;
    for await (const line of readLines(this.stream, this.rowBytesMax)) {
      lineCount++;
      if (begun === '') this.#line = lineCount;
      const text = begun + textOf(line, this.#line);
      begun = '';
      if (layout === null) {
        layout = layoutOf(text, this.mapping);
        if (layout === null) begun = this.#goOn(text);
        continue;
      }
      if (text.trim() === '') continue;
      const cells = splitRecord(text, layout.delimiter);
      if (cells === null) begun = this.#goOn(text);
      else yield ofRow(() => valuesOf(cells, layout as CsvLayout));
    }
    if (begun !== '') throw new ListError(`line ${this.#line}: a quoted cell does not end`);
    if (layout === null) throw new ListError('expected a header line');
  }

  /** A record whose quoted cell goes on in the next line. */
  #goOn(text: string): string {
    if (text.length > this.rowBytesMax) throw new ListError(`line ${this.#line}: a quoted cell does not end`);
    return `${text}\n`;
  }
}

/** What a row gives, or the sentence of the fault it has. */
function ofRow(read: () => readonly Found[]): readonly Found[] | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof LineError) return error.message;
    throw error;
  }
}

interface CsvLayout {
  readonly delimiter: string;
  /** Places of the mapping, by column. */
  readonly columns: ReadonlyMap<number, readonly number[]>;
}

/** Bytes as characters of the same number: whatever the encoding is, delimiters and quotes are what they are. */
function textOf(line: Line, number: number): string {
  if (line === null) throw new ListError(`line ${number}: the line is too long`);
  return Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
}

/** `null`: the header goes on. */
function layoutOf(text: string, mapping: ColumnMapping): CsvLayout | null {
  const header = text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
  const names = mapping.map(({ place }) => Buffer.from(place).toString('latin1').trim());
  let isOpen = false;
  for (const delimiter of DELIMITERS) {
    const cells = splitRecord(header, delimiter)?.map((cell) => cell.trim());
    isOpen ||= cells === undefined;
    if (cells === undefined || !names.every((name) => cells.includes(name))) continue;
    const columns = cells.map((cell, index) => [index, places(names, cell)] as const);
    return { delimiter, columns: new Map(columns.filter(([, list]) => list.length > 0)) };
  }
  if (isOpen) return null;
  const cells = splitRecord(header, ',')?.map((cell) => cell.trim()) ?? [];
  const missing = mapping.find((_, index) => !cells.includes(names[index] ?? ''));
  throw new ListError(`line 1: expected a column "${missing?.place ?? ''}" in the header, as the mapping says`);
}

function places(names: readonly string[], cell: string): readonly number[] {
  return names.flatMap((name, place) => (name === cell ? [place] : []));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function valuesOf(cells: readonly string[], { columns }: CsvLayout): readonly Found[] {
  const found: Found[] = [];
  for (const [index, mapped] of columns) {
    const cell = (cells[index] ?? '').trim();
    if (cell === '') continue;
    for (const place of mapped) found.push({ place, value: decoded(cell) });
  }
  return found;
}

function decoded(cell: string): string {
  try {
    return utf8.decode(Buffer.from(cell, 'latin1'));
  } catch {
    throw new LineError('json.not_utf8', 'a mapped cell is not UTF-8');
  }
}

/**
 * The cells of a record (RFC 4180), as the scanner of exports sees them: a quote opens a cell only at its beginning, and what
 * follows the closing one belongs to the cell. `null`: a quoted cell does not end here.
 */
export function splitRecord(text: string, delimiter: string): readonly string[] | null {
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    let cell = '';
    if (text[at] === QUOTE) {
      for (let from = at + 1; ; ) {
        const next = text.indexOf(QUOTE, from);
        if (next < 0) return null;
        cell += text.slice(from, next);
        at = next + 1;
        if (text[at] !== QUOTE) break;
        cell += QUOTE;
        from = at + 1;
      }
    }
    const next = text.indexOf(delimiter, at);
    const end = next < 0 ? text.length : next;
    cells.push(cell + text.slice(at, end));
    at = end + 1;
  }
  return cells;
}

/** Takes the values along the tree of paths; arrays on the way are walked through. */
function walk(value: unknown, node: PathNode, found: Found[], depth: number): void {
  if (value === null || value === undefined) return;
  if (depth > DEPTH_MAX) throw new LineError('request.too_deep', 'too many arrays or objects inside each other');
  if (Array.isArray(value)) {
    for (const one of value) walk(one, node, found, depth + 1);
    return;
  }
  if (typeof value === 'object') {
    for (const [index, key] of node.keys.entries()) {
      const child = node.children[index];
      const name = Buffer.from(key).toString('utf8');
      if (child !== undefined && Object.hasOwn(value, name)) {
        walk((value as Readonly<Record<string, unknown>>)[name], child, found, depth + 1);
      }
    }
    return;
  }
  if (node.places.length === 0) return;
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value);
  if (typeof value !== 'string' && !isNumber) throw new LineError('input.invalid', 'a mapped value is not text');
  const text = String(value).trim();
  if (text !== '') for (const place of node.places) found.push({ place, value: text });
}
