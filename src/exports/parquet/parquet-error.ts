/**
 * Why a Parquet file cannot be filtered. A message names columns that were asked for and never quotes what a file holds.
 * @module
 */

/** Every code, with the sentence that explains it. Codes are added, never renamed. */
export const PARQUET_ERRORS = {
  'parquet.magic': 'this is not a Parquet file',
  'parquet.truncated': 'the Parquet file ends too early',
  'parquet.damaged': 'the Parquet file does not hold what it says of itself',
  'parquet.encrypted': 'encrypted Parquet files are not read',
  'parquet.unsupported': 'the Parquet file uses something that is not read',
  'parquet.too_large': 'a part of the Parquet file is larger than the limit',
} as const;
export type ParquetErrorCode = keyof typeof PARQUET_ERRORS;

export class ParquetError extends Error {
  override readonly name = 'ParquetError';

  constructor(
    readonly code: ParquetErrorCode,
    /** What the message adds in brackets. */
    readonly detail?: string,
    options?: ErrorOptions,
  ) {
    super(`${code}: ${PARQUET_ERRORS[code]}${detail === undefined ? '' : ` (${detail})`}`, options);
  }
}

export function damaged(detail: string): ParquetError {
  return new ParquetError('parquet.damaged', detail);
}
