/**
 * What a Parquet filter and its threads say to each other. What leaves is handed over, not copied.
 * @module
 */

import type { WasmModule } from '../../core/wasm.js';
import { RowError, type RowErrorCode } from '../row-error.js';
import type { GroupPlace } from './footer.js';
import type { GroupResult, MappedColumns } from './group-filter.js';
import { ParquetError, type ParquetErrorCode } from './parquet-error.js';
import type { VerdictTerms } from './verdicts.js';

/** What a thread is told when it begins. */
export interface GroupThreadTerms {
  /** Of the open file; the parent closes it when all threads have ended. */
  readonly descriptor: number;
  readonly mapped: MappedColumns;
  readonly terms: VerdictTerms;
  readonly kernelModule: WasmModule;
  readonly pageModule: WasmModule;
}

/** A row group to be filtered. */
export interface GroupJob {
  readonly group: GroupPlace;
  readonly rowsBefore: number;
  /** Memory for what is written, handed over. */
  readonly room?: ArrayBuffer | undefined;
}

/** Classes do not survive being posted. */
export type GroupAnswer =
  | { readonly kind: 'result'; readonly result: GroupResult }
  | { readonly kind: 'parquet'; readonly code: ParquetErrorCode; readonly detail: string | undefined }
  | { readonly kind: 'row'; readonly code: RowErrorCode; readonly detail: string | undefined }
  | { readonly kind: 'other'; readonly error: unknown };

/** A result, or what it failed with, as an answer. */
export async function answered(result: Promise<GroupResult>): Promise<GroupAnswer> {
  try {
    return { kind: 'result', result: await result };
  } catch (error) {
    return failureAnswer(error);
  }
}

function failureAnswer(error: unknown): GroupAnswer {
  if (error instanceof ParquetError) return { kind: 'parquet', code: error.code, detail: error.detail };
  if (error instanceof RowError) return { kind: 'row', code: error.code, detail: error.detail };
  return { kind: 'other', error };
}

/** What the answer holds. Throws as GroupFilter does. */
export function resultOf(answer: GroupAnswer): GroupResult {
  switch (answer.kind) {
    case 'result':
      return answer.result;
    case 'parquet':
      throw new ParquetError(answer.code, answer.detail);
    case 'row':
      throw new RowError(answer.code, null, answer.detail);
    case 'other':
      throw answer.error;
    default:
      return answer satisfies never;
  }
}
