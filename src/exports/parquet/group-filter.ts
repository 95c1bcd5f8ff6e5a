/**
 * Filters one row group: what a thread does, over and over.
 * @module
 */
import type { SuppressionTable } from '../../core/suppression/index.js';
import { DROP, filterChunk, KEEP } from './chunk-filter.js';
import type { Chunk, Footer, RowGroup, WrittenChunk } from './footer.js';
import { type ChunkPages, readPages } from './page.js';
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
  readonly tally: Float64Array;
  /** Of the rows that leave as they came; `null` where nobody wants them. */
  readonly fingerprints: BigUint64Array | null;
}

export class GroupFilter {
  readonly #readAt: ReadAt;
  readonly #footer: Footer;
  readonly #mapped: MappedColumns;
  readonly #judge: GroupJudge;
  readonly #isBlanking: boolean;
  /** Of mapped columns, and of the column at hand. */
  readonly #groupScratch = new Scratch();
  readonly #chunkScratch = new Scratch();

  constructor(readAt: ReadAt, footer: Footer, mapped: MappedColumns, terms: VerdictTerms) {
    this.#readAt = readAt;
    this.#footer = footer;
    this.#mapped = mapped;
    this.#judge = new GroupJudge(terms);
    this.#isBlanking = terms.mode === 'blank';
  }

  /**
   * The group of this index, judged by the table as it is now.
   * @param rowsBefore Rows of the file before it.
   * @throws {ParquetError}, {RowError} `row.unidentifiable`.
   */
  async run(index: number, rowsBefore: number, table: SuppressionTable): Promise<GroupResult> {
    const group = this.#footer.groups[index];
    if (group === undefined) throw new RangeError(`index: expected a row group, got ${index}`);
    this.#groupScratch.clear();
    const decoded = await this.#readMapped(group);
    const columns = this.#mapped.map(({ place, column }) => {
      const found = decoded.get(column);
      if (found === undefined) throw new Error('unreachable: every mapped column was read');
      return { place, leaf: found.chunk.leaf, pages: found.pages };
    });
    const { fates, tally, fingerprints } = this.#judge.run(columns, group.rowCount, rowsBefore, table);
    const keptCount = fates.length - countOf(fates, DROP);
    const blankedCount = keptCount - countOf(fates, KEEP);
    const isWhole = keptCount === fates.length && blankedCount === 0;
    // rows were taken away before, and of other columns nobody knows what is left of them
    const isAnew = isWhole && columns.some(({ pages }) => hasUnusedValues(pages));
    const chunks: (WrittenChunk | null)[] = [];
    for (const [column, chunk] of group.chunks.entries()) {
      const found = decoded.get(column);
      if (keptCount === 0 || (isWhole && !isAnew && found?.pages.hasMore !== true)) {
        chunks.push(null);
        continue;
      }
      this.#chunkScratch.clear();
      const pages = found?.pages ?? (await this.#readChunk(chunk, this.#chunkScratch));
      const isBlanked = this.#isBlanking && found !== undefined;
      chunks.push(filterChunk(chunk, pages, fates, isBlanked, this.#chunkScratch));
      decoded.delete(column);
    }
    return { keptCount, blankedCount, chunks, tally, fingerprints };
  }

  async #readMapped({ chunks }: RowGroup): Promise<Map<number, { readonly chunk: Chunk; readonly pages: ChunkPages }>> {
    const decoded = new Map<number, { readonly chunk: Chunk; readonly pages: ChunkPages }>();
    for (const { column } of this.#mapped) {
      const chunk = chunks[column];
      if (chunk !== undefined && !decoded.has(column)) {
        decoded.set(column, { chunk, pages: await this.#readChunk(chunk, this.#groupScratch) });
      }
    }
    return decoded;
  }

  async #readChunk(chunk: Chunk, scratch: Scratch): Promise<ChunkPages> {
    const { offset, byteCount } = chunk;
    return readPages(chunk, await this.#readAt(offset, byteCount, scratch.bytes(byteCount)), scratch);
  }
}

/** HOT. */
function countOf(fates: Uint8Array, fate: number): number {
  let count = 0;
  for (let row = 0; row < fates.length; row++) count += fates[row] === fate ? 1 : 0;
  return count;
}
