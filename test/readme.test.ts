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
  await prepareEmbedded(join(folder, '.optgate'));
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
