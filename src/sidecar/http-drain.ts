/**
 * Ends an HTTP server without cutting anyone off: who is being answered gets the answer, and is told to close.
 *
 * A client that sends one request after the other on a connection must not find it closed between two of them: idle
 * connections are closed only when they have been given the time to hear that they should close themselves.
 * @module
 */
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/** How long connections are left alone that have nothing under way. */
export const IDLE_GRACE_MS = 100;
const LOOK_MS = 20;

export class HttpDrain {
  readonly #sockets = new Set<Socket>();
  #isEnding = false;
  #isClosed = false;

  constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      // where the listening socket belongs to several threads it is not closed at once
      if (this.#isClosed) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** From now on answers say that the connection ends with them; connections are still accepted. */
  announce(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    // before the handler, which may answer at once
    for (const event of ['request', 'checkContinue']) {
      this.server.prependListener(event, (_request: unknown, response: ServerResponse) => {
        response.shouldKeepAlive = false;
      });
    }
  }

  /** Closes the listening socket. Not by the server's own `close`, which would cut idle connections at once. */
  stopListening(): void {
    if (this.server.listening) NetServer.prototype.close.call(this.server);
  }

  /** Takes no more connections, and resolves when none is left; those that are after `deadlineMs` are cut off. */
  async drain(deadlineMs: number): Promise<void> {
    this.announce();
    this.#isClosed = true;
    const startMs = performance.now();
    const agedMs = () => performance.now() - startMs;
    while (this.#sockets.size > 0 && agedMs() < deadlineMs) {
      if (agedMs() >= IDLE_GRACE_MS) this.closeIdle();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections that were opened ahead of need count as idle here; to Node they are requests that have not begun. */
  private closeIdle(): void {
    // To Node a connection is idle once `end` was called, though the client may still be reading.
    for (const socket of this.#sockets) if (socket.writableLength > 0) return;
    this.server.closeIdleConnections();
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
