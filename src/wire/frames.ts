/**
 * Cuts a stream of bytes into frames, without copying what arrives whole.
 *
 * Views that were handed out stay as they are for as long as somebody keeps them: bytes are only ever added behind them.
 * What an unfinished frame may hold grows with what has arrived of it, never with what its header promises.
 * @module
 */
import { FRAME_HEADER_BYTES } from './protocol.js';

export type FrameOutcome = 'frame' | 'more' | 'empty' | 'too_large';

const NOTHING = Buffer.alloc(0);

export class FrameSplitter {
  /** Where the frame lies that `next` found: `[start, end)` of `bytes`, without its header. */
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  private filled = 0;
  private next_ = 0;

  constructor(private readonly frameBytesMax: number) {}

  /** Bytes that came and belong to no frame yet, or to frames not taken yet. */
  get pendingBytes(): number {
    return this.filled - this.next_;
  }

  push(chunk: Buffer): void {
    const pending = this.pendingBytes;
    if (pending === 0) {
      this.bytes = chunk;
      this.next_ = 0;
      this.filled = chunk.length;
      return;
    }
    const needed = pending + chunk.length;
    if (this.filled + chunk.length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(2 * needed, this.promisedBytes())));
      this.bytes.copy(larger, 0, this.next_, this.filled);
      this.bytes = larger;
      this.next_ = 0;
      this.filled = pending;
    }
    chunk.copy(this.bytes, this.filled);
    this.filled += chunk.length;
  }

  /** HOT. Goes to the next frame, if there is a whole one. After `empty` and `too_large` there is no going on. */
  next(): FrameOutcome {
    const { bytes, next_ } = this;
    const available = this.filled - next_;
    if (available === 0) this.release();
    if (available < FRAME_HEADER_BYTES) return 'more';
    const byteCount = bytes.readUInt32BE(next_);
    if (byteCount === 0) return 'empty';
    if (byteCount > this.frameBytesMax) return 'too_large';
    if (available < FRAME_HEADER_BYTES + byteCount) return 'more';
    this.start = next_ + FRAME_HEADER_BYTES;
    this.end = this.next_ = this.start + byteCount;
    return 'frame';
  }

  /** Lets go of bytes that were all taken, so that an idle connection does not keep its longest frame. */
  private release(): void {
    this.bytes = NOTHING;
    this.next_ = 0;
    this.filled = 0;
  }

  private promisedBytes(): number {
    if (this.pendingBytes < FRAME_HEADER_BYTES) return 0;
    return FRAME_HEADER_BYTES + this.bytes.readUInt32BE(this.next_);
  }
}
