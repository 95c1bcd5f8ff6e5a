/**
 * A publisher on a real NATS server over a ledger in memory, for tests. Every stand has a set of its own, and leaves
 * nothing on the server.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'vitest';
import type { GateError } from '../../src/core/errors.js';
import { type NatsNames, natsNames } from '../../src/sync/nats-names.js';
import { NatsPublisher, type NatsPublisherOptions } from '../../src/sync/nats-publisher.js';
import { createNatsSource, type NatsSourceOptions } from '../../src/sync/nats-source.js';
import { ReferenceLedger } from '../reference/feed.js';
import { NATS_URL } from '../services.js';
import { writeRound } from './http-stand.js';
import type { ContractSubject } from './source-contract.js';

const BEAT_MS = 200;

export interface NatsStand {
  readonly ledger: ReferenceLedger;
  readonly publisher: NatsPublisher;
  readonly failures: GateError[];
  readonly set: string;
  readonly names: NatsNames;
  readonly url: string;
  readonly folder: string;
  /** A connection of the test's own. */
  readonly connection: NatsConnection;
  /** Another publisher of the same set. */
  another(options?: Partial<NatsPublisherOptions>): NatsPublisher;
  close(): Promise<void>;
}

export function randomSet(): string {
  return `t${randomBytes(6).toString('hex')}`;
}

/** `nats://…` of a server, with a set. */
export function natsUrl(set: string, port?: number): string {
  const url = new URL(NATS_URL);
  if (port !== undefined) url.port = String(port);
  url.pathname = `/${set}`;
  return url.href;
}

export interface NatsStandOptions {
  readonly ledger?: ReferenceLedger;
  readonly publisher?: Partial<NatsPublisherOptions>;
  readonly port?: number;
  /** Entries that are there before the publisher is. */
  readonly rounds?: number;
}

export async function openNatsStand(options: NatsStandOptions = {}): Promise<NatsStand> {
  const ledger = options.ledger ?? new ReferenceLedger();
  for (let round = 0; round < (options.rounds ?? 0); round++) writeRound(ledger, round);
  const set = randomSet();
  const names = natsNames(set);
  const folder = await mkdtemp(join(tmpdir(), 'optgate-nats-'));
  const failures: GateError[] = [];
  const url = natsUrl(set, options.port);
  const connection = await connect({ servers: new URL(url).host });
  const another = (more: Partial<NatsPublisherOptions> = {}) => {
    const onFailure = (error: GateError) => void failures.push(error);
    const given = { url, feed: ledger, folder, onFailure, beatEveryMs: BEAT_MS };
    const publisher = new NatsPublisher({ ...given, ...options.publisher, ...more });
    publishers.push(publisher);
    publisher.start();
    return publisher;
  };
  const publishers: NatsPublisher[] = [];
  const publisher = another();
  const sequencer = setInterval(() => ledger.sequence(), BEAT_MS);
  const stand = { ledger, publisher, failures, set, names, url, folder, connection, another };
  return {
    ...stand,
    async close() {
      clearInterval(sequencer);
      for (const some of publishers) await some.close();
      await removeSet(connection, names);
      await connection.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Removes what a set has on the server, if that can be reached. */
export async function removeSet(connection: NatsConnection, names: NatsNames): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: 2000 }).catch(() => null);
  for (const stream of [names.stream, names.objectStream]) await manager?.streams.delete(stream).catch(() => {});
}

export async function leading(publisher: NatsPublisher, timeout = 15_000): Promise<void> {
  await expect.poll(() => publisher.status().state, { interval: 10, timeout }).toBe('leading');
}

export async function openNatsSubject(
  standOptions: NatsStandOptions = {},
  sourceOptions: Partial<NatsSourceOptions> = {},
): Promise<ContractSubject & { readonly stand: NatsStand }> {
  const stand = await openNatsStand(standOptions);
  await leading(stand.publisher);
  const source = createNatsSource({ url: stand.url, ...sourceOptions });
  const { ledger, publisher, connection, names } = stand;
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
      const { seq } = ledger;
      await expect.poll(() => publisher.status().snapshot?.seq, { timeout: 10_000 }).toBe(seq);
      // as the publisher does by itself when the stream has become long
      const manager = await jetstreamManager(connection);
      const { state } = await manager.streams.info(names.stream);
      await manager.streams.purge(names.stream, { seq: state.last_seq });
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
