/**
 * A relay on a real socket over a ledger in memory, for tests.
 * @module
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { GateError } from '../../src/core/errors.js';
import { sendProblem } from '../../src/sync/http-problem.js';
import { createHttpSource, type HttpSourceOptions } from '../../src/sync/http-source.js';
import { LedgerRelayFeed, type LedgerRelayOptions } from '../../src/sync/ledger-relay-feed.js';
import { createRelay, type RelayHandler, type RelayOptions } from '../../src/sync/relay.js';
import type { RelayFeed } from '../../src/sync/relay-feed.js';
import { RELAY_SERVER_OPTIONS } from '../../src/sync/relay-http.js';
import { ReferenceLedger } from '../reference/feed.js';
import type { ContractSubject } from './source-contract.js';

/** How often the ledger's sequencer takes a step of its own accord. */
const BEAT_MS = 200;

export interface HttpStand {
  readonly ledger: ReferenceLedger;
  readonly feed: LedgerRelayFeed;
  readonly relay: RelayHandler;
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  readonly failures: GateError[];
  readonly folder: string;
  close(): Promise<void>;
}

export interface HttpStandOptions {
  readonly ledger?: ReferenceLedger;
  readonly feed?: Partial<LedgerRelayOptions>;
  readonly relay?: Partial<RelayOptions>;
  readonly isLoaded?: boolean;
}

/** Serves a relay; the caller closes what it gets. */
export async function serveRelay(options: RelayOptions): Promise<{
  readonly relay: RelayHandler;
  readonly server: Server;
  readonly port: number;
  close(): Promise<void>;
}> {
  const relay = createRelay(options);
  const server = createServer(RELAY_SERVER_OPTIONS, (request, response) => {
    if (!relay(request, response)) sendProblem(response, 'http.not_found');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    relay.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { relay, server, port: (server.address() as AddressInfo).port, close };
}

export async function openHttpStand(options: HttpStandOptions = {}): Promise<HttpStand> {
  const ledger = options.ledger ?? new ReferenceLedger();
  const folder = await mkdtemp(join(tmpdir(), 'optgate-relay-'));
  const failures: GateError[] = [];
  const onFailure = (error: GateError) => void failures.push(error);
  const feed = new LedgerRelayFeed({ feed: ledger, folder, onFailure, beatEveryMs: BEAT_MS, ...options.feed });
  const { relay, server, port, close } = await serveRelay({ feed, ...options.relay });
  const sequencer = setInterval(() => ledger.sequence(), BEAT_MS);
  if (options.isLoaded !== false) await loaded(feed);
  return {
    ...{ ledger, feed, relay, server, port, folder, failures },
    url: `http://127.0.0.1:${port}`,
    async close() {
      clearInterval(sequencer);
      await close();
      await feed.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function loaded(feed: RelayFeed): Promise<void> {
  await expect.poll(() => feed.head, { interval: 5, timeout: 10_000 }).not.toBeNull();
}

/** The `round`-th write: several keys, some of which were written before. */
export function writeRound(ledger: ReferenceLedger, round: number): void {
  const writes = [0, 1, 2, 3].map((index) => ({
    key: (round * 3 + index) % 60,
    rights: (round * 5 + index * 3) % 128,
  }));
  ledger.write(writes);
}

export async function openHttpSubject(
  standOptions: HttpStandOptions = {},
  sourceOptions: Partial<HttpSourceOptions> = {},
): Promise<ContractSubject & { readonly stand: HttpStand }> {
  const stand = await openHttpStand(standOptions);
  const source = createHttpSource({ url: stand.url, ...sourceOptions });
  const { ledger, feed } = stand;
  return {
    stand,
    source,
    async write(round) {
      writeRound(ledger, round);
    },
    async truth() {
      const { epoch, seq } = ledger;
      return { position: { epoch, seq }, stateDigest: ledger.tableAt(seq).stateDigest };
    },
    async rotateEpoch() {
      ledger.rotateEpoch();
    },
    async trim() {
      const { epoch, seq } = ledger;
      for (let round = 0; round < 200; round++) writeRound(ledger, round);
      const kind = () => feed.changesAfter({ epoch, seq: seq - 1 }, { entriesMax: 1, bytesMax: 1 }).kind;
      await expect.poll(kind, { timeout: 10_000 }).toBe('trimmed');
    },
    async reports(count) {
      await expect.poll(() => ledger.reports.length).toBe(count);
      return ledger.reports;
    },
    async close() {
      await source.close();
      await stand.close();
    },
  };
}
