/**
 * One attempt over a real socket: what is sent, where it goes, and what of the answer counts.
 * @module
 */
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Lookup, post, signatureOf } from '../../src/webhooks/index.js';
import { answerWith, type Receiver, startReceiver } from './receiver.js';

const KNOWN = '3090f954c37938e70824aaf9a208b3d0826ce15ec4a840385d62ca283b91f73a';

let receiver: Receiver | undefined;
afterEach(async () => receiver?.close());

const send = (url: string, more: object = {}) =>
  post({ url, allowPrivate: true, headers: { 'X-Test': '1' }, body: '{"a":"é"}', ...more });

test('a body of UTF-8 with its length, one connection for each, no keeping alive', async () => {
  receiver = await startReceiver();
  expect(await send(receiver.url)).toEqual({ kind: 'answered', status: 204, retryAfterMs: null });
  expect(receiver.received[0]).toMatchObject({
    text: '{"a":"é"}',
    headers: { 'x-test': '1', 'content-length': '10', connection: 'close' },
  });
});

test('the connection goes to the address that was judged, however often the name changes its mind', async () => {
  receiver = await startReceiver();
  let looks = 0;
  // the first answer is where the receiver is; a second look would lead elsewhere
  const lookup: Lookup = async () => [{ address: ++looks === 1 ? '127.0.0.1' : '127.9.9.9', family: 4 }];
  const url = `http://crm.example.com:${receiver.port}/x`;
  expect(await send(url, { lookup })).toMatchObject({ status: 204 });
  expect([looks, receiver.received[0]?.headers.host]).toEqual([1, `crm.example.com:${receiver.port}`]);
});

test('a name with one private address among public ones is not connected to', async () => {
  receiver = await startReceiver();
  const lookup: Lookup = async () => [
    { address: '93.184.216.34', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  const url = `http://crm.example.com:${receiver.port}/`;
  expect(await send(url, { lookup, allowPrivate: false })).toEqual({ kind: 'failed', reason: 'address' });
  const metadata: Lookup = async () => [{ address: '169.254.169.254', family: 4 }];
  expect(await send(url, { lookup: metadata })).toEqual({ kind: 'failed', reason: 'address' });
  expect(await send(receiver.url, { allowPrivate: false })).toEqual({ kind: 'failed', reason: 'address' });
  expect(receiver.received).toHaveLength(0);
});

test('redirects are answers, and are not followed', async () => {
  const other = await startReceiver();
  receiver = await startReceiver(answerWith(307, { location: other.url }));
  expect(await send(receiver.url)).toMatchObject({ status: 307 });
  expect(other.received).toHaveLength(0);
  await other.close();
});

test('Retry-After: seconds, a date, and what is neither', async () => {
  const now = () => Date.parse('2026-11-26T10:00:00Z');
  const waits: (number | null)[] = [];
  for (const value of ['120', 'Thu, 26 Nov 2026 10:00:30 GMT', 'Thu, 26 Nov 2026 09:00:00 GMT', 'soon']) {
    receiver = await startReceiver(answerWith(503, { 'retry-after': value }));
    const result = await send(receiver.url, { now });
    waits.push(result.kind === 'answered' ? result.retryAfterMs : Number.NaN);
    await receiver.close();
  }
  receiver = undefined;
  expect(waits).toEqual([120_000, 30_000, 0, null]);
});

test('the status counts also where the answer never ends, or is endless', async () => {
  receiver = await startReceiver((_, response) => {
    response.writeHead(200);
    const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
    response.on('close', () => clearInterval(more));
  });
  expect(await send(receiver.url)).toMatchObject({ kind: 'answered', status: 200 });
});

test('no answer in time, nobody there, no such name, told to stop', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const url = `http://127.0.0.1:${port}/`;
  expect(await send(url, { attemptMsMax: 50 })).toEqual({ kind: 'failed', reason: 'timeout' });
  expect(await send(url, { signal: AbortSignal.abort() })).toEqual({ kind: 'failed', reason: 'closed' });
  await new Promise((resolve) => silent.close(resolve));
  expect(await send(url)).toEqual({ kind: 'failed', reason: 'connection' });
  const lookup = () => Promise.reject(new Error('no such name'));
  expect(await send('http://crm.example.com/', { lookup })).toEqual({ kind: 'failed', reason: 'name' });
  const never = () => new Promise<never>(() => {});
  const late = await send('http://crm.example.com/', { lookup: never, attemptMsMax: 50 });
  expect(late).toEqual({ kind: 'failed', reason: 'timeout' });
});

test('an answer that changes the protocol, and a connection that ends without one', async () => {
  for (const answer of ['HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', '']) {
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => (answer === '' ? socket.destroy() : socket.write(answer)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ kind: 'failed', reason: 'connection' });
    await new Promise((resolve) => server.close(resolve));
  }
});

test('TLS to somebody who speaks none', async () => {
  receiver = await startReceiver();
  expect(await send(receiver.url.replace('http:', 'https:'))).toMatchObject({ kind: 'failed', reason: 'tls' });
});

test('one signature for each secret', () => {
  // HMAC-SHA256("s1", "1700000000.{}"), by openssl
  expect(signatureOf(['s1'], 1_700_000_000, '{}')).toBe(`v1=${KNOWN}`);
  expect(signatureOf(['s2', 's1'], 1_700_000_000, '{}')).toMatch(new RegExp(`^v1=[0-9a-f]{64}, v1=${KNOWN}$`));
});
