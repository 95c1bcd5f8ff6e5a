/**
 * Filters the blocks of a stream, on this thread or on others, and gives what each came to, in order.
 *
 * Other threads begin with blocks before it is known that the one before ended with a row: a line end in a quoted cell looks
 * like any other. When that turns out, the rest of the row is joined to the next block, and that one filtered again. What
 * comes out is the same as on one thread.
 * @module
 */
import type { SuppressionTable } from '../core/suppression/index.js';
import { type Block, BlockFilter, type BlockResult, type BlockTerms } from './block-filter.js';
import { type BlockReader, joined } from './block-reader.js';
import { LINE_END_BYTES } from './limits.js';
import { type FilteredBlock, ThreadPool } from './thread-pool.js';

/** Blocks that are read ahead for each thread, the one it is at included. */
const BLOCKS_PER_THREAD = 2;

const NOTHING = new Uint8Array(0);

/** @param tableNow The table of the moment, asked for every block. */
export function filterBlocks(
  reader: BlockReader,
  terms: BlockTerms,
  threads: number,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult> {
  return threads > 1 ? onThreads(reader, terms, threads, tableNow) : onThisThread(reader, terms, tableNow);
}

async function* onThisThread(
  reader: BlockReader,
  terms: BlockTerms,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult> {
  const filter = new BlockFilter(terms);
  let tail: Uint8Array = NOTHING;
  for (;;) {
    const next = await reader.next();
    if (next === null && tail.length === 0) return;
    if (next === 'too_long') return yield tooLong(terms);
    const block = joined(tail, next);
    const result = filter.run(block, tableNow());
    yield result;
    if (block.isLast) return;
    tail = block.bytes.subarray(result.end, block.length);
    if (tail.length > terms.rowBytesMax + LINE_END_BYTES) return yield tooLong(terms);
    if (tail.length === 0 && result.output.buffer !== block.bytes.buffer) reader.recycle(block.bytes);
  }
}

async function* onThreads(
  reader: BlockReader,
  terms: BlockTerms,
  threads: number,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult> {
  const first = await reader.next();
  if (first === null) return;
  if (first === 'too_long') return yield tooLong(terms);
  const pool = new ThreadPool(terms, first.isLast ? 1 : threads, tableNow);
  try {
    const begun: (Promise<FilteredBlock> | 'too_long')[] = [begin(pool, first)];
    let hasMore = !first.isLast;
    let tail: Uint8Array = NOTHING;
    for (;;) {
      while (hasMore && begun.length < threads * BLOCKS_PER_THREAD) {
        const next = await reader.next();
        if (next === null || next === 'too_long' || next.isLast) hasMore = false;
        if (next !== null) begun.push(next === 'too_long' ? next : begin(pool, next));
      }
      const oldest = begun.shift();
      if (oldest === undefined && tail.length === 0) return;
      if (oldest === 'too_long') return yield tooLong(terms);
      const filtered = await inOrder(pool, tail, oldest);
      yield filtered.result;
      if (filtered.block.isLast) return;
      tail = restOf(filtered);
      if (tail.length > terms.rowBytesMax + LINE_END_BYTES) return yield tooLong(terms);
      if (tail.length > 0) reader.cutByQuotes();
      else if (filtered.result.output.buffer !== filtered.block.bytes.buffer) reader.recycle(filtered.block.bytes);
    }
  } finally {
    await pool.close();
  }
}

/** Begins with a block. Should the run end before its turn comes, nobody asks what became of it. */
function begin(pool: ThreadPool, block: Block): Promise<FilteredBlock> {
  const filtered = pool.run(block);
  filtered.catch(() => {});
  return filtered;
}

/** A block whose turn has come, filtered again if it did not begin where a row begins. */
async function inOrder(
  pool: ThreadPool,
  tail: Uint8Array,
  oldest: Promise<FilteredBlock> | undefined,
): Promise<FilteredBlock> {
  const filtered = oldest === undefined ? null : await oldest;
  return filtered !== null && tail.length === 0 ? filtered : pool.run(joined(tail, filtered?.block ?? null));
}

function restOf({ block, result }: FilteredBlock): Uint8Array {
  return block.bytes.subarray(result.end, block.length);
}

/** The row that comes next is too long to be read at all. */
function tooLong({ rowBytesMax }: BlockTerms): BlockResult {
  const fault = { code: 'row.too_long', linesBefore: 0, detail: `${rowBytesMax} bytes` } as const;
  return { output: NOTHING, end: 0, lines: 0, fault, tally: new Float64Array(0), fingerprints: null };
}
