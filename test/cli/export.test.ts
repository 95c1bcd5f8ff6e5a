/**
 * `optgate export` as a user runs it, on a ledger in PostgreSQL and with a snapshot: what leaves, what is recorded of it, and
 * what is asked of that later.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Identifier } from '../../src/core/vocabulary.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { optgateProcess as optgate, startOptgate } from './run.js';

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');
const person = (n: number) => `person-${n}@example.com`;
const EXPORT = ['export', '--destination', 'acme', '--purpose', 'audience', '--map', 'email=mail'];

(await withService('PostgreSQL', POSTGRES_URL))('optgate export', () => {
  let place: TestDatabase;
  let folder: string;
  let ledger: Ledger;
  let env: NodeJS.ProcessEnv;
  const inFolder = (...names: readonly string[]) => join(folder, ...names);
  const run = (args: readonly string[]) => optgate(args, '', { env });
  const optOut = (...identifiers: readonly Identifier[]) => ledger.recordOptOut({ identifiers, channel: 'web_form' });
  const csv = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `${from + index},${person(from + index)}\n`).join('');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-export-'));
    place = await createDatabase();
    env = { ...process.env, OPTGATE_LEDGER: place.url };
    ledger = await openLedger(place.url);
    await ledger.putDestination({ id: 'acme' });
    await ledger.putDestination({
      id: 'counter',
      role: 'service_provider',
      purposes: ['fraud_security'],
      contract: { reference: 'DPA 7', expires: null },
    });
    await optOut(
      { kind: 'email', value: person(3) },
      { kind: 'email_md5', value: createHash('md5').update(person(5)).digest('hex') },
    );
    writeFileSync(inFolder('users.csv'), `n,mail\n${csv(0, 10)}`);
  });
  afterAll(async () => {
    await ledger.close();
    await place.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('leaves out who has opted out, in whatever dialect, and keeps the proof', async () => {
    const out = inFolder('acme.csv');
    const { status, stderr, json } = run([...EXPORT, '--in', inFolder('users.csv'), '--out', out, '--operator', 'ann']);
    expect([status, stderr]).toEqual([0, '']);
    expect(readFileSync(out, 'utf8')).toBe(`n,mail\n${csv(0, 3)}${csv(4, 5)}${csv(6, 10)}`);
    const [manifest] = json();
    expect(manifest).toMatchObject({
      destination: 'acme',
      terms: { kind: 'filter', reason: 'destination.third_party' },
      operator: 'ann',
      rows: { in: 10, kept: 8, droppedSuppressed: 2, droppedUnidentifiable: 0, byKind: { email: 2 } },
      output: { name: 'acme.csv', sha256: sha256(readFileSync(out)) },
      input: { sha256: sha256(readFileSync(inFolder('users.csv'))) },
      set: { seqStart: (await ledger.head()).seq, passes: 1 },
    });
    expect(JSON.parse(readFileSync(`${out}.manifest.json`, 'utf8'))).toEqual(manifest);
    expect(existsSync(`${out}.lineage`)).toBe(false);
    expect((await ledger.exportRun(manifest.runId))?.manifest).toEqual(manifest);

    // whoever left is found, also by a digest; who was left out is not
    expect(run(['lineage', '--kind', 'email', person(4)]).json()).toMatchObject([{ runId: manifest.runId }]);
    expect(run(['lineage', '--kind', 'email_sha256', sha256(person(4))]).lines).toHaveLength(1);
    expect(run(['lineage', '--kind', 'email', person(3)]).lines).toEqual([]);

    await optOut({ kind: 'email', value: person(4) });
    const [notice] = run(['gap-notices', '--since', '2020-01-01', '--out', inFolder('notices')]).json();
    expect(notice).toMatchObject({ destination: 'acme', optOuts: 1, digests: 1 });
    expect(readFileSync(notice.file, 'utf8')).toContain(`email_sha256,${sha256(person(4))},`);
  });

  test('honours an opt-out that is recorded while the run waits for its input', async () => {
    const [pipe, out] = [inFolder('slow.csv'), inFolder('slow-out.csv')];
    execFileSync('mkfifo', [pipe]);
    const command = startOptgate([...EXPORT, '--in', pipe, '--out', out], { env });
    const writer = await open(pipe, 'w');
    const more = csv(1_000, 60_000); // more than is read at a time, so that the first rows are through
    await writer.write(`n,mail\n${csv(100, 110)}${more}`);
    await optOut({ kind: 'email', value: person(101) });
    await writer.write(csv(60_000, 60_010));
    await writer.close();
    expect(await command.ended).toBe(0);
    const text = readFileSync(out, 'utf8');
    expect([text.includes(`,${person(101)}\n`), text.includes(`,${person(102)}\n`)]).toEqual([false, true]);
    const manifest = JSON.parse(command.said.stdout);
    expect(manifest.set.seqEnd).toBe((await ledger.head()).seq);
    expect(manifest.rows).toMatchObject({ in: 59_020, kept: 59_019, droppedSuppressed: 1 });
  });

  test('lets a service provider under contract have everybody, and names the exemption', () => {
    const out = inFolder('counter.csv');
    const args = ['export', '--destination', 'counter', '--purpose', 'fraud_security', '--map', 'email=mail'];
    const { json } = run([...args, '--in', inFolder('users.csv'), '--out', out]);
    expect(json()[0]).toMatchObject({ terms: { kind: 'exempt', reason: 'exempt.service_provider' } });
  });

  test('several inputs, a snapshot, NDJSON and a dry run', async () => {
    const set = inFolder('set.snap');
    await ledger.snapshotTo(set);
    mkdirSync(inFolder('days'));
    mkdirSync(inFolder('out'));
    for (const day of ['1', '2']) {
      const rows = [person(3), person(Number(day) + 20)].map((mail) => JSON.stringify({ user: { mail } }));
      writeFileSync(inFolder('days', `day-${day}.ndjson`), `${rows.join('\n')}\n`);
    }
    const args = ['export', '--set', set, '--destination', 'acme', '--purpose', 'audience', '--map', 'email=user.mail'];
    const io = ['--in', inFolder('days', 'day-*.ndjson'), '--out', inFolder('out')];
    const dry = run([...args, ...io, '--dry-run']);
    expect(dry.json().map(({ rows }) => rows.droppedSuppressed)).toEqual([1, 1]);
    expect(dry.json()).toMatchObject(Array(2).fill({ dryRun: true, output: null }));
    expect(readdirSync(inFolder('out'))).toEqual([]);
    const { status, stderr } = run([...args, ...io]);
    expect([status, stderr]).toEqual([
      0,
      'optgate: --destination acme is not in the inventory; treated as an unknown third party\n',
    ]);
    expect(readdirSync(inFolder('out'))).toEqual(
      ['1', '2'].flatMap((day) => ['', '.lineage', '.manifest.json'].map((end) => `day-${day}.ndjson${end}`)),
    );
    expect(readFileSync(inFolder('out', 'day-2.ndjson'), 'utf8')).toBe(`{"user":{"mail":"${person(22)}"}}\n`);
  });

  test('says where rows were kept that nobody could be looked up for, and where some could not be read', () => {
    const [input, out] = [inFolder('odd.ndjson'), inFolder('odd-out.ndjson')];
    writeFileSync(input, `{"mail":"${person(1)}"}\n{"mail":"n/a"}\n{"mail":\n`);
    const { stderr, json } = run([...EXPORT, '--in', input, '--out', out, '--on-unidentifiable', 'keep']);
    expect(readFileSync(out, 'utf8')).toBe(`{"mail":"${person(1)}"}\n{"mail":"n/a"}\n`);
    expect(json()[0]).toMatchObject({ dryRun: false, rows: { kept: 2, keptUnidentifiable: 1, droppedUnreadable: 1 } });
    expect(stderr.split('\n')).toEqual([
      `optgate: ${input}: rows kept that name nobody who can be looked up: 1`,
      `optgate: ${input}: rows left out that cannot be read: 1`,
      '',
    ]);
  });

  test('says what is wrong, and leaves nothing', () => {
    const out = inFolder('none.csv');
    const wrong = (...args: readonly string[]) => {
      const { status, stderr } = run([...EXPORT, '--set', inFolder('set.snap'), '--out', out, ...args]);
      return `${status} ${stderr.split('\n').find((line) => !line.startsWith('optgate: '))}`;
    };
    expect(wrong()).toBe('2 optgate export: expected --in');
    expect(wrong('--in', inFolder('users.csv'), '--mode', 'hide')).toMatch(/^2 .*--mode: expected drop, blank/);
    expect(wrong('--in', inFolder('users.csv'), '--map', 'fax=mail')).toMatch(/^2 /);
    expect(wrong('--in', inFolder('no-*.csv'))).toMatch(/^2 .*there is no file/);
    expect(wrong('--in', inFolder('users.csv'), '--map', 'email=none')).toMatch(/^3 .*column\.missing/);
    expect(wrong('--in', inFolder('absent.csv'))).toMatch(/^3 .*export\.io.*ENOENT/);
    expect(wrong('--in', inFolder('users.csv'), '--out', inFolder('users.csv'))).toMatch(/^3 .*export\.same_file/);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
