/**
 * A consumer on a real socket: keeps what it is sent, and answers what the test says.
 * @module
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what is there
  readonly json: any;
}

export type Answering = (received: Received, response: ServerResponse, index: number) => void;

export const accept: Answering = (_, response) => void response.writeHead(204).end();
export const answerWith =
  (status: number, headers: Record<string, string> = {}): Answering =>
  (_, response) =>
    void response.writeHead(status, headers).end();

export type Receiver = Awaited<ReturnType<typeof startReceiver>>;

/** Listens on 127.0.0.1; `port` 0: one that the system chooses. `tls`: its key and certificate. */
export async function startReceiver(
  answering: Answering = accept,
  port = 0,
  tls: { readonly key: Buffer; readonly cert: Buffer } | null = null,
) {
  const received: Received[] = [];
  const state = { answering };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString('utf8');
      const one = { headers: request.headers, text, json: JSON.parse(text) };
      received.push(one);
      state.answering(one, response, received.length - 1);
    });
  };
  const server = tls === null ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    received,
    port: address.port,
    url: `${tls === null ? 'http' : 'https'}://127.0.0.1:${address.port}/hook`,
    kinds: () => received.map(({ json }) => json.event as string),
    answer: (next: Answering) => {
      state.answering = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The signature as the document says it, written anew. */
export function signed(secret: string, { headers, text }: Received): string {
  const timestamp = headers['x-optgate-timestamp'];
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${text}`).digest('hex')}`;
}
