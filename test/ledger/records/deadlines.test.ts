/**
 * Deadlines of the requests of a ledger: what is open, what counts as complied with, what is listed.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Identifier } from '../../../src/core/vocabulary.js';
import { RIGHTS_ALL } from '../../../src/core/vocabulary.js';
import { type Ledger, openLedger, type RequestInput } from '../../../src/ledger/index.js';
import { deadlineOf } from '../../../src/ledger/records/deadline.js';
import { BACKENDS, type TestLocation } from '../both-databases.js';

const DAY_MS = 86_400_000;
const someMaid = (): Identifier => ({ kind: 'maid', value: randomBytes(16).toString('hex') });

for (const backend of BACKENDS) {
  backend.describe(`deadlines on ${backend.name}`, () => {
    let place: TestLocation;
    let ledger: Ledger;
    let nowMs = Date.now();
    beforeAll(async () => {
      place = await backend.create();
      ledger = await openLedger(place.location, { now: () => nowMs });
    });
    afterAll(async () => {
      await ledger.close();
      await place.remove();
    });

    const optOut = (more: Partial<RequestInput> = {}) =>
      ledger.recordOptOut({ identifiers: [someMaid()], channel: 'web_form', ...more });
    const seqOf = (token: string | null) => Number(token?.split('.').at(-1));
    const listed = async () =>
      (await ledger.records.deadlines()).requests.map((one) => [one.requestId, one.deadlineState]);
    const counts = async () => {
      const { overdueCount, nearlyOverdueCount, openCount } = await ledger.records.deadlines();
      return [overdueCount, nearlyOverdueCount, openCount];
    };
    const report = async (id: string, seq: number | null, isLeaving = false) => {
      const { epoch } = await ledger.head();
      await ledger.ack({
        ...{ id, name: id, role: 'sidecar', version: '1', leaseMs: 60_000, state: 'live', isLeaving, appliedAgeMs: 0 },
        position: seq === null ? null : { epoch, seq },
      });
    };

    test('a request is open until it is in force everywhere, and then it is met', async () => {
      const receivedAtMs = nowMs;
      await report('a', 0);
      await report('b', 0);
      const { requestId, token } = await optOut({ receivedAtMs, state: 'CA' });
      const deadline = deadlineOf({ state: 'CA', rights: RIGHTS_ALL, path: 'recorded', receivedAtMs });
      const { dueAtMs, dueOn } = deadline;
      const base = { dueAtMs, dueOn, deadlineRule: 'ca-opt-out', compliedAtMs: null };
      expect(await ledger.request(requestId)).toMatchObject({ ...base, deadlineState: 'open' });
      expect(await counts()).toEqual([0, 0, 1]);
      nowMs = deadline.nearlyAtMs;
      expect(await ledger.request(requestId)).toMatchObject({ ...base, deadlineState: 'nearly_overdue' });
      expect(await listed()).toEqual([[requestId, 'nearly_overdue']]);
      nowMs = dueAtMs;
      expect(await listed()).toEqual([[requestId, 'overdue']]);
      await report('a', seqOf(token));
      expect((await ledger.records.deadlines()).requests[0]).toMatchObject({ inForceOn: 1, enforcerCount: 2 });
      await report('b', seqOf(token));
      // complied with on the server's clock, which has not gone on
      const after = await ledger.request(requestId);
      expect(after).toMatchObject({ dueAtMs, deadlineState: 'met', compliedAtMs: expect.any(Number) });
      expect(await counts()).toEqual([0, 0, 0]);
      const propagation = await ledger.propagation(requestId);
      expect(after.compliedAtMs).toBe(propagation.inForceEverywhereAtMs);
      nowMs = receivedAtMs;
    });

    test('what was complied with stays so when enforcers come and go', async () => {
      const { requestId, token } = await optOut();
      for (const id of ['a', 'b']) await report(id, seqOf(token));
      const { compliedAtMs } = await ledger.request(requestId);
      await report('c', 0); // came later: it began from a set that holds it
      for (const id of ['a', 'b']) await report(id, null, true);
      const after = await ledger.request(requestId);
      expect(after).toMatchObject({ deadlineState: 'met', compliedAtMs });
      expect(compliedAtMs).not.toBeNull();
      await ledger.rotateEpoch();
      expect(await ledger.request(requestId)).toMatchObject({ deadlineState: 'met', compliedAtMs });
      await report('c', (await ledger.head()).seq);
    });

    test('an enforcer that leaves without it is not waited for, one that only falls silent is', async () => {
      await report('d', (await ledger.head()).seq);
      const { requestId, token } = await optOut();
      await report('c', seqOf(token));
      expect((await ledger.request(requestId)).compliedAtMs).toBeNull();
      await ledger.retireEnforcer('d');
      expect((await ledger.request(requestId)).compliedAtMs).not.toBeNull();
    });

    test('one that was late is overdue for good, and no longer listed', async () => {
      const { requestId, token } = await optOut({ receivedAtMs: nowMs - 60 * DAY_MS });
      expect(await listed()).toEqual([[requestId, 'overdue']]);
      await report('c', seqOf(token));
      expect(await ledger.request(requestId)).toMatchObject({
        deadlineState: 'overdue',
        compliedAtMs: expect.any(Number),
      });
      expect(await listed()).toEqual([]);
    });

    test('an import has one deadline, that of the platform where it came from there; an opt-in has none', async () => {
      const receivedAtMs = nowMs - 40 * DAY_MS;
      const rows = [{ ...someMaid() }];
      const list = await ledger.importOptOuts(rows, { receivedAtMs, channel: 'drop' });
      expect(await ledger.request(list.requestId)).toMatchObject({ deadlineRule: 'drop', compliedAtMs: null });
      const other = await ledger.importOptOuts([{ ...someMaid() }], { receivedAtMs });
      expect(await listed()).toContainEqual([other.requestId, 'overdue']);
      const { requestId } = await ledger.recordOptIn({ identifiers: [someMaid()], channel: 'web_form' });
      expect(await ledger.request(requestId)).toMatchObject({ dueAtMs: null, deadlineState: null, deadlineRule: null });
      await report('c', (await ledger.head()).seq);
      expect(await listed()).toEqual([]);
    });

    test('the list is as long as was asked for, and the most urgent come first', async () => {
      const ages = [30, 90, 60];
      for (const age of ages) await optOut({ receivedAtMs: nowMs - age * DAY_MS });
      const { requests, overdueCount } = await ledger.records.deadlines({ limit: 2 });
      expect(requests.map(({ receivedAtMs }) => Math.round((nowMs - receivedAtMs) / DAY_MS))).toEqual([90, 60]);
      expect(overdueCount).toBe(3);
      await expect(ledger.records.deadlines({ limit: 0 })).rejects.toMatchObject({
        field: 'limit',
        code: 'out_of_range',
      });
      await expect(ledger.records.deadlines({ nearlyBusinessDays: -1 })).rejects.toMatchObject({
        field: 'nearlyBusinessDays',
      });
    });
  });
}
