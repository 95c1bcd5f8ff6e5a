/**
 * A hundred thousand opt-outs by eight writers at once, single ones and imports, while writers and sequencers are killed and
 * the connections to the database break: at the end every one of them is in force in every follower.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rightsOfIdentifier } from '../../src/core/opt-out.js';
import type { SuppressionTable } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { createNatsSource } from '../../src/sync/nats-source.js';
import { randomFrom } from '../reference/feed.js';
import { NATS_URL, withService } from '../services.js';
import { natsUrl, randomSet } from '../sync/nats-stand.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { LogTruth } from './log-truth.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import { pipesOf, spawnTied } from './processes.js';
import { removeFromServer } from './remove-set.js';
import {
  expectHonest,
  expectSameAs,
  httpSource,
  later,
  ledgerAt,
  postgresSource,
  publisherOver,
  relayOver,
  untilLive,
  watch,
} from './stand.js';

const WRITERS = 8;
/** Of one writer; every 25th is an import. */
const WRITES = 200;
const IMPORT_ROWS = 1550;
const IMPORTS = WRITES / 25;
/** Things that break, spread over all writes: as many on a busy machine as on another. */
const FAULTS = 24;
const TOTAL = WRITERS * (WRITES - IMPORTS + IMPORTS * IMPORT_ROWS);
const PROGRAM = fileURLToPath(new URL('./writer-process.mjs', import.meta.url));
const SEQUENCER = fileURLToPath(new URL('../ledger/sequencer-process.mjs', import.meta.url));

/** One writer, one process after the other, until all its writes are acknowledged. */
class Writer {
  private readonly done = new Set<number>();
  private child: ChildProcess | null = null;
  readonly errors: string[] = [];
  startCount = 0;

  constructor(
    private readonly url: string,
    private readonly index: number,
  ) {}

  get doneCount(): number {
    return this.done.size;
  }

  /** Until everything is written; killed meanwhile, it is started again from the first write that nobody acknowledged. */
  async run(): Promise<void> {
    while (this.done.size < WRITES) {
      let first = 0;
      while (this.done.has(first)) first++;
      const options = [PROGRAM, this.url, this.index, first, WRITES, IMPORT_ROWS].map(String);
      const child = spawnTied(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] });
      this.child = child;
      this.startCount++;
      const { stdout, stderr } = pipesOf(child);
      createInterface({ input: stdout }).on('line', (line) => {
        const [, number] = /^ok (\d+)$/.exec(line) ?? [];
        if (number !== undefined) this.done.add(Number(number));
      });
      stderr.on('data', (text) => this.errors.push(String(text)));
      const [code] = await once(child, 'close');
      if (code !== 0 && code !== null) throw new Error(`writer ${this.index}: ${this.errors.join('')}`);
    }
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }
}

const describeNats = await withService('NATS', NATS_URL);
(withCluster() === describeNats ? describeNats : withCluster())('nothing is lost', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  function startSequencer(url: string): ChildProcess {
    const child = spawnTied(process.execPath, [SEQUENCER, url], { stdio: 'ignore' });
    later(() => void child.kill('SIGKILL'));
    return child;
  }

  test(`${TOTAL} opt-outs, eight writers, and everything that can break does`, async () => {
    const name = await cluster.createDatabase();
    const url = cluster.url(name);
    const ledger = await ledgerAt(url, { sequence: false });
    const proxy = await TcpProxy.open({ port: cluster.port });
    later(() => proxy.close());
    const through = cluster.url(name, proxy.port);
    let sequencers = [startSequencer(url), startSequencer(through)];
    const set = randomSet();
    later(() => removeFromServer(set));
    const relay = await relayOver(through);
    await publisherOver(through, { url: natsUrl(set), takeoverMs: 500 });
    const all = [
      watch(await postgresSource(through)),
      watch(httpSource(relay.url)),
      watch(createNatsSource({ url: natsUrl(set) })),
    ];
    for (const one of all) await untilLive(one);

    const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(through, index));
    later(() => {
      for (const writer of writers) writer.kill();
    });
    let isWritten = false;
    const written = Promise.all(writers.map((writer) => writer.run())).finally(() => {
      isWritten = true;
    });
    const random = randomFrom(41);
    const doneShare = () => writers.reduce((sum, { doneCount }) => sum + doneCount, 0) / (WRITERS * WRITES);
    for (let fault = 0; fault < FAULTS; fault++) {
      while (!isWritten && doneShare() < (fault + 0.5) / FAULTS) await Promise.race([sleep(20), written]);
      if (fault % 2 === 0) writers[Math.floor(random() * WRITERS)]?.kill();
      if (fault % 4 === 1) proxy.cut();
      if (fault % 4 !== 3) continue;
      const [oldest, ...others] = sequencers;
      oldest?.kill('SIGKILL');
      sequencers = [...others, startSequencer(url)];
    }
    await written;
    expect(writers.map(({ doneCount }) => doneCount)).toEqual(writers.map(() => WRITES));
    expect(writers.reduce((sum, { startCount }) => sum + startCount, 0)).toBeGreaterThan(WRITERS);

    const truth = await settledTruth();
    for (const one of all) {
      await expectSameAs(ledger, one, 60_000);
      expectAllIn(one.holder.current);
      expectHonest(truth, one);
    }
    const { findings } = await ledger.verify();
    expect(findings).toEqual([]);

    async function settledTruth(): Promise<LogTruth> {
      const head = () => ledger.head();
      await expect.poll(async () => (await head()).settledSeq === (await head()).seq, { timeout: 20_000 }).toBe(true);
      return LogTruth.read(url);
    }
  }, 600_000);
});

function expectAllIn(table: SuppressionTable | null): void {
  if (table === null) throw new Error('expected a table');
  const hex = (number: number, length: number) => number.toString(16).padStart(length, '0');
  let [count, missing] = [0, 0];
  for (let writer = 0; writer < WRITERS; writer++) {
    for (let write = 0; write < WRITES; write++) {
      for (let row = 0; row < (write % 25 === 0 ? IMPORT_ROWS : 1); row++) {
        const value = `6d92078a-${hex(writer, 4)}-4ba4-ae5b-${hex(write, 4)}${hex(row, 8)}`;
        count++;
        if (rightsOfIdentifier(table, { kind: 'maid', value }) !== RIGHTS_ALL) missing++;
      }
    }
  }
  expect({ count, missing }).toEqual({ count: TOTAL, missing: 0 });
}
