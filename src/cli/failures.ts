/**
 * What a failure says on the command line: a plain sentence, and what to do about it where that is known.
 *
 * What must stay true: no sentence holds an identifier, a password or a token. So a cause is shown only where the system
 * or the database server wrote it about the connection, never where it may quote a row or a URL.
 * @module
 */
import { GateError, type GateErrorCode, type InputError } from '../core/errors.js';
import type { SqlError } from '../ledger/database.js';
import { isSystemError } from './command.js';

/** What can be done about it, for the errors that people meet in practice. */
const ADVICE: Partial<Readonly<Record<GateErrorCode, string>>> = {
  'ledger.locked':
    'an embedded ledger serves one process at a time: write through the process that has it, or keep the ledger in PostgreSQL',
  'ledger.unknown_request': 'request ids are printed by "optgate opt-out", "opt-in" and "import", and begin with r_',
  'ledger.idempotency_conflict': 'give another --idempotency-key, or none',
  'signature.missing': 'the source is not signed; --trust-key expects signatures',
  'signature.unknown_key': 'add the public key of the signer with another --trust-key',
};

/** The options that fields of a request come from. */
const OPTION_OF_FIELD: Readonly<Record<string, string>> = {
  receivedAtMs: '--received',
  idempotencyKey: '--idempotency-key',
  confirmation: 'CODE',
  requestId: 'REQUEST_ID',
  rights: '--rights',
  channel: '--channel',
  state: '--state',
  scope: '--scope',
  operator: '--operator',
};

/** The sentence for an error of ours, with its cause and advice. */
export function gateErrorText(error: GateError): string {
  const cause = causeText(error.cause);
  const advice = ADVICE[error.code];
  return `${error.message}${cause === null ? '' : `: ${cause}`}${advice === undefined ? '' : `; ${advice}`}`;
}

/** The sentence for input that cannot be used; fields carry the names they have on the command line. */
export function inputErrorText({ field, message }: InputError): string {
  const shownField = OPTION_OF_FIELD[field] ?? field.replace(/^identifiers\[(\d+)\]\.(\w+)$/, shownIdentifierField);
  return message.startsWith(`${field}: `) ? `${shownField}${message.slice(field.length)}` : message;
}

function shownIdentifierField(_: string, index: string, name: string): string {
  const shown = name === 'kind' ? '--kind' : name;
  return index === '0' ? shown : `${shown} ${Number(index) + 1}`;
}

/** The sentence for anything at all. */
export function failureText(error: unknown): string {
  if (error instanceof GateError) return gateErrorText(error);
  return causeText(error) ?? `unexpected ${(error as Error)?.name ?? 'error'}`;
}

/** What may be shown of a cause; `null` for what might quote input. */
function causeText(cause: unknown): string | null {
  if (cause instanceof AggregateError) return causeText(cause.errors[0]);
  if (isSystemError(cause)) return cause.message;
  if (!(cause instanceof Error)) return null;
  if (isSqlError(cause)) return sqlText(cause);
  return cause.cause === undefined ? null : causeText(cause.cause);
}

/** By its name: the class would bring the ledger into every command. */
export function isSqlError(error: unknown): error is SqlError {
  return error instanceof Error && error.name === 'SqlError';
}

/** Connection, catalogue name, resources, operator intervention, system: what the server says then is about itself. */
const SERVER_STATES = /^(?:08|3D|53|57|58)/;

function sqlText({ sqlState, message, text }: SqlError): string {
  if (sqlState.startsWith('28')) return 'the server refused the login';
  return SERVER_STATES.test(sqlState) ? text : message;
}
