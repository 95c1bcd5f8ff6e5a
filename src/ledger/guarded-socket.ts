/**
 * A connection that ends when the driver cannot make sense of what came over it.
 *
 * The driver parses bytes as they come, in a listener of the socket: what it throws there (a length past the end of a
 * message, a message nobody asked for) has no caller, and would end the process. Here it ends the connection, and reaches
 * whoever waits for an answer as any other broken connection does. Over TLS spoiled bytes never get that far.
 * @module
 */
import { Socket } from 'node:net';

export class GuardedSocket extends Socket {
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event !== 'data') return super.emit(event, ...values);
    try {
      return super.emit(event, ...values);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('the connection carried nonsense'));
      return true;
    }
  }
}
