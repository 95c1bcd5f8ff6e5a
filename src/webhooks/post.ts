/**
 * Posting one body to a consumer.
 *
 * The name is looked up here, every address it has is judged, and the connection goes to those addresses and no others: a
 * name that leads elsewhere a moment later changes nothing. Redirects are answers like any other. Of the answer nothing but
 * the status and Retry-After is kept.
 * @module
 */
import { lookup as lookupName } from 'node:dns/promises';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { hostOf, mayConnect, readTarget, refusedAddress } from '../ledger/index.js';
import { ANSWER_BYTES_MAX, ATTEMPT_MS_MAX } from './limits.js';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Every address of a name. */
export type Lookup = (host: string) => Promise<readonly Address[]>;

/** Why there was no answer. `address`: it leads where this consumer may not be. */
export type PostFailure = 'address' | 'name' | 'timeout' | 'tls' | 'connection' | 'closed';

export type PostResult =
  /** `retryAfterMs`: what Retry-After asks for; `null`: nothing. */
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  | { readonly kind: 'failed'; readonly reason: PostFailure };

export interface PostOptions {
  readonly url: string;
  readonly allowPrivate: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly attemptMsMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly lookup?: Lookup | undefined;
  readonly now?: (() => number) | undefined;
}

/** Never throws. */
export async function post(options: PostOptions): Promise<PostResult> {
  const { signal, attemptMsMax = ATTEMPT_MS_MAX } = options;
  const ending = new AbortController();
  const late = setTimeout(() => ending.abort(new PostError('timeout')), attemptMsMax);
  const stop = () => ending.abort(new PostError('closed'));
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop);
  try {
    const url = readTarget(options.url, options.allowPrivate);
    const addresses = await ended(addressesOf(url, options), ending.signal);
    return await ended(exchange(url, addresses, options, ending.signal), ending.signal);
  } catch (error) {
    return { kind: 'failed', reason: ending.signal.aborted ? reasonOf(ending.signal.reason) : reasonOf(error) };
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', stop);
  }
}

/**
 * Whether a consumer may be registered with this URL as its name stands now. A name that cannot be looked up may.
 * @throws {InputError} `url`.
 */
export async function checkTarget(text: string, allowPrivate: boolean, lookup: Lookup = lookupAll): Promise<void> {
  const url = readTarget(text, allowPrivate);
  const addresses = isIP(hostOf(url)) === 0 ? await lookup(hostOf(url)).catch(() => []) : [];
  if (addresses.some(({ address }) => !mayConnect(address, allowPrivate))) throw refusedAddress();
}

class PostError extends Error {
  override readonly name = 'PostError';
  constructor(readonly reason: PostFailure) {
    super(reason);
  }
}

function reasonOf(error: unknown): PostFailure {
  if (error instanceof PostError) return error.reason;
  const { code, field } = Object(error) as { code?: unknown; field?: unknown };
  if (field === 'url') return 'address';
  const isTls =
    typeof code === 'string' && /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|EPROTO)/.test(code);
  return isTls ? 'tls' : 'connection';
}

/** The addresses to connect to. Throws a PostError. */
async function addressesOf(url: URL, { allowPrivate, lookup = lookupAll }: PostOptions): Promise<readonly Address[]> {
  const host = hostOf(url);
  const family = isIP(host);
  const addresses =
    family === 0
      ? await lookup(host).catch(() => {
          throw new PostError('name');
        })
      : [{ address: host, family }];
  if (addresses.length === 0) throw new PostError('name');
  // one bad address spoils them all: which of them a connection takes is chance
  if (!addresses.every(({ address }) => mayConnect(address, allowPrivate))) throw new PostError('address');
  return addresses;
}

function lookupAll(host: string): Promise<readonly Address[]> {
  return lookupName(host, { all: true });
}

type LookupCallback = (error: Error | null, address: string | readonly Address[], family?: number) => void;

function exchange(
  url: URL,
  addresses: readonly Address[],
  { headers, body, now = Date.now }: PostOptions,
  signal: AbortSignal,
): Promise<PostResult> {
  const [first] = addresses;
  const pinned = (_: string, { all }: { readonly all?: boolean }, done: LookupCallback) =>
    all === true ? done(null, addresses) : done(null, first?.address ?? '', first?.family);
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const outgoing: ClientRequest = send(url, {
      method: 'POST',
      agent: false,
      lookup: pinned as never,
      signal,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' },
    });
    outgoing.on('error', reject);
    // an answer that changes the protocol is no response, and a connection that just ends no error
    outgoing.once('upgrade', (_, socket) => socket.destroy());
    outgoing.once('close', () => reject(new PostError('connection')));
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const answer: PostResult = { kind: 'answered', status, retryAfterMs: retryAfterMsOf(response, now()) };
      // the status is what counts, however the rest of the answer ends
      discard(response, () => {
        outgoing.destroy();
        resolve(answer);
      });
    });
    outgoing.end(body);
  });
}

/** Reads an answer away, up to the limit. */
function discard(response: IncomingMessage, onEnd: () => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) onEnd();
  });
  response.once('end', onEnd).once('close', onEnd).on('error', onEnd);
}

/** Seconds, or a date (RFC 9110, section 10.2.3). */
function retryAfterMsOf({ headers }: IncomingMessage, nowMs: number): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

function ended<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
