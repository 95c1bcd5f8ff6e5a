/**
 * What a Parquet filter and its threads say to each other. What leaves is handed over, not copied.
 * @module
 */
import type { TableShare } from '../../core/suppression/index.js';
import type { RowErrorCode } from '../row-error.js';
import type { GroupResult } from './group-filter.js';
import type { ParquetErrorCode } from './parquet-error.js';
import type { VerdictTerms } from './verdicts.js';

/** What a thread is told when it begins. */
export interface GroupThreadTerms {
  /** Of the open file; the parent closes it when all threads have ended. */
  readonly descriptor: number;
  readonly fileBytes: number;
  readonly terms: VerdictTerms;
}

/** A row group to be filtered, by a table that is attached to anew only where its number has changed. */
export interface ToGroupThread {
  readonly index: number;
  readonly rowsBefore: number;
  readonly tableNumber: number;
  readonly table: TableShare;
}

export type FromGroupThread =
  | { readonly kind: 'result'; readonly result: GroupResult }
  | { readonly kind: 'parquet'; readonly code: ParquetErrorCode; readonly detail: string | undefined }
  | { readonly kind: 'row'; readonly code: RowErrorCode; readonly detail: string | undefined }
  | { readonly kind: 'other'; readonly error: unknown };
