import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Health } from '../../../src/sidecar/observe/health.js';
import { createOperatorHandler } from '../../../src/sidecar/observe/operator-handler.js';
import type { FollowerStatus } from '../../../src/sync/index.js';
import { followerStatus } from './inputs.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
});

async function serve(health: Health, text: () => Promise<string> = async () => 'optgate_ready 1\n') {
  const failures: unknown[] = [];
  const metrics = { text, contentType: 'text/plain; version=0.0.4; charset=utf-8' };
  const operator = createOperatorHandler({ health, metrics, onFailure: (error) => failures.push(error) });
  const server = createServer((request, response) => {
    if (!operator(request, response)) response.writeHead(418).end();
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);
  return { ask, failures, port };
}

test('alive from the start, ready once a table was put into use, and from then on until told to end', async () => {
  let status: FollowerStatus | null = null;
  const health = new Health({ follower: () => status });
  const { ask } = await serve(health);
  const ready = async () => {
    const response = await ask('/readyz');
    return [response.status, ((await response.json()) as { code?: string; status: unknown }).code ?? 'ready'];
  };
  expect((await ask('/healthz')).status).toBe(200);
  expect(await ready()).toEqual([503, 'table.not_loaded']);
  status = followerStatus({ state: 'empty' });
  expect(await ready()).toEqual([503, 'table.not_loaded']);
  status = followerStatus({ state: 'last_good' });
  expect(await ready()).toEqual([200, 'ready']);
  for (const state of ['hard_stale', 'soft_stale', 'live', 'empty'] as const) {
    status = followerStatus({ state });
    expect(await ready()).toEqual([200, 'ready']);
  }
  health.drain();
  expect(await ready()).toEqual([503, 'draining']);
  expect((await ask('/healthz')).status).toBe(200);
});

test.each([
  ['30s', 29_000, 200, undefined],
  ['30s', 30_001, 503, 'table.stale'],
  ['500ms', 499, 200, undefined],
  ['0.5s', 501, 503, 'table.stale'],
  ['5m', 299_999, 200, undefined],
  ['1h', 3_600_001, 503, 'table.stale'],
  ['0s', 0, 200, undefined],
  ['30s', null, 503, 'table.freshness_unknown'],
  ['30s', Number.POSITIVE_INFINITY, 503, 'table.stale'],
])('asked for at most %s, with a table of %s ms: %i', async (asked, freshnessMs, expected, code) => {
  const health = new Health({ follower: () => followerStatus({ state: 'live', freshnessMs }) });
  const { ask } = await serve(health);
  const response = await ask(`/readyz?max_staleness=${asked}`);
  const body = (await response.json()) as Record<string, unknown>;
  expect([response.status, body.code]).toEqual([expected, code]);
  if (expected === 503) {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(body).toMatchObject({ type: 'about:blank', status: 503, title: 'not ready' });
  }
});

test('a table within the limit does not make a process ready that has been told to end', () => {
  const health = new Health({ follower: () => followerStatus({ state: 'live', freshnessMs: 0 }) });
  health.drain();
  expect(health.readiness({ maxStalenessMs: 1000 })).toMatchObject({ kind: 'not_ready', reason: 'draining' });
});

test.each([
  '/readyz?max_staleness=30',
  '/readyz?max_staleness=',
  '/readyz?max_staleness=-1s',
  '/readyz?max_staleness=1d',
  '/readyz?max_staleness=30s&max_staleness=30s',
  '/readyz?max_stalenes=30s',
  '/readyz?max_staleness=30s&x=1',
  '/healthz?x',
  '/metrics?name=optgate_ready',
])('%s is refused, not guessed at', async (path) => {
  const { ask } = await serve(new Health({ follower: () => followerStatus({ state: 'live' }) }));
  const response = await ask(path);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ status: 400, code: 'http.bad_request' });
});

test('GET and HEAD alone; other paths are left to others', async () => {
  const { ask } = await serve(new Health({ follower: () => followerStatus({ state: 'live' }) }));
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const refused = await ask(path, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0);
  }
  for (const path of ['/', '/healthz/', '/readyz.html', '/HEALTHZ', '/metrics2'])
    expect((await ask(path)).status).toBe(418);
});

test('metrics that cannot be collected are a 500 and heard of; the next scrape is asked anew', async () => {
  let isBroken = true;
  const { ask, failures } = await serve(new Health({ follower: () => null }), async () => {
    if (isBroken) throw new Error('a worker did not answer');
    return 'optgate_ready 0\n';
  });
  const broken = await ask('/metrics');
  expect([broken.status, ((await broken.json()) as { code: string }).code]).toEqual([500, 'http.failed']);
  expect(failures).toHaveLength(1);
  isBroken = false;
  expect(await (await ask('/metrics')).text()).toBe('optgate_ready 0\n');
});

test('a scraper that goes away before the answer does no harm', async () => {
  let answer = (_: string) => {};
  const asked = new Promise<void>((resolve) => {
    answer = () => resolve();
  });
  let finish = (_: string) => {};
  const { ask, port } = await serve(new Health({ follower: () => null }), () => {
    answer('');
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  const gone = httpRequest({ port, host: '127.0.0.1', path: '/metrics' }).on('error', () => {});
  gone.end();
  await asked;
  gone.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  finish('late\n');
  expect((await ask('/healthz')).status).toBe(200);
});
