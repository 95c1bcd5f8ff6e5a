/**
 * The one place where this door hands a bid request to a gate: as bytes of JSON, or as a value that msgpack carried.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import type { CheckContext, Gate } from '../../core/gate.js';
import type { Decision } from '../../core/policy/decision.js';
import { RequestFault } from './request-fault.js';

/** A bid request as it came: bytes of JSON, or a map. */
export type RequestBody = Buffer | object;

/** What may go out: bytes where bytes came in, else a value; `null` where blocked. */
export interface Outgoing {
  readonly decision: Decision;
  readonly request: Uint8Array | object | null;
}

/** HOT. @throws {RequestFault} where the bytes are not those of a JSON object. */
export function checkBody(gate: Gate, body: RequestBody, context: CheckContext): Decision {
  return gate.check(Buffer.isBuffer(body) ? parse(body) : body, context);
}

/** @throws {RequestFault} as {@link checkBody}; `request.too_deep` where what remains cannot be written. */
export function filterBody(gate: Gate, body: RequestBody, context: CheckContext): Outgoing {
  const request = Buffer.isBuffer(body) ? parse(body) : body;
  const decision = gate.check(request, context);
  const outgoing = gate.restrict(request, decision);
  if (outgoing === null || !Buffer.isBuffer(body)) return { decision, request: outgoing };
  return { decision, request: Buffer.from(jsonText(outgoing)) };
}

function parse(bytes: Buffer): object {
  if (!isUtf8(bytes)) throw new RequestFault('json.not_utf8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    // The parser's message quotes the text, which may hold an identifier.
    throw new RequestFault('json.invalid');
  }
  if (typeof value !== 'object' || value === null) throw new RequestFault('request.invalid');
  return value;
}

function jsonText(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) throw new RequestFault('request.too_deep');
    throw error;
  }
}
