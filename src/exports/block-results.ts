/**
 * Filters the blocks of a stream, on this thread and on others, and gives what each came to, in order.
 *
 * Blocks are begun with before it is known that the one before ended with a row: a line end in a quoted cell looks like any
 * other. When that turns out, the rest of the row is joined to the next block, and that one filtered again. What comes out
 * is the same as on one thread.
 *
 * Blocks are begun with while what left of the last one is being written, on one thread as well. It may be long until somebody
 * asks for them: should the table have changed by then, a block is judged again, so that nobody leaves who had opted out before.
 * @module
 */
import { type SuppressionTable, workerUrl } from '../core/suppression/index.js';
import { type Block, BlockFilter, type BlockResult, type BlockTerms } from './block-filter.js';
import { type BlockReader, joined } from './block-reader.js';
import { kernelModule } from './kernel/row-kernel.js';
import { LINE_END_BYTES } from './limits.js';
import { type BlockAnswer, type BlockJob, type BlockThreadTerms, blockAnswer, memoryOf } from './thread-messages.js';
import { ThreadPool } from './thread-pool.js';

/** Blocks that are begun with for each thread. */
const BLOCKS_PER_THREAD = 2;
/** On one thread: what was given out, what comes next, what leaves of both, and what is being read. */
const SLOT_COUNT = 5;

const NOTHING = new Uint8Array(0);

export interface FlowOptions {
  /** Threads that judge, this one among them; with 0 or 1 it does all. */
  readonly threadCount: number;
  /** Bytes read before they are started. */
  readonly threadsBytesMin: number;
  /** The table of the moment, asked for every block. */
  readonly tableNow: () => SuppressionTable;
  /** What is given out is no longer used when the next is asked for. */
  readonly isOutputLent: boolean;
}

/** A block that was filtered, and what it came to. */
interface FilteredBlock extends BlockAnswer {
  /** Whether the table has changed since it was begun with, or is another one. */
  readonly isOutdated: () => boolean;
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
  #hasThreads = false;
  #hasMore = true;
  /** Of a row that did not end in the blocks so far. */
  #tail: Uint8Array = NOTHING;

  constructor(reader: BlockReader, terms: BlockTerms, options: FlowOptions) {
    const filter = new BlockFilter(terms);
    this.#reader = reader;
    this.#terms = terms;
    this.#options = options;
    reader.useSlots(filter.makeSlots(SLOT_COUNT));
    this.#pool = new ThreadPool<BlockJob, BlockAnswer>({
      module: workerUrl('./filter-thread.js', import.meta.url),
      workerData: { terms, kernelModule: kernelModule() } satisfies BlockThreadTerms,
      tableNow: options.tableNow,
      memoryOf,
      canLeave: ({ block, room }) => !filter.holds(block.bytes) && !filter.holds(room),
      here: (job, table) => blockAnswer(filter, job, table),
    });
  }

  async *results(): AsyncGenerator<BlockResult> {
    for (;;) {
      await this.#begin();
      const oldest = this.#begun.shift();
      if (oldest === undefined) return;
      if (oldest === 'too_long') return yield tooLong(this.#terms);
      const filtered = await this.#inOrder(await this.#pool.helpUntil(oldest));
      const { result, block } = filtered;
      if (block.isLast || result.fault !== null) return yield this.#given(result);
      // a copy: the memory of the block is used again
      this.#tail = result.end === block.length ? NOTHING : copyOf(block.bytes.subarray(result.end, block.length));
      yield this.#given(result);
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
    while (
      this.#hasMore &&
      this.#begun.length < BLOCKS_PER_THREAD * (this.#hasThreads ? this.#options.threadCount : 1)
    ) {
      const next = await this.#reader.next();
      this.#hasMore = next !== null && next !== 'too_long' && !next.isLast;
      if (next === 'too_long') this.#begun.push(next);
      else this.#push(next);
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
    this.#reader.leaveSlots();
    this.#pool.start(threadCount - 1);
  }

  /** Begins with a block. Should the run end before its turn comes, nobody asks what became of it. */
  #push(block: Block | null): void {
    if (block === null) return;
    const filtered = this.#filter(block);
    filtered.catch(() => {});
    this.#begun.push(filtered);
  }

  /** A block whose turn has come, filtered again if it did not begin where a row begins, or the table has changed. */
  async #inOrder(filtered: FilteredBlock): Promise<FilteredBlock> {
    const block = joined(this.#takeTail(), filtered.block);
    if (block === null || (block === filtered.block && !filtered.isOutdated())) return filtered;
    const again = this.#filter(block, filtered.room);
    if (block !== filtered.block) this.#reader.recycle(filtered.block.bytes);
    return again;
  }

  async #filter(block: Block, room = this.#reader.memory()): Promise<FilteredBlock> {
    const { tableNow } = this.#options;
    const table = tableNow();
    const { changeCount } = table;
    const isOutdated = () => tableNow() !== table || table.changeCount !== changeCount;
    return { ...(await this.#pool.run({ block, room })), isOutdated };
  }

  /** What is given out: a copy where it may be kept. */
  #given(result: BlockResult): BlockResult {
    const { output } = result;
    return this.#options.isOutputLent || !this.#reader.isSlot(output) ? result : { ...result, output: copyOf(output) };
  }

  /** Takes back the memory of a block that was given out. */
  #recycle({ block, room, result }: FilteredBlock): void {
    const isKept = (memory: Uint8Array) =>
      !this.#options.isOutputLent && !this.#reader.isSlot(memory) && result.output.buffer === memory.buffer;
    if (!isKept(block.bytes)) this.#reader.recycle(block.bytes);
    if (!isKept(room)) this.#reader.recycle(room);
  }
}

function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

/** The row that comes next is too long to be read at all. */
function tooLong({ rowBytesMax }: BlockTerms): BlockResult {
  const fault = { code: 'row.too_long', linesBefore: 0, detail: `${rowBytesMax} bytes` } as const;
  return { output: NOTHING, end: 0, lines: 0, fault, tally: new Float64Array(0), fingerprints: null };
}
