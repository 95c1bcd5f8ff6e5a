/**
 * `optgate inventory`: out to YAML and in again.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareEmbedded } from '../ledger/embedded-folder.js';
import { optgate } from './run.js';

let folder: string;
let ledger: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-inventory-'));
  ledger = join(folder, 'ledger');
  await prepareEmbedded(ledger, 'bare');
  expect((await optgate(['ledger', 'migrate', '--ledger', ledger])).status).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const YAML = `# who receives data
destinations:
  - id: acme
    role: service_provider
    purposes: [measurement]
    contract: { reference: MSA 7, expires: 2027-12-31 }
    dataCategories: [identifiers]
    channels: [bid, webhook]
    contact: privacy@acme.example
  - id: beta
`;

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
const run = (...args: string[]) => optgate(['inventory', ...args, '--ledger', ledger]);

test('a dry run shows the difference; the import makes it; the export gives it back', async () => {
  const path = file('in.yaml', YAML);
  const dry = await run('import', '--dry-run', path);
  expect(dry).toMatchObject({ status: 0, stderr: 'optgate: 2 of 2 destinations would change\n' });
  expect(dry.lines.map((line) => line.split(' ').slice(0, 2))).toEqual([
    ['+', '"acme"'],
    ['+', '"beta"'],
  ]);
  expect((await run('import', path)).stdout).toBe(dry.stdout);
  expect((await run('import', path)).stdout).toBe('');
  const out = join(folder, 'out.yaml');
  expect((await run('export', out)).status).toBe(0);
  expect((await run('import', '--remove-others', out)).stdout).toBe('');
  expect((await run('export')).stdout).toBe(readFileSync(out, 'utf8'));

  const changed = file('changed.yaml', YAML.replace('MSA 7', 'MSA 8').replace('  - id: beta\n', ''));
  expect((await run('import', '--remove-others', changed)).lines).toEqual([
    '~ "acme"',
    '    contract: {"reference":"MSA 7","expires":"2027-12-31"} -> {"reference":"MSA 8","expires":"2027-12-31"}',
    '- "beta"',
  ]);
});

test.each([
  ['destinations: [', /is not YAML \(line 1/],
  ['destinations: []\nmore: 1', /expected "destinations"/],
  ['destinations:\n  - id: a\n    role: jane@example.com', /destinations\[0\]\.role/],
  ['destinations:\n  - id: a\n  - id: a', /destinations\[1\]\.id: this id is used twice/],
  ['destinations: &a []\nx: *a', /./],
  ['destinations:\n  - &a { id: a }\n  - *a', /expected no aliases/],
])('%j is refused, and nothing of it is quoted', async (text, said) => {
  const { status, stderr } = await run('import', file('bad.yaml', text));
  expect(stderr).toMatch(said);
  expect(stderr).not.toContain('jane@');
  expect(status).toBe(3);
});
