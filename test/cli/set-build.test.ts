/**
 * `optgate set build` on lists that are not what they should be: it never writes a wrong or empty set silently.
 * @module
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Row, readRows } from '../../src/rows/rows.js';
import { MAIN, optgate } from './run.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const HEADER = 'kind,value,rights\n';
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-build-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const out = () => join(folder, 'out.snap');
function build(list: string | Uint8Array, ...more: string[]) {
  const path = join(folder, 'list.csv');
  writeFileSync(path, list);
  return optgate(['set', 'build', '--out', out(), ...more, path]);
}

async function rowsOf(list: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const row of readRows(Readable.from([Buffer.from(list)]), 'csv')) rows.push(row);
  return rows;
}

/** The rows as `kind value`, or the field and message of a refusal. */
async function shortRows(list: string) {
  return (await rowsOf(list)).map((row) =>
    row.kind === 'row' ? `${row.identifier.kind} ${row.identifier.value}` : `${row.field}: ${row.message}`,
  );
}

test.each([
  ['line ends of a lone CR', `kind,value\rmaid,${MAID}\rmaid,${MAID}\r`, /line 1: .*carriage return/],
  ['a CR inside a later line', `${HEADER}maid,${MAID},\nmaid,${MAID},\rmaid,${MAID},\n`, /line 3: a carriage return/],
  ['no usable row', `${HEADER}fax,jane,\n`, /all 1 rows were refused; nothing was written/],
])('%s: exit 3, nothing written', async (_, list, message) => {
  const { status, stderr, stdout } = await build(list);
  expect([status, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/6d92078a|jane/);
  expect(readdirSync(folder)).toEqual(['list.csv']);
});

test('a list without rows is written only when asked for', async () => {
  const refused = await build(HEADER);
  expect([refused.status, existsSync(out())]).toEqual([3, false]);
  expect(refused.stderr).toMatch(/the list has no rows; nothing was written/);
  expect(await build(HEADER, '--allow-empty')).toMatchObject({ status: 0 });
  expect((await optgate(['set', 'info', out()])).json()[0]).toMatchObject({ entryCount: 0 });
});

describe('a header that is not ours is refused whole, without showing it', () => {
  test.each([
    [
      'an unknown column',
      'kind,value,Rihgts\n',
      /line 1: column 3 of the header is unknown; expected kind, value, rights/,
    ],
    ['an unnamed column', 'kind,value,\n', /column 3 of the header is unknown/],
    ['a column twice', 'kind,value,value\n', /column 3 of the header is there twice/],
    ['tabs', 'kind\tvalue\trights\n', /with commas, not tabs/],
    ['semicolons', 'kind;value;rights\n', /with commas, not ";"/],
    ['no header', `maid,${MAID}\n`, /line 1: expected a header with the columns/],
    ['a quote that does not end', '"kind,value\n', /line 1: expected the header kind,value,rights in UTF-8/],
  ])('%s', async (_, header, message) => {
    const failure = await rowsOf(`${header}email,jane@example.com,\n`).then(
      () => null,
      (error: unknown) => error as Error,
    );
    expect(failure?.name).toBe('ListError');
    expect(failure?.message).toMatch(message);
    expect(failure?.message).not.toMatch(/6d92078a|Rihgts/);
  });
  test('UTF-16', async () => {
    const bytes = Buffer.from('\ufeffkind,value\n', 'utf16le');
    await expect(async () => {
      for await (const _ of readRows(Readable.from([bytes]), 'csv'));
    }).rejects.toThrow(/in UTF-8 \(the line is not UTF-8\)/);
  });
});

describe('rows', () => {
  test('more cells than the header, or a quote in the middle: the row is refused, the next one is not', async () => {
    const list = `${HEADER}maid,${MAID},sale,share\nemail,ja"ne@example.com,\nemail,"jane"@example.com,\nmaid,${MAID},\n`;
    expect(await shortRows(list)).toEqual([
      'line: expected 3 cells, as in the header, not 4',
      'line: a quote inside a cell that does not start with one',
      'line: text follows a quoted cell',
      `maid ${MAID}`,
    ]);
  });
  test('spaces around a quoted cell, a byte order mark at the start, columns in any order and case', async () => {
    const list = `\ufeff"Kind", "VALUE" ,rights\nemail, "jane@example.com", sale\n "email" ,\t"joan@example.com"\t,"sale,share"\n`;
    const rows = await rowsOf(list);
    expect(rows).toEqual([
      { kind: 'row', line: 2, identifier: { kind: 'email', value: 'jane@example.com' }, rights: 1 },
      { kind: 'row', line: 3, identifier: { kind: 'email', value: 'joan@example.com' }, rights: 3 },
    ]);
    expect(await shortRows('rights,value,kind\n,abcdefgh,ctv\n')).toEqual(['ctv abcdefgh']);
  });
  test('what a quote holds is kept: quotes, commas, spaces inside', async () => {
    expect(await shortRows('kind,value\naccount:a,"x "" , y"\n')).toEqual(['account:a x " , y']);
  });
  test('CR LF is no CR inside a line', async () => {
    expect(await shortRows(`kind,value\r\nctv,abcdefgh\r\n`)).toEqual(['ctv abcdefgh']);
  });
});

describe('--out', () => {
  const list = `${HEADER}maid,${MAID},\n`;
  test('the list itself, under whatever name, is refused', async () => {
    const path = join(folder, 'list.csv');
    writeFileSync(path, list);
    symlinkSync(path, join(folder, 'soft.csv'));
    linkSync(path, join(folder, 'hard.csv'));
    for (const name of ['list.csv', 'soft.csv', 'hard.csv']) {
      const { status, stderr } = await optgate(['set', 'build', '--out', join(folder, name), path]);
      expect([status, readFileSync(path, 'utf8')]).toEqual([2, list]);
      expect(stderr).toMatch(/--out: expected another file than LIST/);
    }
  });
  test('a folder or a device is refused', async () => {
    const path = join(folder, 'list.csv');
    writeFileSync(path, list);
    expect(await optgate(['set', 'build', '--out', folder, path])).toMatchObject({ status: 2 });
  });
  test('a path that leads nowhere: one line, exit 3', async () => {
    const path = join(folder, 'list.csv');
    writeFileSync(path, list);
    symlinkSync(out(), out());
    const { status, stderr } = await optgate(['set', 'build', '--out', out(), path]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^optgate set: ELOOP[^\n]*\n$/);
  });
  test.each(['before', null])('killed while it builds: under the final name is what was there (%j)', async (before) => {
    if (before !== null) writeFileSync(out(), before);
    const child = spawn(process.execPath, [MAIN, 'set', 'build', '--out', out(), '--format', 'csv', '-']);
    child.stdin.on('error', () => {});
    child.stdin.write(HEADER);
    // the first refusal says that rows are being read
    child.stdin.write(`fax,1,\n${`maid,${MAID},\n`.repeat(5_000)}`);
    await new Promise((resolve) => child.stderr.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    expect(existsSync(out()) ? readFileSync(out(), 'utf8') : null).toBe(before);
  });
});
