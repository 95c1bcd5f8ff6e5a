/**
 * Filters a Parquet file: what may leave comes out as another one, with the same schema, row groups, pages and codecs.
 *
 * Row groups are read one after the other as output is taken, and memory is bounded by the largest. Rows are judged by the
 * table as it is when their group is read. A group of which every row stays is copied; one of which none does is left out.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type Filtering, type FilterOptions, tableOf } from '../filter.js';
import { type RowCounts, RowTotals } from '../row-counts.js';
import { RowError } from '../row-error.js';
import { filterChunk, KEEP } from './chunk-filter.js';
import { codecOf } from './codecs.js';
import {
  type Chunk,
  chunkEntry,
  copiedEntry,
  type Footer,
  groupEntry,
  type RowGroup,
  readAt,
  readFooter,
  writeFooter,
} from './footer.js';
import { MAGIC } from './format.js';
import { checkIdentifierLeaf } from './identifier-column.js';
import { type ChunkPages, readPages } from './page.js';
import { ParquetError } from './parquet-error.js';
import type { ThriftStruct } from './thrift.js';
import { GroupJudge } from './verdicts.js';

/** As for rows of text; a mapping names columns as schema.ts says. */
export type ParquetFilterOptions = Pick<
  FilterOptions,
  'table' | 'terms' | 'mapping' | 'mode' | 'onUnidentifiable' | 'onFingerprints'
>;

/** The columns of a file that a mapping names: index in the mapping, and of the column. */
type Mapped = readonly { readonly place: number; readonly column: number }[];

/**
 * Starts to filter the file at `path`. Nothing is read before the output is; the file must stay as it is until that ends.
 * The output and `done` end with a {ParquetError} for a file that cannot be read, a {RowError} `column.missing` or
 * `row.unidentifiable`, a {GateError} `table.not_loaded`, or what the file system says.
 * @example
 * const { output, done } = filterParquet('audience.parquet', { table, terms, mapping: parseMapping('email=user.email') });
 * await pipeline(output, createWriteStream(target));
 * console.log(await done);
 */
export function filterParquet(path: string, options: ParquetFilterOptions): Filtering {
  const totals = new RowTotals(options.mapping);
  let settle: { resolve(counts: RowCounts): void; reject(error: unknown): void } | undefined;
  const done = new Promise<RowCounts>((resolve, reject) => {
    settle = { resolve, reject };
  });
  done.catch(() => {}); // whoever reads the output hears of it
  async function* output(): AsyncGenerator<Uint8Array> {
    let error: unknown = new RowError('output.abandoned', null);
    try {
      for await (const bytes of filtered(path, options, totals)) {
        totals.bytesOut += bytes.length;
        yield bytes;
      }
      error = null;
    } catch (thrown) {
      error = thrown;
      throw thrown;
    } finally {
      if (error === null) settle?.resolve(totals.counts());
      else settle?.reject(error);
    }
  }
  return { output: output(), done };
}

async function* filtered(path: string, options: ParquetFilterOptions, totals: RowTotals): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const footer = await readFooter(file, size);
    const mapped = mappedColumns(footer, options);
    yield* filteredGroups(file, footer, mapped, options, totals);
    totals.bytesIn = size;
  } finally {
    await file.close();
  }
}

async function* filteredGroups(
  file: FileHandle,
  footer: Footer,
  mapped: Mapped,
  options: ParquetFilterOptions,
  totals: RowTotals,
): AsyncGenerator<Uint8Array> {
  const { terms, mapping, mode = 'drop', onUnidentifiable = 'drop', onFingerprints } = options;
  const { rightsMask } = terms;
  const wantsFingerprints = onFingerprints !== undefined;
  const judge = new GroupJudge({ mapping, rightsMask, mode, onUnidentifiable, wantsFingerprints });
  const groups: ThriftStruct[] = [];
  let offset = MAGIC.length;
  let rowsBefore = 0;
  let rowCount = 0;
  yield MAGIC;
  for (const group of footer.groups) {
    const pages = await readMapped(file, group, mapped);
    const columns = mapped.map(({ place, column }) => ({ place, ...pagesOf(pages, column) }));
    const { fates, tally, fingerprints } = judge.run(columns, group.rowCount, rowsBefore, tableOf(options.table));
    totals.add(tally);
    rowsBefore += group.rowCount;
    const keptCount = fates.reduce((count, fate) => count + (fate === 0 ? 0 : 1), 0);
    if (keptCount === 0) continue;
    const start = offset;
    const entries: ThriftStruct[] = [];
    const isWhole = fates.every((fate) => fate === KEEP);
    for (const [column, chunk] of group.chunks.entries()) {
      const entryOffset = offset;
      if (isWhole) {
        entries.push(copiedEntry(chunk, entryOffset));
        yield await readAt(file, chunk.offset, chunk.byteCount);
        offset += chunk.byteCount;
        continue;
      }
      const decoded = pages.get(column)?.pages ?? (await readChunk(file, chunk));
      const written = filterChunk(chunk, decoded, fates, mode === 'blank' && pages.has(column));
      pages.delete(column);
      entries.push(chunkEntry(chunk, written, entryOffset));
      offset += written.byteCount;
      yield Buffer.concat(written.bytes);
    }
    groups.push(groupEntry(group, keptCount, entries, start));
    rowCount += keptCount;
    if (fingerprints !== null && fingerprints.length > 0) onFingerprints?.(fingerprints);
  }
  yield writeFooter(footer, rowCount, groups);
}

interface DecodedChunk {
  readonly leaf: Chunk['leaf'];
  readonly pages: ChunkPages;
}

async function readMapped(file: FileHandle, group: RowGroup, mapped: Mapped): Promise<Map<number, DecodedChunk>> {
  const pages = new Map<number, DecodedChunk>();
  for (const { column } of mapped) {
    const chunk = group.chunks[column];
    if (chunk !== undefined && !pages.has(column)) {
      pages.set(column, { leaf: chunk.leaf, pages: await readChunk(file, chunk) });
    }
  }
  return pages;
}

function pagesOf(pages: ReadonlyMap<number, DecodedChunk>, column: number): DecodedChunk {
  const decoded = pages.get(column);
  if (decoded === undefined) throw new Error('unreachable: every mapped column was read');
  return decoded;
}

async function readChunk(file: FileHandle, chunk: Chunk): Promise<ChunkPages> {
  return readPages(chunk, await readAt(file, chunk.offset, chunk.byteCount));
}

/**
 * Finds the columns, and whatever else can be known to go wrong before anything is written.
 * @throws {RowError} `column.missing`, {ParquetError} `parquet.unsupported`.
 */
function mappedColumns({ leaves, groups }: Footer, { mapping, mode }: ParquetFilterOptions): Mapped {
  for (const { chunks } of groups) for (const { codec } of chunks) codecOf(codec);
  return mapping.flatMap(({ place: name }, place) => {
    const columns = leaves.flatMap((leaf, column) => (leaf.name === name || leaf.path === name ? [column] : []));
    if (columns.length === 0) throw new RowError('column.missing', null, name);
    for (const column of columns) {
      const leaf = leaves[column];
      if (leaf === undefined) continue;
      checkIdentifierLeaf(leaf);
      if (mode === 'blank' && !leaf.isOptional) {
        throw new ParquetError('parquet.unsupported', `blanking column ${leaf.path}, which is required`);
      }
    }
    return columns.map((column) => ({ place, column }));
  });
}
