/**
 * Lists streamed in.
 * @module
 */
import { type ClientRequest, request } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { REFUSED_SHOWN_MAX } from '../../../src/sidecar/control-plane/schemas.js';
import { ask, expectProblem, openTestLedger, SECRET, type Served, serve, type TestLedger, TOKENS } from './stand.js';

let own: TestLedger;
const opened: Served[] = [];
beforeAll(async () => {
  own = await openTestLedger();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(async () => own?.close());

async function open(options: Parameters<typeof serve>[0] = {}): Promise<Served> {
  const one = await serve({ ledger: own.ledger, ...options });
  opened.push(one);
  return one;
}

const CSV = { 'content-type': 'text/csv' };
const NDJSON = { 'content-type': 'application/x-ndjson' };
const csvOf = (names: readonly string[]) =>
  `kind,value,rights\n${names.map((name) => `email,${name}@example.com,sale\n`).join('')}`;
const rightsOf = async (name: string) =>
  (await own.ledger.statusOf({ kind: 'email', value: `${name}@example.com` })).rights;

test('CSV: recorded, with the rows that could not be used', async () => {
  const { port } = await open();
  const body = `kind,value,rights\nemail,csv1@example.com,sale|share\nfax,${SECRET},\n"email","csv2@example.com",\nemail\n`;
  const answer = await ask(port, 'POST', '/v1/imports?channel=drop&receivedAt=2026-01-02T03:04:05Z&operator=crm', {
    body,
    headers: CSV,
  });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.json).toMatchObject({ rowCount: 4, identifierCount: 2, refusedCount: 2, repeat: false });
  expect(answer.json).toMatchObject({ receivedAt: '2026-01-02T03:04:05.000Z', token: expect.stringMatching(/\.\d+$/) });
  expect(answer.json.refused.map(({ line, field }: { line: number; field: string }) => [line, field])).toEqual([
    [3, 'kind'],
    [5, 'value'],
  ]);
  expect(answer.text).not.toContain(SECRET);
  expect(await rightsOf('csv1')).toEqual(['sale', 'share']);
  expect(await rightsOf('csv2')).toHaveLength(7);
  const record = await ask(port, 'GET', answer.headers.location ?? '');
  expect(record.json).toMatchObject({
    nature: 'import',
    channel: 'drop',
    status: 'complied',
    rights: null,
    refusedCount: 2,
  });
});

test('NDJSON: lines that are no rows are told of by number', async () => {
  const { port } = await open();
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const body = `{"kind":"email","value":"nd@example.com","rights":["sale"]}\n{"kind":${SECRET}}\n[]\n${deep}\n${'x'.repeat(70_000)}\n`;
  const answer = await ask(port, 'POST', '/v1/imports', { body, headers: NDJSON });
  expect(answer.json, answer.text).toMatchObject({ rowCount: 5, identifierCount: 1, refusedCount: 4 });
  expect(answer.json.refused).toEqual([
    { line: 2, field: 'line', detail: 'the line is not JSON' },
    { line: 3, field: 'line', detail: expect.stringMatching(/expected an object/) },
    { line: 4, field: 'line', detail: expect.stringMatching(/expected an object/) },
    { line: 5, field: 'line', detail: 'the line is too long' },
  ]);
  expect(answer.text).not.toContain(SECRET);
});

test('as many refused rows are listed as the limit says, and all are counted', async () => {
  const { port } = await open();
  const body = `kind,value\n${`fax,1\n`.repeat(REFUSED_SHOWN_MAX + 50)}`;
  const answer = await ask(port, 'POST', '/v1/imports', { body, headers: CSV });
  expect(answer.json.refused).toHaveLength(REFUSED_SHOWN_MAX);
  // nothing was entered, so there is no place in the log to wait for
  expect([answer.status, answer.json.refusedCount, answer.json.token]).toEqual([201, REFUSED_SHOWN_MAX + 50, null]);
});

test.each([
  ['no header', 'email,jane.doe@example.com,\n', 'list.invalid'],
  ['a column that is unknown', 'kind,value,right\nemail,jane.doe@example.com,\n', 'list.invalid'],
  ['semicolons', 'kind;value;rights\n', 'list.invalid'],
  ['UTF-16', '\ufeffk\0i\0n\0d\0', 'list.invalid'],
  ['only a header', 'kind,value,rights\n', 'list.empty'],
  ['nothing', '', 'list.invalid'],
])('a list with %s: refused, and nothing is recorded', async (_, body, code) => {
  const { port } = await open();
  const { seq } = await own.ledger.head();
  expectProblem(
    await ask(port, 'POST', '/v1/imports', { body, headers: { ...CSV, 'idempotency-key': code } }),
    422,
    code,
  );
  expect((await own.ledger.head()).seq).toBe(seq);
});

test.each([
  ['channel=fax', 'channel', 'unknown'],
  ['receivedAt=yesterday', 'receivedAt', 'malformed'],
  ['receivedAt=2999-01-01T00:00:00Z', 'receivedAt', 'future'],
  ['operator=', 'operator', 'empty'],
  [`operator=${'x'.repeat(201)}`, 'operator', 'too_long'],
])('%s: 422', async (query, field, code) => {
  const { port } = await open();
  const answer = await ask(port, 'POST', `/v1/imports?${query}`, { body: csvOf(['q']), headers: CSV });
  expectProblem(answer, 422, `input.${code}`, { field });
});

test('sent again under the same key: the same request; other rows under it: 409', async () => {
  const { port } = await open();
  const headers = { ...CSV, 'idempotency-key': 'list-1' };
  const first = await ask(port, 'POST', '/v1/imports', { body: csvOf(['r1', 'r2']), headers });
  const again = await ask(port, 'POST', '/v1/imports', { body: csvOf(['r1', 'r2']), headers });
  expect([first.status, again.status, again.json.repeat]).toEqual([201, 200, true]);
  expect(again.json.requestId).toBe(first.json.requestId);
  const other = await ask(port, 'POST', '/v1/imports', { body: csvOf(['r1', 'r3']), headers });
  expectProblem(other, 409, 'ledger.idempotency_conflict');
});

function begin(port: number, headers: Record<string, string>): ClientRequest {
  const authorization = `Bearer ${TOKENS.operator}`;
  const outgoing = request({ port, method: 'POST', path: '/v1/imports', headers: { authorization, ...headers } });
  outgoing.on('error', () => {});
  return outgoing;
}

test('cut off half-way: what is committed stays, and the same list under the same key goes on', async () => {
  const { port, plane } = await open();
  const names = Array.from({ length: 6000 }, (_, index) => `cut${index}`);
  const headers = { ...CSV, 'idempotency-key': 'cut' };
  const text = csvOf(names);
  const half = begin(port, headers);
  half.write(text.slice(0, Math.floor(text.length * 0.9)));
  await expect.poll(() => rightsOf('cut0'), { timeout: 30_000 }).toEqual(['sale']);
  half.destroy();
  await expect.poll(() => plane.counts.inFlight, { timeout: 30_000 }).toBe(0);
  const whole = await ask(port, 'POST', '/v1/imports', { body: text, headers });
  expect(whole.json, whole.text).toMatchObject({ rowCount: 6000, identifierCount: 6000, refusedCount: 0 });
  expect(await rightsOf('cut5999')).toEqual(['sale']);
});

test('a body that stands still, one that is too large, one that is compressed, one of another type', async () => {
  const { port } = await open({ limits: { stallMs: 200, importBytesMax: 1000 } });
  const still = begin(port, CSV);
  still.write('kind,value\nemail,still@example.com\n');
  const status = await new Promise((resolve) => still.on('response', ({ statusCode }) => resolve(statusCode)));
  expect(status).toBe(408);
  const large = csvOf(Array.from({ length: 100 }, (_, index) => `large${index}`));
  expectProblem(await ask(port, 'POST', '/v1/imports', { body: large, headers: CSV }), 413, 'http.too_large');
  const zipped = { ...CSV, 'content-encoding': 'gzip' };
  expectProblem(
    await ask(port, 'POST', '/v1/imports', { body: csvOf(['z']), headers: zipped }),
    415,
    'http.media_type',
  );
  const html = { 'content-type': 'text/html' };
  expectProblem(await ask(port, 'POST', '/v1/imports', { body: csvOf(['z']), headers: html }), 415, 'http.media_type');
  const latin = { 'content-type': 'text/csv; charset=iso-8859-1' };
  expectProblem(await ask(port, 'POST', '/v1/imports', { body: csvOf(['z']), headers: latin }), 415, 'http.media_type');
});

test('more imports at once than allowed: 503; and closing ends those that wait for rows', async () => {
  const { port, plane } = await open({ limits: { importsInFlightMax: 1 } });
  const first = begin(port, CSV);
  first.write('kind,value\n');
  await expect.poll(() => plane.counts.inFlight).toBe(1);
  // counted once its headers are read, which is when it is in flight
  const busy = await ask(port, 'POST', '/v1/imports', { body: csvOf(['b']), headers: CSV });
  expectProblem(busy, 503, 'http.busy');
  const answered = new Promise((resolve) => first.on('response', ({ statusCode }) => resolve(statusCode)));
  await plane.close();
  expect(await answered).toBe(503);
});

test('a list in which a row is a person: several identifiers a row, and faults by line and column', async () => {
  const { port } = await open();
  const body = `First name,Email,Mobile,Notes\nJane,crm1@example.com,(415) 555-0101,"moved\nto, Reno"\nJoe,no address,,\nAnn,,,\nKim,crm2@example.com,,\n`;
  const path = `/v1/imports?map=${encodeURIComponent('email=Email,phone=Mobile')}`;
  const answer = await ask(port, 'POST', path, { body, headers: CSV });
  expect(answer.json, answer.text).toMatchObject({ rowCount: 5, identifierCount: 3, refusedCount: 2 });
  expect(answer.json.refused.map(({ line, field }: { line: number; field: string }) => [line, field])).toEqual([
    [4, 'Email'],
    [5, 'line'],
  ]);
  expect(await rightsOf('crm1')).toHaveLength(7);
  expect(await rightsOf('crm2')).toHaveLength(7);
  const phone = { kind: 'phone', value: '+14155550101' } as const;
  expect((await own.ledger.statusOf(phone)).rights).toHaveLength(7);
  const people = '{"who":{"mail":"crm3@example.com"}}\n';
  expect((await ask(port, 'POST', '/v1/imports?map=email%3Dwho.mail', { body: people, headers: NDJSON })).status).toBe(
    201,
  );
  expect(await rightsOf('crm3')).toHaveLength(7);
});

test('a mapping that cannot be read, or that the list does not have', async () => {
  const { port } = await open();
  const send = (map: string, body = 'Email\na@example.com\n') =>
    ask(port, 'POST', `/v1/imports?map=${encodeURIComponent(map)}`, { body, headers: CSV });
  expectProblem(await send('fax=Email'), 422, 'input.unknown', { field: 'map' });
  expectProblem(await send(''), 422, 'input.empty', { field: 'map' });
  expectProblem(await send('email=Mail'), 422, 'list.invalid');
  expectProblem(await send('email=Email', 'Email\n'), 422, 'list.empty');
});
