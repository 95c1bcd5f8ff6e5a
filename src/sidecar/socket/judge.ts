/**
 * The one place where this door hands a bid request to a gate: as bytes of JSON, or as a value that msgpack carried.
 * @module
 */
import { isBidRequest } from '../../core/causes.js';
import type { BytesContext, Gate } from '../../core/gate.js';
import type { Decision } from '../../core/policy/decision.js';
import { RequestFault } from './request-fault.js';

/** A bid request as it came: bytes of JSON, or what a map or array of msgpack held. */
export type RequestBody = Buffer | object;

/** What may go out: bytes where bytes came in, else a value; `null` where blocked. */
export interface Outgoing {
  readonly decision: Decision;
  readonly request: Uint8Array | object | null;
}

/** HOT. `context.requireBidRequest` must be true. @throws {RequestFault} where there is nothing to decide on. */
export function checkBody(gate: Gate, body: RequestBody, context: BytesContext): Decision {
  if (!Buffer.isBuffer(body)) return gate.check(bidRequest(body), context);
  const decided = gate.checkBytes(body, context);
  if (decided.kind === 'refused') throw new RequestFault(decided.code);
  return decided;
}

/** @throws {RequestFault} as {@link checkBody}. */
export function filterBody(gate: Gate, body: RequestBody, context: BytesContext): Outgoing {
  if (!Buffer.isBuffer(body)) {
    const decision = gate.check(bidRequest(body), context);
    return { decision, request: gate.restrict(body, decision) };
  }
  const filtered = gate.filterBytes(body, context);
  if (filtered.kind === 'refused') throw new RequestFault(filtered.code);
  return { decision: filtered.decision, request: filtered.outgoing };
}

function bidRequest(value: object): object {
  if (!isBidRequest(value)) throw new RequestFault('request.invalid');
  return value;
}
