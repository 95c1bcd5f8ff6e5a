/**
 * Filters a Parquet file: what may leave comes out as another one, with the same schema, row groups, pages and codecs.
 *
 * Row groups are read as output is taken, one at a time or one more than there are threads, and memory is bounded by these. Rows are
 * judged by the table as it is when their group is read. A group of which every row stays is copied, unless it holds more than its
 * rows (remains.ts); one of which none does is left out.
 * @module
 */
import { open } from 'node:fs/promises';
import { workerUrl } from '../../core/suppression/index.js';
import { type Filtering, type FilterOptions, filteringOf, tableOf } from '../filter.js';
import { kernelModule } from '../kernel/row-kernel.js';
import { THREADS_BYTES_MIN, THREADS_MAX } from '../limits.js';
import { RowTotals } from '../row-counts.js';
import { ThreadPool } from '../thread-pool.js';
import {
  chunkEntry,
  copiedEntry,
  type Footer,
  groupEntry,
  placeOf,
  type RowGroup,
  readFooter,
  writeFooter,
} from './footer.js';
import { MAGIC } from './format.js';
import { byteCountOf, GroupFilter, type GroupResult, type MappedColumns } from './group-filter.js';
import { mappedColumns } from './mapped-columns.js';
import { pageModule } from './page-kernel.js';
import { type ReadAt, readerOf } from './read-at.js';
import { answered, type GroupAnswer, type GroupJob, type GroupThreadTerms, resultOf } from './thread-messages.js';
import type { ThriftStruct } from './thrift.js';
import type { VerdictTerms } from './verdicts.js';

/** Groups that are under way beside those that threads are at. */
const GROUPS_MORE = 2;

/** As for rows of text; a mapping names columns as schema.ts says. */
export type ParquetFilterOptions = Pick<
  FilterOptions,
  | 'table'
  | 'terms'
  | 'mapping'
  | 'mode'
  | 'onUnidentifiable'
  | 'threads'
  | 'threadsBytesMin'
  | 'onFingerprints'
  | 'onProgress'
  | 'isOutputLent'
>;

/**
 * Starts to filter the file at `path`. Nothing is read before the output is; the file must stay as it is until that ends.
 * @throws {RangeError} for a number of threads that makes no sense.
 * The output and `done` end with a {ParquetError} for a file that cannot be read, a {RowError} `column.missing` or
 * `row.unidentifiable`, a {GateError} `table.not_loaded`, or what the file system says.
 * @example
 * const { output, done } = filterParquet('audience.parquet', { table, terms, mapping: parseMapping('email=user.email') });
 * await pipeline(output, createWriteStream(target));
 * console.log(await done);
 */
export function filterParquet(path: string, options: ParquetFilterOptions): Filtering {
  const { threads = 1 } = options;
  if (!Number.isInteger(threads) || threads < 0 || threads > THREADS_MAX) {
    throw new RangeError(`threads: expected a whole number from 0 to ${THREADS_MAX}`);
  }
  const totals = new RowTotals(options.mapping);
  return filteringOf(counted(filtered(path, options, totals), totals), totals);
}

async function* counted(pieces: AsyncIterable<Uint8Array>, totals: RowTotals): AsyncGenerator<Uint8Array> {
  for await (const bytes of pieces) {
    totals.bytesOut += bytes.length;
    yield bytes;
  }
}

async function* filtered(path: string, options: ParquetFilterOptions, totals: RowTotals): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size: fileBytes } = await file.stat();
    const readAt = readerOf(file.fd);
    const footer = await readFooter(readAt, fileBytes);
    const { terms: exportTerms, mapping, mode = 'drop', onUnidentifiable = 'drop' } = options;
    const wantsFingerprints = options.onFingerprints !== undefined;
    const { rightsMask } = exportTerms;
    const terms: VerdictTerms = { mapping, rightsMask, mode, onUnidentifiable, wantsFingerprints };
    const mapped = mappedColumns(footer, terms);
    const filter = new GroupFilter(readAt, mapped, terms);
    const tableNow = () => tableOf(options.table);
    const { threads: wanted = 1, threadsBytesMin = THREADS_BYTES_MIN } = options;
    const threadCount = fileBytes < threadsBytesMin ? 1 : Math.min(wanted, footer.groups.length);
    const threads = new ThreadPool<GroupJob, GroupAnswer>({
      module: workerUrl('./group-thread.js', import.meta.url),
      workerData: {
        descriptor: file.fd,
        mapped,
        terms,
        kernelModule: kernelModule(),
        pageModule: pageModule(),
      } satisfies GroupThreadTerms,
      tableNow,
      here: ({ group, rowsBefore, room }, table) => answered(filter.run(group, rowsBefore, table, room)),
      memoryOf: ({ room }) => (room === undefined ? [] : [room]),
    });
    const rooms: ArrayBuffer[] = [];
    const run = async (group: RowGroup, rowsBefore: number) =>
      resultOf(await threads.run({ group: placeOf(group), rowsBefore, room: rooms.pop() }));
    try {
      if (threadCount > 1) threads.start(threadCount - 1);
      // so that none waits for a slower one
      const aheadCount = threadCount > 1 ? threadCount + GROUPS_MORE : 1;
      const groupResults = results(footer, aheadCount, run, (result) => threads.helpUntil(result));
      yield* written({ readAt, footer, mapped, rooms }, groupResults, totals, options);
    } finally {
      await threads.close();
    }
    totals.bytesIn = fileBytes;
  } finally {
    await file.close();
  }
}

/** What every group came to, in order; so many are under way while one is being written. */
async function* results(
  { groups }: Footer,
  aheadCount: number,
  run: (group: RowGroup, rowsBefore: number) => Promise<GroupResult>,
  waitFor: (result: Promise<GroupResult>) => Promise<GroupResult>,
): AsyncGenerator<GroupResult> {
  const ahead: Promise<GroupResult>[] = [];
  let next = 0;
  let rowsBefore = 0;
  const start = () => {
    const group = groups[next];
    if (group === undefined) return;
    const result = run(group, rowsBefore);
    result.catch(() => {}); // its turn comes
    ahead.push(result);
    rowsBefore += group.rowCount;
    next++;
  };
  while (ahead.length < aheadCount && next < groups.length) start();
  for (let result = ahead.shift(); result !== undefined; result = ahead.shift()) {
    const done = await waitFor(result);
    // one thread that does all must not begin another group before this one was taken
    if (aheadCount > 1) start();
    yield done;
    if (aheadCount === 1) start();
  }
}

interface Source {
  readonly readAt: ReadAt;
  readonly footer: Footer;
  readonly mapped: MappedColumns;
  /** Memory that nobody uses any more. */
  readonly rooms: ArrayBuffer[];
}

async function* written(
  { readAt, footer, mapped, rooms }: Source,
  groupResults: AsyncIterable<GroupResult>,
  totals: RowTotals,
  { onFingerprints, onProgress, isOutputLent = false }: ParquetFilterOptions,
): AsyncGenerator<Uint8Array> {
  const withIdentifiers = new Set(mapped.map(({ column }) => column));
  const entries: ThriftStruct[] = [];
  let offset = MAGIC.length;
  let rowCount = 0;
  let index = 0;
  yield MAGIC;
  for await (const { keptCount, blankedCount, chunks, room, tally, fingerprints } of groupResults) {
    const group = footer.groups[index++];
    totals.add(tally);
    totals.bytesIn += group === undefined ? 0 : byteCountOf(group);
    onProgress?.(totals);
    if (keptCount === 0 || group === undefined) continue;
    const start = offset;
    const columns: ThriftStruct[] = [];
    for (const [column, chunk] of group.chunks.entries()) {
      const kept = chunks[column] ?? null;
      const entry =
        kept === null ? copiedEntry(chunk, offset, withIdentifiers.has(column)) : chunkEntry(chunk, kept, offset);
      columns.push(entry);
      const bytes = kept?.bytes ?? (await readAt(chunk.offset, chunk.byteCount));
      offset += bytes.length;
      yield bytes;
    }

    if (isOutputLent) rooms.push(room);
    entries.push(groupEntry(group, { rowCount: keptCount, isSorted: blankedCount === 0 }, columns, start));
    rowCount += keptCount;
    if (fingerprints !== null && fingerprints.length > 0) onFingerprints?.(fingerprints);
  }
  yield writeFooter(footer, rowCount, entries);
}
