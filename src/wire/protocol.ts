/**
 * The words of the socket protocol: see docs/wire-protocol.md, which this folder implements for both ends.
 *
 * A frame is a length (4 bytes, big-endian) and one msgpack value of that length. A client sends `[id, op, body?,
 * context?]`, a server `[kind, id, value]`.
 * @module
 */

/** Both ends have to speak the same one; `hello` is where they find out. */
export const PROTOCOL_VERSION = 1;
export const FRAME_HEADER_BYTES = 4;
/** Request ids are whole numbers from 0 up to this one. */
export const REQUEST_ID_MAX = 0xffff_ffff;

export const OPS = ['hello', 'ping', 'check', 'filter', 'check_batch', 'lookup', 'status'] as const;
export type Op = (typeof OPS)[number];

/** The first element of whatever a server sends. */
export const FRAME_KIND = {
  /** The value is what was asked for. */
  answer: 0,
  /** The value says why this request has no answer. */
  error: 1,
  /** The value says why the connection ends; the id is nil. Nothing follows. */
  fatal: 2,
  /** The server will end: it answers what it has, takes no more. The id is nil. */
  goodbye: 3,
} as const;

/** Names of the fields a context may have. */
export const CONTEXT_FIELDS = [
  'destination',
  'secGpc',
  'state',
  'country',
  'identifiers',
  'minSeq',
  'waitMs',
  'explain',
] as const;
export type ContextField = (typeof CONTEXT_FIELDS)[number];
