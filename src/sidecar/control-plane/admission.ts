/**
 * Whether a request may be made at all: who asks, in which role, from where, how often.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import { hostOf, isLoopback } from './listening.js';
import { ProblemError } from './problems.js';
import type { RateLimiter } from './rate-limit.js';
import type { Principal, TokenRole, TokenSet } from './tokens.js';

/** From this machine, under a name of this machine. Judged by the listener: a connection that was reset has no address either. */
export function isFromHere({ socket, headers }: IncomingMessage): boolean {
  if (typeof (socket as Socket & { server?: Server }).server?.address() === 'string') return true; // a Unix socket
  const { remoteAddress } = socket;
  return remoteAddress !== undefined && isLoopback(remoteAddress) && isLoopback(hostOf(headers.host));
}

/** Through a proxy: whoever is behind it need not be on this machine. */
export function isForwarded({ headers }: IncomingMessage): boolean {
  return Object.keys(headers).some((name) => name === 'forwarded' || name === 'via' || name.startsWith('x-forwarded-'));
}

/** Who asks where nobody needs a token. */
const ANYBODY: Principal = { role: 'operator', name: null };
const REALM = 'Bearer realm="optgate"';

/**
 * Who makes a request that only some roles may make. Throws a ProblemError: `http.unauthorized`, `http.forbidden`, and
 * without tokens `http.misdirected` for whatever a browser was lured into sending to this machine under a name of its own.
 */
export function admit(request: IncomingMessage, tokens: TokenSet, roles: readonly TokenRole[]): Principal {
  if (tokens.isEmpty) {
    if (!isFromHere(request) || isForwarded(request)) throw new ProblemError('http.misdirected');
    return ANYBODY;
  }
  const principal = tokens.principalOf(request.headers.authorization);
  if (principal === null) {
    const error = request.headers.authorization === undefined ? '' : ', error="invalid_token"';
    throw new ProblemError('http.unauthorized', { headers: { 'www-authenticate': `${REALM}${error}` } });
  }
  return admitKnown(principal, roles);
}

/** Throws a ProblemError `http.forbidden` for whoever is known and may not. */
export function admitKnown(principal: Principal, roles: readonly TokenRole[]): Principal {
  if (roles.includes(principal.role)) return principal;
  const headers = { 'www-authenticate': `${REALM}, error="insufficient_scope"` };
  throw new ProblemError('http.forbidden', { headers, detail: `expected ${roles.join(' or ')}` });
}

/** Throws a ProblemError `http.rate` for whoever asks too often. */
export function checkRate(request: IncomingMessage, { role, name }: Principal, limiter: RateLimiter): void {
  const waitMs = limiter.take(`${role}:${name ?? ''} ${request.socket.remoteAddress ?? ''}`);
  if (waitMs === 0) return;
  throw new ProblemError('http.rate', { headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) } });
}

/** The parameters in a query, each known and there once. Throws a ProblemError, which does not quote them. */
export function readQuery({ url = '' }: IncomingMessage, names: readonly string[]): ReadonlyMap<string, string> {
  const at = url.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  for (const name of query.keys()) {
    if (names.includes(name) && query.getAll(name).length === 1) continue;
    const detail = names.length === 0 ? 'expected no query' : `expected at most ${names.join(', ')}, each once`;
    throw new ProblemError('http.bad_request', { detail });
  }
  return new Map(query);
}
