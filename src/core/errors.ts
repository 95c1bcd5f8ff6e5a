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
  'delta.truncated': 'the delta frame ends too early',
  'delta.trailing_bytes': 'the delta frame goes on after its end',
  'delta.magic': 'this is not a delta frame',
  'delta.version': 'the delta frame needs a newer reader',
  'delta.header': 'a field of the delta frame is not a value it can have',
  'delta.checksum': 'the delta frame is damaged: its checksum does not agree with the bytes',
  'delta.too_large': 'the delta frame is larger than the limit',
  'signature.missing': 'a signature is required, and there is none',
  'signature.unknown_key': 'the signature is of a key that is not trusted here',
  'signature.wrong': 'the signature does not agree with the bytes',
  'signature.key': 'the key is not an Ed25519 key that can be used here',
  'ledger.driver': 'the package for this ledger is not installed',
  'ledger.unavailable': 'the database of the ledger could not be reached, or broke off',
  'ledger.locked': 'the folder of the ledger is in use by another process',
  'ledger.not_migrated': 'the database holds no ledger, or an older one: run "optgate ledger migrate"',
  'ledger.newer': 'the ledger was made by a newer optgate',
  'ledger.damaged': 'the ledger does not hold what it says of itself',
  'ledger.trail_forked': 'the audit trail does not go on from what was signed before: no checkpoint is signed',
  'ledger.idempotency_conflict': 'the idempotency key was used before, for another request',
  'ledger.unknown_request': 'there is no such request',
  'ledger.enforcer_bound': 'the enforcer reports with a token of another name',
  'ledger.not_sequenced': 'the request is recorded, but has no place in the change log yet',
  'ledger.clear_key': 'clear values cannot be kept: the key is missing or is not 32 bytes',
  'sync.driver': 'the package for this source is not installed',
  'sync.unavailable': 'the source could not be reached, or broke off',
  'sync.refused': 'the source refused this enforcer: its credentials are missing or wrong',
  'sync.deadline': 'the source did not answer in time',
  'sync.protocol': 'the source answered with something that is no answer',
  'sync.gap': 'the source left out changes',
  'sync.trimmed': 'the source no longer has the changes that come next',
  'sync.unsettled': 'more keys have changed since the last settled seq than are remembered',
  'sync.epoch': 'the source has begun another history',
  'sync.regressed': 'the source has gone back behind what was applied',
  'sync.digest': 'the table does not hold what the ledger holds',
  'sync.shrunk': 'the snapshot holds far fewer entries than the table in use',
  'sync.too_few': 'the snapshot holds fewer entries than the minimum',
  'sync.pinned': 'the snapshot is newer than the pinned seq',
  'sync.store': 'the local folder of the enforcer could not be read or written',
  'sync.closed': 'the follower is closed',
  'export.io': 'a file of the export could not be read or written',
  'export.input_changed': 'the input was changed while the export read it',
  'export.same_file': 'the export would overwrite what it reads',
  'export.set_replaced': 'the set was replaced by one of another ledger while the export ran',
  'lineage.damaged': 'the lineage file is damaged, or none',
  'lineage.seed': 'the lineage file belongs to another ledger or set',
} as const;

export type GateErrorCode = keyof typeof GATE_ERRORS;

/** What went wrong outside our own code. `code` says what; `cause` holds the system's own error, if there is one. */
export class GateError extends Error {
  override readonly name = 'GateError';
  readonly code: GateErrorCode;
  /** What the message adds in brackets to the sentence of the code. */
  readonly detail: string | undefined;

  constructor(code: GateErrorCode, detail?: string, options?: ErrorOptions) {
    super(`${code}: ${GATE_ERRORS[code]}${detail === undefined ? '' : ` (${detail})`}`, options);
    this.code = code;
    this.detail = detail;
  }
}

/** What is wrong with a field of a request, a row or an option. Codes are added, never renamed. */
export type InputErrorCode =
  | 'required'
  | 'type'
  | 'unknown'
  | 'empty'
  | 'malformed'
  | 'names_nobody'
  | 'too_long'
  | 'too_many'
  | 'future'
  | 'out_of_range'
  | 'reserved'
  | 'used'
  | 'expired'
  | 'superseded';

/** A request that cannot be used as it is; nothing was done. The message names the field and never holds its value. */
export class InputError extends TypeError {
  override readonly name = 'InputError';

  constructor(
    /** Path of the field, such as `identifiers[0].value`. */
    readonly field: string,
    readonly code: InputErrorCode,
    message: string,
  ) {
    super(`${field}: ${message}`);
  }
}
