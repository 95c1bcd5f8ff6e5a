/**
 * Follows a set on NATS: snapshots from the object store, changes from the stream, heartbeats as they are sent.
 *
 * A heartbeat says where the ledger is and so when there is something to fetch; what is fetched comes from the stream,
 * where it cannot be lost. What lies in the stream says nothing of how fresh it is, only heartbeats do: an answer with
 * entries carries the head of the newest one.
 * @module
 */
import { rm } from 'node:fs/promises';
import { GateError } from '../core/errors.js';
import { createVerifier, decodeFrame, SNAPSHOT_BYTES_MAX, type Verifier } from '../core/suppression/index.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { linkSignals, unlessAborted } from './linked-signal.js';
import { type Beat, Beats } from './nats-beats.js';
import { type NatsLink, NatsLinks, type NatsOptions } from './nats-connect.js';
import { StreamCursor } from './nats-cursor.js';
import { NATS_HEADERS } from './nats-names.js';
import { downloadSnapshot, findSnapshot } from './nats-object.js';
import type { StoredFrame } from './nats-stream.js';
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

export interface NatsSourceOptions extends NatsOptions {
  /** Public keys (PEM, Ed25519). With one, snapshots and changes without its signature are refused. */
  readonly trustedKeys?: readonly string[] | undefined;
  readonly snapshotBytesMax?: number | undefined;
  /** Silence after which the publisher is taken to be gone. */
  readonly silenceMsMax?: number | undefined;
  readonly clock?: Clock | undefined;
}

export const SILENCE_MS_MAX = 5000;
/** How long to wait for what a heartbeat has announced, before looking again. */
const LOOK_AGAIN_MS = 50;
/** Silence after which the stream is looked at without being told to. */
const QUIET_MS = 1500;
/** Heartbeats in a row that are behind what was applied, before the ledger is taken to have gone back. */
const BEHIND_BEATS_MAX = 3;

/**
 * A set on NATS as a source. Nothing is connected before the first call. Throws an InputError for options that make no
 * sense, a GateError `signature.key`.
 * @example createNatsSource({ url: 'nats://nats.internal:4222/default', credsFile: '/run/secrets/optgate.creds' })
 */
export function createNatsSource(options: NatsSourceOptions): Source {
  return new NatsSource(options);
}

class NatsSource implements Source {
  readonly name = 'nats';
  private readonly clock: Clock;
  private readonly verifier: Verifier | undefined;
  private readonly links: NatsLinks;
  private readonly beats: Beats;
  private readonly cursor: StreamCursor;
  private readonly closing = new AbortController();
  /** The newest beat that was given out as an answer of its own. */
  private givenBeat: Beat | null = null;
  private behindCount = 0;
  private openedAtMs = 0;

  constructor(private readonly options: NatsSourceOptions) {
    this.clock = options.clock ?? systemClock;
    this.verifier = options.trustedKeys === undefined ? undefined : createVerifier(options.trustedKeys);
    this.beats = new Beats(this.clock, this.verifier);
    this.links = new NatsLinks(options, (link) => {
      this.openedAtMs = this.clock.monotonicMs();
      this.beats.listen(link, this.links.names.beat);
    });
    this.cursor = new StreamCursor(this.links.names);
  }

  async snapshot(request: SnapshotRequest): Promise<LoadedTable> {
    const { signal, unlink } = linkSignals(request.signal, this.closing.signal);
    try {
      return await this.fetch({ ...request, signal });
    } finally {
      unlink();
    }
  }

  async changes(
    after: Position,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ChangesAnswer> {
    const either = linkSignals(signal, this.closing.signal);
    try {
      return await unlessAborted(this.answer(after, waitMs, either.signal), either.signal);
    } finally {
      either.unlink();
    }
  }

  async report(report: EnforcerReport): Promise<void> {
    const link = await this.links.get();
    const body = Buffer.from(JSON.stringify(report));
    const timeout = link.manager.getOptions().timeout ?? 0;
    const answer = await link.connection.request(this.links.names.acks, body, { timeout }).catch((error: unknown) => {
      throw link.asError(error);
    });
    const code = answer.headers?.get(NATS_HEADERS.error) ?? '';
    if (code !== '') throw new GateError('sync.unavailable', /^[a-z_.]{1,64}$/.test(code) ? code : 'refused');
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.links.close();
  }

  private async fetch(request: SnapshotRequest): Promise<LoadedTable> {
    const { signal, validate } = request;
    const { names } = this.links;
    const bytesMax = this.options.snapshotBytesMax ?? SNAPSHOT_BYTES_MAX;
    const link = await unlessAborted(this.links.get(), signal);
    const stored = await unlessAborted(findSnapshot(link, names), signal);
    if (stored === null) throw new GateError('sync.unavailable', 'there is no snapshot yet');
    const path = await downloadSnapshot(link, names, stored, { ...request, bytesMax }, this.clock);
    try {
      const { share, position } = await loadSnapshot(path, { validate, signal, verifier: this.verifier, bytesMax });
      this.cursor.hint(position, stored.streamSeq);
      return { share, position, lagMs: AGE_TOLD_LATER, path };
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw error;
    }
  }

  private async answer(after: Position, waitMs: number, signal: AbortSignal): Promise<ChangesAnswer> {
    const link = await this.links.get();
    const endMs = this.clock.monotonicMs() + waitMs;
    for (let isFirst = true; ; isFirst = false) {
      const beat = this.beats.newest;
      if (beat !== null && beat.frame.head.epoch !== after.epoch) return { kind: 'snapshot', why: 'sync.epoch' };
      const isAhead = beat !== null && beat.frame.head.seq > after.seq;
      const isQuiet = beat === null || this.clock.monotonicMs() - beat.heardAtMs > QUIET_MS;
      if (isAhead || (isQuiet && isFirst)) {
        const found = await this.cursor.next(link, after, beat?.frame.head.seq ?? null);
        if (found === 'trimmed' || found === 'epoch') return { kind: 'snapshot', why: `sync.${found}` };
        if (found !== null) return this.withEntries(found, after, beat);
      } else if (beat !== null && beat !== this.givenBeat) {
        const heartbeat = this.heartbeat(beat, after);
        if (heartbeat !== null) return heartbeat;
      }
      const leftMs = endMs - this.clock.monotonicMs();
      if (leftMs <= 0 || signal.aborted) return this.nothing(link, after, isAhead, signal);
      if (isAhead) await sleep(this.clock, Math.min(leftMs, LOOK_AGAIN_MS), signal);
      else await this.beats.wait(leftMs, signal);
    }
  }

  /** A frame from the stream, under the newest head there is. */
  private withEntries({ bytes, streamSeq }: StoredFrame, after: Position, beat: Beat | null): ChangesAnswer {
    const frame = decodeFrame(bytes, this.verifier);
    const { head, entries } = frame;
    const lastSeq = entries.at(-1)?.seq;
    if (head.epoch !== after.epoch) return { kind: 'snapshot', why: 'sync.epoch' };
    if (lastSeq === undefined || lastSeq <= after.seq)
      throw new GateError('sync.protocol', 'a frame that is elsewhere');
    if ((entries[0]?.seq ?? 0) > after.seq + 1) return { kind: 'snapshot', why: 'sync.trimmed' };
    this.cursor.moveTo({ epoch: head.epoch, seq: lastSeq }, streamSeq);
    if (beat !== null && beat.frame.head.beat >= head.beat) {
      const frame = { head: beat.frame.head, entries };
      return { kind: 'frame', frame, bytes, headBytes: beat.bytes, asOfMs: beat.asOfMs };
    }
    // It may have lain in the stream for long, and nothing was heard since: its entries count, its head says nothing of
    // now. With the number of the last head it passes for no news, and the heartbeat that follows does.
    const knownBeat = beat?.frame.head.beat ?? 0;
    return {
      kind: 'frame',
      frame: { head: { ...head, beat: knownBeat }, entries },
      bytes,
      asOfMs: Number.NEGATIVE_INFINITY,
    };
  }

  /** The beat as an answer; `null` if it is behind what was applied, which a late one may be. */
  private heartbeat(beat: Beat, after: Position): ChangesAnswer | null {
    this.givenBeat = beat;
    const { frame, bytes, asOfMs } = beat;
    this.behindCount = frame.head.seq < after.seq ? this.behindCount + 1 : 0;
    if (this.behindCount === 0) return { kind: 'frame', frame, bytes, asOfMs };
    if (this.behindCount < BEHIND_BEATS_MAX) return null;
    this.behindCount = 0;
    return { kind: 'snapshot', why: 'sync.regressed' };
  }

  /** The end of a wait in which nothing came. */
  private async nothing(
    link: NatsLink,
    after: Position,
    isAhead: boolean,
    signal: AbortSignal,
  ): Promise<ChangesAnswer> {
    if (signal.aborted) throw new GateError('sync.closed');
    if (isAhead) {
      this.cursor.forget();
      // a stream that was made anew begins after its snapshot: what lies between is in there
      const position = (await findSnapshot(link, this.links.names))?.position;
      const isThere = position?.epoch === after.epoch && position.seq > after.seq;
      if (isThere) return { kind: 'snapshot', why: 'sync.trimmed' };
      throw new GateError('sync.unavailable', 'the stream is behind its heartbeats');
    }
    const { newest, failure } = this.beats;
    const silentSinceMs = Math.max(this.openedAtMs, newest?.heardAtMs ?? 0);
    const isSilent = this.clock.monotonicMs() - silentSinceMs > (this.options.silenceMsMax ?? SILENCE_MS_MAX);
    if (failure !== null) throw failure;
    if (!link.isUp) throw new GateError('sync.unavailable', 'the connection is lost');
    if (newest === null || isSilent) throw new GateError('sync.unavailable', 'no publisher is heard');
    if (newest.frame.head.seq < after.seq) throw new GateError('sync.unavailable', 'the publisher is behind');
    const { frame, bytes, asOfMs } = newest;
    return { kind: 'frame', frame, bytes, asOfMs };
  }
}
