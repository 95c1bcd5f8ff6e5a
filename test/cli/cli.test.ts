/**
 * The commands as a user runs them: real files, real pipes, and the same answers from a process.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bid, MAIN, optgate, optgateProcess } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('help and usage', () => {
  test.each(['check', 'restrict', 'explain', 'set'])('%s --help shows usage, examples and exit codes', async (name) => {
    const { status, stdout, stderr } = await optgate([name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: optgate/);
    expect(stdout).toMatch(/Examples?:/);
    expect(stdout).toMatch(/Exit codes:/);
  });
  test('the list of commands, the version', async () => {
    expect(await optgate(['--help'])).toMatchObject({ status: 0, stderr: '' });
    expect((await optgate(['--version'])).stdout.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  });
  test.each([
    [[], /Usage/],
    [['chek'], /no command "chek"/],
    [['check', '--polcy', 'x'], /polcy/],
    [['check', 'file.ndjson'], /standard input/],
    [['check', '--state', 'California'], /--state/],
    [['restrict', '--with-request'], /belongs to/],
    [['explain'], /expected a STRING/],
    [['explain', 'a', 'b'], /one STRING/],
    [['explain', '--batch', '--gpc', '1'], /--gpc does not go with --batch/],
    [['explain', '1YNN', '--us-privacy', '1YYN'], /one US Privacy string/],
    [['set'], /build/],
    [['set', 'build', 'x.csv'], /--out/],
    [['set', 'build', '--out', 'x', 'list.txt'], /--format/],
    [['set', 'build', '--out', 'x', '--seq', '-1', 'list.csv'], /seq/],
    [['set', 'lookup', 'x'], /expected FILE and VALUE/],
  ] as const)('%j is wrong usage', async (args, message) => {
    const { status, stderr, stdout } = await optgate(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
  test.each([
    [['check', '--policy', 'nowhere.json'], /nowhere\.json/],
    [['check', '--set', 'nowhere.snap'], /nowhere\.snap/],
    [['set', 'build', '--out', 'x.snap', 'nowhere.csv'], /nowhere\.csv/],
    [['set', 'info', 'package.json'], /package\.json/],
  ] as const)('%j: a file fails', async (args, message) => {
    const { status, stderr } = await optgate(args);
    expect(status).toBe(3);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/at .*\.js:/);
  });
  test('a bad policy names the path', async () => {
    const policy = file('bad-policy.json', '{"gpp":{"sectionMising":"ignore"}}');
    expect(await optgate(['check', '--policy', policy])).toMatchObject({ status: 3 });
    expect((await optgate(['check', '--policy', policy])).stderr).toMatch(/gpp\.sectionMising: unknown key/);
  });
});

test('as a process: the same words and exit codes', async () => {
  const input = `${bid({ regs: { us_privacy: '1YYN' } })}\nnot json\n`;
  for (const [status, args] of [
    [0, ['check', '--help']],
    [1, ['check']],
    [2, ['check', '--polcy', 'x']],
    [3, ['check', '--set', 'nowhere.snap']],
  ] as const) {
    const { stdout, stderr } = await optgate(args, input);
    expect(optgateProcess(args, input)).toMatchObject({ status, stdout, stderr });
    expect(stdout + stderr).not.toBe('');
  }
});

describe('check', () => {
  test('one answer a line, errors in their place, exit 1 at the end', async () => {
    const input = `${bid({ regs: { us_privacy: '1YYN' } })}\nnot json\n${bid({})}\n{"no":"request"}\n\n${bid({ regs: { coppa: 1 } })}`;
    const { status, json } = await optgate(['check'], input);
    expect(status).toBe(1);
    const answers = json();
    expect(answers.map((answer) => answer.error ?? answer.reasons)).toEqual([
      ['usp.sale_opt_out'],
      { code: 'json.invalid', line: 2 },
      [],
      { code: 'request.invalid', line: 4 },
      { code: 'json.invalid', line: 5 },
      ['coppa'],
    ]);
    expect(Object.keys(answers[0])).toEqual(['action', 'strip', 'reasons', 'seq', 'stale']);
  });
  test('no input is no answer', async () => expect(await optgate(['check'])).toMatchObject({ status: 0, stdout: '' }));
  test('bytes that are not UTF-8', async () => {
    expect((await optgate(['check'], Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d, 0x0a]))).json()).toEqual([
      { error: { code: 'json.not_utf8', line: 1 } },
    ]);
  });
  test('Windows line ends', async () =>
    expect(await optgate(['check'], `${bid({})}\r\n`)).toMatchObject({ status: 0 }));
  test('a line longer than the limit is refused, the next one is not', async () => {
    const { json } = await optgate(['check'], `${'x'.repeat(17 * 1024 * 1024)}\n${bid({})}\n`);
    expect(json().map((answer) => answer.error?.code ?? answer.action)).toEqual(['line.too_long', 'allow']);
  });
  test('--with-request: as it may go out, null where blocked', async () => {
    const policy = file(
      'policy.json',
      JSON.stringify({ version: 'p1', destinations: [{ id: 'strict', whenOptedOut: 'block' }] }),
    );
    const input = bid({ regs: { ext: { gpc: '1' } }, device: { ifa: MAID } });
    const [restricted] = (await optgate(['check', '--with-request'], input)).json();
    expect(restricted.request).toEqual({ id: 'r', imp: [{ id: '1' }], regs: { ext: { gpc: '1' } } });
    const [blocked] = (
      await optgate(['check', '--with-request', '--policy', policy, '--destination', 'strict'], input)
    ).json();
    expect(blocked).toMatchObject({ action: 'block', request: null });
    const [allowed] = (await optgate(['check', '--with-request'], bid({ device: { ifa: MAID } }))).json();
    expect(allowed.request.device.ifa).toBe(MAID);
  });
  test('--sec-gpc and --state', async () => {
    expect((await optgate(['check', '--sec-gpc', '1', '--state', 'CA'], bid({}))).json()[0].reasons).toEqual([
      'gpc.header',
    ]);
  });
  test('an unknown destination is said once on standard error, and in the reasons', async () => {
    const { stderr, json } = await optgate(['check', '--destination', 'nobody'], bid({}));
    expect(stderr).toMatch(/nobody is not in the policy/);
    expect(json()[0].reasons).toEqual(['destination.unknown']);
  });
  test('a reader that closes the pipe ends the run quietly', async () => {
    const child = spawn('bash', [
      '-c',
      `yes '${bid({})}' | head -200000 | ${process.execPath} ${MAIN} check | head -1; echo "\${PIPESTATUS[2]}"`,
    ]);
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    let err = '';
    child.stderr.on('data', (chunk) => (err += chunk));
    await new Promise((resolve) => child.on('close', resolve));
    expect(out.trim().split('\n').at(-1)).toBe('0');
    expect(err).toBe('');
  });
});

test('restrict hears the same options as check', async () => {
  const blocking = { version: 'p', destinations: [{ id: 'strict', whenOptedOut: 'block' }] };
  const policy = file('blocking.json', JSON.stringify(blocking));
  const opted = bid({ regs: { ext: { gpc: '1' } }, device: { ifa: MAID } });
  expect((await optgate(['restrict', '--policy', policy, '--destination', 'strict'], opted)).stdout).toBe('');
  expect((await optgate(['restrict', '--sec-gpc', '1'], bid({ device: { ifa: MAID } }))).stdout).not.toContain(MAID);
  const byState = file('by-state.json', JSON.stringify({ version: 'p', honor: 'by_state' }));
  expect((await optgate(['restrict', '--policy', byState, '--state', 'VA'], opted)).stdout).toContain(MAID);
  expect((await optgate(['restrict', '--policy', byState, '--state', 'CA'], opted)).stdout).not.toContain(MAID);
});

test('explain for a person hears --gpc and --us-privacy', async () => {
  const explained = async (...args: string[]) =>
    (await optgate(['explain', 'DBABLA~BVVqAAAAAgA', '--gpp-sid', '7', ...args])).stdout;
  expect(await explained()).toMatch(/=> allow/);
  expect(await explained('--gpc', '1')).toMatch(/=> restrict[\s\S]*gpc\.regs/);
  expect(await explained('--us-privacy', '1YYN')).toMatch(/=> restrict[\s\S]*usp\.sale_opt_out/);
});

test('an NDJSON row that is not JSON is reported with its line', async () => {
  const list = file('rows.ndjson', `{"kind":"maid","value":"${MAID}"}\nnot json\n`);
  const { status, stderr, json } = await optgate(['set', 'build', '--out', join(folder, 'rows.snap'), list]);
  expect([status, json()[0].refusedCount]).toEqual([1, 1]);
  expect(stderr).toMatch(/^line 2: /);
});

test('restrict passes on only what may go out', async () => {
  const input = [
    bid({ device: { ifa: MAID } }),
    bid({ regs: { us_privacy: '1YYN' }, device: { ifa: MAID } }),
    'junk',
  ].join('\n');
  const { status, json, stderr } = await optgate(['restrict'], input);
  expect(status).toBe(1);
  expect(json().map((request) => request.device)).toEqual([{ ifa: MAID }, undefined]);
  expect(stderr).toMatch(
    /\{"error":\{"code":"json\.invalid","line":3\}\}\n3 lines: 1 allowed, 1 restricted, 0 blocked, 1 refused/,
  );
});

describe('explain', () => {
  const batch = async (...lines: readonly unknown[]) =>
    optgate(['explain', '--batch'], lines.map((line) => JSON.stringify(line)).join('\n'));

  test('fields under their specification names; an absent GPC sub-section leaves Gpc out', async () => {
    const [withGpc, without] = (
      await batch({ gpp: 'DBABLA~BVVqAAAAAgA.YA', gpp_sid: [7] }, { gpp: 'DBABLA~BVVqAAAAAgA', gpp_sid: [7] })
    ).json();
    expect(withGpc.sections.usnat).toMatchObject({ SaleOptOut: 2, Gpc: true });
    expect(withGpc).toMatchObject({ action: 'restrict', reasons: ['gpp.usnat.gpc'] });
    expect(without.sections.usnat).not.toHaveProperty('Gpc');
    expect(without).toMatchObject({ action: 'allow', strip: [], reasons: [] });
  });
  test('malformed, with code and place, beside what policy makes of it', async () => {
    const rows = (
      await batch(
        { gpp: 'DBABLA~', gpp_sid: [7] },
        { gpp: '', gpp_sid: [7] },
        { gpp: 'DBABLA~BVV' },
        { gpp: 5 },
        { us_privacy: '1YZ' },
      )
    ).json();
    expect(rows.map(({ malformed, action }) => [malformed.code, typeof malformed.at, action])).toEqual([
      ['section_blank', 'number', 'restrict'],
      ['empty', 'number', 'restrict'],
      ['section_too_short', 'number', 'restrict'],
      ['not_a_string', 'number', 'restrict'],
      ['us_privacy', 'number', 'restrict'],
    ]);
  });
  test('us_privacy and gpc', async () => {
    const [usp, gpc] = (await batch({ us_privacy: '1yyn' }, { gpc: '1' })).json();
    expect(usp).toMatchObject({
      usPrivacy: { Version: 1, OptOutSale: 'Y' },
      action: 'restrict',
      reasons: ['usp.sale_opt_out'],
    });
    expect(gpc).toMatchObject({ sections: {}, reasons: ['gpc.regs'] });
  });
  test('a line that is no object', async () =>
    expect((await batch(7)).json()).toEqual([{ error: { code: 'input.invalid', line: 1 } }]));
  test('for a person: fields, meanings, what they led to, citations', async () => {
    const { stdout, status } = await optgate(['explain', 'DBABBg~BVWSSSVY.YA', '--gpp-sid', '8']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/usca\n {2}Version +1 {2}version 1/);
    expect(stdout).toMatch(/SaleOptOut +1 {2}opted out/);
    expect(stdout).toMatch(/precise geolocation: /);
    expect(stdout).toMatch(/SaleOptOut +1 {2}opted out\n +-> gpp\.usca\.sale_opt_out/);
    expect(stdout).toMatch(/gpp\.usca\.sale_opt_out: strips ids, eids/);
    expect(stdout).toMatch(/=> restrict/);
    expect(stdout).toMatch(/gpp\.usca\.sale_opt_out: .*\n.*\n.*Civ\. Code/);
  });
  test('a US Privacy string for a person', async () => {
    expect((await optgate(['explain', '1YYN'])).stdout).toMatch(/OptOutSale +Y {2}yes[\s\S]*usp\.sale_opt_out/);
    expect((await optgate(['explain', '1YNN'])).stdout).toMatch(/=> allow\n {3}nothing in these signals/);
  });
});

describe('set', () => {
  const CSV = `kind,value,rights\nmaid,${MAID},sale|share\n"email","Jane@Example.com",\neid:pubcid.org,abc,all\n`;
  const build = (name: string, list: string, ...more: string[]) =>
    optgate(['set', 'build', '--out', join(folder, name), ...more, list]);

  test('build, info, lookup, and check with it', async () => {
    const built = await build('a.snap', file('a.csv', CSV), '--seq', '42');
    expect([built.status, built.stderr]).toEqual([0, '']);
    expect(built.json()[0]).toMatchObject({ rowCount: 3, refusedCount: 0, seq: 42 });

    const [info] = (await optgate(['set', 'info', join(folder, 'a.snap')])).json();
    expect(info).toMatchObject({ seq: 42, entryCount: built.json()[0].entryCount });
    expect(info.kinds).toEqual(expect.arrayContaining(['maid', 'email', 'email_sha256', 'eid']));

    const lookup = async (kind: string, value: string) =>
      (await optgate(['set', 'lookup', join(folder, 'a.snap'), '--kind', kind, value])).json()[0];
    expect(await lookup('maid', MAID.toUpperCase())).toEqual({ suppressed: true, rights: ['sale', 'share'], seq: 42 });
    expect((await lookup('email', 'jane@example.com')).suppressed).toBe(true);
    expect(await lookup('email', 'joan@example.com')).toEqual({ suppressed: false, rights: [], seq: 42 });

    const [answer] = (await optgate(['check', '--set', join(folder, 'a.snap')], bid({ device: { ifa: MAID } }))).json();
    expect(answer).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], seq: 42, stale: false });
  });
  test('NDJSON, rights as an array, from standard input', async () => {
    const list = [
      `{"kind":"maid","value":"${MAID}","rights":["sale"]}`,
      `{"kind":"maid","value":"${MAID}","rights":"share"}`,
    ].join('\n');
    const built = await optgate(['set', 'build', '--out', join(folder, 'n.snap'), '--format', 'ndjson', '-'], list);
    expect(built.status).toBe(0);
    expect(
      (await optgate(['set', 'lookup', join(folder, 'n.snap'), '--kind', 'maid', '-'], `${MAID}\n`)).json()[0].rights,
    ).toEqual(['sale', 'share']);
  });
  test('bad rows are reported with line and field, never with the value; the rest is entered', async () => {
    const secret = 'not-an-e-mail-SECRET';
    const list = file(
      'bad.csv',
      `kind,value,rights\nmaid,${MAID},sale\nfax,${secret},\nemail_sha256,${secret},\nmaid,${MAID},sell\nmaid,00000000-0000-0000-0000-000000000000,\n"maid,${secret}\n`,
    );
    const built = await build('bad.snap', list);
    expect(built.status).toBe(1);
    expect(built.stderr.split('\n').map((line) => line.split(':').slice(0, 2).join(':'))).toEqual([
      'line 3: kind',
      'line 4: value',
      'line 5: rights',
      'line 6: value',
      'line 7: line',
      '',
    ]);
    expect(built.stderr).not.toContain(secret);
    expect(built.json()[0]).toMatchObject({ rowCount: 6, refusedCount: 5 });
    expect(
      (await optgate(['set', 'lookup', join(folder, 'bad.snap'), '--kind', 'maid', MAID])).json()[0].suppressed,
    ).toBe(true);
  });
  test('--strict writes nothing when a row was refused, and leaves no temporary file', async () => {
    const built = await build('strict.snap', file('strict.csv', 'kind,value\nfax,1\n'), '--strict');
    expect(built.status).toBe(3);
    expect(existsSync(join(folder, 'strict.snap'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('strict.snap'))).toEqual([]);
  });
  test('--exact enters the own key only', async () => {
    const entries = async (...more: string[]) =>
      (await build('x.snap', file('x.csv', `kind,value\nmaid,${MAID}\n`), ...more)).json()[0].entryCount;
    expect(await entries('--exact')).toBe(1);
    expect(await entries()).toBeGreaterThan(10);
  });
  test('a CSV without its header', async () => {
    expect((await build('h.snap', file('h.csv', `maid,${MAID}\n`))).stderr).toMatch(/header/);
    expect((await build('h.snap', file('e.csv', ''))).stderr).toMatch(/header/);
  });
  test('a damaged file is refused', async () => {
    const path = join(folder, 'damaged.snap');
    await build('damaged.snap', file('d.csv', CSV));
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await optgate(['check', '--set', path], bid({}))).toMatchObject({ status: 3, stdout: '' });
  });
  test('a folder that does not exist', async () => {
    const built = await optgate(['set', 'build', '--out', join(folder, 'no', 'where.snap'), file('f.csv', CSV)]);
    expect(built.status).toBe(3);
  });
});
