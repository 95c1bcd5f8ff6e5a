/**
 * `optgate deadlines`, `deny` and `report`: what the commands print and write.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareEmbedded } from '../ledger/embedded-folder.js';
import { optgate } from './run.js';

const EMAIL = 'jane.commands@example.com';
let folder: string;
let ledger: string;
/** An old request, which nobody enforces. */
let requestId: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-records-'));
  ledger = join(folder, 'ledger');
  await prepareEmbedded(ledger);
  const agent = ['--channel', 'agent', '--agent', '=cmd', '--agent-permission', 'yes'];
  const received = ['--received', '2026-01-05T20:00:00Z', '--state', 'CA'];
  const out = await optgate(['opt-out', '--ledger', ledger, '--kind', 'email', EMAIL, ...agent, ...received]);
  expect(out.status, out.stderr).toBe(0);
  requestId = out.json()[0].requestId;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = async (...args: string[]) => {
  const answer = await optgate([...args, '--ledger', ledger]);
  expect(answer.stdout + answer.stderr).not.toContain(EMAIL);
  return answer;
};

test('deadlines lists what is overdue, and says so in its exit code', async () => {
  const { status, lines, json } = await run('deadlines');
  expect(status).toBe(1);
  expect(lines).toHaveLength(2);
  expect(json()[0]).toMatchObject({
    ...{
      requestId,
      channel: 'agent',
      dueOn: '2026-01-27',
      dueAt: '2026-01-28T08:00:00.000Z',
      deadlineState: 'overdue',
    },
    ...{ deadlineRule: 'ca-opt-out', inForceOn: 0, enforcerCount: 0 },
  });
  expect(json()[1]).toEqual({ overdue: 1, nearlyOverdue: 0, open: 0 });
  expect((await run('deadlines', '--nearly', '61')).status).toBe(2);
  expect((await run('status', '--request', requestId)).json()[0]).toMatchObject({ deadlineState: 'overdue' });
});

test('report writes records, metrics and a quarter, each file whole', async () => {
  const path = join(folder, 'records.csv');
  const records = ['report', 'records', '--since', '2026-01-01', '--until', '2026-02-01'];
  expect((await run(...records, '--format', 'csv', '--out', path)).stdout).toBe('');
  const [head, row, end] = readFileSync(path, 'utf8').split('\r\n');
  expect(head).toMatch(/^date_of_request,nature_of_request,manner_of_request,date_of_response,/);
  expect(row).toContain(`,agent,`);
  expect(row).toContain(`,'=cmd,true,`);
  expect(row).toMatch(/email=email_sha256:[0-9a-f]{64}/);
  expect(end).toBe('');
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(JSON.parse((await run(...records)).stdout)).toMatchObject([{ requestId, deadlineState: 'overdue' }]);
  expect(JSON.parse((await run('report', 'records', '--since', '2026-03-01')).stdout)).toEqual([]);

  const metrics = await run('report', 'metrics', '--year', '2026', '--format', 'csv');
  expect(metrics.stdout).toContain('\r\n2026,sale,1,0,0,0,0,1,,\r\n');
  expect(JSON.parse((await run('report', 'quarter', '--quarter', '2026Q1')).stdout)).toMatchObject({
    ...{ quarter: '2026Q1', outcomes: { open: 1 }, late: { count: 1, requests: [{ requestId }] } },
  });
  expect((await run('report', 'quarter', '--quarter', '2026-Q1', '--format', 'md')).stdout).toMatch(
    /^# Opt-outs in 2026Q1/,
  );
});

test('deny ends it, once, and the record says why', async () => {
  const basis = 'good-faith belief of fraud: case 12';
  const [first] = (await run('deny', '--request', requestId, '--basis', basis, '--operator', 'jane')).json();
  expect(first).toMatchObject({ requestId, status: 'denied', deniedBy: 'jane', basis, remaining: [], repeat: false });
  expect((await run('deny', '--request', requestId, '--basis', 'again')).json()[0]).toMatchObject({
    basis,
    repeat: true,
  });
  const [record] = JSON.parse((await run('report', 'records', '--since', '2026-01-01')).stdout);
  expect(record).toMatchObject({ natureOfResponse: 'denied', basisOfDenial: basis, deniedBy: 'jane' });
  expect((await run('deadlines')).status).toBe(0);
});

test.each([
  [['report'], /expected "records"/],
  [['report', 'records'], /--since/],
  [['report', 'records', '--since', '2026-02-01', '--until', '2026-01-01'], /--until/],
  [['report', 'records', '--since', '2026-01-01', '--format', 'pdf'], /--format/],
  [['report', 'metrics', '--year', '26'], /--year/],
  [['report', 'quarter', '--quarter', '2026Q5'], /--quarter/],
  [['deny', '--request', 'x', '--basis', 'y'], /--request/],
  [['opt-out', '--kind', 'maid', 'x', '--agent', 'y'], /--agent-permission/],
])('%j is refused', async (args, said) => {
  const { status, stderr } = await run(...args);
  expect(stderr).toMatch(said);
  expect(status).toBe(2);
});

test('clear values need the key, and a file that cannot be written leaves nothing', async () => {
  const records = ['report', 'records', '--since', '2026-01-01'];
  expect((await run(...records, '--clear-key-file', join(folder, 'none'))).status).toBe(3);
  const { status, stderr } = await run(...records, '--out', join(folder, 'no', 'where.json'));
  expect(status).toBe(3);
  expect(stderr).toContain('ENOENT');
});
