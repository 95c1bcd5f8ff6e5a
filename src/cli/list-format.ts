/**
 * In which format a list given on the command line is.
 * @module
 */
import type { RowFormat } from '../rows/rows.js';
import { UsageError } from './command.js';

/** The format of a list: as it is said, else as its name tells. @throws {UsageError} */
export function formatOf(list: string, given: string | undefined): RowFormat {
  const named = given ?? (/\.csv$/i.test(list) ? 'csv' : /\.(ndjson|jsonl)$/i.test(list) ? 'ndjson' : undefined);
  if (named === 'csv' || named === 'ndjson') return named;
  throw new UsageError('expected a LIST that ends in .csv, .ndjson or .jsonl, or --format csv|ndjson');
}
