/**
 * What a ledger can say of itself and of its enforcers: propagation, canaries, destinations, snapshots, verification.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rightsOfIdentifier } from '../../src/core/opt-out.js';
import { decodeSnapshot, readChanges } from '../../src/core/suppression/index.js';
import type { Identifier } from '../../src/core/vocabulary.js';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { type CheckName, type Ledger, openLedger } from '../../src/ledger/index.js';
import { verifyInView } from '../../src/ledger/verify.js';
import { parsePolicy } from '../../src/policy-file.js';
import type { EnforcerReport } from '../../src/sync/source.js';
import { BACKENDS, type TestPlace } from './backends.js';
import { until } from './until.js';

const someMaid = (): Identifier => ({ kind: 'maid', value: randomBytes(16).toString('hex') });

describe.each(BACKENDS)('oversight on $name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  beforeAll(async () => {
    place = await make();
    ledger = await openLedger(place.location);
  });
  afterAll(async () => {
    await ledger.close();
    await place.remove();
  });

  const optOut = () => ledger.recordOptOut({ identifiers: [someMaid()], channel: 'api' });
  const seqOf = (token: string | null) => Number(token?.split('.').at(-1));

  async function report(id: string, seq: number | null, more: Partial<EnforcerReport> = {}): Promise<void> {
    const { epoch } = await ledger.head();
    await ledger.ack({
      id,
      name: `host-${id}`,
      role: 'sidecar',
      version: '1.0.0',
      leaseMs: 60_000,
      position: seq === null ? null : { epoch, seq },
      appliedAgeMs: seq === null ? null : 0,
      state: 'live',
      isLeaving: false,
      ...more,
    });
  }

  test('of a request: received, processed, in force on k of n, everywhere', async () => {
    await report('a', 0);
    await report('b', 0);
    const { requestId, token, receivedAtMs } = await optOut();
    const seq = seqOf(token);
    const before = await ledger.propagation(requestId);
    expect(before).toMatchObject({ requestId, receivedAtMs, token, inForceOn: 0, enforcerCount: 2 });
    expect(before.inForceEverywhereAtMs).toBeNull();
    expect(before.processedAtMs).toBeGreaterThanOrEqual(receivedAtMs - 1);

    await report('a', seq - 1);
    expect((await ledger.propagation(requestId)).inForceOn).toBe(0);
    await report('a', seq);
    expect(await ledger.propagation(requestId)).toMatchObject({ inForceOn: 1, inForceEverywhereAtMs: null });
    const appliedAgeMs = 3_600_000; // before it was written, which cannot be
    await report('b', seq + 5, { appliedAgeMs, position: null });
    await optOut();
    await report('b', seq + 1, { appliedAgeMs });
    const after = await ledger.propagation(requestId);
    const [a, b] = after.enforcers;
    expect(after).toMatchObject({ inForceOn: 2, enforcerCount: 2 });
    expect(b?.inForceAtMs).toBe(after.processedAtMs);
    expect(after.inForceEverywhereAtMs).toBe(a?.inForceAtMs);

    await report('c', null); // starts from a snapshot that has it
    const later = await ledger.propagation(requestId);
    expect(later).toMatchObject({ inForceOn: 2, enforcerCount: 3 });
    expect(later.inForceEverywhereAtMs).toBe(after.inForceEverywhereAtMs);
    expect(later.enforcers.map(({ id, isLater }) => [id, isLater])).toEqual([
      ['a', false],
      ['b', false],
      ['c', true],
    ]);
    await report('c', seq + 1);
    expect((await ledger.propagation(requestId)).inForceEverywhereAtMs).toBe(after.inForceEverywhereAtMs);
  });

  test('one that is silent is waited for, one that has left is not, and each can come back', async () => {
    await report('d', 0, { leaseMs: 1 });
    await report('e', 0);
    const { requestId, token } = await optOut();
    for (const id of ['a', 'b', 'c', 'e']) await report(id, seqOf(token));
    await until('d is silent', async () => (await ledger.enforcers()).find(({ id }) => id === 'd')?.isSilent);
    expect(await ledger.propagation(requestId)).toMatchObject({
      inForceOn: 4,
      enforcerCount: 5,
      inForceEverywhereAtMs: null,
    });
    expect((await ledger.enforcers()).find(({ id }) => id === 'd')).toMatchObject({
      name: 'host-d',
      position: { seq: 0 },
      seqLag: seqOf(token),
      retiredAtMs: null,
    });
    await report('d', 0, { isLeaving: true });
    expect((await ledger.propagation(requestId)).inForceEverywhereAtMs).not.toBeNull();
    await report('d', 0);
    expect((await ledger.propagation(requestId)).inForceEverywhereAtMs).toBeNull();
    expect(await ledger.retireEnforcer('d')).toBe(true);
    expect(await ledger.retireEnforcer('d')).toBe(false);
    const { enforcers, inForceEverywhereAtMs } = await ledger.propagation(requestId);
    expect(inForceEverywhereAtMs).not.toBeNull();
    expect(enforcers.at(-1)).toMatchObject({ id: 'd', isRetired: true, isSilent: false, inForceAtMs: null });
  });

  test('an acknowledgement of another history is none; one from before an epoch change still counts', async () => {
    const { requestId, token } = await optOut();
    await report('a', null, { position: { epoch: 'another', seq: 10_000 }, appliedAgeMs: 0 });
    await report('a', 1_000_000); // a seq that was never given out
    expect((await ledger.propagation(requestId)).inForceOn).toBe(0);
    await report('a', seqOf(token));
    const { inForceOn, enforcers } = await ledger.propagation(requestId);
    expect(inForceOn).toBe(1);
    const epoch = await ledger.rotateEpoch();
    expect(token).not.toContain(epoch);
    const after = await ledger.propagation(requestId);
    expect(after.token).toBe(`${epoch}.${seqOf(token)}`);
    expect(after.inForceOn).toBe(1);
    expect(after.enforcers[0]?.inForceAtMs).toBe(enforcers[0]?.inForceAtMs);
    const next = await optOut();
    await report('a', null, {
      position: { epoch: token?.split('.')[0] ?? '', seq: seqOf(next.token) },
      appliedAgeMs: 0,
    });
    expect((await ledger.propagation(next.requestId)).inForceOn).toBe(0);
  });

  test('canaries come at their interval, change to and fro, and do not let the set grow', async () => {
    const before = await ledger.head();
    await ledger.close();
    ledger = await openLedger(place.location, { canaryEveryMs: 100 });
    const { entries } = await until('three canaries', async () => {
      const frame = await ledger.changesAfter(before.seq);
      return frame.entries.length >= 3 ? frame : null;
    });
    await ledger.close();
    ledger = await openLedger(place.location);
    expect(entries.every(({ isCanary }) => isCanary)).toBe(true);
    const changes = entries.flatMap((entry) => readChanges(entry.changes));
    expect(new Set(changes.map(({ high, low }) => `${high} ${low}`)).size).toBe(1);
    expect(changes.every(({ rights, rightsBefore }) => rights !== rightsBefore && rights !== 0)).toBe(true);
    expect(changes.map(({ version }) => version)).toEqual(entries.map((_, index) => index + 1));
    const after = await ledger.head();
    expect(after.entryCount).toBe(before.entryCount + 1);
    expect((await ledger.verify()).findings).toEqual([]);
  });

  test('only the sequencer makes canaries', async () => {
    await ledger.close();
    const idle = await openLedger(place.location, { canaryEveryMs: 100, sequence: false });
    const { seq } = await idle.head();
    await new Promise((resolve) => setTimeout(resolve, 350));
    await idle.close();
    ledger = await openLedger(place.location);
    await optOut();
    expect((await ledger.changesAfter(seq)).entries.filter(({ isCanary }) => isCanary)).toEqual([]);
  });

  test('destinations are kept complete, and as a policy file takes them', async () => {
    const acme = { id: 'acme', whenOptedOut: 'block', states: { CA: { role: 'contractor' } } } as const;
    const stored = await ledger.putDestination(acme);
    expect(stored).toMatchObject({ ...acme, role: 'third_party', contract: null });
    expect(parsePolicy({ destinations: [stored] }).destinations).toEqual([stored]);
    await ledger.putDestination({ id: 'Zeta', role: 'service_provider' });
    await ledger.putDestination({ id: 'acme', contract: { reference: 'c-1', expires: '2027-01-31' } });
    expect((await ledger.destinations()).map(({ id }) => id)).toEqual(['Zeta', 'acme']);
    expect(await ledger.getDestination('acme')).toMatchObject({
      whenOptedOut: 'restrict',
      contract: { reference: 'c-1' },
    });
    expect(await ledger.removeDestination('acme')).toBe(true);
    expect(await ledger.removeDestination('acme')).toBe(false);
    expect(await ledger.getDestination('acme')).toBeNull();
    const put = (input: object) => ledger.putDestination(input as never);
    await expect(put({})).rejects.toMatchObject({ field: 'destination.id', code: 'required' });
    await expect(put({ id: 'x', role: 'friend' })).rejects.toMatchObject({
      field: 'destination.role',
      code: 'unknown',
    });
    await expect(put({ id: 'x', roles: [] })).rejects.toMatchObject({ field: 'destination', code: 'unknown' });
    await expect(put({ id: 'x', states: { Texas: {} } })).rejects.toMatchObject({ code: 'malformed' });
    await expect(put({ id: 'x\0' })).rejects.toMatchObject({ field: 'destination.id', code: 'malformed' });
  });

  test('a snapshot is the set at the settled seq, the same in a file and in a stream', async () => {
    const maid = someMaid();
    const { token } = await ledger.recordOptOut({ identifiers: [maid], rights: ['child'], channel: 'api' });
    await until('it is settled', async () => (await ledger.head()).settledSeq >= seqOf(token));
    const folder = await mkdtemp(join(tmpdir(), 'optgate-test-'));
    const path = join(folder, 'set.ogs');
    const pieces: Buffer[] = [];
    const stream = new Writable({
      highWaterMark: 1024,
      write(bytes, _, done) {
        pieces.push(bytes);
        setImmediate(done);
      },
    });
    const written = await ledger.snapshotTo(path);
    expect(await ledger.snapshotTo(stream)).toEqual(written);
    const head = await ledger.head();
    expect(written).toEqual({
      position: { epoch: head.epoch, seq: head.settledSeq },
      entryCount: head.entryCount,
      stateDigest: head.stateDigest,
    });
    const [fromFile, fromStream] = [await readFile(path), Buffer.concat(pieces)].map((bytes) => decodeSnapshot(bytes));
    for (const table of [fromFile, fromStream]) {
      expect(table?.stateDigest).toBe(head.stateDigest);
      expect(table === undefined ? null : rightsOfIdentifier(table, maid)).toBe(1 << 5);
    }
    const broken = new Writable({ write: (_, __, done) => done(new Error('disk full')) });
    await expect(ledger.snapshotTo(broken)).rejects.toMatchObject({ code: 'snapshot.io' });
    await rm(folder, { recursive: true });
  });

  test('status says what runs here', async () => {
    await until('it is the sequencer', async () => (await ledger.status()).isSequencer);
    const status = await ledger.status();
    expect(status).toMatchObject({ backend: ledger.backend, alarm: null, lastError: null });
    expect(status.horizonLagMs).toBeLessThan(5_000);
    expect(() => ledger.changesAfter(-1)).toThrow(RangeError);
    expect(() => ledger.changesAfter(0, 1e6)).toThrow(RangeError);
  });

  describe('damage is found', () => {
    const damages: readonly (readonly [check: CheckName, sql: string, also: readonly CheckName[]])[] = [
      [
        'rights',
        'update optgate.suppression set identity_rights = 0 where rights <> 0 and key = (select max(key) from optgate.suppression where rights <> 0)',
        [],
      ],
      ['state_digest', 'update optgate.head set digest_low = (digest_low + 1) % 4294967296', []],
      ['entry_count', 'update optgate.head set entry_count = entry_count + 1', []],
      ['kind_mask', 'update optgate.head set kind_mask = 0, given_kind_mask = 0', []],
      ['log_gap', 'delete from optgate.change_log where seq = 3', ['last_entry']],
      [
        'last_entry',
        'update optgate.suppression set last_entry = 1000000 where key = (select min(key) from optgate.suppression)',
        [],
      ],
      ['records', `update optgate.change_log set changes = overlay(changes placing '\\x00' from 17) where seq = 1`, []],
      ['records_digest', 'update optgate.change_log set digest_high = digest_high + 1 where seq = 1', []],
      [
        'settled',
        'update optgate.change_log set behind = (select max(id) + 1 from optgate.change_log) where seq = 1',
        [],
      ],
      ['requests', 'update optgate.request set last_entry = null where id = (select min(id) from optgate.request)', []],
    ];

    let database: Database;
    beforeAll(async () => {
      await ledger.close(); // so that no heartbeat writes the head meanwhile, and the folder is free
      database = await openDatabase(place.location);
    });
    afterAll(async () => {
      await database.close();
      ledger = await openLedger(place.location);
      expect((await ledger.verify()).isSound).toBe(true);
    });

    test.each(damages)('%s', async (check, sql, also) => {
      const undone = new Error('undone');
      let findings: readonly CheckName[] = [];
      const damaged = database.transaction(async (session) => {
        await session.query(sql);
        findings = (await verifyInView(session)).findings.map((finding) => finding.check);
        throw undone;
      });
      await expect(damaged).rejects.toBe(undone);
      expect([...findings].sort()).toEqual([check, ...also].sort());
    });
  });
});
