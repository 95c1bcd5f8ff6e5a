/**
 * Who may do what, how often, and what comes of paths and methods that are not served.
 * @module
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TokenSet } from '../../../src/sidecar/control-plane/index.js';
import type { TestLedger } from './stand.js';
import { ask, expectProblem, MAID, openTestLedger, type Served, serve, type TestRole, TOKENS } from './stand.js';

let own: TestLedger;
const opened: Served[] = [];
beforeAll(async () => {
  own = await openTestLedger();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(async () => own?.close());

async function open(options: Parameters<typeof serve>[0] = {}): Promise<Served> {
  const one = await serve({ ledger: own.ledger, ...options });
  opened.push(one);
  return one;
}

const ID = `r_${'A'.repeat(22)}`;
/** Each operation, and who may. Written down once more, so that a slip in the table of routes is seen. */
const MAY: readonly (readonly [method: string, path: string, roles: readonly TestRole[]])[] = [
  ['POST', '/v1/opt-outs', ['intake', 'operator']],
  ['POST', '/v1/opt-ins', ['intake', 'operator']],
  ['POST', `/v1/opt-ins/${ID}/confirm`, ['intake', 'operator']],
  ['GET', `/v1/requests/${ID}`, ['intake', 'operator', 'auditor']],
  ['POST', '/v1/status-of', ['operator', 'auditor']],
  ['POST', '/v1/imports', ['operator']],
  ['POST', '/v1/export', ['operator']],
  ['GET', `/v1/propagation/${ID}`, ['operator', 'auditor']],
  ['GET', '/v1/enforcers', ['operator', 'auditor']],
  ['DELETE', '/v1/enforcers/x', ['operator']],
  ['GET', '/v1/destinations', ['operator', 'auditor']],
  ['GET', '/v1/destinations/x', ['operator', 'auditor']],
  ['PUT', '/v1/destinations/x', ['operator']],
  ['DELETE', '/v1/destinations/x', ['operator']],
  ['GET', '/v1/audit', ['operator', 'auditor']],
  ['GET', '/v1/audit/head', ['operator', 'auditor']],
  ['GET', '/v1/status', ['operator', 'auditor']],
  ['GET', '/v1/snapshot', ['enforcer', 'operator', 'auditor']],
  ['GET', '/v1/changes', ['enforcer', 'operator', 'auditor']],
  ['POST', '/v1/acks', ['enforcer', 'operator']],
];

describe('roles', () => {
  test.each(MAY)('%s %s', async (method, path, roles) => {
    const { port } = await open();
    const nobody = await ask(port, method, path, { role: null });
    expectProblem(nobody, 401, 'http.unauthorized');
    expect(nobody.headers['www-authenticate']).toBe('Bearer realm="optgate"');
    for (const authorization of ['Bearer x', `Basic ${TOKENS.operator}`, `Bearer ${TOKENS.operator}x`]) {
      const stranger = await ask(port, method, path, { role: null, headers: { authorization } });
      expectProblem(stranger, 401, 'http.unauthorized');
      expect(stranger.headers['www-authenticate']).toContain('invalid_token');
    }
    for (const role of Object.keys(TOKENS) as TestRole[]) {
      const answer = await ask(port, method, path, { role });
      if (roles.includes(role)) expect([401, 403], role).not.toContain(answer.status);
      else expectProblem(answer, 403, 'http.forbidden', { detail: `expected ${roles.join(' or ')}` });
    }
  });

  test('the document needs no token', async () => {
    const { port } = await open();
    expect((await ask(port, 'GET', '/openapi.json', { role: null })).status).toBe(200);
  });

  test('tokens that were read again count from the next request on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'optgate-access-'));
    const { writeFileSync } = await import('node:fs');
    const file = join(folder, 'tokens');
    writeFileSync(file, `operator ${TOKENS.operator}`);
    const tokens = new TokenSet({ file });
    const { port } = await open({ tokens });
    expect((await ask(port, 'GET', '/v1/status')).status).toBe(200);
    writeFileSync(file, `auditor ${TOKENS.auditor}`);
    tokens.reload();
    expectProblem(await ask(port, 'GET', '/v1/status'), 401, 'http.unauthorized');
    expect((await ask(port, 'GET', '/v1/status', { role: 'auditor' })).status).toBe(200);
    rmSync(folder, { recursive: true });
  });
});

describe('without tokens, on loopback', () => {
  const tokens = new TokenSet();
  test('every role is open', async () => {
    const { port } = await open({ tokens });
    for (const [method, path] of MAY) {
      const { status } = await ask(port, method, path, { role: null });
      expect([401, 403, 421], `${method} ${path}`).not.toContain(status);
    }
  });
  test.each(['attacker.example', 'attacker.example:8788', '10.0.0.1', 'localhost.attacker.example'])(
    'a host of "%s" is refused: a page in a browser can send here under its own name',
    async (host) => {
      const { port } = await open({ tokens });
      expectProblem(await ask(port, 'GET', '/v1/status', { role: null, headers: { host } }), 421, 'http.misdirected');
    },
  );
  test.each(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'X-Forwarded-Proto', 'via'])(
    'with %s it is refused: a proxy on this machine asks for somebody else',
    async (name) => {
      const { port } = await open({ tokens });
      const answer = await ask(port, 'GET', '/v1/status', { role: null, headers: { [name]: '203.0.113.7' } });
      expectProblem(answer, 421, 'http.misdirected');
    },
  );
  test.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '[::1]:8788'])('a host of %s is served', async (host) => {
    const { port } = await open({ tokens });
    expect((await ask(port, 'GET', '/v1/status', { role: null, headers: { host } })).status).toBe(200);
  });
  test('a Unix socket is served whatever the host', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'optgate-access-'));
    const { plane } = await open({ tokens, host: null });
    const server = createServer(plane.app).listen(join(folder, 'socket'));
    await once(server, 'listening');
    const outgoing = request({
      socketPath: join(folder, 'socket'),
      path: '/v1/status',
      headers: { host: 'any' },
    }).end();
    const [response] = await once(outgoing, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
});

describe('rates', () => {
  test('intake beyond the burst: 429 and when to come back; others are not touched', async () => {
    let nowMs = 0;
    const { port } = await open({ limits: { intakeBurst: 2, intakePerSecond: 1 }, now: () => nowMs });
    const look = (role: TestRole) =>
      ask(port, 'POST', '/v1/status-of', { role, json: { identifier: { kind: 'maid', value: MAID } } });
    expect([(await look('operator')).status, (await look('operator')).status]).toEqual([200, 200]);
    const limited = await look('operator');
    expectProblem(limited, 429, 'http.rate');
    expect(limited.headers['retry-after']).toBe('1');
    expect((await look('auditor')).status).toBe(200);
    expect((await ask(port, 'GET', '/v1/status')).status).toBe(200);
    nowMs += 1000;
    expect((await look('operator')).status).toBe(200);
  });

  test('more requests at work than allowed: 503', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const status = () => held.then(() => ({}));
    const { port, plane } = await open({ status, limits: { requestsInFlightMax: 2 } });
    const waiting = [ask(port, 'GET', '/v1/status'), ask(port, 'GET', '/v1/status')];
    await expect.poll(() => plane.counts.inFlight).toBe(2);
    const busy = await ask(port, 'GET', '/v1/enforcers');
    expectProblem(busy, 503, 'http.busy');
    expect(busy.headers['retry-after']).toBe('1');
    release();
    expect((await Promise.all(waiting)).map((answer) => answer.status)).toEqual([200, 200]);
    expect((await ask(port, 'GET', '/v1/enforcers')).status).toBe(200);
  });
});

describe('what is not served', () => {
  test.each([
    '/',
    '/v1',
    '/v1/',
    '/v1/opt-outs/',
    '/V1/status',
    '/v1/opt-ins',
    '/openapi.yaml',
    '//v1/status',
    '/__proto__',
  ])('GET %s', async (path) => {
    const { port } = await open();
    const answer = await ask(port, 'GET', path);
    if (path === '/v1/opt-ins') expectProblem(answer, 405, 'http.method');
    else expectProblem(answer, 404, 'http.not_found');
  });
  test('a path that is not UTF-8', async () => {
    const { port } = await open();
    for (const path of ['/v1/requests/%ff', '/v1/requests/%E0%A4%A', '/v1/destinations/%'])
      expectProblem(await ask(port, 'GET', path), 400, 'http.bad_request');
  });
  test('another method: 405 with those that are', async () => {
    const { port } = await open();
    const allowed = async (method: string, path: string) => {
      const answer = await ask(port, method, path);
      expect(answer.status).toBe(405);
      return answer.headers.allow;
    };
    expect(await allowed('PATCH', '/v1/destinations/x')).toBe('GET, HEAD, PUT, DELETE');
    expect(await allowed('GET', '/v1/opt-outs')).toBe('POST');
    expect(await allowed('HEAD', '/v1/opt-outs')).toBe('POST');
    expect(await allowed('OPTIONS', '/v1/status')).toBe('GET, HEAD');
    expect(await allowed('POST', '/v1/changes')).toBe('GET, HEAD');
    expect(await allowed('DELETE', '/openapi.json')).toBe('GET, HEAD');
  });
  test('HEAD is GET without the body', async () => {
    const { port } = await open();
    const [head, whole] = [await ask(port, 'HEAD', '/v1/status'), await ask(port, 'GET', '/v1/status')];
    expect(head.text).toBe('');
    expect({ ...head.headers, date: '' }).toEqual({ ...whole.headers, date: '' });
  });
  test('a query where none is read: identifiers do not belong in a URL', async () => {
    const { port } = await open();
    expectProblem(await ask(port, 'GET', `/v1/enforcers?maid=${MAID}`), 400, 'http.bad_request');
    expectProblem(await ask(port, 'POST', `/v1/imports?maid=${MAID}`), 400, 'http.bad_request');
    expectProblem(await ask(port, 'POST', '/v1/imports?channel=api&channel=drop'), 400, 'http.bad_request');
  });
  test('without a ledger, without a relay', async () => {
    const { port } = await open({ ledger: null });
    for (const [method, path] of MAY) {
      if (path === '/v1/status' || path === '/v1/export') continue;
      const isRelay = ['/v1/snapshot', '/v1/changes', '/v1/acks'].includes(path);
      expectProblem(await ask(port, method, path), 501, isRelay ? 'relay.none' : 'ledger.none');
    }
  });
});

describe('others on the same port', () => {
  test('answer below their path, with the same headers, and their failures are problems', async () => {
    const { port } = await open({
      mounts: [
        { path: '/healthz', handler: (_request, response) => void response.end('ok') },
        {
          path: '/console',
          handler: () => {
            throw new Error('secret');
          },
        },
      ],
    });
    const health = await ask(port, 'GET', '/healthz', { role: null });
    expect([health.status, health.text, health.headers['x-content-type-options']]).toEqual([200, 'ok', 'nosniff']);
    const failed = await ask(port, 'GET', '/console/x', { role: null });
    expectProblem(failed, 500, 'http.failed');
    expect(failed.text).not.toContain('secret');
  });
});

describe('closing', () => {
  test('what comes from now on is refused; what is at work ends first', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { port, plane } = await open({ status: () => held.then(() => ({ done: true })) });
    const working = ask(port, 'GET', '/v1/status');
    await expect.poll(() => plane.counts.inFlight).toBe(1);
    let isClosed = false;
    const closed = plane.close().then(() => {
      isClosed = true;
    });
    const closedToo = plane.close();
    const refused = await ask(port, 'GET', '/v1/enforcers');
    expectProblem(refused, 503, 'http.closing');
    expect(refused.headers.connection).toBe('close');
    expect(isClosed).toBe(false);
    release();
    expect((await working).json).toEqual({ done: true });
    await Promise.all([closed, closedToo]);
  });
});
