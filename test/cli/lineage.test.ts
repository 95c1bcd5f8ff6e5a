/**
 * `lineage` and `gap-notices` on a ledger in PostgreSQL: who received a person, and what each destination is to be told.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
