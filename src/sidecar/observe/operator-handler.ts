/**
 * `/healthz`, `/readyz` and `/metrics` over HTTP. Never shed, never behind a token: what they say holds nothing of a request.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health } from './health.js';
import type { SidecarMetrics } from './metrics.js';

export interface OperatorHandlerOptions {
  readonly health: Health;
  readonly metrics: Pick<SidecarMetrics, 'text' | 'contentType'>;
  /** Hears of a scrape that failed. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** Answers if the path is one of its own; false if it is not, and nothing was done. */
export type OperatorHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

const ALLOWED_METHODS = 'GET, HEAD';
const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * @example
 * const operator = createOperatorHandler({ health, metrics });
 * createServer((request, response) => { if (!operator(request, response)) serve(request, response); });
 */
export function createOperatorHandler({ health, metrics, onFailure }: OperatorHandlerOptions): OperatorHandler {
  return (request, response) => {
    const { url = '' } = request;
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics') return false;
    request.resume(); // a body nobody asked for must not keep the connection
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendProblem(response, 405, 'http.method', 'only GET and HEAD are served here', { allow: ALLOWED_METHODS });
      return true;
    }
    const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark));
    const unknown = [...query.keys()].some((key) => path !== '/readyz' || key !== 'max_staleness');
    if (unknown || query.getAll('max_staleness').length > 1) {
      sendProblem(response, 400, 'http.bad_request', 'expected no query but max_staleness of /readyz, once');
    } else if (path === '/metrics') {
      sendMetrics(response, metrics, onFailure);
    } else if (path === '/healthz') {
      health.healthz();
      send(response, 200, 'application/json', '{"status":"alive"}\n');
    } else {
      sendReadiness(response, health, query.get('max_staleness'));
    }
    return true;
  };
}

function sendReadiness(response: ServerResponse, health: Health, asked: string | null): void {
  const maxStalenessMs = asked === null ? undefined : durationMs(asked);
  if (maxStalenessMs === null) {
    sendProblem(response, 400, 'http.bad_request', 'max_staleness: expected a duration such as 30s, 500ms or 5m');
    return;
  }
  const readiness = health.readiness({ maxStalenessMs });
  if (readiness.kind === 'ready') send(response, 200, 'application/json', '{"status":"ready"}\n');
  else sendProblem(response, 503, readiness.reason, readiness.detail, { 'retry-after': '1' });
}

function sendMetrics(
  response: ServerResponse,
  metrics: OperatorHandlerOptions['metrics'],
  onFailure: ((error: unknown) => void) | undefined,
): void {
  metrics.text().then(
    (text) => send(response, 200, metrics.contentType, text),
    (error: unknown) => {
      onFailure?.(error);
      sendProblem(response, 500, 'http.failed', 'the metrics could not be collected');
    },
  );
}

/** `null`: not a duration. */
function durationMs(text: string): number | null {
  const [, amount = '', unit = ''] = DURATION.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? null : Number(amount) * unitMs;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'the request is not one that is served here',
  405: 'the method is not one that is served here',
  500: 'the request failed',
  503: 'not ready',
};

/** As RFC 9457 has it. */
function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const problem = { type: 'about:blank', title: TITLES[status], status, code, detail };
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, status, 'application/problem+json', `${JSON.stringify(problem)}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  if (response.destroyed) return;
  const body = Buffer.from(text);
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, 'cache-control': 'no-store' });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
