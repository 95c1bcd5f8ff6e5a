/**
 * Draining an HTTP server: who still reads an answer gets all of it.
 * @module
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { HttpDrain } from '../../src/sidecar/http-drain.js';

const BODY = Buffer.alloc(16 * 1024 * 1024, 'x');

async function draining(deadlineMs: number, pauseMs: number): Promise<number> {
  const server = createServer((_request, response) => response.end(BODY));
  const drain = new HttpDrain(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  const requested = once(server, 'request');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await requested;
  let received = 0;
  socket.pause();
  setTimeout(() => socket.on('data', (piece) => (received += piece.length)).resume(), pauseMs);
  const closed = once(socket, 'close');
  drain.stopListening();
  await drain.drain(deadlineMs);
  await closed;
  return received;
}

test('a reader that is slow gets the whole answer', async () => {
  expect(await draining(60_000, 600)).toBeGreaterThan(BODY.length);
});

test('one that does not read is cut off at the deadline', async () => {
  expect(await draining(300, 1_500)).toBeLessThan(BODY.length);
});
