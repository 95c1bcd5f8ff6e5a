/**
 * The control plane: what people and other processes tell optgate and ask of it, over HTTP with JSON (docs/control-plane.md).
 *
 * One table of routes makes both the Express application and the OpenAPI document. Every refusal is a problem
 * (problems.ts); no answer, event or error quotes an identifier, and no identifier travels in a URL.
 * @module
 */
import { setMaxListeners } from 'node:events';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { GateError } from '../../core/errors.js';
import { hasUnreadBody } from '../../sync/http-problem.js';
import { linkSignals } from '../../sync/linked-signal.js';
import { actingAs } from './acting.js';
import { admit, admitKnown, checkRate, readQuery } from './admission.js';
import { auditRoutes } from './audit-routes.js';
import { readJson } from './body.js';
import { destinationRoutes } from './destination-routes.js';
import { exportRoute } from './export-route.js';
import { importRoute } from './import-route.js';
import { refuseOpenListening } from './listening.js';
import { openApiOf } from './openapi.js';
import { optInRoutes } from './opt-in-routes.js';
import { optOutRoutes } from './opt-out-routes.js';
import { type ControlEvent, type ControlLimits, type ControlPlaneOptions, readLimits } from './options.js';
import { oversightRoutes } from './oversight-routes.js';
import { ProblemError, problemOf, sendControlProblem } from './problems.js';
import { RateLimiter } from './rate-limit.js';
import { readBody } from './read-body.js';
import { recordsRoutes } from './records-routes.js';
import { relayRoutes } from './relay-routes.js';
import { type Exchange, type Reply, type Route, type RouteContext, route } from './route.js';
import type { Principal, TokenRole } from './tokens.js';
import { unknownDestinationsRoute } from './unknown-destinations.js';
import { webhookRoutes } from './webhook-routes.js';

export interface ControlPlane {
  /** A request listener for `createServer(CONTROL_SERVER_OPTIONS, app)`. */
  readonly app: Express;
  /** The OpenAPI document it serves. */
  readonly document: object;
  readonly counts: { readonly inFlight: number };
  /**
   * Refuses what comes from now on, ends waits and imports, and resolves when nothing is in flight any more. Leaves the
   * ledger, the relay and the server to whoever owns them.
   */
  close(): Promise<void>;
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

const WITH_BODY: readonly string[] = ['POST', 'PUT'];

/**
 * @throws {TypeError} where it would listen beyond loopback without tokens; {RangeError} for limits that make no sense.
 * @example
 * const { app } = createControlPlane({ ledger, relay, tokens, host: '127.0.0.1', status: () => ({}) });
 * createServer(CONTROL_SERVER_OPTIONS, app).listen(8788, '127.0.0.1');
 */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  if (options.host !== null) refuseOpenListening(options.host, options.tokens);
  const plane = new Plane(options);
  return {
    app: plane.app,
    document: plane.document,
    get counts() {
      return { inFlight: plane.inFlight };
    },
    close: () => plane.close(),
  };
}

/** What is known of a request while it is handled. */
interface Handling {
  operationId: string | null;
  principal: Principal | null;
  /** Somebody beside the API has said who asks. */
  isVouchedFor: boolean;
}

class Plane {
  readonly app: Express = express();
  readonly document: object;
  /** All requests, also those that wait. */
  inFlight = 0;
  private working = 0;
  private readonly limits: ControlLimits;
  private readonly limiter: RateLimiter;
  private readonly now: () => number;
  private readonly closing = new AbortController();
  private readonly handlings = new WeakMap<object, Handling>();
  private closed: Promise<void> | null = null;
  private onIdle: () => void = () => {};

  constructor(private readonly options: ControlPlaneOptions) {
    this.limits = readLimits(options.limits);
    setMaxListeners(0, this.closing.signal); // one for each request in flight
    this.now = options.now ?? (() => performance.now());
    const { intakePerSecond, intakeBurst, intakeKeysMax } = this.limits;
    const rates = { perSecond: intakePerSecond, burst: intakeBurst, keysMax: intakeKeysMax };
    this.limiter = new RateLimiter(rates, this.now);
    const routes = this.routes();
    this.document = openApiOf(routes);
    this.mount(routes);
  }

  private routes(): readonly Route[] {
    // a route is only called where what it needs is there
    const { ledger, relay, exports = null, unknownDestinations = () => [] } = this.options;
    const context = { ledger, relay, exports, unknownDestinations } as RouteContext;
    return [
      ...optOutRoutes(context),
      ...optInRoutes(context),
      importRoute(context, this.limits),
      exportRoute(context, this.limits),
      ...oversightRoutes(context, this.options.status),
      ...auditRoutes(context),
      unknownDestinationsRoute(context), // before the destination with an id
      ...destinationRoutes(context, () => this.tell({ kind: 'destinations_changed' })),
      ...recordsRoutes(),
      ...webhookRoutes(),
      ...relayRoutes(context),
      route({
        operationId: 'getOpenApi',
        method: 'get',
        path: '/openapi.json',
        summary: 'This document.',
        roles: null,
        body: null,
        answers: { 200: { description: 'OpenAPI 3.1.', body: 'OpenApi' } },
        problems: [],
        needs: null,
        handle: () => ({ status: 200, body: this.document }),
      }),
    ];
  }

  private mount(routes: readonly Route[]): void {
    const { app } = this;
    for (const name of ['x-powered-by', 'etag']) app.disable(name);
    for (const name of ['strict routing', 'case sensitive routing']) app.enable(name);
    app.set('query parser', false);
    app.use((request: Request, response: Response, next: NextFunction) => this.begin(request, response, next));
    for (const [path, methods] of methodsByPath(routes)) {
      const served = app.route(path.replace(/\{(\w+)\}/g, ':$1'));
      for (const one of methods) served[one.method]((request, response) => this.handle(one, request, response));
      const names = methods.map(({ method }) => method.toUpperCase());
      const allow = names.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).join(', ');
      served.all(() => {
        throw new ProblemError('http.method', { headers: { allow } });
      });
    }
    for (const { path, handler } of this.options.mounts ?? []) app.use(path, handler);
    app.use(() => {
      throw new ProblemError('http.not_found');
    });
    app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
      this.refuse(error, request, response),
    );
  }

  private begin(request: Request, response: Response, next: NextFunction): void {
    const startMs = this.now();
    const handling: Handling = { operationId: null, principal: null, isVouchedFor: false };
    this.handlings.set(request, handling);
    this.inFlight++;
    response.on('error', () => {}); // the client has gone
    response.once('close', () => {
      this.inFlight--;
      if (this.inFlight === 0) this.onIdle();
      const { operationId, principal } = handling;
      const [role, tokenName] = [principal?.role ?? null, principal?.name ?? null];
      const { method } = request;
      const status = response.headersSent ? response.statusCode : null;
      const durationMs = this.now() - startMs;
      this.tell({ kind: 'answered', operationId, method, status, durationMs, role, tokenName });
    });
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    // nobody reads a body where none belongs, so it must not hold the connection
    if (!WITH_BODY.includes(request.method) && hasUnreadBody(request)) response.setHeader('connection', 'close');
    if (this.closing.signal.aborted) throw new ProblemError('http.closing', { headers: { connection: 'close' } });
    for (const { forward } of this.options.mounts ?? []) handling.principal ??= forward?.(request) ?? null;
    handling.isVouchedFor = handling.principal !== null;
    next();
  }

  private async handle(one: Route, request: Request, response: Response): Promise<void> {
    const handling = this.handlings.get(request);
    if (handling !== undefined) handling.operationId = one.operationId;
    const principal = one.roles === null ? null : this.admit(request, one.roles);
    if (handling !== undefined) handling.principal = principal;
    if (principal !== null && one.isRateLimited === true) checkRate(request, principal, this.limiter);
    if (one.needs !== null && this.options[one.needs] === null) throw new ProblemError(`${one.needs}.none`);
    if (one.needs === 'ledger' && this.options.ledger === 'unavailable') throw new GateError('ledger.unavailable');
    const names = (one.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    const query = readQuery(request, names);
    const isCounted = one.isWaiting !== true;
    if (isCounted && this.working >= this.limits.requestsInFlightMax) throw new ProblemError('http.busy');
    if (isCounted) this.working++;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { signal, unlink } = linkSignals(gone.signal, this.closing.signal);
    try {
      const body = one.body === null ? null : readBody(one.body, await readJson(request, this.limits));
      const { id = '' } = request.params as { readonly id?: string };
      const ledger = actingAs(this.options.ledger, principal, handling?.isVouchedFor === true ? 'page' : 'http');
      const exchange = { request, response, id, query, body, principal, ledger, signal } as unknown as Exchange;
      send(response, await one.handle(exchange));
    } finally {
      unlink();
      if (isCounted) this.working--;
    }
  }

  private admit(request: Request, roles: readonly TokenRole[]): Principal {
    const { isVouchedFor = false, principal = null } = this.handlings.get(request) ?? {};
    if (isVouchedFor && principal !== null) return admitKnown(principal, roles);
    return admit(request, this.options.tokens, roles);
  }

  private refuse(error: unknown, request: Request, response: Response): void {
    const isClosing = this.closing.signal.aborted && (error as Error | null)?.name === 'AbortError';
    const problem = isClosing ? new ProblemError('http.closing') : problemOf(error);
    if (problem.code === 'http.failed' && !response.destroyed) {
      const { name, stack = '' } = error instanceof Error ? error : new Error();
      // the message of an error nobody expected may quote what was being read
      const frames = stack
        .split('\n')
        .filter((line) => /^\s+at /.test(line))
        .join('\n');
      const said = error instanceof GateError ? error.code : name;
      this.tell({ kind: 'failed', operationId: this.handlings.get(request)?.operationId ?? null, error: said, frames });
    }
    sendControlProblem(response, problem);
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    this.closing.abort();
    this.options.relay?.close();
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  private tell(event: ControlEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch {
      // whoever listens must not be able to break an answer
    }
  }
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  const paths = new Map<string, Route[]>();
  for (const one of routes) paths.set(one.path, [...(paths.get(one.path) ?? []), one]);
  return paths;
}

function send(response: Response, reply: Reply): void {
  if (reply === null) return;
  const { status, body, headers = {} } = reply;
  if (body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
