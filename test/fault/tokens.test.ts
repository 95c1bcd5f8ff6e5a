/**
 * Tokens: what a write gave back is asked of a gate elsewhere, by every way that changes come. The gate's answer is from a
 * table that holds the write, or says that it is behind; it is never a silent miss.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Decision } from '../../src/core/policy/decision.js';
import type { Ledger } from '../../src/ledger/index.js';
import { type LiveGate, openGate } from '../../src/open-gate.js';
import { NATS_URL, withService } from '../services.js';
import { natsUrl, randomSet } from '../sync/nats-stand.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { PostgresCluster, withCluster } from './postgres-cluster.js';
import { removeFromServer } from './remove-set.js';
import { later, ledgerAt, publisherOver, relayOver } from './stand.js';
import { maid, personId } from './writers.js';

const WRITERS = 8;
const WRITES_EACH = 12;
const describeNats = await withService('NATS', NATS_URL);

(withCluster() === describeNats ? describeNats : withCluster())('tokens', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await PostgresCluster.create();
  });
  afterAll(() => cluster.close());

  async function gateAt(suppression: string): Promise<LiveGate> {
    const gate = await openGate({ suppression });
    later(() => gate.close());
    expect(gate.status().state).toBe('live');
    return gate;
  }

  test('from 8 writers at once, asked of gates by every way at once and again in time', async () => {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const set = randomSet();
    later(() => removeFromServer(set));
    const relay = await relayOver(url);
    await publisherOver(url, { url: natsUrl(set), takeoverMs: 500 });
    const gates = [await gateAt(url), await gateAt(relay.url), await gateAt(natsUrl(set))];
    let behindCount = 0;
    const write = async (writer: number) => {
      for (let count = 0; count < WRITES_EACH; count++) {
        const index = writer * WRITES_EACH + count;
        const token = await optOut(ledger, index);
        await Promise.all(gates.map((gate) => expectTruth(gate, index, token)));
      }
    };
    const expectTruth = async (gate: LiveGate, index: number, token: string) => {
      const atOnce = gate.check(requestOf(index), { minSeq: token });
      expect(atOnce.action).toBe('restrict');
      const isBehind = atOnce.reasons.includes('table.behind');
      expect(isBehind || atOnce.reasons.includes('suppressed.maid')).toBe(true);
      if (isBehind) behindCount++;
      expectInForce(await gate.checkWhenReached(requestOf(index), { minSeq: token }, { waitMs: 10_000 }));
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    expect(behindCount).toBeGreaterThan(0); // or nothing was asked too early, and nothing was shown
    for (const gate of gates) {
      // who opted out of nothing is not restricted for it, at a token that is there
      const token = await optOut(ledger, 5000);
      const free = await gate.checkWhenReached(requestOf(9999), { minSeq: token }, { waitMs: 10_000 });
      expect([free.action, [...free.reasons]]).toEqual(['allow', []]);
    }
  });

  test('of a write that does not come, for the gate is cut off: said to be behind, and in time', async () => {
    const name = await cluster.createDatabase();
    const ledger = await ledgerAt(cluster.url(name));
    const proxy = await TcpProxy.open({ port: cluster.port });
    later(() => proxy.close());
    const gate = await gateAt(cluster.url(name, proxy.port));
    proxy.hang();
    const token = await optOut(ledger, 1);
    const startMs = performance.now();
    const decision = await gate.checkWhenReached(requestOf(1), { minSeq: token }, { waitMs: 200 });
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect([decision.action, [...decision.reasons]]).toEqual(['restrict', ['table.behind']]);
    expect([...gate.check(requestOf(1), { minSeq: token }).reasons]).toEqual(['table.behind']);
    proxy.resume();
    expectInForce(await gate.checkWhenReached(requestOf(1), { minSeq: token }, { waitMs: 20_000 }));
  });

  test('of another epoch: behind until the follower has turned to it', async () => {
    const url = cluster.url(await cluster.createDatabase());
    const ledger = await ledgerAt(url);
    const gate = await gateAt(url);
    const old = await optOut(ledger, 1);
    await ledger.rotateEpoch();
    const token = await optOut(ledger, 2);
    expect(token.split('.')[0]).not.toBe(old.split('.')[0]);
    expectInForce(await gate.checkWhenReached(requestOf(2), { minSeq: token }, { waitMs: 20_000 }));
    expect([...gate.check(requestOf(3), { minSeq: old }).reasons]).toEqual(['table.behind']);
  });
});

async function optOut(ledger: Ledger, index: number): Promise<string> {
  const { token } = await ledger.recordOptOut({ identifiers: [maid(personId(index))], channel: 'api' });
  if (token === null) throw new Error('expected a token');
  return token;
}

function requestOf(index: number) {
  return { id: 'r', imp: [{ id: '1' }], device: { ifa: personId(index) } };
}

function expectInForce({ action, reasons }: Decision): void {
  expect([action, [...reasons]]).toEqual(['restrict', ['suppressed.maid']]);
}
