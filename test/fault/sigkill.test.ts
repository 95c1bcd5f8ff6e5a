/**
 * Followers that are killed with SIGKILL at random moments, a hundred times in all, and started again in the same folder,
 * while people write: whatever they were doing, the table afterwards is that of the ledger at its seq, and at no moment did
 * it claim more. Real processes over PostgreSQL, a relay and NATS.
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/index.js';
import { randomFrom } from '../reference/feed.js';
import { randomSet } from '../sync/nats-stand.js';
import { LogTruth, type Sample } from './log-truth.js';
import { NatsServer, withNatsServer } from './nats-server.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import { pipesOf, spawnTied } from './processes.js';
import { later, ledgerAt, publisherOver, relayOver, temporaryFolder } from './stand.js';
import { Writers } from './writers.js';

const KILLS = 100;
const SOFT_STALE_AFTER_MS = 1000;
/** At most, from when its code is loaded: long enough to be at everything a follower does. */
const LIFE_MS_MAX = 800;
/** On a busy machine they get so many times as long as it took them to have a table. */
const LIFE_STRETCH = 2;
const PROGRAM = fileURLToPath(new URL('./follower-process.mjs', import.meta.url));

interface Said {
  readonly samples: Sample[];
  /** Seq and digest, whenever it said them. */
  readonly digests: { readonly seq: number; readonly digest: string; readonly life: number }[];
  readonly errors: string[];
  /** Seq of the first table of each life that had one. */
  readonly firstSeqs: number[];
}

/** One follower, one life after the other in the same folder. */
class Mortal {
  readonly said: Said = { samples: [], digests: [], errors: [], firstSeqs: [] };
  /** How long it took the slowest life that got so far to have a table. */
  tableMs = 0;
  private child: ChildProcess | null = null;
  private life = 0;

  constructor(
    readonly location: string,
    readonly folder: string,
  ) {}

  /** Resolves when it is about to begin. */
  start(): Promise<void> {
    const child = spawnTied(process.execPath, [PROGRAM, this.location, this.folder, String(SOFT_STALE_AFTER_MS)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    const life = ++this.life;
    let isFirst = true;
    let bornAtMs = Number.POSITIVE_INFINITY;
    const { stdout, stderr } = pipesOf(child);
    const lines = createInterface({ input: stdout }).on('line', (line) => {
      const [what, ...words] = line.split(' ');
      if (what === 's' && words.length === 4) this.said.samples.push(sampleOf(words));
      if (what === 'e') this.said.errors.push(words[0] ?? '');
      if (what !== 'd' || words[1]?.length !== 16) return;
      this.said.digests.push({ seq: Number(words[0]), digest: words[1], life });
      if (isFirst) this.said.firstSeqs.push(Number(words[0]));
      if (isFirst) this.tableMs = Math.max(this.tableMs, performance.now() - bornAtMs);
      isFirst = false;
    });
    stderr.on('data', (text) => this.said.errors.push(String(text)));
    return new Promise((resolve) => {
      lines.once('line', () => {
        bornAtMs = performance.now();
        resolve();
      });
      child.once('close', () => resolve());
    });
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }
}

function sampleOf([seq, freshAtMs, state, atMs]: readonly string[]): Sample {
  return {
    seq: Number(seq),
    freshAtMs: freshAtMs === 'null' || freshAtMs === '' ? null : Number(freshAtMs),
    state: state ?? '',
    atMs: Number(atMs),
  };
}

const describeNats = withNatsServer();
(withCluster() === describeNats ? describeNats : withCluster())('followers that are killed', () => {
  let cluster: PostgresCluster;
  let server: NatsServer;
  beforeAll(async () => {
    [cluster, server] = await Promise.all([PostgresCluster.create(), NatsServer.create()]);
  });
  afterAll(async () => {
    await cluster.close();
    await server.close();
  });

  test(`${KILLS} times with SIGKILL at random moments`, async () => {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const natsUrl = `nats://127.0.0.1:${server.port}/${randomSet()}`;
    const relay = await relayOver(url);
    await publisherOver(url, { url: natsUrl, takeoverMs: 500 });
    const writers = new Writers({ ledger, seed: 29, pauseMs: 30 });
    later(() => writers.stop());
    writers.start();
    const mortals: Mortal[] = [];
    for (const location of [url, relay.url, natsUrl]) mortals.push(new Mortal(location, await temporaryFolder()));
    for (const mortal of mortals) later(() => mortal.kill());
    const random = randomFrom(31);
    let killCount = 0;
    const suffer = async (mortal: Mortal) => {
      while (killCount < KILLS) {
        killCount++;
        await mortal.start();
        if (mortal.tableMs === 0) await untilTable(mortal);
        await sleep(random() * Math.max(LIFE_MS_MAX, LIFE_STRETCH * mortal.tableMs));
        await mortal.kill();
      }
      await mortal.start();
    };
    await Promise.all(mortals.map(suffer));
    await writers.stop();
    for (const mortal of mortals) await expectInTheEnd(ledger, mortal);
    const truth = await LogTruth.read(url);
    for (const { said, folder } of mortals) {
      expect(said.errors.filter((text) => !/^[a-z]+\.[a-z_]+$/.test(text))).toEqual([]);
      for (const { seq, digest, life } of said.digests) {
        expect(digest, `the table at seq ${seq} in life ${life}`).toBe(truth.digestAt(seq));
      }
      expect(truth.expectHonest(said.samples, SOFT_STALE_AFTER_MS)).toBeGreaterThan(5);
      // lives begin with what those before had kept
      expect(said.firstSeqs.length).toBeGreaterThan(KILLS / mortals.length / 4);
      expect(said.firstSeqs.filter((seq) => seq > 0).length).toBeGreaterThan(said.firstSeqs.length / 2);
      expect(readdirSync(folder).length).toBeLessThan(12);
    }
  }, 480_000);
});

/** The first life of each shows how quick they are here and now. */
async function untilTable({ said }: Mortal): Promise<void> {
  await expect.poll(() => said.firstSeqs.length, { interval: 10 }).toBeGreaterThan(0);
}

async function expectInTheEnd(ledger: Ledger, { said }: Mortal): Promise<void> {
  const settled = async () => {
    const { seq, settledSeq } = await ledger.head();
    return seq === settledSeq;
  };
  await expect.poll(settled, { timeout: 10_000 }).toBe(true);
  const { seq, stateDigest } = await ledger.head();
  await expect
    .poll(() => said.digests.at(-1), { timeout: 20_000, message: `errors: ${said.errors.slice(-5)}` })
    .toMatchObject({ seq, digest: stateDigest });
  await expect.poll(() => said.samples.at(-1)?.state, { timeout: 10_000 }).toBe('live');
}
