/**
 * Refusals over HTTP, as problem details (RFC 9457) with a stable `code`.
 * @module
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json';

export type ProblemCode =
  | 'http.bad_request'
  | 'http.unauthorized'
  | 'http.not_found'
  | 'http.method'
  | 'http.too_large'
  | 'http.media_type'
  | 'http.range'
  | 'http.busy'
  | 'http.failed'
  | 'sync.unavailable'
  | 'sync.trimmed'
  | 'sync.epoch'
  | 'enforcer.bound';

/** Status and title of each code. Codes are added, never renamed. */
export const PROBLEMS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  'http.bad_request': [400, 'the request is not one that is served here'],
  'http.unauthorized': [401, 'a bearer token is required, and there is none or another'],
  'http.not_found': [404, 'there is nothing at this path'],
  'http.method': [405, 'the method is not one that is served here'],
  'http.too_large': [413, 'the body is larger than the limit'],
  'http.media_type': [415, 'the body is not of a type that is read here'],
  'http.range': [416, 'the range is not in the file'],
  'http.busy': [503, 'there are too many requests at the moment'],
  'http.failed': [500, 'the request failed'],
  'sync.unavailable': [503, 'there is nothing to serve yet, or what it comes from cannot be reached'],
  'sync.trimmed': [410, 'the changes after this position are no longer kept: start from the snapshot'],
  'sync.epoch': [409, 'another history has begun: start from the snapshot'],
  'enforcer.bound': [403, 'this enforcer reports with a token of another name'],
};
/** What a client that was told to come back is told to wait. */
const RETRY_AFTER_SECONDS = 1;

export interface ProblemDetails {
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members. */
  readonly members?: Readonly<Record<string, string | number>>;
}

/** What a problem is, whoever names it. */
export interface Problem {
  readonly status: number;
  /** A sentence that is the same each time. */
  readonly title: string;
  readonly code: string;
}

/** Answers with one of the problems of this table; see {@link writeProblem}. */
export function sendProblem(response: ServerResponse, code: ProblemCode, details: ProblemDetails = {}): void {
  const [status, title] = PROBLEMS[code];
  writeProblem(response, { status, title, code }, details);
}

/**
 * Answers with a problem, and ends the response. For a request whose body has not been read the connection is closed
 * after that.
 */
export function writeProblem(response: ServerResponse, problem: Problem, details: ProblemDetails = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { detail, headers = {}, members = {} } = details;
  const { status, title, code } = problem;
  const body = Buffer.from(JSON.stringify({ type: 'about:blank', title, status, code, detail, ...members }));
  const fields: OutgoingHttpHeaders = {
    'content-type': PROBLEM_TYPE,
    'content-length': body.length,
    'cache-control': 'no-store',
    ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}),
    ...(hasUnreadBody(response.req) ? { connection: 'close' } : {}),
    ...headers,
  };
  response.writeHead(status, fields);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Whether a request has a body that has not come to its end. */
export function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
