/**
 * docs/warehouse.md: the joins that stand there are run, on what was published, and keep the rows that our own filters keep.
 * @module
 */
import { hash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SuppressionTable } from '../../../src/core/suppression/index.js';
import type { Identifier } from '../../../src/core/vocabulary.js';
import { filterRows, parseMapping } from '../../../src/exports/index.js';
import { filterParquet } from '../../../src/exports/parquet/filter.js';
import { PUBLISHED_KINDS, writeSetFolder } from '../../../src/exports/parquet/set-folder.js';
import { openDatabase } from '../../../src/ledger/database.js';
import { openLedger } from '../../../src/ledger/index.js';
import { readSnapshotFile } from '../../../src/snapshot-file.js';
import { type Duck, openDuck } from '../../duckdb.js';
import { BACKENDS, type TestLocation } from '../../ledger/both-databases.js';
import { POSTGRES_URL, withService } from '../../services.js';
import { termsOf } from '../people.js';

const ROW_COUNT = 3000;
const describePostgres = await withService('PostgreSQL', POSTGRES_URL);
const backend = BACKENDS.find(({ name }) => name === (describePostgres === describe ? 'postgres' : 'pglite'));

const DOCUMENT = readFileSync('docs/warehouse.md', 'utf8');
/** The statements in the document that begin with such a comment. */
function recipe(engine: string): string {
  const found = new RegExp(`\`\`\`sql\\n-- ${engine}\\n([\\s\\S]*?)\`\`\``).exec(DOCUMENT)?.[1];
  if (found === undefined) throw new Error(`no recipe for ${engine}`);
  return found;
}

/** People, by number; every third has opted out, in one way or another. */
const email = (n: number) => (n % 5 === 0 ? `first.last${n}+x@gmail.com` : `person.${n}@example.com`);
const phone = (n: number) => `415555${String(1000 + n)}`;
const maid = (n: number) => hash('md5', `m${n}`).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
const uid2 = (n: number) => hash('sha256', `u${n}`, 'base64');

function optedOut(n: number): Identifier {
  const ways: readonly Identifier[] = [
    { kind: 'email', value: email(n) },
    { kind: 'email_sha256', value: hash('sha256', email(n)) },
    { kind: 'email_md5', value: hash('md5', n % 5 === 0 ? `firstlast${n}@gmail.com` : email(n)) },
    { kind: 'phone', value: phone(n) },
    { kind: 'phone_sha256', value: hash('sha256', `+1${phone(n)}`) },
    { kind: 'maid', value: maid(n) },
    { kind: 'maid_sha256', value: hash('sha256', maid(n).toUpperCase()) },
    { kind: 'maid_md5', value: hash('md5', maid(n).replaceAll('-', '')) },
    { kind: 'eid:uidapi.com', value: uid2(n) },
  ];
  return ways[Math.floor(n / 3) % ways.length] ?? { kind: 'email', value: email(n) };
}

/** A row of the audience: each person as some system writes them, with gaps. */
function row(n: number): readonly string[] {
  const spelt = [email(n), email(n).toUpperCase(), ` ${email(n)} `, `${email(n)}.`][n % 4] ?? '';
  const dialled = ['$1$2$3', '($1) $2-$3', '+1 $1.$2.$3', '1-$1-$2-$3'][n % 4] ?? '';
  const device = [maid(n), maid(n).toUpperCase(), maid(n).replaceAll('-', '')][n % 3] ?? '';
  return [
    String(n),
    n % 7 === 0 ? '' : spelt,
    n % 4 === 1 ? '' : phone(n).replace(/(...)(...)(....)/, dialled),
    n % 6 === 1 ? '' : device,
    n % 5 === 1 ? '' : n % 2 === 0 ? ` ${uid2(n)}` : uid2(n),
    n % 3 === 1 ? hash('sha256', email(n)).toUpperCase() : '',
  ].map((cell) => `"${cell}"`);
}

const HEADER = 'id,email,phone,idfa,uid2,hashed_email';
const OPTIONS = {
  terms: termsOf(),
  mapping: parseMapping('email=email,phone=phone,maid=idfa,eid:uidapi.com=uid2,email_sha256=hashed_email'),
  onUnidentifiable: 'keep',
} as const;

let folder = '';
let place: TestLocation | undefined;
let duck: Duck;
let table: SuppressionTable;
let kept: readonly string[] = [];
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-warehouse-'));
  place = await backend?.create();
  if (place === undefined) throw new Error('unreachable: there is always an embedded ledger');
  duck = await openDuck();
  const ledger = await openLedger(place.location, { migrate: true });
  try {
    const people = Array.from({ length: ROW_COUNT / 3 }, (_, index) => optedOut(3 * index));
    const { requestId } = await ledger.importOptOuts(people);
    // before its entries have their places the log looks settled, at an older end
    await vi.waitUntil(async () => (await ledger.receipt(requestId)).token !== null, { timeout: 30_000 });
    await vi.waitUntil(async () => (await ledger.head()).settledSeq === (await ledger.head()).seq, { timeout: 30_000 });
    await ledger.snapshotTo(path('set.snap'));
    await writeSetFolder(path('optouts'), async (add) => (await ledger.eachCurrentDigest(add)).position, 0);
  } finally {
    await ledger.close();
  }
  table = await readSnapshotFile(path('set.snap'));
  const rows = Array.from({ length: ROW_COUNT }, (_, n) => row(n).join(','));
  writeFileSync(path('audience.csv'), `${[HEADER, ...rows].join('\n')}\n`);
  kept = await keptByUs();
});
afterAll(async () => {
  duck?.close();
  await place?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Ids of the rows that the CSV filter keeps. */
async function keptByUs(): Promise<readonly string[]> {
  const { output } = filterRows(createReadStream(path('audience.csv')), { ...OPTIONS, table, format: 'csv' });
  const parts: Uint8Array[] = [];
  for await (const part of output) parts.push(part);
  const lines = Buffer.concat(parts).toString().trim().split('\n').slice(1);
  return lines.map((line) => /^"(\d+)"/.exec(line)?.[1] ?? '');
}

test('some rows stay, others do not', () => {
  expect(kept.length).toBeGreaterThan(ROW_COUNT / 2);
  expect(kept.length).toBeLessThan(ROW_COUNT - ROW_COUNT / 9);
});

test('DuckDB keeps the same rows', async () => {
  await duck.query(recipe('DuckDB').replaceAll(/'(audience\.csv|kept\.csv|optouts)/g, `'${folder}/$1`));
  const rows = await duck.query(`select id from read_csv('${path('kept.csv')}', all_varchar = true)`);
  expect(rows.map(({ id }) => id)).toEqual(kept);
});

test('the Parquet filter keeps the same rows', async () => {
  await duck.query(`copy (from read_csv('${path('audience.csv')}', all_varchar = true))
    to '${path('audience.parquet')}' (format parquet, row_group_size 2048)`);
  const parts: Uint8Array[] = [];
  for await (const part of filterParquet(path('audience.parquet'), { ...OPTIONS, table }).output) parts.push(part);
  writeFileSync(path('kept.parquet'), Buffer.concat(parts));
  const rows = await duck.query(`select id from '${path('kept.parquet')}'`);
  expect(rows.map(({ id }) => id)).toEqual(kept);
});

describePostgres('PostgreSQL', () => {
  test('keeps the same rows', async () => {
    const database = await openDatabase(place?.location ?? '');
    const load = async (name: string, columns: string, sql: string) => {
      await database.query(`create table ${name} (${columns})`);
      const rows = JSON.stringify(await duck.query(sql));
      await database.query(`insert into ${name} select * from json_populate_recordset(null::${name}, $1::json)`, [
        rows,
      ]);
    };
    try {
      const set = `read_parquet('${path('optouts')}/kind=*/*.parquet', hive_partitioning = true)`;
      await load('optouts', 'kind text, digest text, rights int', `select kind, digest, rights from ${set}`);
      await load(
        'audience',
        'row_number int, id text, email text, phone text, idfa text, uid2 text, hashed_email text',
        `select row_number() over ()::int as row_number, * from read_csv('${path('audience.csv')}', all_varchar = true)`,
      );
      const rows = await database.query(recipe('PostgreSQL'));
      expect(rows.map(({ id }) => id)).toEqual(kept);
    } finally {
      await database.close();
    }
  });
});

test('the document says of every kind that is published what to join it with', () => {
  for (const kind of PUBLISHED_KINDS) expect(DOCUMENT).toContain(`\`${kind}\``);
});
