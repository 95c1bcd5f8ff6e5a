/**
 * Requests to a relay that always come to an end: connecting, the answer's head and every stretch of its body have their
 * deadlines, and nothing is believed for being HTTP. Redirects are not followed.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { GateError, InputError } from '../core/errors.js';
import type { Clock } from './clock.js';
import { asFailure } from './failures.js';
import { linkSignals } from './linked-signal.js';

export const HTTP_LIMITS = {
  connectMs: 5000,
  /** Until the head of an answer, besides the time the relay is asked to wait. */
  headMs: 10_000,
  /** A body must bring `stallBytes` in every stretch of this length, or end. */
  stallMs: 10_000,
  stallBytes: 16_384,
  headBytesMax: 16_384,
  problemBytesMax: 16_384,
  changesBytesMax: 64 * 2 ** 20,
  snapshotBytesMax: 4 * 2 ** 30 + 2 * 2 ** 20,
} as const;
export type HttpLimits = { readonly [Name in keyof typeof HTTP_LIMITS]: number };

export interface HttpClientOptions {
  /** `http://` or `https://`, with a path if the relay is mounted below one. No user, password, query or fragment. */
  readonly url: string;
  /** Bearer token. */
  readonly token?: string | undefined;
  /** File with the bearer token; read for every request, so that it can be changed. */
  readonly tokenFile?: string | undefined;
  /** All in PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly serverName?: string };
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Below the relay's own path. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
  /** How long the relay was asked to wait. */
  readonly waitMs?: number;
  readonly signal: AbortSignal;
}

const SOCKETS_MAX = 8;
const TOKEN_BYTES_MAX = 4096;

export class HttpClient {
  private readonly url: URL;
  private readonly basePath: string;
  private readonly agent: Agent;
  private readonly closing = new AbortController();

  /** Throws an InputError for options that make no sense. */
  constructor(
    private readonly options: HttpClientOptions,
    private readonly limits: HttpLimits,
    private readonly clock: Clock,
  ) {
    this.url = readUrl(options.url);
    this.basePath = this.url.pathname.replace(/\/+$/, '');
    if (options.token !== undefined) checkToken('token', options.token);
    const { ca, cert, key, serverName } = options.tls ?? {};
    const agentOptions = { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: 2, noDelay: true };
    const trust = { ca, cert, key, ...(serverName === undefined ? {} : { servername: serverName }) };
    this.agent =
      this.url.protocol === 'https:' ? new SecureAgent({ ...agentOptions, ...trust }) : new Agent(agentOptions);
  }

  /**
   * The answer, as soon as its head is there. Throws a GateError `sync.unavailable`, `sync.deadline`, `sync.refused`,
   * `sync.protocol` or `sync.closed`.
   */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const token = await this.readToken();
    try {
      return await this.sendOnce(request, token);
    } catch (error) {
      if (!(error instanceof StaleSocketError)) throw error;
      // the relay closed the kept connection as the request went out
      return await this.sendOnce(request, token).catch((again: unknown) => {
        throw asFailure(again);
      });
    }
  }

  /** Breaks every connection off. */
  close(): void {
    this.closing.abort();
    this.agent.destroy();
  }

  private async readToken(): Promise<string | undefined> {
    const { token, tokenFile } = this.options;
    if (tokenFile === undefined) return token;
    try {
      const text = (await readFile(tokenFile, 'utf8')).trim();
      checkToken('tokenFile', text);
      return text;
    } catch (cause) {
      throw new GateError('sync.refused', 'the token file cannot be used', { cause });
    }
  }

  private async sendOnce(request: HttpRequest, token: string | undefined): Promise<IncomingMessage> {
    const { method, path, headers = {}, body, waitMs = 0 } = request;
    const { signal, unlink } = linkSignals(request.signal, this.closing.signal);
    if (signal.aborted) {
      unlink();
      throw new GateError('sync.closed');
    }
    const start = this.url.protocol === 'https:' ? requestHttps : requestHttp;
    const outgoing = start(new URL(`${this.basePath}${path}`, this.url), {
      method,
      agent: this.agent,
      maxHeaderSize: this.limits.headBytesMax,
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-length': body.length }),
      },
    });
    return new Promise<IncomingMessage>((resolve, reject) => {
      const cancels = new Set<() => void>();
      const expire = (delayMs: number, what: string) => {
        const cancel = this.clock.after(delayMs, () => outgoing.destroy(new GateError('sync.deadline', what)));
        cancels.add(cancel);
        return cancel;
      };
      const onAbort = () => outgoing.destroy(new GateError('sync.closed'));
      const settle = () => {
        for (const cancel of cancels) cancel();
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      expire(waitMs + this.limits.headMs, 'answer');
      outgoing.once('socket', (socket) => {
        if (!socket.connecting) return;
        const cancel = expire(this.limits.connectMs, 'connect');
        socket.once(this.url.protocol === 'https:' ? 'secureConnect' : 'connect', cancel);
      });
      outgoing.once('error', (error) => {
        settle();
        unlink();
        reject(outgoing.reusedSocket && isReset(error) ? new StaleSocketError() : asFailure(error));
      });
      outgoing.once('response', (response) => {
        settle();
        const stop = () => response.destroy(new GateError('sync.closed'));
        signal.addEventListener('abort', stop, { once: true });
        response.on('error', () => {}); // whoever reads the body is told; perhaps nobody does
        response.once('close', unlink);
        resolve(response);
      });
      outgoing.end(body);
    });
  }
}

/** What is left of a kept connection when the other end has closed it. */
class StaleSocketError extends Error {}

/**
 * The body, piece by piece. Throws a GateError `sync.protocol` beyond `bytesMax`, `sync.deadline` if it comes too slowly,
 * `sync.unavailable` if it breaks off. The time that the caller takes between the pieces does not count.
 */
export async function* bodyOf(
  response: IncomingMessage,
  limits: { readonly stallMs: number; readonly stallBytes: number; readonly bytesMax: number },
  clock: Clock,
): AsyncGenerator<Buffer> {
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let [waitedMs, stretchBytes, bytes] = [0, 0, 0];
  try {
    for (;;) {
      const askedAtMs = clock.monotonicMs();
      const cancel = clock.after(limits.stallMs - waitedMs, () => {
        response.destroy(new GateError('sync.deadline', 'body'));
      });
      const { done, value } = await iterator.next().finally(cancel);
      if (done === true) return;
      bytes += value.length;
      stretchBytes += value.length;
      waitedMs += clock.monotonicMs() - askedAtMs;
      if (bytes > limits.bytesMax) throw new GateError('sync.protocol', `a body of more than ${limits.bytesMax} bytes`);
      if (stretchBytes >= limits.stallBytes) [waitedMs, stretchBytes] = [0, 0];
      else if (waitedMs >= limits.stallMs) throw new GateError('sync.deadline', 'body');
      yield value;
    }
  } catch (error) {
    throw asFailure(error);
  } finally {
    if (!response.complete) response.destroy();
  }
}

/** The whole body. Throws as {@link bodyOf}. */
export async function readBody(...parameters: Parameters<typeof bodyOf>): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for await (const piece of bodyOf(...parameters)) pieces.push(piece);
  const body = Buffer.concat(pieces);
  return new Uint8Array(body.buffer, body.byteOffset, body.length); // whose slice() copies, as everywhere
}

function isReset(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InputError('url', 'malformed', 'expected http:// or https://');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new InputError(
      'url',
      'malformed',
      'expected no user, password, query or fragment; a token goes into `token`',
    );
  }
  return url;
}

function checkToken(field: string, token: string): void {
  const isLegal = token.length <= TOKEN_BYTES_MAX && /^[\x21-\x7e]+$/.test(token);
  if (!isLegal) throw new InputError(field, 'malformed', 'expected printable ASCII without spaces');
}
