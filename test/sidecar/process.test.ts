/**
 * The sidecar as a process: it starts without an upstream, reloads, drains, is killed, and comes back.
 * @module
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { optgateProcess } from '../cli/run.js';
import { prepareEmbedded } from '../ledger/embedded-folder.js';
import { freePort, maidOf, PATIENCE_MS, type Running, requestOf, startSidecarProcess, writeSet } from './running.js';

const folder = mkdtempSync(join(tmpdir(), 'optgate-process-'));
const set = join(folder, 'set.snap');
beforeAll(() => writeSet(set, [1], 7));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: Running[] = [];
afterEach(async () => {
  for (const { kill, ended } of running.splice(0)) {
    kill('SIGKILL');
    await ended;
  }
});
async function start(...args: string[]): Promise<Running> {
  const sidecar = await startSidecarProcess(args);
  running.push(sidecar);
  return sidecar;
}
const until = (assert: () => Promise<void>) =>
  expect
    .poll(
      async () =>
        assert().then(
          () => true,
          () => false,
        ),
      { timeout: PATIENCE_MS },
    )
    .toBe(true);
const ready = ({ onData }: Running) => until(async () => expect((await onData('/readyz')).status).toBe(200));

test('without an upstream it is alive and not ready, and answers by onStale; when the upstream appears it is ready', async () => {
  const late = join(folder, 'late.snap');
  const policy = join(folder, 'block.json');
  writeFileSync(policy, '{"version":"strict","table":{"onStale":"block"}}');
  const sidecar = await start('--from', `file:${late}`, '--policy', policy);
  for (const ask of [sidecar.onData, sidecar.onControl]) {
    expect((await ask('/healthz')).status).toBe(200);
    expect(await ask('/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('table.not_loaded') });
  }
  expect(await sidecar.check(requestOf(2))).toMatchObject({
    action: 'block',
    reasons: ['table.not_loaded'],
    stale: true,
  });
  expect(JSON.parse((await sidecar.onControl('/v1/status')).text)).toMatchObject({ table: { state: 'empty' } });

  await writeSet(late, [1], 3);
  await ready(sidecar);
  expect(await sidecar.check(requestOf(1))).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], seq: 3 });
  expect(await sidecar.check(requestOf(2))).toMatchObject({ action: 'allow' });
  expect((await sidecar.onControl('/readyz')).status).toBe(200);
  expect((await sidecar.optOut(2)).text).toContain('ledger.none');
  expect(await sidecar.stop()).toBe(0);
});

test('SIGHUP: a good policy is in force in every thread, a bad one keeps the one before, loudly', async () => {
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"version":"one"}');
  const sidecar = await start('--from', `file:${set}`, '--policy', policy, '--workers', '2');
  await ready(sidecar);
  /** Versions that decisions name on several connections, and so on several threads. */
  const versions = async () =>
    new Set(
      (await Promise.all(Array.from({ length: 24 }, () => sidecar.check(requestOf(2))))).map(
        (answer) => answer.policyVersion,
      ),
    );
  expect(await versions()).toEqual(new Set(['one']));

  writeFileSync(policy, '{"version":"two"}');
  sidecar.kill('SIGHUP');
  await sidecar.until('stderr', /"policy.loaded","policyVersion":"two"/, PATIENCE_MS);
  expect(await versions()).toEqual(new Set(['two']));

  writeFileSync(policy, '{"version":"three","honor":"hunter2"}');
  sidecar.kill('SIGHUP');
  const [line] = await sidecar.until('stderr', /[^\n]*"policy.refused"[^\n]*\n/, PATIENCE_MS);
  expect(line).toMatch(/"level":"error"[\s\S]*honor/);
  expect(line).not.toContain('hunter2');
  expect(await versions()).toEqual(new Set(['two']));
  const { text } = await sidecar.onControl('/metrics');
  expect(text).toContain('optgate_policy_reload_failed 1');
  expect(text).toContain('optgate_policy_info{version="two"} 1');
  expect(JSON.parse((await sidecar.onControl('/v1/status')).text).policy).toMatchObject({
    version: 'two',
    isLastReloadFailed: true,
  });
  expect(await sidecar.stop()).toBe(0);
});

/** A request whose body is still missing its last byte; `finish` sends it and gives the answer. */
function begun(address: string): Promise<{ readonly finish: () => Promise<string> }> {
  const body = JSON.stringify(requestOf(1));
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => {});
  let said = '';
  socket.setEncoding('utf8').on('data', (text) => (said += text));
  const head = `POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  return new Promise((resolve) => {
    socket.write(head + body.slice(0, -1), () => {
      const closed = new Promise<string>((end) => socket.once('close', () => end(said)));
      const finish = () => {
        socket.write(body.slice(-1));
        return closed;
      };
      resolve({ finish });
    });
  });
}
const isRefused = (address: string) =>
  new Promise<boolean>((resolve) => {
    const [host = '', port] = address.split(':');
    const socket = connect(Number(port), host);
    socket.once('error', () => resolve(true)).once('close', () => resolve(true));
    socket.once('connect', () => setTimeout(() => resolve(false), 200).unref());
  });

test.each(['1', '2'])(
  'SIGTERM: not ready, then no new connections; what is under way is answered (workers: %s)',
  async (workers) => {
    const sidecar = await start('--from', `file:${set}`, '--workers', workers, '--drain-delay', '2s');
    await ready(sidecar);
    await sidecar.check(requestOf(1)); // its connection stays open, and idle
    connect(Number(sidecar.data.split(':')[1]), '127.0.0.1').on('error', () => {}); // and one that was opened ahead of need
    const { finish } = await begun(sidecar.data);
    sidecar.kill('SIGTERM');
    await until(async () =>
      expect(await sidecar.onData('/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('draining') }),
    );
    expect((await sidecar.onControl('/readyz')).status).toBe(503);
    const answer = await sidecar.onData('/v1/check', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(requestOf(1)),
    });
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    await until(async () => expect(await isRefused(sidecar.data)).toBe(true));
    expect(await finish()).toMatch(/^HTTP\/1.1 200[\s\S]*suppressed.maid/);
    expect(await sidecar.ended).toBe(0);
    expect(sidecar.said.stderr).toContain('"sidecar.ended"');
  },
);

test('a client that never finishes holds it up for the deadline, and no longer', async () => {
  const sidecar = await start(
    '--from',
    `file:${set}`,
    '--set',
    'shutdown.deadline=6s',
    '--set',
    'shutdown.flushDeadline=4s',
  );
  await ready(sidecar);
  const { finish } = await begun(sidecar.data);
  expect(await sidecar.stop()).toBe(0);
  expect(await finish()).toBe('');
});

test('a second signal ends it at once', async () => {
  const sidecar = await start('--from', `file:${set}`);
  await ready(sidecar);
  await begun(sidecar.data);
  sidecar.kill('SIGTERM');
  await sidecar.until('stderr', /"sidecar.draining"/, PATIENCE_MS);
  sidecar.kill('SIGTERM');
  expect(await sidecar.ended).toBe(143);
  expect(sidecar.said.stderr).toMatch(/"sidecar.aborted","signal":"SIGTERM"/);
});

test('killed under load it comes back with the last good table; clients see errors only while it is down', async () => {
  const [data, control] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const here = join(folder, 'killed.snap');
  await writeSet(here, [1], 9);
  const args = ['--from', `file:${here}`, '--folder', join(folder, 'state'), '--data', data, '--control', control];
  const path = join(folder, 'd.sock');
  const first = await start(...args, '--socket', path);
  await ready(first);
  const before = JSON.parse((await first.onControl('/v1/status')).text);
  expect(before.table).toMatchObject({ state: 'live', position: { seq: 9 } });

  let isOver = false;
  const outcomes: ('answered' | 'failed')[] = [];
  const loads = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const outcome = await first.check(requestOf(1)).then(
        ({ action }) => (action === 'restrict' ? 'answered' : 'wrong'),
        () => 'failed',
      );
      if (outcome === 'wrong') throw new Error('an opted-out person was let through');
      outcomes.push(outcome as 'answered');
      if (outcome === 'failed') await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  await until(async () => expect(outcomes.length).toBeGreaterThan(50));
  first.kill('SIGKILL');
  await first.ended;
  const { length: untilKilled } = outcomes;
  rmSync(here); // the upstream is gone, too
  expect(statSync(path).isSocket()).toBe(true); // left behind, and taken over
  const second = await start(...args, '--socket', path);
  await ready(second);
  const { length: untilBack } = outcomes;
  await until(async () => expect(outcomes.length).toBeGreaterThan(untilBack + 50));
  isOver = true;
  await Promise.all(loads);
  expect(outcomes.slice(0, untilKilled - 8)).not.toContain('failed');
  expect(outcomes.slice(untilBack + 8)).not.toContain('failed');
  expect(await second.check(requestOf(1))).toMatchObject({ action: 'restrict', seq: 9 });
  expect(JSON.parse((await second.onControl('/v1/status')).text).table).toMatchObject({ position: { seq: 9 } });
  expect(await second.stop()).toBe(0);
});

test('two threads decide alike, and are counted together', async () => {
  const sidecar = await start('--from', `file:${set}`, '--workers', '2', '--socket', join(folder, 'w.sock'));
  await ready(sidecar);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const ask = (index: number) =>
    new Promise<string>((resolve, reject) => {
      const [host, port] = sidecar.data.split(':');
      const call = httpRequest(
        { agent, host, port, method: 'POST', path: '/v1/check', headers: { 'content-type': 'application/json' } },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (part) => (text += part))
            .on('end', () => resolve(JSON.parse(text).action));
        },
      );
      call.on('error', reject).end(JSON.stringify(requestOf(index)));
    });
  const actions = await Promise.all(Array.from({ length: 400 }, (_, index) => ask(index % 2)));
  agent.destroy();
  expect(actions.filter((action, index) => action !== (index % 2 === 1 ? 'restrict' : 'allow'))).toEqual([]);
  await until(async () => {
    const { text } = await sidecar.onControl('/metrics');
    expect(text).toMatch(/optgate_decisions_total\{action="restrict",door="http"\} 200\n/);
    expect(text).toMatch(/optgate_decisions_total\{action="allow",door="http"\} 200\n/);
  });
  const status = JSON.parse((await sidecar.onControl('/v1/status')).text);
  expect(status).toMatchObject({ workers: 2, table: { attachedCount: 2 }, decisionLog: { appendedCount: 400 } });
  expect(statSync(join(folder, 'w.sock')).mode & 0o777).toBe(0o660);
  expect(await sidecar.stop()).toBe(0);
  expect(() => statSync(join(folder, 'w.sock'))).toThrow(/ENOENT/);
});

test('an address that is taken: which one, and what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  for (const workers of ['1', '2']) {
    for (const flag of ['--data', '--control']) {
      const free = ['--data', '--control'].filter((name) => name !== flag).flatMap((name) => [name, '127.0.0.1:0']);
      const args = ['serve', '--from', `file:${set}`, flag, `127.0.0.1:${port}`, ...free, '--workers', workers];
      const { status, stderr } = optgateProcess(args, '', { env: { PATH: process.env.PATH } });
      expect(status).toBe(3);
      expect(stderr).toContain(
        `optgate serve: cannot listen on 127.0.0.1:${port}: another process listens there (EADDRINUSE)`,
      );
    }
  }
  server.close();
});

test.each([
  [['--workers', '0'], 2, /--workers: expected a whole number from 1 to 64/],
  [['--control', '0.0.0.0:0'], 2, /control.listen: beyond this machine/],
  [['--policy', 'nowhere.json'], 3, /nowhere.json: ENOENT/],
  [['--tokens', 'nowhere'], 3, /nowhere: the file cannot be read/],
  [['--trust-key', 'nowhere.pem'], 3, /nowhere.pem/],
  [['--data', '/nowhere/x.sock'], 3, /unix:\/nowhere\/x.sock: there is no such folder/],
])('a start that cannot be: %j', (args, code, message) => {
  const given = ['serve', '--from', `file:${set}`, '--control', '127.0.0.1:0', '--data', '127.0.0.1:0', ...args];
  const { status, stderr } = optgateProcess(given, '', { env: { PATH: process.env.PATH } });
  expect([status, stderr]).toEqual([code, expect.stringMatching(message)]);
});

test('nothing that it writes names anyone', async () => {
  const sidecar = await start('--from', `file:${set}`, '--log-level', 'debug');
  await ready(sidecar);
  await sidecar.check(requestOf(1));
  await sidecar.onData('/v1/check', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"ifa":"${maidOf(1)}"`,
  });
  const { text } = await sidecar.onControl('/metrics');
  const status = await sidecar.onControl('/v1/status');
  await sidecar.stop();
  for (const said of [text, status.text, sidecar.said.stderr, sidecar.said.stdout])
    expect(said).not.toContain(maidOf(1).slice(-12));
});

test('a destination put into the ledger is judged by at once, in every thread; taken out it is unknown again', async () => {
  const ledger = join(folder, 'ledger');
  await prepareEmbedded(ledger);
  const sidecar = await start('--ledger', ledger, '--workers', '2');
  await ready(sidecar);
  const json = { 'content-type': 'application/json' };
  const check = async () => {
    const headers = { ...json, 'sec-gpc': '1', 'optgate-destination': 'dsp-7' };
    const { text } = await sidecar.onData('/v1/check', { method: 'POST', headers, body: JSON.stringify(requestOf(2)) });
    return JSON.parse(text) as { action: string; reasons: string[]; policyVersion: string };
  };
  expect(await check()).toMatchObject({ action: 'restrict', policyVersion: 'default-1' });
  const unknown = async () => {
    const { text } = await sidecar.onControl('/v1/destinations/unknown');
    return (JSON.parse(text) as { destinations: { id: string; decisionCount: number }[] }).destinations;
  };
  let checkCount = 1;
  for (; checkCount < 20; checkCount++) await check();
  // of both threads together, each of which tells what it has counted every half second
  await until(async () => expect(await unknown()).toMatchObject([{ id: 'dsp-7', decisionCount: checkCount }]));
  const body = JSON.stringify({ role: 'third_party', whenOptedOut: 'block' });
  expect((await sidecar.onControl('/v1/destinations/dsp-7', { method: 'PUT', headers: json, body })).status).toBe(201);
  await until(async () => {
    for (let index = 0; index < 8; index++) expect((await check()).action).toBe('block');
  });
  expect((await check()).policyVersion).toMatch(/^default-1\+[0-9a-f]{8}$/);
  expect(await unknown()).toEqual([]);
  expect((await sidecar.onControl('/v1/destinations/dsp-7', { method: 'DELETE' })).status).toBe(204);
  await until(async () => expect((await check()).policyVersion).toBe('default-1'));
});
