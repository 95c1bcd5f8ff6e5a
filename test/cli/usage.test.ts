/**
 * The commands on a ledger, given something wrong: the field is named, the value is not, and nothing is made or written.
 * @module
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optgate } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const SECRET = 'jane-hunter2@example.com';
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-usage-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run whose ledger would be made if it got that far. */
async function run(args: readonly string[], input: string | Uint8Array = '') {
  const ledger = join(folder, 'ledger');
  const result = await optgate(args, input, { env: { ...process.env, OPTGATE_LEDGER: ledger } });
  expect(existsSync(ledger)).toBe(false);
  expect(result.stderr).not.toContain(SECRET);
  expect(result.stderr).not.toContain(MAID);
  return result;
}

describe('help', () => {
  test.each(['opt-out', 'opt-in', 'import', 'status', 'publish', 'follow', 'ledger'])('%s --help', async (name) => {
    const { status, stdout, stderr } = await run([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: optgate/);
    for (const part of [/Options:/, /Examples:/, /Exit codes:/]) expect(stdout).toMatch(part);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(125);
  });
  test('the list of commands is grouped', async () => {
    expect((await run(['--help'])).stdout).toMatch(
      /Decide:[\s\S]*check[\s\S]*Record:[\s\S]*opt-out[\s\S]*Sync:[\s\S]*Ledger:/,
    );
  });
});

describe('an opt-out that is none', () => {
  const LONG = `${'x'.repeat(10 * 2 ** 20)}`;
  test.each([
    ['no kind', ['opt-out', SECRET], /expected --kind KIND/],
    ['no value', ['opt-out', '--kind', 'email'], /expected a VALUE/],
    ['a kind too many', ['opt-out', '--kind', 'email', '--kind', 'maid', SECRET], /one VALUE for each --kind/],
    ['an unknown kind', ['opt-out', '--kind', 'fax', SECRET], /^optgate opt-out: --kind: expected one of email, phone/],
    [
      'an unknown second kind',
      ['opt-out', '--kind', 'maid', '--kind', 'fax', MAID, '1'],
      /: --kind 2: expected one of/,
    ],
    ['a malformed digest', ['opt-out', '--kind', 'email_sha256', SECRET], /: value: expected a SHA-256 digest/],
    ['an empty value', ['opt-out', '--kind', 'email', ' '], /: value: expected a value/],
    [
      'nobody',
      ['opt-out', '--kind', 'maid', '00000000-0000-0000-0000-000000000000'],
      /: value: expected .* one person/,
    ],
    ['a reserved kind', ['opt-out', '--kind', 'account:optgate-canary', 'x'], /: --kind: expected a name space/],
    ['an unknown right', ['opt-out', '--kind', 'email', SECRET, '--rights', 'sell'], /: --rights: expected some of/],
    ['no right', ['opt-out', '--kind', 'email', SECRET, '--rights', ''], /: --rights: expected some of/],
    [
      'an unknown channel',
      ['opt-out', '--kind', 'email', SECRET, '--channel', 'fax'],
      /: --channel: expected one of gpc/,
    ],
    ['an unknown scope', ['opt-out', '--kind', 'email', SECRET, '--scope', 'all'], /: --scope: expected one of person/],
    ['a state in words', ['opt-out', '--kind', 'email', SECRET, '--state', 'Ohio'], /: --state: expected a state/],
    [
      'the future',
      ['opt-out', '--kind', 'email', SECRET, '--received', '2999-01-01T00:00:00Z'],
      /: --received: .*has been/,
    ],
    [
      'a time without a zone',
      ['opt-out', '--kind', 'email', SECRET, '--received', '2026-11-20T10:00'],
      /: --received: /,
    ],
    ['no such day', ['opt-out', '--kind', 'email', SECRET, '--received', '2026-13-01T00:00:00Z'], /: --received: /],
    [
      'an empty idempotency key',
      ['opt-out', '--kind', 'email', SECRET, '--idempotency-key', ''],
      /: --idempotency-key: /,
    ],
    ['two values from standard input', ['opt-out', '--kind', 'maid', '--kind', 'email', '-', '-'], /only one VALUE/],
    ['an opt-in of an unknown kind', ['opt-in', '--kind', 'fax', SECRET], /: --kind: expected one of/],
    ['a confirmation without a code', ['opt-in', '--confirm', 'r_x'], /--confirm REQUEST_ID CODE/],
    ['a confirmation with more', ['opt-in', '--confirm', 'r_x', 'c', '--kind', 'maid'], /unknown option --kind/],
    ['a status of two', ['status', '--kind', 'email', '--kind', 'email', SECRET, SECRET], /expected one VALUE/],
    ['a status of a malformed value', ['status', '--kind', 'maid', SECRET], /: value: expected a UUID/],
    ['a request that is none', ['status', '--request', SECRET], /--request: expected r_/],
    [
      'a ledger that is none',
      ['status', '--kind', 'maid', MAID, '--ledger', `mysql://a:${SECRET}@b/c`],
      /not mysql:$/m,
    ],
    ['nowhere to publish to', ['publish'], /--to nats:/],
    ['no NATS to publish to', ['publish', '--to', `https://${SECRET}/x`], /--to: expected nats:\/\/ or tls:\/\//],
    [
      'a period that is none',
      ['publish', '--to', 'nats://x/y', '--snapshot-every', 'often'],
      /--snapshot-every: expected/,
    ],
    ['nothing to follow', ['follow'], /expected --from URL/],
    ['nothing that can be followed', ['follow', '--from', `mysql://a:${SECRET}@b/c`], /--from: expected a folder, or/],
    ['a wait for nothing', ['follow', '--from', 'nats://x/y', '--wait', '1s'], /--wait goes with --until-live/],
    ['a ledger command that is none', ['ledger', 'drop'], /expected "migrate", "snapshot"/],
    ['a snapshot nowhere', ['ledger', 'snapshot'], /expected --out FILE/],
    ['keys nowhere', ['ledger', 'keygen'], /expected --out DIR/],
    ['a list of unknown format', ['import', 'optouts.txt'], /--format csv\|ndjson/],
    ['a pipe read twice', ['import', '--strict', '--format', 'csv', '-'], /--strict reads LIST twice/],
  ] as const)('%s: exit 2', async (_, args, message) => {
    const { status, stdout, stderr } = await run(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
  test('10 MB through standard input', async () => {
    const { status, stderr } = await run(['opt-out', '--kind', 'email', '-'], LONG);
    expect([status, stderr.split('\n')[0]]).toEqual([2, 'optgate opt-out: value: expected at most 2048 characters']);
  });
  test('a value from standard input that is no text', async () => {
    const { status, stderr } = await run(['opt-out', '--kind', 'email', '-'], Buffer.from([0x6a, 0xff, 0x40]));
    expect([status, stderr.split('\n')[0]]).toEqual([2, 'optgate opt-out: value: expected UTF-8']);
  });
});

describe('exit 3, and no ledger made', () => {
  test.each([
    ['status', ['status', '--kind', 'maid', MAID]],
    ['opt-in', ['opt-in', '--kind', 'maid', MAID]],
    ['publish', ['publish', '--to', 'nats://127.0.0.1:1/x']],
    ['verify', ['ledger', 'verify']],
    ['snapshot', ['ledger', 'snapshot', '--out', 'x.snap']],
    ['enforcers', ['ledger', 'enforcers']],
    ['new-epoch', ['ledger', 'new-epoch']],
  ] as const)('%s where there is no ledger', async (_, args) => {
    const { status, stderr } = await run(args);
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/: there is no ledger in .*"optgate ledger migrate"\n$/),
    ]);
  });
  test.each([
    ['a header that is none', `maid,${MAID},\n`, /header/],
    ['no rows', 'kind,value,rights\n', /the list has no rows; nothing was recorded/],
    ['line ends of a lone CR', `kind,value\rmaid,${MAID}\r`, /carriage return/],
  ])('an import of %s', async (_, list, message) => {
    const path = join(folder, 'list.csv');
    writeFileSync(path, list);
    const { status, stderr } = await run(['import', path]);
    expect([status, stderr]).toEqual([3, expect.stringMatching(message)]);
  });
  test('a list that is not there', async () => {
    expect(await run(['import', 'nowhere.csv'])).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/ENOENT.*nowhere/),
    });
  });
  test('--strict: every fault is told, nothing is recorded', async () => {
    const path = join(folder, 'strict.ndjson');
    writeFileSync(path, `{"kind":"maid","value":"${MAID}"}\n{"kind":"fax","value":"1"}\nno\n`);
    const { status, stderr } = await run(['import', '--strict', path]);
    expect([status, stderr.split('\n')]).toEqual([
      3,
      [
        expect.stringMatching(/^line 2: kind: expected one of/),
        'line 3: line: the line is not JSON',
        'optgate import: 2 of 3 rows cannot be used; nothing was recorded (--strict)',
        '',
      ],
    ]);
  });
  test('a key file that is no key', async () => {
    const path = join(folder, 'key.pem');
    writeFileSync(path, SECRET);
    for (const args of [
      ['publish', '--to', 'nats://127.0.0.1:1/x', '--sign-key', path],
      ['follow', '--from', 'nats://127.0.0.1:1/x', '--trust-key', path],
    ]) {
      expect(await run(args)).toMatchObject({ status: 3, stderr: expect.stringMatching(/key\.pem: signature\.key: /) });
    }
  });
});

test('keygen: a pair, the private key for its owner alone, never overwritten', async () => {
  const keys = join(folder, 'keys');
  const { status, json } = await run(['ledger', 'keygen', '--out', keys]);
  const [{ keyId, privateKey, publicKey }] = json();
  expect([status, keyId]).toEqual([0, expect.stringMatching(/^[0-9a-f]{16}$/)]);
  expect(statSync(privateKey).mode & 0o777).toBe(0o600);
  expect(readFileSync(publicKey, 'utf8')).toMatch(/BEGIN PUBLIC KEY/);
  const before = readFileSync(privateKey, 'utf8');
  expect(await run(['ledger', 'keygen', '--out', keys])).toMatchObject({ status: 3, stdout: '' });
  rmSync(privateKey);
  expect(await run(['ledger', 'keygen', '--out', keys])).toMatchObject({ status: 3, stdout: '' });
  expect(readdirSync(keys)).toEqual(['optgate-signing.pub.pem']);
  expect(before).toMatch(/BEGIN PRIVATE KEY/);
});

/** The files of ours that some commands load at their start, and the packages. */
function loadedBy(...names: readonly string[]): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\b(?! type)[^;]*?from '([^']+)';/gms)) {
      if (specifier.startsWith('.')) visit(normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts'));
      else if (!specifier.startsWith('node:')) packages.add(specifier);
    }
  };
  for (const name of names) visit(`src/cli/${name}.ts`);
  return { files, packages };
}

test('deciding loads neither the ledger nor the sync, and no schema library', () => {
  const { files, packages } = loadedBy('main', 'check', 'restrict', 'explain', 'set');
  expect(files.size).toBeGreaterThan(30);
  expect([...files].filter((file) => /^src\/(?:ledger|sync)\//.test(file))).toEqual([]);
  expect([...packages].sort()).toEqual(['libphonenumber-js/min', 'lru-cache']);
});
test('help, and a question to a sidecar, load no package at all', () => {
  expect([...loadedBy('main', 'health').packages]).toEqual([]);
});
