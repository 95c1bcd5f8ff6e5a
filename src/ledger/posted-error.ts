/**
 * Errors on their way between threads: a posted Error would lose its class and its code.
 * @module
 */
import { GateError } from '../core/errors.js';
import { SqlError } from './database.js';
import type { PostedError } from './worker-messages.js';

export function postedError(error: unknown): PostedError {
  if (error instanceof SqlError) {
    return { kind: 'sql', sqlState: error.sqlState, constraint: error.constraint, text: error.text };
  }
  if (error instanceof GateError) {
    const cause = error.cause instanceof Error ? `${error.cause.name}: ${error.cause.message}` : null;
    return { kind: 'gate', code: error.code, detail: error.detail, cause };
  }
  return { kind: 'other', text: error instanceof Error ? (error.stack ?? error.message) : 'not an error' };
}

export function unpostedError(posted: PostedError): Error {
  switch (posted.kind) {
    case 'sql':
      return new SqlError(posted.sqlState, posted.constraint, posted.text);
    case 'gate': {
      const options = posted.cause === null ? {} : { cause: new Error(posted.cause) };
      return new GateError(posted.code, posted.detail, options);
    }
    case 'other':
      return new Error(posted.text);
    default:
      return posted satisfies never;
  }
}
