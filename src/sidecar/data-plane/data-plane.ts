/**
 * The HTTP data plane: bid requests in, decisions or what may go out. Bare `node:http`; see docs/sidecar-http.md.
 *
 * What must stay true: whatever comes in is answered or hung up on, never echoed, and touches no other request.
 * @module
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../../sync/index.js';
import type { Desk, Operation } from '../door.js';
import { decisionBody, decisionHeaders } from './answer.js';
import { answerLines, answerPackedBatch } from './batch.js';
import { readBody } from './body.js';
import { answerFormatOf, type Format, formatOf, TYPE_OF } from './content.js';
import { ContextFault, PARAMETERS, type Parameter, type RequestContext, readContext } from './context.js';
import { decide, filter } from './decide.js';
import { Exchange, type Plane, whenReached } from './exchange.js';
import { type DataLimits, dataLimits } from './limits.js';
import { answerLookup } from './lookup.js';
import { answerClientError } from './server.js';

export interface DataPlaneOptions {
  readonly desk: Desk;
  /** Those that are not given are as in `DATA_LIMITS`. */
  readonly limits?: Partial<DataLimits>;
  readonly clock?: Clock;
  /** Told of faults of our own, which no input should cause; the client is answered 500 `internal`. */
  readonly onFault?: (error: unknown) => void;
}

/** Listener for `request`, with those for two events of the same server. */
export interface DataPlane extends RequestListener {
  /** Clients that ask before they send a body are refused before they send it. */
  readonly checkContinue: RequestListener;
  readonly clientError: (error: NodeJS.ErrnoException, socket: Duplex) => void;
}

interface Route {
  readonly operation: Operation;
  readonly parameters: ReadonlySet<Parameter>;
  readonly takesLines: boolean;
  readonly run: (exchange: Exchange, format: Format, context: RequestContext) => void;
}

const WITHOUT_REASONS = PARAMETERS.filter((name) => name !== 'explain');
const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/v1/check', { operation: 'check', parameters: new Set(PARAMETERS), takesLines: false, run: runCheck }],
  ['/v1/filter', { operation: 'filter', parameters: new Set(WITHOUT_REASONS), takesLines: false, run: runFilter }],
  ['/v1/check-batch', { operation: 'check', parameters: new Set(PARAMETERS), takesLines: true, run: runBatch }],
  [
    '/v1/lookup',
    { operation: 'lookup', parameters: new Set(['min_seq', 'wait_ms']), takesLines: false, run: runLookup },
  ],
]);

/** Whether a request's URL is one that the data plane answers with more than `path.unknown`. */
export function isDataPath(url: string): boolean {
  return ROUTES.has(pathOf(url));
}

/**
 * @throws {TypeError | RangeError} where a limit is none there is, or no whole number above 0.
 * @example
 * const server = createDataServer(createDataPlane({ desk }));
 */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { desk, clock = systemClock, onFault = () => {} } = options;
  const plane: Plane = { desk, limits: dataLimits(options.limits), clock, onFault, heldBytes: 0, waitingCount: 0 };
  const listener = (request: IncomingMessage, response: ServerResponse): void => serve(plane, request, response, false);
  const checkContinue: RequestListener = (request, response) => serve(plane, request, response, true);
  const clientError: DataPlane['clientError'] = (error, socket) => answerClientError(desk, error, socket);
  return Object.assign(listener, { checkContinue, clientError });
}

/** HOT. */
function serve(plane: Plane, request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
  const url = request.url ?? '';
  // The plain path first: most requests have no query.
  const route = ROUTES.get(url) ?? ROUTES.get(pathOf(url));
  const operation = route === undefined ? null : route.operation;
  const exchange = new Exchange(plane, request, response, operation, plane.clock.monotonicMs(), awaitsContinue);
  try {
    if (route === undefined) exchange.refuse('path.unknown');
    else if (plane.desk.isShedding) exchange.refuse('busy.shedding');
    else if (request.method !== 'POST') exchange.refuse('method.not_allowed');
    else begin(exchange, route, url);
  } catch (error) {
    exchange.fail(error);
  }
}

/** HOT. Reads all but the body. */
function begin(exchange: Exchange, route: Route, url: string): void {
  const { headers } = exchange.request;
  const format = formatOf(headers['content-type'], route.takesLines);
  if (format === null) {
    exchange.refuse('content_type.unknown');
    return;
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    exchange.refuse('content_encoding.unknown');
    return;
  }
  const context = readContext(headers, queryOf(url), route.parameters, exchange.plane.limits);
  if (context instanceof ContextFault) {
    exchange.refuse(context.code, context.field === undefined ? {} : { field: context.field });
    return;
  }
  route.run(exchange, format, context);
}

/** HOT. */
function runCheck(exchange: Exchange, format: Format, context: RequestContext): void {
  readWhole(exchange, context, (bytes) => {
    const { desk } = exchange.plane;
    const decided = decide(desk.gate, bytes, format, context.check);
    if (decided.kind === 'refused') {
      exchange.refuse(decided.code);
      return;
    }
    desk.decided('http', 'check', decided, context.check.destination ?? null);
    const answerFormat = answerFormatOf(exchange.request.headers.accept, format);
    exchange.answer(200, ['content-type', TYPE_OF[answerFormat]], decisionBody(decided, answerFormat, context.explain));
  });
}

/** HOT. */
function runFilter(exchange: Exchange, format: Format, context: RequestContext): void {
  readWhole(exchange, context, (bytes) => {
    const { desk } = exchange.plane;
    const filtered = filter(desk.gate, bytes, format, context.check);
    if (filtered.kind === 'refused') {
      exchange.refuse(filtered.code);
      return;
    }
    const { decision, outgoing } = filtered;
    desk.decided('http', 'filter', decision, context.check.destination ?? null);
    const headers = decisionHeaders(decision);
    if (outgoing !== null) headers.push('content-type', TYPE_OF[format]);
    exchange.answer(outgoing === null ? 204 : 200, headers, outgoing);
  });
}

function runLookup(exchange: Exchange, format: Format, context: RequestContext): void {
  readWhole(exchange, context, (bytes) => answerLookup(exchange, bytes, format, context));
}

function runBatch(exchange: Exchange, format: Format, context: RequestContext): void {
  const answering = (answered: Promise<void>): void => {
    answered.catch((error: unknown) => {
      // A body that was cut off ends the iteration over it with an error.
      const { request } = exchange;
      if (request.destroyed && !request.complete) exchange.abandon();
      else exchange.fail(error);
    });
  };
  if (format === 'json') {
    whenReached(exchange, context, 0, () => answering(answerLines(exchange, context)));
    return;
  }
  readBody(exchange, exchange.plane.limits.packedBatchBytesMax, (bytes) =>
    whenReached(exchange, context, bytes.length, () => answering(answerPackedBatch(exchange, bytes, context))),
  );
}

/** HOT. Hands on the whole body once the table has reached what was asked for; a fault of ours is answered. */
function readWhole(exchange: Exchange, context: RequestContext, answer: (bytes: Buffer) => void): void {
  const guarded = (bytes: Buffer): void => {
    try {
      answer(bytes);
    } catch (error) {
      exchange.fail(error);
    }
  };
  readBody(exchange, exchange.plane.limits.bodyBytesMax, (bytes) => {
    if (context.waitMs === 0) guarded(bytes);
    else whenReached(exchange, context, bytes.length, () => guarded(bytes));
  });
}

/** The path of a request's target; a proxy may send all of a URL (RFC 9112, 3.2.2). */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  const target = query < 0 ? url : url.slice(0, query);
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/]*/i, '');
}

/** What stands behind the `?`. */
function queryOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? '' : url.slice(query + 1);
}
