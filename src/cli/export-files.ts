/**
 * The files of an export: which inputs a name stands for, where each goes, and how both are laid out and compressed.
 *
 * Names say it. An output that is not named like its input is refused where it would be taken for what it is not.
 * @module
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Compression, compressionOfName, isSupported } from '../exports/compression.js';
import type { RowFormat } from '../exports/index.js';
import { CommandError, UsageError } from './command.js';

export type FileFormat = RowFormat | 'parquet';

export const FORMATS: readonly FileFormat[] = ['csv', 'tsv', 'ndjson', 'parquet'];
export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'zstd'];

const FORMAT_OF_ENDING: Readonly<Record<string, FileFormat>> = {
  csv: 'csv',
  tsv: 'tsv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  parquet: 'parquet',
};
const ENDING_OF_COMPRESSION: Readonly<Record<Compression, string>> = { none: '', gzip: '.gz', zstd: '.zst' };
const COMPRESSION_ENDING = /\.(?:gz|gzip|zst|zstd)$/i;

export interface ExportJob {
  readonly input: string;
  readonly output: string;
  readonly format: FileFormat;
  /** `input` is `undefined` where the name does not tell; then its first bytes do. */
  readonly compression: { readonly input: Compression | undefined; readonly output: Compression };
}

export interface Overrides {
  readonly format: FileFormat | undefined;
  /** Of the output. */
  readonly compression: Compression | undefined;
}

/**
 * What is to be done: one job for each input.
 * @throws {UsageError} where names do not go together, {CommandError} for a compression that this Node.js does not have.
 */
export function exportJobs(patterns: readonly string[], out: string, overrides: Overrides): readonly ExportJob[] {
  const inputs = patterns.flatMap((pattern) => filesOf(pattern, '--in'));
  const isFolder = statSync(out, { throwIfNoEntry: false })?.isDirectory() === true;
  if (inputs.length > 1 && !isFolder) throw new UsageError('--out: expected a folder, since there are several inputs');
  const jobs = inputs.map((input) => jobOf(input, out, isFolder, overrides));
  if (new Set(jobs.map(({ output }) => output)).size !== jobs.length) {
    throw new UsageError('--in: expected files with different names');
  }
  return jobs;
}

/** The files that a name stands for. Only its last part may hold * and ?. @throws {UsageError} where there are none. */
export function filesOf(pattern: string, option: string): readonly string[] {
  const name = basename(pattern);
  if (!/[*?]/.test(name)) return [pattern];
  const source = name
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 's');
  const folder = dirname(pattern);
  const names = readdirSync(folder).filter(
    (one) => expression.test(one) && (!one.startsWith('.') || name.startsWith('.')),
  );
  if (names.length === 0) throw new UsageError(`${option}: there is no file ${pattern}`);
  return names.sort().map((one) => join(folder, one));
}

function jobOf(input: string, out: string, isFolder: boolean, overrides: Overrides): ExportJob {
  const format = overrides.format ?? formatOfName(input);
  if (format === undefined) throw new UsageError(`--format: expected ${FORMATS.join(', ')}, as the name does not tell`);
  const output = isFolder ? join(out, renamed(basename(input), overrides.compression)) : out;
  const outputFormat = formatOfName(output);
  if (overrides.format === undefined && outputFormat !== undefined && outputFormat !== format) {
    throw new UsageError(`--out: expected a name as ${format} files have, which the input is`);
  }
  const compression = { input: compressionOfInput(input), output: compressionOfOutput(input, output, overrides) };
  if (format === 'parquet' && (compression.input !== undefined || compression.output !== 'none')) {
    throw new UsageError('expected Parquet that is not compressed once more: its pages are');
  }
  for (const one of [compression.input, compression.output]) {
    if (one !== undefined && !isSupported(one)) {
      throw new CommandError(`${one} needs Node.js 22.15 or later, and this is ${process.versions.node}`);
    }
  }
  return { input, output, format, compression };
}

/** Under the name of its input, unless it is compressed in another way. */
function renamed(name: string, compression: Compression | undefined): string {
  if (compression === undefined || compression === compressionOfName(name)) return name;
  return `${name.replace(COMPRESSION_ENDING, '')}${ENDING_OF_COMPRESSION[compression]}`;
}

function compressionOfInput(input: string): Compression | undefined {
  const compression = compressionOfName(input);
  return compression === 'none' ? undefined : compression;
}

/** As its name says; as the input where that says nothing at all. */
function compressionOfOutput(input: string, output: string, { compression }: Overrides): Compression {
  if (compression !== undefined) return compression;
  const named = compressionOfName(output);
  return named === 'none' && formatOfName(output) === undefined ? compressionOfName(input) : named;
}

function formatOfName(path: string): FileFormat | undefined {
  const ending = /\.([a-z]+)$/i.exec(path.replace(COMPRESSION_ENDING, ''))?.[1]?.toLowerCase() ?? '';
  return FORMAT_OF_ENDING[ending];
}
