/**
 * Server-sent events: everybody hears, nobody who is slow costs memory, and all end when they have to.
 * @module
 */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ConsoleOptions } from '../../../src/sidecar/console/index.js';
import { expectProblem } from '../control-plane/stand.js';
import { PROCESS, type ServedConsole, serveConsole, signedIn, type Visitor } from './stand.js';

const opened: ServedConsole[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
async function open(options: Partial<ConsoleOptions> = {}): Promise<ServedConsole> {
  const one = await serveConsole(options);
  opened.push(one);
  return one;
}

const HEADERS = { accept: 'text/event-stream' };

interface Listener {
  readonly response: IncomingMessage;
  readonly events: string[];
  readonly ended: Promise<unknown>;
}

async function listen({ port, cookie }: Visitor): Promise<Listener> {
  const outgoing = request({ port, path: '/console/events', headers: { ...HEADERS, cookie }, agent: false }).end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const events: string[] = [];
  response.setEncoding('utf8').on('data', (text: string) => {
    for (const [, name = ''] of text.matchAll(/^event: (\w+)$/gm)) events.push(name);
  });
  const ended = new Promise((resolve) => response.once('close', resolve));
  return { response, events, ended };
}

test('the state comes at once and again, to all pages from one look', async () => {
  let lookCount = 0;
  const process = () => {
    lookCount++;
    return PROCESS;
  };
  const { port, console: served } = await open({ process, limits: { streamEveryMs: 50 } });
  const visitor = await signedIn(port);
  const listeners = await Promise.all(Array.from({ length: 8 }, () => listen(visitor)));
  for (const { response } of listeners) expect(response.headers['content-type']).toBe('text/event-stream');
  await expect.poll(() => Math.min(...listeners.map(({ events }) => events.length))).toBeGreaterThan(5);
  expect(served.counts.streams).toBe(8);
  const least = Math.max(...listeners.map(({ events }) => events.length));
  expect(lookCount).toBeLessThan(least * 3 + 20);
  for (const { response } of listeners) response.destroy();
  await expect.poll(() => served.counts.streams).toBe(0);
});

test('more pages than allowed are told so, and get in when another goes', async () => {
  const { port } = await open({ limits: { streamsMax: 1 } });
  const visitor = await signedIn(port);
  const first = await listen(visitor);
  expectProblem(await visitor.ask('GET', '/console/events', { headers: HEADERS }), 503, 'http.busy');
  first.response.destroy();
  await expect.poll(async () => (await listen(visitor)).response.statusCode).toBe(200);
});

test('a stream does not keep a session alive, and ends with it', async () => {
  let nowMs = 0;
  const limits = { sessionIdleMs: 1000, streamEveryMs: 20 };
  const { port, console: served } = await open({ limits, now: () => nowMs });
  const listener = await listen(await signedIn(port));
  await expect.poll(() => listener.events.length).toBeGreaterThan(2);
  nowMs = 1000;
  await listener.ended;
  expect(listener.events.at(-1)).toBe('signed_out');
  expect(served.counts).toEqual({ sessions: 0, streams: 0 });
});

test('who does not read is passed over, and let go in the end', async () => {
  let nowMs = 0;
  const process = () => ({ ...PROCESS, policyVersion: 'x'.repeat(100_000) });
  const limits = { streamEveryMs: 10, streamBacklogBytesMax: 1000, streamStallMs: 5000, sessionIdleMs: 1e9 };
  const { port, console: served } = await open({ process, limits, now: () => nowMs });
  const visitor = await signedIn(port);
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write(
    `GET /console/events HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\ncookie: ${visitor.cookie}\r\n\r\n`,
  );
  socket.on('error', () => {});
  await expect.poll(() => served.counts.streams).toBe(1);
  const before = memoryBytes();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(served.counts.streams).toBe(1);
  // 150 states of 100 kB would be 15 MB and more; what the system buffers is not ours
  expect(memoryBytes() - before).toBeLessThan(8e6);
  await expect
    .poll(() => {
      nowMs += 5000;
      return served.counts.streams;
    })
    .toBe(0);
  socket.destroy();
});

function memoryBytes(): number {
  return process.memoryUsage().arrayBuffers;
}

test('all end when the process does: each hears of it, and the control plane is not kept open', async () => {
  const { port, plane, console: served } = await open({ limits: { streamEveryMs: 50 } });
  const visitor = await signedIn(port);
  const listener = await listen(visitor);
  await expect.poll(() => listener.events.length).toBeGreaterThan(1);
  expect(plane.counts.inFlight).toBe(1);
  served.close();
  await listener.ended;
  expect(listener.events.at(-1)).toBe('closing');
  await plane.close();
  expectProblem(await visitor.ask('GET', '/console/events', { headers: HEADERS }), 503, 'http.closing');
});
