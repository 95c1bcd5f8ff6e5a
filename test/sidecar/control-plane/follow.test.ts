/**
 * From an opt-out at the control plane to the table of a follower of that very control plane, and back: in force everywhere.
 * In both databases.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rightsMask, rightsOfIdentifier, TableHolder } from '../../../src/core/index.js';
import { openLedger } from '../../../src/ledger/index.js';
import { createHttpSource, createRelay, Follower, LedgerRelayFeed } from '../../../src/sync/index.js';
import { BACKENDS } from '../../ledger/backends.js';
import { ask, expectProblem, MAID, serve, TOKENS } from './stand.js';

const WAIT = { timeout: 30_000, interval: 20 };

describe.each(BACKENDS)('$name', ({ make }) => {
  test('a follower with an enforcer token', async () => {
    const place = await make();
    const folder = await mkdtemp(join(tmpdir(), 'optgate-control-relay-'));
    const ledger = await openLedger(place.location);
    const feed = new LedgerRelayFeed({ feed: ledger.feed(), folder });
    const relay = createRelay({ feed });
    const { port, url, plane, close } = await serve({ ledger, relay });
    const holder = new TableHolder();
    const enforcer = { id: 'follower-1', name: 'follower', role: 'sidecar', version: '1.0.0' } as const;
    const source = createHttpSource({ url, token: TOKENS.enforcer });
    const follower = new Follower({ source, holder, enforcer, reportEveryMs: 100 });
    await follower.start();
    const stranger = createHttpSource({ url, token: TOKENS.intake });
    try {
      await expect.poll(() => holder.current, WAIT).not.toBeNull();
      const operator = (method: string, path: string, json?: unknown) => ask(port, method, path, { json });
      await expect.poll(async () => (await operator('GET', '/v1/enforcers')).json.enforcers.length, WAIT).toBe(1);

      const identifiers = [{ kind: 'maid', value: MAID }] as const;
      const optOut = await ask(port, 'POST', '/v1/opt-outs', {
        role: 'intake',
        json: { identifiers, channel: 'web_form', rights: ['sale'] },
      });
      expect(optOut.status, optOut.text).toBe(201);
      const rights = () => rightsOfIdentifier(holder.current ?? expect.fail('no table'), identifiers[0]);
      await expect.poll(rights, WAIT).toBe(rightsMask(['sale']));
      const { requestId, token } = optOut.json;
      const propagation = async () => (await operator('GET', `/v1/propagation/${requestId}`)).json;
      await expect.poll(async () => (await propagation()).inForceEverywhereAt, WAIT).not.toBeNull();
      expect(await propagation()).toMatchObject({ token, inForceOn: 1, enforcerCount: 1 });
      expect((await propagation()).enforcers).toMatchObject([{ id: 'follower-1', role: 'sidecar', silent: false }]);

      const asked = await operator('POST', '/v1/opt-ins', { identifiers, channel: 'web_form' });
      const { confirmation, requestId: optIn } = asked.json;
      expect((await operator('POST', `/v1/opt-ins/${optIn}/confirm`, { confirmation })).status).toBe(200);
      await expect.poll(rights, WAIT).toBe(0);

      const wait = { waitMs: 0, signal: AbortSignal.timeout(20_000) };
      await expect(stranger.changes({ epoch: holder.epoch ?? '', seq: 0 }, wait)).rejects.toThrow();
      expectProblem(await ask(port, 'GET', '/v1/changes?after=x', { role: 'enforcer' }), 400, 'http.bad_request');
      expectProblem(await ask(port, 'GET', '/v1/changes', { role: 'intake' }), 403, 'http.forbidden');
      const snapshot = await ask(port, 'GET', '/v1/snapshot', { role: 'enforcer' });
      expect(snapshot.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'optgate-epoch': holder.epoch });

      await follower.close();
      await expect
        .poll(async () => (await operator('GET', '/v1/enforcers')).json.enforcers[0].retiredAt, WAIT)
        .not.toBeNull();
      // a wait for changes ends when the control plane does
      const waiting = ask(port, 'GET', `/v1/changes?after=${holder.epoch}.${holder.seq}&wait=30000`, {
        role: 'enforcer',
      });
      await expect.poll(() => relay.counts.polls, WAIT).toBe(1);
      await plane.close();
      expect((await waiting).status).toBe(200);
    } finally {
      await Promise.all([follower.close(), stranger.close()]);
      await close();
      await feed.close();
      await ledger.close();
      await place.remove();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('two who write at once: one request under one key, one destination for one version', async () => {
    const place = await make();
    const ledger = await openLedger(place.location);
    // two processes' worth of control planes on one ledger
    const planes = [await serve({ ledger }), await serve({ ledger })];
    try {
      const json = { identifiers: [{ kind: 'maid', value: MAID }], channel: 'api' };
      const headers = { 'idempotency-key': 'one' };
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          ask(planes[index % 2]?.port ?? 0, 'POST', '/v1/opt-outs', { json, headers }),
        ),
      );
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(new Set(answers.map((answer) => answer.json.requestId)).size).toBe(1);
      const puts = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          ask(planes[index % 2]?.port ?? 0, 'PUT', '/v1/destinations/dsp', {
            json: { contract: { reference: `${index}` } },
            headers: { 'if-none-match': '*' },
          }),
        ),
      );
      expect(puts.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(412)]);
      const [kept] = puts.filter(({ status }) => status === 201);
      expect((await ask(planes[0]?.port ?? 0, 'GET', '/v1/destinations/dsp')).json).toEqual(kept?.json);
    } finally {
      for (const one of planes) await one.close();
      await ledger.close();
      await place.remove();
    }
  });
});
