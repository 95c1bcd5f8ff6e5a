/**
 * The commands on a ledger in PostgreSQL, and on NATS: real processes where one is stopped or goes on, several at a time.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { createDatabase, NATS_URL, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { optgate, startOptgate } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const EMAIL = 'jane@example.com';
const EMAIL_SHA256 = '8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d';
const ALL_RIGHTS = ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling', 'child', 'deletion'];

let folder = '';
let database: TestDatabase;
let env: NodeJS.ProcessEnv = {};
const run = (args: readonly string[], input: string | Uint8Array = '') => optgate(args, input, { env });
const statusOf = async (kind: string, value: string) => (await run(['status', '--kind', kind, '-'], value)).json()[0];

async function until(what: () => Promise<boolean>, waitMs = 20_000): Promise<void> {
  for (const endMs = Date.now() + waitMs; !(await what()); ) {
    if (Date.now() > endMs) throw new Error('too late');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const describePostgres = await withService('PostgreSQL', POSTGRES_URL);
/** Needs both. */
const describeNats = describePostgres === describe ? await withService('NATS', NATS_URL) : describePostgres;

describePostgres('a ledger in PostgreSQL', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-server-'));
    database = await createDatabase();
    env = { ...process.env, OPTGATE_LEDGER: database.url };
  });
  afterAll(async () => {
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is made on purpose only, and then up to date', async () => {
    const before = await run(['opt-out', '--kind', 'maid', MAID]);
    expect([before.status, before.stdout]).toEqual([3, '']);
    expect(before.stderr).toMatch(/ledger\.not_migrated: .*"optgate ledger migrate"\n$/);
    const [made] = (await run(['ledger', 'migrate'])).json();
    expect(made.steps.length).toBe(made.schemaVersion);
    expect((await run(['ledger', 'migrate'])).json()[0]).toEqual({ ...made, steps: [] });
  });

  test('a URL is never shown with what is secret in it', async () => {
    const { hostname, port } = new URL(database.url);
    for (const ledger of [
      `postgres://someone:hunter2@${hostname}:1/x?application_name=hunter2`,
      `postgres://nobody-hunter2:hunter2@${hostname}:${port}/hunter-none`,
    ]) {
      const { status, stdout, stderr } = await run(['status', '--kind', 'maid', MAID, '--ledger', ledger]);
      expect([status, stdout]).toEqual([3, '']);
      expect(stderr).toMatch(/^optgate status: postgres:\/\/[^@?]*: ledger\.unavailable: /);
      expect(stderr).not.toMatch(/hunter2|someone/);
    }
  });

  test('an opt-out under an idempotency key is one request; another one under it is refused', async () => {
    const options = ['--idempotency-key', 'k', '--received', '2026-11-20T10:00:00+02:00', '--state', 'ca'];
    const optOut = (value: string) => run(['opt-out', '--kind', 'email', '-', ...options], value);
    const [first] = (await optOut(`${EMAIL}\n`)).json();
    const [second] = (await optOut(EMAIL)).json();
    expect(first).toMatchObject({ receivedAt: '2026-11-20T08:00:00.000Z', noAskUntil: '2027-11-20', repeat: false });
    expect(second).toEqual({ ...first, repeat: true });
    const conflict = await optOut('joan@example.com');
    expect([conflict.status, conflict.stdout]).toEqual([3, '']);
    expect(conflict.stderr).toMatch(/ledger\.idempotency_conflict: .*another --idempotency-key/);
    expect(conflict.stderr).not.toContain('joan');
  });

  test('one person with two identifiers is one request', async () => {
    const both = ['--kind', 'maid', '--kind', 'phone', MAID, '+1 415 555 0100'];
    const [receipt] = (await run(['opt-out', ...both, '--rights', 'sale|share'])).json();
    for (const [kind, value] of [
      ['maid', MAID],
      ['phone', '(415) 555-0100'],
    ] as const) {
      expect(await statusOf(kind, value)).toMatchObject({
        rights: ['sale', 'share'],
        requests: [{ requestId: receipt.requestId }],
      });
    }
  });

  test('status finds the person under another dialect; of nobody nothing is known', async () => {
    expect(await statusOf('email_sha256', EMAIL_SHA256)).toMatchObject({
      rights: ALL_RIGHTS,
      since: '2026-11-20T08:00:00.000Z',
      noAskUntil: '2027-11-20',
      requests: [{ nature: 'opt_out', channel: 'api', status: 'complied', inForce: true, enforcerCount: 0 }],
    });
    const nothing = { rights: [], since: null, noAskUntil: null, token: null, requests: [] };
    const unknown = await run(['status', '--kind', 'email', 'nobody@example.com']);
    expect([unknown.status, unknown.json()]).toEqual([0, [nothing]]);
    expect(await run(['status', '--request', `r_${'x'.repeat(22)}`])).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(/ledger\.unknown_request/),
    });
  });

  test('opt-in: nothing changes before the second step, and another code changes nothing', async () => {
    const [asked] = (await run(['opt-in', '--kind', 'email', EMAIL, '--channel', 'web_form'])).json();
    expect(asked).toMatchObject({ status: 'pending', confirmBy: expect.stringMatching(/Z$/) });
    const wrong = await run(['opt-in', '--confirm', asked.requestId, '-not-the-code']);
    expect([wrong.status, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toMatch(/: CODE: expected the confirmation/);
    expect((await statusOf('email', EMAIL)).rights).toEqual(ALL_RIGHTS);

    const confirmed = await run(['opt-in', '--confirm', asked.requestId, '-'], `${asked.confirmation}\n`);
    expect(confirmed.json()).toEqual([{ requestId: asked.requestId, token: expect.any(String), remaining: [] }]);
    expect(await statusOf('email', EMAIL)).toMatchObject({ rights: [], noAskUntil: null });
    // whose answer was lost asks again
    expect((await run(['opt-in', '--confirm', asked.requestId, asked.confirmation])).json()).toEqual(confirmed.json());
  });

  test('new-epoch: another history of the same state', async () => {
    const [before] = (await run(['ledger', 'verify'])).json();
    const [{ epoch }] = (await run(['ledger', 'new-epoch'])).json();
    expect((await statusOf('maid', MAID)).token).toContain(`${epoch}.`);
    expect((await run(['ledger', 'verify'])).json()).toEqual([before]);
  });

  describe('an import that is stopped', () => {
    const PEOPLE = 60_000;
    let list = '';
    let server: Awaited<ReturnType<typeof openDatabase>>;
    beforeAll(async () => {
      list = join(folder, 'people.csv');
      const rows = Array.from({ length: PEOPLE }, (_, index) => `account:stopped,person-${index},sale\n`);
      writeFileSync(list, `kind,value,rights\nfax,1,\n${rows.join('')}`);
      server = await openDatabase(database.url);
    });
    afterAll(() => server.close());
    const partCount = async () => {
      const [row] = await server.query<{ count: string }>('select count(*) from optgate.import_part');
      return Number(row?.count);
    };

    test('SIGINT: what is committed stays, the rest comes when the same command is run again', async () => {
      const importing = startOptgate(['import', list], { env });
      await until(async () => (await partCount()) > 0);
      importing.kill('SIGINT');
      expect(await importing.ended).toBe(130);
      expect(importing.said.stdout).toBe('');
      const [, said = '0'] =
        /stopped; ([\d,]+) identifiers are recorded; run the same command again/.exec(importing.said.stderr) ?? [];
      const recorded = Number(said.replaceAll(',', ''));
      expect(recorded).toBeGreaterThan(0);
      expect(recorded).toBeLessThan(PEOPLE); // or it was too quick for this test to say anything
      const again = await run(['import', list]);
      const counts = { rowCount: PEOPLE + 1, identifierCount: PEOPLE, refusedCount: 1, repeat: true };
      expect([again.status, again.json()[0]]).toMatchObject([1, counts]);
      expect(again.stderr).toMatch(/^line 2: kind: [^\n]*\n$/);
      expect(await statusOf('account:stopped', `person-${PEOPLE - 1}`)).toMatchObject({ rights: ['sale'] });
      expect(await run(['ledger', 'verify'])).toMatchObject({ status: 0 });
    });

    test('SIGTERM while standard input says nothing more', async () => {
      const partsBefore = await partCount();
      const importing = startOptgate(['import', '--format', 'csv', '-'], { env });
      importing.stdin.write('kind,value\nctv,abcdefgh\n');
      await until(async () => {
        const [row] = await server.query(`select 1 from optgate.request where status = 'in_progress'`);
        return row !== undefined;
      });
      importing.kill('SIGTERM');
      expect(await importing.ended).toBe(130);
      expect(importing.said.stderr).toBe('optgate import: stopped; 0 identifiers are recorded\n');
      expect(await partCount()).toBe(partsBefore);
    });

    test('a file that is changed while it is read is not recorded as the one it was', async () => {
      const growing = join(folder, 'growing.csv');
      copyFileSync(list, growing);
      appendFileSync(growing, 'ctv,abcdefgh,\n');
      const partsBefore = await partCount();
      const importing = startOptgate(['import', growing], { env });
      await until(async () => (await partCount()) > partsBefore);
      appendFileSync(growing, 'ctv,abcdefgi,\n');
      expect(await importing.ended).toBe(3);
      expect(importing.said.stderr).toMatch(/growing\.csv: the file was changed while it was read\n$/);
      expect(importing.said.stdout).toBe('');
    });
  });
});

describeNats('publish and follow', () => {
  let ledger: Ledger;
  const set = `cli-${randomBytes(6).toString('hex')}`;
  const to = `${NATS_URL}/${set}`;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-publish-'));
    database = await createDatabase();
    env = { ...process.env, OPTGATE_LEDGER: database.url };
    ledger = await openLedger(database.url, { sequence: false });
  });
  afterAll(async () => {
    await ledger.close();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
    await removeSet(set);
  });

  test('an opt-out is seen by every follower, whatever it follows, and counted as in force where it is', async () => {
    const [keys] = (await run(['ledger', 'keygen', '--out', join(folder, 'keys')])).json();
    const publish = startOptgate(['publish', '--to', to, '--sign-key', keys.privateKey, '--canary-every', '1s'], {
      env,
    });
    await publish.until('stdout', /Z leading at \S+ \(nats:\/\/[^)]*\)\n/);
    await publish.until('stdout', /Z snapshot at /);
    const trusting = ['--trust-key', keys.publicKey];

    const ready = startOptgate(['follow', '--from', to, '--until-live', ...trusting], { env });
    const byNats = startOptgate(
      ['follow', '--from', to, '--verbose', '--folder', join(folder, 'last-good'), ...trusting],
      { env },
    );
    const byPostgres = startOptgate(['follow', '--from', database.url, '--verbose', '--json'], { env });
    await byNats.until('stdout', / live, seq \d+ of \d+, /);
    await byPostgres.until('stdout', /"state":"live"/);
    expect(await ready.ended).toBe(0);

    const [receipt] = (await run(['opt-out', '--kind', 'maid', MAID, '--rights', 'sale'])).json();
    const seq = Number(receipt.token.split('.').at(-1));
    await byNats.until('stdout', new RegExp(`\nseq ${seq} maid \\+sale\n`));
    await byPostgres.until(
      'stdout',
      new RegExp(`{"seq":${seq},"kind":"maid","added":\\["sale"\\],"removed":\\[\\],"derived":false`),
    );
    await byNats.until('stdout', /\nseq \d+ account [^\n]*\(canary\)\n/);

    // only what enforces is an enforcer: those who watch are not counted
    expect((await run(['ledger', 'enforcers'])).stdout).toBe('');
    await ledger.ack({
      id: 'e1',
      name: 'bidder',
      role: 'library',
      version: '1',
      leaseMs: 60_000,
      position: { epoch: receipt.token.slice(0, receipt.token.lastIndexOf('.')), seq },
      appliedAgeMs: 0,
      state: 'live',
      isLeaving: false,
    });
    expect((await run(['ledger', 'enforcers'])).json()).toMatchObject([{ id: 'e1', name: 'bidder', silent: false }]);
    expect((await run(['status', '--request', receipt.requestId])).json()).toMatchObject([
      {
        token: receipt.token,
        inForceOn: 1,
        enforcerCount: 1,
        enforcers: [{ name: 'bidder', inForceAt: expect.any(String) }],
      },
    ]);

    for (const [running, last] of [
      [byNats, /Z live, seq \d+ of \d+, [\d.]+ s old, \d+ entries\n$/],
      [byPostgres, /"state":"live"[^\n]*}\n$/],
      [publish, /Z stopped after \d+ messages, 1 snapshots, \d+ reports\n$/],
    ] as const) {
      running.kill('SIGINT');
      expect(await running.ended).toBe(0);
      expect(running.said.stdout).toMatch(last);
      expect(running.said.stdout).not.toContain(MAID);
      expect(running.said.stderr).toBe('');
    }
  });

  test('the last good state of --folder is there while nothing else is', async () => {
    const from = ['--from', 'nats://127.0.0.1:1/nothing', '--folder', join(folder, 'last-good')];
    const { status, json, stderr } = await run(['follow', ...from, '--json', '--until-live', '--wait', '1s']);
    expect([status, json().at(-1)]).toMatchObject([3, { state: 'last_good', entryCount: expect.any(Number) }]);
    expect(json().at(-1).entryCount).toBeGreaterThan(10);
    expect(stderr).toMatch(/not live after 1 s: last_good; sync\.unavailable/);
  });
});

/** Takes away what the publisher made. */
async function removeSet(name: string): Promise<void> {
  const { connect } = await import('@nats-io/transport-node');
  const { jetstreamManager } = await import('@nats-io/jetstream');
  const connection = await connect({ servers: NATS_URL });
  const { streams } = await jetstreamManager(connection);
  for await (const { config } of streams.list()) if (config.name.includes(name)) await streams.delete(config.name);
  await connection.close();
}
