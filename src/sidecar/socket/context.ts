/**
 * Reads the context of a request: what the caller knows that the bid request does not say.
 *
 * Stricter than the gate: a field that is not one there is, or has the wrong type, is refused. A misspelt `secGpc` must
 * not pass for a browser that sent none. Most requests of a connection have the same context, so the last is kept.
 * @module
 */
import type { BytesContext } from '../../core/gate.js';
import type { Identifier } from '../../core/vocabulary.js';
import type { MsgpackReader } from '../../wire/msgpack-reader.js';
import type { ContextField } from '../../wire/protocol.js';
import { RequestFault } from './request-fault.js';

export interface RequestContext {
  readonly check: BytesContext;
  /** How long to wait for the table to reach `check.minSeq`. */
  readonly waitMs: number;
  /** Give the reasons in full. */
  readonly explain: boolean;
}

export const NO_CONTEXT: RequestContext = Object.freeze({
  check: Object.freeze({ requireBidRequest: true }),
  waitMs: 0,
  explain: false,
});

/** Longest text of a field. */
export const CONTEXT_TEXT_LENGTH_MAX = 256;
/** Most identifiers, or values of `Sec-GPC`, in one context. */
export const CONTEXT_ITEMS_MAX = 64;
const PLACES = { state: /^(?:US-)?[A-Z]{2}$/i, country: /^[A-Z]{2,3}$/i };
/** Contexts up to this length are compared with the one before. */
const KEPT_CONTEXT_BYTES_MAX = 256;

export class ContextReader {
  private keptBytes: Buffer = Buffer.alloc(0);
  private kept: RequestContext = NO_CONTEXT;

  constructor(private readonly waitMsMax: number) {}

  /** HOT. Reads the context that fills `[reader.at, end)` of `bytes`. @throws {RequestFault} and what the reader throws. */
  read(reader: MsgpackReader, bytes: Buffer, end: number): RequestContext {
    const start = reader.at;
    if (isSame(this.keptBytes, bytes, start, end)) {
      reader.at = end;
      return this.kept;
    }
    const context = this.parse(reader.value());
    if (reader.at === end && end - start <= KEPT_CONTEXT_BYTES_MAX) {
      this.keptBytes = Buffer.from(bytes.subarray(start, end));
      this.kept = context;
    }
    return context;
  }

  /** A context that was read as a value. @throws {RequestFault} */
  parse(value: unknown): RequestContext {
    if (value === null) return NO_CONTEXT;
    if (typeof value !== 'object' || Array.isArray(value)) throw new RequestFault('context.invalid', 'context');
    const check: { -readonly [K in keyof BytesContext]: BytesContext[K] } = { requireBidRequest: true };
    let waitMs = 0;
    let explain = false;
    for (const [name, field] of Object.entries(value)) {
      if (field === null) continue;
      switch (name as ContextField) {
        case 'destination':
        case 'minSeq':
          check[name as 'minSeq'] = textField(field, name);
          break;
        case 'state':
        case 'country':
          check[name as 'state'] = placeField(field, name as 'state');
          break;
        case 'secGpc':
          check.secGpc = Array.isArray(field) ? field.map((one) => textField(one, name)) : textField(field, name);
          if (Array.isArray(field) && field.length > CONTEXT_ITEMS_MAX) throw new RequestFault('context.invalid', name);
          break;
        case 'identifiers':
          check.identifiers = identifiersField(field);
          break;
        case 'waitMs':
          if (!Number.isInteger(field) || (field as number) < 0 || (field as number) > this.waitMsMax) {
            throw new RequestFault('context.invalid', name);
          }
          waitMs = field as number;
          break;
        case 'explain':
          if (typeof field !== 'boolean') throw new RequestFault('context.invalid', name);
          explain = field;
          break;
        default:
          throw new RequestFault('context.invalid', 'context'); // its name is what a stranger wrote
      }
    }
    if (waitMs > 0 && check.minSeq === undefined) throw new RequestFault('context.invalid', 'minSeq');
    return { check, waitMs, explain };
  }
}

function textField(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= CONTEXT_TEXT_LENGTH_MAX) return value;
  throw new RequestFault('context.invalid', name);
}

/** A place that is not one would be no place, and the request would be judged by what it says itself. */
function placeField(value: unknown, name: keyof typeof PLACES): string {
  if (typeof value === 'string' && PLACES[name].test(value)) return value.toUpperCase();
  throw new RequestFault('context.invalid', name);
}

/** Whether each is an identifier is for the gate to judge; that it has a kind and a value is for the protocol. */
function identifiersField(value: unknown): readonly Identifier[] {
  if (!Array.isArray(value) || value.length > CONTEXT_ITEMS_MAX || !value.every(hasKindAndValue)) {
    throw new RequestFault('context.invalid', 'identifiers');
  }
  return value;
}

function hasKindAndValue(value: unknown): boolean {
  const { kind, value: text } = (value ?? {}) as Partial<Record<keyof Identifier, unknown>>;
  return typeof kind === 'string' && typeof text === 'string';
}

/** HOT. A loop: most contexts are shorter than the cost of a call into the runtime. */
function isSame(kept: Buffer, bytes: Buffer, start: number, end: number): boolean {
  const byteCount = end - start;
  if (kept.length !== byteCount) return false;
  for (let index = 0; index < byteCount; index++) {
    if (kept[index]! !== bytes[start + index]!) return false;
  }
  return true;
}
