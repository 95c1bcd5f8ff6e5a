/**
 * The relay as anyone sees it over HTTP, with a client that knows nothing of it.
 * @module
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createSigner,
  createVerifier,
  decodeFrame,
  decodeSnapshot,
  type Frame,
  frameBytesAt,
  type Verifier,
} from '../../src/core/suppression/index.js';
import { ReferenceLedger } from '../reference/feed.js';
import { type HttpStand, type HttpStandOptions, loaded, openHttpStand, writeRound } from './http-stand.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly tookMs: number;
}

const stands: HttpStand[] = [];
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.close();
});

async function open(options: HttpStandOptions = {}, rounds = 5): Promise<HttpStand> {
  const ledger = options.ledger ?? new ReferenceLedger();
  for (let round = 0; round < rounds; round++) writeRound(ledger, round);
  const stand = await openHttpStand({ ...options, ledger });
  stands.push(stand);
  return stand;
}

function ask(
  { port }: HttpStand,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...rest }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(pieces), tookMs: performance.now() - startMs });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function framesOf({ body }: Answer, verifier?: Verifier): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + frameBytesAt(body, at);
    frames.push(decodeFrame(body.subarray(at, end), verifier));
    at = end;
  }
  return frames;
}

function expectProblem({ status, headers, body }: Answer, expectedStatus: number, code: string) {
  expect(status).toBe(expectedStatus);
  expect(headers['content-type']).toBe('application/problem+json');
  const problem = JSON.parse(body.toString('utf8'));
  expect(problem).toMatchObject({ type: 'about:blank', status, code });
  expect(problem.title).toMatch(/\w/);
  return problem;
}

const keys = generateKeyPairSync('ed25519');
const signer = createSigner(keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
const verifier = createVerifier([keys.publicKey.export({ type: 'spki', format: 'pem' }).toString()]);

describe('GET /v1/snapshot', () => {
  test('is the newest snapshot, and says what it is', async () => {
    const stand = await open();
    const { status, headers, body } = await ask(stand, '/v1/snapshot');
    expect(status).toBe(200);
    const table = decodeSnapshot(body);
    expect(table.stateDigest).toBe(stand.ledger.tableAt(table.seq).stateDigest);
    expect(headers).toMatchObject({
      'content-length': String(body.length),
      'accept-ranges': 'bytes',
      'optgate-epoch': table.epoch,
      'optgate-seq': String(table.seq),
      'optgate-entries': String(table.entryCount),
    });
    expect(headers.etag).toBe(`"${createHash('sha256').update(body).digest('hex')}"`);
    expect(headers['repr-digest']).toBe(`sha-256=:${createHash('sha256').update(body).digest('base64')}:`);
  });

  test('HEAD has the same head and no body', async () => {
    const stand = await open();
    const [head, whole] = [await ask(stand, '/v1/snapshot', { method: 'HEAD' }), await ask(stand, '/v1/snapshot')];
    expect(head.status).toBe(200);
    expect(head.body).toHaveLength(0);
    expect({ ...head.headers, date: '' }).toEqual({ ...whole.headers, date: '' });
  });

  test('If-None-Match: 304 for the same one only', async () => {
    const stand = await open();
    const { headers } = await ask(stand, '/v1/snapshot');
    const { etag = '' } = headers;
    for (const value of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
      const answer = await ask(stand, '/v1/snapshot', { headers: { 'if-none-match': value } });
      expect(answer, value).toMatchObject({ status: 304, body: Buffer.alloc(0) });
      expect(answer.headers.etag).toBe(etag);
    }
    expect((await ask(stand, '/v1/snapshot', { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  test('ranges', async () => {
    const stand = await open();
    const { body: whole, headers } = await ask(stand, '/v1/snapshot');
    const { etag = '' } = headers;
    const size = whole.length;
    const served: [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=100-199', 100, 200],
      [`bytes=${size - 5}-`, size - 5, size],
      ['bytes=-7', size - 7, size],
      [`bytes=5-${size * 3}`, 5, size],
      [`bytes=-${size * 3}`, 0, size],
    ];
    for (const [range, from, to] of served) {
      const answer = await ask(stand, '/v1/snapshot', { headers: { range, 'if-range': etag } });
      expect(answer.status, range).toBe(206);
      expect(answer.headers['content-range'], range).toBe(`bytes ${from}-${to - 1}/${size}`);
      expect(answer.body.equals(whole.subarray(from, to)), range).toBe(true);
    }
    for (const range of [`bytes=${size}-`, 'bytes=-0']) {
      const answer = await ask(stand, '/v1/snapshot', { headers: { range } });
      expectProblem(answer, 416, 'http.range');
      expect(answer.headers['content-range']).toBe(`bytes */${size}`);
    }
    const ignored = ['bytes=1-2,4-5', 'bytes=5-4', 'bytes=-', 'bytes=a-', 'lines=1-2'];
    for (const range of ignored) expect((await ask(stand, '/v1/snapshot', { headers: { range } })).status).toBe(200);
  });

  test('If-Range of another snapshot: the whole of this one', async () => {
    const stand = await open();
    for (const ifRange of ['"x"', 'W/"x"', 'Tue, 24 Nov 2026 00:00:00 GMT']) {
      const headers = { range: 'bytes=10-', 'if-range': ifRange };
      expect((await ask(stand, '/v1/snapshot', { headers })).status, ifRange).toBe(200);
    }
  });

  test('is made anew, and who reads the one before reads it to its end', async () => {
    const stand = await open({ feed: { snapshotEveryMs: 100 } });
    const before = await ask(stand, '/v1/snapshot');
    // asks, and takes nothing for now
    const socket = connect(stand.port, '127.0.0.1');
    socket.write('GET /v1/snapshot HTTP/1.0\r\n\r\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    writeRound(stand.ledger, 77);
    await expect
      .poll(async () => (await ask(stand, '/v1/snapshot', { method: 'HEAD' })).headers.etag)
      .not.toBe(before.headers.etag);
    const pieces: Buffer[] = [];
    for await (const piece of socket) pieces.push(piece as Buffer);
    const raw = Buffer.concat(pieces);
    expect(raw.subarray(raw.indexOf('\r\n\r\n') + 4).equals(before.body)).toBe(true);
  });

  test('no more at a time than the limit, and one who takes nothing is let go of', async () => {
    const ledger = new ReferenceLedger();
    // larger than what the sockets take unread, or nothing would stall
    for (let key = 1000; key < 1400; key++) {
      const writes = Array.from({ length: 1000 }, (_, index) => ({ key: key * 1000 + index, rights: 1 }));
      ledger.write(writes);
    }
    const feed = await open({ ledger, relay: { limits: { downloadCountMax: 1, stallMs: 300 } } });
    const socket = connect(feed.port, '127.0.0.1');
    socket.write('GET /v1/snapshot HTTP/1.1\r\nhost: x\r\n\r\n');
    socket.pause();
    await expect.poll(() => feed.relay.counts.downloads).toBe(1);
    const refused = await ask(feed, '/v1/snapshot');
    expectProblem(refused, 503, 'http.busy');
    expect(refused.headers['retry-after']).toBe('1');
    await expect.poll(() => feed.relay.counts.downloads, { timeout: 30_000 }).toBe(0);
    socket.destroy();
    expect((await ask(feed, '/v1/snapshot')).status).toBe(200);
  });
});

describe('GET /v1/changes', () => {
  const at = (stand: HttpStand, seq: number) => `${stand.ledger.epoch}.${seq}`;

  test('entries after a position, at once, and the head', async () => {
    const stand = await open({ feed: { snapshotEveryMs: 1e9 } });
    const { seq } = stand.ledger;
    for (let round = 0; round < 3; round++) writeRound(stand.ledger, round);
    await expect.poll(() => stand.feed.head?.seq).toBe(seq + 3);
    const answer = await ask(stand, `/v1/changes?after=${at(stand, seq)}&wait=20000`);
    expect(answer.status).toBe(200);
    expect(answer.tookMs).toBeLessThan(10_000);
    expect(answer.headers['content-type']).toBe('application/vnd.optgate.delta');
    const [frame] = framesOf(answer);
    expect(frame?.entries.map((entry) => entry.seq)).toEqual([seq + 1, seq + 2, seq + 3]);
    expect(frame?.head).toMatchObject({ epoch: stand.ledger.epoch, seq: seq + 3 });
    const later = await ask(stand, `/v1/changes?after=${at(stand, seq + 2)}`);
    expect(framesOf(later).flatMap(({ entries }) => entries.map((entry) => entry.seq))).toEqual([seq + 3]);
  });

  test('waits for an entry, and no longer', async () => {
    const stand = await open();
    const { seq } = stand.ledger;
    const waiting = ask(stand, `/v1/changes?after=${at(stand, seq)}&wait=20000`);
    await expect.poll(() => stand.relay.counts.polls).toBe(1);
    await sleep(200);
    writeRound(stand.ledger, 3);
    const answer = await waiting;
    expect(framesOf(answer)[0]?.entries.map((entry) => entry.seq)).toEqual([seq + 1]);
    expect(answer.tookMs).toBeLessThan(10_000);
    expect(stand.relay.counts.polls).toBe(0);
  });

  test('a heartbeat when nothing comes: newer each time, with the age at the moment it is given', async () => {
    const stand = await open();
    const path = `/v1/changes?after=${at(stand, stand.ledger.seq)}&wait=400`;
    const [first, second] = [await ask(stand, path), await ask(stand, path)];
    for (const { tookMs, headers } of [first, second]) {
      expect(tookMs).toBeGreaterThan(390);
      expect(tookMs).toBeLessThan(10_000);
      const asOfMs = Number(headers['optgate-as-of-ms']);
      expect(asOfMs).toBeGreaterThan(390);
      expect(asOfMs).toBeLessThanOrEqual(tookMs);
    }
    const [a, b] = [framesOf(first)[0], framesOf(second)[0]];
    expect(a?.entries).toEqual([]);
    expect(b?.head.beat).toBeGreaterThan(a?.head.beat ?? Number.NaN);
    expect(b?.head.lagMs).toBeLessThan(2000);
  });

  test('while the ledger does not answer the age grows, and says so', async () => {
    const stand = await open();
    stand.ledger.isHanging = true;
    const ageMs = async () => {
      const answer = await ask(stand, `/v1/changes?after=${at(stand, stand.ledger.seq)}`);
      return (framesOf(answer)[0]?.head.lagMs ?? 0) - Number(answer.headers['optgate-as-of-ms']);
    };
    await expect.poll(ageMs, { timeout: 10_000 }).toBeGreaterThan(1200);
    stand.ledger.isHanging = false;
  });

  test('limit, and many frames one after the other', async () => {
    const stand = await open({ relay: { limits: { frameBytesMax: 300 } }, feed: { snapshotEveryMs: 1e9 } });
    const { seq } = stand.ledger;
    for (let round = 0; round < 20; round++) writeRound(stand.ledger, round);
    await expect.poll(() => stand.feed.head?.seq).toBe(seq + 20);
    const seqs = (answer: Answer) => framesOf(answer).flatMap(({ entries }) => entries.map((entry) => entry.seq));
    const all = await ask(stand, `/v1/changes?after=${at(stand, seq)}`);
    expect(framesOf(all).length).toBeGreaterThan(3);
    expect(seqs(all)).toEqual(Array.from({ length: 20 }, (_, index) => seq + 1 + index));
    expect(seqs(await ask(stand, `/v1/changes?after=${at(stand, seq)}&limit=7`))).toHaveLength(7);
  });

  test('410 where the changes are gone, 409 for another history, with the one there is', async () => {
    const stand = await open({ feed: { ringBytesMax: 2000, snapshotEveryMs: 200 } });
    const { seq } = stand.ledger;
    for (let round = 0; round < 60; round++) writeRound(stand.ledger, round);
    const gone = `/v1/changes?after=${at(stand, seq)}`;
    await expect.poll(async () => (await ask(stand, gone)).status, { timeout: 10_000 }).toBe(410);
    expect(expectProblem(await ask(stand, gone), 410, 'sync.trimmed')).toMatchObject({ epoch: stand.ledger.epoch });
    const another = await ask(stand, `/v1/changes?after=other.1&wait=20000`);
    expect(another.tookMs).toBeLessThan(10_000);
    expect(expectProblem(another, 409, 'sync.epoch')).toMatchObject({ epoch: stand.ledger.epoch, seq: seq + 60 });
  });

  test('whoever loads the snapshot finds what comes after it, however small the memory', async () => {
    const stand = await open({ feed: { ringBytesMax: 1000, snapshotEveryMs: 1e9 } });
    for (let round = 0; round < 150; round++) {
      writeRound(stand.ledger, round);
      if (round % 5 === 0) await sleep(10);
      const { headers } = await ask(stand, '/v1/snapshot', { method: 'HEAD' });
      const answer = await ask(stand, `/v1/changes?after=${headers['optgate-epoch']}.${headers['optgate-seq']}`);
      // a newer snapshot may have taken its place between the two questions
      const { headers: after } = await ask(stand, '/v1/snapshot', { method: 'HEAD' });
      if (after.etag === headers.etag) expect(answer.status, `round ${round}`).toBe(200);
    }
  });

  test('503 while nothing is loaded', async () => {
    const ledger = new ReferenceLedger();
    ledger.failure = 'ledger.unavailable';
    const stand = await open({ ledger, isLoaded: false });
    for (const path of ['/v1/snapshot', '/v1/changes?after=epoch-1.0&wait=20000']) {
      const answer = await ask(stand, path);
      expectProblem(answer, 503, 'sync.unavailable');
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.tookMs).toBeLessThan(10_000);
    }
    await expect.poll(() => stand.failures.map(({ code }) => code)).toContain('ledger.unavailable');
    ledger.failure = null;
    await loaded(stand.feed);
    expect((await ask(stand, '/v1/snapshot')).status).toBe(200);
  });

  test('another history is served when its snapshot is there, not before', async () => {
    const stand = await open();
    const before = stand.ledger.epoch;
    const build = stand.ledger.buildTable.bind(stand.ledger);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stand.ledger.buildTable = async (signal) => {
      await held;
      return build(signal);
    };
    stand.ledger.rotateEpoch();
    await sleep(1200);
    const { headers } = await ask(stand, '/v1/snapshot', { method: 'HEAD' });
    expect(headers['optgate-epoch']).toBe(before);
    const old = await ask(stand, `/v1/changes?after=${before}.${stand.ledger.seq}`);
    expect(old.status).toBe(200);
    expect(framesOf(old)[0]?.head.lagMs).toBeGreaterThan(900);
    release();
    await expect.poll(() => stand.feed.head?.epoch).toBe(stand.ledger.epoch);
    const answer = await ask(stand, '/v1/snapshot', { method: 'HEAD' });
    expect(answer.headers['optgate-epoch']).toBe(stand.ledger.epoch);
  });

  test('no more waiting at a time than the limit; close ends the waits', async () => {
    const stand = await open({ relay: { limits: { pollCountMax: 2 } } });
    const path = `/v1/changes?after=${at(stand, stand.ledger.seq)}&wait=20000`;
    const waiting = [ask(stand, path), ask(stand, path)];
    await expect.poll(() => stand.relay.counts.polls).toBe(2);
    expectProblem(await ask(stand, path), 503, 'http.busy');
    stand.relay.close();
    for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject({ status: 200 });
  });

  test('who hangs up is no longer waited for', async () => {
    const stand = await open();
    const socket = connect(stand.port, '127.0.0.1');
    socket.write(`GET /v1/changes?after=${at(stand, stand.ledger.seq)}&wait=20000 HTTP/1.1\r\nhost: x\r\n\r\n`);
    await expect.poll(() => stand.relay.counts.polls).toBe(1);
    socket.destroy();
    await expect.poll(() => stand.relay.counts.polls).toBe(0);
  });

  test.each([
    '',
    '?after=',
    '?after=1',
    '?after=e.-1',
    '?after=e.1e3',
    '?after=e.99999999999999999',
    '?after=e.1&wait=-1',
    '?after=e.1&wait=x',
    '?after=e.1&limit=0',
    '?after=e.1&after=e.2',
    '?after=e.1&secret=jane@example.com',
  ])('400 for %j, which is not repeated', async (query) => {
    const stand = await open();
    const answer = await ask(stand, `/v1/changes${query}`);
    expectProblem(answer, 400, 'http.bad_request');
    expect(answer.body.toString()).not.toContain('jane');
  });

  test('frames and snapshots are signed where there is a key', async () => {
    const stand = await open({ relay: { signer }, feed: { signer } });
    const answer = await ask(stand, `/v1/changes?after=${at(stand, stand.ledger.seq)}`);
    expect(framesOf(answer, verifier)).toHaveLength(1);
    const { body } = await ask(stand, '/v1/snapshot');
    expect(decodeSnapshot(new Uint8Array(body), { verifier }).seq).toBe(stand.ledger.seq);
  });
});

describe('POST /v1/acks', () => {
  const report = {
    id: 'pod-7',
    name: 'pod 7, Zürich',
    role: 'sidecar',
    version: '0.1.0',
    leaseMs: 30_000,
    position: { epoch: 'epoch-1', seq: 5 },
    appliedAgeMs: 1_700,
    state: 'live',
    isLeaving: false,
  };
  const post = (stand: HttpStand, body: string | Buffer, type = 'application/json') =>
    ask(stand, '/v1/acks', { method: 'POST', headers: { 'content-type': type }, body });

  test('is passed on as it came', async () => {
    const stand = await open();
    expect((await post(stand, JSON.stringify(report), 'application/json; charset=utf-8')).status).toBe(204);
    expect(stand.ledger.reports).toEqual([report]);
  });

  test.each<[string, unknown]>([
    ['no object', [1]],
    ['an id with a space', { ...report, id: 'a b' }],
    ['a role that is none', { ...report, role: 'admin' }],
    ['no lease', { ...report, leaseMs: undefined }],
    ['a lease without end', { ...report, leaseMs: 1e12 }],
    ['an age from before there was an optgate', { ...report, appliedAgeMs: 1_700_000_000_000 }],
    ['an age that is none', { ...report, appliedAgeMs: -1 }],
    ['a position without an epoch', { ...report, position: { seq: 1 } }],
    ['a seq that is none', { ...report, position: { epoch: 'e', seq: 1.5 } }],
    ['control characters', { ...report, name: 'a\u001b[31m' }],
    ['a field that there is not', { ...report, email: 'jane@example.com' }],
    ['a state that is none', { ...report, state: 'LIVE' }],
    ['isLeaving as a text', { ...report, isLeaving: 'no' }],
  ])('400 for %s', async (_, body) => {
    const stand = await open();
    const answer = await post(stand, JSON.stringify(body));
    expectProblem(answer, 400, 'http.bad_request');
    expect(answer.body.toString()).not.toContain('jane');
    expect(stand.ledger.reports).toEqual([]);
  });

  test('400, 413, 415 for what is no report at all', async () => {
    const stand = await open();
    expectProblem(await post(stand, '{'), 400, 'http.bad_request');
    expectProblem(await post(stand, Buffer.from([0xff])), 400, 'http.bad_request');
    expectProblem(await post(stand, JSON.stringify({ ...report, name: 'x'.repeat(20_000) })), 413, 'http.too_large');
    expectProblem(await post(stand, JSON.stringify(report), 'text/plain'), 415, 'http.media_type');
  });

  test('503 while the ledger cannot take it', async () => {
    const stand = await open();
    stand.ledger.failure = 'ledger.unavailable';
    expectProblem(await post(stand, JSON.stringify(report)), 503, 'sync.unavailable');
  });
});

describe('who may ask, and what', () => {
  test('a bearer token, if one is asked for', async () => {
    let tokens = ['first-token', 'second-token'];
    const stand = await open({ relay: { tokens: () => tokens } });
    const paths = ['/v1/snapshot', `/v1/changes?after=${stand.ledger.epoch}.${stand.ledger.seq}`];
    const wrong = [
      undefined,
      'Bearer',
      'Bearer x',
      'Bearer first-token2',
      'Basic first-token',
      'first-token',
      'Bearer ',
    ];
    for (const path of paths) {
      for (const authorization of wrong) {
        const answer = await ask(stand, path, { headers: authorization === undefined ? {} : { authorization } });
        expectProblem(answer, 401, 'http.unauthorized');
        expect(answer.headers['www-authenticate']).toBe('Bearer');
      }
      for (const token of tokens) {
        const { status } = await ask(stand, path, { headers: { authorization: `Bearer ${token}` } });
        expect(status).toBe(200);
      }
    }
    expectProblem(await ask(stand, '/v1/acks', { method: 'POST', body: '{}' }), 401, 'http.unauthorized');
    tokens = ['third-token', ''];
    const headers = { authorization: 'Bearer first-token' };
    expectProblem(await ask(stand, '/v1/snapshot', { headers }), 401, 'http.unauthorized');
    expectProblem(
      await ask(stand, '/v1/snapshot', { headers: { authorization: 'Bearer ' } }),
      401,
      'http.unauthorized',
    );
    tokens = [];
    expectProblem(await ask(stand, '/v1/snapshot'), 401, 'http.unauthorized');
  });

  test('405 with what is allowed, and other paths are left alone', async () => {
    const stand = await open();
    for (const [method, path, allow] of [
      ['POST', '/v1/snapshot', 'GET, HEAD'],
      ['DELETE', '/v1/changes', 'GET, HEAD'],
      ['GET', '/v1/acks', 'POST'],
      ['HEAD', '/v1/acks', 'POST'],
    ] as const) {
      const answer = await ask(stand, path, { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe(allow);
    }
    for (const path of ['/', '/v1', '/v1/snapshot/', '/v1/snapshots', '/constructor', '//v1/snapshot']) {
      expectProblem(await ask(stand, path), 404, 'http.not_found');
    }
  });

  test('a head that is too large is refused before anything is read of it', async () => {
    const stand = await open();
    const answer = await ask(stand, '/v1/snapshot', { headers: { 'x-large': 'x'.repeat(20_000) } });
    expect(answer.status).toBe(431);
  });
});
