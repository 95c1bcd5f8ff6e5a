// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is what variables look like in the file
/**
 * The configuration: which place wins, where each value came from, and that whatever is wrong is told with its path.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  ConfigError,
  type ConfigSources,
  originText,
  resolveConfig,
  SETTING_NAMES,
  settingOf,
  variableOf,
} from '../../src/sidecar/config.js';
import { optgate } from '../cli/run.js';

const folder = mkdtempSync(join(tmpdir(), 'optgate-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let fileCount = 0;
function file(text: string): string {
  const path = join(folder, `config-${fileCount++}.yaml`);
  writeFileSync(path, text);
  return path;
}

function faults(sources: ConfigSources): string[] {
  try {
    resolveConfig(sources);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replaceAll(folder, ''));
  }
}

describe('which place wins', () => {
  const path = file('workers: 2\nname: from-file\ndata:\n  listen: [127.0.0.1:1, "[::1]:2", /run/o.sock]\n');
  const env = { OPTGATE_WORKERS: '3', OPTGATE_DATA_LISTEN: '127.0.0.1:9,localhost:10' };
  const flags = new Map([['workers', { value: '4', flag: '--workers' }]] as const);

  test('defaults, and the ledger there is unless told', () => {
    const { config, origins } = resolveConfig({});
    expect(config).toMatchObject({ workers: 1, ledger: './.optgate', from: null, 'shutdown.deadline': 15_000 });
    expect(new Set(Object.values(origins).map(originText))).toEqual(new Set(['default']));
  });
  test('file over defaults, with the line', () => {
    const { config, origins } = resolveConfig({ file: path });
    expect([config.workers, originText(origins.workers)]).toEqual([2, `${path}:1`]);
    expect(originText(origins['data.listen'])).toBe(`${path}:4`);
    expect(config['data.listen']).toEqual([
      { kind: 'tcp', host: '127.0.0.1', port: 1 },
      { kind: 'tcp', host: '::1', port: 2 },
      { kind: 'unix', path: '/run/o.sock' },
    ]);
  });
  test('environment over file, flags over environment', () => {
    const { config, origins } = resolveConfig({ file: path, env, flags });
    expect([config.workers, originText(origins.workers)]).toEqual([4, '--workers']);
    expect([config.name, config['data.listen'].length, originText(origins['data.listen'])]).toEqual([
      'from-file',
      2,
      'OPTGATE_DATA_LISTEN',
    ]);
  });
  test('the file itself may be named by the environment', () => {
    expect(resolveConfig({ env: { OPTGATE_CONFIG: path } }).config.workers).toBe(2);
  });
  test('a ledger for other commands in the environment does not speak against --from', () => {
    const from = new Map([['from', { value: 'nats://n/s', flag: '--from' }]] as const);
    const { config } = resolveConfig({ env: { OPTGATE_LEDGER: './x' }, flags: from });
    expect([config.ledger, config.from]).toEqual([null, 'nats://n/s']);
    expect(faults({ env: { OPTGATE_LEDGER: './x', OPTGATE_FROM: 'nats://n/s' } })).toEqual([
      'from: expected a ledger or a source, not both',
    ]);
  });
  test('an empty variable is one that is not set', () => {
    expect(resolveConfig({ env: { OPTGATE_WORKERS: '' } }).config.workers).toBe(1);
  });
  test('JSON is YAML', () => {
    const json = file(JSON.stringify({ workers: 2, limits: { http: { bodyBytesMax: '2MiB' } } }));
    expect(resolveConfig({ file: json }).config).toMatchObject({ workers: 2, 'limits.http.bodyBytesMax': 2_097_152 });
  });
});

describe('values', () => {
  test.each([
    ['shutdown.deadline', '30s', 30_000],
    ['shutdown.deadline', '5m', 300_000],
    ['shutdown.drainDelay', 0, 0],
    ['limits.socket.frameBytesMax', '64KiB', 65_536],
    ['limits.socket.frameBytesMax', 1024, 1024],
    ['intake.canaryEvery', 'off', null],
    ['intake.canaryEvery', false, null],
    ['socketMode', '0600', 0o600],
    ['decisionLog.sample', 'non_allow', 'non_allow'],
    ['decisionLog.sample', '0.25', 0.25],
    ['socket.listen', 'off', []],
    ['relay.enabled', 'true', true],
  ] as const)('%s: %s', (name, value, expected) => {
    expect(resolveConfig({ settings: { name: 'x', [name]: value } }).config[name]).toEqual(expected);
  });
  test.each([
    ['shutdown.deadline', '30', /shutdown.deadline: expected a duration, such as/],
    ['shutdown.deadline', '60d', /expected a duration from 100ms to/],
    ['limits.http.bodyBytesMax', '1MB', /expected a size, such as/],
    ['workers', 0, /expected a whole number from 1 to 64/],
    ['workers', '1.5', /expected a whole number/],
    ['socketMode', 660, /expected a file mode in quotes/],
    ['data.listen', ['hunter2'], /data.listen\[0\]: expected HOST:PORT/],
    ['data.listen', ['127.0.0.1:65536'], /data.listen\[0\]: expected HOST:PORT/],
    ['data.listen', [`/${'x'.repeat(200)}`], /data.listen\[0\]: expected HOST:PORT/],
    ['from', 'ftp://hunter2', /from: expected postgres:, postgresql:, nats:/],
    ['from', 'postgres://u:hunter2#@h/x', /the URL cannot be read; is its password percent-encoded/],
    ['ledger', 'mysql://hunter2', /ledger: expected a folder, or postgres:/],
    ['policy', 'a\nhunter2', /policy: expected 1 to 4096 characters on one line/],
    ['log.level', 'hunter2', /log.level: expected one of debug, info/],
    ['relay.enabled', 'hunter2', /relay.enabled: expected true or false, or off/],
    ['source.maxShrink', 1.1, /source.maxShrink: expected a number from 0 to 1/],
  ] as const)('%s: %s is refused, and not shown', (name, value, message) => {
    const [said = ''] = faults({ settings: { [name]: value } });
    expect(said).toMatch(message);
    expect(said).not.toContain('hunter2');
  });
  test.each([
    [{ 'control.listen': '0.0.0.0:1' }, /control.listen: beyond this machine the control plane needs tokens/],
    [{ 'control.listen': 'off', 'data.listen': 'off' }, /expected something to listen on/],
    [{ 'shutdown.drainDelay': '20s' }, /shutdown.deadline: expected more than/],
    [{ 'source.trustedKeyFiles': 'k.pem' }, /a ledger is trusted by its login/],
  ])('right one by one, wrong together: %j', (settings, message) => {
    expect(faults({ settings }).join()).toMatch(message);
  });
});

describe('what nobody knows is refused', () => {
  test('keys of the file, each with its line and path', () => {
    const path = file(
      'wokers: 2\ndata:\n  lisen: x\nlimits:\n  http:\n    bodyBytesMx: 1\n"jane@example.com": 1\nlog: 3\n',
    );
    expect(faults({ file: path })).toEqual([
      'line 1, wokers: unknown key',
      'line 3, data.lisen: unknown key',
      'line 6, limits.http.bodyBytesMx: unknown key',
      'line 7, <key of 16 characters>: unknown key',
      'line 8, log: expected a map',
    ]);
  });
  test('variables', () => {
    const known = {
      OPTGATE_TEST_POSTGRES: 'x',
      OPTGATE_SERVICE_HOST: '10.0.0.1',
      OPTGATE_PORT_8787_TCP_ADDR: '10.0.0.1',
      OPTGATE_CONTROL_SERVICE_PORT_HTTP: '1',
    };
    expect(faults({ env: { ...known, OPTGATE_WORKRES: '2', HOME: '/' } })).toEqual([
      'OPTGATE_WORKRES: there is no such setting',
    ]);
  });
  test.each([
    ['not YAML', 'a: [', /line \d+, .*: not YAML/],
    ['a key twice', 'workers: 1\nworkers: 2\n', /line 2, .*: not YAML \(duplicate key\)/],
    ['a list', '- 1', /line 1, .*: expected a map of settings/],
    ['aliases', 'name: &a x\npolicy: *a\n', /line 2, policy: no aliases/],
    ['an alias in place of a map', 'name: &a x\ndata: *a\n', /line 2, data: no aliases/],
    ['a tag of its own', 'name: !env X\n', /line 1, .*: not YAML/],
    ['no UTF-8', 'name: \xff', null],
  ])('a file that is %s', (_, text, message) => {
    const path = file(text);
    if (message === null) writeFileSync(path, Buffer.from([0x6e, 0xff]));
    expect(faults({ file: path }).join('\n')).toMatch(message ?? /ERR_ENCODING_INVALID_ENCODED_DATA|cannot be read/);
  });
  test('a file that is not there, and one that is too large', () => {
    expect(faults({ file: join(folder, 'nowhere') })).toEqual(['/nowhere: ENOENT']);
    expect(faults({ file: file('#'.repeat(2 ** 20 + 1)) }).join()).toMatch(/larger than 1 MiB/);
  });
  test('an empty file is no fault', () => expect(faults({ file: file('') })).toEqual([]));
});

describe('variables in the file', () => {
  test('are put in as text, also in lists, and only once', () => {
    const path = file(
      'name: a-${HOSTNAME}-z\ndata:\n  listen: ["127.0.0.1:${PORT}"]\nfolder: $${NOT}\nworkers: ${N}\n',
    );
    const { config } = resolveConfig({ file: path, env: { HOSTNAME: '${PORT}: [x]', PORT: '81', N: '2' } });
    expect(config).toMatchObject({ name: 'a-${PORT}: [x]-z', folder: '${NOT}', workers: 2 });
    expect(config['data.listen']).toEqual([{ kind: 'tcp', host: '127.0.0.1', port: 81 }]);
  });
  test.each([
    ['name: x${MISSING}', 'line 1, name: the variable MISSING is not set'],
    ['data:\n  listen: ["${MISSING}"]', 'line 2, data.listen[0]: the variable MISSING is not set'],
    ['name: ${}', 'line 1, name: expected the name of a variable in ${…}; write $${ for ${ itself'],
    ['name: "${A"', 'line 1, name: expected the name of a variable in ${…}; write $${ for ${ itself'],
  ])('%s', (text, message) => {
    expect(faults({ file: file(text), env: { A: 'a' } })[0]).toBe(message);
  });
  test('an empty variable is set', () => {
    expect(resolveConfig({ file: file('name: x${E}'), env: { E: '' } }).config.name).toBe('x');
  });
});

test('names: one variable for each setting, none that a Service of Kubernetes would set', () => {
  const variables = SETTING_NAMES.map(variableOf);
  expect(new Set(variables).size).toBe(variables.length);
  expect(variables).toContain('OPTGATE_LIMITS_HTTP_BODY_BYTES_MAX');
  expect(variables.filter((name) => /_(?:PORT|SERVICE_HOST)$/.test(name))).toEqual([]);
});
test('every default is a value that could be given', () => {
  for (const name of SETTING_NAMES) {
    const { fallback, show, schema } = settingOf(name);
    const shown = fallback === null ? 'off' : show(fallback);
    if (fallback === null && (name === 'ledger' || name === 'from')) continue;
    expect([name, schema.safeParse(shown).data]).toEqual([name, fallback]);
  }
});

describe('optgate config', () => {
  const run = (args: readonly string[], env = {}) =>
    optgate(['config', ...args], '', { env: { PATH: process.env.PATH, ...env } });

  test('prints every setting with its origin, and no secret', async () => {
    const { status, json } = await run(['--workers', '2', '--set', 'log.level=error', '--token-file', 't'], {
      OPTGATE_FROM: 'https://user:hunter2@host/x?token=hunter2',
      OPTGATE_CONTROL_TOKENS: 'operator hunter2',
    });
    const [{ settings }] = json();
    expect(status).toBe(0);
    expect(Object.keys(settings)).toEqual(SETTING_NAMES);
    expect(settings.from).toMatchObject({ value: 'https://host/x', origin: 'OPTGATE_FROM' });
    expect(settings['control.tokens'].value).toBe('(hidden)');
    expect(settings['log.level']).toEqual({
      value: 'error',
      origin: '--set log.level',
      variable: 'OPTGATE_LOG_LEVEL',
    });
    expect(JSON.stringify(settings)).not.toContain('hunter2');
  });
  test('exits with 2 and says everything that is wrong', async () => {
    const path = file('wokers: 2\nname: ${MISSING}\n');
    const { status, stderr, stdout } = await run(['--config', path, '--workers', '0']);
    expect([status, stdout]).toEqual([2, '']);
    for (const part of [/wokers: unknown key/, /MISSING is not set/, /--workers: expected a whole number/]) {
      expect(stderr).toMatch(part);
    }
  });
  test.each([
    [['--set', 'hunter2@example.com=1'], /--set: there is no such setting/],
    [['--set', 'workers'], /--set: expected NAME=VALUE/],
    [['--wokers', '1'], /unknown option --wokers/],
    [['extra'], /expected options only/],
  ])('%j', async (args, message) => {
    expect(await run(args)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) });
  });
});
