/**
 * Filters the blocks of a stream, on this thread and on others, and gives what each came to, in order.
 *
 * Blocks are begun with before it is known that the one before ended with a row: a line end in a quoted cell looks like any
 * other. When that turns out, the rest of the row is joined to the next block, and that one filtered again. What comes out
 * is the same as on one thread, which reads and judges a block when it is asked for.
 * @module
 */
import { type SuppressionTable, workerUrl } from '../core/suppression/index.js';
import { type Block, BlockFilter, type BlockResult, type BlockTerms } from './block-filter.js';
import { type BlockReader, joined } from './block-reader.js';
import { kernelModule } from './kernel/row-kernel.js';
import { LINE_END_BYTES } from './limits.js';
import {
  type BlockAnswer,
  type BlockJob,
  type BlockThreadTerms,
  blockAnswer,
  memoryOf,
  outputOf,
} from './thread-messages.js';
import { ThreadPool } from './thread-pool.js';

/** Blocks that are begun with for each thread, where there are several. */
const BLOCKS_PER_THREAD = 2;

const NOTHING = new Uint8Array(0);

export interface FlowOptions {
  /** Threads that judge, besides this one; with 0 or 1 this one does all. */
  readonly threadCount: number;
  /** Bytes read before they are started. */
  readonly threadsBytesMin: number;
  /** The table of the moment, asked for every block. */
  readonly tableNow: () => SuppressionTable;
  /** What is given out is no longer used when the next is asked for. */
  readonly isOutputLent: boolean;
}

/** A block that was filtered, and what it came to. */
interface FilteredBlock {
  readonly block: Block;
  readonly result: BlockResult;
}

export async function* filterBlocks(
  reader: BlockReader,
  terms: BlockTerms,
  options: FlowOptions,
): AsyncGenerator<BlockResult> {
  const flow = new BlockFlow(reader, terms, options);
  try {
    yield* flow.results();
  } finally {
    await flow.close();
  }
}

class BlockFlow {
  readonly #reader: BlockReader;
  readonly #terms: BlockTerms;
  readonly #options: FlowOptions;
  readonly #pool: ThreadPool<BlockJob, BlockAnswer>;
  /** Blocks that were begun with, the oldest first. */
  readonly #begun: (Promise<FilteredBlock> | 'too_long')[] = [];
  readonly #aheadCount: number;
  #hasThreads = false;
  #hasMore = true;
  /** Of a row that did not end in the blocks so far. */
  #tail: Uint8Array = NOTHING;

  constructor(reader: BlockReader, terms: BlockTerms, options: FlowOptions) {
    const filter = new BlockFilter(terms);
    this.#reader = reader;
    this.#terms = terms;
    this.#options = options;
    this.#aheadCount = options.threadCount > 1 ? options.threadCount * BLOCKS_PER_THREAD : 1;
    this.#pool = new ThreadPool<BlockJob, BlockAnswer>({
      module: workerUrl('./filter-thread.js', import.meta.url),
      workerData: { terms, kernelModule: kernelModule() } satisfies BlockThreadTerms,
      tableNow: options.tableNow,
      memoryOf,
      here: (job, table) => blockAnswer(filter, job, table),
    });
  }

  async *results(): AsyncGenerator<BlockResult> {
    for (;;) {
      await this.#begin();
      const oldest = this.#begun.shift();
      if (oldest === undefined) return;
      if (oldest === 'too_long') return yield tooLong(this.#terms);
      const filtered = await this.#inOrder(await oldest);
      const { result, block } = filtered;
      if (block.isLast || result.fault !== null) return yield result;
      this.#tail = result.end === block.length ? NOTHING : block.bytes.subarray(result.end, block.length);
      yield result;
      if (this.#tail.length > this.#terms.rowBytesMax + LINE_END_BYTES) return yield tooLong(this.#terms);
      if (this.#tail.length > 0 && this.#begun.length > 0) this.#reader.cutByQuotes();
      this.#recycle(filtered);
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Begins with as many blocks as may be under way. */
  async #begin(): Promise<void> {
    while (this.#hasMore && this.#begun.length < this.#aheadCount) {
      const next = await this.#reader.next();
      this.#hasMore = next !== null && next !== 'too_long' && !next.isLast;
      if (next === 'too_long') this.#begun.push(next);
      else this.#push(this.#begun.length > 0 ? next : joined(this.#takeTail(), next));
      this.#startThreads();
    }
    if (!this.#hasMore && this.#begun.length === 0) this.#push(joined(this.#takeTail(), null));
  }

  /** What is joined to one block must not be joined to another. */
  #takeTail(): Uint8Array {
    const tail = this.#tail;
    this.#tail = NOTHING;
    return tail;
  }

  #startThreads(): void {
    const { threadCount, threadsBytesMin } = this.#options;
    if (this.#hasThreads || threadCount <= 1 || this.#reader.bytesIn < threadsBytesMin) return;
    this.#hasThreads = true;
    this.#pool.start(threadCount);
  }

  /** Begins with a block. Should the run end before its turn comes, nobody asks what became of it. */
  #push(block: Block | null): void {
    if (block === null) return;
    const filtered = this.#filter(block);
    filtered.catch(() => {});
    this.#begun.push(filtered);
  }

  /** A block whose turn has come, filtered again if it did not begin where a row begins. */
  async #inOrder(filtered: FilteredBlock): Promise<FilteredBlock> {
    if (this.#tail.length === 0) return filtered;
    const block = joined(this.#takeTail(), filtered.block);
    return block === null ? filtered : this.#filter(block);
  }

  async #filter({ bytes, length, isLast, room }: Block): Promise<FilteredBlock> {
    const answer = await this.#pool.run({ memory: bytes.buffer as ArrayBuffer, room, length, isLast });
    const { memory, room: sameRoom, ...rest } = answer;
    const block = { bytes: new Uint8Array(memory), length, isLast, room: sameRoom };
    return { block, result: { ...rest, output: outputOf(answer) } };
  }

  /** Takes back the memory of a block that was given out. */
  #recycle({ block, result }: FilteredBlock): void {
    const { isOutputLent } = this.#options;
    const memory = block.bytes.buffer as ArrayBuffer;
    if (this.#tail.buffer !== memory && (isOutputLent || result.output.buffer !== memory)) this.#reader.recycle(memory);
    if (isOutputLent || result.output.buffer !== block.room) this.#reader.recycle(block.room);
  }
}

/** The row that comes next is too long to be read at all. */
function tooLong({ rowBytesMax }: BlockTerms): BlockResult {
  const fault = { code: 'row.too_long', linesBefore: 0, detail: `${rowBytesMax} bytes` } as const;
  return { output: NOTHING, end: 0, lines: 0, fault, tally: new Float64Array(0), fingerprints: null };
}
