/**
 * What the data plane refuses, and how it says so: problem details (RFC 9457) with a stable `code`.
 *
 * Codes are added, never renamed. A problem names at most the field that is wrong; it never shows what was sent.
 * @module
 */

export const DATA_PROBLEMS = {
  'path.unknown': [404, 'there is nothing at this path'],
  'method.not_allowed': [405, 'only POST is served at this path'],
  'query.unknown': [400, 'a query parameter is not one there is at this path, or stands there twice'],
  'header.unknown': [400, 'a header that begins with optgate- is not one there is at this path'],
  'context.invalid': [400, 'a header or query parameter is not a value it can have'],
  'context.conflict': [400, 'a header and a query parameter for the same thing differ'],
  'content_type.unknown': [415, 'the body is not of a type that is read at this path'],
  'content_encoding.unknown': [415, 'bodies are read as they are, without compression'],
  'body.too_large': [413, 'the body is larger than the limit'],
  'body.incomplete': [400, 'the body ended early'],
  'json.not_utf8': [400, 'the body is not UTF-8'],
  'json.invalid': [400, 'the body is not JSON'],
  'msgpack.malformed': [400, 'the body is not one value of msgpack'],
  'msgpack.too_deep': [400, 'the body is nested too deep'],
  'msgpack.too_many_values': [400, 'the body holds too many values'],
  'msgpack.key': [400, 'a key of a map is not text, or stands twice in one map'],
  'msgpack.type': [400, 'bytes, an extension or another type that JSON has not stands in the body'],
  'msgpack.not_utf8': [400, 'a text in the body is not UTF-8'],
  'request.too_long': [413, 'the bid request is longer than one may be'],
  'request.too_deep': [400, 'the body is nested too deep to be read or written'],
  'request.invalid': [422, 'the body is not an OpenRTB bid request'],
  'batch.invalid': [422, 'the body is not an array of bid requests'],
  'batch.too_many': [413, 'there are more bid requests than one batch may hold'],
  'lookup.invalid': [422, 'the body is not {"identifiers":[{"kind","value"}]}, or has a member besides'],
  'lookup.too_many': [413, 'there are more identifiers than one lookup may hold'],
  'table.not_loaded': [503, 'there is no table yet to look up in'],
  'busy.shedding': [503, 'there is more work than can be done in time'],
  'busy.waiting': [503, 'too many requests, or too many bytes of them, wait'],
  'http.malformed': [400, 'this is not HTTP/1.1'],
  'http.headers_too_large': [431, 'the headers are larger than the limit'],
  'http.timeout': [408, 'the request took too long to arrive'],
  internal: [500, 'the request failed; the fault is in the log'],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type DataProblemCode = keyof typeof DATA_PROBLEMS;

/** What a client that is told to come back is told to wait. */
export const RETRY_AFTER_SECONDS = 1;

/** Members of a problem besides type, title, status and code. Never what a client sent. */
export interface ProblemMembers {
  /** Name of the parameter, header or member that is wrong. */
  readonly field?: string;
  /** Position in a batch, from 0. */
  readonly item?: number;
}

/** The body of a problem. */
export function problemText(code: DataProblemCode, members: ProblemMembers = {}): string {
  const [status, title] = DATA_PROBLEMS[code];
  return JSON.stringify({ type: 'about:blank', title, status, code, ...members });
}
