/**
 * docs/sidecar-http.md says what is so: its commands run and its answers come, every code and limit stands in it.
 * @module
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DATA_LIMITS, DATA_PROBLEMS } from '../../../src/sidecar/data-plane/index.js';
import { type Stand, startStand } from './stand.js';

const run = promisify(execFile);
const text = readFileSync('docs/sidecar-http.md', 'utf8');
const blocks = [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, block]) => ({
  language,
  block: block ?? '',
}));
const commands = blocks.filter(({ language }) => language === 'sh').map(({ block }) => block);

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.close());

async function answerTo(command: string | undefined): Promise<string> {
  const script = (command ?? '').replace('127.0.0.1:8787', `127.0.0.1:${stand.port}`);
  return (await run('bash', ['-c', `set -o pipefail; ${script}`])).stdout;
}
/** The JSON block that follows the command. */
function shownAfter(command: string | undefined): unknown {
  const index = blocks.findIndex(({ block }) => block === command);
  return JSON.parse(blocks[index + 1]?.block ?? '');
}

test('the commands answer what is shown', async () => {
  const [check, filter, batch, lookup] = commands;
  expect({ ...JSON.parse(await answerTo(check)), policyVersion: 'default-1' }).toEqual(shownAfter(check));
  const filtered = await answerTo(filter);
  expect(filtered).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*optgate-action: restrict\r\n/);
  for (const name of ['reasons', 'strip', 'seq', 'stale']) {
    expect(filtered).toContain(`optgate-${name}: `);
    expect(text).toContain(`| \`optgate-${name}\` |`);
  }
  const [first, second] = (await answerTo(batch)).split('\n');
  expect([JSON.parse(first ?? '').action, JSON.parse(second ?? '')]).toEqual(['allow', shownAfter(batch)]);
  expect(JSON.parse(await answerTo(lookup))).toEqual(shownAfter(lookup));
  expect(commands.length).toBe(4);
});

test('every code, with its status and title', () => {
  const rows = Object.entries(DATA_PROBLEMS).map(([code, [status, title]]) => `| \`${code}\` | ${status} | ${title} |`);
  expect(rows.filter((row) => !text.includes(row))).toEqual([]);
  expect(text.match(/^\| `[a-z\d_.]+` \| \d{3} \|/gm)?.length).toBe(rows.length);
});

test('every limit, with its default', () => {
  const rows = Object.entries(DATA_LIMITS).map(([name, value]) => `| \`${name}\` | ${value.toLocaleString('en')} |`);
  expect(rows.filter((row) => !text.includes(row))).toEqual([]);
});
