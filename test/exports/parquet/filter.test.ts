/**
 * Parquet files as DuckDB writes and reads them: what leaves is what a naive filter over the same rows as JSON lets leave.
 * @module
 */
import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GateError } from '../../../src/core/errors.js';
import { enterIdentifier } from '../../../src/core/opt-out.js';
import { TableHolder, workerUrl } from '../../../src/core/suppression/index.js';
import { RIGHTS_ALL, rightsMask } from '../../../src/core/vocabulary.js';
import { fingerprintsOf, parseMapping, RowError } from '../../../src/exports/index.js';
import { kernelModule } from '../../../src/exports/kernel/row-kernel.js';
import { filterParquet, type ParquetFilterOptions } from '../../../src/exports/parquet/filter.js';
import { placeOf, readFooter } from '../../../src/exports/parquet/footer.js';
import { ROW_GROUP } from '../../../src/exports/parquet/format.js';
import { GroupFilter } from '../../../src/exports/parquet/group-filter.js';
import { mappedColumns } from '../../../src/exports/parquet/mapped-columns.js';
import { pageModule } from '../../../src/exports/parquet/page-kernel.js';
import { ParquetError } from '../../../src/exports/parquet/parquet-error.js';
import { readerOf } from '../../../src/exports/parquet/read-at.js';
import type { GroupAnswer } from '../../../src/exports/parquet/thread-messages.js';
import { READY } from '../../../src/exports/thread-pool.js';
import { type Duck, openDuck } from '../../duckdb.js';
import { type NaiveResult, naiveNdjson } from '../../reference/naive-filter.js';
import { naiveOptions, optedOutTable, termsOf, VALUES } from '../people.js';
import { threadsReady } from '../ready-threads.js';
import { type MadeColumn, makeFile } from './made-file.js';

const MAPPING =
  'email=email,maid=device.maid,phone=phone,account:shop=account,eid:uidapi.com=ids[].value,email_sha256=hashes[]';
/** More than one row group of the smaller ones. */
const ROW_COUNT = 2500;
const table = optedOutTable();
const hasZstd = 'zstdCompressSync' in zlib;

let duck: Duck;
let folder = '';
let seed = 7;
/** Deterministic, below `limit`. */
function random(limit: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return (seed >>> 8) % limit;
}
const pick = () =>
  random(4) === 0 ? (VALUES[random(VALUES.length)] ?? '') : `${random(900)}-${random(900)}@clear.example`;
const orNull = <T>(value: T): T | null => (random(6) === 0 ? null : value);

function row(id: number) {
  return {
    id,
    email: orNull(pick()),
    device: orNull({ os: ['ios', 'android'][random(2)], maid: orNull(VALUES[random(VALUES.length)]) }),
    phone: random(8) === 0 ? pick() : null,
    account: random(9) === 0 ? 1234567890 : random(3) === 0 ? random(10) : null,
    ids: orNull(Array.from({ length: random(4) }, () => orNull({ source: 'uidapi.com', value: orNull(pick()) }))),
    hashes: Array.from({ length: random(3) }, () => hash('sha256', pick().trim())),
    price: random(1000) / 4,
    seen: random(2) === 0,
    state: ['US-CA', 'US-NY', 'US-TX'][random(3)],
    note: orNull(`${random(50)} "quoted", ünïcode and so on `.repeat(random(4))),
    at: 1_700_000_000_000 + 1000 * id,
  };
}

beforeAll(async () => {
  duck = await openDuck();
  folder = mkdtempSync(join(tmpdir(), 'optgate-parquet-'));
  writeFileSync(path('rows.ndjson'), Array.from({ length: ROW_COUNT }, (_, id) => JSON.stringify(row(id))).join('\n'));
  await duck.query(`create table rows as select * exclude (ids, account), account::bigint as account,
    ids::struct(source varchar, value varchar)[] as ids from read_json('${path('rows.ndjson')}', sample_size = -1)`);
});
afterAll(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, name);

async function rowsOf(file: string): Promise<readonly string[]> {
  const rows = await duck.query(`select to_json(t)::varchar as row from read_parquet('${file}') as t`);
  return rows.map(({ row }) => String(row));
}

async function filter(file: string, options: Partial<ParquetFilterOptions> = {}, out = path('out.parquet')) {
  const terms = termsOf();
  const { output, done } = filterParquet(file, { table, terms, mapping: parseMapping(MAPPING), ...options });
  const parts: Uint8Array[] = [];
  for await (const part of output) parts.push(part);
  writeFileSync(out, Buffer.concat(parts));
  return { counts: await done, out };
}

type Naive = Omit<NaiveResult, 'output'> & { readonly left: readonly unknown[] };
const naiveResults = new Map<string, Naive>();

/** What a naive filter makes of the rows; they are the same in every file. */
async function naively(file: string, mode: 'drop' | 'blank', onUnidentifiable: 'keep' | 'drop', mask: number) {
  const key = `${mode} ${onUnidentifiable} ${mask}`;
  const known = naiveResults.get(key);
  if (known !== undefined) return known;
  const input = Buffer.from((await rowsOf(file)).map((row) => `${row}\n`).join(''));
  const options = naiveOptions(parseMapping(MAPPING), { mode, onUnidentifiable, rightsMask: mask });
  const { output, ...counts } = naiveNdjson(input, options);
  const lines = output.toString().split('\n').filter(Boolean);
  const naive: Naive = { ...counts, left: lines.map((line) => JSON.parse(line)) };
  naiveResults.set(key, naive);
  return naive;
}

/** What filtering a file ends with; `null`: it went well. */
async function failureOf(file: string, options: Partial<ParquetFilterOptions> = {}): Promise<unknown> {
  return filter(file, options).then(
    () => null,
    (error) => error,
  );
}

const FILES = [
  ['snappy', 'V1', ''],
  ['snappy', 'V2', ''],
  ['uncompressed', 'V1', ', dictionary_size_limit 1'],
  ['gzip', 'V2', ', dictionary_size_limit 1'],
  ['brotli', 'V1', ', row_group_size 2048'],
  ['uncompressed', 'V2', ', row_group_size 2048, write_bloom_filter true'],
  ...(hasZstd ? [['zstd', 'V2', ''] as const] : []),
] as const;

describe.each(FILES)('%s, %s%s', (codec, version, more) => {
  const file = () => path(`${codec}-${version}.parquet`);
  beforeAll(() =>
    duck.query(`copy rows to '${file()}' (format parquet, compression ${codec}, parquet_version ${version}${more})`),
  );

  test.each([
    ['drop', 'drop', RIGHTS_ALL],
    ['drop', 'keep', rightsMask(['sale'])],
    ['blank', 'drop', RIGHTS_ALL],
    ['blank', 'keep', rightsMask(['sensitive'])],
  ] as const)('%s, %s what cannot be identified, rights %i', async (mode, onUnidentifiable, mask) => {
    const { left: expected, ...naive } = await naively(file(), mode, onUnidentifiable, mask);
    expect(Object.values(naive.byKind).every((count) => count > 0 || mask !== RIGHTS_ALL)).toBe(true);
    const { counts, out } = await filter(file(), { mode, onUnidentifiable, terms: termsOf(mask) });
    expect(counts).toMatchObject({ ...naive, byKind: naive.byKind });
    expect((await rowsOf(out)).map((row) => JSON.parse(row))).toEqual(expected);
    expect([counts.bytesIn, counts.bytesOut]).toEqual([readFileSync(file()).length, readFileSync(out).length]);
  });

  test('schema, codec and version stay, and a second pass changes nothing', async () => {
    const about = async (file: string) => [
      await duck.query(`select name, type, converted_type, logical_type from parquet_schema('${file}')`),
      await duck.query(`select distinct path_in_schema, compression from parquet_metadata('${file}') order by all`),
      await duck.query(`select key, value from parquet_kv_metadata('${file}')`),
    ];
    const { out } = await filter(file());
    expect(await about(out)).toEqual(await about(file()));
    const again = await filter(out, {}, path('again.parquet'));
    expect(again.counts.droppedSuppressed + again.counts.droppedUnidentifiable).toBe(0);
    expect(await rowsOf(again.out)).toEqual(await rowsOf(out));
  });
});

describe('nothing of a dropped row is in the output', () => {
  const SECRET = 'jane.doe+news@gmail.com';
  test.each(['', ', dictionary_size_limit 1'])(
    'neither in values, dictionaries, statistics nor filters%s',
    async (more) => {
      await duck.query(`copy (select case when i % 3 = 0 then '${SECRET}' else 'clear' || i % 5 || '@x.test' end as email,
      case when i % 3 = 0 then 'aaa-secret' else 'other' end as note from range(3000) t(i))
      to '${path('secret.parquet')}' (format parquet, compression uncompressed${more})`);
      expect(readFileSync(path('secret.parquet')).includes('aaa-secret')).toBe(true);
      const { out } = await filter(path('secret.parquet'), { mapping: parseMapping('email=email') });
      expect(readFileSync(out).includes('secret') || readFileSync(out).includes(SECRET)).toBe(false);
      const blanked = await filter(path('secret.parquet'), { mapping: parseMapping('email=email'), mode: 'blank' });
      expect(blanked.counts.rowsBlanked).toBe(1000);
      expect(readFileSync(out).includes(SECRET)).toBe(false);
      expect(readFileSync(out).includes('aaa-secret')).toBe(true);
    },
  );
});

describe('row groups', () => {
  const select = (email: string) => `select ${email} as email, i from range(5000) t(i)`;
  const copy = (sql: string, name: string) =>
    duck.query(`copy (${sql}) to '${path(name)}' (format parquet, row_group_size 2048)`);
  const mapping = parseMapping('email=email');

  test('of which every row stays are copied, statistics and all', async () => {
    await copy(select(`'a' || i || '@clear.example'`), 'whole.parquet');
    const { out } = await filter(path('whole.parquet'), { mapping });
    const statistics = (file: string) =>
      duck.query(
        `select row_group_num_rows, stats_min, stats_max, total_compressed_size from parquet_metadata('${file}')`,
      );
    const whole = (await statistics(path('whole.parquet'))).map((column, index) =>
      index % 2 === 0 ? { ...column, stats_min: null, stats_max: null } : column,
    );
    expect(whole.some(({ stats_min }) => stats_min !== null)).toBe(true);
    expect(await statistics(out)).toEqual(whole); // but those of identifiers
    expect(await rowsOf(out)).toEqual(await rowsOf(path('whole.parquet')));
  });

  describe('that came with more than their rows', () => {
    const SECRET = 'gone@clear.example';
    const mails = ['a@clear.example', 'b@clear.example', 'out@example.com'];
    const make = async (mail: Partial<MadeColumn>, note: Partial<MadeColumn> = {}) => {
      await duck.query(`copy (select 'x' as email, 'y' as note) to '${path('plain.parquet')}'
        (format parquet, compression uncompressed)`);
      const indexes = [0, 1, 1, 0];
      const columns = [
        { dictionary: mails.slice(0, 2), indexes, ...mail },
        { dictionary: ['one', 'two'], indexes, ...note },
      ];
      await makeFile(path('made.parquet'), path('plain.parquet'), columns);
      expect(await rowsOf(path('made.parquet'))).toHaveLength(4);
    };

    test.each([
      ['a dictionary that was not made smaller', { dictionary: ['a@clear.example', 'b@clear.example', SECRET] }, {}],
      [
        'that, and another one beside it',
        { dictionary: ['a@clear.example', 'b@clear.example', 'who@clear.example'] },
        { dictionary: ['one', 'two', SECRET] },
      ],
      ['statistics in the header of a page and the footer', { greatest: SECRET }, {}],
    ])('leave without it: %s', async (_, mail, note) => {
      await make(mail, note);
      expect(readFileSync(path('made.parquet')).includes(SECRET)).toBe(true);
      const { out, counts } = await filter(path('made.parquet'), { mapping });
      expect(counts.rowsKept).toBe(4);
      expect(await rowsOf(out)).toEqual(await rowsOf(path('made.parquet')));
      expect(readFileSync(out).includes(SECRET)).toBe(false);
    });

    test('are sorted as before, unless values of theirs were blanked', async () => {
      await make({ dictionary: mails, indexes: [0, 1, 2, 2] });
      const isSorted = async (mode: 'drop' | 'blank') => {
        const bytes = readFileSync((await filter(path('made.parquet'), { mapping, mode })).out);
        const { groups } = await readFooter(async (at, count) => bytes.subarray(at, at + count), bytes.length);
        return groups.map(({ struct }) => struct.has(ROW_GROUP.sorting));
      };
      expect([await isSorted('drop'), await isSorted('blank')]).toEqual([[true], [false]]);
    });

    test.each([-1, 2, -(2 ** 31), 2 ** 31 - 1])('index %i of a dictionary of two is damage', async (index) => {
      await makeFile(path('made.parquet'), path('plain.parquet'), [
        { dictionary: mails.slice(0, 2), indexes: [0, index] },
        { dictionary: ['one', 'two'], indexes: [0, 1] },
      ]);
      expect(await failureOf(path('made.parquet'), { mapping })).toMatchObject({ code: 'parquet.damaged' });
      await makeFile(path('made.parquet'), path('plain.parquet'), [
        { dictionary: mails, indexes: [0, 2] },
        { dictionary: ['one', 'two'], indexes: [index, 1] },
      ]);
      expect(await failureOf(path('made.parquet'), { mapping })).toMatchObject({ code: 'parquet.damaged' });
    });
  });

  test('of which none does are left out, and a file without rows can be read', async () => {
    await copy(select(`case when i < 2048 then 'out@example.com' else 'a@clear.example' end`), 'first.parquet');
    const first = await filter(path('first.parquet'), { mapping });
    expect((await rowsOf(first.out)).length).toBe(5000 - 2048);
    await copy(select(`'out@example.com'`), 'none.parquet');
    const none = await filter(path('none.parquet'), { mapping });
    expect(await rowsOf(none.out)).toEqual([]);
    expect(none.counts.droppedSuppressed).toBe(5000);
    expect((await filter(none.out, { mapping }, path('again.parquet'))).counts.rowsIn).toBe(0);
  });

  test('are judged by the table as it is when they are read', async () => {
    await copy(select(`'a@clear.example'`), 'live.parquet');
    const holder = new TableHolder({ table });
    const { output, done } = filterParquet(path('live.parquet'), { table: holder, terms: termsOf(), mapping });
    for await (const _ of output) holder.replace(nobodyButA());
    expect((await done).droppedSuppressed).toBe(5000);
  });
});

function nobodyButA() {
  const one = optedOutTable();
  enterIdentifier(new TableHolder({ table: one }), { kind: 'email', value: 'a@clear.example' }, RIGHTS_ALL);
  return one;
}

test('digests as bytes, device ids as UUIDs, numbers as integers', async () => {
  const digest = hash('sha256', 'digest@example.org');
  await duck.query(`copy (select * from (values
      (1, from_hex('${digest}'), null, null), (2, from_hex('${hash('sha256', 'x')}'), null, null),
      (3, null, '6d92078a-8246-4ba4-ae5b-76104861e7dc'::uuid, null), (4, null, '7a0b1c2d-8246-4ba4-ae5b-76104861e7dc'::uuid, null),
      (5, null, null, 4155552671), (6, null, null, 4155552672)) as t(id, digest, device, phone))
    to '${path('typed.parquet')}' (format parquet)`);
  const { out, counts } = await filter(path('typed.parquet'), {
    mapping: parseMapping('email_sha256=digest,maid=device,phone=phone'),
  });
  expect((await duck.query(`select id from '${out}'`)).map(({ id }) => id)).toEqual([2, 4, 6]);
  expect(counts.byKind).toEqual({ email_sha256: 1, maid: 1, phone: 1 });
});

describe('threads', () => {
  beforeAll(async () => {
    await duck.query(`copy rows to '${path('groups.parquet')}' (format parquet, row_group_size 2048)`);
    const many = 'select rows.* from rows, range(12)';
    await duck.query(`copy (${many}) to '${path('many.parquet')}' (format parquet, row_group_size 2048)`);
  });

  test.each([2, 3])('%i give the very bytes that one gives, while each has several groups to do', async (threads) => {
    const alone = await filter(path('many.parquet'), {});
    const ready = threadsReady(threads - 1);
    const options = { table, terms: termsOf(), mapping: parseMapping(MAPPING), threads, threadsBytesMin: 0 };
    const { output, done } = filterParquet(path('many.parquet'), options);
    const pieces: Uint8Array[] = [];
    for await (const piece of output) {
      pieces.push(piece);
      await ready;
    }
    expect(Buffer.concat(pieces).equals(readFileSync(alone.out))).toBe(true);
    expect(await done).toEqual(alone.counts);
  });

  test.each([2, 3])('%i give the very bytes that one gives', async (threads) => {
    const one: bigint[] = [];
    const many: bigint[] = [];
    const alone = await filter(path('groups.parquet'), { onFingerprints: (some) => one.push(...some) });
    const spread = await filter(
      path('groups.parquet'),
      { threads, threadsBytesMin: 0, mode: 'drop', onFingerprints: (some) => many.push(...some) },
      path('spread.parquet'),
    );
    expect(readFileSync(spread.out).equals(readFileSync(alone.out))).toBe(true);
    expect([spread.counts, many]).toEqual([alone.counts, one]);
    expect(one.length).toBeGreaterThan(0);
  });

  test.each([1, 2, 3])('%i use memory again that was lent, once all of it was taken', async (threads) => {
    const alone = await filter(path('many.parquet'), {});
    const options = { table, terms: termsOf(), mapping: parseMapping(MAPPING), threads, threadsBytesMin: 0 };
    const { output, done } = filterParquet(path('many.parquet'), { ...options, isOutputLent: true });
    const pieces: Uint8Array[] = [];
    const memories = new Set<ArrayBufferLike>();
    for await (const piece of output) {
      await nextTurn(); // whoever used it too early has done so by now
      pieces.push(Uint8Array.from(piece));
      memories.add(piece.buffer);
    }
    expect(Buffer.concat(pieces).equals(readFileSync(alone.out))).toBe(true);
    expect(await done).toEqual(alone.counts);
    if (threads === 1) expect(memories.size).toBeLessThan(6); // of fifteen groups
  });

  test('one that has several groups at once filters one after another', async () => {
    const file = await open(path('many.parquet'));
    const { size: fileBytes } = await file.stat();
    const readAt = readerOf(file.fd);
    const footer = await readFooter(readAt, fileBytes);
    const mapping = parseMapping(MAPPING);
    const terms = {
      mapping,
      rightsMask: RIGHTS_ALL,
      mode: 'drop',
      onUnidentifiable: 'drop',
      wantsFingerprints: false,
    } as const;
    const mapped = mappedColumns(footer, terms);
    const groupFilter = new GroupFilter(readAt, mapped, terms);
    const module = workerUrl(
      './group-thread.js',
      new URL('../../../src/exports/parquet/filter.ts', import.meta.url).href,
    );
    const worker = new Worker(module, {
      workerData: { descriptor: file.fd, mapped, terms, kernelModule: kernelModule(), pageModule: pageModule() },
    });
    const answers: GroupAnswer[] = [];
    const groups = footer.groups.slice(0, 8).map(placeOf);
    const answered = new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (answer) => {
        if (answer === READY) {
          for (const group of groups)
            worker.postMessage({ group, rowsBefore: 0, tableNumber: 1, table: table.share() });
        } else if (answers.push(answer) === groups.length) resolve();
      });
    });
    await answered;
    for (const [index, group] of groups.entries()) {
      const expected = await groupFilter.run(group, 0, table);
      expect(answers[index]).toEqual({ kind: 'result', result: expected });
    }
    await worker.terminate();
    await file.close();
  });

  test('errors come back as they are', async () => {
    const mapping = parseMapping('email=email');
    const error = await failureOf(path('groups.parquet'), {
      mapping,
      onUnidentifiable: 'fail',
      threads: 2,
      threadsBytesMin: 0,
    });
    expect(error).toBeInstanceOf(RowError);
    const damagedFile = readFileSync(path('groups.parquet'));
    damagedFile.fill(0xff, 4, 400);
    writeFileSync(path('damaged.parquet'), damagedFile);
    expect(await failureOf(path('damaged.parquet'), { threads: 2, threadsBytesMin: 0 })).toBeInstanceOf(ParquetError);
  });

  test('output that is not read to its end lets go of everything', async () => {
    const options = { table, terms: termsOf(), mapping: parseMapping(MAPPING), threads: 2, threadsBytesMin: 0 };
    const { output, done } = filterParquet(path('groups.parquet'), options);
    for await (const _ of output) break;
    await expect(done).rejects.toMatchObject({ code: 'output.abandoned' });
  });
});

test('fingerprints are those of the rows that leave as they came', async () => {
  await duck.query(`copy (select * from (values ('out@example.com'), ('a@clear.example'), ('b@clear.example')) t(email))
    to '${path('few.parquet')}' (format parquet)`);
  const told: bigint[] = [];
  const onFingerprints = (some: BigUint64Array) => told.push(...some);
  await filter(path('few.parquet'), { mapping: parseMapping('email=email'), onFingerprints });
  const possible = new Set(
    ['a', 'b'].flatMap((name) => [...fingerprintsOf({ kind: 'email', value: `${name}@clear.example` }, table.seed)]),
  );
  expect(told.length).toBeGreaterThanOrEqual(2);
  expect(told.every((one) => possible.has(one))).toBe(true);
});

describe('what cannot be filtered', () => {
  const file = () => path('few.parquet');
  const codeOf = (error: unknown) => (error as { code?: string } | null)?.code;

  test.each([
    ['a column that is not there', { mapping: parseMapping('email=mail') }, 'column.missing'],
    [
      'a table that is not there',
      { mapping: parseMapping('email=email'), table: new TableHolder() },
      'table.not_loaded',
    ],
  ] as const)('%s', async (_, options, code) => expect(codeOf(await failureOf(file(), options))).toBe(code));

  test('a row without identifiers, where that is to fail, with its number', async () => {
    await duck.query(`copy (select case when i = 3001 then null else 'a@clear.example' end as email from range(5000) t(i))
      to '${path('null.parquet')}' (format parquet, row_group_size 2048)`);
    const error = await failureOf(path('null.parquet'), {
      mapping: parseMapping('email=email'),
      onUnidentifiable: 'fail',
    });
    expect(String(error)).toMatch(/row\.unidentifiable: .*\(row 3002\)$/);
  });

  test('identifiers of a type that holds none', async () => {
    await duck.query(`copy (select 1.5::double as email) to '${path('double.parquet')}' (format parquet)`);
    const error = await failureOf(path('double.parquet'), { mapping: parseMapping('email=email') });
    expect(codeOf(error)).toBe('parquet.unsupported');
  });

  test.skipIf(hasZstd)('zstd, where Node has none', async () => {
    await duck.query(`copy (select 'a@x.test' as email) to '${path('z.parquet')}' (format parquet, compression zstd)`);
    const error = await failureOf(path('z.parquet'), { mapping: parseMapping('email=email') });
    expect(String(error)).toMatch(/parquet\.unsupported: .*zstd, which needs Node 22\.15/);
  });

  test.each(['', 'PAR1', 'email\njane@example.com\n', 'PAR1\0\0\0\0PARE'])(
    'what is no Parquet file: %j',
    async (text) => {
      writeFileSync(path('not.parquet'), text);
      expect(await failureOf(path('not.parquet'))).toBeInstanceOf(ParquetError);
    },
  );

  test('a file that is not there', async () => {
    expect(codeOf(await failureOf(path('nowhere')))).toBe('ENOENT');
    expect(existsSync(path('nowhere'))).toBe(false);
  });

  test('damage anywhere is an error of ours or leaves a file, and never anything else', async () => {
    await duck.query(`copy (from rows limit 400) to '${path('small.parquet')}' (format parquet, parquet_version V2)`);
    const whole = readFileSync(path('small.parquet'));
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(whole);
      const at = round % 2 === 0 ? random(bytes.length) : bytes.length - 1 - random(3000);
      bytes[at] = random(256);
      if (round % 5 === 0) bytes.copyWithin(at, 0, 50);
      writeFileSync(path('damaged.parquet'), round % 7 === 0 ? bytes.subarray(0, at) : bytes);
      const error = await failureOf(path('damaged.parquet'));
      if (error === null) continue;
      const isOurs = error instanceof ParquetError || error instanceof RowError || error instanceof GateError;
      if (!isOurs) throw error;
    }
  });
});
