/**
 * The table that threads judge by: handed to them with every job, attached to anew only where it is another one.
 * @module
 */
import type { TableShare } from '../core/suppression/index.js';
import { SuppressionTable } from '../core/suppression/table.js';

/** What every job comes with. */
export interface WithTable {
  /** The same number is the same table. */
  readonly tableNumber: number;
  readonly table: TableShare;
}

/** In the thread that does jobs. */
export class AttachedTable {
  #table: SuppressionTable | null = null;
  #tableNumber = -1;

  of({ tableNumber, table }: WithTable): SuppressionTable {
    if (this.#table === null || tableNumber !== this.#tableNumber) this.#table = SuppressionTable.attach(table);
    this.#tableNumber = tableNumber;
    return this.#table;
  }
}
