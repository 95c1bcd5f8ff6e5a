/**
 * The commands on an embedded ledger: real processes, one after the other, on one folder.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bid, optgate, startOptgate } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const EMAIL = 'jane@example.com';
const EMAIL_SHA256 = '8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d';
let folder = '';
let env: NodeJS.ProcessEnv = {};
const run = (args: readonly string[], input: string | Uint8Array = '') => optgate(args, input, { env });
const statusOf = (kind: string, value: string) => run(['status', '--kind', kind, '-'], value).json()[0];
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-embedded-'));
  env = { ...process.env, OPTGATE_LEDGER: join(folder, 'ledger') };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the first opt-out makes the ledger, and says so', () => {
  const { status, stderr, lines, json } = run(['opt-out', '--kind', 'maid', MAID, '--rights', 'sale|share']);
  expect([status, lines.length, stderr]).toEqual([0, 1, `optgate: making a new ledger in ${env.OPTGATE_LEDGER}\n`]);
  const [receipt] = json();
  expect(Object.keys(receipt)).toEqual(['requestId', 'token', 'receivedAt', 'noAskUntil', 'repeat']);
  expect(receipt).toMatchObject({ token: expect.stringMatching(/^[\w-]+\.1$/), repeat: false });
});

test('the same idempotency key is the same request; another request under it is refused', () => {
  const optOut = (value: string) =>
    run(
      ['opt-out', '--kind', 'email', '-', '--idempotency-key', 'k', '--received', '2026-11-20T10:00:00+02:00'],
      value,
    );
  const [first] = optOut(`${EMAIL}\n`).json();
  const [second] = optOut(EMAIL).json();
  expect(first).toMatchObject({ receivedAt: '2026-11-20T08:00:00.000Z', noAskUntil: '2027-11-20', repeat: false });
  expect(second).toEqual({ ...first, repeat: true });
  const conflict = optOut('joan@example.com');
  expect([conflict.status, conflict.stdout]).toEqual([3, '']);
  expect(conflict.stderr).toMatch(/ledger\.idempotency_conflict: .*another --idempotency-key/);
  expect(conflict.stderr).not.toContain('joan');
});

test('status finds the person under another dialect, and says how far the request is', () => {
  expect(statusOf('email_sha256', EMAIL_SHA256)).toMatchObject({
    rights: ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling', 'child', 'deletion'],
    since: '2026-11-20T08:00:00.000Z',
    noAskUntil: '2027-11-20',
    requests: [{ nature: 'opt_out', channel: 'api', status: 'complied', inForce: true, enforcerCount: 0 }],
  });
  expect(statusOf('email', 'nobody@example.com')).toEqual({
    rights: [],
    since: null,
    noAskUntil: null,
    token: null,
    requests: [],
  });
});

test('opt-in: nothing changes before the second step, and a code is good for one', () => {
  const [asked] = run(['opt-in', '--kind', 'email', EMAIL, '--channel', 'web_form']).json();
  expect(asked).toMatchObject({ status: 'pending', confirmBy: expect.stringMatching(/Z$/) });
  expect(statusOf('email', EMAIL).rights).not.toEqual([]);

  const wrong = run(['opt-in', '--confirm', asked.requestId, '-not-the-code']);
  expect([wrong.status, wrong.stdout]).toEqual([2, '']);
  expect(wrong.stderr).toMatch(/: CODE: expected the confirmation/);
  const unknown = run(['opt-in', '--confirm', `r_${'x'.repeat(22)}`, asked.confirmation]);
  expect(unknown).toMatchObject({ status: 3, stderr: expect.stringMatching(/ledger\.unknown_request/) });

  const confirmed = run(['opt-in', '--confirm', asked.requestId, '-'], `${asked.confirmation}\n`);
  expect(confirmed.json()).toEqual([{ requestId: asked.requestId, token: expect.any(String), remaining: [] }]);
  expect(statusOf('email', EMAIL)).toMatchObject({ rights: [], noAskUntil: null });
  expect(run(['opt-in', '--confirm', asked.requestId, asked.confirmation])).toMatchObject({ status: 2, stdout: '' });
});

test('import: bad rows are told with their line and never their value; the same file again is the same request', () => {
  const secret = 'not-an-e-mail-SECRET';
  const list = file(
    'list.csv',
    `kind,value,rights\nmaid,11111111-8246-4ba4-ae5b-76104861e7dc,sale\nfax,${secret},\nemail_sha256,${secret},\nmaid,${MAID},sell\nmaid,"${secret}\naccount:optgate-canary,${secret},\neid:pubcid.org,abc,\n`,
  );
  const first = run(['import', list]);
  expect(first.stderr.split('\n').map((line) => line.split(':').slice(0, 2).join(':'))).toEqual([
    'line 3: kind',
    'line 4: value',
    'line 5: rights',
    'line 6: line',
    'line 7: kind',
    '',
  ]);
  expect(first.stderr).not.toContain(secret);
  const [summary] = first.json();
  expect([first.status, summary]).toMatchObject([
    1,
    { rowCount: 7, identifierCount: 2, refusedCount: 5, repeat: false },
  ]);
  expect(statusOf('maid', '11111111-8246-4ba4-ae5b-76104861e7dc').rights).toEqual(['sale']);

  const again = run(['import', list]);
  expect([again.status, again.json()[0]]).toEqual([1, { ...summary, repeat: true }]);
  expect(again.stderr).toMatch(/imported before/);
});

test('import from standard input: NDJSON, in the order it comes, through a pipe', () => {
  const rows = Array.from({ length: 5_000 }, (_, index) => `{"kind":"account:shop","value":"person-${index}"}\n`);
  const { status, json, stderr } = run(['import', '--format', 'ndjson', '--channel', 'drop', '-'], rows.join(''));
  expect([status, stderr]).toEqual([0, '']);
  expect(json()[0]).toMatchObject({ rowCount: 5_000, identifierCount: 5_000, refusedCount: 0 });
  expect(statusOf('account:shop', 'person-4999').requests[0]).toMatchObject({ nature: 'import', channel: 'drop' });
});

test('while a process has the folder others are told what to do; it ends on SIGINT with its last word', async () => {
  const follow = startOptgate(['follow', '--from', String(env.OPTGATE_LEDGER), '--json'], { env });
  await follow.until('stdout', /"state":"live"/);
  const locked = run(['opt-out', '--kind', 'maid', MAID]);
  expect([locked.status, locked.stdout]).toEqual([3, '']);
  expect(locked.stderr).toMatch(/ledger\.locked: .*; .*write through the process that has it.*PostgreSQL\n$/);
  const linesBefore = follow.said.stdout.split('\n').length;
  follow.kill('SIGINT');
  expect(await follow.ended).toBe(0);
  expect([follow.said.stdout.split('\n').length, follow.said.stderr]).toEqual([linesBefore + 1, '']);
});

test('a snapshot holds everything that was recorded; a follower of the file is live, signed or refused', () => {
  const [keys] = run(['ledger', 'keygen', '--out', join(folder, 'keys')]).json();
  const [trusted] = run(['ledger', 'keygen', '--out', join(folder, 'other-keys')]).json();
  const out = join(folder, 'set.snap');
  const [written] = run(['ledger', 'snapshot', '--out', out, '--sign-key', keys.privateKey]).json();
  const [verified] = run(['ledger', 'verify']).json();
  expect(verified).toMatchObject({ sound: true, stateDigest: written.stateDigest });

  const [decision] = optgate(['check', '--set', out], bid({ device: { ifa: MAID } })).json();
  expect(decision).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], seq: written.seq });

  const live = (...more: string[]) => optgate(['follow', '--from', `file:${out}`, '--until-live', '--json', ...more]);
  expect(live('--trust-key', keys.publicKey).json()).toMatchObject([{ state: 'live', seq: written.seq }]);
  const refused = live('--trust-key', trusted.publicKey, '--wait', '500ms');
  expect([refused.status, refused.json().at(-1).state]).toEqual([3, 'empty']);
  expect(refused.stderr).toMatch(/not live after 0\.5 s: empty; signature\.unknown_key/);
});

test('new-epoch: the history is another one, the state is the same', () => {
  const [before] = run(['ledger', 'verify']).json();
  const [{ epoch }] = run(['ledger', 'new-epoch']).json();
  expect(statusOf('maid', MAID).token).toMatch(new RegExp(`^${epoch}\\.1$`));
  expect(run(['ledger', 'verify']).json()[0]).toEqual(before);
});

test('no clear value is in any file of the ledger', () => {
  const files = readdirSync(String(env.OPTGATE_LEDGER), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  expect(files.some((bytes) => bytes.includes('pubcid.org'))).toBe(true); // kinds are kept as they are
  expect(files.filter((bytes) => bytes.includes(EMAIL) || bytes.includes('person-4999'))).toEqual([]);
});
