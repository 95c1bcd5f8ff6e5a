/**
 * The table that is built from a ledger: of the settled seq exactly, whatever is committed beyond it; and verified.
 * @module
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { migrate } from '../../src/ledger/migrations.js';
import { boolColumn, int2Column, int8Column, uuidColumn } from '../../src/ledger/packed-column.js';
import { sequenceStep } from '../../src/ledger/sequence-step.js';
import type { LoadedTable } from '../../src/sync/source.js';
import { digestOf } from '../reference/change-log.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { BACKENDS, createLedger, type TestLedger } from './both-databases.js';
import { committedState, testKey, writeEntry } from './log-writer.js';
import { until } from './until.js';

const never = new AbortController().signal;
const codeOf = (error: unknown) => (error as { code?: unknown }).code;
const write = (database: Database, ...writes: { key: number; rights: number }[]) =>
  database.transaction((session) => writeEntry(session, writes));

async function sequenceTo(database: Database, seq: number, countMax = 1000): Promise<void> {
  await until(`seq ${seq}`, async () => (await sequenceStep(database, countMax)).seq >= seq);
}

function expectTable({ share, position }: LoadedTable, seq: number, expected: readonly [number, number][]): void {
  const table = SuppressionTable.attach(share);
  expect([position.seq, table.seq]).toEqual([seq, seq]);
  const rights = expected.map(([key]) => [key, table.rightsOfMixed(testKey(key).high, testKey(key).low)]);
  expect(rights).toEqual(expected);
  expect(table.entryCount).toBe(expected.filter(([, mask]) => mask !== 0).length);
  expect(table.tombstoneCount).toBe(0);
}

for (const backend of BACKENDS) {
  backend.describe(`a table from ${backend.name}`, () => {
    let ledger: TestLedger;
    beforeAll(async () => {
      ledger = await createLedger(backend);
    });
    beforeEach(async () => {
      await ledger.database.query('drop schema optgate cascade');
      await migrate(ledger.database);
    });
    afterAll(() => ledger.close());

    test('is empty, then holds what is settled and nothing of what is not', async () => {
      const { database } = ledger;
      expectTable(await database.buildTable(never), 0, []);
      await write(database, { key: 1, rights: 1 }, { key: 2, rights: 2 }, { key: 3, rights: 3 });
      await write(database, { key: 1, rights: 5 }, { key: 3, rights: 0 });
      await sequenceTo(database, 2);
      await write(database, { key: 1, rights: 7 }, { key: 2, rights: 0 }, { key: 3, rights: 4 }, { key: 4, rights: 4 });
      await write(database, { key: 1, rights: 0 });
      expectTable(await database.buildTable(never), 2, [
        [1, 5],
        [2, 2],
        [3, 0],
        [4, 0],
      ]);
      await sequenceTo(database, 3, 1);
      expectTable(await database.buildTable(never), 3, [
        [1, 7],
        [2, 0],
        [3, 4],
        [4, 4],
      ]);
      await sequenceTo(database, 4);
      const table = await database.buildTable(never);
      expectTable(table, 4, [
        [1, 0],
        [3, 4],
        [4, 4],
      ]);
      expect(SuppressionTable.attach(table.share)).toMatchObject({
        kindMask: 8,
        givenKindMask: 8,
        stateDigest: digestOf(await committedState(database)),
      });
      expect(table.path).toBeNull();
      expect(table.lagMs).toBeGreaterThanOrEqual(0);
      expect(table.lagMs).toBeLessThan(20_000);
    });

    test('is not given out if it is not what the head says', async () => {
      const { database } = ledger;
      await write(database, { key: 1, rights: 1 }, { key: 2, rights: 2 });
      await sequenceTo(database, 1);
      await database.query('update optgate.suppression set rights = 3 where rights = 2'); // past every rule
      expect(codeOf(await database.buildTable(never).catch((error) => error))).toBe('ledger.damaged');
      await database.query('delete from optgate.suppression where rights = 3');
      expect(codeOf(await database.buildTable(never).catch((error) => error))).toBe('ledger.damaged');
    });

    test('is not begun, or given up, when the signal says so', async () => {
      const { database } = ledger;
      expect(codeOf(await database.buildTable(AbortSignal.abort()).catch((error) => error))).toBe('sync.closed');
      const abort = new AbortController();
      const building = database.buildTable(abort.signal).catch((error) => error);
      abort.abort();
      expect(codeOf(await building)).toBe('sync.closed');
      expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    });

    test('holds 100,000 keys, and other work is done meanwhile or after', async () => {
      const { database } = ledger;
      const count = 100_000;
      const keys = new BigInt64Array(count).map((_, index) => {
        const { high, low } = testKey(index);
        return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
      });
      const all = (value: number) => new Int16Array(count).fill(value);
      await database.transaction((session) =>
        database.copyIn(
          session,
          'optgate.suppression',
          ['key', 'version', 'last_entry', 'identity', 'rights', 'identity_rights', 'tag', 'derived'],
          [
            ...[int8Column(keys), int8Column(new BigInt64Array(count).fill(1n)), int8Column(new BigInt64Array(count))],
            ...[uuidColumn(Buffer.alloc(16 * count)), int2Column(all(3)), int2Column(all(3))],
            ...[int2Column(all(3)), boolColumn(all(0))],
          ],
        ),
      );
      const table = SuppressionTable.create({ capacity: count, seed: 0n, epoch: 'e' });
      for (let n = 0; n < count; n++) table.setMixed(testKey(n).high, testKey(n).low, 3, 8, 8);
      const [high, low] = [table.stateDigest.slice(0, 8), table.stateDigest.slice(8)].map((half) =>
        Number.parseInt(half, 16),
      );
      await database.query('update optgate.head set entry_count = $1, digest_high = $2, digest_low = $3', [
        count,
        high,
        low,
      ]);
      const [built] = await Promise.all([database.buildTable(never), database.query('select 1')]);
      expect(SuppressionTable.attach(built.share).entryCount).toBe(count);
    });
  });
}

BACKENDS[0]?.describe('a table over a network that hangs', () => {
  test('ends at the deadline of a statement', async () => {
    const [postgres] = BACKENDS;
    if (postgres === undefined) throw new Error('unreachable: there is PostgreSQL');
    const ledger = await createLedger(postgres);
    const { hostname, port } = new URL(ledger.location);
    const proxy = await TcpProxy.open({ host: hostname, port: Number(port) });
    const url = new URL(ledger.location);
    url.host = `127.0.0.1:${proxy.port}`;
    const database = await openDatabase(url.href, { statementMsMax: 300 });
    proxy.delayMs = 40; // so that it is at work when the network hangs
    const before = proxy.connectionCount;
    const building = database.buildTable(never).catch((error) => error);
    await until('it has connected', () => proxy.connectionCount > before + 1);
    proxy.hang();
    expect(codeOf(await building)).toBe('ledger.unavailable');
    proxy.cut();
    proxy.resume();
    proxy.delayMs = 0;
    expectTable(await database.buildTable(never), 0, []);
    await database.close();
    await proxy.close();
    await ledger.close();
  });
});
