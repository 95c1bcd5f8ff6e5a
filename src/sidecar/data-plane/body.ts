/**
 * Reads the body of a request, up to a limit.
 *
 * Nearly every body comes in one piece, and is handed on as it came. The pieces of another are put together in one
 * buffer; what all requests hold that way is counted and bounded.
 * @module
 */
import { GrowingBytes } from '../../growing-bytes.js';
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
  let parts: PartialBody | null = null;
  request.on('data', (piece: Buffer) => {
    if (exchange.isDone) return;
    if (parts === null && piece.length === declared) {
      onBody(piece);
      return;
    }
    parts ??= new PartialBody(exchange, bytesMax);
    if (parts.append(piece) && parts.length === declared) onBody(parts.take());
  });
  if (declared < 0) request.on('end', () => !exchange.isDone && onBody(parts === null ? NO_BYTES : parts.take()));
  request.on('close', () => {
    parts?.release();
    if (!request.complete) exchange.abandon();
  });
}

class PartialBody {
  private readonly bytes = new GrowingBytes();
  private heldBytes = 0;

  constructor(
    private readonly exchange: Exchange,
    private readonly bytesMax: number,
  ) {}

  get length(): number {
    return this.bytes.length;
  }

  /** False: the request was refused. */
  append(piece: Buffer): boolean {
    const { exchange, bytes } = this;
    const { plane } = exchange;
    const length = bytes.length + piece.length;
    if (length > this.bytesMax || plane.heldBytes + piece.length > plane.limits.heldBytesMax) {
      this.release();
      exchange.refuse(length > this.bytesMax ? 'body.too_large' : 'busy.waiting');
      return false;
    }
    bytes.append(piece);
    plane.heldBytes += bytes.capacity - this.heldBytes;
    this.heldBytes = bytes.capacity;
    return true;
  }

  take(): Buffer {
    const taken = this.bytes.take();
    this.release();
    return taken;
  }

  /** Lets go of what is held; may be called again. */
  release(): void {
    this.exchange.plane.heldBytes -= this.heldBytes;
    this.heldBytes = 0;
    this.bytes.clear();
  }
}
