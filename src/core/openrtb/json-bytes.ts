/**
 * A bid request as UTF-8 bytes of JSON, taken in and given out by way of objects: the path that knows every shape.
 *
 * What must stay true: nothing here throws, whatever the bytes; what `JSON.parse` refuses is refused with a code, never
 * with its message, which quotes the text; and no nesting exhausts memory or stack.
 *
 * A byte order mark at the start is ignored (RFC 8259, 8.1, allows it) and never passed on.
 * @module
 */
import { hasRepeatedKeys } from './repeated-keys.js';

/** Most bytes of one request. */
export const REQUEST_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Deepest nesting of arrays and objects that is parsed. `JSON.parse` needs no stack for depth but about a hundred bytes
 * of memory a level, so a megabyte of brackets would take a hundred.
 */
export const REQUEST_DEPTH_MAX = 2 ** 17;

/** Why bytes were refused. Stable. `request.invalid`: JSON, but not of the kind asked for. */
export type RefusalCode =
  | 'json.not_utf8'
  | 'json.invalid'
  | 'request.too_long'
  | 'request.too_deep'
  | 'request.invalid';

/** Bytes that were not decided on. Nothing of them may be passed on. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: RefusalCode;
}

const REFUSALS: Readonly<Record<RefusalCode, Refusal>> = {
  'json.not_utf8': Object.freeze({ kind: 'refused', code: 'json.not_utf8' }),
  'json.invalid': Object.freeze({ kind: 'refused', code: 'json.invalid' }),
  'request.too_long': Object.freeze({ kind: 'refused', code: 'request.too_long' }),
  'request.too_deep': Object.freeze({ kind: 'refused', code: 'request.too_deep' }),
  'request.invalid': Object.freeze({ kind: 'refused', code: 'request.invalid' }),
};

/** The refusal with a code: shared and frozen. */
export function refusal(code: RefusalCode): Refusal {
  return REFUSALS[code];
}

/** A request that was parsed, with the text it came from. */
export interface ParsedRequest {
  readonly kind: 'parsed';
  /** An object, or an array of requests. */
  readonly value: object;
  /** Without a byte order mark. */
  readonly text: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The object or array in the bytes. */
export function parseRequest(bytes: Uint8Array): ParsedRequest | Refusal {
  if (bytes.length > REQUEST_BYTES_MAX) return refusal('request.too_long');
  if (isDeeperThan(bytes, REQUEST_DEPTH_MAX)) return refusal('request.too_deep');
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return refusal('json.not_utf8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refusal('json.invalid');
  }
  return typeof value === 'object' && value !== null ? { kind: 'parsed', value, text } : refusal('request.invalid');
}

/** The bytes of a request that was parsed; a refusal where it is nested deeper than can be written. */
export function writeRequest(value: object): Uint8Array | Refusal {
  try {
    return Buffer.from(JSON.stringify(value));
  } catch (error) {
    if (error instanceof RangeError) return refusal('request.too_deep');
    throw error;
  }
}

/**
 * An allowed request as it came, without a byte order mark. One that has a key twice is written anew: then its bytes
 * say more than was judged, and a receiver may take the first value where the gate saw the last.
 */
export function allowedBytes(bytes: Uint8Array, parsed: ParsedRequest): Uint8Array | Refusal {
  return hasRepeatedKeys(parsed.text, parsed.value) ? writeRequest(parsed.value) : withoutMark(bytes);
}

/** The bytes behind a byte order mark; the very same array where there is none. */
export function withoutMark(bytes: Uint8Array): Uint8Array {
  return startOfText(bytes) === 0 ? bytes : bytes.subarray(3);
}

/** HOT. Where the text begins: behind a byte order mark. */
export function startOfText(bytes: Uint8Array): number {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Whether brackets are nested deeper than `depthMax`. What is no JSON may count as deep. */
function isDeeperThan(bytes: Uint8Array, depthMax: number): boolean {
  if (bytes.length <= depthMax) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) inString = !inString;
    else if (inString) at += byte === 0x5c ? 1 : 0;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > depthMax) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}
