/**
 * Writes the stream of changes. Every message says which one it comes after, and the server takes it only there: so two
 * writers cannot interleave, and what was written twice is there once. After any doubt the stream itself says how far it is.
 * @module
 */
import type { PubAck } from '@nats-io/jetstream';
import { GateError } from '../core/errors.js';
import { ENTRY_HEADER_BYTES, FRAME_HEADER_BYTES } from '../core/suppression/delta.js';
import {
  type Entry,
  encodeFrame,
  FRAME_BYTES_MAX,
  type Frame,
  type Head,
  type Signer,
} from '../core/suppression/index.js';
import type { Clock } from './clock.js';
import type { NatsLink } from './nats-connect.js';
import { NATS_HEADERS, type NatsNames } from './nats-names.js';
import { ChangeStream } from './nats-stream.js';
import type { Position } from './source.js';

/** Of a message, for subject and headers. */
const HEADERS_BYTES = 1024;
/** Of a frame, besides its entries: header, signature, checksum. */
const FRAME_EXTRA_BYTES = FRAME_HEADER_BYTES + 128;
const DUPLICATE_WINDOW_MS = 120_000;
const NS_PER_MS = 1_000_000;
/** Codes of the JetStream API. */
const WRONG_LAST_SEQUENCE = 10071;
const STREAM_FULL = 10077;

/** Another one has written, or what was written is not known: what the stream holds has to be read anew. */
export class Fenced extends Error {}
/** The stream has no room before something is removed from it. */
export class StreamFull extends Error {}

export interface WriterOptions {
  readonly signer: Signer | undefined;
  readonly streamBytesMax: number;
  readonly replicas: number;
  readonly publisherId: string;
  readonly clock: Clock;
}

export class ChangeWriter {
  /** What the stream holds; `null`: nothing. */
  position: Position | null = null;
  /** Place of the last message. */
  lastStreamSeq = 0;
  readonly stream: ChangeStream;

  constructor(
    private readonly link: NatsLink,
    private readonly names: NatsNames,
    private readonly options: WriterOptions,
  ) {
    this.stream = new ChangeStream(link, names);
  }

  /** Makes the stream if it is not there, and reads how far it is. Throws a GateError. */
  async open(): Promise<void> {
    await this.ensureStream();
    const last = await this.stream.last();
    this.position = last === null ? null : { epoch: last.epoch, seq: last.lastSeq };
    this.lastStreamSeq = last?.streamSeq ?? 0;
  }

  /** Begins after a snapshot: what the stream holds is removed. */
  async restart(position: Position): Promise<void> {
    await this.ask(() => this.link.manager.streams.purge(this.names.stream));
    this.position = position;
    this.lastStreamSeq = 0; // that is what the server expects where there is no message
  }

  /**
   * Writes the entries of a frame that go on where the stream ends; returns how many bytes. Throws {@link Fenced},
   * {@link StreamFull} or a GateError; some of the entries may then be written.
   */
  async append({ head, entries }: Frame, asOfMs: number): Promise<number> {
    let bytes = 0;
    for (const some of this.portions(entries)) bytes += await this.write(this.aged(head, asOfMs), some);
    return bytes;
  }

  /** Sends a heartbeat. */
  beat(head: Head, asOfMs: number): void {
    const { connection, headers, isUp } = this.link;
    if (!isUp) return; // it would lie there until there is a connection again
    const fields = headers();
    fields.set(NATS_HEADERS.publisher, this.options.publisherId);
    const bytes = encodeFrame({ head: this.aged(head, asOfMs), entries: [] }, this.options.signer);
    fields.set(NATS_HEADERS.clock, this.options.clock.monotonicMs().toFixed(3));
    connection.publish(this.names.beat, bytes, { headers: fields });
  }

  /** Removes what lies before a place, but never the last message: it is the fence. */
  async trim(keepFromStreamSeq: number): Promise<void> {
    const seq = Math.min(keepFromStreamSeq, this.lastStreamSeq);
    if (seq > 1) await this.ask(() => this.link.manager.streams.purge(this.names.stream, { seq }));
  }

  /** Bytes in the stream, and when its oldest message was stored, by the clock of the server. Throws a GateError. */
  async state(): Promise<{ readonly bytes: number; readonly firstSeq: number; readonly firstAtMs: number }> {
    const { state } = await this.ask(() => this.link.manager.streams.info(this.names.stream));
    return { bytes: state.bytes, firstSeq: state.first_seq, firstAtMs: Date.parse(state.first_ts) };
  }

  private async write(head: Head, entries: readonly Entry[]): Promise<number> {
    const [first, last] = [entries[0]?.seq ?? 0, entries.at(-1)?.seq ?? 0];
    const fields = this.link.headers();
    fields.set(NATS_HEADERS.epoch, head.epoch);
    fields.set(NATS_HEADERS.first, String(first));
    fields.set(NATS_HEADERS.last, String(last));
    const bytes = encodeFrame({ head, entries }, this.options.signer);
    const fence = this.lastStreamSeq;
    let ack: PubAck;
    try {
      ack = await this.link.jetstream.publish(this.names.changes, bytes, {
        headers: fields,
        msgID: `${head.epoch}.${first}.${last}.${fence}`,
        expect: { lastSubjectSequence: fence, streamName: this.names.stream },
      });
    } catch (error) {
      const code = (error as { readonly code?: unknown } | null)?.code;
      if (code === WRONG_LAST_SEQUENCE) throw new Fenced();
      if (code === STREAM_FULL) throw new StreamFull();
      throw this.link.asError(error);
    }
    if (ack.duplicate) throw new Fenced();
    this.lastStreamSeq = ack.seq;
    this.position = { epoch: head.epoch, seq: last };
    return bytes.length;
  }

  /** Entries as they fit into messages. Throws a GateError if the server takes none that large. */
  private *portions(entries: readonly Entry[]): Generator<readonly Entry[]> {
    const bytesMax = Math.min(this.link.payloadBytesMax - HEADERS_BYTES, FRAME_BYTES_MAX) - FRAME_EXTRA_BYTES;
    let portion: Entry[] = [];
    let bytes = 0;
    for (const entry of entries) {
      const entryBytes = ENTRY_HEADER_BYTES + entry.changes.length;
      if (entryBytes > bytesMax) {
        const needed = entryBytes + FRAME_EXTRA_BYTES + HEADERS_BYTES;
        throw new GateError('sync.protocol', `max_payload of the server is too small: ${needed} bytes are needed`);
      }
      if (bytes + entryBytes > bytesMax) {
        yield portion;
        [portion, bytes] = [[], 0];
      }
      portion.push(entry);
      bytes += entryBytes;
    }
    if (portion.length > 0) yield portion;
  }

  private aged(head: Head, asOfMs: number): Head {
    return { ...head, lagMs: Math.ceil(head.lagMs + Math.max(0, this.options.clock.monotonicMs() - asOfMs)) };
  }

  private async ensureStream(): Promise<void> {
    const { manager } = this.link;
    const { streamBytesMax, replicas } = this.options;
    const limits = { max_bytes: streamBytesMax, num_replicas: replicas };
    const info = await manager.streams.info(this.names.stream).catch((error: unknown) => {
      if ((error as Error).name === 'StreamNotFoundError') return null;
      throw this.link.asError(error);
    });
    if (info === null) {
      await this.ask(() =>
        manager.streams.add({
          ...limits,
          name: this.names.stream,
          subjects: [this.names.changes],
          description: 'optgate changes',
          allow_direct: true,
          // the server must not drop what no snapshot holds: it refuses, and the publisher makes room
          discard: 'new',
          duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
        }),
      );
    } else if (info.config.max_bytes !== streamBytesMax || info.config.num_replicas !== replicas) {
      await this.ask(() => manager.streams.update(this.names.stream, limits));
    }
  }

  private async ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.link.asError(error);
    }
  }
}
