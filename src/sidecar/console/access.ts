/**
 * Who may see the console: whoever is signed in with a token of an operator or an auditor, or, where there are no tokens,
 * whoever is on this machine.
 *
 * A cookie holds an id and nothing else. It is sent to the console alone, never to the API beside it, and never by another
 * site. Whatever changes something must come with a second value that is made from the id and a secret of this process
 * (CSRF): a page of another origin can send a form, and cannot read that value. Before sign-in a visitor has an id too, so
 * that the form to sign in is guarded as well; signing in always gives a new one.
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isForwarded,
  isFromHere,
  type Principal,
  ProblemError,
  RateLimiter,
  type TokenSet,
} from '../control-plane/index.js';
import type { ConsoleLimits } from './limits.js';
import { type Session, SessionStore } from './sessions.js';

export const CSRF_HEADER = 'x-csrf-token';
/** Sent by a page that asks by itself, so that a page left open does not keep its session alive. */
export const BACKGROUND_HEADER = 'x-console-background';

const COOKIE = 'optgate-console';
const COOKIE_PATH = '/console';
const ID = /^[A-Za-z0-9_-]{43}$/;
const CONSOLE_ROLES: readonly string[] = ['operator', 'auditor'];
/** Who looks, where nobody has a token. */
const ANYBODY: Principal = { role: 'operator', name: null };

export type SignIn =
  | { readonly kind: 'signed_in'; readonly session: Session }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'forbidden'; readonly principal: Principal }
  | { readonly kind: 'limited'; readonly waitMs: number };

export class Access {
  readonly sessions: SessionStore;
  readonly #signIns: RateLimiter;
  readonly #lookups: RateLimiter;
  readonly #secret = randomBytes(32);

  /** @param now Monotonic ms. */
  constructor(
    private readonly tokens: TokenSet,
    limits: ConsoleLimits,
    now: () => number,
  ) {
    this.sessions = new SessionStore(tokens, limits, now);
    const keysMax = limits.rateKeysMax;
    this.#signIns = new RateLimiter(
      { perSecond: limits.signInsPerMinute / 60, burst: limits.signInBurst, keysMax },
      now,
    );
    this.#lookups = new RateLimiter(
      { perSecond: limits.lookupsPerMinute / 60, burst: limits.lookupBurst, keysMax },
      now,
    );
  }

  /** There are no tokens, so nobody has to sign in. */
  get isOpen(): boolean {
    return this.tokens.isEmpty;
  }

  /** Who asks; `null`: somebody who has to sign in. Throws a ProblemError `http.misdirected` as the API does. */
  principalOf(request: IncomingMessage): Principal | null {
    if (this.isOpen) {
      if (!isFromHere(request) || isForwarded(request)) throw new ProblemError('http.misdirected');
      return ANYBODY;
    }
    const isUse = request.headers[BACKGROUND_HEADER] === undefined && !acceptsEvents(request);
    const principal = this.sessions.find(idOf(request) ?? '', isUse)?.principal ?? null;
    return principal !== null && CONSOLE_ROLES.includes(principal.role) ? principal : null;
  }

  /** As {@link principalOf}; throws a ProblemError where nobody is signed in, or a change comes without its CSRF value. */
  admit(request: IncomingMessage): Principal {
    const principal = this.principalOf(request);
    if (principal === null) throw new ProblemError('http.unauthorized', { detail: 'sign in at /console/sign-in' });
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (!isReading) this.checkCsrf(request, request.headers[CSRF_HEADER]);
    return principal;
  }

  /** The CSRF value of whoever asks; gives a visitor an id first. */
  csrfOf(request: IncomingMessage, response: ServerResponse): string {
    const known = idOf(request);
    if (known !== null) return this.#csrf(known);
    const id = randomBytes(32).toString('base64url');
    setCookie(request, response, id);
    return this.#csrf(id);
  }

  /** Throws a ProblemError `http.forbidden`. */
  checkCsrf(request: IncomingMessage, given: unknown): void {
    const id = idOf(request);
    const site = request.headers['sec-fetch-site'];
    const isOwn = site === undefined || site === 'same-origin' || site === 'none';
    const isRight = isOwn && id !== null && typeof given === 'string' && isSame(given, this.#csrf(id));
    if (!isRight) throw new ProblemError('http.forbidden', { detail: 'expected the CSRF value of this session' });
  }

  /** The token of a form against the tokens there are. */
  signIn(request: IncomingMessage, response: ServerResponse, token: string): SignIn {
    const waitMs = this.#signIns.take(request.socket.remoteAddress ?? '');
    if (waitMs > 0) return { kind: 'limited', waitMs };
    const session = this.sessions.begin(token);
    if (session === null) return { kind: 'unknown' };
    if (!CONSOLE_ROLES.includes(session.principal.role)) {
      this.sessions.end(session.id);
      return { kind: 'forbidden', principal: session.principal };
    }
    this.sessions.end(idOf(request) ?? '');
    setCookie(request, response, session.id);
    return { kind: 'signed_in', session };
  }

  signOut(request: IncomingMessage, response: ServerResponse): void {
    this.sessions.end(idOf(request) ?? '');
    setCookie(request, response, '', 0);
  }

  /** Throws a ProblemError `http.rate` for whoever looks people up too often. */
  checkLookupRate(request: IncomingMessage): void {
    const waitMs = this.#lookups.take(this.isOpen ? (request.socket.remoteAddress ?? '') : (idOf(request) ?? ''));
    if (waitMs === 0) return;
    throw new ProblemError('http.rate', { headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) } });
  }

  #csrf(id: string): string {
    return createHmac('sha256', this.#secret).update(id).digest('base64url');
  }
}

/** True where a browser keeps a cookie for TLS only: whoever is elsewhere must come over TLS, through a proxy. */
export function isSecure(request: IncomingMessage): boolean {
  return request.headers['x-forwarded-proto'] === 'https' || !isFromHere(request);
}

function acceptsEvents({ headers }: IncomingMessage): boolean {
  return headers.accept === 'text/event-stream';
}

/** Cookies of two consoles on one host are told apart by port, which browsers do not do. */
function cookieName({ socket }: IncomingMessage): string {
  return socket.localPort === undefined ? COOKIE : `${COOKIE}-${socket.localPort}`;
}

function idOf(request: IncomingMessage): string | null {
  const name = cookieName(request);
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [key = '', value = ''] = pair.trim().split('=', 2);
    if (key === name && ID.test(value)) return value;
  }
  return null;
}

function setCookie(request: IncomingMessage, response: ServerResponse, id: string, maxAgeSeconds?: number): void {
  const attributes = [`${cookieName(request)}=${id}`, `Path=${COOKIE_PATH}`, 'HttpOnly', 'SameSite=Strict'];
  if (isSecure(request)) attributes.push('Secure');
  if (maxAgeSeconds !== undefined) attributes.push(`Max-Age=${maxAgeSeconds}`);
  response.setHeader('set-cookie', attributes.join('; '));
}

function isSame(a: string, b: string): boolean {
  const [first, second] = [Buffer.from(a), Buffer.from(b)];
  return first.length === second.length && timingSafeEqual(first, second);
}
