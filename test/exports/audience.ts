/**
 * One audience in every format that exports read, and its rows as DuckDB reads them again.
 * @module
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { FileFormat } from '../../src/cli/export-files.js';
import type { Identifier } from '../../src/core/vocabulary.js';
import type { Duck } from '../duckdb.js';

/** Endings of names, and what they stand for. */
export const FILES = [
  { ending: 'csv', format: 'csv', compression: 'none' },
  { ending: 'ndjson', format: 'ndjson', compression: 'none' },
  { ending: 'csv.gz', format: 'csv', compression: 'gzip' },
  { ending: 'parquet', format: 'parquet', compression: 'none' },
] as const satisfies readonly { ending: string; format: FileFormat; compression: string }[];
export type Ending = (typeof FILES)[number]['ending'] | 'tsv' | 'jsonl' | 'ndjson.gz';

export const mailOf = (person: number): string => `person-${person}@example.com`;
export const personOf = (person: number): Identifier => ({ kind: 'email', value: mailOf(person) });

/** Text that does not get much smaller. */
const noteOf = (person: number) => (Math.imul(person + 1, 0x9e3779b1) >>> 0).toString(36).repeat(2);

/** Writes people `[0, count)` to `path`, with columns `n`, `mail` and `note`. */
export async function writeAudience(duck: Duck, path: string, ending: Ending, count: number): Promise<void> {
  if (ending === 'parquet') {
    const csv = `${path}.csv`;
    writeFileSync(csv, csvOf(count, ','));
    await duck.query(`copy (from read_csv('${csv}')) to '${path}' (format parquet, row_group_size 2048)`);
    rmSync(csv);
    return;
  }
  const [format] = ending.split('.');
  const text = format === 'csv' ? csvOf(count, ',') : format === 'tsv' ? csvOf(count, '\t') : ndjsonOf(count);
  writeFileSync(path, ending.endsWith('.gz') ? gzipSync(text) : text);
}

/** The numbers of the people in a file, in order. */
export async function peopleIn(duck: Duck, path: string, ending: Ending): Promise<readonly number[]> {
  readFileSync(path); // the system's error, if it is not there
  const compression = ending.endsWith('.gz') ? 'gzip' : 'uncompressed';
  const source =
    ending === 'parquet'
      ? `read_parquet('${path}')`
      : /^(?:csv|tsv)/.test(ending)
        ? `read_csv('${path}', header = true, delim = '${ending.startsWith('tsv') ? '\t' : ','}', compression = '${compression}')`
        : `read_json('${path}', format = 'newline_delimited', compression = '${compression}')`;
  const rows = await duck.query(`select n::integer as n, mail from ${source}`);
  return rows.map(({ n, mail }) => {
    if (mail !== mailOf(Number(n))) throw new Error(`expected the mail of person ${n}`);
    return Number(n);
  });
}

export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function csvOf(count: number, delimiter: string): string {
  const rows = range(count).map((n) => [n, mailOf(n), noteOf(n)].join(delimiter));
  return `${[['n', 'mail', 'note'].join(delimiter), ...rows].join('\n')}\n`;
}

function ndjsonOf(count: number): string {
  return range(count)
    .map((n) => `${JSON.stringify({ n, mail: mailOf(n), note: noteOf(n) })}\n`)
    .join('');
}
