/**
 * What a server answers where it cannot answer what was asked. Codes are stable: added, never renamed.
 *
 * An error is a value with a code and at most the name of a field; it never holds what the field held.
 * @module
 */

/** Of one request: the connection goes on. */
export const REQUEST_ERRORS = {
  'op.unknown': 'there is no such operation',
  'msgpack.malformed': 'what follows the id is not msgpack, ends early, or has too many parts',
  'msgpack.too_deep': 'a value is nested too deep',
  'msgpack.too_many_values': 'the message holds too many values',
  'msgpack.key': 'a key of a map is not text, or stands twice in one map',
  'msgpack.type': 'bytes, an extension or another type that JSON has not stands where only JSON types may',
  'msgpack.not_utf8': 'a text is not UTF-8',
  'json.not_utf8': 'the bid request is not UTF-8',
  'json.invalid': 'the bid request is not JSON',
  'request.invalid': 'there is no bid request, or it is not one: an object with `imp` or `openrtb`',
  'request.too_long': 'the bid request is longer than the limit',
  'request.too_deep': 'the bid request is nested too deep to be written',
  'context.invalid': 'a field of the context is not one there is, or not a value it can have',
  'batch.invalid': 'the body is not an array of bid requests',
  'batch.too_many': 'there are more items than one batch may hold',
  'lookup.invalid': 'the body is not an array of identifiers',
  'identifier.invalid': 'this is not an identifier',
  'table.not_loaded': 'there is no table yet to look up in',
  'busy.shedding': 'the server has more work than it can do in time',
  'busy.waiting': 'too many requests of this connection, or too many bytes of all, wait for the table',
  'answer.too_large': 'the answer is larger than an answer may be',
  internal: 'the server failed; the fault is in its log',
} as const;
export type RequestErrorCode = keyof typeof REQUEST_ERRORS;

/** Of a connection: it is closed after this. */
export const CONNECTION_ERRORS = {
  'frame.empty': 'a frame has length 0',
  'frame.too_large': 'a frame is longer than the limit',
  'frame.malformed': 'a frame does not begin with an array that begins with an id',
  'frame.memory': 'unfinished frames of all connections hold too many bytes',
  'id.in_use': 'a request has the id of one that is not answered yet',
  'protocol.hello_expected': 'the first frame is not a hello',
  'protocol.version': 'the server does not speak this version of the protocol',
  'deadline.handshake': 'no hello came in time',
  'deadline.frame': 'a frame was begun and not finished in time',
  'deadline.idle': 'nothing came for too long',
  'deadline.output': 'answers were not taken in time',
  'connections.too_many': 'there are too many connections',
} as const;
export type ConnectionErrorCode = keyof typeof CONNECTION_ERRORS;

/** An error as it travels. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  /** Which field, where there is one. */
  readonly field?: string;
}
