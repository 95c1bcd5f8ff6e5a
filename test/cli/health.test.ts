/**
 * `optgate health` against real servers: well, not well, silent, somebody else's, not there.
 * @module
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Health } from '../../src/sidecar/observe/health.js';
import { createOperatorHandler } from '../../src/sidecar/observe/operator-handler.js';
import { optgate } from './run.js';

const servers: Server[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function listen(listener: RequestListener, path?: string): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return path ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sidecar(state: 'empty' | 'live', freshnessMs: number | null): RequestListener {
  const health = new Health({ follower: () => ({ state, freshnessMs }) });
  const handler = createOperatorHandler({ health, metrics: { contentType: '', text: async () => '' } });
  return (request, response) => {
    if (!handler(request, response)) response.writeHead(404).end();
  };
}

async function run(...args: string[]) {
  const { status, stdout, stderr } = await optgate(['health', ...args]);
  return { status, stdout, stderr };
}

test('alive and ready, over TCP and over a socket', async () => {
  const url = await listen(sidecar('live', 1000));
  expect(await run('--url', url)).toEqual({ status: 0, stdout: 'alive\n', stderr: '' });
  expect(await run('--url', url, '--ready', '--max-staleness', '30s')).toEqual({
    status: 0,
    stdout: 'ready\n',
    stderr: '',
  });
  const folder = mkdtempSync(join(tmpdir(), 'optgate-health-'));
  folders.push(folder);
  const path = await listen(sidecar('live', null), join(folder, 'control.sock'));
  expect(await run('--socket', path, '--ready')).toEqual({ status: 0, stdout: 'ready\n', stderr: '' });
});

test('alive and not ready is told apart, with the reason', async () => {
  const url = await listen(sidecar('empty', null));
  expect(await run('--url', url)).toMatchObject({ status: 0 });
  expect(await run('--url', url, '--ready')).toMatchObject({
    status: 1,
    stdout: 'not ready: table.not_loaded: no table has been put into use yet\n',
  });
  const stale = await listen(sidecar('live', 60_000));
  const told = await run('--url', stale, '--ready', '--max-staleness', '30s');
  expect(told).toMatchObject({ status: 1, stdout: expect.stringMatching(/^not ready: table\.stale: /) });
});

test('another server, one that is silent, one that never ends, and none', async () => {
  const other = await listen((_, response) => response.writeHead(404).end('<html>jane@example.com</html>'));
  expect(await run('--url', other)).toMatchObject({ status: 1, stdout: 'not well: status 404\n' });
  const silent = await listen(() => {});
  expect(await run('--url', silent, '--timeout', '300ms')).toMatchObject({
    status: 3,
    stderr: 'optgate health: the sidecar cannot be reached: no answer within 300 ms\n',
  });
  const endless = await listen((_, response) => {
    response.writeHead(200);
    const more = () => response.write('x'.repeat(16_384), more);
    more();
  });
  expect(await run('--url', endless)).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('more than an answer'),
  });
  const gone = await listen(sidecar('live', 0));
  const server = servers.pop();
  server?.close();
  await once(server!, 'close');
  expect(await run('--url', gone)).toMatchObject({ status: 3, stderr: expect.stringContaining('ECONNREFUSED') });
});

test.each([
  [['extra']],
  [['--url', 'https://127.0.0.1']],
  [['--url', 'http://127.0.0.1/path']],
  [['--url', 'http://user@127.0.0.1']],
  [['--url', '127.0.0.1:8788']],
  [['--url', 'http://127.0.0.1:1', '--socket', '/x']],
  [['--max-staleness', '30s']],
  [['--ready', '--max-staleness', '30']],
  [['--timeout', '0s']],
  [['--what']],
])('wrong usage: %j', async (args) => {
  const { status, stdout, stderr } = await optgate(['health', ...args]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^optgate health: .+\nSee "optgate health --help"\.\n$/);
});

test('--help', async () => {
  expect(await optgate(['health', '--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/Exit codes: 0 .*1 .*2 .*3 /),
  });
  expect((await optgate(['--help'])).stdout).toMatch(/health +ask a running sidecar/);
});
