/**
 * Bodies and bytes from somebody who means no good: each is a stated refusal or a closed connection, and the next client is
 * served as before.
 * @module
 */
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasRepeatedKeys } from '../../../src/core/openrtb/repeated-keys.js';
import { ask, expectProblem, openTestLedger, SECRET, type Served, serve, type TestLedger, TOKENS } from './stand.js';

let own: TestLedger;
let served: Served;
const opened: Served[] = [];
beforeAll(async () => {
  own = await openTestLedger();
  served = await serve({ ledger: own.ledger });
});
afterAll(async () => {
  await served?.close();
  await own?.close();
});
/** Whatever was done to it, it serves the next one, and nothing is left over. */
afterEach(async () => {
  for (const one of [served, ...opened.splice(0)]) {
    expect((await ask(one.port, 'GET', '/v1/status')).json).toEqual({ state: 'live' });
    await expect.poll(() => one.plane.counts.inFlight, { timeout: 30_000 }).toBe(0);
    expect(one.events.filter(({ kind }) => kind === 'failed')).toEqual([]);
    if (one !== served) await one.close();
  }
});

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (body: string | Uint8Array, headers: Record<string, string> = JSON_TYPE) =>
  ask(served.port, 'POST', '/v1/opt-outs', { body, headers });
const GOOD = `{"identifiers":[{"kind":"email","value":"${SECRET}"}],"channel":"api"`;

describe('JSON', () => {
  test.each([
    ['nothing', '', 'json.invalid'],
    ['half of it', GOOD, 'json.invalid'],
    ['more after it', `${GOOD}}x`, 'json.invalid'],
    ['a number that is none', '{"channel":NaN}', 'json.invalid'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'json.not_utf8'],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'json.not_utf8'],
    ['garbage', Buffer.alloc(1000, 0x91), 'json.not_utf8'],
    ['a name twice', `${GOOD},"rights":["sale"],"rights":["share"]}`, 'json.duplicate_key'],
    ['a name twice, spelt differently', `${GOOD},"chann\\u0065l":"gpc"}`, 'json.duplicate_key'],
    ['a name twice within', '{"identifiers":[{"kind":"maid","value":"1","value":"2"}]}', 'json.duplicate_key'],
  ])('%s', async (_, body, code) => {
    expectProblem(await post(body), 400, code);
  });

  test.each([
    ['arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, ''],
    ['objects', `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`, ''],
    [
      'a list within identifiers',
      `{"channel":"api","identifiers":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'identifiers[0]',
    ],
  ])('%s nested deeper than anything', async (_, body, field) => {
    const { json, status } = await post(body);
    expect([status, json.code.split('.')[0]]).toEqual([422, 'input']);
    if (field !== '') expect(json.field).toBe(field);
  });

  test.each([
    `${GOOD},"__proto__":{"scope":"device"}}`,
    `{"channel":"api","identifiers":[{"kind":"email","value":"x@example.com","__proto__":{"isAdmin":true}}]}`,
    `${GOOD},"constructor":{"prototype":{"isAdmin":true}}}`,
  ])('names of prototypes are unknown fields: %#', async (body) => {
    expectProblem(await post(body), 422, 'input.unknown');
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test('a file that parses and is no request, of 100,000 wrong items', async () => {
    expectProblem(await post(`{"channel":"api","identifiers":[${'1,'.repeat(100_000)}1]}`), 422, 'input.too_many');
  });

  test.each([
    ['none', {}],
    ['text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['almost', { 'content-type': 'application/jsonp' }],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }],
    ['compressed', { ...JSON_TYPE, 'content-encoding': 'gzip' }],
  ])('a content type of %s: 415', async (_, headers) => {
    expectProblem(await post(`${GOOD}}`, headers as Record<string, string>), 415, 'http.media_type');
  });
  test('the charset may be said', async () => {
    const answer = await post(`${GOOD}}`, { 'content-type': 'Application/JSON; charset="UTF-8"' });
    expect(answer.status).toBe(201);
  });
});

describe('size and time', () => {
  test('a little too large: 413, which its sender gets to read, on a connection that goes on', async () => {
    const answer = await post(Buffer.alloc(262_145, 0x20));
    expectProblem(answer, 413, 'http.too_large', { detail: 'expected at most 262144 bytes' });
    expect((await post(Buffer.alloc(262_144, 0x20))).json.code).toBe('json.invalid');
  });

  test.each([
    ['with its length', { 'content-length': String(100 * 2 ** 20) }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('100 MB %s: refused early, nothing is kept', async (_, lengths) => {
    const headers = { ...JSON_TYPE, ...lengths, authorization: `Bearer ${TOKENS.intake}` };
    const before = process.memoryUsage().arrayBuffers;
    const { status, sentBytes } = await pour(served.port, headers, 100 * 2 ** 20);
    expect([413, 'reset']).toContain(status);
    expect(sentBytes).toBeLessThan(50 * 2 ** 20);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });

  test('100 MB from somebody without a token', async () => {
    const { status } = await pour(served.port, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, 100 * 2 ** 20);
    expect([401, 'reset']).toContain(status);
  });

  test('cut off: the request is not made', async () => {
    const { seq } = await own.ledger.head();
    const outgoing = request({
      port: served.port,
      method: 'POST',
      path: '/v1/opt-outs',
      headers: { ...JSON_TYPE, authorization: `Bearer ${TOKENS.intake}`, 'content-length': '1000' },
    });
    outgoing.on('error', () => {});
    outgoing.write(`${GOOD}}`);
    await expect.poll(() => served.plane.counts.inFlight).toBe(1);
    served.events.length = 0;
    outgoing.destroy();
    await expect.poll(() => served.plane.counts.inFlight).toBe(0);
    expect(served.events).toMatchObject([{ kind: 'answered', operationId: 'recordOptOut', status: null }]);
    expect((await own.ledger.head()).seq).toBe(seq);
  });

  test('slow: 408, and the connection is closed', async () => {
    const slow = await serve({ ledger: own.ledger, limits: { jsonBodyMs: 300 } });
    opened.push(slow);
    const head = `POST /v1/opt-outs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.intake}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
    const answer = await exchange(slow.port, head, { drip: '{', everyMs: 20 });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer).toContain('"http.timeout"');
  });
});

test.each(['GET /v1/status', 'DELETE /v1/enforcers/x', 'GET /nothing', 'PATCH /v1/status'])(
  '%s with a body that never comes: answered, and the connection is closed',
  async (line) => {
    const head = `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.operator}\r\nContent-Length: 100\r\n\r\n`;
    expect(await exchange(served.port, head)).toMatch(/^HTTP\/1\.1 \d\d\d [\s\S]*connection: close/i);
  },
);

describe('bytes that are no HTTP', () => {
  test.each([
    ['garbage', '\u0000\u0001\u0002garbage\r\n\r\n'],
    [
      'a header in two lines',
      `GET /v1/status HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nAuthorization: Bearer ${TOKENS.operator}\r\n\r\n`,
    ],
    ['a header that is too large', `GET /v1/status HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['two lengths', `POST /v1/opt-outs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}`],
    [
      'a length and chunks',
      `POST /v1/opt-outs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['no host', `GET /v1/status HTTP/1.1\r\n\r\n`],
  ])('%s: 4xx', async (_, bytes) => {
    expect(await exchange(served.port, bytes)).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
  test.each(['OPTIONS *', 'GET http://other.example/v1/status', 'GET ../../etc/passwd'])('%s', async (line) => {
    expect(await exchange(served.port, `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 4\d\d /,
    );
  });
});

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', false],
  ['{"a":"{\\"a\\":1,\\"a\\":2}","b":"\\\\","c":","}', false],
  ['["a","a",{"a":"a","b":"a"}]', false],
  ['{"__proto__":1,"constructor":2,"toString":3}', false],
  ['"a"', false],
  ['{"":1,"":2}', true],
  ['{"a":[{"b":1},{"b":1,"c":{},"b":2}]}', true],
  ['{"a":{},"a":1}', true],
  ['{"\\u0061":1,"a":2}', true],
])('a name twice in %s: %s', (text, expected) => expect(hasRepeatedKeys(text, JSON.parse(text))).toBe(expected));

/** Sends bytes until there is an answer or an end. */
function pour(port: number, headers: Record<string, string>, bytes: number) {
  return new Promise<{ readonly status: number | 'reset' | undefined; readonly sentBytes: number }>((resolve) => {
    const piece = Buffer.alloc(65_536, 0x20);
    const outgoing = request({ port, method: 'POST', path: '/v1/opt-outs', headers, agent: false });
    let sentBytes = 0;
    let isOver = false;
    const end = (status: number | 'reset' | undefined) => {
      isOver = true;
      resolve({ status, sentBytes });
      outgoing.destroy();
    };
    outgoing.on('response', ({ statusCode }) => end(statusCode)).on('error', () => end('reset'));
    const more = () => {
      while (!isOver && sentBytes < bytes) {
        sentBytes += piece.length;
        if (!outgoing.write(piece)) return void outgoing.once('drain', more);
      }
      if (!isOver) outgoing.end();
    };
    more();
  });
}

/** Sends bytes as they are, and gives all that comes back until the connection is closed. */
async function exchange(port: number, bytes: string, slow?: { readonly drip: string; readonly everyMs: number }) {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  while (slow !== undefined && !socket.destroyed && text === '') {
    socket.write(slow.drip);
    await sleep(slow.everyMs);
  }
  const isClosed = await Promise.race([closed.then(() => true), sleep(20_000).then(() => false)]);
  socket.destroy();
  if (!isClosed) throw new Error('the connection was not closed');
  return text;
}
