/**
 * Filters the blocks of a stream, on this thread or on others, and gives what each came to, in order.
 *
 * Other threads begin with blocks before it is known that the one before ended with a row: a line end in a quoted cell looks
 * like any other. When that turns out, the rest of the row is joined to the next block, and that one filtered again. What
 * comes out is the same as on one thread.
 * @module
 */
import { type SuppressionTable, workerUrl } from '../core/suppression/index.js';
import { type Block, BlockFilter, type BlockResult, type BlockTerms } from './block-filter.js';
import { type BlockReader, joined } from './block-reader.js';
import { LINE_END_BYTES } from './limits.js';
import type { BlockAnswer, BlockJob } from './thread-messages.js';
import { ThreadPool } from './thread-pool.js';

/** Blocks that are filtered before threads are started: to start them takes about as long. */
const BLOCKS_ALONE = 16;
/** Blocks that are read ahead for each thread, the one it is at included. */
const BLOCKS_PER_THREAD = 2;

const NOTHING = new Uint8Array(0);

type BlockThreads = ThreadPool<BlockJob, BlockAnswer>;

/** A block that was filtered, and what it came to. */
interface FilteredBlock {
  readonly block: Block;
  readonly result: BlockResult;
}

/** @param tableNow The table of the moment, asked for every block. */
export async function* filterBlocks(
  reader: BlockReader,
  terms: BlockTerms,
  threadCount: number,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult> {
  const blockCount = threadCount > 1 ? BLOCKS_ALONE : Number.POSITIVE_INFINITY;
  const tail = yield* onThisThread(reader, terms, blockCount, tableNow);
  if (tail !== null) yield* onThreads(reader, terms, tail, threadCount, tableNow);
}

/** Filters so many blocks. @returns What did not end in them; `null` where nothing more is to be done. */
async function* onThisThread(
  reader: BlockReader,
  terms: BlockTerms,
  blockCount: number,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult, Uint8Array | null> {
  const filter = new BlockFilter(terms);
  let tail: Uint8Array = NOTHING;
  for (let done = 0; done < blockCount; done++) {
    const next = await reader.next();
    if (next === null && tail.length === 0) return null;
    if (next === 'too_long') {
      yield tooLong(terms);
      return null;
    }
    const block = joined(tail, next);
    const result = filter.run(block, tableNow());
    yield result;
    if (block.isLast) return null;
    tail = block.bytes.subarray(result.end, block.length);
    if (tail.length > terms.rowBytesMax + LINE_END_BYTES) {
      yield tooLong(terms);
      return null;
    }
    if (tail.length === 0 && result.output.buffer !== block.bytes.buffer) reader.recycle(block.bytes);
  }
  return tail;
}

async function* onThreads(
  reader: BlockReader,
  terms: BlockTerms,
  tailBefore: Uint8Array,
  threadCount: number,
  tableNow: () => SuppressionTable,
): AsyncGenerator<BlockResult> {
  const first = await reader.next();
  if (first === null && tailBefore.length === 0) return;
  if (first === 'too_long') return yield tooLong(terms);
  const module = workerUrl('./filter-thread.js', import.meta.url);
  const pool: BlockThreads = new ThreadPool({ module, workerData: terms, threadCount, tableNow });
  try {
    const begun: (Promise<FilteredBlock> | 'too_long')[] = first === null ? [] : [begin(pool, first)];
    let hasMore = first !== null && !first.isLast;
    let tail = tailBefore;
    for (;;) {
      while (hasMore && begun.length < threadCount * BLOCKS_PER_THREAD) {
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
function begin(pool: BlockThreads, block: Block): Promise<FilteredBlock> {
  const filtered = filterOn(pool, block);
  filtered.catch(() => {});
  return filtered;
}

/** A block whose turn has come, filtered again if it did not begin where a row begins. */
async function inOrder(
  pool: BlockThreads,
  tail: Uint8Array,
  oldest: Promise<FilteredBlock> | undefined,
): Promise<FilteredBlock> {
  const filtered = oldest === undefined ? null : await oldest;
  return filtered !== null && tail.length === 0 ? filtered : filterOn(pool, joined(tail, filtered?.block ?? null));
}

/** Filters a block, whose memory is handed over until then. */
async function filterOn(pool: BlockThreads, { bytes, length, isLast }: Block): Promise<FilteredBlock> {
  const handed = bytes.buffer as ArrayBuffer;
  const { memory, output, ...rest } = await pool.run({ memory: handed, length, isLast }, [handed]);
  return {
    block: { bytes: new Uint8Array(memory), length, isLast },
    result: { ...rest, output: new Uint8Array(output.memory ?? memory, output.from, output.length) },
  };
}

function restOf({ block, result }: FilteredBlock): Uint8Array {
  return block.bytes.subarray(result.end, block.length);
}

/** The row that comes next is too long to be read at all. */
function tooLong({ rowBytesMax }: BlockTerms): BlockResult {
  const fault = { code: 'row.too_long', linesBefore: 0, detail: `${rowBytesMax} bytes` } as const;
  return { output: NOTHING, end: 0, lines: 0, fault, tally: new Float64Array(0), fingerprints: null };
}
