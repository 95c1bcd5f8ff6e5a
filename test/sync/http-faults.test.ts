/**
 * Following a relay over a network that fails in every way a network can, and past relays that lie.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import { createSigner, TableHolder } from '../../src/core/suppression/index.js';
import { Follower } from '../../src/sync/follower.js';
import { createHttpSource, type HttpSourceOptions } from '../../src/sync/http-source.js';
import { ReferenceLedger, randomFrom } from '../reference/feed.js';
import { type HttpStand, type HttpStandOptions, openHttpStand, serveRelay, writeRound } from './http-stand.js';
import { PlainFollower } from './plain-follower.js';
import { TcpProxy } from './tcp-proxy.js';

/** Of the smallest snapshot. */
const SNAPSHOT_BYTES = 266_240;
/** What a stream of Node.js holds before it waits for its reader. */
const STREAM_BUFFER_BYTES = 65_536;
/** Of the heads of an exchange, at most. */
const HEAD_BYTES = 2048;
const QUICK = { connectMs: 500, headMs: 500, stallMs: 500 };
/** How much longer the tests with chance in them last. */
const STRESS = Number(process.env.OPTGATE_STRESS ?? 1);

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Line {
  readonly stand: HttpStand;
  readonly proxy: TcpProxy;
  readonly follower: PlainFollower;
}

/** A relay, a network before it and a follower behind that. */
async function openLine(options: HttpStandOptions = {}, source: Partial<HttpSourceOptions> = {}): Promise<Line> {
  const ledger = options.ledger ?? new ReferenceLedger();
  for (let round = 0; round < 5; round++) writeRound(ledger, round);
  const stand = await openHttpStand({ ...options, ledger });
  closers.push(() => stand.close());
  const proxy = await TcpProxy.open({ port: stand.port });
  closers.push(() => proxy.close());
  return { stand, proxy, follower: await followerAt(`http://127.0.0.1:${proxy.port}`, source) };
}

async function followerAt(url: string, options: Partial<HttpSourceOptions> = {}): Promise<PlainFollower> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-http-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const source = createHttpSource({ url, limits: QUICK, ...options });
  closers.push(() => source.close());
  return new PlainFollower(source, folder);
}

/** A server that answers as it likes. */
async function liar(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => 'no failure',
    (reason: unknown) => reason,
  );
  if (!(error instanceof GateError)) throw error;
  return error.code;
}

function expectTruth({ stand: { ledger } }: Line, follower: PlainFollower): void {
  expect(follower.position).toEqual({ epoch: ledger.epoch, seq: ledger.seq });
  expect(follower.stateDigest).toBe(ledger.tableAt(ledger.seq).stateDigest);
}

describe('a snapshot on a bad line', () => {
  test('goes on where it was cut off: nothing that was received is fetched twice', async () => {
    const ledger = new ReferenceLedger();
    for (let entry = 0; entry < 100; entry++) {
      ledger.write(Array.from({ length: 1000 }, (_, index) => ({ key: 1000 + entry * 1000 + index, rights: 1 })));
    }
    const line = await openLine({ ledger });
    const { bytes } = line.proxy;
    for (const at of [500_000, 900_000, 1_300_000]) line.proxy.cutAfter(at);
    await line.follower.load();
    expectTruth(line, line.follower);
    const snapshotBytes = (await stat(line.follower.snapshotPath ?? '')).size;
    expect(snapshotBytes).toBeGreaterThan(1_500_000);
    expect(line.proxy.connectionCount).toBe(4);
    // what was read from a connection and not yet taken when it broke is lost
    expect(bytes.down).toBeLessThan(snapshotBytes + 3 * STREAM_BUFFER_BYTES + 4 * HEAD_BYTES);
  });

  test('goes on in the next call, if the one before gave up', async () => {
    const line = await openLine();
    line.proxy.cutAfter(200_000);
    const refusing = setInterval(() => {
      line.proxy.isRefusing = line.proxy.bytes.down > 100_000;
    }, 1);
    expect(await codeOf(line.follower.load())).toBe('sync.unavailable');
    clearInterval(refusing);
    expect(await readdir(line.follower.folder)).toHaveLength(1);
    line.proxy.isRefusing = false;
    const before = line.proxy.bytes.down;
    await line.follower.load();
    expectTruth(line, line.follower);
    expect(line.proxy.bytes.down - before).toBeLessThan(SNAPSHOT_BYTES - 180_000 + STREAM_BUFFER_BYTES);
  });

  test('is another one by then: that one, from its beginning', async () => {
    const line = await openLine({ feed: { snapshotEveryMs: 50 } });
    line.proxy.bytesPerSecond = 400_000;
    line.proxy.cutAfter(150_000);
    const loading = line.follower.load();
    await sleep(200);
    writeRound(line.stand.ledger, 50);
    await expect.poll(() => line.stand.feed.snapshot()?.position.seq).toBe(line.stand.ledger.seq);
    line.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    await loading;
    expectTruth(line, line.follower);
  });

  test('with a flipped bit, wherever it is, is never taken', async () => {
    const line = await openLine();
    const random = randomFrom(5);
    for (let round = 0; round < 12; round++) {
      line.proxy.cut();
      const at = HEAD_BYTES + Math.floor(random() * (SNAPSHOT_BYTES - HEAD_BYTES));
      line.proxy.flip(at, 'down', 1 << Math.floor(random() * 8));
      expect(await codeOf(line.follower.load()), `byte ${at}`).toBe('snapshot.checksum');
      expect(await readdir(line.follower.folder)).toEqual([]);
    }
    await line.follower.load();
    expectTruth(line, line.follower);
  });

  test('that hangs without being closed fails in time, and is there when the line is', async () => {
    const line = await openLine();
    line.proxy.bytesPerSecond = 200_000;
    const loading = codeOf(line.follower.load());
    await expect.poll(() => line.proxy.bytes.down, { interval: 5 }).toBeGreaterThan(50_000);
    line.proxy.hang();
    const startMs = performance.now();
    expect(await loading).toBe('sync.deadline');
    expect(performance.now() - startMs).toBeLessThan(20_000);
    line.proxy.resume();
    line.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    await line.follower.load();
    expectTruth(line, line.follower);
  });

  test('that trickles in is given up; one that is only slow is not', async () => {
    const line = await openLine({}, { limits: { ...QUICK, headMs: 5000, stallBytes: 4096 } });
    line.proxy.bytesPerSecond = 1000;
    expect(await codeOf(line.follower.load())).toBe('sync.deadline');
    line.proxy.bytesPerSecond = 150_000;
    await line.follower.load();
    expectTruth(line, line.follower);
  });

  test('larger than the limit is not even begun', async () => {
    const line = await openLine({}, { limits: { ...QUICK, snapshotBytesMax: SNAPSHOT_BYTES - 1 } });
    expect(await codeOf(line.follower.load())).toBe('snapshot.too_large');
    expect(await readdir(line.follower.folder)).toEqual([]);
  });

  test('ended by a signal in the middle, leaves no file behind when the source is closed', async () => {
    const line = await openLine();
    line.proxy.bytesPerSecond = 100_000;
    const ending = new AbortController();
    const loading = codeOf(line.follower.load(() => {}, ending.signal));
    await sleep(300);
    ending.abort();
    expect(await loading).toBe('sync.closed');
    await line.follower.source.close();
    expect(await readdir(line.follower.folder)).toEqual([]);
  });
});

describe('changes on a bad line', () => {
  test('cut off, hung, refused, flipped: the follower ends where the ledger is, and never on a wrong table', async () => {
    const line = await openLine();
    const random = randomFrom(11);
    await line.follower.load();
    const { proxy, stand } = line;
    const mischief = setInterval(() => {
      const dice = random();
      if (dice < 0.3) proxy.cut();
      else if (dice < 0.5) proxy.flip(Math.floor(random() * 2000), random() < 0.8 ? 'down' : 'up');
      else if (dice < 0.6) proxy.cutAfter(Math.floor(random() * 3000), random() < 0.5 ? 'down' : 'up');
      else if (dice < 0.75) proxy.isRefusing = !proxy.isRefusing;
      else if (dice < 0.85) proxy.hang();
      else proxy.resume();
    }, 40);
    closers.push(async () => clearInterval(mischief));
    for (let round = 0; round < 40 * STRESS; round++) {
      writeRound(stand.ledger, round);
      await sleep(20);
      await line.follower.endure(line.follower.position.seq + (round % 3 === 0 ? 1 : 0));
      expect(line.follower.stateDigest).toBe(stand.ledger.tableAt(line.follower.position.seq).stateDigest);
    }
    clearInterval(mischief);
    proxy.resume();
    proxy.isRefusing = false;
    await line.follower.endure(stand.ledger.seq);
    expectTruth(line, line.follower);
  });

  test('a hung line fails in time, also while an answer is on its way', async () => {
    const line = await openLine();
    await line.follower.load();
    line.proxy.hang();
    const startMs = performance.now();
    expect(await codeOf(line.follower.step(300))).toBe('sync.deadline');
    expect(performance.now() - startMs).toBeLessThan(20_000);
    line.proxy.resume();
    await line.follower.endure(line.stand.ledger.seq);
    line.proxy.bytesPerSecond = 10;
    expect(await codeOf(line.follower.step(0))).toBe('sync.deadline');
  });

  test('a relay that is gone and comes back on another day', async () => {
    const line = await openLine();
    await line.follower.load();
    await line.stand.close();
    expect(await codeOf(line.follower.step(100))).toBe('sync.unavailable');
    const again = await openHttpStand({ ledger: line.stand.ledger });
    closers.push(() => again.close());
    line.proxy.retarget(again.port);
    for (let round = 0; round < 5; round++) writeRound(line.stand.ledger, round);
    await line.follower.endure(line.stand.ledger.seq);
    expectTruth(line, line.follower);
  });

  test('held up on the way, they make nothing fresher than it is', async () => {
    const line = await openLine({}, { limits: { ...QUICK, headMs: 5000 } });
    await line.follower.load();
    line.proxy.delayMs = 400;
    const startMs = performance.now();
    await line.follower.step(0);
    expect(line.follower.completeAtMs).toBeLessThanOrEqual(startMs + 20);
    const { completeAtMs } = line.follower;
    const askedAtMs = performance.now();
    await line.follower.step(700);
    // complete as of the end of the relay's wait, less its age: not as of the arrival
    expect(line.follower.completeAtMs).toBeGreaterThan(completeAtMs);
    expect(line.follower.completeAtMs).toBeLessThanOrEqual(askedAtMs + 720);
  });

  test('relays behind one address that are not equally far do not send anyone back', async () => {
    const line = await openLine();
    await line.follower.load();
    const behind = await openHttpStand({ ledger: line.stand.ledger });
    closers.push(() => behind.close());
    // the second relay hears nothing any more
    behind.feed.changesAfter = (
      (answer) => () =>
        answer
    )(behind.feed.changesAfter(line.follower.position, { entriesMax: 10, bytesMax: 1e6 }));
    for (let round = 0; round < 4; round++) writeRound(line.stand.ledger, round);
    await line.follower.catchUp(line.stand.ledger.seq);
    await line.follower.step(0);
    line.proxy.retarget(behind.port);
    line.proxy.cut();
    const failures: unknown[] = [];
    for (let count = 0; count < 5; count++) failures.push(await codeOf(line.follower.step(0)));
    expect(new Set(failures)).toEqual(new Set(['sync.unavailable']));
    line.proxy.retarget(line.stand.port);
    line.proxy.cut();
    await line.follower.endure(line.stand.ledger.seq);
    expect(line.follower.snapshotCount).toBe(1);
  });
});

test('a ledger that was put back, and whose heads begin lower, is believed soon', async () => {
  const line = await openLine();
  await line.follower.load();
  for (let round = 0; round < 8; round++) writeRound(line.stand.ledger, round);
  await line.follower.catchUp(line.stand.ledger.seq);
  line.stand.ledger.regress(4, 1);
  let behindCount = 0;
  for (;;) {
    const answer = await line.follower.step(0).catch((error: unknown) => codeOf(Promise.reject(error)));
    if (typeof answer === 'object' && answer.kind === 'snapshot') break;
    if (answer === 'sync.unavailable') behindCount++;
    await sleep(400);
  }
  expect(behindCount).toBeGreaterThanOrEqual(1); // content from just after what was applied proves nothing
  expect(behindCount).toBeLessThanOrEqual(6);
  await line.follower.load();
  expect(line.follower.position.seq).toBe(4);
});

describe('what is no answer', () => {
  const position = { epoch: 'epoch-1', seq: 1 };
  const signal = new AbortController().signal;
  const cases: [string, RequestListener, string][] = [
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 'sync.protocol'],
    ['a page', (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('hello'), 'sync.protocol'],
    ['an empty page', (_, response) => response.writeHead(204).end(), 'sync.protocol'],
    ['401', (_, response) => response.writeHead(401).end(), 'sync.refused'],
    ['403', (_, response) => response.writeHead(403).end('no'), 'sync.refused'],
    ['404', (_, response) => response.writeHead(404).end(), 'sync.protocol'],
    ['a 410 that says nothing of changes', (_, response) => response.writeHead(410).end('gone'), 'sync.protocol'],
    ['502', (_, response) => response.writeHead(502).end('<html>'), 'sync.unavailable'],
    ['a head that never ends', (_, response) => void response.socket?.write('HTTP/1.1 200 OK\r\nx: '), 'sync.deadline'],
    ['no HTTP', (_, response) => void response.socket?.end('SSH-2.0-OpenSSH\r\n'), 'sync.unavailable'],
  ];

  test.each(cases)('%s', async (_, listener, code) => {
    const { source, folder } = await followerAt(await liar(listener));
    expect(await codeOf(source.changes(position, { waitMs: 0, signal }))).toBe(code);
    expect(await codeOf(source.snapshot({ folder, validate: () => {}, signal }))).toBe(code);
    expect(await readdir(folder)).toEqual([]);
  });

  const delta = { 'content-type': 'application/vnd.optgate.delta' };
  test.each<[string, RequestListener, string]>([
    ['no frames', (_, response) => response.writeHead(200, delta).end(), 'sync.protocol'],
    ['no magic', (_, response) => response.writeHead(200, delta).end('0123456789'), 'delta.magic'],
    ['half a frame', (_, response) => response.writeHead(200, delta).end('OGD1\x80\0\0\0'), 'delta.truncated'],
    ['far too much', (_, response) => response.writeHead(200, delta).end(Buffer.alloc(5000)), 'sync.protocol'],
  ])('changes: %s', async (_, listener, code) => {
    const limits = { ...QUICK, changesBytesMax: 4096 };
    const { source } = await followerAt(await liar(listener), { limits });
    expect(await codeOf(source.changes(position, { waitMs: 0, signal }))).toBe(code);
  });

  test('a body that is compressed, or of no known length, is no snapshot', async () => {
    const type = { 'content-type': 'application/octet-stream', 'optgate-epoch': 'e', 'optgate-seq': '1' };
    const { source, folder } = await followerAt(await liar((_, response) => response.writeHead(200, type).end('x')));
    const call = source.snapshot({ folder, validate: () => {}, signal });
    expect(await codeOf(call)).toMatch(/^(sync\.protocol|snapshot\.truncated)$/);
  });
});

describe('who is trusted, and who is let in', () => {
  const pair = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    return { signer, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  };

  test('with a key: only what that key has signed, snapshot and changes', async () => {
    const [ours, theirs] = [pair(), pair()];
    const signed = { feed: { signer: ours.signer }, relay: { signer: ours.signer } };
    const line = await openLine(signed, { trustedKeys: [theirs.pem, ours.pem] });
    await line.follower.load();
    writeRound(line.stand.ledger, 9);
    await line.follower.catchUp(line.stand.ledger.seq);
    expectTruth(line, line.follower);

    const stranger = await followerAt(line.stand.url, { trustedKeys: [theirs.pem] });
    expect(await codeOf(stranger.load())).toBe('signature.unknown_key');
    stranger.position = line.follower.position;
    expect(await codeOf(stranger.step())).toBe('signature.unknown_key');
    expect(await readdir(stranger.folder)).toEqual([]);

    const unsigned = await openLine({}, { trustedKeys: [ours.pem] });
    expect(await codeOf(unsigned.follower.load())).toBe('signature.missing');
    unsigned.follower.position = { epoch: unsigned.stand.ledger.epoch, seq: unsigned.stand.ledger.seq };
    expect(await codeOf(unsigned.follower.step())).toBe('signature.missing');
  });

  test('the token of a file is read anew for every request', async () => {
    let token = 'first';
    const stand = await openHttpStand({ relay: { tokens: () => [token] } });
    closers.push(() => stand.close());
    const folder = await mkdtemp(join(tmpdir(), 'optgate-token-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'first\n');
    const follower = await followerAt(stand.url, { tokenFile });
    await follower.load();
    token = 'second';
    expect(await codeOf(follower.step())).toBe('sync.refused');
    await writeFile(tokenFile, 'second');
    await follower.step();
    await rm(tokenFile);
    expect(await codeOf(follower.step())).toBe('sync.refused');
    const error = await (await followerAt(stand.url, { token: 'tok-secret' })).load().catch(String);
    expect(error).not.toContain('tok-secret');
  });

  test('options that make no sense are refused, and not repeated', () => {
    const wrong: Partial<HttpSourceOptions>[] = [
      { url: 'ftp://a' },
      { url: 'jane' },
      { url: 'http://jane:secret@a' },
      { url: 'http://a?jane' },
      { url: 'http://a', token: 'jane doe' },
    ];
    for (const options of wrong) {
      try {
        createHttpSource(options as HttpSourceOptions);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        expect(String(error)).not.toMatch(/jane|secret/);
      }
    }
  });

  test('a relay below a path of somebody else', async () => {
    const line = await openLine();
    const { relay } = await serveRelay({ feed: line.stand.feed });
    const url = await liar((request, response) => {
      if (request.url?.startsWith('/optgate/')) request.url = request.url.slice('/optgate'.length);
      else response.writeHead(500).end();
      relay(request, response);
    });
    const follower = await followerAt(`${url}/optgate/`);
    await follower.load();
    expectTruth(line, follower);
  });
});

test('a real follower behind a line that fails: always on the way back, and right in the end', async () => {
  const line = await openLine();
  const folder = await mkdtemp(join(tmpdir(), 'optgate-follower-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const holder = new TableHolder();
  const source = createHttpSource({ url: `http://127.0.0.1:${line.proxy.port}`, limits: QUICK });
  const enforcer = { role: 'library', version: '0.0.0' } as const;
  const follower = new Follower({ source, holder, folder, enforcer, random: () => 0.1 });
  closers.push(() => follower.close());
  await follower.start();
  const random = randomFrom(3);
  for (let round = 0; round < 30; round++) {
    writeRound(line.stand.ledger, round);
    if (random() < 0.4) line.proxy.cut();
    if (random() < 0.2) line.proxy.flip(Math.floor(random() * 500));
    await sleep(30);
  }
  const { seq, epoch } = line.stand.ledger;
  expect(await follower.reach(`${epoch}.${seq}`, 15_000)).toBe(true);
  expect(holder.current?.stateDigest).toBe(line.stand.ledger.tableAt(seq).stateDigest);
  await expect.poll(() => follower.status().state, { timeout: 10_000 }).toBe('live');
  expect(line.stand.ledger.reports.at(-1)).toMatchObject({ role: 'library', version: '0.0.0' });
});
