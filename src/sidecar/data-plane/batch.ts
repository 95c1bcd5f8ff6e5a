/**
 * `/v1/check-batch`: many bid requests, a decision each, in their order.
 *
 * Lines are answered as they come. A client may write all of them before it reads an answer, so nothing of what it
 * writes is held back until more answers wait than a batch usually has. An array of msgpack is answered as a whole.
 * @module
 */
import { once } from 'node:events';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Gate } from '../../core/gate.js';
import type { Decision } from '../../core/policy/decision.js';
import { LineSplitter } from '../../rows/lines.js';
import { MsgpackFault, MsgpackReader } from '../../wire/msgpack-reader.js';
import { decisionText, decisionValue, explainedText } from './answer.js';
import { MSGPACK_TYPE, NDJSON_TYPE } from './content.js';
import type { RequestContext } from './context.js';
import { decide, decideValue, pack, type Refused } from './decide.js';
import { declaredLength, type Exchange } from './exchange.js';

/** Items of a batch that are decided, or written, before others get a turn. */
const ITEMS_PER_TURN = 64;
/** How long a batch rests while the server sheds: whoever waits for one decision goes first. */
const SHED_REST_MS = 20;

/** Answers lines, one each; for one that cannot be used with `{"error":{"code","line"}}`. */
export async function answerLines(exchange: Exchange, context: RequestContext): Promise<void> {
  const { request, response, plane } = exchange;
  const { batchBytesMax, batchItemsMax, bodyBytesMax, unreadBytesMax } = plane.limits;
  const { gate } = plane.desk;
  if (declaredLength(request) > batchBytesMax) {
    exchange.refuse('body.too_large');
    return;
  }
  exchange.welcome();
  const lines = new LineSplitter(bodyBytesMax);
  let byteCount = 0;
  let lineCount = 0;
  exchange.beginStream(NDJSON_TYPE);
  // By default leaving the loop destroys the connection, with what was not sent yet.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    byteCount += piece.length;
    if (byteCount > batchBytesMax)
      return exchange.endEarly('body.too_large', errorLine('body.too_large', lineCount + 1));
    let answers = '';
    for (const line of lines.push(piece)) {
      if (++lineCount > batchItemsMax) {
        return exchange.endEarly('batch.too_many', answers + errorLine('batch.too_many', lineCount));
      }
      answers += answerToLine(exchange, gate, line, lineCount, context);
      if (lineCount % ITEMS_PER_TURN === 0) await othersFirst(exchange);
    }
    if (answers === '') continue;
    response.write(answers, 'latin1');
    if (response.writableLength > unreadBytesMax) await drained(exchange);
    if (response.destroyed) break;
  }
  if (!request.complete || response.destroyed) {
    exchange.abandon();
    response.destroy();
    return;
  }
  for (const line of lines.end()) {
    if (++lineCount > batchItemsMax) return exchange.endEarly('batch.too_many', errorLine('batch.too_many', lineCount));
    response.write(answerToLine(exchange, gate, line, lineCount, context), 'latin1');
  }
  exchange.end();
}

/** Lets everyone else have a turn, and longer while there is too much to do. */
async function othersFirst({ plane }: Exchange): Promise<void> {
  await nextTurn();
  if (plane.desk.isShedding) await pause(SHED_REST_MS);
}

function answerToLine(
  exchange: Exchange,
  gate: Gate,
  line: Uint8Array | null,
  number: number,
  context: RequestContext,
): string {
  const { desk } = exchange.plane;
  const decided = line === null ? null : decide(gate, line as Buffer, 'json', context.check);
  if (decided === null || decided.kind === 'refused') {
    const code = decided === null ? 'line.too_long' : decided.code;
    desk.refused('http', code);
    return errorLine(code, number);
  }
  desk.decided('http', 'check', decided, context.check.destination ?? null);
  return `${context.explain ? explainedText(decided) : decisionText(decided)}\n`;
}

const errorLine = (code: string, line: number): string => `${JSON.stringify({ error: { code, line } })}\n`;

/** Resolves when the client has taken its answers, or has gone. */
async function drained({ response }: Exchange): Promise<void> {
  if (response.destroyed) return;
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    settled.abort();
  }
}

/** Answers an array of bid requests with an array of decisions; for one that cannot be used `{error: {code, item}}`. */
export async function answerPackedBatch(exchange: Exchange, bytes: Buffer, context: RequestContext): Promise<void> {
  const { desk, limits } = exchange.plane;
  const { gate } = desk;
  const reader = new MsgpackReader();
  reader.reset(bytes, 0, bytes.length);
  const decisions: (Decision | Refused)[] = [];
  try {
    const count = reader.arrayCount();
    if (count < 0) return exchange.refuse('batch.invalid');
    if (count > limits.batchItemsMax) return exchange.refuse('batch.too_many');
    for (let item = 0; item < count; item++) {
      // Each item is judged by the limits of one message.
      reader.reset(bytes, reader.at, bytes.length);
      decisions.push(decideValue(gate, reader.value(), context.check));
      if (item % ITEMS_PER_TURN === ITEMS_PER_TURN - 1) await othersFirst(exchange);
    }
    if (!reader.isAtEnd) return exchange.refuse('msgpack.malformed');
  } catch (error) {
    if (error instanceof MsgpackFault) return exchange.refuse(error.code, { item: decisions.length });
    throw error;
  }
  await writePacked(exchange, decisions, context);
}

/** Writes the answers as they fit: all of them at once can be twenty times what was asked. */
async function writePacked(
  exchange: Exchange,
  decisions: readonly (Decision | Refused)[],
  context: RequestContext,
): Promise<void> {
  const { response, plane } = exchange;
  const { desk, limits } = plane;
  exchange.beginStream(MSGPACK_TYPE);
  response.write(arrayHeader(decisions.length));
  let pieces: Buffer[] = [];
  for (const [item, decided] of decisions.entries()) {
    if (decided.kind === 'refused') {
      desk.refused('http', decided.code);
      pieces.push(pack({ error: { code: decided.code, item } }));
    } else {
      desk.decided('http', 'check', decided, context.check.destination ?? null);
      pieces.push(pack(decisionValue(decided, context.explain)));
    }
    if (pieces.length < ITEMS_PER_TURN) continue;
    response.write(Buffer.concat(pieces));
    pieces = [];
    if (response.writableLength > limits.unreadBytesMax) await drained(exchange);
    if (response.destroyed) return exchange.abandon();
    await othersFirst(exchange);
  }
  if (pieces.length > 0) response.write(Buffer.concat(pieces));
  exchange.end();
}

/** The shortest header of a msgpack array of so many elements. */
function arrayHeader(count: number): Buffer {
  if (count < 16) return Buffer.of(0x90 | count);
  if (count < 0x1_0000) return Buffer.of(0xdc, count >>> 8, count & 0xff);
  const header = Buffer.of(0xdd, 0, 0, 0, 0);
  header.writeUInt32BE(count, 1);
  return header;
}
