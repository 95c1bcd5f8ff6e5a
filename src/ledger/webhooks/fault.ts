/**
 * Whose fault it is that an event cannot be made: that of what it is made from, of the key, or of the database.
 * @module
 */
import { GateError } from '../../core/errors.js';
import { SqlError } from '../database.js';

/** SQLSTATEs that say that the stored bytes are wrong: data, index. */
const CORRUPTED_STATES: readonly string[] = ['XX001', 'XX002'];

/**
 * `damaged`: what it is made from cannot be read, today or tomorrow. `key`: the ledger was opened without the key, or with
 * another one. `null`: the database, which may answer the next time.
 */
export function faultOf(error: unknown): 'damaged' | 'key' | null {
  const refusal = error instanceof GateError ? error.cause : error;
  if (refusal instanceof SqlError) return CORRUPTED_STATES.includes(refusal.sqlState) ? 'damaged' : null;
  if (!(error instanceof GateError)) return 'damaged'; // such as a number that ends in mid-row
  if (error.code === 'ledger.clear_key') return 'key';
  return error.code === 'ledger.damaged' ? 'damaged' : null;
}
