/**
 * `lineage` and `gap-notices` on a ledger in PostgreSQL: who received a person, and what each destination is to be told.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NoticeList } from '../../src/cli/gap-notices.js';
import { appendIdentifier } from '../../src/core/identity/dialects.js';
import { createKeyList } from '../../src/core/identity/index.js';
import { KEYS_PER_IDENTIFIER_MAX } from '../../src/core/identity/limits.js';
import type { Identifier } from '../../src/core/vocabulary.js';
import { openDatabase } from '../../src/ledger/database.js';
import { exportRunIdOf, openLedger } from '../../src/ledger/index.js';
import { KeyMixer } from '../../src/ledger/keys.js';
import { migrate, randomSeeds } from '../../src/ledger/migrations.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { optgateProcess as optgate } from './run.js';

const EMAIL = 'jane@example.com';
const DIGEST = createHash('sha256').update(EMAIL).digest('hex');
const EID: Identifier = { kind: 'eid:uidapi.com', value: 'AwAA:1' };
const STRANGE = '../a*b/é';
const SEED = 99n;

(await withService('PostgreSQL', POSTGRES_URL))('the commands about exports', () => {
  let place: TestDatabase;
  let folder: string;
  const run = (args: readonly string[], input = '') =>
    optgate(args, input, { env: { ...process.env, OPTGATE_LEDGER: place.url } });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-notices-'));
    place = await createDatabase();
    const database = await openDatabase(place.url);
    await migrate(database, { ...randomSeeds(), seed: SEED });
    await database.close();
    const ledger = await openLedger(place.url);
    for (const [destination, finishedAtMs, ...identifiers] of [
      ['acme', 2_000, { kind: 'email_sha256', value: DIGEST }, EID],
      [STRANGE, 1_000, { kind: 'email_sha256', value: DIGEST }],
    ] as const) {
      const record = { destination, purpose: 'audience', rights: ['sale'], startedAtMs: 0, finishedAtMs } as const;
      const manifest = { output: { name: `${finishedAtMs}.csv` } };
      const index = BigInt64Array.from(identifiers, fingerprint).sort();
      await ledger.recordExport({ runId: exportRunIdOf(randomBytes(16)), manifest, ...record }, [index]);
    }
    const identifiers: Identifier[] = [{ kind: 'email', value: EMAIL }, EID];
    await ledger.recordOptOut({ identifiers, channel: 'web_form', receivedAtMs: Date.parse('2026-11-20T00:00:00Z') });
    await ledger.recordOptOut({
      identifiers: identifiers.slice(0, 1),
      channel: 'drop',
      receivedAtMs: Date.parse('2026-11-21T08:00:00Z'),
    });
    await ledger.close();
  });
  afterAll(async () => {
    await place.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  function fingerprint(identifier: Identifier): bigint {
    const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
    appendIdentifier(keys, identifier);
    return new KeyMixer(SEED).keysOf({ words: keys.words, count: 1 })[0] ?? 0n;
  }

  test('lineage says to whom and when, in whatever way it is asked', () => {
    const found = run(['lineage', '--kind', 'email', '-'], ` ${EMAIL.toUpperCase()}\n`).json();
    expect(found).toMatchObject([
      {
        destination: STRANGE,
        purpose: 'audience',
        finishedAt: '1970-01-01T00:00:01.000Z',
        output: { name: '1000.csv' },
      },
      { destination: 'acme', runId: expect.stringMatching(/^x_/) },
    ]);
    expect(run(['lineage', '--identifier', `email_sha256:${DIGEST}`]).json()).toEqual(found);
    expect(run(['lineage', '--identifier', `${EID.kind}:${EID.value}`]).json()).toMatchObject([
      { destination: 'acme' },
    ]);
    expect(run(['lineage', '--kind', 'email', 'nobody@example.com'])).toMatchObject({ status: 0, stdout: '' });
    const wrong = run(['lineage', '--identifier', 'secret']);
    expect([wrong.status, wrong.stderr.includes('secret')]).toEqual([2, false]);
  });

  test('gap-notices writes a file for each destination, with the digests that it was sent', () => {
    const out = join(folder, 'all');
    const { status, stderr, json } = run(['gap-notices', '--since', '2026-11-20', '--out', out]);
    expect([status, stderr]).toEqual([0, '']);
    const [acme, strange] = json();
    expect(acme).toEqual({
      destination: 'acme',
      optOuts: 3,
      sentAfterRequest: 0,
      withoutDigest: 1,
      digests: 1,
      file: join(out, 'acme.csv'),
    });
    expect(strange).toMatchObject({ destination: STRANGE, optOuts: 2, withoutDigest: 0 });
    expect(readFileSync(acme.file, 'utf8')).toBe(
      `kind,digest,opted_out_at\nemail_sha256,${DIGEST},2026-11-20T00:00:00.000Z\n`,
    );
    expect(readdirSync(out)).toEqual(['%2E.%2Fa%2Ab%2F%C3%A9.csv', 'acme.csv']);
  });

  test('a folder of gap-notices holds what the last call found, and whatever else was there', () => {
    const out = join(folder, 'again');
    const call = (...more: readonly string[]) => run(['gap-notices', '--since', '2026-11-20', '--out', out, ...more]);
    expect(call().status).toBe(0);
    const files = readdirSync(out);
    writeFileSync(join(out, 'gone.csv'), 'kind,digest,opted_out_at\nemail_sha256,00,2026-01-01T00:00:00.000Z\n');
    writeFileSync(join(out, 'mine.csv'), 'kind,digest\n');
    mkdirSync(join(out, 'folder.csv'));
    expect(call('--destination', 'acme').status).toBe(0);
    expect(readdirSync(out)).toContain('gone.csv');
    expect(call().status).toBe(0);
    expect(readdirSync(out).sort()).toEqual([...files, 'folder.csv', 'mine.csv'].sort());
    expect(run(['gap-notices', '--since', '2026-12-20', '--out', out]).status).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['folder.csv', 'mine.csv']);
  });

  test('destinations that differ in capital letters alone have files that differ in more', async () => {
    const names: string[] = [];
    for (const destination of ['acme', 'Acme', 'ACME', 'a/B', '%41cme']) {
      const list = await NoticeList.create(folder, destination, Date.now());
      names.push(basename((list.summary as { readonly file: string }).file));
      await list.discard();
    }
    expect(names).toEqual(['acme.csv', '%41cme.csv', '%41%43%4D%45.csv', 'a%2F%42.csv', '%2541cme.csv']);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  });

  test('the longest ids have files of their own', async () => {
    const ids = ['é', 'x~'].flatMap((letter) => ['a', 'b'].map((last) => `${letter.repeat(99)}${last}`));
    const lists = [];
    for (const id of ids) lists.push(await NoticeList.create(folder, id, Date.now()));
    expect(new Set(lists.map(({ summary }) => (summary as { readonly file: string }).file)).size).toBe(ids.length);
    for (const list of lists) await list.discard();
  });

  test('a list of notices remembers so many digests, and no more', async () => {
    const place = join(folder, 'long');
    mkdirSync(place);
    const list = await NoticeList.create(place, 'acme', Date.now(), 10);
    const add = (n: number) =>
      list.add({ digests: [{ kind: 'email_sha256', hex: String(n) }], receivedAtMs: 0, isSentAfterRequest: false });
    for (const n of [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 0, 0]) await add(n);
    expect(list.summary).toMatchObject({ optOuts: 15, digests: 12 });
    await list.publish();
    expect(readFileSync(join(place, 'acme.csv'), 'utf8').match(/^email_sha256,0,/gm)).toHaveLength(2);
  });

  test('opt-outs that are known by old digests alone are counted on standard error', async () => {
    const ledger = await openLedger(place.url);
    const md5 = createHash('md5').update('old@example.com').digest('hex');
    const receivedAtMs = Date.parse('2026-11-24T00:00:00Z');
    await ledger.recordOptOut({ identifiers: [{ kind: 'email_md5', value: md5 }], channel: 'drop', receivedAtMs });
    await ledger.close();
    const { status, stderr } = run(['gap-notices', '--since', '2026-11-24', '--out', join(folder, 'old')]);
    expect([status, stderr]).toEqual([
      0,
      'optgate: opt-outs known by MD5 or SHA-1 alone, not looked for in exports of clear values: 1\n',
    ]);
  });

  test('gap-notices keeps to the time and the destination it is given, and to wrong usage says so', () => {
    const args = [
      '--since',
      '2026-11-20T16:00:01-08:00',
      '--destination',
      'acme',
      '--requests',
      '--out',
      join(folder, 'some'),
    ];
    const { lines, json } = run(['gap-notices', ...args]);
    expect(lines).toHaveLength(2);
    expect(json()).toMatchObject([
      { destination: 'acme', withoutDigest: false },
      { optOuts: 1, digests: 1 },
    ]);
    expect(run(['gap-notices', '--since', '2026-11-22', '--out', join(folder, 'none')])).toMatchObject({
      status: 0,
      stdout: '',
    });
    expect(run(['gap-notices', '--since', 'yesterday', '--out', folder]).status).toBe(2);
    expect(run(['gap-notices', '--since', '2026-11-22']).status).toBe(2);
    expect(run(['gap-notices', '--since', '2026-11-20', '--out', join(folder, 'all', 'acme.csv')]).status).toBe(3);
  });
});
