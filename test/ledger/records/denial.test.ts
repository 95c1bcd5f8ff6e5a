/**
 * Denying requests: what a request alone gave ends, what others hold stays; against a twin that tells every history again.
 * @module
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Identifier, RIGHTS, type Right } from '../../../src/core/vocabulary.js';
import { BACKENDS } from '../both-databases.js';
import { all, openStand, type Stand, someMaid } from './stand.js';

for (const backend of BACKENDS) {
  backend.describe(`denial on ${backend.name}`, () => {
    let stand: Stand;
    beforeAll(async () => {
      stand = await openStand(backend);
    });
    afterAll(() => stand.close());

    const optOut = async (identifiers: readonly Identifier[], rights: readonly Right[]) =>
      (await stand.ledger.recordOptOut({ identifiers, rights, channel: 'web_form' })).requestId;
    const rightsOf = async (identifier: Identifier) => (await stand.ledger.statusOf(identifier)).rights;
    const deny = (requestId: string, more: object = {}) =>
      stand.ledger.records.deny({ requestId, basis: 'good-faith belief of fraud', ...more });

    test('ends what the request gave, says who, when and why, and does so once', async () => {
      const maid = someMaid();
      const requestId = await optOut([maid], ['sale', 'share']);
      const acting = stand.ledger.actingAs({ role: 'operator', name: 'jane', via: 'http' });
      const denial = await acting.records.deny({ requestId, basis: 'case 12' });
      expect(denial).toMatchObject({ requestId, basis: 'case 12', deniedBy: 'jane', remaining: [], isRepeat: false });
      expect(denial.token).not.toBeNull();
      expect(await rightsOf(maid)).toEqual([]);
      expect(await deny(requestId)).toEqual({ ...denial, token: denial.token, isRepeat: true });
      expect(await stand.ledger.request(requestId)).toMatchObject({
        status: 'denied',
        deadlineState: 'met',
        compliedAtMs: null,
      });
      const untilMs = Date.now() + 60_000;
      const [record] = (await all(stand.ledger.records.requests({ sinceMs: 0, untilMs }))).filter(
        (one) => one.requestId === requestId,
      );
      expect(record).toMatchObject({ response: 'denied', denialBasis: 'case 12', deniedBy: 'jane', status: 'denied' });
      expect(record?.respondedAtMs).toBe(denial.deniedAtMs);
      // what took it back is in force; the request is not
      expect(record).toMatchObject({ processedAtMs: null, inForceEverywhereAtMs: null, inForceOn: 0 });
      expect(await stand.ledger.propagation(requestId)).toMatchObject({
        processedAtMs: null,
        token: null,
        inForceOn: 0,
        inForceEverywhereAtMs: null,
      });
    });

    test('leaves what the same identifier asked for otherwise, before and after', async () => {
      const maid = someMaid();
      const before = await optOut([maid], ['sale']);
      const denied = await optOut([maid, someMaid()], ['sale', 'share', 'child']);
      const after = await optOut([maid], ['share']);
      expect((await deny(denied)).remaining).toEqual(['sale', 'share']);
      const status = await stand.ledger.statusOf(maid);
      expect(status.rights).toEqual(['sale', 'share']);
      const inForce = status.requests.filter(({ isInForce }) => isInForce).map(({ requestId }) => requestId);
      expect(inForce).toEqual([after]);
      await deny(after);
      expect(await rightsOf(maid)).toEqual(['sale']);
      await deny(before);
      expect(await rightsOf(maid)).toEqual([]);
    });

    test('leaves what a list asked for, and what anybody else holds on a shared key', async () => {
      const maid = someMaid();
      await stand.ledger.importOptOuts([maid]);
      const denied = await optOut([maid], ['sale', 'share']);
      await deny(denied);
      expect(await rightsOf(maid)).toEqual([...RIGHTS]);
      // two spellings of an address share digests in some dialect
      const [plain, dotted] = ['janedenial@gmail.com', 'jane.denial@gmail.com'].map(
        (value) => ({ kind: 'email', value }) as const,
      );
      if (plain === undefined || dotted === undefined) throw new Error('unreachable');
      await optOut([plain], ['sale']);
      await deny(await optOut([dotted], ['sale', 'share']));
      expect(await rightsOf(plain)).toEqual(['sale']);
    });

    test('an opt-in that is not confirmed can be denied, and then not confirmed; lists and what is done cannot', async () => {
      const maid = someMaid();
      await optOut([maid], ['sale']);
      const asked = await stand.ledger.recordOptIn({ identifiers: [maid], channel: 'web_form' });
      expect(await deny(asked.requestId)).toMatchObject({ token: null, isRepeat: false });
      await expect(stand.ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '')).rejects.toMatchObject({
        code: 'superseded',
      });
      expect(await rightsOf(maid)).toEqual(['sale']);
      const list = await stand.ledger.importOptOuts([someMaid()]);
      await expect(deny(list.requestId)).rejects.toMatchObject({ field: 'requestId' });
      await expect(deny('r_0000000000000000000000')).rejects.toMatchObject({ code: 'ledger.unknown_request' });
      for (const basis of ['', ' ', undefined, 'x'.repeat(2001)])
        await expect(deny(asked.requestId, { basis })).rejects.toMatchObject({ field: 'basis' });
    });

    test('a denied opt-out stands in no opt-in’s way', async () => {
      const maid = someMaid();
      await optOut([maid], ['sale']);
      const asked = await stand.ledger.recordOptIn({ identifiers: [maid], channel: 'web_form' });
      await deny(await optOut([maid], ['share']));
      await stand.ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '');
      expect(await rightsOf(maid)).toEqual([]);
    });

    test('whatever comes in whatever order, what is in force is what was not denied, and the ledger is sound', async () => {
      const step = fc.record({
        what: fc.constantFrom('out', 'out', 'deny', 'in'),
        who: fc.nat(1),
        rights: fc.subarray([...RIGHTS], { minLength: 1 }),
        which: fc.nat(20),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
          const people = [someMaid(), someMaid()];
          const told: { id: string; who: number; rights: readonly Right[]; what: string; isDenied: boolean }[] = [];
          for (const { what, who, rights, which } of steps) {
            const person = people[who] ?? someMaid();
            if (what === 'out') told.push({ what, who, rights, id: await optOut([person], rights), isDenied: false });
            if (what === 'in') {
              const asked = await stand.ledger.recordOptIn({ identifiers: [person], rights, channel: 'api' });
              await stand.ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '');
              told.push({ what, who, rights, id: asked.requestId, isDenied: false });
            }
            const outs = told.filter((one) => one.what === 'out');
            const one = outs[which % Math.max(1, outs.length)];
            if (what !== 'deny' || one === undefined) continue;
            await deny(one.id);
            one.isDenied = true;
          }
          for (const [who, person] of people.entries()) {
            const held = new Set<Right>();
            for (const one of told.filter((entry) => entry.who === who && !entry.isDenied)) {
              for (const right of one.rights) one.what === 'out' ? held.add(right) : held.delete(right);
            }
            expect(await rightsOf(person)).toEqual(RIGHTS.filter((right) => held.has(right)));
          }
        }),
        { numRuns: 12 },
      );
      expect((await stand.ledger.verify()).findings).toEqual([]);
    });
  });
}
