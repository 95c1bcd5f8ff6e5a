/**
 * Every route, in JSON and in msgpack, answers as the library does: on 1,008 real bid requests of people some of whom
 * have opted out.
 * @module
 */
import { decode, encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createGate } from '../../../src/core/gate.js';
import type { Identifier } from '../../../src/core/index.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { holderOf, OF_OPTED_OUT, PLAIN, POLICY, requests, type Stand, startStand } from './stand.js';

const MSGPACK = { 'content-type': 'application/msgpack' };
const NDJSON = { 'content-type': 'application/x-ndjson' };
const object = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Every second request's device or user id. */
const optedOut = requests
  .filter((_, index) => index % 2 === 0)
  .flatMap(({ device, user }) => [
    { kind: 'maid', value: object(device).ifa },
    { kind: 'account:user.id', value: object(user).id },
  ])
  .filter(({ kind, value }) => typeof value === 'string' && (kind === 'maid' ? /^[\da-f-]{36}$/i : /./).test(value))
  .filter(({ value }) => !/^[0-]*$/.test(value as string)) as Identifier[];

let stand: Stand;
beforeAll(async () => {
  stand = await startStand({ holder: holderOf(optedOut) });
});
afterAll(() => stand.close());
beforeEach(() => {
  for (const list of [stand.desk.decisions, stand.desk.answers, stand.desk.refusals]) list.length = 0;
});

const decisionOf = (request: object) => stand.gate.check(request);
const plain = (value: object) => JSON.parse(JSON.stringify(value));

test('the requests are allowed, restricted and found in the table', () => {
  const decisions = requests.map(decisionOf);
  const reasons = new Set(decisions.flatMap((decision) => decision.reasons));
  expect(new Set(decisions.map(({ action }) => action))).toEqual(new Set(['allow', 'restrict']));
  expect([...reasons].filter((code) => code.startsWith('suppressed.')).length).toBeGreaterThan(1);
});

test('check, JSON and msgpack', async () => {
  for (const request of requests) {
    const expected = plain(decisionOf(request));
    const json = await stand.post('/v1/check', JSON.stringify(request));
    expect([json.status, json.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await json.json()).toEqual(expected);
    const packed = await stand.post('/v1/check', encode(request), MSGPACK);
    expect([packed.status, packed.headers.get('content-type')]).toEqual([200, 'application/msgpack']);
    expect(decode(await packed.arrayBuffer())).toEqual(expected);
  }
  expect(stand.desk.decisions.length).toBe(2 * requests.length);
  expect(stand.desk.answers.length).toBe(2 * requests.length);
  expect(stand.desk.decisions.every(([door, operation]) => door === 'http' && operation === 'check')).toBe(true);
});

test('filter, JSON and msgpack: what may go out is what restrict leaves, an allowed request the very bytes', async () => {
  for (const request of requests) {
    const decision = decisionOf(request);
    const text = JSON.stringify(request, null, 1);
    const json = await stand.post('/v1/filter', text);
    const out = await json.text();
    expect(json.headers.get('content-type')).toBe('application/json');
    expect(json.headers.get('optgate-action')).toBe(decision.action);
    expect(json.headers.get('optgate-reasons') ?? '').toBe(decision.reasons.join(','));
    expect(json.headers.get('optgate-strip') ?? '').toBe(decision.strip.join(','));
    expect([json.headers.get('optgate-seq'), json.headers.get('optgate-stale')]).toEqual(['7', 'false']);
    if (decision.action === 'allow') expect(out).toBe(text);
    else expect(JSON.parse(out)).toEqual(plain(stand.gate.restrict(request, decision) as object));

    const bytes = encode(request);
    const packed = await stand.post('/v1/filter', bytes, MSGPACK);
    const packedOut = new Uint8Array(await packed.arrayBuffer());
    expect(packed.headers.get('optgate-action')).toBe(decision.action);
    if (decision.action === 'allow') expect(Buffer.compare(packedOut, bytes)).toBe(0);
    else expect(decode(packedOut)).toEqual(plain(stand.gate.restrict(request, decision) as object));
  }
});

test('check-batch, NDJSON and msgpack', async () => {
  const expected = requests.map((request) => plain(decisionOf(request)));
  const lines = requests.map((request) => JSON.stringify(request)).join('\n');
  const answer = await stand.post('/v1/check-batch', lines, { 'content-type': 'application/x-ndjson' });
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
  const answered = (await answer.text()).trimEnd().split('\n');
  expect(answered.map((line) => JSON.parse(line))).toEqual(expected);
  expect(stand.desk.decisions.length).toBe(requests.length);
  const packed = await stand.post('/v1/check-batch', encode(requests), MSGPACK);
  expect(packed.headers.get('content-type')).toBe('application/msgpack');
  expect(decode(await packed.arrayBuffer())).toEqual(expected);
  expect(stand.desk.answers).toEqual([
    ['http', 'check'],
    ['http', 'check'],
  ]);
});

test('a blocked request has no body, and says why', async () => {
  for (const [body, type] of [
    [JSON.stringify(PLAIN), 'application/json'],
    [encode(PLAIN), 'application/msgpack'],
  ] as const) {
    const headers = { 'content-type': type, 'sec-gpc': '1', 'optgate-destination': 'blocker' };
    const answer = await stand.post('/v1/filter', body, headers);
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    expect(answer.headers.get('optgate-action')).toBe('block');
    expect(answer.headers.get('optgate-reasons')).toBe('gpc.header');
    expect(answer.headers.get('content-type')).toBe(null);
  }
  expect(stand.desk.decisions.map(([, operation, , destination]) => [operation, destination])).toEqual([
    ['filter', 'blocker'],
    ['filter', 'blocker'],
  ]);
});

test('lines and items that cannot be used are answered in their place', async () => {
  const gpc = { ...PLAIN, regs: { ext: { gpc: '1' } } };
  const lines = [JSON.stringify(PLAIN), 'jane@example.com', '', '{}', Buffer.from([0xff]), `${JSON.stringify(gpc)}\r`];
  const body = Buffer.concat(lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')]));
  const answer = await stand.post('/v1/check-batch', body, { 'content-type': 'application/x-ndjson' });
  const answered = (await answer.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(answered.map(({ action, error }) => action ?? error)).toEqual([
    'allow',
    { code: 'json.invalid', line: 2 },
    { code: 'json.invalid', line: 3 },
    { code: 'request.invalid', line: 4 },
    { code: 'json.not_utf8', line: 5 },
    'restrict',
  ]);
  expect(stand.desk.refusals).toEqual(['json.invalid', 'json.invalid', 'request.invalid', 'json.not_utf8']);

  const packed = await stand.post('/v1/check-batch', encode([PLAIN, {}, 'x', gpc]), MSGPACK);
  const items = decode(await packed.arrayBuffer()) as { action?: string; error?: unknown }[];
  expect(items.map(({ action, error }) => action ?? error)).toEqual([
    'allow',
    { code: 'request.invalid', item: 1 },
    { code: 'request.invalid', item: 2 },
    'restrict',
  ]);
});

test('Accept chooses between JSON and msgpack; a body without a type is JSON', async () => {
  const packed = await stand.post('/v1/check', JSON.stringify(PLAIN), { accept: 'application/msgpack;q=0.9' });
  expect(decode(await packed.arrayBuffer())).toEqual(plain(decisionOf(PLAIN)));
  const json = await stand.post('/v1/check', encode(PLAIN), { ...MSGPACK, accept: 'text/html, application/json' });
  expect(await json.json()).toEqual(plain(decisionOf(PLAIN)));
  const untyped = await fetch(`http://127.0.0.1:${stand.port}/v1/check`, {
    method: 'POST',
    body: Buffer.from(JSON.stringify(PLAIN)),
  });
  expect([untyped.status, await untyped.json()]).toEqual([200, plain(decisionOf(PLAIN))]);
  const withCharset = await stand.post('/v1/check', JSON.stringify(PLAIN), {
    'content-type': 'Application/JSON; charset="UTF-8"',
  });
  expect(withCharset.status).toBe(200);
});

test('lookup: rights in the order asked, nothing echoed, JSON and msgpack', async () => {
  const known = optedOut[0] as Identifier;
  const identifiers = [
    known,
    { kind: 'email', value: 'nobody@example.com' },
    { kind: 'maid', value: '00000000-0000-0000-0000-000000000000' },
    { kind: 'shoe_size', value: '43' },
    { kind: 'email', value: 'no address' },
    null,
  ];
  const invalid = (field: string) => ({ error: { code: 'identifier.invalid', field } });
  const all = ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling', 'child', 'deletion'];
  const expected = {
    results: [{ rights: all }, { rights: [] }, { rights: [] }, invalid('kind'), invalid('value'), invalid('kind')],
    seq: 7,
    stale: false,
  };
  const json = await stand.post('/v1/lookup', JSON.stringify({ identifiers }));
  const text = await json.text();
  expect([json.status, JSON.parse(text)]).toEqual([200, expected]);
  for (const { value } of identifiers.filter((one) => one !== null)) expect(text.includes(`"${value}"`)).toBe(false);
  const packed = await stand.post('/v1/lookup', encode({ identifiers }), MSGPACK);
  expect(decode(await packed.arrayBuffer())).toEqual(expected);
  expect(stand.desk.answers).toEqual([
    ['http', 'lookup'],
    ['http', 'lookup'],
  ]);
  expect(stand.desk.decisions).toEqual([]);
});

test('the gate of the moment answers: a new policy counts from the next request on', async () => {
  const other = await startStand();
  const check = async () => (await other.post('/v1/check', JSON.stringify(OF_OPTED_OUT))).json();
  expect(await check()).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], policyVersion: 'tést-1' });
  other.desk.gate = stand.gate;
  expect(await check()).toMatchObject({ action: 'allow' });
  await other.close();
});

test('a lookup whose list stands twice is refused: one of the two would go unanswered', async () => {
  const one = JSON.stringify([optedOut[0]]);
  for (const text of [`{"identifiers":${one},"identifiers":[]}`, `{"identifiers":${one},"identif\\u0069ers":[]}`]) {
    const answered = await stand.post('/v1/lookup', text);
    expect([answered.status, await answered.json()]).toMatchObject([422, { code: 'lookup.invalid' }]);
  }
});

test('a large packed batch: whole, in order, and others are answered meanwhile', async () => {
  const items = Array.from({ length: 20_000 }, (_, index) => (index % 2 === 0 ? PLAIN : 7));
  let isDone = false;
  const batch = stand.post('/v1/check-batch?explain=true', encode(items), MSGPACK).then(async (response) => {
    const answers = decode(await response.arrayBuffer()) as { action?: string; error?: object }[];
    isDone = true;
    return answers;
  });
  while (stand.desk.decisions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect((await stand.post('/v1/check', JSON.stringify(PLAIN))).status).toBe(200);
  expect(isDone).toBe(false);
  const answers = await batch;
  expect(answers).toHaveLength(items.length);
  expect(answers[2]).toMatchObject({ action: 'allow' });
  expect(answers[19_999]).toEqual({ error: { code: 'request.invalid', item: 19_999 } });
});

test('a batch is judged by one policy, whatever is put into use meanwhile', async () => {
  const other = createGate({ policy: parsePolicy({ version: 'other' }), table: stand.holder });
  const own = stand.desk.gate;
  try {
    const lines = Array.from({ length: 2_000 }, () => JSON.stringify(PLAIN)).join('\n');
    const batch = stand.post('/v1/check-batch', lines, NDJSON);
    while (stand.desk.decisions.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stand.desk.gate = other;
    const answers = (await (await batch).text()).trim().split('\n');
    expect(answers).toHaveLength(2_000);
    expect(new Set(answers.map((line) => JSON.parse(line).policyVersion))).toEqual(new Set([POLICY.version]));
    expect(
      ((await (await stand.post('/v1/check', JSON.stringify(PLAIN))).json()) as { policyVersion: string })
        .policyVersion,
    ).toBe('other');
  } finally {
    stand.desk.gate = own;
  }
});

test('while the server sheds, a batch that was let in rests between its turns, and is answered in full', async () => {
  const lines = Array.from({ length: 640 }, () => JSON.stringify(PLAIN)).join('\n');
  try {
    const batch = stand.post('/v1/check-batch', lines, NDJSON);
    while (stand.desk.decisions.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stand.desk.isShedding = true;
    const startMs = performance.now();
    const text = await (await batch).text();
    expect(text.trim().split('\n')).toHaveLength(640);
    expect(performance.now() - startMs).toBeGreaterThan(60); // nine turns of rest are 180 ms
  } finally {
    stand.desk.isShedding = false;
  }
});
