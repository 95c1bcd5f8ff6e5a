/**
 * Decides on the rows of a row group by the columns that are mapped.
 * @module
 */
import type { SuppressionTable } from '../../core/suppression/index.js';
import { RowJudge, SUPPRESSED } from '../judge.js';
import { RowKernel } from '../kernel/row-kernel.js';
import { BATCH_COLUMNS_MAX, BATCH_ROWS_MAX } from '../limits.js';
import type { ColumnMapping } from '../mapping.js';
import { TALLY } from '../row-counts.js';
import { RowError } from '../row-error.js';
import { BLANK, DROP, KEEP } from './chunk-filter.js';
import { IdentifierColumn } from './identifier-column.js';
import type { ChunkPages } from './page.js';
import { damaged } from './parquet-error.js';
import type { Leaf } from './schema.js';

export interface VerdictTerms {
  readonly mapping: ColumnMapping;
  readonly rightsMask: number;
  readonly mode: 'drop' | 'blank';
  readonly onUnidentifiable: 'keep' | 'drop' | 'fail';
  readonly wantsFingerprints: boolean;
}

/** A place of the mapping, and the pages of the column it names. */
export interface MappedColumn {
  /** Index in the mapping. */
  readonly place: number;
  readonly leaf: Leaf;
  readonly pages: ChunkPages;
}

export interface Verdicts {
  readonly tally: Float64Array;
  /** Of the rows that leave as they came; `null` where nobody wants them. */
  readonly fingerprints: BigUint64Array | null;
}

export class GroupJudge {
  readonly #terms: VerdictTerms;
  readonly #judge: RowJudge;
  #kernel: RowKernel | null = null;
  readonly #leaves = new Uint8Array(BATCH_ROWS_MAX + 1);

  constructor(terms: VerdictTerms) {
    this.#terms = terms;
    this.#judge = new RowJudge(terms);
  }

  /**
   * @param fates Is set to {@link DROP}, {@link KEEP} or {@link BLANK} for each row.
   * @param rowsBefore Rows of the file before this group, for errors to count from.
   * @throws {RowError} `row.unidentifiable`, {ParquetError} `parquet.damaged`.
   */
  run(mapped: readonly MappedColumn[], fates: Uint8Array, rowsBefore: number, table: SuppressionTable): Verdicts {
    const rowCount = fates.length;
    const judge = this.#judge;
    judge.use(table);
    const columns = mapped.map(
      ({ place, leaf, pages }) =>
        new IdentifierColumn(judge, place, this.#terms.mapping[place]?.base ?? 'email', leaf, pages),
    );
    const tally = new Float64Array(TALLY.kinds + judge.kinds.length);
    let fingerprintCount = 0;
    for (let batchFrom = 0; batchFrom < rowCount; batchFrom += BATCH_ROWS_MAX) {
      this.#addRows(mapped, columns, Math.min(BATCH_ROWS_MAX, rowCount - batchFrom));
      judge.settle();
      this.#decide(fates, batchFrom, tally, rowsBefore);
      if (this.#terms.wantsFingerprints) {
        judge.fingerprints.keepRows(this.#leaves, fingerprintCount);
        fingerprintCount = judge.fingerprints.count;
      }
      judge.clear();
    }
    if (columns.some(({ isAtEnd }) => !isAtEnd)) throw damaged('the rows of a column');
    return { tally, fingerprints: this.#terms.wantsFingerprints ? judge.fingerprints.take() : null };
  }

  /** HOT. The identifiers of the next rows, a column at a time. */
  #addRows(mapped: readonly MappedColumn[], columns: readonly IdentifierColumn[], rowCount: number): void {
    const judge = this.#judge;
    if (columns.length <= BATCH_COLUMNS_MAX) this.#kernel ??= RowKernel.ofCells(columns.length);
    const kernel = this.#kernel;
    kernel?.beginCells();
    judge.startRows(rowCount);
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index]!;
      if (kernel !== null && column.fill(kernel, index, rowCount)) {
        judge.addColumn(mapped[index]!.place, kernel, index, kernel.input);
        continue;
      }
      for (let row = 0; row < rowCount; row++) {
        judge.resumeRow(row);
        column.addRow();
      }
    }
  }

  /** HOT. */
  #decide(fates: Uint8Array, from: number, tally: Float64Array, rowsBefore: number): void {
    const { mode, onUnidentifiable } = this.#terms;
    const judge = this.#judge;
    let clearCount = 0;
    for (let row = 0; row < judge.rowCount; row++) {
      const isClear = judge.clearBit(row);
      clearCount += isClear;
      fates[from + row] = KEEP;
      this.#leaves[row] = 1;
      if (isClear === 1) continue;
      const verdict = judge.verdict(row);
      let fate = KEEP;
      let count: number = TALLY.kept;
      if (verdict === SUPPRESSED) {
        fate = mode === 'blank' ? BLANK : DROP;
        count = mode === 'blank' ? TALLY.blanked : TALLY.suppressed;
        for (let bits = judge.hitKinds(row); bits !== 0; bits &= bits - 1) {
          tally[TALLY.kinds + 31 - Math.clz32(bits & -bits)]!++;
        }
      } else if (onUnidentifiable === 'keep') {
        tally[TALLY.keptUnidentifiable]!++;
      } else {
        if (onUnidentifiable === 'fail') {
          throw new RowError('row.unidentifiable', null, `row ${rowsBefore + from + row + 1}`);
        }
        fate = DROP;
        count = TALLY.unidentifiable;
      }
      fates[from + row] = fate;
      this.#leaves[row] = fate === KEEP ? 1 : 0;
      tally[TALLY.rowsIn]!++;
      tally[count]!++;
    }
    tally[TALLY.rowsIn]! += clearCount;
    tally[TALLY.kept]! += clearCount;
  }
}
