/**
 * The errors that disk, memory and configuration can cause, with every code in one list.
 *
 * Callers branch on `code`, which is stable, never on `message`. Neither ever carries an identifier.
 * @module
 */

/** Every code, with the sentence that explains it. Codes are added, never renamed. */
export const GATE_ERRORS = {
  'snapshot.io': 'the snapshot file could not be read or written',
  'snapshot.truncated': 'the snapshot ends too early',
  'snapshot.trailing_bytes': 'the snapshot goes on after its last block',
  'snapshot.magic': 'this is not a snapshot',
  'snapshot.version': 'the snapshot needs a newer reader',
  'snapshot.endianness': 'snapshots are little-endian, and the bytes or this machine are not',
  'snapshot.header': 'a field of the snapshot header is not a value it can have',
  'snapshot.checksum': 'the snapshot is damaged: a checksum does not agree with the bytes',
  'snapshot.too_large': 'the snapshot is larger than the limit',
  'snapshot.table_changed': 'the table was written to while its snapshot was taken',
  'table.memory': 'there is not enough memory for the table',
  'table.too_large': 'the table has reached the size limit',
  'table.not_loaded': 'there is no table yet',
  'table.copy_differs': 'a copied table does not hold what its source holds, so it was not put into use',
} as const;

export type GateErrorCode = keyof typeof GATE_ERRORS;

/** What went wrong outside our own code. `code` says what; `cause` holds the system's own error, if there is one. */
export class GateError extends Error {
  override readonly name = 'GateError';
  readonly code: GateErrorCode;

  constructor(code: GateErrorCode, detail?: string, options?: ErrorOptions) {
    super(`${code}: ${GATE_ERRORS[code]}${detail === undefined ? '' : ` (${detail})`}`, options);
    this.code = code;
  }
}
