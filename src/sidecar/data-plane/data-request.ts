/**
 * A request as the servers of a data plane make them.
 * @module
 */
import { IncomingMessage } from 'node:http';

/** Takes what the parser found, as it finds it. */
export interface BodySink {
  piece(bytes: Buffer): void;
  end(): void;
  /** The request is over, whole or not. */
  close(): void;
}

/**
 * A request whose body can be taken without a stream between the parser and us. Measured: 0.8 us less a request, of 8 us
 * that node:http takes without the system. Without a sink it is as any other.
 */
export class DataRequest extends IncomingMessage {
  private sink: BodySink | null = null;

  /** From now on the body goes to the sink; with `null` it is a stream's again. */
  pourInto(sink: BodySink | null): void {
    this.sink = sink;
  }

  /** HOT. Called by the parser of node:http with each piece, and with `null` in the end. */
  override push(piece: Buffer | null): boolean {
    const { sink } = this;
    if (sink === null) return super.push(piece);
    if (piece === null) sink.end();
    else sink.piece(piece);
    return true;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { sink } = this;
    this.sink = null;
    super._destroy(error, done);
    sink?.close();
  }
}
