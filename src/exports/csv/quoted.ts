/**
 * The text of a quoted cell in which quotes stand doubled (RFC 4180, 2.7).
 * @module
 */
import { GrowingBytes } from '../../growing-bytes.js';
import { QUOTE } from './layout.js';

const cell = new GrowingBytes();

/** @param from Behind the opening quote. @param to Where the closing one stands. */
export function unquoted(bytes: Uint8Array, from: number, to: number): Uint8Array {
  cell.clear();
  for (let at = from; at < to; ) {
    const quoteAt = bytes.indexOf(QUOTE, at);
    cell.append(bytes.subarray(at, Math.min(quoteAt + 1, to)));
    at = quoteAt + 2;
  }
  return cell.take();
}
