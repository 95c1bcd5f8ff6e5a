/**
 * Why a file cannot be filtered: what is wrong with its rows or their layout.
 *
 * A message names the line and the column asked for. It never quotes what the file holds.
 * @module
 */

/** Every code, with the sentence that explains it. Codes are added, never renamed. */
export const ROW_ERRORS = {
  'header.missing': 'expected a header row',
  'header.too_long': 'the header row is longer than the limit',
  'header.not_utf8': 'expected a header row in UTF-8',
  'column.missing': 'the header has no such column',
  'row.too_long': 'the row is longer than the limit',
  'row.quote_open': 'a quoted cell begins here and never ends; quote "none" is for files that quote no cells',
  'row.quote_misplaced':
    'a quoted cell of this row goes on behind its closing quote; quote "none" is for files that quote no cells',
  'row.unreadable': 'the row cannot be read',
  'row.unidentifiable': 'the row has no identifier that can be looked up',
  'compression.unsupported': 'zstd needs Node.js 22.15 or later',
  'compression.damaged': 'the compressed file is damaged or ends too early',
  'output.abandoned': 'the output was not read to its end',
} as const;
export type RowErrorCode = keyof typeof ROW_ERRORS;

export class RowError extends Error {
  override readonly name = 'RowError';

  constructor(
    readonly code: RowErrorCode,
    /** Line of the input that the row begins on, counted from 1; `null` where none is meant. */
    readonly line: number | null,
    /** What the message adds in brackets: a column that was asked for, or a limit. */
    readonly detail?: string,
    options?: ErrorOptions,
  ) {
    const place = line === null ? '' : `line ${line}: `;
    super(`${code}: ${place}${ROW_ERRORS[code]}${detail === undefined ? '' : ` (${detail})`}`, options);
  }
}
