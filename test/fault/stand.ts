/**
 * Followers over real sources, and what they said of themselves meanwhile. Everything a test opens here is closed after it.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { TableHolder } from '../../src/core/suppression/index.js';
import { openDatabase } from '../../src/ledger/database.js';
import { createFeed, type Ledger, openFeed, openLedger } from '../../src/ledger/index.js';
import type { LedgerOptions } from '../../src/ledger/ledger-options.js';
import { Follower } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { createHttpSource, type HttpSourceOptions } from '../../src/sync/http-source.js';
import { LedgerRelayFeed, type LedgerRelayOptions } from '../../src/sync/ledger-relay-feed.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { NatsPublisher, type NatsPublisherOptions } from '../../src/sync/nats-publisher.js';
import type { LedgerFeed, Source } from '../../src/sync/source.js';
import { serveRelay } from '../sync/http-stand.js';
import { leading } from '../sync/nats-stand.js';
import type { LogTruth, Sample } from './log-truth.js';

const SAMPLE_EVERY_MS = 10;
export const SOFT_STALE_AFTER_MS = 1000;
export const HARD_STALE_AFTER_MS = 2500;
/** Short, so that faults show soon. */
const LIMITS = { waitMs: 300, changesGraceMs: 1500 };
/** Of the databases of followers. */
const STATEMENT_MS_MAX = 1000;

const opened: (() => Promise<unknown> | unknown)[] = [];
afterEach(closeAll);

async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

/** Calls this when the test is over, the last one first. */
export function later(close: () => Promise<unknown> | unknown): void {
  opened.push(close);
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-fault-'));
  later(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function ledgerAt(location: string, options?: LedgerOptions): Promise<Ledger> {
  const ledger = await openLedger(location, options);
  later(() => ledger.close());
  return ledger;
}

/** A feed whose statements end soon. */
export async function feedAt(url: string): Promise<LedgerFeed> {
  const database = await openDatabase(url, { statementMsMax: STATEMENT_MS_MAX });
  const feed = createFeed(database);
  return {
    name: feed.name,
    entriesAfter: (seq, limit) => feed.entriesAfter(seq, limit),
    wait: (waitMs, signal) => feed.wait(waitMs, signal),
    buildTable: (signal) => feed.buildTable(signal),
    report: (report) => feed.report(report),
    async close() {
      await feed.close();
      await database.close();
    },
  };
}

export async function postgresSource(url: string): Promise<Source> {
  return createLedgerSource(await feedAt(url));
}

/** A relay over a ledger; its address. */
export async function relayOver(
  location: string,
  options: Partial<LedgerRelayOptions> = {},
): Promise<{ readonly url: string; readonly port: number; readonly feed: LedgerRelayFeed }> {
  const folder = await temporaryFolder();
  const feed = new LedgerRelayFeed({ feed: options.feed ?? (await openFeed(location)), folder, ...options });
  const { port, close } = await serveRelay({ feed });
  later(async () => {
    await close();
    await feed.close();
  });
  await expect.poll(() => feed.head, { interval: 10, timeout: 15_000 }).not.toBeNull();
  return { url: `http://127.0.0.1:${port}`, port, feed };
}

export function httpSource(url: string, options: Partial<HttpSourceOptions> = {}): Source {
  return createHttpSource({ url, ...options });
}

/** A publisher over a ledger, when it leads. */
export async function publisherOver(
  location: string,
  options: Pick<NatsPublisherOptions, 'url'> & Partial<NatsPublisherOptions>,
): Promise<NatsPublisher> {
  const folder = await temporaryFolder();
  const publisher = new NatsPublisher({ feed: options.feed ?? (await openFeed(location)), folder, ...options });
  later(() => publisher.close());
  publisher.start();
  await leading(publisher);
  return publisher;
}

export interface Watched {
  readonly follower: Follower;
  readonly holder: TableHolder;
  readonly samples: readonly Sample[];
  /** Every state it was in since the start, in order. */
  readonly states: readonly string[];
  /** The digest of the table at each seq at which there was time to look. */
  readonly digests: ReadonlyMap<number, string>;
}

/** Follows, and keeps a record of everything it says. Does not wait for it to be live. */
export function watch(source: Source, options: Partial<FollowerOptions> = {}): Watched {
  const holder = new TableHolder();
  const follower = new Follower({
    source,
    holder,
    softStaleAfterMs: SOFT_STALE_AFTER_MS,
    hardStaleAfterMs: HARD_STALE_AFTER_MS,
    enforcer: { role: 'library', version: '0.0.0' },
    ...options,
    limits: { ...LIMITS, ...options.limits },
  });
  const samples: Sample[] = [];
  const states: string[] = ['empty'];
  const digests = new Map<number, string>();
  follower.on('state', ({ state }) => void states.push(state));
  const look = () => void digests.set(holder.seq, holder.current?.stateDigest ?? '');
  follower.on('applied', look);
  follower.on('resync', look);
  const sampler = setInterval(() => {
    const { seq, freshAtMs } = holder;
    samples.push({ seq, freshAtMs, state: follower.status().state, atMs: Date.now() });
  }, SAMPLE_EVERY_MS);
  later(() => {
    clearInterval(sampler);
    return follower.close();
  });
  follower.start().catch((error: unknown) => {
    throw error;
  });
  return { follower, holder, samples, states, digests };
}

export async function untilLive({ follower }: Pick<Watched, 'follower'>, timeout = 20_000): Promise<void> {
  await expect.poll(() => follower.status().state, { interval: 10, timeout }).toBe('live');
}

/** Waits until everything the ledger has is in the table and settled, and compares what both say of it. */
export async function expectSameAs(ledger: Ledger, { follower, holder }: Watched, timeout = 30_000): Promise<void> {
  const settled = async () => {
    const head = await ledger.head();
    return head.settledSeq === head.seq;
  };
  await expect.poll(settled, { interval: 20, timeout }).toBe(true);
  const { epoch, seq, stateDigest, entryCount } = await ledger.head();
  const found = () => {
    const { current: table, epoch: ofEpoch, seq: atSeq } = holder;
    return { epoch: ofEpoch, seq: atSeq, stateDigest: table?.stateDigest, entryCount: table?.entryCount };
  };
  try {
    await expect.poll(found, { interval: 10, timeout }).toEqual({ epoch, seq, stateDigest, entryCount });
  } catch (cause) {
    throw new Error(`the follower: ${JSON.stringify(follower.status())}`, { cause });
  }
  await untilLive({ follower }, timeout);
}

/** Everything it said was true: of its freshness, its state, and of what was in the table at each seq. */
export function expectHonest(truth: LogTruth, { samples, digests }: Watched): number {
  for (const [seq, digest] of digests) expect(digest, `the table at seq ${seq}`).toBe(truth.digestAt(seq));
  return truth.expectHonest(samples, SOFT_STALE_AFTER_MS);
}
