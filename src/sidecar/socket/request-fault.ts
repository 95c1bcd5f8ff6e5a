/**
 * Why one request cannot be answered. Thrown inside this folder and turned into an error frame in one place.
 * @module
 */
import type { RequestErrorCode } from '../../wire/errors.js';

export class RequestFault extends Error {
  override readonly name = 'RequestFault';

  constructor(
    readonly code: RequestErrorCode,
    /** Name of a field of the protocol; never what a client wrote. */
    readonly field?: string,
  ) {
    super(code);
  }
}
