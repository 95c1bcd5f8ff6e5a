/**
 * The one place where this door hands a bid request to a gate: bytes of JSON as they are, msgpack as the value it carries.
 * @module
 */
import { isBidRequest } from '../../core/causes.js';
import type { BytesContext, Gate } from '../../core/gate.js';
import type { Filtered } from '../../core/index.js';
import type { Decision } from '../../core/policy/decision.js';
import { MsgpackFault, MsgpackReader } from '../../wire/msgpack-reader.js';
import { MsgpackWriter } from '../../wire/msgpack-writer.js';
import type { Format } from './content.js';
import type { DataProblemCode } from './problems.js';

/** A body that was not decided on. Nothing of it may be passed on. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: DataProblemCode;
}

const reader = new MsgpackReader();
const writer = new MsgpackWriter();

/** HOT. Never throws, whatever the bytes. `context.requireBidRequest` must be true. */
export function decide(gate: Gate, bytes: Buffer, format: Format, context: BytesContext): Decision | Refused {
  if (format === 'json') return gate.checkBytes(bytes, context);
  const packed = readPacked(bytes);
  if (packed.kind === 'refused') return packed;
  return decideValue(gate, packed.value, context);
}

/** The same for a value that was read already. */
export function decideValue(gate: Gate, value: unknown, context: BytesContext): Decision | Refused {
  return isBidRequest(value) ? gate.check(value, context) : refused('request.invalid');
}

/** The decision, and what may go out, of the type that came: an allowed request's very bytes. */
export function filter(gate: Gate, bytes: Buffer, format: Format, context: BytesContext): Filtered | Refused {
  if (format === 'json') return gate.filterBytes(bytes, context);
  const packed = readPacked(bytes);
  if (packed.kind === 'refused') return packed;
  const request = packed.value;
  if (!isBidRequest(request)) return refused('request.invalid');
  const decision = gate.check(request, context);
  const outgoing = gate.restrict(request, decision);
  if (outgoing === null) return { kind: 'filtered', decision, outgoing };
  return { kind: 'filtered', decision, outgoing: outgoing === request ? bytes : pack(outgoing) };
}

/** The value that the bytes are the msgpack of. It holds what JSON can hold, and is nested no deeper than can be written. */
export function readPacked(bytes: Buffer): { readonly kind: 'value'; readonly value: unknown } | Refused {
  try {
    reader.reset(bytes, 0, bytes.length);
    const value = reader.value();
    return reader.isAtEnd ? { kind: 'value', value } : refused('msgpack.malformed');
  } catch (error) {
    if (error instanceof MsgpackFault) return refused(error.code);
    throw error;
  }
}

/** The msgpack of a value of JSON's types. */
export function pack(value: object): Buffer {
  writer.value(value);
  return writer.take();
}

function refused(code: DataProblemCode): Refused {
  return { kind: 'refused', code };
}
