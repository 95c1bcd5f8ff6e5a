/**
 * What became of the rows of a run.
 * @module
 */
import type { IdentifierKind } from '../core/vocabulary.js';
import { type ColumnMapping, kindsOf } from './mapping.js';

/** Counts of a run. `rowsIn` is the sum of kept, blanked and the three kinds of dropped. A header is no row. */
export interface RowCounts {
  readonly rowsIn: number;
  /** Rows that left as they came. */
  readonly rowsKept: number;
  /** Of these, rows that name nobody who can be looked up: they left because they were to be kept. */
  readonly keptUnidentifiable: number;
  /** Rows of suppressed people that left without their identifiers. */
  readonly rowsBlanked: number;
  readonly droppedSuppressed: number;
  readonly droppedUnidentifiable: number;
  /** Rows that cannot be read, such as a line that is no JSON. They never leave, since nobody knows whom they name. */
  readonly droppedUnreadable: number;
  /** Bytes that were read and bytes that left, before and after any compression. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Suppressed rows by the kind of identifier that was found; a row may count under several. */
  readonly byKind: Readonly<Record<string, number>>;
}

/** Where each count stands in the tally of a block; from `kinds` on one for each kind of the mapping. */
export const TALLY = {
  rowsIn: 0,
  kept: 1,
  keptUnidentifiable: 2,
  blanked: 3,
  suppressed: 4,
  unidentifiable: 5,
  unreadable: 6,
  kinds: 7,
} as const;

/** The sum of the tallies of blocks. */
export class RowTotals {
  readonly #kinds: readonly IdentifierKind[];
  readonly #sums: Float64Array;
  bytesIn = 0;
  bytesOut = 0;

  constructor(mapping: ColumnMapping) {
    this.#kinds = kindsOf(mapping);
    this.#sums = new Float64Array(TALLY.kinds + this.#kinds.length);
  }

  get rowsIn(): number {
    return this.#sums[TALLY.rowsIn] ?? 0;
  }

  add(tally: Float64Array): void {
    for (let index = 0; index < tally.length; index++) this.#sums[index]! += tally[index]!;
  }

  counts(): RowCounts {
    const sums = this.#sums;
    return {
      rowsIn: sums[TALLY.rowsIn] ?? 0,
      rowsKept: sums[TALLY.kept] ?? 0,
      keptUnidentifiable: sums[TALLY.keptUnidentifiable] ?? 0,
      rowsBlanked: sums[TALLY.blanked] ?? 0,
      droppedSuppressed: sums[TALLY.suppressed] ?? 0,
      droppedUnidentifiable: sums[TALLY.unidentifiable] ?? 0,
      droppedUnreadable: sums[TALLY.unreadable] ?? 0,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      byKind: Object.fromEntries(this.#kinds.map((kind, index) => [kind, sums[TALLY.kinds + index] ?? 0])),
    };
  }
}
