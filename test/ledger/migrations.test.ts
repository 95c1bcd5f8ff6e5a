/**
 * The schema: made once, however many start at once; never an older optgate on a newer ledger.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { checkMigrated, MIGRATION_LOCK, migrate, randomSeeds, SCHEMA_VERSION } from '../../src/ledger/migrations.js';
import { MIGRATIONS } from '../../src/ledger/schema.js';
import { BACKENDS, type TestLocation } from './both-databases.js';
import { until } from './until.js';

const codeOf = (error: unknown) => (error as { code?: unknown }).code;

test('steps are numbered from 1 without gaps', () => {
  expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  expect(randomSeeds()).not.toEqual(randomSeeds());
});

for (const backend of BACKENDS) {
  backend.describe(`migrations on ${backend.name}`, () => {
    let place: TestLocation;
    let database: Database;
    beforeAll(async () => {
      place = await backend.create('bare');
      database = await openDatabase(place.location);
    });
    afterAll(async () => {
      await database.close();
      await place.remove();
    });

    test('several at once make one ledger, and later ones change nothing', async () => {
      expect(await checkMigrated(database).catch(codeOf)).toBe('ledger.not_migrated');
      const others =
        backend.name === 'pglite' ? [] : await Promise.all([1, 2, 3].map(() => openDatabase(place.location)));
      const seeds = { seed: 2n ** 64n - 2n, ledgerId: '11111111-1111-4111-8111-111111111111', epoch: 'first' };
      const taken = await Promise.all([database, database, ...others].map((one) => migrate(one, seeds)));
      expect(taken.flat().sort((a, b) => a - b)).toEqual(MIGRATIONS.map(({ version }) => version));
      await checkMigrated(database);
      expect(await migrate(database)).toEqual([]);
      expect(
        await database.query('select schema_version, ledger_id, seed, epoch, seq from optgate.meta, optgate.head'),
      ).toEqual([{ schema_version: SCHEMA_VERSION, ledger_id: seeds.ledgerId, seed: '-2', epoch: 'first', seq: '0' }]);
      await Promise.all(others.map((other) => other.close()));
    });

    test.skipIf(backend.name === 'pglite')('one that waited for another finds what that one has made', async () => {
      await database.query('drop schema if exists optgate cascade');
      const waiting = await openDatabase(place.location, { connectionsMax: 1 });
      expect(await checkMigrated(waiting).catch(codeOf)).toBe('ledger.not_migrated'); // and remembers that
      const first = await database.dedicated();
      await first.query(`select pg_advisory_lock(${MIGRATION_LOCK})`);
      const steps = migrate(waiting);
      await until('a wait for the lock', async () => {
        const [row] = await database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`,
        );
        return row ?? null;
      });
      expect(await migrate(first)).toHaveLength(MIGRATIONS.length);
      await first.close();
      expect(await steps).toEqual([]);
      await waiting.close();
    });

    test('a step that fails leaves nothing behind', async () => {
      await database.query('drop schema optgate cascade');
      const impossible = { ...randomSeeds(), epoch: 'with a space' };
      expect(await migrate(database, impossible).catch((error) => error.constraint)).toBe('head_epoch_check');
      expect(await database.query(`select to_regclass('optgate.change_log') as there`)).toEqual([{ there: null }]);
      expect(await migrate(database)).toHaveLength(MIGRATIONS.length);
    });

    test('rows that cannot be are refused', async () => {
      const entry = (changes: string, behind: string) =>
        database
          .query(
            `insert into optgate.change_log (changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask, behind)
             values (${changes}, 0, 0, 0, 0, 0, ${behind})`,
          )
          .catch((error) => error.sqlState);
      expect(await entry(`'\\x0011'`, '0')).toBe('23514');
      expect(await entry(`''`, 'null')).toBe('23502'); // who writes an entry must know what it builds on
      expect(
        await database.query('insert into optgate.head (epoch) values ($1)', ['b']).catch((error) => error.sqlState),
      ).toBe('23505');
      expect(await database.query('update optgate.head set settled_seq = 1').catch((error) => error.sqlState)).toBe(
        '23514',
      );
    });

    test('a newer ledger is left alone', async () => {
      await database.query('update optgate.meta set schema_version = $1', [SCHEMA_VERSION + 1]);
      expect(await migrate(database).catch(codeOf)).toBe('ledger.newer');
      expect(await checkMigrated(database).catch(codeOf)).toBe('ledger.newer');
    });
  });
}
