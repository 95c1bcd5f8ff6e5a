/**
 * The slow, obvious version of the row filters: the whole file as text, cells as strings, `JSON.parse`, a `Map` of keys.
 *
 * Rows are taken as latin1 text, a character for each byte, so that what leaves can be compared byte for byte.
 * @module
 */
import { checkIdentifier, expandIdentifier } from '../../src/core/identity/index.js';
import type { IdentifierKind } from '../../src/core/vocabulary.js';
import type { MappedPlace } from '../../src/exports/mapping.js';

export interface NaiveOptions {
  readonly suppressed: ReadonlyMap<string, number>;
  readonly rightsMask: number;
  readonly mapping: readonly MappedPlace[];
  readonly mode: 'drop' | 'blank';
  readonly onUnidentifiable: 'keep' | 'drop';
}

export interface NaiveResult {
  readonly output: Buffer;
  readonly rowsIn: number;
  readonly rowsKept: number;
  readonly keptUnidentifiable: number;
  readonly rowsBlanked: number;
  readonly droppedSuppressed: number;
  readonly droppedUnidentifiable: number;
  readonly droppedUnreadable: number;
  readonly byKind: Record<string, number>;
}

/** The keys of an identifier as strings. */
export function naiveKeys(kind: IdentifierKind, value: string): string[] {
  const expanded = expandIdentifier({ kind, value });
  if (expanded.ok === undefined) return [];
  const { words, count } = expanded.ok.keys;
  return Array.from({ length: count }, (_, index) => words.slice(5 * index, 5 * index + 5).join(':'));
}

/** A set of suppressed identifiers as a map from key to rights. */
export function naiveSet(
  rows: readonly { readonly kind: IdentifierKind; readonly value: string; readonly rights: number }[],
): Map<string, number> {
  const set = new Map<string, number>();
  for (const { kind, value, rights } of rows) {
    for (const key of naiveKeys(kind, value)) set.set(key, (set.get(key) ?? 0) | rights);
  }
  return set;
}

/** `'quote_open'`: a quoted cell never ends; `'quote_misplaced'`: something follows a closing quote. */
export type NaiveFault = 'quote_open' | 'quote_misplaced';

export function naiveCsv(file: Buffer, delimiter: string, options: NaiveOptions): NaiveResult | NaiveFault {
  const text = file.toString('latin1');
  const mark = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  const rows = splitRows(text.slice(mark), delimiter);
  if (typeof rows === 'string') return rows;
  const [header, ...data] = rows;
  if (header === undefined) throw new Error('no header');
  const names = header.cells.map((cell) => utf8(cell.value).trim());
  const columnsOf = (place: string) => names.flatMap((name, index) => (name === place ? [index] : []));
  return judge(
    text.slice(0, mark) + header.raw,
    data.map((row) => ({
      raw: row.raw,
      isRow: row.raw.replace(/[\r\n]+$/, '') !== '',
      isReadable: row.cells.slice(names.length).every((cell) => cell.raw === ''),
      found: options.mapping.flatMap(({ kind, place }) =>
        columnsOf(place).flatMap((index) => {
          const cell = row.cells[index];
          return cell === undefined ? [] : [{ kind, value: utf8(cell.value) }];
        }),
      ),
      blanked: () => {
        const blanks = new Set(options.mapping.flatMap(({ place }) => columnsOf(place)));
        return row.cells.map((cell, index) => (blanks.has(index) ? '' : cell.raw)).join(delimiter) + row.lineEnd;
      },
    })),
    options,
  );
}

interface Cell {
  value: string;
  raw: string;
}

/** One character after another. */
function splitRows(text: string, delimiter: string): { raw: string; lineEnd: string; cells: Cell[] }[] | NaiveFault {
  const rows: { raw: string; lineEnd: string; cells: Cell[] }[] = [];
  let at = 0;
  while (at < text.length) {
    const from = at;
    const cells: Cell[] = [];
    for (;;) {
      const cellFrom = at;
      let value = '';
      if (text[at] === '"') {
        at++;
        while (text[at] !== '"' || text[at + 1] === '"') {
          if (at >= text.length) return 'quote_open';
          if (text[at] === '"') at++;
          value += text[at++];
        }
        at++;
        if (at < text.length && ![delimiter, '\n', '\r'].includes(text[at] ?? '')) return 'quote_misplaced';
      }
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') value += text[at++];
      cells.push({ value, raw: text.slice(cellFrom, at) });
      if (text[at] !== delimiter) break;
      at++;
    }
    const lineEnd = text.startsWith('\r\n', at) ? '\r\n' : text.slice(at, at + 1);
    at += lineEnd.length;
    rows.push({ raw: text.slice(from, at), lineEnd, cells });
  }
  return rows;
}

export function naiveNdjson(file: Buffer, options: NaiveOptions): NaiveResult {
  const text = file.toString('latin1');
  const mark = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  const lines = text.slice(mark).match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return judge(
    text.slice(0, mark),
    lines.map((raw) => {
      const value = parsed(utf8(raw));
      const blanked = () => {
        const copy = structuredClone(value);
        for (const { place } of options.mapping) blank(copy, place.replaceAll('[]', '').split('.'));
        return latin1(JSON.stringify(copy)) + (raw.endsWith('\n') ? '\n' : '');
      };
      return {
        raw,
        isRow: !/^[ \t\r\n]*$/.test(raw),
        isReadable: value !== undefined,
        found: options.mapping.flatMap(({ kind, place }) =>
          valuesAt(value, place.replaceAll('[]', '').split('.')).map((text) => ({ kind, value: text })),
        ),
        blanked,
      };
    }),
    options,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function valuesAt(value: unknown, path: readonly string[]): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => valuesAt(element, path));
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return [];
  return valuesAt((value as Record<string, unknown>)[key], rest);
}

function blank(value: unknown, path: readonly string[]): void {
  if (Array.isArray(value)) {
    for (const element of value) blank(element, path);
    return;
  }
  const [key = '', ...rest] = path;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return;
  const object = value as Record<string, unknown>;
  const nulled = (inner: unknown): unknown => (Array.isArray(inner) ? inner.map(nulled) : null);
  if (rest.length === 0) object[key] = nulled(object[key]);
  else blank(object[key], rest);
}

interface NaiveRow {
  readonly raw: string;
  readonly isRow: boolean;
  readonly isReadable: boolean;
  readonly found: readonly { readonly kind: IdentifierKind; readonly value: string }[];
  readonly blanked: () => string;
}

function judge(head: string, rows: readonly NaiveRow[], options: NaiveOptions): NaiveResult {
  const dropped = { droppedSuppressed: 0, droppedUnidentifiable: 0, droppedUnreadable: 0 };
  const counts = { rowsIn: 0, rowsKept: 0, keptUnidentifiable: 0, rowsBlanked: 0, ...dropped };
  const byKind = Object.fromEntries(options.mapping.map(({ kind }) => [kind, 0]));
  let output = head;
  for (const { raw, isRow, isReadable, found, blanked } of rows) {
    if (!isRow) {
      output += raw;
      continue;
    }
    counts.rowsIn++;
    if (!isReadable) {
      counts.droppedUnreadable++;
      continue;
    }
    const kinds = new Set<string>();
    for (const { kind, value } of found) {
      for (const key of naiveKeys(kind, value)) {
        if (((options.suppressed.get(key) ?? 0) & options.rightsMask) !== 0) kinds.add(kind);
      }
    }
    for (const kind of kinds) byKind[kind] = (byKind[kind] ?? 0) + 1;
    const isIdentified = found.some(({ kind, value }) => checkIdentifier(kind, value).ok !== undefined);
    if (kinds.size > 0) {
      counts[options.mode === 'blank' ? 'rowsBlanked' : 'droppedSuppressed']++;
      if (options.mode === 'blank') output += blanked();
    } else if (isIdentified || options.onUnidentifiable === 'keep') {
      counts.rowsKept++;
      if (!isIdentified) counts.keptUnidentifiable++;
      output += raw;
    } else counts.droppedUnidentifiable++;
  }
  return { ...counts, byKind, output: Buffer.from(output, 'latin1') };
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
