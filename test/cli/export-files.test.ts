/**
 * Files of every format and compression through `optgate export`: what names say, what is left of damaged ones, and that an
 * opt-out is honoured in each though its row had been written.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExportJob } from '../../src/cli/export-files.js';
import { passOf } from '../../src/cli/export-pass.js';
import { openLedgerSet } from '../../src/cli/export-set.js';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { DEFAULT_POLICY } from '../../src/core/policy/policy.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { exportTerms, parseMapping } from '../../src/exports/index.js';
import type { InputFile } from '../../src/exports/input-file.js';
import { exportRecordOf } from '../../src/exports/manifest.js';
import { type Pass, runExport } from '../../src/exports/run.js';
import { exportRunIdOf, type Ledger, openLedger } from '../../src/ledger/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { type Duck, openDuck } from '../duckdb.js';
import { FILES, mailOf, peopleIn, personOf, range, writeAudience } from '../exports/audience.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { optgate } from './run.js';

const COUNT = 5_000;
const OUT = 3;
const EXPORT = ['export', '--destination', 'acme', '--purpose', 'audience', '--map', 'email=mail'];
const hasZstd = 'createZstdCompress' in zlib;
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

let duck: Duck;
let folder: string;
let set: string;
const inFolder = (...names: readonly string[]) => join(folder, ...names);
const run = (...args: readonly string[]) => optgate([...EXPORT, '--set', set, ...args]);
const newFolder = (name: string) => {
  mkdirSync(inFolder(name));
  return inFolder(name);
};

beforeAll(async () => {
  duck = await openDuck();
  folder = mkdtempSync(join(tmpdir(), 'optgate-files-'));
  set = inFolder('set.snap');
  const table = SuppressionTable.create({ capacity: 10, seed: 7n, epoch: 'files' });
  enterIdentifier(new TableHolder({ table }), personOf(OUT), RIGHTS_ALL);
  await writeSnapshotFile(set, table);
  newFolder('in');
  for (const ending of ['csv', 'tsv', 'ndjson', 'jsonl', 'csv.gz', 'ndjson.gz', 'parquet'] as const) {
    await writeAudience(duck, inFolder('in', `users.${ending}`), ending, COUNT);
  }
});
afterAll(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a contract that ends between two inputs exempts the first one only', async () => {
  const out = newFolder('contract');
  const policy = inFolder('policy.json');
  const contract = { reference: 'DPA 7', expires: '2027-06-30' };
  const destination = { id: 'counter', role: 'service_provider', purposes: ['fraud_security'], contract };
  writeFileSync(policy, JSON.stringify({ version: 'p', destinations: [destination] }));
  const isFirstDone = () => readdirSync(out).includes('users.csv.manifest.json');
  const now = () => Date.parse(isFirstDone() ? '2027-07-01T00:00:01Z' : '2027-06-30T23:59:59Z');
  const who = ['--destination', 'counter', '--purpose', 'fraud_security', '--map', 'email=mail'];
  const what = ['--in', inFolder('in', 'users.csv'), '--in', inFolder('in', 'users.tsv'), '--out', out];
  const { json } = await optgate(['export', ...who, '--set', set, '--policy', policy, ...what], '', { now });
  expect(json()).toMatchObject([
    { terms: { kind: 'exempt', reason: 'exempt.service_provider' }, rows: { in: COUNT } },
    { terms: { kind: 'filter' }, rows: { in: COUNT, droppedSuppressed: 1 } },
  ]);
});

describe('names', () => {
  test('say format and compression; a folder takes files of every kind, dry or not', async () => {
    const out = newFolder('out');
    const args = ['--in', inFolder('in', 'users.*'), '--out', out, '--threads', '2'];
    const dry = await run(...args, '--dry-run');
    expect(dry.json().map(({ rows }) => rows)).toEqual(
      Array(7).fill(expect.objectContaining({ in: COUNT, kept: COUNT - 1 })),
    );
    expect(readdirSync(out)).toEqual([]);
    const { status, json } = await run(...args);
    expect(status).toBe(0);
    for (const manifest of json()) {
      const { name } = manifest.output;
      const kept = range(COUNT).filter((n) => n !== OUT);
      expect(await peopleIn(duck, inFolder('out', name), name.slice('users.'.length))).toEqual(kept);
      expect(manifest).toMatchObject({
        input: { name, sha256: sha256(inFolder('in', name)), bytes: readFileSync(inFolder('in', name)).length },
        output: { sha256: sha256(inFolder('out', name)), bytes: readFileSync(inFolder('out', name)).length },
        filter: { compression: name.endsWith('.gz') ? 'gzip' : 'none' },
        fingerprintCount: COUNT - 1,
      });
      expect(JSON.parse(readFileSync(inFolder('out', `${name}.manifest.json`), 'utf8'))).toEqual(manifest);
    }
    expect(readdirSync(out)).toHaveLength(3 * 7);
  });

  test('an output is compressed as its name says, or as it is told, and named so', async () => {
    const kept = gunzipSync(readFileSync(inFolder('in', 'users.csv.gz')));
    const [packed, plain] = [inFolder('packed.csv.gz'), inFolder('plain.csv')];
    await run('--in', inFolder('in', 'users.csv'), '--out', packed);
    await run('--in', inFolder('in', 'users.csv.gz'), '--out', plain);
    expect(gunzipSync(readFileSync(packed)).equals(readFileSync(plain))).toBe(true);
    expect(kept.length - readFileSync(plain).length).toBeGreaterThan(10);
    const told = newFolder('told');
    const { json } = await run('--in', inFolder('in', 'users.?sv'), '--out', told, '--compression', 'gzip');
    expect(json().map(({ output }) => output.name)).toEqual(['users.csv.gz', 'users.tsv.gz']);
    await run('--in', inFolder('in', 'users.csv.gz'), '--out', told, '--compression', 'none');
    expect(readFileSync(inFolder('told', 'users.csv')).equals(readFileSync(plain))).toBe(true);
    await run('--in', inFolder('in', 'users.csv.gz'), '--out', inFolder('nameless'));
    expect(readFileSync(inFolder('nameless')).equals(readFileSync(packed))).toBe(true);
  });

  test('that do not go together are refused', async () => {
    const out = ['--out', inFolder('never.csv')];
    const said = async (...args: readonly string[]) => {
      const { status, stderr } = await run(...args);
      return `${status} ${stderr}`;
    };
    expect(await said('--in', inFolder('in', 'users.parquet'), ...out)).toMatch(
      /^2 .*--out: expected a name as parquet/,
    );
    expect(await said('--in', inFolder('in', 'users.csv'), '--out', inFolder('x.parquet'))).toMatch(/^2 .*--out: /);
    expect(await said('--in', inFolder('set.snap'), ...out)).toMatch(
      /^2 .*--format: expected csv, tsv, ndjson, parquet/,
    );
    expect(await said('--in', 'a.parquet.gz', '--out', inFolder('x.parquet'))).toMatch(
      /^2 .*Parquet that is not compressed/,
    );
    expect(await said('--in', 'a.ndjson', '--out', 'b.ndjson', '--delimiter', ';')).toMatch(/^2 .*--delimiter/);
    expect(await said('--in', 'a.csv', '--out', 'b.csv', '--delimiter', '""')).toMatch(
      /^2 .*--delimiter: expected one/,
    );
    expect(await said('--in', 'a.csv', '--out', 'b.csv', '--threads', '99')).toMatch(
      /^2 .*--threads: expected at most 64/,
    );
    expect(await said('--in', 'a.csv', '--out', 'b.csv', '--compression', 'lz4')).toMatch(/^2 .*none, gzip, zstd/);
  });

  test.skipIf(hasZstd)('zstd, where Node.js has none, is refused before anything is read', async () => {
    const { status, stderr } = await run('--in', 'a.csv.zst', '--out', inFolder('b.csv'));
    expect(status).toBe(3);
    expect(stderr).toContain(`zstd needs Node.js 22.15 or later, and this is ${process.versions.node}`);
  });

  test.skipIf(!hasZstd)('zstd there and back', async () => {
    await run('--in', inFolder('in', 'users.csv'), '--out', inFolder('users.csv.zst'));
    await run('--in', inFolder('users.csv.zst'), '--out', inFolder('back.csv'));
    expect(await peopleIn(duck, inFolder('back.csv'), 'csv')).toHaveLength(COUNT - 1);
  });
});

describe('gzip', () => {
  const packed = () => readFileSync(inFolder('in', 'users.csv.gz'));
  const flipped = () => {
    const bytes = Buffer.from(packed());
    bytes.fill(0x55, 20_000, 20_040);
    return bytes;
  };
  test.each<readonly [string, () => Buffer]>([
    ['cut short', () => packed().subarray(0, -5)],
    ['cut in its header', () => packed().subarray(0, 4)],
    ['empty', () => Buffer.alloc(0)],
    ['damaged inside', flipped],
    ['damaged in its first byte', () => Buffer.concat([Buffer.from('x'), packed().subarray(1)])],
    ['not compressed at all', () => gunzipSync(packed())],
    ['with something behind it', () => Buffer.concat([packed(), Buffer.from('garbage')])],
    ['with zeros behind it', () => Buffer.concat([packed(), Buffer.alloc(600)])],
    ['with a member behind zeros', () => Buffer.concat([packed(), Buffer.alloc(600), packed()])],
    ['with half a member behind it', () => Buffer.concat([packed(), packed().subarray(0, 9000)])],
  ])('%s: an error, and no file', async (name, bytes) => {
    const place = newFolder(`gzip ${name}`);
    writeFileSync(inFolder(`gzip ${name}`, 'users.csv.gz'), bytes());
    for (const to of ['out.csv.gz', 'out.csv']) {
      const { status, stderr } = await run('--in', join(place, 'users.csv.gz'), '--out', join(place, to));
      expect([status, stderr]).toEqual([3, expect.stringContaining('compression.damaged')]);
    }
    expect(readdirSync(place)).toEqual(['users.csv.gz']);
  });

  test('of several members is read to its end, also where a piece of it ends with one', async () => {
    const text = gunzipSync(packed());
    const at = text.indexOf(`\n${OUT + 2},`) + 1;
    const members = [text.subarray(0, at), text.subarray(at), Buffer.from('1000000,mail@example.com,x\n')];
    writeFileSync(inFolder('members.csv.gz'), Buffer.concat(members.map((member) => gzipSync(member))));
    const { json } = await run('--in', inFolder('members.csv.gz'), '--out', inFolder('joined.csv'));
    expect(json()[0].rows).toMatchObject({ in: COUNT + 1, droppedSuppressed: 1 });
    expect(readFileSync(inFolder('joined.csv'), 'utf8')).toContain('\n1000000,');
  });
});

describe('parquet', () => {
  test('that ends too early, or is none: an error, and no file', async () => {
    const place = newFolder('bad');
    const whole = readFileSync(inFolder('in', 'users.parquet'));
    for (const bytes of [whole.subarray(0, -9), Buffer.from('n,mail\n1,a@example.com\n')]) {
      writeFileSync(join(place, 'users.parquet'), bytes);
      const { status, stderr } = await run('--in', join(place, 'users.parquet'), '--out', join(place, 'out.parquet'));
      expect([status, stderr]).toEqual([3, expect.stringMatching(/users\.parquet: parquet\./)]);
    }
    expect(readdirSync(place)).toEqual(['users.parquet']);
  });

  test('that is changed while it is read is refused: its hash would be that of another file', async () => {
    const place = newFolder('changed');
    const [input, output] = [join(place, 'users.parquet'), join(place, 'out.parquet')];
    const whole = readFileSync(inFolder('in', 'users.parquet'));
    writeFileSync(input, whole);
    const table = new TableHolder({ table: SuppressionTable.create({ capacity: 10, seed: 7n, epoch: 'files' }) });
    const pass = interrupted(passOf(TERMS, table, FILTER, 'parquet'), () =>
      writeFileSync(input, Buffer.concat([whole, whole])),
    );
    const fixed = { seed: 7n, epoch: 'files', seq: 0, catchUp: () => Promise.resolve(0) };
    const running = runExport({ ...FACTS, runId: runId(), input, output, pass, set: fixed });
    await expect(running).rejects.toMatchObject({ code: 'export.input_changed' });
    expect(readdirSync(place)).toEqual(['users.parquet']);
  });
});

const TERMS = {
  mapping: parseMapping('email=mail'),
  mode: 'drop',
  onUnidentifiable: 'drop',
  threads: 1,
  delimiter: undefined,
  quote: undefined,
} as const;
const FILTER = exportTerms({ policy: DEFAULT_POLICY, destination: 'acme', purpose: 'audience', now: 0 });
const FACTS = {
  destination: 'acme',
  purpose: 'audience',
  terms: FILTER,
  policyVersion: 'p',
  optgate: '0',
  filter: {},
} as const;
const runId = () => exportRunIdOf(randomBytes(16));

/** A slow reader: something happens when the first rows have left, before more are read. */
function interrupted(pass: Pass<InputFile>, happens: () => unknown): Pass<InputFile> {
  return (input, hooks) => {
    const { output, done } = pass(input, hooks);
    async function* slowly() {
      let hasHappened = hooks.isRecheck;
      for await (const chunk of output) {
        yield chunk;
        if (hasHappened || chunk.length < 1_000) continue; // a header, or what every file begins with
        hasHappened = true;
        await happens();
      }
    }
    return { output: slowly(), done };
  };
}

(await withService('PostgreSQL', POSTGRES_URL))('an opt-out that is recorded when its row has been written', () => {
  const VICTIM = 5;
  let place: TestDatabase;
  let ledger: Ledger;
  beforeAll(async () => {
    place = await createDatabase();
    ledger = await openLedger(place.url);
  });
  afterAll(async () => {
    await ledger.close();
    await place.drop();
  });

  async function runWith(
    job: Pick<ExportJob, 'input' | 'output' | 'format' | 'compression'>,
    recheck: boolean,
    victim: number,
  ) {
    const opened = await openLedgerSet(ledger, DEFAULT_POLICY);
    try {
      const pass = interrupted(passOf(TERMS, opened.holder, FILTER, job.format), () =>
        ledger.recordOptOut({ identifiers: [personOf(victim)], channel: 'web_form' }),
      );
      return await runExport({
        ...FACTS,
        ...job,
        runId: runId(),
        pass,
        set: opened.set,
        recheck,
        record: (manifest, index) => ledger.recordExport(exportRecordOf(manifest, FILTER), index),
      });
    } finally {
      await opened.close();
    }
  }

  test.each(FILES.map((file, index) => ({ ...file, victim: VICTIM + index })))(
    'is not in the output: $ending',
    async ({ ending, format, compression, victim }) => {
      const [input, output] = [inFolder('in', `users.${ending}`), inFolder(`late.${ending}`)];
      const manifest = await runWith(
        { input, output, format, compression: { input: undefined, output: compression } },
        true,
        victim,
      );
      const people = await peopleIn(duck, output, ending);
      expect([people.includes(victim), people.includes(victim + 10)]).toEqual([false, true]);
      expect(manifest.set.passes).toBeGreaterThan(1);
      expect(manifest.rows.suppressedOnRecheck).toBe(1);
      expect(manifest.output?.sha256).toBe(sha256(output));
      expect(manifest.input.sha256).toBe(sha256(input));
      const runsOf = async (n: number) => (await ledger.exportsOf(personOf(n))).map((found) => found.runId);
      expect(await runsOf(victim)).not.toContain(manifest.runId);
      expect(await runsOf(victim + 10)).toContain(manifest.runId);
    },
  );

  test.each(FILES)(
    'without the recheck it is, and the manifest says no more: $ending',
    async ({ ending, format, compression }) => {
      const victim = VICTIM + 20 + FILES.findIndex((file) => file.ending === ending);
      const [input, output] = [inFolder('in', `users.${ending}`), inFolder(`unchecked.${ending}`)];
      const manifest = await runWith(
        { input, output, format, compression: { input: undefined, output: compression } },
        false,
        victim,
      );
      expect(await peopleIn(duck, output, ending)).toContain(victim);
      expect(manifest.set).toMatchObject({ passes: 1, seqEnd: manifest.set.seqStart });
    },
  );
});

describe('lineage --index', () => {
  const lineage = (args: readonly string[], input = '') => optgate(['lineage', ...args], input);

  test('searches files beside outputs, with the seed of a snapshot', async () => {
    const out = newFolder('index');
    const { json } = await run(
      '--in',
      inFolder('in', 'users.csv.gz'),
      '--in',
      inFolder('in', 'users.parquet'),
      '--out',
      out,
    );
    const files = `${join(out, 'users.csv.gz.lineage')},${join(out, 'users.parquet.lineage')}`;
    const ask = (person: number, ...more: readonly string[]) =>
      lineage(['--index', files, '--set', set, '--kind', 'email', '-', ...more], ` ${mailOf(person).toUpperCase()}\n`);
    const found = (await ask(8)).json();
    expect(found).toEqual(
      json().map(({ destination, purpose, finishedAt, runId, output }) => ({
        destination,
        purpose,
        finishedAt,
        runId,
        output,
        index: join(out, `${output.name}.lineage`),
      })),
    );
    expect(await ask(OUT)).toMatchObject({ status: 0, stdout: '' });
    const digest = createHash('sha256').update(mailOf(8)).digest('hex');
    const byGlob = ['--index', join(out, '*.lineage'), '--set', set, '--identifier', `email_sha256:${digest}`];
    expect((await lineage(byGlob)).json()).toEqual(found);
    rmSync(join(out, 'users.csv.gz.manifest.json'));
    writeFileSync(join(out, 'users.parquet.manifest.json'), '{"format":"optgate-export"}');
    const bare = (await ask(8)).json();
    expect(bare.map(({ runId, index }) => [runId, index])).toEqual(found.map(({ index }) => [null, index]));
  });

  test('says what is wrong: damage, another seed, no file, options that do not go together', async () => {
    const [file] = [inFolder('index', 'users.csv.gz.lineage')];
    const who = ['--identifier', `email:${mailOf(8)}`];
    const other = inFolder('other.snap');
    await writeSnapshotFile(other, SuppressionTable.create({ capacity: 10, seed: 8n, epoch: 'other' }));
    const said = async (...args: readonly string[]) => {
      const { status, stdout, stderr } = await lineage([...args, ...who]);
      expect(stdout + stderr).not.toContain(mailOf(8));
      return `${status} ${stderr}`;
    };
    expect(await said('--index', file, '--set', other)).toMatch(/^3 .*lineage\.seed.*--set/);
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(inFolder('damaged.lineage'), bytes);
    expect(await said('--index', `${inFolder('damaged.lineage')},${file}`, '--set', set)).toMatch(
      /^3 .*lineage\.damaged/,
    );
    expect(await said('--index', inFolder('none.lineage'), '--set', set)).toMatch(/^3 .*ENOENT/);
    expect(await said('--index', inFolder('none-*.lineage'), '--set', set)).toMatch(/^2 .*--index: there is no file/);
    expect(await said('--index', file, '--set', inFolder('in', 'users.csv'))).toMatch(/^3 /);
    expect(await said('--set', set)).toMatch(/^2 .*--set: expected with --index/);
  });
});
