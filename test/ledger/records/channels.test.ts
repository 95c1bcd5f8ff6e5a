/**
 * Every channel is taken and shown everywhere, and agents are recorded.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHANNELS, type RequestInput, recordsText } from '../../../src/ledger/index.js';
import { BACKENDS } from '../both-databases.js';
import { all, openStand, type Stand, someMaid } from './stand.js';

for (const backend of BACKENDS) {
  backend.describe(`channels on ${backend.name}`, () => {
    let stand: Stand;
    beforeAll(async () => {
      stand = await openStand(backend);
    });
    afterAll(() => stand.close());
    const untilMs = Date.now() + 3_600_000;
    const records = async () => all(stand.ledger.records.requests({ sinceMs: 0, untilMs }));

    test('each is taken by opt-outs, opt-ins and lists, and shown by the request, the status, the record and the quarter', async () => {
      for (const channel of CHANNELS) {
        const maid = someMaid();
        const receivedAtMs = Date.parse('2026-08-01T12:00:00Z');
        const out = await stand.ledger.recordOptOut({ identifiers: [maid], channel, receivedAtMs });
        const list = await stand.ledger.importOptOuts([someMaid()], { channel, receivedAtMs });
        const asked = await stand.ledger.recordOptIn({ identifiers: [someMaid()], channel, receivedAtMs });
        for (const { requestId } of [out, list, asked]) {
          expect((await stand.ledger.request(requestId)).channel).toBe(channel);
          expect((await records()).find((one) => one.requestId === requestId)?.channel).toBe(channel);
        }
        expect((await stand.ledger.statusOf(maid)).requests[0]?.channel).toBe(channel);
        const { requests } = await stand.ledger.records.deadlines({ limit: 1000 });
        expect(requests.find(({ requestId }) => requestId === out.requestId)?.channel).toBe(channel);
      }
      const { channels } = await stand.ledger.records.quarter('2026Q3');
      for (const channel of CHANNELS) {
        expect(channels[channel], channel).toEqual({ optOuts: 1, imports: 1, optIns: 1, identifiers: 2 });
      }
    });

    test('an agent is in the record; a repeat of the same request is one, another agent is another request', async () => {
      const identifiers = [someMaid()];
      const agent = { name: 'Permission Slip', permissionOnFile: true };
      const request: RequestInput = { identifiers, channel: 'agent', agent, idempotencyKey: 'agent-1' };
      const { requestId } = await stand.ledger.recordOptOut(request);
      expect(await stand.ledger.recordOptOut(request)).toMatchObject({ requestId, isRepeat: true });
      const other = { ...request, agent: { ...agent, permissionOnFile: false } };
      await expect(stand.ledger.recordOptOut(other)).rejects.toMatchObject({ code: 'ledger.idempotency_conflict' });
      const record = (await records()).find((one) => one.requestId === requestId);
      expect(record?.agent).toEqual({ name: 'Permission Slip', isPermitted: true });
      const [json] = JSON.parse((await all(recordsText(record === undefined ? [] : [record], 'json'))).join(''));
      expect(json.agent).toEqual(agent);
      const without = await stand.ledger.recordOptOut({ identifiers: [someMaid()], channel: 'agent' });
      expect((await records()).find((one) => one.requestId === without.requestId)?.agent).toBeNull();
    });

    test.each([
      [{ agent: { name: 'x', permissionOnFile: true }, channel: 'phone' }, 'agent'],
      [{ agent: 'x' }, 'agent'],
      [{ agent: { name: '', permissionOnFile: true } }, 'agent.name'],
      [{ agent: { permissionOnFile: true } }, 'agent.name'],
      [{ agent: { name: 'x' } }, 'agent.permissionOnFile'],
      [{ agent: { name: 'x', permissionOnFile: 'yes' } }, 'agent.permissionOnFile'],
      [{ agent: { name: 'x', permissionOnFile: true, phone: '1' } }, 'agent'],
    ])('%j is refused', async (more, field) => {
      const request = { identifiers: [someMaid()], channel: 'agent', ...more } as unknown as RequestInput;
      await expect(stand.ledger.recordOptOut(request)).rejects.toMatchObject({ field });
    });
  });
}
