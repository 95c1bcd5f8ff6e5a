/**
 * Reads the body of a request, up to a limit.
 *
 * Nearly every body comes in one piece, and is handed on as it came. The pieces of another are put together in one
 * buffer; what all requests hold that way is counted and bounded.
 * @module
 */
import { GrowingBytes } from '../../growing-bytes.js';
import { type BodySink, DataRequest } from './data-request.js';
import { declaredLength, type Exchange } from './exchange.js';

const NO_BYTES = Buffer.alloc(0);

/** HOT. Calls `onBody` once with the whole body, or refuses the request. `onBody` may keep the bytes. */
export function readBody(exchange: Exchange, bytesMax: number, onBody: (bytes: Buffer) => void): void {
  const { request } = exchange;
  const declared = declaredLength(request);
  if (declared > bytesMax) {
    exchange.refuse('body.too_large');
    return;
  }
  exchange.welcome();
  if (declared === 0) {
    onBody(NO_BYTES);
    return;
  }
  const reader = new BodyReader(exchange, declared, bytesMax, onBody);
  if (request instanceof DataRequest) {
    request.pourInto(reader);
    return;
  }
  request.on('data', (piece: Buffer) => reader.piece(piece));
  request.on('end', () => reader.end());
  request.on('close', () => reader.close());
}

class BodyReader implements BodySink {
  private parts: GrowingBytes | null = null;
  private heldBytes = 0;

  constructor(
    private readonly exchange: Exchange,
    /** -1: not known. */
    private readonly declaredBytes: number,
    private readonly bytesMax: number,
    private readonly onBody: (bytes: Buffer) => void,
  ) {}

  /** HOT. */
  piece(bytes: Buffer): void {
    if (this.exchange.isDone) return;
    if (bytes.length === this.declaredBytes) this.onBody(bytes);
    else this.append(bytes);
  }

  end(): void {
    if (this.exchange.isDone || this.declaredBytes >= 0) return;
    this.onBody(this.taken());
  }

  close(): void {
    this.release();
    if (!this.exchange.request.complete) this.exchange.abandon();
  }

  private append(piece: Buffer): void {
    const { exchange } = this;
    const { plane } = exchange;
    this.parts ??= new GrowingBytes();
    const { parts } = this;
    const length = parts.length + piece.length;
    if (length > this.bytesMax || plane.heldBytes + piece.length > plane.limits.heldBytesMax) {
      this.release();
      exchange.refuse(length > this.bytesMax ? 'body.too_large' : 'busy.waiting');
      return;
    }
    parts.append(piece);
    plane.heldBytes += parts.capacity - this.heldBytes;
    this.heldBytes = parts.capacity;
    if (length === this.declaredBytes) this.onBody(this.taken());
  }

  private taken(): Buffer {
    const bytes = this.parts === null ? NO_BYTES : this.parts.take();
    this.release();
    return bytes;
  }

  /** Lets go of what is held; may be called again. */
  private release(): void {
    this.exchange.plane.heldBytes -= this.heldBytes;
    this.heldBytes = 0;
    this.parts = null;
  }
}
