/**
 * What a client rejects with. While a server cannot be asked, `check`, `filter` and `checkBatch` do not reject: they
 * answer with a decision that says so.
 * @module
 */

export const CLIENT_ERRORS = {
  'client.unavailable': 'the server could not be asked, or did not answer in time',
  'client.too_large': 'the message is longer than the server takes',
} as const;
export type ClientErrorCode = keyof typeof CLIENT_ERRORS;

/** `code` is one of the above, or a code of an error that the server answered with (docs/wire-protocol.md). */
export class ClientError extends Error {
  override readonly name = 'ClientError';

  constructor(
    readonly code: ClientErrorCode | (string & {}),
    message: string = CLIENT_ERRORS[code as ClientErrorCode] ?? code,
    /** Which field of the request or its context, where the server said. */
    readonly field?: string,
  ) {
    super(`${code}: ${message}`);
  }
}
