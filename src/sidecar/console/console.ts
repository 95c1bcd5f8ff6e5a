/**
 * The operator console at `/console`: pages for people, over the same ledger and the same API (docs/console.md).
 *
 * Only puts together what stands in the other files of this folder. It looks after its own access (access.ts), and hands
 * some requests on to the API in the name of whoever is signed in (forward.ts).
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Policy } from '../../core/policy/policy.js';
import type { Ledger } from '../../ledger/index.js';
import { actorOf, type Mount, ProblemError, readChunks, readJson, type TokenSet } from '../control-plane/index.js';
import type { DoorCounts } from '../observe/door-counts.js';
import { TrailRecorder } from '../trail-recorder.js';
import { Access, isSecure } from './access.js';
import { apiAnswer } from './api.js';
import { Assets } from './assets.js';
import { DecisionHistory, SHORT_MS } from './decision-history.js';
import { Explainer } from './explain.js';
import { forwardedUrl } from './forward.js';
import { CONSOLE_LIMITS, type ConsoleLimits } from './limits.js';
import { pageAt, pageNameAt, safeNext } from './pages.js';
import { CONTENT_SECURITY_POLICY, framedPage, plainPage, signInPage } from './shell.js';
import { SignInTrail } from './sign-in-trail.js';
import { type ConsoleProcess, stateAnswer } from './state.js';
import { Streams } from './streams.js';
import { Sums } from './sums.js';

export interface ConsoleOptions {
  readonly tokens: TokenSet;
  /** `null`: it is elsewhere, or cannot be reached. */
  readonly ledger: () => Ledger | null;
  /** The configuration names a ledger. */
  readonly hasLedger: boolean;
  readonly process: () => ConsoleProcess;
  /** What strings are explained by. */
  readonly policy: () => Policy;
  /** What all threads have counted; `null`: none serves yet. */
  readonly doors: () => Pick<DoorCounts, 'decisions' | 'reasons'> | null;
  /** A request for a page, or a part of one, by its name. */
  readonly onRequest?: (page: string, response: ServerResponse) => void;
  /** A sign-in or sign-out that could not be put into the audit trail in time. */
  readonly onUnrecorded?: (error: unknown) => void;
  readonly limits?: Partial<ConsoleLimits>;
  /** Monotonic ms. */
  readonly now?: () => number;
  /** ms since 1970. */
  readonly wallClock?: () => number;
}

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;
const FORM_BODY_MS = 10_000;

export class Console implements Mount {
  readonly path = '/console';
  readonly #access: Access;
  readonly #trail: SignInTrail;
  readonly #assets = new Assets();
  readonly #history = new DecisionHistory();
  readonly #streams: Streams;
  readonly #sums: Sums;
  readonly #explainer: Explainer;
  readonly #limits: ConsoleLimits;
  readonly #wallClock: () => number;
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly options: ConsoleOptions) {
    const { tokens, now = () => performance.now(), wallClock = Date.now, doors } = options;
    const limits = { ...CONSOLE_LIMITS, ...options.limits };
    this.#limits = limits;
    this.#wallClock = wallClock;
    this.#access = new Access(tokens, limits, now);
    const { ledger, hasLedger, onUnrecorded = () => {} } = options;
    this.#trail = new SignInTrail(new TrailRecorder({ ledger, hasLedger, onUnrecorded }), limits, now);
    this.#streams = new Streams(() => this.#state(), limits, now);
    this.#sums = new Sums(() => this.#ledger(), limits, wallClock, now);
    this.#explainer = new Explainer(options.policy);
    const sample = () => {
      const counts = doors();
      if (counts !== null) this.#history.sample(wallClock(), counts);
    };
    this.#timer = setInterval(sample, SHORT_MS).unref();
  }

  /** Sessions and streams there are. */
  get counts(): { readonly sessions: number; readonly streams: number } {
    return { sessions: this.#access.sessions.count, streams: this.#streams.count };
  }

  /** See Mount. */
  readonly forward = (request: IncomingMessage) => {
    const target = forwardedUrl(request.method ?? '', request.url ?? '');
    if (target === null) return null;
    const principal = this.#access.admit(request);
    if (target === '/v1/status-of') this.#access.checkLookupRate(request);
    request.url = target;
    return principal;
  };

  /** Answers below `/console`; the path of the request has lost that. Throws what is a problem. */
  readonly handler = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const path = pathOf(request);
    this.options.onRequest?.(pageNameAt(path), response);
    if (this.#assets.serve(request, response, path)) return;
    if (path.startsWith('/api/')) return this.#api(request, response, path.slice('/api'.length));
    if (path === '/events' && request.method === 'GET') return this.#events(request, response);
    if (path === '/sign-in') return this.#signIn(request, response);
    if (path === '/sign-out' && request.method === 'POST') return this.#signOut(request, response);
    this.#page(request, response, path);
  };

  /** Ends streams. Never throws. */
  close(): void {
    clearInterval(this.#timer);
    this.#streams.close();
  }

  #ledger(): Ledger {
    const ledger = this.options.ledger();
    if (ledger === null) throw new ProblemError(this.options.hasLedger ? 'ledger.unavailable' : 'ledger.none');
    return ledger;
  }

  #state(): Promise<object> {
    const { ledger, hasLedger, process } = this.options;
    const { latest } = this.#history;
    return stateAnswer({ ledger: ledger(), hasLedger, process: process(), latest, nowMs: this.#wallClock() });
  }

  async #api(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const principal = this.#access.admit(request);
    if (path === '/explain' && request.method === 'POST') return this.#explain(request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new ProblemError('http.not_found');
    const context = {
      ledger: () => this.#ledger().actingAs(actorOf(principal, 'page')),
      state: () => this.#state(),
      history: this.#history,
      sums: this.#sums,
    };
    const answer = await apiAnswer(context, request, path);
    if (answer === undefined) throw new ProblemError('http.not_found');
    send(response, 200, 'application/json', JSON.stringify(answer));
  }

  async #explain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#access.checkLookupRate(request);
    const body = await readJson(request, this.#bodyLimits());
    send(response, 200, 'application/json', JSON.stringify(this.#explainer.explain(body)));
  }

  #events(request: IncomingMessage, response: ServerResponse): void {
    this.#access.admit(request);
    this.#streams.open(response, () => this.#access.isOpen || this.#access.principalOf(request) !== null);
  }

  #page(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { base } = this.#assets;
    const principal = this.#access.principalOf(request);
    const page = pageAt(path);
    if (principal === null) {
      const next =
        page === undefined || path === '' || path === '/' ? '' : `?next=${encodeURIComponent(`/console${path}`)}`;
      response.writeHead(303, { location: `/console/sign-in${next}` }).end();
      return;
    }
    if (page === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      sendHtml(response, 404, plainPage(base, 'Not found', 'There is no such page.'));
      return;
    }
    const csrf = this.#access.csrfOf(request, response);
    const { version } = this.options.process();
    sendHtml(response, 200, framedPage({ page, base, csrf, principal, isOpen: this.#access.isOpen, version }));
  }

  async #signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isSignedIn = this.#access.principalOf(request) !== null;
    if (request.method === 'POST') return this.#takeSignIn(request, response);
    const next = safeNext(new URLSearchParams((request.url ?? '').split('?')[1] ?? '').get('next'));
    if (isSignedIn) response.writeHead(303, { location: next }).end();
    else this.#sendSignIn(request, response, 200, next, null);
  }

  async #takeSignIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await this.#readForm(request);
    const next = safeNext(form.get('next'));
    this.#access.checkCsrf(request, form.get('csrf'));
    const result = this.#access.signIn(request, response, (form.get('token') ?? '').trim());
    switch (result.kind) {
      case 'signed_in':
        await this.#trail.signedIn(result.session.principal);
        response.writeHead(303, { location: next }).end();
        return;
      case 'unknown':
        await this.#trail.refused('unknown', null);
        this.#sendSignIn(request, response, 401, next, 'This token is not known here.');
        return;
      case 'limited':
        await this.#trail.refused('limited', null);
        response.setHeader('retry-after', String(Math.ceil(result.waitMs / 1000)));
        this.#sendSignIn(
          request,
          response,
          429,
          next,
          'There were too many attempts from here. Try again in a minute.',
        );
        return;
      case 'forbidden': {
        await this.#trail.refused('forbidden', result.principal);
        const sentence =
          'The role of this token may not use the console: it takes a token of an operator or an auditor.';
        sendHtml(response, 403, plainPage(this.#assets.base, 'Not with this token', sentence));
        return;
      }
      default:
        return result satisfies never;
    }
  }

  async #signOut(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await this.#readForm(request);
    this.#access.checkCsrf(request, form.get('csrf'));
    const principal = this.#access.isOpen ? null : this.#access.principalOf(request);
    this.#access.signOut(request, response);
    if (principal !== null) await this.#trail.signedOut(principal);
    response.writeHead(303, { location: '/console/sign-in' }).end();
  }

  #sendSignIn(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    next: string,
    fault: string | null,
  ): void {
    const isPlain = isSecure(request) && request.headers['x-forwarded-proto'] !== 'https';
    const csrf = this.#access.csrfOf(request, response);
    sendHtml(response, status, signInPage({ base: this.#assets.base, csrf, next, fault, isPlain }));
  }

  async #readForm(request: IncomingMessage): Promise<URLSearchParams> {
    const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/x-www-form-urlencoded')
      throw new ProblemError('http.media_type', { detail: 'expected a form' });
    const pieces: Uint8Array[] = [];
    const signal = AbortSignal.timeout(FORM_BODY_MS);
    for await (const piece of readChunks(request, this.#limits.formBytesMax, this.#bodyLimits(), signal))
      pieces.push(piece);
    return new URLSearchParams(Buffer.concat(pieces).toString('utf8'));
  }

  #bodyLimits() {
    const { formBytesMax } = this.#limits;
    return {
      jsonBytesMax: formBytesMax,
      discardBytesMax: formBytesMax,
      jsonBodyMs: FORM_BODY_MS,
      stallMs: FORM_BODY_MS,
    };
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

function sendHtml(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/html; charset=utf-8', text);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
