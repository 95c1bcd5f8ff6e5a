/**
 * Bad input over real sockets: each is a stated error or a closed connection, and the next client is served as before.
 * @module
 */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { encode } from '@msgpack/msgpack';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { head, OF_OPTED_OUT, PLAIN, type Stand, startStand } from './stand.js';

const MSGPACK = { 'content-type': 'application/msgpack' };
const MIB = 1024 * 1024;
const good = JSON.stringify(PLAIN);
const goodPost = (...headers: readonly string[]) =>
  head('/v1/check', `content-length: ${good.length}`, ...headers) + good;

let stand: Stand;
beforeAll(async () => {
  stand = await startStand({ limits: { lingerMs: 10_000 } });
});
afterAll(() => stand.close());
beforeEach(() => {
  stand.desk.refusals.length = 0;
  stand.desk.isShedding = false;
});
afterEach(async () => {
  expect(await (await stand.post('/v1/check', good)).json()).toMatchObject({ action: 'allow' });
  expect(stand.faults).toEqual([]);
});

async function refusal(path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await stand.post(path, body, headers);
  const problem = (await response.json()) as { code: string; status: number; title: string; item?: number };
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(response.status);
  expect(stand.desk.refusals).toContain(problem.code);
  return `${response.status} ${problem.code}`;
}

const deep = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
const deepPacked = (levels: number) =>
  Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from('imp'), Buffer.alloc(levels, 0x91), Buffer.from([0xc0])]);

test.each<[string, string | Uint8Array, Record<string, string>, string]>([
  ['no JSON', '{"imp":[', {}, '400 json.invalid'],
  ['empty', '', {}, '400 json.invalid'],
  ['garbage', Buffer.from('a31fdc0000c1', 'hex'), {}, '400 json.not_utf8'],
  [
    'invalid UTF-8 in a string',
    Buffer.from([...Buffer.from('{"imp":["'), 0xc3, 0x28, ...Buffer.from('"]}')]),
    {},
    '400 json.not_utf8',
  ],
  ['100 k brackets left open', '['.repeat(100_000), {}, '400 json.invalid'],
  ['an array', '[]', {}, '422 request.invalid'],
  ['a number', '1', {}, '422 request.invalid'],
  ['no bid request', '{"id":"1"}', {}, '422 request.invalid'],
  ['no msgpack', 'imp', MSGPACK, '400 msgpack.malformed'],
  ['a type that is never used', Buffer.from([0xc1]), MSGPACK, '400 msgpack.malformed'],
  ['msgpack cut off', encode(PLAIN).slice(0, -1), MSGPACK, '400 msgpack.malformed'],
  ['two values of msgpack', Buffer.concat([encode(PLAIN), encode(PLAIN)]), MSGPACK, '400 msgpack.malformed'],
  ['an array of 2^32-1', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), MSGPACK, '400 msgpack.malformed'],
  ['a text of 2^32-1 bytes', Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff]), MSGPACK, '400 msgpack.malformed'],
  ['msgpack nested 100 k deep', deepPacked(100_000), MSGPACK, '400 msgpack.too_deep'],
  ['a key twice', Buffer.from([0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2]), MSGPACK, '400 msgpack.key'],
  ['bytes in msgpack', encode({ imp: [], device: { ifa: new Uint8Array(16) } }), MSGPACK, '400 msgpack.type'],
  ['msgpack, invalid UTF-8', Buffer.from([0x81, 0xa2, 0xc3, 0x28, 1]), MSGPACK, '400 msgpack.not_utf8'],
  ['msgpack of no bid request', encode({ id: '1' }), MSGPACK, '422 request.invalid'],
  ['a form', good, { 'content-type': 'application/x-www-form-urlencoded' }, '415 content_type.unknown'],
  ['another charset', good, { 'content-type': 'application/json; charset=utf-16' }, '415 content_type.unknown'],
  ['lines where there are none', good, { 'content-type': 'application/x-ndjson' }, '415 content_type.unknown'],
  ['compressed', good, { 'content-encoding': 'gzip' }, '415 content_encoding.unknown'],
  ['too large', ' '.repeat(MIB + 1), {}, '413 body.too_large'],
])('%s', async (_name, body, headers, expected) => {
  expect(await refusal('/v1/check', body, headers)).toBe(expected);
  expect(await refusal('/v1/filter', body, headers)).toBe(expected);
});

test('nesting of 100 k is decided on as the library does, and passed on only where it was allowed as it came', async () => {
  const body = `{"imp":[${deep(100_000, '[', ']')}],"device":{"ifa":"${OF_OPTED_OUT.device.ifa}"}}`;
  const check = await stand.post('/v1/check', body);
  expect(await check.json()).toEqual(JSON.parse(JSON.stringify(stand.gate.check(JSON.parse(body)))));
  const filter = await stand.post('/v1/filter', body);
  expect(filter.headers.get('optgate-action')).toBe('restrict');
  expect(await filter.text()).not.toContain(OF_OPTED_OUT.device.ifa);
});

test('of a key that stands twice the last counts, and nothing of the first goes out', async () => {
  const { ifa } = OF_OPTED_OUT.device;
  const hidden = `{"imp":[],"device":{"ifa":"${ifa}"},"device":{"ua":"x"}}`;
  const shown = `{"imp":[],"device":{"ua":"x"},"device":{"ifa":"${ifa}"}}`;
  expect(await (await stand.post('/v1/check', shown)).json()).toMatchObject({ reasons: ['suppressed.maid'] });
  for (const body of [hidden, shown]) {
    expect(await (await stand.post('/v1/filter', body)).text()).not.toContain(ifa);
  }
});

test('paths and methods that are none', async () => {
  expect(await refusal('/v1/chek', good)).toBe('404 path.unknown');
  expect(await refusal('/v1/check/', good)).toBe('404 path.unknown');
  expect(await refusal('/', good)).toBe('404 path.unknown');
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    const response = await fetch(`http://127.0.0.1:${stand.port}/v1/check`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    const text = await response.text();
    if (method === 'HEAD') expect(text).toBe('');
    else expect(JSON.parse(text)).toMatchObject({ code: 'method.not_allowed' });
  }
  const absolute = await stand.raw(goodPost('connection: close').replace('/v1/check', 'http://gate.example/v1/check'));
  expect(absolute).toMatch(/^HTTP\/1\.1 200 /);
});

test('a connection goes on after errors, and pipelined requests are answered in order', async () => {
  const bad = `${head('/v1/check', 'content-length: 1')}x`;
  const unknown = `${head('/nothing', 'content-length: 2')}{}`;
  const typed = head('/v1/check', 'content-type: text/plain', `content-length: ${good.length}`) + good;
  const get = 'GET /v1/check HTTP/1.1\r\nhost: x\r\n\r\n';
  const answers = await stand.raw(bad + goodPost() + unknown + typed + get + goodPost('connection: close'));
  const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  expect(statuses).toEqual(['400', '200', '404', '415', '405', '200']);
});

test('a body in any pieces is one body', async () => {
  const bytes = [...good].map((character) => `1\r\n${character}\r\n`).join('');
  const chunked = head('/v1/check', 'transfer-encoding: chunked', 'connection: close');
  expect(await stand.raw(`${chunked}${bytes}0\r\n\r\n`)).toContain('"action":"allow"');
  const split = head('/v1/check', `content-length: ${good.length}`, 'connection: close');
  expect(await stand.raw(split, 20, good.slice(0, 9), 20, good.slice(9))).toContain('"action":"allow"');
  expect(await stand.raw(`${chunked}0\r\n\r\n`)).toContain('json.invalid');
  const large = JSON.stringify({ ...PLAIN, ext: 'x'.repeat(MIB - 200) });
  expect(await (await stand.post('/v1/check', large)).json()).toMatchObject({ action: 'allow' });
});

/** Writes 100 MB, declared or in chunks, and returns what the server said. */
async function send100Megabytes(path: string, headers: Record<string, string>): Promise<string> {
  const request = httpRequest({ port: stand.port, path, method: 'POST', headers });
  const answered = once(request, 'response');
  const piece = Buffer.alloc(64 * 1024, ' ');
  const pieces = function* () {
    for (let sent = 0; sent < 100 * MIB; sent += piece.length) yield piece;
  };
  const sent = pipeline(Readable.from(pieces()), request).catch(() => {}); // it may be hung up on before all is sent
  const [response] = await answered;
  let text = '';
  for await (const part of response) text += part;
  await sent;
  return text;
}

test('100 MB, declared and in chunks, are refused, and the refusal arrives', async () => {
  const rssBefore = process.memoryUsage.rss();
  const declared = await send100Megabytes('/v1/check', { 'content-length': String(100 * MIB) });
  const chunked = await send100Megabytes('/v1/filter', { 'transfer-encoding': 'chunked' });
  expect([declared, chunked].map((text) => JSON.parse(text).code)).toEqual(['body.too_large', 'body.too_large']);
  expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(80 * MIB);
  const lines = await send100Megabytes('/v1/check-batch', {
    'content-type': 'application/x-ndjson',
    'transfer-encoding': 'chunked',
  });
  const [last] = lines.trimEnd().split('\n').reverse();
  expect(JSON.parse(last ?? '')).toMatchObject({ error: { code: 'body.too_large' } });
});

test('a client that asks before it sends is told at once', async () => {
  const asking = 'expect: 100-continue';
  const welcome = stand.raw(head('/v1/check', asking, `content-length: ${good.length}`, 'connection: close'), 50, good);
  expect(await welcome).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  const refused = await stand.raw(head('/v1/check', asking, `content-length: ${100 * MIB}`));
  expect(refused).toMatch(/^HTTP\/1\.1 413 /);
  const batch = stand.raw(
    head('/v1/check-batch', asking, `content-length: ${good.length}`, 'connection: close'),
    50,
    good,
  );
  expect(await batch).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

test('bodies that are cut off', async () => {
  const cut = async (path: string, ...headers: string[]) => {
    const socket = connect(stand.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`${head(path, ...headers)}5\r\n{"imp\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.end();
    await once(socket.resume(), 'close');
  };
  await cut('/v1/check', 'content-length: 500');
  await expect.poll(() => stand.desk.refusals, { timeout: 10_000 }).toEqual(['body.incomplete']);
  await cut('/v1/filter', 'transfer-encoding: chunked');
  await cut('/v1/check-batch', 'content-type: application/x-ndjson', 'transfer-encoding: chunked');
  await cut('/v1/check-batch', 'content-type: application/msgpack', 'content-length: 500');
  await expect.poll(() => stand.desk.refusals, { timeout: 10_000 }).toEqual(Array(4).fill('body.incomplete'));
});

test('headers and bodies that come a byte at a time are cut off in time', async () => {
  const slow = await startStand({
    server: { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 },
  });
  const lines = 'content-type: application/x-ndjson';
  const [headers, dripping, silent, batch] = await Promise.all([
    slow.raw('POST /v1/check HTTP/1.1\r\nhost: x\r\nx-a: '),
    slow.raw(head('/v1/check', 'content-length: 500'), ...Array(8).fill(['{', 100]).flat()),
    slow.raw(head('/v1/lookup', 'content-length: 500')),
    slow.raw(head('/v1/check-batch', lines, 'content-length: 500'), `${good}\n`),
  ]);
  for (const text of [headers, dripping, silent]) expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"http.timeout"/);
  // In the midst of an answer there is nothing that can be said.
  expect(batch.split('"action":"allow"').length).toBe(2);
  expect(batch).not.toContain('http.timeout');
  await expect.poll(() => slow.desk.refusals.toSorted()).toEqual(['body.incomplete', ...Array(3).fill('http.timeout')]);
  await slow.close();
});

test('what is no HTTP', async () => {
  expect(await stand.raw('\0\x01garbage\r\n\r\n')).toContain('"code":"http.malformed"');
  expect(await stand.raw(Buffer.alloc(5_000, 0xff))).toContain('"code":"http.malformed"');
  expect(await stand.raw(head('/v1/check', `x-long: ${'x'.repeat(20_000)}`))).toContain(
    '"code":"http.headers_too_large"',
  );
  const smuggled = head('/v1/check', 'content-length: 5', 'transfer-encoding: chunked');
  expect(await stand.raw(`${smuggled}0\r\n\r\n`)).toContain('"code":"http.malformed"');
});

test('a server with too much work says so before it reads', async () => {
  stand.desk.isShedding = true;
  const answers = await stand.raw(goodPost() + goodPost() + goodPost('connection: close'));
  expect(answers.match(/HTTP\/1\.1 503 /g)?.length).toBe(3);
  expect(answers.match(/retry-after: 1\r\n/g)?.length).toBe(3);
  expect(answers).toContain('"code":"busy.shedding"');
  expect(stand.desk.refusals).toEqual(Array(3).fill('busy.shedding'));
  stand.desk.isShedding = false;
});
