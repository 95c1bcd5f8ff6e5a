/**
 * Who may report for an enforcer: the token with the name that it was first reported with, or an operator.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../../../src/ledger/index.js';
import { TokenSet } from '../../../src/sidecar/control-plane/index.js';
import { createRelay, LedgerRelayFeed, type RelayHandler } from '../../../src/sync/index.js';
import { BACKENDS, type TestPlace } from '../../ledger/backends.js';
import { ask, expectProblem, type Served, serve } from './stand.js';

const token = (name: string) => name.padEnd(40, '0');
const TOKENS = new TokenSet({
  text: `enforcer:east ${token('east')}\nenforcer:east ${token('east-next')}\nenforcer:west ${token('west')}
enforcer ${token('nameless')}\noperator:jane ${token('jane')}`,
});

describe.each(BACKENDS)('reports on $name', ({ make }) => {
  let place: TestPlace;
  let folder: string;
  let ledger: Ledger;
  let feed: LedgerRelayFeed;
  let relay: RelayHandler;
  let served: Served;
  beforeEach(async () => {
    place = await make();
    folder = await mkdtemp(join(tmpdir(), 'optgate-enforcers-'));
    ledger = await openLedger(place.location);
    feed = new LedgerRelayFeed({ feed: ledger.feed(), folder });
    relay = createRelay({ feed });
    served = await serve({ ledger, relay, tokens: TOKENS });
  });
  afterEach(async () => {
    await served.close();
    await feed.close();
    await ledger.close();
    await place.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const report = (by: string, id: string, more: object = {}) =>
    ask(served.port, 'POST', '/v1/acks', {
      role: null,
      headers: { authorization: `Bearer ${token(by)}` },
      json: {
        ...{ id, name: id, role: 'sidecar', version: '1', leaseMs: 60_000, position: null, appliedAgeMs: null },
        ...{ state: 'live', isLeaving: false, ...more },
      },
    });
  const stateOf = async (id: string) => (await ledger.enforcers()).find((one) => one.id === id);

  test('another name can neither acknowledge for it nor take it out of the count', async () => {
    expect((await report('east', 'e-1')).status).toBe(204);
    for (const more of [{}, { isLeaving: true }, { state: 'hard_stale' }]) {
      expectProblem(await report('west', 'e-1', more), 403, 'enforcer.bound');
      expectProblem(await report('nameless', 'e-1', more), 403, 'enforcer.bound');
    }
    expect(await stateOf('e-1')).toMatchObject({ state: 'live', retiredAtMs: null });
    expect((await report('east-next', 'e-1', { state: 'soft_stale' })).status).toBe(204);
    expect(await stateOf('e-1')).toMatchObject({ state: 'soft_stale' });
  });

  test('an operator may, and that binds nothing', async () => {
    expect((await report('jane', 'e-1')).status).toBe(204);
    expect((await report('west', 'e-1')).status).toBe(204);
    expect((await report('jane', 'e-1', { isLeaving: true })).status).toBe(204);
    expectProblem(await report('east', 'e-1'), 403, 'enforcer.bound');
  });

  test('several share one token, with or without a name', async () => {
    for (const by of ['east', 'nameless']) {
      for (const id of [`${by}-1`, `${by}-2`, `${by}-1`]) expect((await report(by, id)).status).toBe(204);
    }
    // tokens without a name cannot be told apart, and bind nothing
    expect((await report('east', 'nameless-1')).status).toBe(204);
    expectProblem(await report('nameless', 'nameless-1'), 403, 'enforcer.bound');
  });

  test('one that is taken out by hand is free for another name', async () => {
    await report('east', 'e-1');
    expect(await ledger.retireEnforcer('e-1')).toBe(true);
    expect((await report('west', 'e-1')).status).toBe(204);
  });

  test('whoever has the database reports as before', async () => {
    await report('east', 'e-1');
    await ledger.ack({
      ...{ id: 'e-1', name: 'e-1', role: 'library', version: '2', leaseMs: 1000, position: null, appliedAgeMs: null },
      ...{ state: 'last_good', isLeaving: false },
    });
    expect(await stateOf('e-1')).toMatchObject({ state: 'last_good' });
  });
});
