/**
 * Relays that follow relays, or a set on NATS: the same table at the end, and signatures that nobody on the way can make.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { GateError } from '../../src/core/errors.js';
import { createSigner, createVerifier, encodeFrame, type Signer } from '../../src/core/suppression/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { createHttpSource } from '../../src/sync/http-source.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
import { createRelayedSource } from '../../src/sync/relayed-source.js';
import type { ChangesAnswer, Source } from '../../src/sync/source.js';
import { SourceRelayFeed, type SourceRelayOptions } from '../../src/sync/source-relay-feed.js';
import { ReferenceLedger } from '../reference/feed.js';
import { NATS_URL, withService } from '../services.js';
import { loaded, openHttpSubject, serveRelay, writeRound } from './http-stand.js';
import { openNatsSubject } from './nats-stand.js';
import { PlainFollower } from './plain-follower.js';
import { type ContractSubject, sourceContract } from './source-contract.js';

const describeNats = await withService('NATS', NATS_URL);

const pair = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return { signer, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
};
const [ledgerKey, relayKey] = [pair(), pair()];
const signed = { feed: { signer: ledgerKey.signer }, relay: { signer: ledgerKey.signer } };

interface Link {
  readonly feed: SourceRelayFeed;
  readonly url: string;
  readonly folder: string;
  readonly failures: GateError[];
  close(): Promise<void>;
}

/** A relay that follows `source`. */
async function relayOver(source: Source, options: Partial<SourceRelayOptions> = {}, signer?: Signer): Promise<Link> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-chain-'));
  const failures: GateError[] = [];
  const onFailure = (error: GateError) => void failures.push(error);
  const feed = new SourceRelayFeed({ source, folder, onFailure, signer, beatEveryMs: 200, ...options });
  const { port, close } = await serveRelay({ feed, signer });
  await loaded(feed);
  return {
    ...{ feed, folder, failures, url: `http://127.0.0.1:${port}` },
    async close() {
      await close();
      await feed.close();
      expect(await readdir(folder)).toEqual([]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The subject behind two relays; the last is asked with `trustedKeys`. */
async function behind(
  subject: ContractSubject,
  trustedKeys?: readonly string[],
  signer?: Signer,
): Promise<ContractSubject> {
  await subject.write(0);
  const link = await relayOver(subject.source, {}, signer);
  const source = createHttpSource({ url: link.url, ...(trustedKeys === undefined ? {} : { trustedKeys }) });
  const { trim, ...rest } = subject;
  return {
    ...rest,
    source,
    async close() {
      await source.close();
      await link.close();
      await subject.close();
    },
  };
}

describe('a relay behind a relay, signed by the first, which the second passes on', () => {
  const open = () => openHttpSubject(signed, { trustedKeys: [ledgerKey.pem] });
  sourceContract('passed on', async () => behind(await open(), [ledgerKey.pem]));
});

describeNats('a relay behind a set on NATS, signed by the publisher', () => {
  const open = () =>
    openNatsSubject({ publisher: { takeoverMs: 200, signer: ledgerKey.signer } }, { trustedKeys: [ledgerKey.pem] });
  sourceContract('relayed nats', async () => behind(await open(), [ledgerKey.pem]));

  test('stays fresh behind the relay while entries never stop', async () => {
    const subject = await open();
    for (let round = 0; round < 3; round++) await subject.write(round);
    const link = await relayOver(createNatsSource({ url: subject.stand.url, trustedKeys: [ledgerKey.pem] }));
    const source = createHttpSource({ url: link.url, trustedKeys: [ledgerKey.pem] });
    const folder = await mkdtemp(join(tmpdir(), 'optgate-chain-'));
    const follower = new PlainFollower(source, folder);
    await follower.load();
    let round = 0;
    const writing = setInterval(() => writeRound(subject.stand.ledger, round++), 10);
    const endMs = performance.now() + 3000;
    let oldestMs = 0;
    for (let isFirst = true; performance.now() < endMs; isFirst = false) {
      await follower.step(200);
      if (!isFirst && performance.now() > endMs - 2000)
        oldestMs = Math.max(oldestMs, performance.now() - follower.completeAtMs);
    }
    clearInterval(writing);
    expect(oldestMs).toBeLessThan(1500);
    await source.close();
    await link.close();
    await subject.close();
    await rm(folder, { recursive: true, force: true });
  });
});

describe('the follower in the process of a relay', () => {
  sourceContract('relayed', async () => {
    const subject = await openHttpSubject(signed, { trustedKeys: [ledgerKey.pem] });
    await subject.write(0);
    const link = await relayOver(subject.source);
    const source = createRelayedSource(link.feed, { name: 'http', verifier: createVerifier([ledgerKey.pem]) });
    const { trim, ...rest } = subject;
    return {
      ...rest,
      source,
      async close() {
        await source.close();
        await link.close();
        await subject.close();
      },
    };
  });
});

describe('keys on the way', () => {
  const closers: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function open(signer?: Signer) {
    const subject = await openHttpSubject(signed, { trustedKeys: [ledgerKey.pem] });
    closers.push(() => subject.close());
    for (let round = 0; round < 5; round++) await subject.write(round);
    const link = await relayOver(subject.source, { ringBytesMax: 4000 }, signer);
    closers.push(() => link.close());
    const folder = await mkdtemp(join(tmpdir(), 'optgate-chain-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const follow = (pem: string) => {
      const source = createHttpSource({ url: link.url, trustedKeys: [pem] });
      closers.push(() => source.close());
      return new PlainFollower(source, folder);
    };
    return { subject, link, follow };
  }

  test('a relay with a key of its own signs everything anew', async () => {
    const { subject, follow } = await open(relayKey.signer);
    const follower = follow(relayKey.pem);
    await follower.load();
    await subject.write(1);
    const { position, stateDigest } = await subject.truth();
    await follower.catchUp(position.seq);
    expect(follower.stateDigest).toBe(stateDigest);
    await expect(follow(ledgerKey.pem).load()).rejects.toMatchObject({ code: 'signature.unknown_key' });
  });

  test('a relay without one changes nothing', async () => {
    const { subject, follow } = await open();
    const follower = follow(ledgerKey.pem);
    await follower.load();
    await subject.write(1);
    const { position, stateDigest } = await subject.truth();
    await follower.catchUp(position.seq);
    expect(follower.stateDigest).toBe(stateDigest);
    await expect(follow(relayKey.pem).load()).rejects.toMatchObject({ code: 'signature.unknown_key' });
  });

  test('what it keeps in memory has an end: the snapshot is fetched anew, and what it holds is dropped', async () => {
    const { subject, link, follow } = await open();
    const { ledger } = subject.stand;
    const first = link.feed.snapshot()?.position.seq ?? 0;
    // the relay upstream is made to have a newer one
    for (let round = 0; round < 100; round++) writeRound(ledger, round);
    await expect.poll(() => link.feed.head?.seq, { timeout: 30_000 }).toBe(ledger.seq);
    const follower = follow(ledgerKey.pem);
    follower.position = { epoch: ledger.epoch, seq: first };
    const before = await follower.source.changes(follower.position, {
      waitMs: 0,
      signal: new AbortController().signal,
    });
    expect(before.kind).toBe('frame');
    await follower.load();
    await follower.catchUp(ledger.seq);
    expect(follower.stateDigest).toBe(ledger.tableAt(ledger.seq).stateDigest);
    await sleep(50);
    expect(link.failures).toEqual([]);
  });
});

test('no entry is passed on before the head that covers it, and each head in the frame that carries it', async () => {
  const ledger = new ReferenceLedger();
  for (let round = 0; round < 3; round++) writeRound(ledger, round);
  const folder = await mkdtemp(join(tmpdir(), 'optgate-chain-'));
  const path = join(folder, 'snapshot.ogs');
  const answers: ChangesAnswer[] = [];
  const waiting: (() => void)[] = [];
  const heartbeat = (): ChangesAnswer => {
    const frame = { head: ledger.head(), entries: [] };
    return { kind: 'frame', frame, bytes: encodeFrame(frame), asOfMs: performance.now() };
  };
  const source: Source = {
    name: 'scripted',
    async snapshot() {
      const table = ledger.tableAt(ledger.seq);
      await writeSnapshotFile(path, table);
      return { share: table.share(), position: { epoch: table.epoch, seq: table.seq }, lagMs: null, path };
    },
    async changes() {
      for (;;) {
        const answer = answers.shift();
        if (answer !== undefined) return answer;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    async close() {
      for (const resolve of waiting) resolve();
    },
  };
  const give = async (answer: ChangesAnswer) => {
    answers.push(answer);
    for (const resolve of waiting.splice(0)) resolve();
    await sleep(20);
  };
  const { seq, epoch } = ledger;
  answers.push(heartbeat());
  const feed = new SourceRelayFeed({ source, folder: join(folder, 'relay') });
  await loaded(feed);
  const ask = () => {
    const answer = feed.changesAfter({ epoch, seq });
    if (answer.kind !== 'frame') throw new Error(answer.kind);
    return answer;
  };
  expect(ask().frame.entries).toEqual([]);
  writeRound(ledger, 5);
  const frame = await ledger.entriesAfter(seq, 10);
  const bytes = encodeFrame(frame);
  await give({ kind: 'frame', frame, bytes, asOfMs: Number.NEGATIVE_INFINITY });
  expect(ask()).toMatchObject({ frame: { head: { seq }, entries: [] }, passed: { entries: null } });
  ledger.sequence();
  const newer = encodeFrame({ head: ledger.head(), entries: [] });
  await give({ kind: 'frame', frame: { head: ledger.head(), entries: [] }, bytes: newer, asOfMs: performance.now() });
  expect(ask().frame.entries.map((entry) => entry.seq)).toEqual([seq + 1]);
  expect(ask().passed).toEqual({ entries: bytes, head: newer });
  // a frame from long ago under a head of now
  writeRound(ledger, 6);
  const next = await ledger.entriesAfter(seq + 1, 10);
  ledger.sequence();
  const head = ledger.head();
  const headBytes = encodeFrame({ head, entries: [] });
  const nextBytes = encodeFrame(next);
  await give({ kind: 'frame', frame: { head, entries: next.entries }, bytes: nextBytes, headBytes, asOfMs: 1 });
  const last = feed.changesAfter({ epoch, seq: seq + 1 });
  expect(last).toMatchObject({ frame: { head: { beat: head.beat } }, passed: { entries: nextBytes, head: headBytes } });
  const closing = feed.close();
  await give(heartbeat());
  await closing;
  await rm(folder, { recursive: true, force: true });
});
