/**
 * Serves the suppression set to other enforcers over HTTP: the newest snapshot, every change after it, and a way back for
 * what they report. A handler for a server of node:http that belongs to somebody else.
 *
 *     GET  /v1/snapshot                      the newest snapshot file; may be asked for in ranges
 *     GET  /v1/changes?after=&wait=&limit=   delta frames after a position; waits for something to come
 *     POST /v1/acks                          what an enforcer says of itself, as JSON
 *
 * Refusals are problem details (http-problem.ts). Nothing here names anyone: changes hold mixed keys, and no request's
 * parameters come back in an answer.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GateError, InputError } from '../core/errors.js';
import { encodeFrame, type Frame, type Head, type Signer } from '../core/suppression/index.js';
import { type Clock, systemClock } from './clock.js';
import { parseEnforcerReport, REPORT_BYTES_MAX } from './enforcer-report.js';
import { sendProblem } from './http-problem.js';
import { send, sendFile } from './http-range.js';
import { linkSignals } from './linked-signal.js';
import { parsePosition } from './position.js';
import type { RelayFeed } from './relay-feed.js';
import { ACKS_PATH, CHANGES_PATH, DELTA_TYPE, digestField, HEADERS, SNAPSHOT_PATH } from './relay-http.js';
import type { Position, Reporter } from './source.js';

export const RELAY_LIMITS = {
  /** Requests for changes that wait at the same time. */
  pollCountMax: 10_000,
  /** Snapshots on their way at the same time. */
  downloadCountMax: 64,
  waitMsMax: 30_000,
  entriesMax: 65_536,
  frameBytesMax: 2 ** 20,
  /** One answer is not begun beyond this, so it is at most one frame more. */
  answerBytesMax: 8 * 2 ** 20,
  reportBytesMax: REPORT_BYTES_MAX,
  /** Longest time in which a client sends or takes nothing. */
  stallMs: 30_000,
  /** Encoded frames kept while many ask for the same. */
  cacheBytesMax: 32 * 2 ** 20,
} as const;
export type RelayLimits = { readonly [Name in keyof typeof RELAY_LIMITS]: number };

export interface RelayOptions {
  /** Where it all comes from. The relay does not close it. */
  readonly feed: RelayFeed;
  /** Signs the frames it makes; those that came with a signature are passed on as they are. */
  readonly signer?: Signer | undefined;
  /** Any of these must come as a bearer token; called for each request, so that tokens can be changed. */
  readonly tokens?: (() => readonly string[]) | undefined;
  readonly limits?: Partial<RelayLimits>;
  readonly clock?: Clock;
}

/** Answers a request and returns true, or leaves it alone and returns false if its path is not a relay's. */
export interface RelayHandler {
  (request: IncomingMessage, response: ServerResponse, reporter?: Reporter): boolean;
  /** Requests that wait for changes, and snapshots on their way. */
  readonly counts: { readonly polls: number; readonly downloads: number };
  /** Ends every wait: each gets its heartbeat now. */
  close(): void;
}

type Answer = (request: IncomingMessage, response: ServerResponse, reporter?: Reporter) => Promise<void>;

/**
 * @example
 * const relay = createRelay({ feed, tokens: () => [token] });
 * createServer(RELAY_SERVER_OPTIONS, (request, response) => relay(request, response) || notFound(response));
 */
export function createRelay(options: RelayOptions): RelayHandler {
  const relay = new Relay(options);
  const routes: Readonly<Record<string, { readonly methods: readonly string[]; readonly answer: Answer }>> = {
    [SNAPSHOT_PATH]: { methods: ['GET', 'HEAD'], answer: (request, response) => relay.sendSnapshot(request, response) },
    [CHANGES_PATH]: { methods: ['GET', 'HEAD'], answer: (request, response) => relay.sendChanges(request, response) },
    [ACKS_PATH]: { methods: ['POST'], answer: (...exchange) => relay.takeReport(...exchange) },
  };
  const handle = (request: IncomingMessage, response: ServerResponse, reporter?: Reporter): boolean => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route === undefined) return false;
    response.on('error', () => {}); // the client has gone
    if (!isAllowed(request, options.tokens)) {
      sendProblem(response, 'http.unauthorized', { headers: { 'www-authenticate': 'Bearer' } });
    } else if (!route.methods.includes(request.method ?? '')) {
      sendProblem(response, 'http.method', { headers: { allow: route.methods.join(', ') } });
    } else {
      route.answer(request, response, reporter).catch((error: unknown) => refuse(response, error));
    }
    return true;
  };
  return Object.defineProperty(Object.assign(handle, { close: () => relay.close(), counts: relay.counts }), 'counts', {
    get: () => relay.counts,
  });
}

class Relay {
  private readonly feed: RelayFeed;
  private readonly clock: Clock;
  private readonly limits: RelayLimits;
  private readonly frames: FrameCache;
  private readonly closing = new AbortController();
  private polls = 0;
  private downloads = 0;

  constructor(options: RelayOptions) {
    this.feed = options.feed;
    this.clock = options.clock ?? systemClock;
    this.limits = { ...RELAY_LIMITS, ...options.limits };
    this.frames = new FrameCache(this.clock, this.limits.cacheBytesMax, options.signer);
  }

  get counts(): RelayHandler['counts'] {
    return { polls: this.polls, downloads: this.downloads };
  }

  close(): void {
    this.closing.abort();
  }

  async sendSnapshot(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.downloads >= this.limits.downloadCountMax) return sendProblem(response, 'http.busy');
    this.downloads++;
    try {
      for (let attempt = 0; ; attempt++) {
        const snapshot = this.feed.snapshot();
        if (snapshot === null) return sendProblem(response, 'sync.unavailable');
        const { path, position, entryCount, sha256 } = snapshot;
        const headers = {
          [HEADERS.epoch]: position.epoch,
          [HEADERS.seq]: position.seq,
          [HEADERS.entries]: entryCount,
          [HEADERS.digest]: digestField(sha256),
        };
        const entityTag = `"${Buffer.from(sha256).toString('hex')}"`;
        try {
          return await sendFile(request, response, { path, entityTag, headers, stallMs: this.limits.stallMs });
        } catch (error) {
          if (response.headersSent || attempt > 0) throw error;
        } // a newer one took its place at this very moment
      }
    } finally {
      this.downloads--;
    }
  }

  async sendChanges(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const arrivedAtMs = this.clock.monotonicMs();
    const query = readQuery(request, this.limits);
    if (query === null) return sendProblem(response, 'http.bad_request', { detail: QUERY_EXPECTED });
    const { after, entriesMax } = query;
    if (request.method === 'GET' && query.waitMs > 0 && this.feed.head !== null) {
      if (this.polls >= this.limits.pollCountMax) return sendProblem(response, 'http.busy');
      await this.wait(response, after, query.waitMs);
      if (response.destroyed) return;
    }
    const collected = this.collect(after, entriesMax);
    if (typeof collected === 'string') {
      const { epoch, seq } = this.feed.head ?? {};
      const members = epoch === undefined || seq === undefined ? {} : { epoch, seq };
      return sendProblem(response, collected, { members });
    }
    const { frames, asOfMs, head } = collected;
    response.writeHead(200, {
      'content-type': DELTA_TYPE,
      'content-length': frames.reduce((sum, { length }) => sum + length, 0),
      'cache-control': 'no-store',
      [HEADERS.epoch]: head.epoch,
      [HEADERS.seq]: head.seq,
      [HEADERS.asOfMs]: Math.floor(asOfMs - arrivedAtMs),
    });
    if (request.method === 'GET') for (const bytes of frames) await send(response, bytes, this.limits.stallMs);
    response.end();
  }

  async takeReport(request: IncomingMessage, response: ServerResponse, reporter?: Reporter): Promise<void> {
    const [mediaType = ''] = (request.headers['content-type'] ?? '').split(';', 1);
    if (mediaType.trim().toLowerCase() !== 'application/json') return sendProblem(response, 'http.media_type');
    const body = await readBody(request, this.limits);
    if (body === null) return sendProblem(response, 'http.too_large');
    await this.feed.report(parseEnforcerReport(body), reporter);
    response.writeHead(204, { 'cache-control': 'no-store' }).end();
  }

  private async wait(response: ServerResponse, after: Position, waitMs: number): Promise<void> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    const { signal, unlink } = linkSignals(gone.signal, this.closing.signal);
    response.once('close', onClose);
    this.polls++;
    try {
      await this.feed.wait(after, waitMs, signal);
    } finally {
      this.polls--;
      unlink();
      response.off('close', onClose);
    }
  }

  /** Frames up to the limits of an answer; they are collected in one go, so the last head is the newest. */
  private collect(after: Position, entriesMax: number) {
    const frames: Uint8Array[] = [];
    let [seq, left, bytes] = [after.seq, entriesMax, 0];
    for (;;) {
      const answer = this.feed.changesAfter(
        { epoch: after.epoch, seq },
        { entriesMax: left, bytesMax: this.limits.frameBytesMax },
      );
      if (answer.kind === 'empty') return 'sync.unavailable';
      if (answer.kind === 'trimmed') return 'sync.trimmed';
      if (answer.kind === 'epoch') return 'sync.epoch';
      const { frame, passed } = answer;
      const { head, entries } = frame;
      const lastSeq = entries.at(-1)?.seq ?? seq;
      const isNews = lastSeq > seq;
      const made = passed === null ? this.frames.encoded(frame, seq, answer.asOfMs) : null;
      if (made !== null && (isNews || frames.length === 0)) frames.push(made.bytes);
      else if (isNews && passed?.entries) frames.push(passed.entries);
      left -= lastSeq - seq;
      seq = lastSeq;
      bytes += frames.at(-1)?.length ?? 0;
      if (isNews && seq < head.seq && left > 0 && bytes <= this.limits.answerBytesMax) continue;
      // the last frame is the one that carries the head
      if (passed !== null && frames.at(-1) !== passed.head) frames.push(passed.head);
      return { frames, head, asOfMs: made?.asOfMs ?? answer.asOfMs } as const;
    }
  }
}

/** Frames as bytes, encoded and signed once for all who ask for the same while the head is the same. */
class FrameCache {
  private readonly encodings = new Map<string, { readonly bytes: Uint8Array; readonly asOfMs: number }>();
  private head: Head | null = null;
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly bytesMax: number,
    private readonly signer: Signer | undefined,
  ) {}

  /** The frame with the age of its content as of now, or as of when it was encoded. */
  encoded(frame: Frame, afterSeq: number, asOfMs: number) {
    if (this.head !== frame.head || this.bytes > this.bytesMax) {
      this.encodings.clear();
      this.head = frame.head;
      this.bytes = 0;
    }
    const key = `${afterSeq}.${frame.entries.length}`;
    const known = this.encodings.get(key);
    if (known !== undefined) return known;
    const nowMs = this.clock.monotonicMs();
    const lagMs = Math.ceil(frame.head.lagMs + Math.max(0, nowMs - asOfMs));
    const bytes = encodeFrame({ head: { ...frame.head, lagMs }, entries: frame.entries }, this.signer);
    const encoding = { bytes, asOfMs: nowMs };
    this.encodings.set(key, encoding);
    this.bytes += bytes.length;
    return encoding;
  }
}

const QUERY_EXPECTED = 'expected after=<epoch>.<seq>, and at most wait=<ms> and limit=<entries>';

function readQuery(request: IncomingMessage, limits: RelayLimits) {
  const [, text = ''] = (request.url ?? '').split('?', 2);
  const query = new URLSearchParams(text);
  for (const name of query.keys()) {
    if (!['after', 'wait', 'limit'].includes(name) || query.getAll(name).length > 1) return null;
  }
  const after = parsePosition(query.get('after') ?? '');
  const waitMs = countOf(query.get('wait') ?? '0');
  const entriesMax = countOf(query.get('limit') ?? String(limits.entriesMax));
  if (after === null || waitMs === null || entriesMax === null || entriesMax === 0) return null;
  return {
    after,
    waitMs: Math.min(waitMs, limits.waitMsMax),
    entriesMax: Math.min(entriesMax, limits.entriesMax),
  };
}

function countOf(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** The whole body; `null` if it is larger than the limit. */
async function readBody(request: IncomingMessage, limits: RelayLimits): Promise<Uint8Array | null> {
  const timer = setTimeout(() => request.destroy(), limits.stallMs);
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.reportBytesMax) return null;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

function isAllowed(request: IncomingMessage, tokens: (() => readonly string[]) | undefined): boolean {
  if (tokens === undefined) return true;
  const given = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const digest = digestOf(given);
  let isKnown = false;
  for (const token of tokens()) if (token !== '' && timingSafeEqual(digest, digestOf(token))) isKnown = true;
  return isKnown;
}

/** Of equal length for all, so that comparing takes the same time for all. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof InputError) sendProblem(response, 'http.bad_request', { detail: error.message });
  else if (error instanceof GateError && error.code === 'ledger.enforcer_bound')
    sendProblem(response, 'enforcer.bound');
  else if (error instanceof GateError) sendProblem(response, 'sync.unavailable', { detail: error.code });
  else sendProblem(response, 'http.failed');
}
