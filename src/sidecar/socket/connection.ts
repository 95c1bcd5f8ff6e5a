/**
 * One client of the socket door: bytes in, answers out, one write for all that one read brought.
 *
 * What must stay true: whatever a client sends costs that client its connection at most; what is kept of it is bounded;
 * every frame with an id is answered once, or the connection ends and says why.
 * @module
 */
import type { Socket } from 'node:net';
import type { ConnectionErrorCode } from '../../wire/errors.js';
import { type FrameOutcome, FrameSplitter } from '../../wire/frames.js';
import { MsgpackFault, MsgpackReader } from '../../wire/msgpack-reader.js';
import { MsgpackWriter } from '../../wire/msgpack-writer.js';
import { type Op, PROTOCOL_VERSION, REQUEST_ID_MAX } from '../../wire/protocol.js';
import type { Operation } from '../door.js';
import { beginAnswer, fatalFrame, goodbyeFrame, writeError } from './answers.js';
import type { RequestContext } from './context.js';
import type { ConnectionHost } from './host.js';
import { answer, type Message, type OperationTerms, readOp } from './operations.js';
import { RequestFault } from './request-fault.js';

/** Operations a desk takes the time of. */
const TIMED: Readonly<Partial<Record<Op, Operation>>> = {
  check: 'check',
  check_batch: 'check',
  filter: 'filter',
  lookup: 'lookup',
};

/** One for all: a message is read and answered in one go, and a reader keeps what it read last. */
const reader = new MsgpackReader();

type State = 'new' | 'open' | 'ending' | 'closed';

export class SocketConnection {
  private state: State = 'new';
  private readonly splitter: FrameSplitter;
  private readonly out = new MsgpackWriter();
  private readonly waiting = new Set<number>();
  private readonly timed: Operation[] = [];
  private readonly openedAtMs: number;
  private lastByteAtMs: number;
  /** When the frame was begun that is not finished. */
  private frameSinceMs: number | null = null;
  private pausedSinceMs: number | null = null;
  private endingSinceMs: number | null = null;
  /** Bytes the host counts as held by the unfinished frame. */
  private heldBytes = 0;
  private flushIsDue = false;
  private clientEnded = false;
  private drainingSinceMs: number | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    private readonly terms: OperationTerms,
  ) {
    this.splitter = new FrameSplitter(host.limits.frameBytesMax);
    this.openedAtMs = this.lastByteAtMs = host.clock.monotonicMs();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('drain', () => this.resume());
    socket.on('end', () => this.clientHasEnded());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.closed());
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Tells the client that the server will end, and ends when nothing is left to answer. */
  drain(nowMs: number): void {
    if (this.drainingSinceMs !== null || this.state === 'ending' || this.state === 'closed') return;
    this.drainingSinceMs = nowMs;
    this.flush();
    this.socket.write(goodbyeFrame());
  }

  /** Ends what has taken too long. */
  sweep(nowMs: number): void {
    const { limits } = this.host;
    if (this.state === 'ending') {
      const patienceMs = this.socket.writableLength > 0 ? Math.max(limits.outputMs, limits.lingerMs) : limits.lingerMs;
      if (this.endingSinceMs !== null && nowMs - this.endingSinceMs > patienceMs) this.socket.destroy();
      return;
    }
    if (this.pausedSinceMs !== null) {
      if (nowMs - this.pausedSinceMs <= limits.outputMs) return;
      this.host.refused('deadline.output');
      this.socket.destroy(); // a reason would only stand behind the answers that are not taken
      return;
    }
    const overdue = this.overdue(nowMs);
    if (overdue !== null) {
      this.fail(overdue);
    } else if (this.drainingSinceMs !== null && this.waiting.size === 0) {
      const quietSinceMs = Math.max(this.drainingSinceMs, this.lastByteAtMs);
      if (nowMs - quietSinceMs > limits.drainQuietMs) this.end();
    }
  }

  private overdue(nowMs: number): ConnectionErrorCode | null {
    const { limits } = this.host;
    if (this.state === 'new' && nowMs - this.openedAtMs > limits.handshakeMs) return 'deadline.handshake';
    if (this.frameSinceMs !== null && nowMs - this.frameSinceMs > limits.frameMs) return 'deadline.frame';
    if (this.waiting.size === 0 && nowMs - this.lastByteAtMs > limits.idleMs) return 'deadline.idle';
    return null;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** HOT. */
  private read(chunk: Buffer): void {
    if (this.state === 'ending' || this.state === 'closed') return;
    this.lastByteAtMs = this.host.clock.monotonicMs();
    this.splitter.push(chunk);
    this.answerFrames();
  }

  /** HOT. Answers every whole frame there is, until the client has to take answers first. */
  private answerFrames(): void {
    const { splitter, host } = this;
    const beganAtMs = this.frameSinceMs ?? this.lastByteAtMs;
    let outcome: FrameOutcome = 'more';
    let frameCount = 0;
    while (this.pausedSinceMs === null) {
      outcome = splitter.next();
      if (outcome !== 'frame') break;
      frameCount++;
      this.answerFrame(splitter.bytes, splitter.start, splitter.end);
      if (this.isEnding()) return;
      if (this.out.byteCount + this.socket.writableLength > host.limits.outputBytesMax) this.pause();
    }
    this.flush(beganAtMs);
    if (outcome === 'empty') this.fail('frame.empty');
    else if (outcome === 'too_large') this.fail('frame.too_large');
    else if (!this.hold(splitter.pendingBytes)) this.fail('frame.memory');
    if (splitter.pendingBytes === 0) this.frameSinceMs = null;
    else if (frameCount > 0 || this.frameSinceMs === null) this.frameSinceMs = this.lastByteAtMs;
    if (this.clientEnded) this.endIfDone();
  }

  /** HOT. */
  private answerFrame(bytes: Buffer, start: number, end: number): void {
    reader.reset(bytes, start, end);
    let elementCount = 0;
    let id = -1;
    try {
      elementCount = reader.arrayCount();
      if (elementCount >= 2 && elementCount <= 4) id = reader.wholeNumber();
    } catch {
      // the id stays as it is
    }
    if (id < 0 || id > REQUEST_ID_MAX) {
      this.fail('frame.malformed');
    } else if (this.waiting.size > 0 && this.waiting.has(id)) {
      this.fail('id.in_use');
    } else {
      this.answerMessage(id, { reader, bytes, end, elementCount, hasWaited: false }, start);
    }
  }

  /** HOT. The id is read. */
  private answerMessage(id: number, message: Message, start: number): void {
    const op = readOp(message.reader, message.bytes);
    if (this.state === 'new' && !this.greets(op, message.elementCount)) return;
    if (op === null) {
      this.refuse(id, new RequestFault('op.unknown'));
    } else if (this.terms.desk.isShedding && TIMED[op] !== undefined) {
      this.refuse(id, new RequestFault('busy.shedding'));
    } else {
      const wait = this.attempt(op, id, message);
      if (wait !== null) this.waitFor(wait, op, id, message, start);
    }
  }

  /** The first frame says which version of the protocol the client speaks. */
  private greets(op: Op | null, elementCount: number): boolean {
    if (op !== 'hello') {
      this.fail('protocol.hello_expected');
      return false;
    }
    const at = reader.at;
    let protocol: unknown;
    try {
      const body = elementCount < 3 ? null : reader.value();
      protocol = (body as { protocol?: unknown } | null)?.protocol;
    } catch {
      protocol = undefined;
    }
    reader.at = at;
    if (protocol !== PROTOCOL_VERSION) {
      this.fail('protocol.version');
      return false;
    }
    this.state = 'open';
    return true;
  }

  /** HOT. Writes the answer or the error; a context to wait with, if the request wants to. */
  private attempt(op: Op, id: number, message: Message): RequestContext | null {
    const { out, host } = this;
    const frame = beginAnswer(out, id);
    try {
      const wait = answer(op, message, out, this.terms);
      if (wait !== null) {
        out.rewind(frame);
        return wait;
      }
      if (out.endFrame(frame) > host.limits.answerBytesMax) throw new RequestFault('answer.too_large');
    } catch (error) {
      out.rewind(frame);
      this.refuse(id, error);
    }
    const timed = TIMED[op];
    if (timed !== undefined) this.timed.push(timed);
    return null;
  }

  /** Answers once the table has reached what the request asks for, or its patience is at an end. */
  private waitFor(context: RequestContext, op: Op, id: number, message: Message, start: number): void {
    const { host, terms } = this;
    const byteCount = message.end - start;
    if (this.waiting.size >= host.limits.inFlightMax || !host.hold(byteCount)) {
      this.refuse(id, new RequestFault('busy.waiting'));
      return;
    }
    const kept = Buffer.from(message.bytes.subarray(start, message.end)); // it is a view of something larger
    const sinceMs = this.lastByteAtMs;
    this.waiting.add(id);
    void terms.desk.reach(context.check.minSeq ?? '', context.waitMs).then(() => {
      host.release(byteCount);
      this.waiting.delete(id);
      if (this.state !== 'open') return;
      reader.reset(kept, 0, byteCount);
      reader.arrayCount();
      reader.wholeNumber();
      readOp(reader, kept);
      this.attempt(op, id, { ...message, reader, bytes: kept, end: byteCount, hasWaited: true });
      this.flushSoon(sinceMs);
    });
  }

  private refuse(id: number, error: unknown): void {
    const { out, host } = this;
    if (error instanceof RequestFault) {
      writeError(out, id, error.code, error.field);
      host.refused(error.code);
    } else if (error instanceof MsgpackFault) {
      writeError(out, id, error.code);
      host.refused(error.code);
    } else {
      writeError(out, id, 'internal');
      host.failed(error);
    }
  }

  /** HOT. One write for all that was answered. */
  private flush(beganAtMs = this.lastByteAtMs): void {
    const { out, timed } = this;
    if (out.byteCount > 0 && this.state !== 'closed') this.socket.write(out.take());
    if (timed.length === 0) return;
    const durationMs = this.host.clock.monotonicMs() - beganAtMs;
    for (let index = 0; index < timed.length; index++) this.terms.desk.answered('socket', timed[index]!, durationMs);
    timed.length = 0;
  }

  /** Answers that come one by one, when the table moves on, leave together at the end of this turn. */
  private flushSoon(sinceMs: number): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    setImmediate(() => {
      this.flushIsDue = false;
      if (this.state !== 'open') return;
      this.flush(sinceMs);
      if (this.clientEnded) this.endIfDone();
    });
  }

  private pause(): void {
    this.flush();
    if (!this.socket.writableNeedDrain) return; // nothing would say when to go on
    this.pausedSinceMs = this.host.clock.monotonicMs();
    this.socket.pause();
  }

  private resume(): void {
    if (this.pausedSinceMs === null || this.isEnding()) return;
    this.pausedSinceMs = null;
    this.lastByteAtMs = this.host.clock.monotonicMs();
    this.answerFrames();
    if (this.pausedSinceMs === null && !this.isEnding()) this.socket.resume();
  }

  /** Sees to it that the host knows how many bytes the unfinished frame holds; false if that is too many. */
  private hold(byteCount: number): boolean {
    if (byteCount === this.heldBytes) return true;
    this.host.release(this.heldBytes);
    this.heldBytes = 0;
    if (!this.host.hold(byteCount)) return false;
    this.heldBytes = byteCount;
    return true;
  }

  /** Says why, and ends. What was answered before goes out before. */
  private fail(code: ConnectionErrorCode): void {
    if (this.isEnding()) return;
    this.host.refused(code);
    this.flush();
    this.socket.write(fatalFrame(code));
    this.end();
  }

  /** Goes on reading for a moment: a socket closed with bytes unread may take back what was written to it. */
  private end(): void {
    if (this.isEnding()) return;
    this.state = 'ending';
    this.endingSinceMs = this.host.clock.monotonicMs();
    this.hold(0);
    this.socket.end();
    this.socket.resume();
  }

  private clientHasEnded(): void {
    this.clientEnded = true;
    this.endIfDone();
  }

  private endIfDone(): void {
    if (this.isEnding()) {
      this.socket.destroySoon();
    } else if (this.waiting.size === 0 && this.pausedSinceMs === null) {
      this.flush();
      this.end();
      this.socket.destroySoon();
    }
  }

  private isEnding(): boolean {
    return this.state === 'ending' || this.state === 'closed';
  }

  private closed(): void {
    this.state = 'closed';
    this.hold(0);
    this.host.closed(this);
  }
}
