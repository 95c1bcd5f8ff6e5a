/**
 * A run over many lines: one line that cannot be answered does not end it, and nothing of the input reaches standard error.
 * @module
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/command.js';
import { answerLines } from '../../src/cli/lines.js';
import { createProgress } from '../../src/cli/progress.js';
import { bid, optgate, optgateProcess } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-lines-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A bid request that opts out, with arrays nested deeper than can be written back. */
const NESTED = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const DEEP = `{"id":"r","imp":[],"regs":{"us_privacy":"1YYN","ext":{"x":${NESTED}}}}`;
const TOO_DEEP = { error: { code: 'request.too_deep', line: 1 } };

function fakeIo(input: string, isTTY = false) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') =>
    Object.assign(
      new PassThrough().on('data', (chunk) => (written[name] += chunk)),
      { isTTY },
    );
  let nowMs = 0;
  const io: Io = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: {},
    now: () => (nowMs += 2_000),
  };
  return { io, written };
}

describe('a request nested too deep', () => {
  test('check --with-request says so and goes on; check alone answers it', async () => {
    const input = `${DEEP}\n${bid({})}\n`;
    const { status, json, stderr } = await optgate(['check', '--with-request'], input);
    expect([status, stderr]).toEqual([1, '']);
    expect(json()).toEqual([TOO_DEEP, expect.objectContaining({ action: 'allow' })]);
    expect((await optgate(['check'], input)).json()).toMatchObject([{ action: 'restrict' }, { action: 'allow' }]);
  });
  test('restrict passes it on as it came where it is allowed', async () => {
    const allowed = `{"id":"r","imp":[],"ext":${NESTED}}`;
    expect(await optgate(['restrict'], allowed)).toMatchObject({ status: 0, stdout: `${allowed}\n` });
  });
  test('restrict drops it, says so and goes on', async () => {
    const { status, lines, stderr } = await optgate(['restrict'], `${DEEP}\n${bid({})}\n`);
    expect([status, lines]).toEqual([1, [bid({})]]);
    expect(stderr).toBe(`${JSON.stringify(TOO_DEEP)}\n2 lines: 1 allowed, 0 restricted, 0 blocked, 1 refused\n`);
  });
});

test('restrict writes an allowed request byte for byte as it came', async () => {
  const allowed = [
    ' {"imp":[ ], "id":12345678901234567890, "at":1.0, "x":1e2,\t"tmax":2} ',
    '{"imp":[],"id":"\\u00e9é\\/","badv":[]}',
  ];
  expect(await optgate(['restrict'], `${allowed.join('\r\n')}\r\n`)).toMatchObject({
    status: 0,
    stdout: `${allowed.join('\n')}\n`,
  });
});

test('restrict never writes a restricted request from its text, which can hold what parsing dropped', async () => {
  const input = `{"id":"r","imp":[],"regs":{"us_privacy":"1YYN"},"device":{"ifa":"${MAID}"},"device":{"ua":"x"}}`;
  const { stdout } = await optgate(['restrict'], input);
  expect(stdout).not.toContain(MAID);
  expect((await optgate(['restrict'], input.replace('{"ua":"x"}', '{}'))).stdout).not.toContain(MAID);
});

describe('an error nobody expected', () => {
  test('what was answered is written, and the line is named without what it holds', async () => {
    const { io, written } = fakeIo('1\n"secret"\n3\n');
    const run = answerLines(io, (value) => {
      if (value === 'secret') throw new TypeError(`cannot read ${value}`);
      return `${value}`;
    });
    await expect(run).rejects.toMatchObject({
      name: 'CommandError',
      message: 'standard input, line 2: unexpected TypeError',
    });
    expect(written.stdout).toBe('1\n');
  });
  test('standard input that fails: what the system says', async () => {
    const { io, written } = fakeIo('');
    const stdin = Readable.from(
      (function* () {
        yield Buffer.from('1\n2\n');
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
      })(),
    );
    await expect(answerLines({ ...io, stdin }, String)).rejects.toMatchObject({
      name: 'CommandError',
      message: 'standard input, line 2: EIO: i/o error, read',
    });
    expect(written.stdout).toBe('1\n2\n');
  });
  test.runIf(process.platform === 'linux')('standard output that takes nothing: one line, exit 3', async () => {
    const output = openSync('/dev/full', 'w');
    const { status, stderr } = optgateProcess(['check'], `${bid({})}\n`, { stdio: ['pipe', output, 'pipe'] });
    closeSync(output);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^optgate: standard output: ENOSPC[^\n]*\n$/);
  });
});

describe('standard error never shows the input', () => {
  test.each([
    ['jane@example.com', 'policy: is not JSON'],
    ['{\n "honor": "everywhere",\n jane@example.com\n}', 'policy: is not JSON (line 3, column 2)'],
    ['{"honor": "jane@example.com', 'policy: is not JSON (line 1, column 28)'],
    ['{"honor": jane@example.com, "in JSON at position 5": 1}', 'policy: is not JSON'],
    ['', 'policy: is not JSON (line 1, column 1)'],
    ['{"jane@example.com": 1}', 'policy: <key of 16 characters>: unknown key'],
  ])('a policy file: %j', async (policy, message) => {
    const path = join(folder, 'policy.json');
    writeFileSync(path, policy);
    expect(await optgate(['check', '--policy', path])).toMatchObject({
      status: 3,
      stderr: `optgate check: --policy ${path}: ${message}\n`,
    });
  });
  test.each([
    [['check', '--jane@example.com'], 'unknown option'],
    [['check', `--${MAID}`], 'unknown option'],
    [['check', '--polcy=jane@example.com'], 'unknown option --polcy'],
    [['check', '--with-request=jane@example.com'], "Option '--with-request' does not take an argument"],
    [['check', '--set', '--jane@example.com'], "Option '--set' argument is ambiguous."],
  ])('%j', async (args, message) => {
    expect(await optgate(args)).toMatchObject({
      status: 2,
      stderr: `optgate check: ${message}\nSee "optgate check --help".\n`,
    });
  });
  test('a command that is none', async () => {
    expect((await optgate(['jane@example.com'])).stderr).toBe(
      'optgate: there is no such command; see "optgate --help"\n',
    );
  });
});

test.each([
  [true, /256 lines/],
  [false, /^$/],
])('progress where standard error is a terminal: %j', async (isTTY, shown) => {
  const { io, written } = fakeIo('', isTTY);
  const progress = createProgress(io, 'lines');
  progress.at(256);
  progress.end();
  expect(written.stderr).toMatch(shown);
});
