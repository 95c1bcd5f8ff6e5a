/**
 * A set on a NATS server that is killed, stopped and started again, that asks who one is, and that speaks TLS.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, describe as group, test } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import { createHttpSource } from '../../src/sync/http-source.js';
import { NatsPublisher } from '../../src/sync/nats-publisher.js';
import { createNatsSource, type NatsSourceOptions } from '../../src/sync/nats-source.js';
import { hidePackages } from '../absent-packages.js';
import { ReferenceLedger } from '../reference/feed.js';
import { writeRound } from './http-stand.js';
import { NATS_SERVER, NatsServer } from './nats-server.js';
import { leading } from './nats-stand.js';
import { PlainFollower } from './plain-follower.js';

if (NATS_SERVER === null) process.stderr.write('skipped: no nats-server on the PATH or in /usr/sbin\n');
const describe = NATS_SERVER === null ? group.skip : group;

const QUICK = { connectMs: 1000, requestMs: 800, pingMs: 1000, pingsMax: 2, pieceMs: 3000 };
const BEAT_MS = 200;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(parameters: readonly string[] = []): Promise<NatsServer> {
  const server = await NatsServer.open(parameters);
  closers.push(() => server.close());
  return server;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-nats-test-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function publish(options: Omit<NatsSourceOptions, 'clock'>) {
  const ledger = new ReferenceLedger();
  for (let round = 0; round < 5; round++) writeRound(ledger, round);
  const failures: GateError[] = [];
  const publisher = new NatsPublisher({
    limits: QUICK,
    ...options,
    feed: ledger,
    folder: await temporaryFolder(),
    takeoverMs: 200,
    maintainEveryMs: 500,
    onFailure: (error) => void failures.push(error),
  });
  const sequencer = setInterval(() => ledger.sequence(), BEAT_MS);
  closers.push(async () => {
    clearInterval(sequencer);
    await publisher.close();
  });
  publisher.start();
  return { ledger, publisher, failures };
}

async function follow(options: NatsSourceOptions): Promise<PlainFollower> {
  const folder = await temporaryFolder();
  const source = createNatsSource({ limits: QUICK, ...options });
  closers.push(() => source.close());
  return new PlainFollower(source, folder);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => 'no failure',
    (reason: unknown) => reason,
  );
  if (error === 'no failure') return error;
  if (!(error instanceof GateError)) throw error;
  return error.code;
}

function expectTruth(ledger: ReferenceLedger, follower: PlainFollower): void {
  expect(follower.position).toEqual({ epoch: ledger.epoch, seq: ledger.seq });
  expect(follower.stateDigest).toBe(ledger.tableAt(ledger.seq).stateDigest);
}

describe('a server', () => {
  test('that is killed and started again: everything goes on by itself', async () => {
    const server = await serve();
    const url = `nats://127.0.0.1:${server.port}/restarts`;
    const { ledger, publisher } = await publish({ url });
    await leading(publisher);
    const follower = await follow({ url });
    await follower.load();
    for (let round = 0; round < 2; round++) {
      for (let entry = 0; entry < 5; entry++) writeRound(ledger, round * 5 + entry);
      await follower.endure(ledger.seq);
      await server.kill();
      for (let entry = 0; entry < 5; entry++) writeRound(ledger, 30 + entry);
      await expect.poll(() => codeOf(follower.step(300))).toMatch(/^sync\.(unavailable|deadline)$/);
      await server.start();
      await follower.endure(ledger.seq);
      expectTruth(ledger, follower);
    }
    expect(follower.snapshotCount).toBe(1);
    const behindMs = performance.now();
    while (follower.completeAtMs < behindMs) await follower.step(1000).catch(() => {});
  });

  test('that is killed with all it had: the publisher begins anew, and the follower comes along', async () => {
    const first = await serve();
    const url = `nats://127.0.0.1:${first.port}/lost`;
    const { ledger, publisher } = await publish({ url });
    await leading(publisher);
    const follower = await follow({ url });
    await follower.load();
    for (let round = 0; round < 5; round++) writeRound(ledger, round);
    await follower.endure(ledger.seq);
    await first.wipe();
    for (let round = 0; round < 5; round++) writeRound(ledger, round);
    await follower.endure(ledger.seq);
    expectTruth(ledger, follower);
  });

  test('that stands still for five seconds: calls fail in time, nothing is called fresh, and it goes on', async () => {
    const server = await serve();
    const url = `nats://127.0.0.1:${server.port}/stopped`;
    const { ledger, publisher } = await publish({ url });
    await leading(publisher);
    const follower = await follow({ url, silenceMsMax: 1500 });
    await follower.load();
    for (let round = 0; round < 5; round++) writeRound(ledger, round);
    await follower.endure(ledger.seq);
    await follower.step(1500);
    server.stop();
    const stoppedAtMs = performance.now();
    const { seq } = follower.position;
    writeRound(ledger, 9);
    const writtenAtMs = performance.now();
    let failureCount = 0;
    while (performance.now() - stoppedAtMs < 5000) {
      const askedAtMs = performance.now();
      await follower.step(500).catch(() => failureCount++);
      expect(performance.now() - askedAtMs).toBeLessThan(15_000);
    }
    expect(failureCount).toBeGreaterThan(0);
    server.resume();
    while (follower.position.seq === seq) {
      await follower.step(500).catch(() => {});
      // a heartbeat that was under way when it stopped may come first; it does not know of the entry
      if (follower.position.seq === seq) expect(follower.completeAtMs).toBeLessThanOrEqual(writtenAtMs + 50);
    }
    await follower.endure(ledger.seq);
    expectTruth(ledger, follower);
    expect(follower.snapshotCount).toBe(1);
  });

  test('that asks for a user, or a token: refused without, and let in with', async () => {
    const server = await serve(['--user', 'jane', '--pass', 'secret-word']);
    const address = `127.0.0.1:${server.port}/closed`;
    for (const url of [`nats://${address}`, `nats://jane:wrong-word@${address}`]) {
      const error = await (await follow({ url })).load().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'sync.refused' });
      expect(String(error)).not.toMatch(/jane|word/);
    }
    const { ledger, publisher } = await publish({ url: `nats://jane:secret-word@${address}` });
    await leading(publisher);
    const follower = await follow({ url: `nats://${address}`, user: 'jane', password: 'secret-word' });
    await follower.load();
    expectTruth(ledger, follower);

    const other = await serve(['--auth', 'a-token']);
    const folder = await temporaryFolder();
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'another\n');
    const url = `nats://127.0.0.1:${other.port}/closed`;
    expect(await codeOf((await follow({ url, tokenFile })).load())).toBe('sync.refused');
    expect(await codeOf((await follow({ url, tokenFile: join(folder, 'none') })).load())).toBe('sync.refused');
    await writeFile(tokenFile, 'a-token\n');
    const second = await publish({ url, tokenFile });
    await leading(second.publisher);
    for (const options of [{ url, token: 'a-token' }, { url: url.replace('//', '//a-token@') }, { url, tokenFile }]) {
      const guest = await follow(options);
      await guest.load();
      expectTruth(second.ledger, guest);
    }
  });

  test('that allows no reports: the follower follows, and the report fails', async () => {
    const server = await serve(['-c', await configFile(await temporaryFolder())]);
    const url = `nats://127.0.0.1:${server.port}/rights`;
    const { publisher, ledger } = await publish({ url, user: 'publisher', password: 'p' });
    await leading(publisher);
    const follower = await follow({ url, user: 'enforcer', password: 'e' });
    await follower.load();
    writeRound(ledger, 1);
    await follower.endure(ledger.seq);
    const report = { position: null, appliedAgeMs: null, isLeaving: false, leaseMs: 1, state: 'live' } as const;
    const call = follower.source.report?.({ ...report, id: 'x', name: '', role: 'library', version: '' });
    expect(await codeOf(call ?? Promise.resolve())).toMatch(/^sync\.(refused|deadline)$/);
    await follower.step(1500);
  });
});

(existsSync('/usr/bin/openssl') ? describe : group.skip)('TLS', () => {
  test('nats: and tls: with the server known by its authority, and not without', async () => {
    const folder = await temporaryFolder();
    const { ca, cert, key } = certificates(folder);
    const server = await serve(['--tls', '--tlscert', cert, '--tlskey', key]);
    const url = `tls://localhost:${server.port}/secure`;
    const tls = { ca: await readFile(ca, 'utf8') };
    const { ledger, publisher } = await publish({ url, tls });
    await leading(publisher);
    const follower = await follow({ url: url.replace('tls:', 'nats:'), tls });
    await follower.load();
    writeRound(ledger, 1);
    await follower.endure(ledger.seq);
    expectTruth(ledger, follower);
    expect(await codeOf((await follow({ url })).load())).toBe('sync.unavailable');
  });

  test('https: the same', async () => {
    const { createServer } = await import('node:https');
    const folder = await temporaryFolder();
    const { ca, cert, key } = certificates(folder);
    const pems = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    const server = createServer(pems, (_, response) => response.writeHead(401).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(async () => server.close());
    const address = server.address();
    const url = `https://localhost:${typeof address === 'object' ? address?.port : 0}`;
    const request = { folder, validate: () => {}, signal: new AbortController().signal };
    const known = createHttpSource({ url, tls: { ca: await readFile(ca, 'utf8') } });
    const unknown = createHttpSource({ url });
    expect(await codeOf(known.snapshot(request))).toBe('sync.refused');
    expect(await codeOf(unknown.snapshot(request))).toBe('sync.unavailable');
    await known.close();
    await unknown.close();
  });
});

test('without the packages: what is to be installed', async () => {
  const folder = await temporaryFolder();
  await cp('dist', join(folder, 'dist'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await hidePackages(folder, ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/obj']);
  for (const name of ['lru-cache', 'libphonenumber-js']) {
    await cp(join('node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  }
  const module = pathToFileURL(join(folder, 'dist/sync/nats-source.js')).href;
  const script = `
    const { createNatsSource } = await import('${module}');
    const source = createNatsSource({ url: 'nats://127.0.0.1:1/set' });
    await source.changes({ epoch: 'e', seq: 1 }, { waitMs: 0, signal: new AbortController().signal })
      .catch((error) => console.log(error.code, error.message));
    await source.close();`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(output).toContain('sync.driver');
  expect(output).toContain('npm install @nats-io/transport-node @nats-io/jetstream @nats-io/obj');
});

/** Who may do what, as the documentation recommends it. */
async function configFile(folder: string): Promise<string> {
  const path = join(folder, 'nats.conf');
  const text = `
    authorization {
      users = [
        { user: publisher, password: p }
        { user: enforcer, password: e, permissions: {
            publish: ["$JS.API.STREAM.MSG.GET.*", "$JS.API.STREAM.INFO.*", "$JS.API.DIRECT.GET.>"]
            subscribe: ["optgate.*.beat", "_INBOX.>"] } }
      ]
    }`;
  await writeFile(path, text);
  return path;
}

/** An authority, and a server's certificate for localhost. */
function certificates(folder: string) {
  const path = (name: string) => join(folder, name);
  const openssl = (...parameters: readonly string[]) => execFileSync('openssl', parameters, { stdio: 'ignore' });
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'];
  openssl('req', '-x509', ...fresh, '-subj', '/CN=test authority', '-keyout', path('ca.key'), '-out', path('ca.pem'));
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-subj', '/CN=localhost'];
  const by = ['-CA', path('ca.pem'), '-CAkey', path('ca.key')];
  openssl('req', '-x509', ...fresh, ...names, ...by, '-keyout', path('key.pem'), '-out', path('cert.pem'));
  return { ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') };
}
