/**
 * Rows streamed through: what leaves, its proof in the trailers, and nothing of what breaks off.
 * @module
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY, type Policy } from '../../../src/core/policy/policy.js';
import { SuppressionTable, TableHolder } from '../../../src/core/suppression/index.js';
import { LiveTable } from '../../../src/live-table.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { createLedgerSource } from '../../../src/sync/index.js';
import { ask, expectProblem, openTestLedger, type Served, serve, type TestLedger, TOKENS } from './stand.js';

let own: TestLedger;
let live: LiveTable;
/** Temporary files of this process go here, so that they can be counted. */
let temporary: string;
const { TMPDIR } = process.env;
const opened: Served[] = [];
beforeAll(async () => {
  own = await openTestLedger();
  const { token } = await own.ledger.recordOptOut({ identifiers: [{ kind: 'email', value: mail(2) }], channel: 'api' });
  live = new LiveTable({
    source: createLedgerSource(own.ledger.feed()),
    policy: DEFAULT_POLICY,
    enforcer: { role: 'sidecar', version: '1' },
  });
  temporary = mkdtempSync(join(tmpdir(), 'optgate-exports-'));
  process.env.TMPDIR = temporary;
  await live.start();
  expect(await live.reach(token ?? '', 20_000)).toBe(true);
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(async () => {
  await live?.close();
  await own?.close();
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  rmSync(temporary, { recursive: true, force: true });
});

const mail = (n: number) => `person-${n}@example.com`;
const PATH = '/v1/export?destination=acme&purpose=audience&map=email%3Dmail';
const CSV = { 'content-type': 'text/csv' };
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${mail(from + index)},x\n`).join('');

async function open(options: Parameters<typeof serve>[0] = {}): Promise<Served> {
  const exports = { holder: live.holder, policy: () => DEFAULT_POLICY };
  const one = await serve({ ledger: own.ledger, exports, ...options });
  opened.push(one);
  return one;
}

/** Begins an export whose body is written in pieces. */
function begin(port: number, path = PATH, mediaType = 'text/csv') {
  const headers = { 'content-type': mediaType, authorization: `Bearer ${TOKENS.operator}` };
  const sent = request({ port, method: 'POST', path, headers });
  sent.on('error', () => {});
  const answered = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
  return { sent, answered };
}

const runsOf = async (n: number) => own.ledger.exportsOf({ kind: 'email', value: mail(n) });

test('rows come back while others are still sent; the proof comes last, and the ledger has it', async () => {
  const { port } = await open();
  const { sent, answered } = begin(port);
  sent.write(`mail,more\n${rows(0, 50_000)}`); // more than is read at a time
  const answer = await answered;
  await once(answer, 'readable');
  sent.end(rows(50_000, 50_010));
  expect(await text(answer)).toBe(`mail,more\n${rows(0, 2)}${rows(3, 50_010)}`);
  const manifest = JSON.parse(Buffer.from(String(answer.trailers['optgate-manifest']), 'base64url').toString());
  expect(answer.trailers).toMatchObject({
    'optgate-recorded': 'true',
    'optgate-rows-in': '50010',
    'optgate-rows-kept': '50009',
    'optgate-rows-dropped': '1',
  });
  expect(manifest).toMatchObject({ destination: 'acme', operator: 'test-operator', fingerprintCount: 50_009 });
  expect((await runsOf(50_005)).map(({ runId }) => runId)).toEqual([manifest.runId]);
  expect(await runsOf(2)).toEqual([]);
});

test('rows that name nobody are told apart where they are kept; what cannot be read is not', async () => {
  const { port } = await open();
  const { sent, answered } = begin(port, `${PATH}&onUnidentifiable=keep`, 'application/x-ndjson');
  sent.end(`{"mail":"${mail(1)}"}\n{"mail":""}\n{"mail":"${mail(1)}"\n`);
  const answer = await answered;
  expect(await text(answer)).toBe(`{"mail":"${mail(1)}"}\n{"mail":""}\n`);
  expect(answer.trailers).toMatchObject({
    'optgate-rows-in': '3',
    'optgate-rows-kept': '2',
    'optgate-rows-kept-unidentifiable': '1',
    'optgate-rows-dropped': '1',
  });
});

test('a client that goes away leaves nothing: no run, no files', async () => {
  const { port, plane } = await open();
  const { sent, answered } = begin(port);
  sent.write(`mail,more\n${rows(60_000, 120_000)}`);
  const answer = await answered;
  await once(answer, 'readable');
  sent.destroy();
  await expect.poll(() => plane.counts.inFlight).toBe(0);
  await expect.poll(() => readdirSync(temporary).filter((name) => name.startsWith('optgate-export-'))).toEqual([]);
  expect(await runsOf(60_001)).toEqual([]);
});

test('what killed sidecars have left is removed by the next one that starts, once it is old', async () => {
  const names = ['optgate-export-oldOne', 'optgate-export-newOne', 'optgate-export-other-kind'];
  for (const name of names) {
    mkdirSync(join(temporary, name));
    writeFileSync(join(temporary, name, 'index.0'), 'x');
    if (name !== names[1]) utimesSync(join(temporary, name), 0, 0);
  }
  await open();
  await expect
    .poll(() =>
      readdirSync(temporary)
        .filter((name) => names.includes(name))
        .sort(),
    )
    .toEqual(names.slice(1).sort());
  for (const name of names) rmSync(join(temporary, name), { recursive: true, force: true });
});

test('a fault in the midst cuts the answer off, so that it is not taken for whole', async () => {
  const { port } = await open();
  const { sent, answered } = begin(port, `${PATH}&onUnidentifiable=fail`);
  sent.write(`mail,more\n${rows(130_000, 190_000)}`);
  const answer = await answered;
  await pause(50);
  sent.end(`,nobody\n`);
  await expect(text(answer)).rejects.toThrow();
  expect(answer.trailers).toEqual({});
  expect(await runsOf(130_001)).toEqual([]);
});

describe('a table that changes on the way', () => {
  const fresh = (epoch: string) => {
    const table = SuppressionTable.create({ capacity: 10, seed: 1n, epoch });
    table.publish(1, Date.now());
    return table;
  };

  /** What comes of an export whose last row is sent after something has happened. */
  async function leftOf(last: string, policy: Policy, between: (holder: TableHolder) => Promise<void>) {
    const holder = new TableHolder({ table: fresh('e') });
    const { port, plane } = await open({ ledger: null, exports: { holder, policy: () => policy } });
    const { sent, answered } = begin(port);
    sent.write('mail,more\n');
    const answer = await answered;
    let left = '';
    answer.setEncoding('utf8').on('data', (text) => {
      left += text;
    });
    await expect.poll(() => left).not.toBe('');
    expect(left).toBe('mail,more\n');
    await between(holder);
    sent.end(last);
    const error = await finished(answer).then(
      () => null,
      (error) => error,
    );
    await expect.poll(() => plane.counts.inFlight).toBe(0);
    return { left, trailers: answer.trailers, isWhole: error === null };
  }
  const brief = parsePolicy({ version: 'test', table: { staleAfterMs: 1_000 } });

  test.each([
    ['a row that would leave', `${mail(1)},x\n`],
    ['a row that would not', ',x\n'],
  ])('breaks the answer off where it goes stale before %s', async (_, last) => {
    const stale = await leftOf(last, brief, () => pause(1_100));
    expect(stale).toEqual({ left: 'mail,more\n', trailers: {}, isWhole: false });
    const inTime = await leftOf(last, DEFAULT_POLICY, () => pause(0));
    expect(inTime).toMatchObject({ isWhole: true, trailers: { 'optgate-rows-in': '1' } });
  });

  test('breaks the answer off where it is replaced by one of another history', async () => {
    const replaced = await leftOf(',x\n', DEFAULT_POLICY, async (holder) => void holder.replace(fresh('f')));
    expect(replaced).toEqual({ left: 'mail,more\n', trailers: {}, isWhole: false });
    const same = await leftOf(',x\n', DEFAULT_POLICY, async (holder) => void holder.replace(fresh('e')));
    expect(same.isWhole).toBe(true);
  });
});

test('whoever exports is named by the token; for whom is a note', async () => {
  const { port } = await open();
  const { sent, answered } = begin(port, `${PATH}&onBehalfOf=ann`);
  sent.end('mail\n');
  const answer = await answered;
  await text(answer);
  const manifest = JSON.parse(Buffer.from(String(answer.trailers['optgate-manifest']), 'base64url').toString());
  expect(manifest).toMatchObject({ operator: 'test-operator', onBehalfOf: 'ann' });
  const other = await ask(port, 'POST', `${PATH}&operator=ann`, { body: 'mail\n', headers: CSV });
  expectProblem(other, 400, 'http.bad_request');
});

test('what can be told before the first row is told as a problem', async () => {
  const { port } = await open({ limits: { exportBytesMax: 1000 } });
  const post = (path: string, body = 'mail\n', headers: Record<string, string> = CSV) =>
    ask(port, 'POST', path, { body, headers });
  expectProblem(await post('/v1/export?purpose=audience&map=email%3Dmail'), 422, 'input.required');
  expectProblem(await post(PATH.replace('audience', 'fun')), 422, 'input.unknown');
  expectProblem(await post(PATH.replace('email', 'fax')), 422, 'input.unknown');
  expectProblem(await post(PATH, 'other\n'), 422, 'rows.invalid');
  expectProblem(await post(PATH, 'mail\n', { 'content-type': 'text/plain' }), 415, 'http.media_type');
  expectProblem(await post(PATH, 'm'.repeat(2000)), 413, 'http.too_large');
});

test('without a fresh table, or with a ledger that is not reached, nothing leaves', async () => {
  const policy = () => DEFAULT_POLICY;
  const post = async (options: Parameters<typeof serve>[0]) =>
    ask((await open(options)).port, 'POST', PATH, { body: 'mail\n', headers: CSV });
  expectProblem(await post({ exports: { holder: new TableHolder(), policy } }), 503, 'table.not_loaded');
  const table = SuppressionTable.create({ capacity: 10, seed: 1n, epoch: 'e' });
  table.publish(1, 1_000);
  expectProblem(await post({ exports: { holder: new TableHolder({ table }), policy } }), 503, 'table.stale');
  expectProblem(await post({ ledger: 'unavailable' }), 503, 'ledger.unavailable');
  const elsewhere = await post({ ledger: null });
  expect([elsewhere.status, elsewhere.text]).toEqual([200, 'mail\n']);
});
