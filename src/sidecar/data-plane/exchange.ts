/**
 * One request and its answer: says what is to be said, once, and takes note of it.
 *
 * What must stay true: a connection whose request was refused goes on if what remains of the body is small; else the
 * refusal is written, the rest taken in for a moment so that the refusal arrives, and the connection closed.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_TYPE } from '../../sync/http-problem.js';
import type { Clock } from '../../sync/index.js';
import type { Desk, Operation } from '../door.js';
import type { RequestContext } from './context.js';
import { DataRequest } from './data-request.js';
import type { DataLimits } from './limits.js';
import {
  DATA_PROBLEMS,
  type DataProblemCode,
  type ProblemMembers,
  problemText,
  RETRY_AFTER_SECONDS,
} from './problems.js';

/** What all exchanges of a data plane share. */
export interface Plane {
  readonly desk: Desk;
  readonly limits: DataLimits;
  readonly clock: Clock;
  /** Told of faults of our own; the client is told `internal`. */
  readonly onFault: (error: unknown) => void;
  heldBytes: number;
  waitingCount: number;
}

/** Connections in the midst of an answer: whatever else is written to them becomes part of it. */
const midAnswer = new WeakSet<object>();
/** Connections that were hung up on, which was noted then. */
const hungUp = new WeakSet<object>();

export function isMidAnswer(socket: object): boolean {
  return midAnswer.has(socket);
}

export function noteHungUp(socket: object): void {
  hungUp.add(socket);
}

export class Exchange {
  isDone = false;
  /** Kept here, since a request that was destroyed has none any more. */
  private readonly socket: Socket;

  constructor(
    readonly plane: Plane,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    /** `null`: the path is none of ours. */
    readonly operation: Operation | null,
    private readonly startMs: number,
    /** The client sends its body only when told to. */
    private awaitsContinue: boolean,
  ) {
    this.socket = request.socket;
  }

  /** HOT. Answers, and ends the exchange. `text` is ASCII. `headers`: names and values in turn. */
  answer(status: number, headers: string[], body: string | Uint8Array | null): void {
    if (this.isDone) return;
    this.isDone = true;
    const { response } = this;
    if (body !== null) headers.push('content-length', String(body.length));
    response.writeHead(status, headers);
    if (typeof body === 'string') response.end(body, 'latin1');
    else response.end(body);
    this.note();
  }

  /** Begins an answer that is written in pieces; {@link end} ends it. */
  beginStream(contentType: string): void {
    midAnswer.add(this.socket);
    this.response.writeHead(200, ['content-type', contentType]);
  }

  end(): void {
    if (this.isDone) return;
    this.isDone = true;
    midAnswer.delete(this.socket);
    this.response.end();
    this.note();
  }

  /** Ends such an answer with its last piece, and the connection with it: the rest of the body is not wanted. */
  endEarly(code: DataProblemCode, lastPiece: string): void {
    if (this.isDone) return;
    this.isDone = true;
    this.plane.desk.refused('http', code);
    this.linger(lastPiece);
    this.discardRest();
    this.note();
  }

  refuse(code: DataProblemCode, members?: ProblemMembers): void {
    if (this.isDone) return;
    this.isDone = true;
    const { plane, request, response } = this;
    plane.desk.refused('http', code);
    this.note();
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const [status] = DATA_PROBLEMS[code];
    const text = problemText(code, members);
    const headers = ['content-type', PROBLEM_TYPE, 'cache-control', 'no-store', 'content-length', String(text.length)];
    if (status === 503) headers.push('retry-after', String(RETRY_AFTER_SECONDS));
    if (status === 405) headers.push('allow', 'POST');
    const goesOn = request.complete || (!this.awaitsContinue && hasSmallBody(request, plane.limits.bodyBytesMax));
    if (!goesOn) headers.push('connection', 'close');
    response.writeHead(status, headers);
    if (goesOn || this.awaitsContinue) response.end(text, 'latin1');
    else this.linger(text);
    if (!request.complete) this.discardRest();
  }

  /** A fault of our own. */
  fail(error: unknown): void {
    this.plane.onFault(error);
    this.refuse('internal');
  }

  /** The client went away: there is nobody to tell. */
  abandon(): void {
    if (this.isDone) return;
    this.isDone = true;
    if (!hungUp.has(this.socket)) this.plane.desk.refused('http', 'body.incomplete');
    this.note();
  }

  /** Tells a client that asked first to send its body. */
  welcome(): void {
    if (!this.awaitsContinue) return;
    this.awaitsContinue = false;
    this.response.writeContinue();
  }

  /** Closing while a client still writes makes its system throw away what it was sent. */
  private linger(lastPiece: string): void {
    const { request, response, plane, socket } = this;
    midAnswer.add(socket);
    response.write(lastPiece, 'latin1');
    const end = (): void => {
      cancel();
      midAnswer.delete(socket);
      response.end();
      if (!request.complete) response.once('finish', () => socket.destroySoon());
    };
    const cancel = plane.clock.after(plane.limits.lingerMs, end);
    request.once('end', end);
    response.once('close', cancel);
  }

  private discardRest(): void {
    const { request } = this;
    if (request instanceof DataRequest) request.pourInto(null);
    request.resume();
  }

  private note(): void {
    if (this.operation === null) return;
    this.plane.desk.answered('http', this.operation, this.plane.clock.monotonicMs() - this.startMs);
  }
}

/** HOT. How long the body is said to be; 0 for none, -1 if it comes in chunks. */
export function declaredLength(request: IncomingMessage): number {
  const { headers } = request;
  const length = headers['content-length'];
  if (length !== undefined) return Number(length);
  return headers['transfer-encoding'] === undefined ? 0 : -1;
}

function hasSmallBody(request: IncomingMessage, bytesMax: number): boolean {
  const length = declaredLength(request);
  return length >= 0 && length <= bytesMax;
}

/** Runs `work` once the table has reached what the context asks for, or the wait for it is over. */
export function whenReached(exchange: Exchange, context: RequestContext, heldBytes: number, work: () => void): void {
  const { plane, response } = exchange;
  const { minSeq } = context.check;
  if (context.waitMs === 0 || minSeq === undefined || minSeq === null) {
    work();
    return;
  }
  const { limits } = plane;
  if (plane.waitingCount >= limits.waitingMax || plane.heldBytes + heldBytes > limits.heldBytesMax) {
    exchange.refuse('busy.waiting');
    return;
  }
  plane.waitingCount++;
  plane.heldBytes += heldBytes;
  const proceed = (): void => {
    plane.waitingCount--;
    plane.heldBytes -= heldBytes;
    if (response.destroyed) exchange.abandon();
    else work();
  };
  plane.desk
    .reach(minSeq, context.waitMs)
    .then(proceed)
    .catch((error: unknown) => exchange.fail(error));
}
