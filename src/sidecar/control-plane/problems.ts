/**
 * Everything the control plane can refuse a request with, as problem details (RFC 9457) with a stable `code`.
 *
 * No problem quotes the request: a field is named by its path, never with its value.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { GATE_ERRORS, GateError, InputError, type InputErrorCode } from '../../core/errors.js';
import { PROBLEMS, type ProblemDetails, writeProblem } from '../../sync/http-problem.js';

const INPUT_PROBLEMS: Readonly<Record<InputErrorCode, string>> = {
  required: 'a field is missing',
  type: 'a field is of another type',
  unknown: 'a field, or the word in it, is not known here',
  empty: 'a field is empty',
  malformed: 'a field is not of the form it must have',
  names_nobody: 'an identifier is a placeholder, and names nobody',
  too_long: 'a field is too long',
  too_many: 'a list is too long',
  future: 'a moment lies in the future',
  out_of_range: 'a number is out of range',
  reserved: 'a name is reserved',
  used: 'this was used before',
  expired: 'the time for this is over',
  superseded: 'something newer has taken its place',
};

type InputProblems = { readonly [Code in `input.${InputErrorCode}`]: readonly [422, string] };

/** Status and title of each code. Codes are added, never renamed. */
export const CONTROL_PROBLEMS = {
  ...PROBLEMS,
  'http.forbidden': [403, 'the role of this token may not do this'],
  'http.timeout': [408, 'the body did not come in time'],
  'http.precondition': [412, 'it is not as If-Match or If-None-Match expects'],
  'http.misdirected': [421, 'without tokens, only requests to a loopback host are served'],
  'http.rate': [429, 'there were too many requests from here'],
  'http.closing': [503, 'this process is about to end'],
  'json.invalid': [400, 'the body is not JSON'],
  'json.not_utf8': [400, 'the body is not UTF-8'],
  'json.duplicate_key': [400, 'an object in the body has a name twice'],
  'list.invalid': [422, 'the list is not laid out as expected'],
  'list.empty': [422, 'the list has no rows; nothing was recorded'],
  'rows.invalid': [422, 'the rows are not laid out as expected'],
  'table.not_loaded': [503, GATE_ERRORS['table.not_loaded']],
  'table.stale': [503, 'the table may not know of the latest opt-outs'],
  'ledger.none': [501, 'this process follows a set that is kept elsewhere: requests are recorded there'],
  'relay.none': [501, 'this process does not pass its set on'],
  'ledger.idempotency_conflict': [409, GATE_ERRORS['ledger.idempotency_conflict']],
  'ledger.unknown_request': [404, GATE_ERRORS['ledger.unknown_request']],
  'ledger.unavailable': [503, GATE_ERRORS['ledger.unavailable']],
  'enforcer.unknown': [404, 'there is no enforcer with this id that is waited for'],
  'destination.unknown': [404, 'there is no such destination'],
  'webhook.unknown': [404, 'there is no such webhook'],
  ...inputProblems(),
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ControlProblemCode = keyof typeof CONTROL_PROBLEMS;

function inputProblems(): InputProblems {
  const rows = Object.entries(INPUT_PROBLEMS).map(([code, title]) => [`input.${code}`, [422, title]]);
  return Object.fromEntries(rows) as InputProblems;
}

export const INPUT_CODES = Object.keys(inputProblems()) as readonly (keyof InputProblems)[];

/** Ends a request with a problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';

  constructor(
    readonly code: ControlProblemCode,
    readonly details: ProblemDetails = {},
  ) {
    super(code);
  }
}

/** What is wrong with a field, as a problem. */
export function fieldProblem(field: string, code: InputErrorCode, detail: string): ProblemError {
  return new ProblemError(`input.${code}`, { detail, members: { field } });
}

/** The problem that an error is; what nobody expected is `http.failed`. */
export function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof InputError) return problemOfInput(error);
  if (error instanceof GateError) return problemOfGate(error);
  // Express: a path that cannot be decoded
  if (error instanceof URIError) return new ProblemError('http.bad_request', { detail: 'expected a path in UTF-8' });
  return new ProblemError('http.failed');
}

export function sendControlProblem(response: ServerResponse, { code, details }: ProblemError): void {
  const [status, title] = CONTROL_PROBLEMS[code];
  writeProblem(response, { status, title, code }, details);
}

/** What fields of the ledger are called over HTTP. */
const SHOWN_FIELDS: Readonly<Record<string, string>> = {
  receivedAtMs: 'receivedAt',
  idempotencyKey: 'Idempotency-Key',
};

function problemOfInput({ field, code, message }: InputError): ProblemError {
  // an id in the path that cannot be one, or is one of something else: there is nothing there
  if (field === 'requestId') return new ProblemError('ledger.unknown_request');
  const detail = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  return fieldProblem(SHOWN_FIELDS[field] ?? field.replace(/^destination\.?/, ''), code, detail);
}

function problemOfGate({ code }: GateError): ProblemError {
  if (Object.hasOwn(CONTROL_PROBLEMS, code)) return new ProblemError(code as ControlProblemCode);
  return new ProblemError('http.failed', { detail: code });
}
