/**
 * The data inventory as a whole: all of it or nothing, every change noted, and who is exported to without being in it.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/ledger/database.js';
import type { DestinationInput } from '../../../src/ledger/index.js';
import { inventoryChanges } from '../../../src/ledger/records/inventory.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { BACKENDS } from '../both-databases.js';
import { openStand, type Stand, someMaid } from './stand.js';

const ACME: DestinationInput = {
  ...{ id: 'acme', role: 'service_provider', purposes: ['measurement'] },
  contract: { reference: 'MSA 7', expires: '2027-12-31' },
  ...{ dataCategories: ['identifiers', 'geolocation'], contact: 'privacy@acme.example', channels: ['bid', 'export'] },
};

for (const backend of BACKENDS) {
  backend.describe(`the inventory on ${backend.name}`, () => {
    let stand: Stand;
    const startMs = Date.now() - 60_000;
    beforeAll(async () => {
      stand = await openStand(backend);
    });
    afterAll(() => stand.close());
    const ids = async () => (await stand.ledger.destinations()).map(({ id }) => id);

    test('is put in force together, and says what changed; a policy file takes what the ledger keeps', async () => {
      const { records } = stand.ledger;
      const added = await records.applyInventory([ACME, { id: 'beta' }]);
      expect(added.map(({ id, before }) => [id, before])).toEqual([
        ['acme', null],
        ['beta', null],
      ]);
      expect(await stand.ledger.getDestination('acme')).toEqual({ ...ACME, whenOptedOut: 'restrict', states: {} });
      const kept = await stand.ledger.destinations();
      expect(parsePolicy({ destinations: kept }).destinations).toEqual(kept);
      expect(await records.applyInventory(kept)).toEqual([]);
      const [changed, ...others] = await records.applyInventory([{ ...ACME, contact: 'dpo@acme.example' }]);
      expect(others).toEqual([]);
      expect([changed?.before?.contact, changed?.after?.contact]).toEqual(['privacy@acme.example', 'dpo@acme.example']);
      expect(await ids()).toEqual(['acme', 'beta']);
    });

    test('one that cannot be used leaves all as they were; a dry run changes nothing', async () => {
      const { records } = stand.ledger;
      const bad = { id: 'delta', role: 'friend' } as unknown as DestinationInput;
      await expect(records.applyInventory([{ id: 'gamma' }, bad])).rejects.toMatchObject({
        ...{ field: 'destinations[1].role', code: 'unknown' },
      });
      await expect(records.applyInventory([{ id: 'gamma' }, { id: 'gamma' }])).rejects.toMatchObject({ code: 'used' });
      const bads = [{ channels: ['fax'] }, { dataCategories: [] }, { contact: 'a\nb' }, { note: 'x' }];
      for (const more of bads)
        await expect(records.applyInventory([{ id: 'gamma', ...more } as never])).rejects.toMatchObject({
          field: expect.stringMatching(/^destinations\[0\]/),
        });
      const would = await records.applyInventory([{ id: 'gamma' }], { isDryRun: true, removesOthers: true });
      expect(would.map(({ id, after }) => [id, after === null])).toEqual([
        ['gamma', false],
        ['acme', true],
        ['beta', true],
      ]);
      expect(await ids()).toEqual(['acme', 'beta']);
    });

    test('every change is noted, by whichever way it was made', async () => {
      await stand.ledger.putDestination({ id: 'gamma' });
      await stand.ledger.putDestination({ id: 'gamma' }); // nothing changes
      await stand.ledger.changeDestination('gamma', () => ({ id: 'gamma', role: 'contractor' }));
      await stand.ledger.records.applyInventory([ACME], { removesOthers: true });
      expect(await ids()).toEqual(['acme']);
      const other = backend.name === 'postgres' ? await openDatabase(stand.location) : null;
      if (other === null) return; // the folder has one owner
      const { count, changes } = await inventoryChanges(other, {
        sinceMs: startMs,
        untilMs: Date.now() + 60_000,
        limit: 100,
      });
      expect(changes.map(({ id, before, after }) => [id, before?.role ?? null, after?.role ?? null])).toEqual([
        ...[
          ['acme', null, 'service_provider'],
          ['beta', null, 'third_party'],
        ],
        ['acme', 'service_provider', 'service_provider'],
        ...[
          ['gamma', null, 'third_party'],
          ['gamma', 'third_party', 'contractor'],
        ],
        ['acme', 'service_provider', 'service_provider'],
        ...[
          ['beta', 'third_party', null],
          ['gamma', 'contractor', null],
        ],
      ]);
      expect(count).toBe(8);
      await other.close();
    });

    test('whoever was exported to and is not in it is listed', async () => {
      await stand.sent([someMaid()], { destination: 'nobody', finishedAtMs: startMs });
      await stand.sent([someMaid()], { destination: 'nobody', finishedAtMs: startMs + 1000 });
      await stand.sent([someMaid()], { destination: 'acme' });
      expect(await stand.ledger.records.unlistedDestinations()).toEqual([
        { id: 'nobody', exportCount: 2, lastSeenMs: startMs + 1000 },
      ]);
    });
  });
}
