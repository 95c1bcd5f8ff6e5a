/**
 * `/v1/check-batch`: many bid requests, a decision each, in their order.
 *
 * Lines are answered as they come. A client may write all of them before it reads an answer, so nothing of what it
 * writes is held back until more answers wait than a batch usually has. An array of msgpack is answered as a whole.
 * @module
 */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Decision } from '../../core/policy/decision.js';
import { LineSplitter } from '../../rows/lines.js';
import { MsgpackFault, MsgpackReader } from '../../wire/msgpack-reader.js';
import { decisionText, decisionValue, explainedText } from './answer.js';
import { MSGPACK_TYPE, NDJSON_TYPE } from './content.js';
import type { RequestContext } from './context.js';
import { decide, decideValue, pack, type Refused } from './decide.js';
import { declaredLength, type Exchange } from './exchange.js';

/** Items of a packed batch that are decided before others get a turn. */
const ITEMS_PER_TURN = 64;

/** Answers lines, one each; for one that cannot be used with `{"error":{"code","line"}}`. */
export async function answerLines(exchange: Exchange, context: RequestContext): Promise<void> {
  const { request, response, plane } = exchange;
  const { batchBytesMax, batchItemsMax, bodyBytesMax, unreadBytesMax } = plane.limits;
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
      answers += answerToLine(exchange, line, lineCount, context);
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
    response.write(answerToLine(exchange, line, lineCount, context), 'latin1');
  }
  exchange.end();
}

function answerToLine(exchange: Exchange, line: Uint8Array | null, number: number, context: RequestContext): string {
  const { desk } = exchange.plane;
  const decided = line === null ? null : decide(desk.gate, line as Buffer, 'json', context.check);
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
      decisions.push(decideValue(desk.gate, reader.value(), context.check));
      if (item % ITEMS_PER_TURN === ITEMS_PER_TURN - 1) await nextTurn();
    }
    if (!reader.isAtEnd) return exchange.refuse('msgpack.malformed');
  } catch (error) {
    if (error instanceof MsgpackFault) return exchange.refuse(error.code, { item: decisions.length });
    throw error;
  }
  const answers: object[] = [];
  for (const [item, decided] of decisions.entries()) {
    if (decided.kind === 'refused') {
      desk.refused('http', decided.code);
      answers.push({ error: { code: decided.code, item } });
      continue;
    }
    desk.decided('http', 'check', decided, context.check.destination ?? null);
    answers.push(decisionValue(decided, context.explain));
  }
  exchange.answer(200, ['content-type', MSGPACK_TYPE], pack(answers));
}
