/**
 * Filters one row group: what a thread does, over and over.
 * @module
 */
import type { SuppressionTable } from '../../core/suppression/index.js';
import { TALLY } from '../row-counts.js';
import { ChunkFilter, type FilteredChunk } from './chunk-filter.js';
import type { ChunkPlace, GroupPlace, WrittenChunk } from './footer.js';
import { GroupBytes } from './group-bytes.js';
import { type ChunkPages, pagesOf, readPages } from './page.js';
import type { ReadAt } from './read-at.js';
import { hasUnusedValues } from './remains.js';
import { Scratch } from './scratch.js';
import { GroupJudge, type VerdictTerms } from './verdicts.js';

/** The columns of a file that a mapping names: index in the mapping, and of the column. */
export type MappedColumns = readonly { readonly place: number; readonly column: number }[];

/** What a row group came to. */
export interface GroupResult {
  /** Rows that leave, blanked ones among them. */
  readonly keptCount: number;
  /** Rows that leave blanked. */
  readonly blankedCount: number;
  /** One for each column; `null`: every row leaves as it came and can be copied, or none leaves. */
  readonly chunks: readonly (WrittenChunk | null)[];
  /** The memory that chunks stand in. */
  readonly room: ArrayBuffer;
  readonly tally: Float64Array;
  /** Of the rows that leave as they came; `null` where nobody wants them. */
  readonly fingerprints: BigUint64Array | null;
}

export class GroupFilter {
  readonly #readAt: ReadAt;
  readonly #mapped: MappedColumns;
  readonly #judge: GroupJudge;
  readonly #isBlanking: boolean;
  /** Of mapped columns, and behind them of the column at hand. */
  readonly #scratch = new Scratch();

  constructor(readAt: ReadAt, mapped: MappedColumns, terms: VerdictTerms) {
    this.#readAt = readAt;
    this.#mapped = mapped;
    this.#judge = new GroupJudge(terms);
    this.#isBlanking = terms.mode === 'blank';
  }

  /**
   * A group, judged by the table as it is now.
   * @param rowsBefore Rows of the file before it.
   * @param room Memory that may be used for what is written.
   * @throws {ParquetError}, {RowError} `row.unidentifiable`.
   */
  async run(group: GroupPlace, rowsBefore: number, table: SuppressionTable, room?: ArrayBuffer): Promise<GroupResult> {
    const scratch = this.#scratch;
    scratch.clear(this.#bytesOf(group));
    const fates = scratch.bytes(group.rowCount);
    const decoded = await this.#readMapped(group);
    const columns = this.#mapped.map(({ place, column }) => {
      const found = decoded.get(column);
      if (found === undefined) throw new Error('unreachable: every mapped column was read');
      return { place, leaf: found.chunk.leaf, pages: found.pages };
    });
    const { tally, fingerprints } = this.#judge.run(columns, fates, rowsBefore, table);
    const blankedCount = tally[TALLY.blanked] ?? 0;
    const keptCount = (tally[TALLY.kept] ?? 0) + blankedCount;
    const isWhole = keptCount === fates.length && blankedCount === 0;
    // rows were taken away before, and of other columns nobody knows what is left of them
    const isAnew = isWhole && columns.some(({ pages }) => hasUnusedValues(pages));
    const out = new GroupBytes(room, keptCount === 0 || isWhole ? 0 : byteCountOf(group));
    const filtered: (FilteredChunk | null)[] = [];
    for (const [column, chunk] of group.chunks.entries()) {
      const found = decoded.get(column);
      if (keptCount === 0 || (isWhole && !isAnew && found?.pages.hasMore !== true)) {
        filtered.push(null);
        continue;
      }
      const { taken } = scratch;
      filtered.push(
        found === undefined ? await this.#filterRead(chunk, fates, out) : this.#filterDecoded(found, fates, out),
      );
      scratch.release(taken);
    }
    const chunks = filtered.map((chunk) =>
      chunk === null ? null : { ...chunk, bytes: out.between(chunk.from, chunk.to) },
    );
    return { keptCount, blankedCount, chunks, room: out.memory, tally, fingerprints };
  }

  /** A column that was read for its identifiers. */
  #filterDecoded(
    { chunk, pages: { dictionary, pages } }: DecodedChunk,
    fates: Uint8Array,
    out: GroupBytes,
  ): FilteredChunk {
    const filter = new ChunkFilter(chunk, fates, this.#isBlanking, this.#scratch, out);
    if (dictionary !== null) filter.add(dictionary);
    for (const page of pages) {
      const { taken } = this.#scratch;
      filter.add(page);
      if (filter.isSettled) this.#scratch.release(taken);
    }
    return filter.end();
  }

  /** A column that was not read before: a page at a time, where pages do not depend on a dictionary. */
  async #filterRead(chunk: ChunkPlace, fates: Uint8Array, out: GroupBytes): Promise<FilteredChunk> {
    const filter = new ChunkFilter(chunk, fates, false, this.#scratch, out);
    const bytes = await this.#readBytes(chunk);
    const { taken } = this.#scratch;
    for (const page of pagesOf(chunk, bytes, this.#scratch, false)) {
      filter.add(page);
      if (filter.isSettled) this.#scratch.release(taken);
    }
    return filter.end();
  }

  /** Memory that a group takes, about: of each mapped column, and of the largest one. What a footer says is no promise. */
  #bytesOf({ chunks, rowCount }: GroupPlace): number {
    const mapped = new Set(this.#mapped.map(({ column }) => column));
    let mappedBytes = 0;
    let largestBytes = 0;
    for (const [column, { byteCount, saidRawBytes, saidValueCount }] of chunks.entries()) {
      if (mapped.has(column)) mappedBytes += byteCount + saidRawBytes + SPAN_BYTES * saidValueCount;
      // raw, filtered, and compressed again; as indexes, as levels and as a mask
      largestBytes = Math.max(largestBytes, byteCount + 4 * saidRawBytes + SPAN_BYTES * saidValueCount);
    }
    return rowCount + mappedBytes + largestBytes + BYTES_MORE;
  }

  async #readMapped({ chunks }: GroupPlace): Promise<Map<number, DecodedChunk>> {
    const decoded = new Map<number, DecodedChunk>();
    for (const { column } of this.#mapped) {
      const chunk = chunks[column];
      if (chunk === undefined || decoded.has(column)) continue;
      const bytes = await this.#readBytes(chunk);
      decoded.set(column, { chunk, pages: readPages(chunk, bytes, this.#scratch) });
    }
    return decoded;
  }

  #readBytes({ offset, byteCount }: ChunkPlace): Promise<Uint8Array> {
    return this.#readAt(offset, byteCount, this.#scratch.bytes(byteCount));
  }
}

interface DecodedChunk {
  readonly chunk: ChunkPlace;
  readonly pages: ChunkPages;
}

/** What it takes in the file. */
export const byteCountOf = ({ chunks }: GroupPlace): number =>
  chunks.reduce((sum, { byteCount }) => sum + byteCount, 0);

/** Of a text: where it begins and ends. */
const SPAN_BYTES = 8;
/** What alignment takes, and headers. */
const BYTES_MORE = 256 * 1024;
