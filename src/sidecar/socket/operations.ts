/**
 * What each operation does with its body and context. One gate for all of a request, taken when it is answered.
 * @module
 */
import { checkIdentifier } from '../../core/identity/index.js';
import { rightsOfIdentifier } from '../../core/opt-out.js';
import { rightsOfMask } from '../../core/vocabulary.js';
import { MsgpackFault, type MsgpackReader } from '../../wire/msgpack-reader.js';
import type { MsgpackWriter } from '../../wire/msgpack-writer.js';
import { OPS, type Op } from '../../wire/protocol.js';
import type { Desk } from '../door.js';
import { isFresh } from '../table-freshness.js';
import { writeDecision, writeItemError } from './answers.js';
import { type ContextReader, NO_CONTEXT, type RequestContext } from './context.js';
import { checkBody, filterBody, type RequestBody } from './judge.js';
import { RequestFault } from './request-fault.js';

/** A message whose id has been read; the reader stands behind its operation. */
export interface Message {
  readonly reader: MsgpackReader;
  readonly bytes: Buffer;
  readonly end: number;
  /** Elements of the message: 2 to 4. */
  readonly elementCount: number;
  /** It has waited for the table, or asked not to: it is answered now. */
  readonly hasWaited: boolean;
}

export interface OperationTerms {
  readonly desk: Desk;
  readonly contexts: ContextReader;
  readonly batchItemsMax: number;
  /** The answer to `hello`, and to `status` besides what the desk knows. */
  readonly hello: (body: unknown) => unknown;
  readonly status: () => object;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** Each as msgpack has it: a byte that says how long it is, and the text. */
const OP_BYTES = OPS.map((op) => ({ op, encoded: Buffer.concat([Buffer.of(0xa0 | op.length), Buffer.from(op)]) }));

/** HOT. The operation that is named here; `null`: none there is. A call into the runtime to compare took 0.1 us more. */
export function readOp(reader: MsgpackReader, bytes: Buffer): Op | null {
  const { at } = reader;
  for (let row = 0; row < OP_BYTES.length; row++) {
    const { op, encoded } = OP_BYTES[row]!;
    let index = 0;
    while (index < encoded.length && encoded[index] === bytes[at + index]) index++;
    if (index < encoded.length || at + index > reader.end) continue;
    reader.at = at + index;
    return op;
  }
  return null;
}

/**
 * Writes the answer, or says that the request wants to wait for the table first.
 * @throws {RequestFault} and {MsgpackFault} where the request cannot be answered.
 */
export function answer(op: Op, message: Message, out: MsgpackWriter, terms: OperationTerms): RequestContext | null {
  switch (op) {
    case 'check':
      return answerCheck(message, out, terms);
    case 'filter':
      return answerFilter(message, out, terms);
    case 'check_batch':
      return answerBatch(message, out, terms);
    case 'lookup':
      answerLookup(message, out, terms);
      return null;
    case 'hello':
      out.value(terms.hello(bodyValue(message)));
      return null;
    case 'status':
      bodyValue(message);
      out.value(terms.status());
      return null;
    case 'ping':
      bodyValue(message);
      out.nil();
      return null;
    default:
      return op satisfies never;
  }
}

/** HOT. */
function answerCheck(message: Message, out: MsgpackWriter, { desk, contexts }: OperationTerms): RequestContext | null {
  const body = bidRequest(message.elementCount < 3 ? null : message.reader);
  const context = contextOf(message, contexts);
  if (wantsToWait(context, message)) return context;
  const decision = checkBody(desk.gate, body, context.check);
  desk.decided('socket', 'check', decision, context.check.destination ?? null);
  writeDecision(out, decision, context.explain);
  return null;
}

function answerFilter(message: Message, out: MsgpackWriter, { desk, contexts }: OperationTerms): RequestContext | null {
  const body = bidRequest(message.elementCount < 3 ? null : message.reader);
  const context = contextOf(message, contexts);
  if (wantsToWait(context, message)) return context;
  const { decision, request } = filterBody(desk.gate, body, context.check);
  desk.decided('socket', 'filter', decision, context.check.destination ?? null);
  writeDecision(out, decision, context.explain, 1);
  out.text('request');
  out.value(request);
  return null;
}

/** Items that cannot be judged are answered with an error each; the others are none the worse. */
function answerBatch(message: Message, out: MsgpackWriter, terms: OperationTerms): RequestContext | null {
  const { reader, bytes } = message;
  const { desk, contexts, batchItemsMax } = terms;
  const itemCount = message.elementCount < 3 ? -1 : reader.arrayCount();
  if (itemCount < 0) throw new RequestFault('batch.invalid');
  if (itemCount > batchItemsMax) throw new RequestFault('batch.too_many');
  const items: (RequestBody | RequestFault)[] = [];
  const own: (RequestContext | null)[] = [];
  for (let index = 0; index < itemCount; index++) {
    const isPair = isArray(bytes[reader.at]);
    if (isPair && reader.arrayCount() !== 2) throw new RequestFault('batch.invalid');
    const body = reader.binary() ?? reader.value();
    const context = isPair ? parsedContext(reader.value(), contexts) : null;
    items.push(context instanceof RequestFault ? context : bodyOrFault(body));
    own.push(context instanceof RequestFault ? null : context);
  }
  const shared = contextOf(message, contexts);
  if (wantsToWait(shared, message)) return shared;
  const { gate } = desk;
  out.arrayHeader(itemCount);
  for (const [index, item] of items.entries()) {
    const context = own[index] ?? shared;
    try {
      if (item instanceof RequestFault) throw item;
      const decision = checkBody(gate, item, context.check);
      desk.decided('socket', 'check', decision, context.check.destination ?? null);
      writeDecision(out, decision, context.explain);
    } catch (error) {
      if (!(error instanceof RequestFault)) throw error;
      desk.refused('socket', error.code);
      writeItemError(out, error.code, error.field);
    }
  }
  return null;
}

function answerLookup(message: Message, out: MsgpackWriter, { desk, batchItemsMax, wallMs }: OperationTerms): void {
  const identifiers = bodyValue(message);
  if (!Array.isArray(identifiers)) throw new RequestFault('lookup.invalid');
  if (identifiers.length > batchItemsMax) throw new RequestFault('batch.too_many');
  const { table, gate } = desk;
  if (table === null) throw new RequestFault('table.not_loaded');
  out.mapHeader(3);
  out.text('seq');
  out.wholeNumber(table.seq);
  out.text('stale');
  out.value(!isFresh(table, gate.policy.table.staleAfterMs, wallMs(), null));
  out.text('results');
  out.arrayHeader(identifiers.length);
  for (const identifier of identifiers) {
    const { kind, value } = (identifier ?? {}) as { kind?: unknown; value?: unknown };
    const checked = checkIdentifier(kind, value);
    if (checked.ok === undefined && checked.error.code !== 'names_nobody') {
      desk.refused('socket', 'identifier.invalid');
      writeItemError(out, 'identifier.invalid', checked.error.field);
      continue;
    }
    out.mapHeader(1);
    out.text('rights');
    out.value(checked.ok === undefined ? [] : rightsOfMask(rightsOfIdentifier(table, checked.ok)));
  }
}

/** HOT. */
function bidRequest(reader: MsgpackReader | null): RequestBody {
  if (reader === null) throw new RequestFault('request.invalid');
  const body = bodyOrFault(reader.binary() ?? reader.value());
  if (body instanceof RequestFault) throw body;
  return body;
}

function bodyOrFault(body: unknown): RequestBody | RequestFault {
  if (typeof body === 'object' && body !== null) return body;
  return new RequestFault('request.invalid');
}

/** An item's own context. It cannot wait: the batch does, for all. */
function parsedContext(value: unknown, contexts: ContextReader): RequestContext | RequestFault {
  try {
    const context = contexts.parse(value);
    return context.waitMs === 0 ? context : new RequestFault('context.invalid', 'waitMs');
  } catch (error) {
    if (error instanceof RequestFault) return error;
    throw error;
  }
}

/** HOT. The fourth element; nothing may follow it. */
function contextOf(message: Message, contexts: ContextReader): RequestContext {
  const { reader, bytes, end, elementCount } = message;
  const context = elementCount < 4 ? NO_CONTEXT : contexts.read(reader, bytes, end);
  atEnd(reader);
  return context;
}

/** The body of an operation that takes a value and no context. */
function bodyValue(message: Message): unknown {
  const value = message.elementCount < 3 ? null : message.reader.value();
  if (message.elementCount === 4 && message.reader.value() !== null)
    throw new RequestFault('context.invalid', 'context');
  atEnd(message.reader);
  return value;
}

function atEnd(reader: MsgpackReader): void {
  if (!reader.isAtEnd) throw new MsgpackFault('msgpack.malformed');
}

function wantsToWait({ check, waitMs }: RequestContext, { hasWaited }: Message): boolean {
  return waitMs > 0 && !hasWaited && check.minSeq !== undefined;
}

function isArray(type: number | undefined): boolean {
  return type !== undefined && ((type >= 0x90 && type <= 0x9f) || type === 0xdc || type === 0xdd);
}
