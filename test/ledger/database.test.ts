/**
 * The two databases: the same values, the same errors; and what each does when something breaks.
 * @module
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase, STATEMENT_GRACE_MS } from '../../src/ledger/database.js';
import { LOCK_FILE, LOCK_STALE_MS } from '../../src/ledger/folder-lock.js';
import {
  boolColumn,
  byteaColumn,
  int2Column,
  int4Column,
  int8Column,
  textColumn,
  uuidColumn,
} from '../../src/ledger/packed-column.js';
import { hidePackages } from '../absent-packages.js';
import { TcpProxy } from '../sync/tcp-proxy.js';
import { BACKENDS, type TestLocation } from './both-databases.js';
import { prepareEmbedded } from './embedded-folder.js';

const run = promisify(execFile);
const codeOf = (error: unknown) => (error as { code?: unknown }).code;
const stateOf = (error: unknown) => (error as { sqlState?: unknown }).sqlState;
const SECRET = 'jane@example.com';

for (const backend of BACKENDS) {
  backend.describe(`a database of ${backend.name}`, () => {
    let place: TestLocation;
    let database: Database;
    beforeAll(async () => {
      place = await backend.create('bare');
      database = await openDatabase(place.location);
      await database.query(
        'create table item (id int4 primary key, name text not null constraint name_length check (length(name) < 99))',
      );
    });
    afterAll(async () => {
      await database.close();
      await place.remove();
    });

    test('gives and takes the same values', async () => {
      const uuid = '0fe2b0a1-1111-4111-8111-00000000000f';
      const bytes = Uint8Array.of(0, 1, 254, 255);
      const [row] = await database.query(
        `select 5::int2 as a, $1::int4 as b, $2::int8 as c, $3::text as d, $4::bytea as e, $5::bool as f, $6::uuid as g,
           $7::timestamptz as h, $8::date as i, $9::jsonb as j, $10::int8 as k, 1.5::float8 as l, 2.50::numeric as m,
           '7'::xid8 as n, '{1,2}'::text[] as o, $11::int8 as p`,
        [-7, 2n ** 62n, 'é', bytes, true, uuid, new Date(0), '2026-02-03', { x: [1, 'y'] }, null, '12'],
      );
      expect({ ...row, e: [...((row?.e ?? []) as Uint8Array)] }).toEqual({
        ...{ a: 5, b: -7, c: '4611686018427387904', d: 'é', e: [0, 1, 254, 255], f: true, g: uuid, h: new Date(0) },
        ...{ i: '2026-02-03', j: { x: [1, 'y'] }, k: null, l: 1.5, m: '2.50', n: '7', o: ['1', '2'], p: '12' },
      });
    });

    test('inserts columns in bulk, all types, nulls where they can be', async () => {
      await database.query('create table bulk (a int8, b int4, c int2, d bool, e uuid, f bytea, g text)');
      const uuids = Buffer.alloc(3 * 16, 0xab);
      const insert = (onConflict?: string) =>
        database.transaction((session) =>
          database.copyIn(
            session,
            'bulk',
            ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
            [
              int8Column([1n, -(2n ** 63n), 2n ** 63n - 1n]),
              int4Column([1, -(2 ** 31), 2 ** 31 - 1]),
              int2Column(Int16Array.of(1, -(2 ** 15), 2 ** 15 - 1)),
              boolColumn([true, false, true]),
              uuidColumn(uuids),
              byteaColumn([Uint8Array.of(1, 2), null, new Uint8Array()]),
              textColumn(['é', null, '']),
            ],
            onConflict === undefined ? {} : { onConflict },
          ),
        );
      expect(await insert()).toBe(3);
      const rows = await database.query<{ f: Uint8Array | null }>('select * from bulk order by b');
      const uuid = 'abababab-abab-abab-abab-abababababab';
      expect(rows.map((row) => ({ ...row, f: row.f === null ? null : [...row.f] }))).toEqual([
        { a: '-9223372036854775808', b: -2147483648, c: -32768, d: false, e: uuid, f: null, g: null },
        { a: '1', b: 1, c: 1, d: true, e: uuid, f: [1, 2], g: 'é' },
        { a: '9223372036854775807', b: 2147483647, c: 32767, d: true, e: uuid, f: [], g: '' },
      ]);
      await database.query('create unique index on bulk (a)');
      expect(stateOf(await insert().catch((error) => error))).toBe('23505');
      expect(await insert('do nothing')).toBe(0);
    });

    test('an error says what kind it is, and never a value', async () => {
      await database.query('insert into item values (1, $1)', [SECRET]);
      const failures = await Promise.all(
        [
          database.query('insert into item values (1, $1)', [SECRET]),
          database.query('insert into item values (2, $1)', [SECRET.repeat(9)]),
          database.query('select $1::text::int4', [SECRET]),
          database.query('selec'),
        ].map((query) => query.then(() => null).catch((error: Error) => error)),
      );
      expect(failures.map(stateOf)).toEqual(['23505', '23514', '22P02', '42601']);
      expect(failures.map((error) => (error as { constraint?: unknown } | null)?.constraint)).toEqual([
        'item_pkey',
        'name_length',
        null,
        null,
      ]);
      for (const error of failures) {
        expect(error?.name).toBe('SqlError');
        expect(`${error?.message} ${error?.stack} ${error?.cause}`).not.toContain('jane');
      }
    });

    test('a transaction is whole or not at all', async () => {
      const insert = (id: number) => `insert into item values (${id}, 'x')`;
      const count = async () =>
        (await database.query<{ n: number }>('select count(*)::int4 as n from item where id >= 10'))[0]?.n;
      await database.transaction(async (session) => {
        await session.query(insert(10));
        await session.query(insert(11));
      });
      expect(await count()).toBe(2);
      const thrown = new Error('on purpose');
      const work = async (session: { query(sql: string): Promise<unknown> }) => {
        await session.query(insert(12));
        throw thrown;
      };
      expect(await database.transaction(work).catch((error) => error)).toBe(thrown);
      const swallowing = database.transaction(async (session) => {
        await session.query(insert(13));
        await session.query('select 1/0').catch(() => {}); // the transaction is lost, whatever the caller makes of it
      });
      expect(stateOf(await swallowing.catch((error) => error))).toBe('25P02');
      expect(await count()).toBe(2);
      const readOnly = database.transaction((session) => session.query(insert(14)), { isSnapshot: true });
      expect(stateOf(await readOnly.catch((error) => error))).toBe('25006');
    });

    test('a failure that another try can mend is tried again', async () => {
      let tries = 0;
      const answer = await database.transaction(async (session) => {
        tries++;
        if (tries < 4) await session.query(`do $$ begin raise exception using errcode = '40001'; end $$`);
        return 'done';
      });
      expect([answer, tries]).toEqual(['done', 4]);
      tries = 0;
      const hopeless = database.transaction(async (session) => {
        tries++;
        await session.query(`do $$ begin raise exception using errcode = '40P01'; end $$`);
      });
      expect(stateOf(await hopeless.catch((error) => error))).toBe('40P01');
      expect(tries).toBe(11);
    });

    test('a dedicated session listens, and says when it is over', async () => {
      const session = await database.dedicated();
      const heard: string[] = [];
      await session.listen('news', (payload) => heard.push(payload));
      await database.query(`select pg_notify('news', 'one'), pg_notify('other', 'two')`);
      await database.transaction((work) => work.query(`select pg_notify('news', 'three')`));
      for (let n = 0; n < 100 && heard.length < 2; n++) await sleep(10);
      expect(heard).toEqual(['one', 'three']);
      expect(await session.transaction((work) => work.query('select 1 as one'))).toEqual([{ one: 1 }]);
      await session.close();
      await session.lost;
    });
  });

  backend.describe(`a closed database of ${backend.name}`, () => {
    test('refuses everything, and closes twice', async () => {
      const place = await backend.create('bare');
      const database = await openDatabase(place.location);
      const session = await database.dedicated();
      await Promise.all([database.close(), database.close()]);
      await session.lost;
      const failures = [database.query('select 1'), database.transaction(async () => {}), session.query('select 1')];
      for (const failure of failures) expect(codeOf(await failure.catch((error) => error))).toBe('ledger.unavailable');
      await place.remove();
    });
  });
}

BACKENDS[0]?.describe('PostgreSQL that breaks off', () => {
  let place: TestLocation;
  let proxy: TcpProxy;
  let database: Database;
  beforeEach(async () => {
    place = (await BACKENDS[0]?.create()) as TestLocation;
    const url = new URL(place.location);
    proxy = await TcpProxy.open({ host: url.hostname, port: Number(url.port) });
    url.host = `127.0.0.1:${proxy.port}`;
    url.username = 'postgres';
    database = await openDatabase(url.href, { statementMsMax: 300 });
  });
  afterEach(async () => {
    await database.close();
    await proxy.close();
    await place.remove();
  });

  const works = async () => expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);

  test('a statement that is cut off fails; the next one has another connection', async () => {
    const cut = database.query('select pg_sleep(0.2)').catch((error) => error);
    await sleep(50);
    proxy.cut();
    expect(codeOf(await cut)).toBe('ledger.unavailable');
    await works();
    const killed = database
      .transaction((session) => session.query('select pg_terminate_backend(pg_backend_pid())'))
      .catch((error) => error);
    expect(codeOf(await killed)).toBe('ledger.unavailable');
    await works();
  });

  test('a server that says nothing costs a deadline and the connection', async () => {
    const session = await database.dedicated();
    proxy.hang();
    const startedMs = performance.now();
    const codes = await Promise.all([
      database.query('select 1').catch(codeOf),
      session.query('select 1').catch(codeOf),
      database.transaction((work) => work.query('select 1')).catch(codeOf),
    ]);
    expect(codes).toEqual(['ledger.unavailable', 'ledger.unavailable', 'ledger.unavailable']);
    expect(performance.now() - startedMs).toBeLessThan(2 * (300 + STATEMENT_GRACE_MS) + 10_000);
    await session.lost;
    proxy.cut();
    proxy.resume();
    await works();
  });

  test('a statement that takes too long is ended by the server', async () => {
    expect(codeOf(await database.query('select pg_sleep(5)').catch((error) => error))).toBe('ledger.unavailable');
    await works();
  });

  test('sessions say who they are and what they may', async () => {
    const settings = [
      'application_name',
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'tcp_keepalives_idle',
      'jit',
    ];
    const values = await Promise.all(
      settings.map(
        async (name) =>
          (await database.query<{ value: string }>(`select current_setting('${name}') as value`))[0]?.value,
      ),
    );
    expect(values).toEqual(['optgate', '300ms', '10s', '5', 'off']);
  });

  test('bytes that are spoiled on the way cost the connection, and never the process', async () => {
    // the answer to a statement with one row: where each message begins, its counts and its lengths
    const places = [0, 4, 5, 10, 14, 15, 16, 17, 39, 43, 44, 45, 46, 49, 50, 51, 55, 56, 65, 69, 70];
    const ask = async (at: number) => {
      const url = new URL(place.location);
      const wire = await TcpProxy.open({ host: url.hostname, port: Number(url.port) });
      url.host = `127.0.0.1:${wire.port}`;
      const spoiled = await openDatabase(url.href, { statementMsMax: 300, connectionsMax: 1 });
      wire.flip(at, 'down', 0x80);
      const outcome = await spoiled.query('select 1 as one').then(() => 'an answer', codeOf);
      const after = await spoiled.query('select 1 as one').catch(codeOf);
      await spoiled.close();
      await wire.close();
      expect(['an answer', 'ledger.unavailable'], `byte ${at}`).toContain(outcome);
      return after;
    };
    const after = await Promise.all(places.map(ask));
    expect(after.filter((rows) => Array.isArray(rows)).length).toBeGreaterThan(places.length / 2);
    await works();
  });

  test('a URL that cannot be read is wrong, whatever one waits for, and is not shown', async () => {
    for (const wrong of ['postgres://someone:hunter2%E4@127.0.0.1/x', 'postgres://someone:hunter2#@127.0.0.1/x']) {
      const error = await openDatabase(wrong).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect(`${error.message} ${error.cause}`).toMatch(/percent-encoded/);
      expect(`${error.stack} ${error.cause}`).not.toMatch(/someone|hunter2/);
    }
  });

  test('nobody there, and a wrong password, say so without the URL', async () => {
    proxy.isRefusing = true;
    const error = await openDatabase(`postgres://someone:hunter2@127.0.0.1:${proxy.port}/x`).catch((thrown) => thrown);
    expect(codeOf(error)).toBe('ledger.unavailable');
    expect(`${error.message} ${error.cause?.message}`).not.toMatch(/someone|hunter2/);
  });
});

describe('a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'optgate-folder-'));
    await prepareEmbedded(folder, 'bare');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('belongs to one process; what a killed one committed is there', async () => {
    const script = fileURLToPath(new URL('./pglite-process.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: number[] = [];
    const reader = createInterface({ input: child.stdout });
    reader.on('line', (line) => lines.push(Number(line)));
    while (lines.length < 50) await sleep(20);
    const refused = await openDatabase(folder).catch((error) => error);
    expect(codeOf(refused)).toBe('ledger.locked');
    expect(refused.message).toContain(`process ${child.pid}`);
    const closed = once(reader, 'close');
    child.kill('SIGKILL');
    await closed;
    const database = await openDatabase(folder);
    const [made] = await database.query<{ count: number; last: number }>(
      'select count(*)::int4 as count, max(n) as last from made',
    );
    const said = lines.filter((n) => Number.isInteger(n));
    expect(made?.last).toBeGreaterThanOrEqual(said.at(-1) ?? 0);
    expect(made?.count).toBe((made?.last ?? -1) + 1);
    const settings = await database.query(
      `select current_setting('fsync') as a, current_setting('wal_sync_method') as b`,
    );
    expect(settings).toEqual([{ a: 'on', b: 'fsync' }]); // the only method that PGlite passes on (pglite-files.ts)
    await database.close();
  });

  test('is given back when it is closed, and not opened twice by one process', async () => {
    const database = await openDatabase(folder);
    expect(codeOf(await openDatabase(folder).catch((error) => error))).toBe('ledger.locked');
    await database.close();
    expect(await readFile(join(folder, LOCK_FILE), 'utf8').catch(codeOf)).toBe('ENOENT');
  });

  test('whose process has ended, here or elsewhere, is taken over; of one that lives it is not', async () => {
    const lock = join(folder, LOCK_FILE);
    const put = async (holder: object, ageMs: number) => {
      await writeFile(lock, JSON.stringify(holder));
      const touched = new Date(Date.now() - ageMs);
      await utimes(lock, touched, touched);
    };
    const open = async () => {
      const database = await openDatabase(folder).catch(codeOf);
      if (typeof database === 'object' && database !== null) await (database as Database).close();
      return typeof database === 'object' ? 'opened' : database;
    };
    await put({ host: hostname(), pid: process.pid, startedAt: 'another boot/1', nonce: 'a' }, 0);
    expect(await open()).toBe('opened'); // the pid is ours now
    await put({ host: 'elsewhere', pid: 1, startedAt: null, nonce: 'a' }, 0);
    expect(await open()).toBe('ledger.locked');
    await put({ host: 'elsewhere', pid: 1, startedAt: null, nonce: 'a' }, LOCK_STALE_MS + 1_000);
    expect(await open()).toBe('opened');
  });

  test('without its driver says what to install', async () => {
    const built = fileURLToPath(new URL('../../dist/', import.meta.url));
    await cp(built, join(folder, 'dist'), { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await hidePackages(folder, ['pg', '@electric-sql/pglite']);
    const code = `const { openDatabase } = await import(${JSON.stringify(pathToFileURL(join(folder, 'dist/ledger/database.js')).href)});
      for (const at of ['postgres://127.0.0.1:1/x', ${JSON.stringify(join(folder, 'data'))}])
        await openDatabase(at).catch((error) => console.log(error.message));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: folder });
    expect(stdout.trim().split('\n')).toEqual([
      'ledger.driver: the package for this ledger is not installed (npm install pg)',
      'ledger.driver: the package for this ledger is not installed (npm install @electric-sql/pglite)',
    ]);
  });
});
