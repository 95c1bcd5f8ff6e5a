/**
 * The README does what it says: its example runs, its commands run, its links lead somewhere.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareEmbedded } from './ledger/embedded-folder.js';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text: text ?? '',
}));
const main = resolve('dist/cli/main.js');
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-readme-'));
  cpSync('demo', join(folder, 'demo'), { recursive: true });
  // the first command would make one (test/cli/embedded.test.ts), which takes long
  await prepareEmbedded(join(folder, '.optgate'), 'bare');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every command of the command line blocks runs, and then the example', () => {
  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n').filter((line) => line.startsWith('optgate ')));
  expect(commands.length).toBeGreaterThan(11);
  for (const command of commands) {
    const script = command.replace(/^optgate/, `"${process.execPath}" "${main}"`);
    expect([command, spawnSync('bash', ['-c', script], { cwd: folder }).status]).toEqual([command, 0]);
  }
  expect(readFileSync(join(folder, 'outgoing.ndjson'), 'utf8').split('\n').length).toBeGreaterThan(10);

  const example = blocks.find(({ language }) => language === 'ts')?.text ?? '';
  const [request = ''] = readFileSync('demo/requests.ndjson', 'utf8').split('\n');
  const script = `const bidRequest = ${request};
    const headers = { 'sec-gpc': '1' };
    ${example.replace("'optgate'", JSON.stringify(resolve('dist/index.js')))}
    console.log(decision.action, decision.reasons.includes('gpc.header'), outgoing.id === bidRequest.id);`;
  writeFileSync(join(folder, 'example.mjs'), script);
  const { stdout, stderr } = spawnSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8' });
  expect([stdout.trim(), stderr]).toEqual(['restrict true true', '']);
});

test('the export block lets two of four rows go, from the command line and in a program', () => {
  expect(readFileSync(join(folder, 'acme.csv'), 'utf8').match(/^\d/gm)).toEqual(['2', '4']);
  const block = blocks.find(({ text }) => text.includes("'optgate/exports'"))?.text ?? '';
  const script = `import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
    import { pipeline } from 'node:stream/promises';
    import { parsePolicy, readSnapshotFile } from ${JSON.stringify(resolve('dist/index.js'))};
    const policy = parsePolicy(JSON.parse(readFileSync('demo/policy.json', 'utf8')));
    const table = await readSnapshotFile('optouts.snap');
    ${block
      .replace("'optgate/exports'", JSON.stringify(resolve('dist/exports/index.js')))
      .replace("'audience.csv'", "'demo/audience.csv'")
      .replace("'acme.csv'", "'from-program.csv'")}
    console.log(rowsIn, rowsKept, droppedSuppressed);`;
  writeFileSync(join(folder, 'exports.mjs'), script);
  const { stdout, stderr } = spawnSync(process.execPath, ['exports.mjs'], { cwd: folder, encoding: 'utf8' });
  expect([stdout.trim(), stderr]).toEqual(['4 2 2', '']);
  expect(readFileSync(join(folder, 'from-program.csv'))).toEqual(readFileSync(join(folder, 'acme.csv')));
});

test('every link leads to a file', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path ?? '');
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(path))).toEqual([]);
});

test('every script the README names is there', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? '');
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});
