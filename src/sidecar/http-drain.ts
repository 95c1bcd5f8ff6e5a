/**
 * Ends an HTTP server without cutting anyone off: who is being answered gets the answer, and is told to close.
 * @module
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections that have become idle are looked for. */
const LOOK_MS = 20;

export class HttpDrain {
  #isDraining = false;
  readonly #sockets = new Set<Socket>();

  constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      if (this.#isDraining) {
        socket.destroy(); // only where the listening socket is not closed at once
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    // before the handler, which may answer at once
    server.prependListener('request', (_request, response: ServerResponse) => {
      if (this.#isDraining) response.shouldKeepAlive = false;
    });
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Answers say that the connection ends with them; connections are still accepted. */
  announce(): void {
    this.server.prependListener('request', (_request, response: ServerResponse) => {
      response.shouldKeepAlive = false;
    });
  }

  /**
   * Takes no more connections, and resolves when none is left; those that are after `deadlineMs` are cut off. Gives how many
   * they were. `closes`: also closes the listening socket.
   */
  async drain(deadlineMs: number, { closes }: { readonly closes: boolean }): Promise<number> {
    this.#isDraining = true;
    if (closes && this.server.listening) this.server.close();
    const endMs = performance.now() + deadlineMs;
    while (this.#sockets.size > 0 && performance.now() < endMs) {
      this.server.closeIdleConnections();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const cutCount = this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
    return cutCount;
  }
}
