/**
 * `optgate publish --parquet`: what DuckDB reads is what is in force, each digest once, from either database.
 * @module
 */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandIdentifier } from '../../../src/core/index.js';
import { type Identifier, RIGHTS_ALL, type Right, rightsMask } from '../../../src/core/vocabulary.js';
import { PUBLISHED_KINDS, SET_FILE, writeSetFolder } from '../../../src/exports/parquet/set-folder.js';
import { TABLE_GROUP_ROWS } from '../../../src/exports/parquet/table-file.js';
import { openDatabase } from '../../../src/ledger/database.js';
import { openLedger } from '../../../src/ledger/index.js';
import { optgateProcess as optgate } from '../../cli/run.js';
import { type Duck, openDuck } from '../../duckdb.js';
import { BACKENDS, type TestLocation } from '../../ledger/both-databases.js';

const SINCE_MS = Date.UTC(2026, 3, 1);
const LATER_MS = Date.UTC(2026, 5, 1);
const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const ROW_COUNT = 3000;

let duck: Duck;
let folder = '';
beforeAll(async () => {
  duck = await openDuck();
  folder = mkdtempSync(join(tmpdir(), 'optgate-parquet-'));
});
afterAll(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The set as DuckDB reads it: `kind digest` → `rights since`. */
async function readSet(path: string): Promise<ReadonlyMap<string, string>> {
  const rows = await duck.query(
    `select kind, digest, rights, epoch_ms(since)::double as since
     from read_parquet('${path}/kind=*/*.parquet', hive_partitioning = true)`,
  );
  const set = new Map(rows.map(({ kind, digest, rights, since }) => [`${kind} ${digest}`, `${rights} ${since}`]));
  expect(set.size).toBe(rows.length);
  return set;
}

/** What stands for an identifier in the set, the slow and obvious way. */
function digestsOf({ kind, value }: Identifier): readonly string[] {
  const [base] = kind.split(':');
  if (base === 'eid' || base === 'account') {
    return [`${base} ${hash('sha256', `${kind}\0${value.trim()}`).slice(0, 32)}`];
  }
  return (expandIdentifier({ kind, value }).ok?.digests ?? []).map(({ kind, hex }) => `${kind} ${hex}`);
}

function expectedSet(people: readonly (readonly [Identifier, readonly Right[] | number, number])[]) {
  const rights = new Map<string, number>();
  const since = new Map<string, number>();
  for (const [identifier, given, ms] of people) {
    for (const digest of digestsOf(identifier)) {
      const mask = typeof given === 'number' ? given : rightsMask(given);
      rights.set(digest, (rights.get(digest) ?? 0) | mask);
      since.set(digest, Math.min(since.get(digest) ?? ms, ms));
    }
  }
  return new Map([...rights].map(([digest, mask]) => [digest, `${mask} ${since.get(digest)}`]));
}

const listed = (index: number): Identifier => ({
  kind: (['email_sha256', 'email', 'maid', 'eid:uidapi.com'] as const)[index % 4] ?? 'email',
  value:
    index % 4 === 0
      ? hash('sha256', `l${index}`)
      : index % 4 === 1
        ? `Person.${index}@Example.com`
        : hash('md5', `l${index}`),
});

for (const { name, describe, create } of BACKENDS)
  describe(`from ${name}`, () => {
    let place: TestLocation;
    const out = () => join(folder, 'set');
    const publish = () => optgate(['publish', '--parquet', out(), '--ledger', place.location]);
    beforeAll(async () => {
      place = await create();
    });
    afterAll(async () => {
      await place.remove();
      rmSync(out(), { recursive: true, force: true });
    });

    test('every dialect of what is in force, once, with its rights and its oldest request', async () => {
      const people: readonly (readonly [Identifier, readonly Right[], number])[] = [
        [{ kind: 'email', value: 'Jane.Doe+news@gmail.com' }, ['sale', 'share'], SINCE_MS],
        [{ kind: 'email_sha256', value: hash('sha256', 'jane.doe+news@gmail.com') }, ['deletion'], LATER_MS],
        [{ kind: 'phone', value: '+1 (415) 555-0100' }, ['sale'], SINCE_MS],
        [{ kind: 'maid', value: MAID.toUpperCase() }, ['sale'], LATER_MS],
        [{ kind: 'maid', value: MAID }, ['share'], SINCE_MS],
        [{ kind: 'ctv', value: '1a2b-3c4d-5e6f' }, ['targeted_ads'], SINCE_MS],
        [{ kind: 'eid:uidapi.com', value: ' abc/=+ ' }, ['sale'], SINCE_MS],
        [{ kind: 'account:shop', value: '4711' }, ['sale'], SINCE_MS],
        [{ kind: 'account:other', value: '4711' }, ['share'], SINCE_MS],
        [{ kind: 'ndz_sha256', value: hash('sha256', 'ndz') }, ['sale'], SINCE_MS],
      ];
      const returned: Identifier = { kind: 'email', value: 'back@example.com' };
      const ledger = await openLedger(place.location, { migrate: true });
      try {
        for (const [identifier, rights, receivedAtMs] of [...people, [returned, ['sale'], SINCE_MS] as const]) {
          await ledger.recordOptOut({ identifiers: [identifier], rights, receivedAtMs, channel: 'api' });
        }
        const { requestId, confirmation } = await ledger.recordOptIn({ identifiers: [returned], channel: 'api' });
        await ledger.confirmOptIn(requestId, confirmation ?? '');
        const rows = Array.from({ length: ROW_COUNT }, (_, index) => ({ ...listed(index % (ROW_COUNT / 2)) }));
        await ledger.importOptOuts(rows, { receivedAtMs: LATER_MS });
      } finally {
        await ledger.close();
      }
      const expected = expectedSet([
        ...people,
        ...Array.from({ length: ROW_COUNT / 2 }, (_, index) => [listed(index), RIGHTS_ALL, LATER_MS] as const),
      ]);
      const { status, stderr, json } = publish();
      expect([status, stderr]).toEqual([0, '']);
      expect(new Map([...(await readSet(out()))].sort())).toEqual(new Map([...expected].sort()));
      const [said] = json();
      expect(said.rowCount).toBe(expected.size);
      expect(JSON.parse(readFileSync(join(out(), SET_FILE), 'utf8'))).toEqual({ ...said, parquet: undefined });
      expect(readdirSync(out()).sort()).toEqual([SET_FILE, ...PUBLISHED_KINDS.map((kind) => `kind=${kind}`)].sort());
    });

    // what comes after reading is the same for both, and an embedded ledger takes seconds to open
    const onServer = test.skipIf(name === 'pglite');
    onServer('a second time it is replaced, and nothing is left beside it', async () => {
      const before = await readSet(out());
      const ledger = await openLedger(place.location);
      const one: Identifier = { kind: 'email_md5', value: hash('md5', 'one more') };
      await ledger.recordOptOut({ identifiers: [one], channel: 'api' });
      await ledger.close();
      expect(publish().status).toBe(0);
      expect((await readSet(out())).size).toBe(before.size + 1);
      expect(readdirSync(folder)).toEqual(['set']);
    });

    onServer('a set with holes is not written: what was there stays', async () => {
      const before = await readSet(out());
      const database = await openDatabase(place.location);
      await database.query("update optgate.request_identifier set digests = '\\x' where kind = 'email_md5'");
      await database.close();
      const { status, stderr } = publish();
      expect([status, stderr]).toEqual([3, expect.stringMatching(/ledger\.damaged: .*\n$/)]);
      expect(await readSet(out())).toEqual(before);
      expect(readdirSync(folder)).toEqual(['set']);
    });
  });

describe('the folder', () => {
  const row = (index: number) => ({
    kind: 'email_sha256' as const,
    digest: Buffer.from(hash('sha256', `${index}`), 'hex'),
    rights: index % 128,
    sinceMs: index % 3 === 0 ? null : SINCE_MS + index,
  });
  const position = { epoch: 'e', seq: 7 };

  test('holds rows of several row groups as they were given', async () => {
    const path = join(folder, 'groups');
    const rows = Array.from({ length: TABLE_GROUP_ROWS + 1003 }, (_, index) => row(index));
    await writeSetFolder(path, (add) => add(rows).then(() => position), 0);
    const expected = rows.map(({ digest, rights, sinceMs }) => `${digest.toString('hex')} ${rights} ${sinceMs}`);
    const read = await duck.query(
      `select digest || ' ' || rights || ' ' || coalesce(epoch_ms(since)::varchar, 'null') as row
       from read_parquet('${path}/kind=email_sha256/*.parquet')`,
    );
    expect(read.map(({ row }) => row)).toEqual(expected);
  });

  test('of nobody can be joined with', async () => {
    const path = join(folder, 'nobody');
    await writeSetFolder(path, async () => position, 0);
    expect((await readSet(path)).size).toBe(0);
  });

  test('appears whole or not at all', async () => {
    const path = join(folder, 'broken');
    const fill = async (add: (rows: readonly ReturnType<typeof row>[]) => Promise<void>) => {
      await add([row(1)]);
      throw new Error('broke off');
    };
    await expect(writeSetFolder(path, fill, 0)).rejects.toThrow('broke off');
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('broken'))).toEqual([]);
  });

  test.each(['a folder of something else', 'a file'])('does not take the place of %s', (what) => {
    const path = join(folder, what);
    if (what === 'a file') writeFileSync(path, 'mine');
    else {
      mkdirSync(path);
      writeFileSync(join(path, 'mine'), '');
    }
    return expect(writeSetFolder(path, async () => position, 0)).rejects.toThrow('expected a folder');
  });
});

test.each([
  ['--parquet', 'x', '--to', 'nats://127.0.0.1/x'],
  ['--parquet', ''],
  ['--parquet', 'x', '--sign-key', 'k'],
])('wrong usage: %s %s %s', (...args) => expect(optgate(['publish', ...args]).status).toBe(2));
