/**
 * A set on NATS while everything on the way fails: the publisher, the line, the stream, the object, the signature.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { afterEach, expect, describe as group, test } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import { createSigner, decodeFrame, encodeFrame, TableHolder } from '../../src/core/suppression/index.js';
import { systemClock } from '../../src/sync/clock.js';
import { Follower } from '../../src/sync/follower.js';
import { NatsLinks } from '../../src/sync/nats-connect.js';
import { createNatsSource, type NatsSourceOptions } from '../../src/sync/nats-source.js';
import { ChangeWriter, Fenced } from '../../src/sync/nats-writer.js';
import { ReferenceLedger, randomFrom } from '../reference/feed.js';
import { NATS_URL, withService } from '../services.js';
import { writeRound } from './http-stand.js';
import { leading, type NatsStand, type NatsStandOptions, natsUrl, openNatsStand } from './nats-stand.js';
import { PlainFollower } from './plain-follower.js';
import { TcpProxy } from './tcp-proxy.js';

const describe = await withService('NATS', NATS_URL);
const isThere = describe === group;

const SERVER_PORT = Number(new URL(NATS_URL).port);
const QUICK = { connectMs: 1000, requestMs: 500, pingMs: 500, pingsMax: 2, pieceMs: 2000 };
/** What is lost with a line that is cut is asked for again, as often as a busy machine needs. */
const PATIENT = { ...QUICK, connectMs: 5000, requestMs: 1000, pieceMs: 60_000 };
/** How much longer the tests with chance in them last. */
const STRESS = Number(process.env.OPTGATE_STRESS ?? 1);
/** One publisher alone need not listen long for others. */
const ALONE = { takeoverMs: 200 };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(options: NatsStandOptions = {}): Promise<NatsStand> {
  const stand = await openNatsStand({ rounds: 5, ...options, publisher: { ...ALONE, ...options.publisher } });
  closers.push(() => stand.close());
  await leading(stand.publisher);
  return stand;
}

async function follow(url: string, options: Partial<NatsSourceOptions> = {}): Promise<PlainFollower> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-follow-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const source = createNatsSource({ url, ...options });
  closers.push(() => source.close());
  return new PlainFollower(source, folder);
}

async function openProxy(): Promise<TcpProxy> {
  const proxy = await TcpProxy.open({ port: SERVER_PORT });
  closers.push(() => proxy.close());
  return proxy;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => 'no failure',
    (reason: unknown) => reason,
  );
  if (!(error instanceof GateError)) throw error;
  return error.code;
}

function expectTruth({ ledger }: NatsStand, follower: PlainFollower): void {
  expect(follower.position).toEqual({ epoch: ledger.epoch, seq: ledger.seq });
  expect(follower.stateDigest).toBe(ledger.tableAt(ledger.seq).stateDigest);
}

/** What the stream holds, message by message; fails if it is not dense. */
async function streamOf({ connection, names }: NatsStand) {
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(names.stream);
  const messages: { first: number; last: number; bytes: number }[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.direct.getMessage(names.stream, { seq });
    if (message === null) continue;
    const { entries } = decodeFrame(new Uint8Array(message.data));
    const [first, last] = [entries[0]?.seq ?? 0, entries.at(-1)?.seq ?? 0];
    expect(message.header.get('Optgate-First')).toBe(String(first));
    expect(message.header.get('Optgate-Last')).toBe(String(last));
    const before = messages.at(-1);
    if (before !== undefined) expect(first, `message ${seq}`).toBe(before.last + 1);
    messages.push({ first, last, bytes: message.data.length });
  }
  return messages;
}

/** Whoever loads the newest snapshot finds what comes after it in the stream. */
async function expectReach(stand: NatsStand): Promise<void> {
  const manager = await jetstreamManager(stand.connection);
  const bucket = await new Objm(stand.connection).open(stand.names.bucket);
  const info = await bucket.info('snapshot');
  const first = await manager.direct.getMessage(stand.names.stream, { seq: 1, next_by_subj: stand.names.changes });
  if (first === null) return;
  expect(Number(first.header.get('Optgate-First'))).toBeLessThanOrEqual(Number(info?.metadata?.seq) + 1);
}

describe('the stream', () => {
  test('entries that are together larger than a message are split, and one message holds many small ones', async () => {
    const ledger = new ReferenceLedger();
    const stand = await open({ ledger });
    const follower = await follow(stand.url);
    await follower.load();
    const { seq } = ledger;
    for (let entry = 0; entry < 20; entry++) {
      const xid = ledger.begin();
      ledger.commit(
        xid,
        Array.from({ length: 4096 }, (_, index) => ({ key: 100 + entry * 4096 + index, rights: 3 })),
      );
    }
    for (let entry = 0; entry < 200; entry++) ledger.commit(ledger.begin(), [{ key: entry % 50, rights: entry % 128 }]);
    ledger.sequence();
    await follower.catchUp(seq + 220);
    expectTruth(stand, follower);
    expect(follower.snapshotCount).toBe(1);
    const messages = (await streamOf(stand)).filter(({ first }) => first > seq);
    const payloadMax = stand.connection.info?.max_payload ?? 0;
    expect(messages.length).toBeGreaterThanOrEqual(2);
    expect(messages.length).toBeLessThan(6);
    for (const { bytes } of messages) expect(bytes).toBeLessThan(payloadMax);
  });

  test('that is deleted is made anew, from where the snapshot ends', async () => {
    const stand = await open({ publisher: { maintainEveryMs: 200 } });
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    for (let round = 0; round < 10; round++) writeRound(stand.ledger, round);
    await follower.catchUp(stand.ledger.seq);
    const manager = await jetstreamManager(stand.connection);
    await manager.streams.delete(stand.names.stream);
    for (let round = 0; round < 10; round++) writeRound(stand.ledger, round);
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    expect(follower.snapshotCount).toBe(1);
    await streamOf(stand);
    await expectReach(stand);
  });

  test('that is deleted while nothing happens is made anew as well', async () => {
    const stand = await open({ publisher: { maintainEveryMs: 100 } });
    const manager = await jetstreamManager(stand.connection);
    await manager.streams.delete(stand.names.stream);
    await expect
      .poll(() => manager.streams.info(stand.names.stream).catch(() => null), { timeout: 30_000 })
      .not.toBeNull();
  });

  test('of which a message was removed by hand: a snapshot, and on', async () => {
    const stand = await open({ publisher: { snapshotEveryMs: 300 } });
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    const before = stand.ledger.seq;
    writeRound(stand.ledger, 1);
    await follower.catchUp(before + 1);
    for (let round = 0; round < 3; round++) {
      writeRound(stand.ledger, round);
      await expect.poll(() => stand.publisher.status().position?.seq).toBe(stand.ledger.seq);
    }
    const manager = await jetstreamManager(stand.connection);
    const { state } = await manager.streams.info(stand.names.stream);
    await manager.streams.deleteMessage(stand.names.stream, state.last_seq - 1);
    await expect.poll(() => stand.publisher.status().snapshot?.seq, { timeout: 30_000 }).toBe(stand.ledger.seq);
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    expect(follower.snapshotCount).toBe(2);
  });

  test('never grows beyond its limit, and never begins after the snapshot', async () => {
    const stand = await open({
      publisher: { streamBytesMax: 30_000, snapshotEveryBytes: 10_000, maintainEveryMs: 100, snapshotEveryMs: 1e9 },
    });
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    const manager = await jetstreamManager(stand.connection);
    for (let round = 0; round < 120; round++) {
      for (let entry = 0; entry < 5; entry++) writeRound(stand.ledger, round * 5 + entry);
      await sleep(15);
      if (round % 20 === 0) await expectReach(stand);
    }
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    const { state } = await manager.streams.info(stand.names.stream);
    expect(state.bytes).toBeLessThanOrEqual(30_000);
    expect(state.first_seq).toBeGreaterThan(1);
    expect(stand.publisher.status().snapshotCount).toBeGreaterThan(2);
    const late = await follow(stand.url);
    await late.load();
    await late.catchUp(stand.ledger.seq);
    expectTruth(stand, late);
  });

  test('loses what is too old, as far as the snapshot reaches', async () => {
    const stand = await open({ publisher: { streamAgeMsMax: 400, maintainEveryMs: 100, snapshotEveryMs: 200 } });
    const manager = await jetstreamManager(stand.connection);
    for (let round = 0; round < 10; round++) {
      writeRound(stand.ledger, round);
      await sleep(20);
    }
    const first = async () => (await manager.streams.info(stand.names.stream)).state.first_seq;
    await expect.poll(first, { timeout: 30_000 }).toBeGreaterThan(3);
    await expectReach(stand);
    const late = await follow(stand.url);
    await late.load();
    await late.catchUp(stand.ledger.seq);
    expectTruth(stand, late);
  });

  test('of another history: its snapshot comes first', async () => {
    const stand = await open();
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    for (let round = 0; round < 5; round++) writeRound(stand.ledger, round);
    await follower.catchUp(stand.ledger.seq);
    for (let count = 0; count < 3; count++) {
      stand.ledger.rotateEpoch();
      writeRound(stand.ledger, count);
      await expect
        .poll(() => follower.step(300).catch((error: unknown) => (error as GateError).code), { timeout: 10_000 })
        .toEqual({ kind: 'snapshot', why: 'sync.epoch' });
      await follower.load(); // at once: there is one of that history
      await follower.catchUp(stand.ledger.seq);
      expectTruth(stand, follower);
    }
    await streamOf(stand);
  });
});

test('a ledger that no longer has what comes after the stream: a snapshot, and on', async ({ skip }) => {
  if (!isThere) return skip('no NATS');
  const stand = await open();
  const follower = await follow(stand.url, { limits: QUICK });
  await follower.load();
  await stand.publisher.close();
  for (let round = 0; round < 10; round++) writeRound(stand.ledger, round);
  stand.ledger.trim(stand.ledger.seq - 3);
  await leading(stand.another());
  writeRound(stand.ledger, 11);
  await follower.endure(stand.ledger.seq);
  expectTruth(stand, follower);
});

describe('the snapshot in the object store', () => {
  /** A snapshot of a few MB, and a slow line to it. */
  async function slowly(options: NatsStandOptions = {}, limits = QUICK) {
    const ledger = new ReferenceLedger();
    for (let entry = 0; entry < 60; entry++) {
      ledger.write(Array.from({ length: 2000 }, (_, index) => ({ key: 1000 + entry * 2000 + index, rights: 1 })));
    }
    const stand = await open({ ledger, ...options });
    const proxy = await openProxy();
    proxy.bytesPerSecond = 1_500_000;
    const follower = await follow(natsUrl(stand.set, proxy.port), { limits });
    return { stand, proxy, follower };
  }

  test('deleted while it is read: a failure, soon; and it is put there again', async () => {
    const { stand, proxy, follower } = await slowly({ publisher: { maintainEveryMs: 500 } });
    const loading = codeOf(follower.load());
    await expect.poll(() => proxy.bytes.down, { interval: 5 }).toBeGreaterThan(400_000);
    const bucket = await new Objm(stand.connection).open(stand.names.bucket);
    await bucket.delete('snapshot');
    const startMs = performance.now();
    expect(await loading).toBe('sync.unavailable');
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(await readdir(follower.folder)).toEqual([]);
    proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    await expect.poll(() => follower.load().then(String, String), { timeout: 10_000 }).toBe('undefined');
    expectTruth(stand, follower);
  });

  test('replaced while it is read: a failure, and then the new one', async () => {
    const { stand, proxy, follower } = await slowly({ publisher: { snapshotEveryMs: 1e9, snapshotEveryBytes: 50 } });
    const loading = codeOf(follower.load());
    await expect.poll(() => proxy.bytes.down, { interval: 5 }).toBeGreaterThan(400_000);
    await sleep(1000);
    writeRound(stand.ledger, 4);
    expect(await loading).toMatch(/^sync\.(deadline|unavailable)$/); // which of them strikes first is a matter of load
    proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    await follower.load();
    await follower.catchUp(stand.ledger.seq);
    expectTruth(stand, follower);
  });

  test('on a line that is cut: goes on with the piece that was missing', async () => {
    const { stand, proxy, follower } = await slowly({}, PATIENT);
    proxy.bytesPerSecond = 20_000_000;
    for (const at of [300_000, 700_000, 1_000_000]) proxy.cutAfter(at);
    await follower.load();
    expectTruth(stand, follower);
    expect(proxy.connectionCount).toBeGreaterThanOrEqual(4);
  });

  test('on a line that hangs: a failure in time', async () => {
    const { proxy, follower } = await slowly();
    const loading = codeOf(follower.load());
    await expect.poll(() => proxy.bytes.down, { interval: 5 }).toBeGreaterThan(300_000);
    proxy.hang();
    const startMs = performance.now();
    expect(await loading).toMatch(/^sync\.(deadline|unavailable)$/);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    proxy.resume();
  });

  test('with a flipped bit is never taken', async () => {
    const { stand, proxy, follower } = await slowly();
    proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    await follower.source.report?.({
      id: 'x',
      name: '',
      role: 'library',
      version: '',
      leaseMs: 1,
      position: null,
      appliedAgeMs: null,
      state: 'live',
      isLeaving: false,
    });
    for (const at of [200_000, 500_000, 900_000]) {
      proxy.flip(at, 'down', 0x10);
      const outcome = await follower.load().then(
        () => 'no failure',
        (error: unknown) => (error as GateError).code,
      );
      // a bit of the protocol itself breaks the connection, and what was missing is asked for again
      expect(['snapshot.checksum', 'sync.unavailable', 'sync.deadline', 'no failure']).toContain(outcome);
      if (outcome === 'no failure')
        expect(follower.stateDigest).toBe(stand.ledger.tableAt(follower.position.seq).stateDigest);
    }
    await follower.load();
    expectTruth(stand, follower);
  });

  test('that is no snapshot at all', async () => {
    const stand = await open();
    const bucket = await new Objm(stand.connection).open(stand.names.bucket);
    const follower = await follow(stand.url);
    await bucket.putBlob({ name: 'snapshot' }, new Uint8Array(10));
    expect(await codeOf(follower.load())).toBe('sync.protocol');
    const info = { epoch: 'e', seq: '1', entries: '1', sha256: '0'.repeat(64), streamSeq: '0' };
    await bucket.putBlob({ name: 'snapshot', metadata: info }, new Uint8Array(10));
    expect(await codeOf(follower.load())).toBe('snapshot.checksum');
    expect(await readdir(follower.folder)).toEqual([]);
  });
});

describe('publishers', () => {
  test('one leads; the other stands by, and takes over when the first falls silent, or leaves', async () => {
    const stand = await open({ publisher: { takeoverMs: 1500 } });
    const proxy = await openProxy();
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    const second = stand.another({ url: natsUrl(stand.set, proxy.port), takeoverMs: 60_000 });
    await expect.poll(() => second.status().state).toBe('standby');
    for (let round = 0; round < 10; round++) writeRound(stand.ledger, round);
    await follower.catchUp(stand.ledger.seq);
    expect(second.status()).toMatchObject({ state: 'standby', messageCount: 0, beatCount: 0 });
    await stand.publisher.close();
    await leading(second, 30_000); // it was told: it would have waited for longer
    writeRound(stand.ledger, 1);
    await follower.endure(stand.ledger.seq);
    const third = stand.another();
    await expect.poll(() => third.status().state).toBe('standby');
    await sleep(500);
    expect(third.status().state).toBe('standby');
    proxy.hang(); // the second is alive, and out of reach
    await leading(third, 30_000);
    for (let round = 0; round < 10; round++) writeRound(stand.ledger, round);
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    proxy.resume();
    for (let round = 0; round < 20; round++) {
      writeRound(stand.ledger, round);
      await sleep(50);
    }
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    await expect.poll(() => [second, third].filter((one) => one.status().state === 'leading').length).toBe(1);
    await streamOf(stand); // dense, nothing twice
    expect(follower.snapshotCount).toBe(1);
  });

  test('write only where they believe the stream to end', async () => {
    const stand = await open();
    const open2 = async () => {
      const links = new NatsLinks({ url: stand.url });
      closers.push(() => links.close());
      const options = { signer: undefined, streamBytesMax: 2 ** 30, replicas: 1, publisherId: 'p', clock: systemClock };
      const writer = new ChangeWriter(await links.get(), links.names, options);
      await writer.open();
      return writer;
    };
    await stand.publisher.close();
    const [one, other] = [await open2(), await open2()];
    const { seq } = stand.ledger;
    for (let round = 0; round < 3; round++) writeRound(stand.ledger, round);
    const frame = await stand.ledger.entriesAfter(seq, 10);
    await one.append(frame, performance.now());
    const shorter = { ...frame, entries: frame.entries.slice(0, 2) };
    await expect(other.append(shorter, performance.now())).rejects.toThrow(Fenced);
    await expect(other.append(frame, performance.now())).rejects.toThrow(Fenced); // the same message, once more
    await other.open();
    expect(other.position).toEqual({ epoch: stand.ledger.epoch, seq: seq + 3 });
    expect(await streamOf(stand)).toHaveLength(1);
  });

  test('that all believe to lead do not write twice, nor past one another', async () => {
    const stand = await open();
    // no one hears of another in time
    for (let count = 0; count < 3; count++) stand.another({ takeoverMs: 1 });
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    for (let round = 0; round < 100; round++) {
      writeRound(stand.ledger, round);
      await sleep(10);
    }
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    const messages = await streamOf(stand);
    expect(messages.at(-1)?.last).toBe(stand.ledger.seq);
  });

  test('on a line that is cut again and again leave nothing out and write nothing twice', async () => {
    const proxy = await openProxy();
    const stand = await open();
    await stand.publisher.close();
    const publisher = stand.another({ url: natsUrl(stand.set, proxy.port), limits: QUICK });
    await leading(publisher);
    const follower = await follow(stand.url, { limits: QUICK });
    await follower.load();
    const random = randomFrom(17);
    for (let round = 0; round < 40 * STRESS; round++) {
      writeRound(stand.ledger, round);
      const dice = random();
      if (dice < 0.15) proxy.cut();
      else if (dice < 0.3) proxy.cutAfter(Math.floor(random() * 600), random() < 0.5 ? 'down' : 'up');
      await sleep(25);
    }
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    await streamOf(stand);
    expect(follower.snapshotCount).toBe(1);
  });

  test('go on from what the stream holds, when they start again', async () => {
    const stand = await open();
    const follower = await follow(stand.url);
    await follower.load();
    for (let round = 0; round < 6; round++) {
      writeRound(stand.ledger, round);
      if (round % 2 === 1) {
        await stand.publisher.close();
        writeRound(stand.ledger, round);
        await leading(stand.another());
      }
    }
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
    await streamOf(stand);
  });

  test('whose ledger does not answer: the follower is told, and its table is not called fresh', async () => {
    const stand = await open();
    const follower = await follow(stand.url, { limits: QUICK, silenceMsMax: 600 });
    await follower.load();
    await follower.step(1200);
    stand.ledger.failure = 'ledger.unavailable';
    const failedAtMs = performance.now();
    await expect.poll(() => codeOf(follower.step(300)), { timeout: 30_000 }).toBe('sync.unavailable');
    expect(follower.completeAtMs).toBeLessThan(failedAtMs + 1);
    expect(stand.failures.map(({ code }) => code)).toContain('ledger.unavailable');
    stand.ledger.failure = null;
    writeRound(stand.ledger, 1);
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
  });
});

describe('a line to NATS', () => {
  test('that is cut, hung, refused and flipped: the follower ends where the ledger is', async () => {
    const stand = await open();
    const proxy = await openProxy();
    const follower = await follow(natsUrl(stand.set, proxy.port), { limits: QUICK });
    await follower.load();
    const random = randomFrom(23);
    const mischief = setInterval(() => {
      const dice = random();
      if (dice < 0.2) proxy.cut();
      else if (dice < 0.4) proxy.flip(Math.floor(random() * 1500), random() < 0.8 ? 'down' : 'up');
      else if (dice < 0.5) proxy.cutAfter(Math.floor(random() * 2000), random() < 0.5 ? 'down' : 'up');
      else if (dice < 0.6) proxy.isRefusing = !proxy.isRefusing;
      else if (dice < 0.7) proxy.hang();
      else proxy.resume();
    }, 200);
    closers.push(async () => clearInterval(mischief));
    for (let round = 0; round < 30 * STRESS; round++) {
      writeRound(stand.ledger, round);
      await sleep(50);
      if (round % 10 === 0) await follower.endure(follower.position.seq + 1);
      expect(follower.stateDigest).toBe(stand.ledger.tableAt(follower.position.seq).stateDigest);
    }
    clearInterval(mischief);
    proxy.resume();
    proxy.isRefusing = false;
    await follower.endure(stand.ledger.seq);
    expectTruth(stand, follower);
  });

  test('that hangs and then delivers what was under way makes nothing fresher than it is', async () => {
    const stand = await open();
    const proxy = await openProxy();
    const patient = { ...QUICK, requestMs: 5000, pingMs: 20_000 };
    const follower = await follow(natsUrl(stand.set, proxy.port), { limits: patient });
    await follower.load();
    for (let count = 0; count < 3; count++) await follower.step(1300);
    const { beatCount } = stand.publisher.status();
    proxy.hang();
    await expect.poll(() => stand.publisher.status().beatCount, { timeout: 30_000 }).toBeGreaterThan(beatCount);
    await stand.publisher.close(); // the last heartbeat lies in the line, and knows nothing of what comes now
    writeRound(stand.ledger, 3);
    const writtenAtMs = performance.now();
    await sleep(1000);
    const { completeAtMs } = follower;
    proxy.resume();
    for (let count = 0; count < 5; count++) await follower.step(200).catch(() => {});
    expect(follower.completeAtMs).toBeGreaterThan(completeAtMs); // it did come
    expect(follower.completeAtMs).toBeLessThanOrEqual(writtenAtMs + 20);
  });

  test('with nobody at the other end of it', async () => {
    const proxy = await openProxy();
    proxy.isRefusing = true;
    const follower = await follow(natsUrl('nobody', proxy.port), { limits: QUICK });
    expect(await codeOf(follower.load())).toBe('sync.unavailable');
    proxy.isRefusing = false;
    proxy.hang();
    const startMs = performance.now();
    expect(await codeOf(follower.load())).toMatch(/^sync\.(unavailable|deadline)$/);
    expect(performance.now() - startMs).toBeLessThan(20_000);
  });

  test('with a server that has no such set', async () => {
    const follower = await follow(natsUrl('no-such-set'), { limits: QUICK, silenceMsMax: 500 });
    expect(await codeOf(follower.load())).toBe('sync.unavailable');
    follower.position = { epoch: 'e', seq: 1 };
    expect(await codeOf(follower.step(100))).toBe('sync.unavailable');
    expect(await codeOf(follower.source.report?.({} as never) ?? Promise.resolve())).toBe('sync.unavailable');
  });
});

describe('who is trusted', () => {
  const pair = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    return { signer, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  };

  test('with a key: only what that key has signed, snapshot, changes and heartbeats', async () => {
    const [ours, theirs] = [pair(), pair()];
    const stand = await open({ publisher: { signer: ours.signer } });
    const follower = await follow(stand.url, { trustedKeys: [ours.pem] });
    await follower.load();
    writeRound(stand.ledger, 2);
    await follower.catchUp(stand.ledger.seq);
    await follower.step(1500);
    expect(follower.completeAtMs).toBeGreaterThan(0);

    const stranger = await follow(stand.url, { trustedKeys: [theirs.pem], silenceMsMax: 500 });
    expect(await codeOf(stranger.load())).toBe('signature.unknown_key');
    stranger.position = { ...follower.position, seq: follower.position.seq - 1 };
    await expect.poll(() => codeOf(stranger.step(300))).toBe('signature.unknown_key');
    stranger.position = follower.position;
    await expect.poll(() => codeOf(stranger.step(300))).toBe('signature.unknown_key');

    const unsigned = await open();
    const careful = await follow(unsigned.url, { trustedKeys: [ours.pem] });
    expect(await codeOf(careful.load())).toBe('signature.missing');
    expect(await readdir(careful.folder)).toEqual([]);
  });

  test('a heartbeat that is not of the publisher, or was heard before, counts for nothing', async () => {
    const ours = pair();
    const stand = await open({ publisher: { signer: ours.signer } });
    const follower = await follow(stand.url, { trustedKeys: [ours.pem] });
    await follower.load();
    const recorded: Uint8Array[] = [];
    const listening = stand.connection.subscribe(stand.names.beat, {
      callback: (_, { data }) => void recorded.push(new Uint8Array(data)),
    });
    await follower.step(1500);
    await follower.step(1500);
    await expect.poll(() => recorded.length).toBeGreaterThan(0);
    await stand.publisher.close(); // from now on there is only what follows
    await sleep(100);
    while ((await follower.step(0).catch(() => null)) !== null) {
      if (performance.now() - follower.completeAtMs > 1000) break;
    }
    listening.unsubscribe();
    const { completeAtMs } = follower;
    const [first] = recorded;
    if (first === undefined) throw new Error('expected a heartbeat');
    const { head } = decodeFrame(first);
    const forged = encodeFrame({ head: { ...head, beat: head.beat + 1000, lagMs: 0 }, entries: [] });
    for (const bytes of [...recorded, forged]) stand.connection.publish(stand.names.beat, bytes);
    await stand.connection.flush();
    for (let count = 0; count < 3; count++) await follower.step(100).catch(() => {});
    expect(follower.completeAtMs).toBe(completeAtMs);
  });
});

test('a real follower, and its reports', async ({ skip }) => {
  if (!isThere) return skip('no NATS');
  const stand = await open();
  const proxy = await openProxy();
  const holder = new TableHolder();
  const source = createNatsSource({ url: natsUrl(stand.set, proxy.port), limits: QUICK });
  const enforcer = { id: 'nats-test', role: 'sidecar', version: '0.0.0' } as const;
  const follower = new Follower({ source, holder, enforcer, random: () => 0.1 });
  closers.push(() => follower.close());
  await follower.start();
  const random = randomFrom(29);
  for (let round = 0; round < 40; round++) {
    writeRound(stand.ledger, round);
    if (random() < 0.1) proxy.cut();
    await sleep(20);
  }
  const { epoch, seq } = stand.ledger;
  expect(await follower.reach(`${epoch}.${seq}`, 15_000)).toBe(true);
  expect(holder.current?.stateDigest).toBe(stand.ledger.tableAt(seq).stateDigest);
  await expect.poll(() => follower.status().state, { timeout: 10_000 }).toBe('live');
  await expect.poll(() => stand.ledger.reports.at(-1)?.position).toEqual({ epoch, seq });
  expect(stand.ledger.reports.at(-1)).toMatchObject({ id: 'nats-test', role: 'sidecar' });
  stand.ledger.failure = 'ledger.unavailable';
  await expect.poll(() => follower.status().reportFailureCount, { timeout: 30_000 }).toBeGreaterThan(0);
  stand.ledger.failure = null;
});
