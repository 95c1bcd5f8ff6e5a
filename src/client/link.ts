/**
 * One connection of a client to a server: hello, requests out, answers in. It ends once, for a stated cause.
 *
 * It knows ids and bytes; what an answer means, and what to do without one, is for the client.
 * @module
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { FrameSplitter } from '../wire/frames.js';
import { MsgpackReader } from '../wire/msgpack-reader.js';
import { MsgpackWriter } from '../wire/msgpack-writer.js';
import { FRAME_KIND, type Op, PROTOCOL_VERSION, REQUEST_ID_MAX } from '../wire/protocol.js';
import type { ClientTerms } from './options.js';

/** Why a link ended: a code of the server's last word, or one of these. */
export type LinkCause =
  | 'link.connect'
  | 'link.deadline'
  | 'link.silence'
  | 'link.protocol'
  | 'link.lost'
  | 'link.closed'
  | (string & {});

export interface ServerLimits {
  readonly frameBytesMax: number;
  readonly batchItemsMax: number;
}

/** Id of the hello and of pings, which no request has. */
const OWN_ID = 0;

export interface LinkEvents {
  opened(limits: ServerLimits): void;
  answered(id: number, value: unknown): void;
  failed(id: number, error: unknown): void;
  /** The server will end: nothing more may be sent here, answers still come. */
  leaving(): void;
  ended(cause: LinkCause): void;
}

export class Link {
  private readonly socket: Socket;
  private readonly splitter: FrameSplitter;
  private readonly reader = new MsgpackReader();
  private readonly out = new MsgpackWriter();
  private readonly pending = new Set<number>();
  private lastId = OWN_ID;
  private isOpen = false;
  private hasEnded = false;
  private flushIsDue = false;
  private heardAtMs = performance.now();
  private sentAtMs = this.heardAtMs;
  private readonly connectTimer: NodeJS.Timeout;
  private readonly watchTimer: NodeJS.Timeout;

  constructor(
    private readonly terms: ClientTerms,
    private readonly events: LinkEvents,
  ) {
    this.splitter = new FrameSplitter(terms.answerBytesMax);
    const { silenceMs, keepAliveMs } = terms;
    this.connectTimer = setTimeout(() => this.end('link.deadline'), terms.connectMs);
    this.watchTimer = setInterval(() => this.watch(), Math.min(silenceMs, keepAliveMs) / 4);
    this.watchTimer.unref();
    this.socket = connectSocket({ ...terms.target, noDelay: true });
    this.socket.on('connect', () => this.greet());
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
    this.socket.on('error', () => this.end(this.isOpen ? 'link.lost' : 'link.connect'));
    this.socket.on('close', () => this.end(this.isOpen ? 'link.lost' : 'link.connect'));
  }

  /** Requests sent and not answered. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /**
   * Sends a request with the others of this turn; returns its id, or `null` where it is longer than `bytesMax`.
   * @param write Writes body and context.
   * @throws What `write` throws; nothing is sent then.
   */
  send(op: Op, elementCount: 2 | 3 | 4, bytesMax: number, write: (out: MsgpackWriter) => void): number | null {
    const { out } = this;
    const id = this.nextId();
    const start = out.byteCount;
    const frame = out.beginFrame();
    try {
      out.arrayHeader(elementCount);
      out.wholeNumber(id);
      out.text(op);
      write(out);
    } catch (error) {
      out.rewind(start);
      throw error;
    }
    if (out.endFrame(frame) > bytesMax) {
      out.rewind(start);
      return null;
    }
    this.pending.add(id);
    this.flushLater();
    return id;
  }

  /** Its answer is not waited for any longer. */
  forget(id: number): void {
    this.pending.delete(id);
  }

  end(cause: LinkCause): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.connectTimer);
    clearInterval(this.watchTimer);
    if (cause === 'link.closed') this.socket.end();
    else this.socket.destroy();
    this.events.ended(cause);
  }

  private greet(): void {
    const { out } = this;
    const frame = out.beginFrame();
    out.value([OWN_ID, 'hello', { protocol: PROTOCOL_VERSION }]);
    out.endFrame(frame);
    this.flush();
  }

  private read(chunk: Buffer): void {
    if (this.hasEnded) return;
    this.heardAtMs = performance.now();
    const { splitter } = this;
    splitter.push(chunk);
    for (;;) {
      const outcome = splitter.next();
      if (outcome === 'more') return;
      if (outcome !== 'frame') {
        this.end('link.protocol');
        return;
      }
      this.readFrame(splitter.bytes, splitter.start, splitter.end);
      if (this.hasEnded) return;
    }
  }

  private readFrame(bytes: Buffer, start: number, end: number): void {
    const { reader } = this;
    reader.reset(bytes, start, end);
    let kind = -1;
    let id = -1;
    let value: unknown;
    try {
      if (reader.arrayCount() === 3) {
        kind = reader.wholeNumber();
        id = reader.isNil() ? -1 : reader.wholeNumber();
        value = reader.value(true);
      }
    } catch {
      kind = -1;
    }
    if (kind === -1 || !reader.isAtEnd) this.end('link.protocol');
    else this.take(kind, id, value);
  }

  private take(kind: number, id: number, value: unknown): void {
    if (kind === FRAME_KIND.fatal) {
      this.end((value as { code?: string } | null)?.code ?? 'link.protocol');
    } else if (kind === FRAME_KIND.goodbye) {
      this.events.leaving();
    } else if (id === OWN_ID) {
      if (!this.isOpen) this.greeted(kind, value);
    } else if (this.pending.delete(id)) {
      if (kind === FRAME_KIND.answer) this.events.answered(id, value);
      else if (kind === FRAME_KIND.error) this.events.failed(id, value);
      else this.end('link.protocol');
    }
    // An id that nobody waits for is that of an answer that came late.
  }

  private greeted(kind: number, value: unknown): void {
    const { protocol, limits } = (value ?? {}) as { protocol?: unknown; limits?: Partial<ServerLimits> };
    const { frameBytesMax, batchItemsMax } = limits ?? {};
    const fits =
      kind === FRAME_KIND.answer &&
      protocol === PROTOCOL_VERSION &&
      typeof frameBytesMax === 'number' &&
      typeof batchItemsMax === 'number';
    if (!fits) {
      this.end('link.protocol');
      return;
    }
    this.isOpen = true;
    clearTimeout(this.connectTimer);
    this.events.opened({ frameBytesMax, batchItemsMax });
  }

  /** A server that was sent something and says nothing is as good as gone; one that was not is asked now and then. */
  private watch(): void {
    if (!this.isOpen) return;
    const nowMs = performance.now();
    if (this.owesAWord()) {
      if (nowMs - this.sentAtMs > this.terms.silenceMs) this.end('link.silence');
    } else if (nowMs - this.heardAtMs > this.terms.keepAliveMs) {
      const frame = this.out.beginFrame();
      this.out.value([OWN_ID, 'ping']);
      this.out.endFrame(frame);
      this.flush();
    }
  }

  /** Runs after everything that became possible in this turn: one write for all of it. */
  private flushLater(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    process.nextTick(() => this.flush());
  }

  private flush(): void {
    this.flushIsDue = false;
    if (this.hasEnded || this.out.byteCount === 0) return;
    if (!this.owesAWord()) this.sentAtMs = performance.now();
    this.socket.write(this.out.take());
  }

  /** Since when is {@link sentAtMs}: the first that was sent after the last that was heard. */
  private owesAWord(): boolean {
    return this.heardAtMs < this.sentAtMs;
  }

  private nextId(): number {
    do this.lastId = this.lastId === REQUEST_ID_MAX ? OWN_ID + 1 : this.lastId + 1;
    while (this.pending.has(this.lastId));
    return this.lastId;
  }
}
