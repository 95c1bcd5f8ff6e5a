/**
 * Follows a relay over HTTP: its snapshot as a download, its changes by long polling.
 * @module
 */
import { rm } from 'node:fs/promises';
import { GateError } from '../core/errors.js';
import { createVerifier, decodeFrame, type Frame, frameBytesAt, type Verifier } from '../core/suppression/index.js';
import { type Clock, systemClock } from './clock.js';
import { HTTP_LIMITS, HttpClient, type HttpClientOptions, type HttpLimits, readBody } from './http-client.js';
import { SnapshotDownload } from './http-download.js';
import { refusalOf } from './http-refusal.js';
import { linkSignals } from './linked-signal.js';
import { positionText } from './position.js';
import { ACKS_PATH, CHANGES_PATH, DELTA_TYPE, HEADERS } from './relay-http.js';
import { loadSnapshot } from './snapshot-load.js';
import {
  AGE_TOLD_LATER,
  type ChangesAnswer,
  type EnforcerReport,
  type LoadedTable,
  type Position,
  type SnapshotRequest,
  type Source,
} from './source.js';

export interface HttpSourceOptions extends HttpClientOptions {
  /** Public keys (PEM, Ed25519). With one, snapshots and changes without its signature are refused. */
  readonly trustedKeys?: readonly string[] | undefined;
  readonly limits?: Partial<HttpLimits>;
  readonly clock?: Clock;
}

/** Longest wait a relay is asked for: what lies between often cuts off an answer that takes a minute. */
const WAIT_MS_MAX = 25_000;
/**
 * Answers in a row from a relay that knows less than what was applied. The relays behind one address are not all equally
 * far, so one that is behind is waited for, and not taken for a ledger that went back.
 */
const BEHIND_ANSWERS_MAX = 10;
/** But content from so long after something was applied here would hold it, if it had not been lost. */
const LOST_AFTER_MS = 1000;
/** Such answers in a row that are believed. */
const LOST_ANSWERS_MAX = 2;

/**
 * A relay as a source. Nothing is connected before the first call. Throws an InputError for options that make no sense.
 * @example createHttpSource({ url: 'https://relay.example', tokenFile: '/run/secrets/relay-token', trustedKeys })
 */
export function createHttpSource(options: HttpSourceOptions): Source {
  return new HttpSource(options);
}

class HttpSource implements Source {
  readonly name = 'http';
  private readonly limits: HttpLimits;
  private readonly verifier: Verifier | undefined;
  private readonly clock: Clock;
  private readonly client: HttpClient;
  private readonly download: SnapshotDownload;
  private readonly closing = new AbortController();
  /** Frames that came with an answer before, in the order in which they are to be given. */
  private ready: readonly Extract<ChangesAnswer, { kind: 'frame' }>[] = [];
  private newestBeat = { epoch: '', beat: -1 };
  private behindCount = 0;
  private lostCount = 0;
  /** How far the table was last time, and since when. */
  private applied = { epoch: '', seq: -1, sinceMs: 0 };

  constructor(options: HttpSourceOptions) {
    const { trustedKeys } = options;
    this.verifier = trustedKeys === undefined ? undefined : createVerifier(trustedKeys);
    this.limits = { ...HTTP_LIMITS, ...options.limits };
    this.clock = options.clock ?? systemClock;
    this.client = new HttpClient(options, this.limits, this.clock);
    this.download = new SnapshotDownload(this.client, this.limits, this.clock);
  }

  async snapshot(request: SnapshotRequest): Promise<LoadedTable> {
    const { signal, unlink } = linkSignals(request.signal, this.closing.signal);
    this.ready = [];
    this.newestBeat = { epoch: '', beat: -1 }; // the snapshot may be ahead of the changes
    try {
      return await this.load(await this.download.fetch({ ...request, signal }), request.validate, signal);
    } finally {
      unlink();
    }
  }

  async changes(
    after: Position,
    options: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ChangesAnswer> {
    this.noteApplied(after);
    const [next, ...later] = this.ready;
    this.ready = later;
    const firstSeq = next?.frame.entries[0]?.seq ?? 0;
    if (next !== undefined && next.frame.head.epoch === after.epoch && firstSeq <= after.seq + 1) return next;
    this.ready = [];
    try {
      return await this.ask(after, options);
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      const { code } = error;
      if (code === 'sync.trimmed' || code === 'sync.epoch' || code === 'sync.regressed') {
        return { kind: 'snapshot', why: code };
      }
      throw error;
    }
  }

  async report(report: EnforcerReport): Promise<void> {
    const response = await this.client.send({
      method: 'POST',
      path: ACKS_PATH,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(report)),
      signal: this.closing.signal,
    });
    if (response.statusCode !== 204) throw await refusalOf(response, this.limits, this.clock);
    response.resume();
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.client.close();
    this.ready = [];
    await this.download.close();
  }

  private async load(path: string, validate: SnapshotRequest['validate'], signal: AbortSignal): Promise<LoadedTable> {
    try {
      const bytesMax = this.limits.snapshotBytesMax;
      const { share, position } = await loadSnapshot(path, { validate, signal, verifier: this.verifier, bytesMax });
      return { share, position, lagMs: AGE_TOLD_LATER, path };
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw error;
    }
  }

  private async ask(after: Position, options: { readonly waitMs: number; readonly signal: AbortSignal }) {
    const waitMs = Math.max(0, Math.min(WAIT_MS_MAX, Math.floor(options.waitMs)));
    const path = `${CHANGES_PATH}?after=${encodeURIComponent(positionText(after))}&wait=${waitMs}`;
    const sentAtMs = this.clock.monotonicMs();
    const response = await this.client.send({ method: 'GET', path, waitMs, signal: options.signal });
    if (response.statusCode !== 200) throw await refusalOf(response, this.limits, this.clock);
    if (response.headers['content-type'] !== DELTA_TYPE) {
      response.destroy();
      throw new GateError('sync.protocol', 'no delta frames');
    }
    const answeredAtMs = this.clock.monotonicMs();
    const asOfMs = sentAtMs + Math.min(answeredAtMs - sentAtMs, asOfHeader(response.headers[HEADERS.asOfMs]));
    const body = await readBody(response, { ...this.limits, bytesMax: this.limits.changesBytesMax }, this.clock);
    const frames = readFrames(body, this.verifier);
    // the last head is the newest; an older one with it would be taken for news when it is not
    const last = frames.at(-1);
    const head = last?.frame.head;
    if (last === undefined || head === undefined) throw new GateError('sync.protocol', 'an empty answer');
    if (head.epoch !== after.epoch) throw new GateError('sync.epoch');
    this.checkProgress(head, after, asOfMs);
    const headBytes = last.bytes;
    const answers = frames.map(({ frame: { entries }, bytes }) => {
      return { kind: 'frame', frame: { head, entries }, bytes, headBytes, asOfMs } as const;
    });
    const [first, ...later] = answers;
    if (first === undefined) throw new GateError('sync.protocol', 'an empty answer');
    this.ready = later;
    return first;
  }

  private noteApplied({ epoch, seq }: Position): void {
    if (epoch === this.applied.epoch && seq === this.applied.seq) return;
    this.applied = { epoch, seq, sinceMs: this.clock.monotonicMs() };
  }

  /** Throws if the relay is behind what was applied: `sync.unavailable`, and `sync.regressed` if it stays there. */
  private checkProgress(head: Frame['head'], after: Position, asOfMs: number): void {
    const isNewer = this.newestBeat.epoch !== head.epoch || head.beat > this.newestBeat.beat;
    if (head.seq >= after.seq) this.behindCount = this.lostCount = 0;
    else {
      this.behindCount++;
      const isBack = isNewer && this.newestBeat.epoch === head.epoch;
      const isLost = asOfMs - head.lagMs > this.applied.sinceMs + LOST_AFTER_MS;
      this.lostCount = isLost ? this.lostCount + 1 : 0;
      if (isBack || this.lostCount >= LOST_ANSWERS_MAX || this.behindCount >= BEHIND_ANSWERS_MAX) {
        this.behindCount = this.lostCount = 0;
        throw new GateError('sync.regressed', `seq ${head.seq} after ${after.seq}`);
      }
      throw new GateError('sync.unavailable', `the relay is behind: seq ${head.seq} after ${after.seq}`);
    }
    if (isNewer) this.newestBeat = { epoch: head.epoch, beat: head.beat };
  }
}

/** Ms after the question at which the content was as old as the head says; 0 if the relay does not say. */
function asOfHeader(value: string | readonly string[] | undefined): number {
  return typeof value === 'string' && /^-?\d{1,12}$/.test(value) ? Number(value) : 0;
}

/** Frames that stand one after the other. Throws a GateError `delta.*` or `signature.*`. */
function readFrames(bytes: Uint8Array, verifier: Verifier | undefined) {
  const frames: { readonly frame: Frame; readonly bytes: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + frameBytesAt(bytes, at);
    const own = bytes.subarray(at, end);
    frames.push({ frame: decodeFrame(own, verifier), bytes: own });
    at = end;
  }
  return frames;
}
