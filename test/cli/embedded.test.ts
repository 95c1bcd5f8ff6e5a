/**
 * The commands on an embedded ledger, one after the other, on one folder. What is the same for every ledger is tested
 * with PostgreSQL, which is opened sooner.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bid, optgate, startOptgate } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const OTHER_MAID = '11111111-8246-4ba4-ae5b-76104861e7dc';
const SECRET = 'not-an-e-mail-SECRET';
let folder = '';
let env: NodeJS.ProcessEnv = {};
const run = (args: readonly string[], input: string | Uint8Array = '') => optgate(args, input, { env });
const inFolder = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-embedded-'));
  env = { ...process.env, OPTGATE_LEDGER: inFolder('ledger') };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the first opt-out makes the ledger, and says so', async () => {
  const { status, stderr, lines, json } = await run(
    ['opt-out', '--kind', 'maid', '-', '--channel', 'web_form'],
    `${MAID}\n`,
  );
  expect([status, lines.length, stderr]).toEqual([0, 1, `optgate: making a new ledger in ${inFolder('ledger')}\n`]);
  const [receipt] = json();
  expect(Object.keys(receipt)).toEqual(['requestId', 'token', 'receivedAt', 'noAskUntil', 'repeat']);
  expect(receipt).toMatchObject({ token: expect.stringMatching(/^[\w-]+\.1$/), repeat: false });
});

test('import: bad rows are told with their line and never their value; the same file again is the same request', async () => {
  const people = Array.from({ length: 5_000 }, (_, index) => `account:shop,person-${index},\n`).join('');
  const faulty = `fax,${SECRET},\nemail_sha256,${SECRET},\nmaid,${MAID},sell\nmaid,"${SECRET}\naccount:optgate-canary,${SECRET},\n`;
  writeFileSync(inFolder('list.csv'), `kind,value,rights\nmaid,${OTHER_MAID},sale\n${faulty}${people}`);
  const first = await run(['import', inFolder('list.csv')]);
  expect(first.stderr.split('\n').map((line) => line.split(':').slice(0, 2).join(':'))).toEqual([
    'line 3: kind',
    'line 4: value',
    'line 5: rights',
    'line 6: line',
    'line 7: kind',
    '',
  ]);
  expect(first.stderr).not.toContain(SECRET);
  const [summary] = first.json();
  const counts = { rowCount: 5_006, identifierCount: 5_001, refusedCount: 5 };
  expect([first.status, summary]).toMatchObject([1, { ...counts, repeat: false }]);

  const again = await run(['import', inFolder('list.csv')]);
  expect([again.status, again.json()[0]]).toEqual([1, { ...summary, repeat: true }]);
  expect(again.stderr).toMatch(/imported before/);
  expect((await run(['status', '--kind', 'maid', OTHER_MAID])).json()[0]).toMatchObject({ rights: ['sale'] });
});

test('while a process has the folder others are told what to do; it ends on SIGINT with its last word', async () => {
  const follow = startOptgate(['follow', '--from', inFolder('ledger'), '--json'], { env });
  await follow.until('stdout', /"state":"live"/);
  const locked = await run(['opt-out', '--kind', 'maid', MAID]);
  expect([locked.status, locked.stdout]).toEqual([3, '']);
  expect(locked.stderr).toMatch(/ledger\.locked: .*; .*write through the process that has it.*PostgreSQL\n$/);
  const linesBefore = follow.said.stdout.split('\n').length;
  follow.kill('SIGINT');
  expect(await follow.ended).toBe(0);
  expect([follow.said.stdout.split('\n').length, follow.said.stderr]).toEqual([linesBefore + 1, '']);
});

test('a snapshot holds everything that was recorded; a follower of the file is live, and refuses what it does not trust', async () => {
  const [keys] = (await run(['ledger', 'keygen', '--out', inFolder('keys')])).json();
  const [others] = (await run(['ledger', 'keygen', '--out', inFolder('other-keys')])).json();
  const out = inFolder('set.snap');
  const [written] = (await run(['ledger', 'snapshot', '--out', out, '--sign-key', keys.privateKey])).json();
  const verified = await run(['ledger', 'verify']);
  expect([verified.status, verified.json()]).toMatchObject([0, [{ sound: true, stateDigest: written.stateDigest }]]);

  const [decision] = (await optgate(['check', '--set', out], bid({ device: { ifa: MAID } }))).json();
  expect(decision).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], seq: written.seq });

  const live = (...more: string[]) => optgate(['follow', '--from', `file:${out}`, '--until-live', '--json', ...more]);
  expect((await live('--trust-key', keys.publicKey)).json()).toMatchObject([{ state: 'live', seq: written.seq }]);
  const refused = await live('--trust-key', others.publicKey, '--wait', '2s');
  expect([refused.status, refused.json().at(-1).state]).toEqual([3, 'empty']);
  expect(refused.stderr).toMatch(/not live after 2 s: empty; signature\.unknown_key/);
});

test('no clear value is in any file of the ledger', async () => {
  const files = readdirSync(inFolder('ledger'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  const holding = (text: string) => files.filter((bytes) => bytes.includes(text)).length;
  expect(holding('web_form')).toBeGreaterThan(0); // words of the request are there as they are
  expect([holding('person-4999'), holding(MAID), holding(MAID.replaceAll('-', '')), holding(SECRET)]).toEqual([
    0, 0, 0, 0,
  ]);
});
