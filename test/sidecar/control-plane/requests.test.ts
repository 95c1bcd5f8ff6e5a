/**
 * Opt-outs, opt-ins, look-ups and oversight over HTTP, on an embedded ledger.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, expectProblem, MAID, openTestLedger, SECRET, type Served, serve, type TestLedger } from './stand.js';

let own: TestLedger;
let served: Served;
beforeAll(async () => {
  own = await openTestLedger();
  served = await serve({ ledger: own.ledger });
});
afterAll(async () => {
  await served?.close();
  await own?.close();
});

const post = (path: string, json: unknown, headers: Record<string, string> = {}) =>
  ask(served.port, 'POST', path, { role: path.startsWith('/v1/opt') ? 'intake' : 'operator', json, headers });
const get = (path: string) => ask(served.port, 'GET', path, { role: 'auditor' });
const email = (name: string) => ({ kind: 'email', value: `${name}@example.com` });

describe('opt-outs', () => {
  test('201 with an id, a token and where to look', async () => {
    const answer = await post('/v1/opt-outs', {
      identifiers: [email('one'), { kind: 'maid', value: MAID }],
      channel: 'web_form',
      rights: ['sale', 'share'],
      state: 'CA',
      scope: 'person',
      receivedAt: '2026-01-02T03:04:05.678+01:00',
    });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.json).toEqual({
      requestId: expect.stringMatching(/^r_[\w-]{22}$/),
      token: expect.stringMatching(/^.+\.\d+$/),
      receivedAt: '2026-01-02T02:04:05.678Z',
      noAskUntil: '2027-01-02',
      identifierCount: 2,
      repeat: false,
    });
    expect(answer.headers.location).toBe(`/v1/requests/${answer.json.requestId}`);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(answer.headers['x-powered-by']).toBeUndefined();
    const record = await get(answer.headers.location ?? '');
    expect(record.json).toEqual({
      ...{ requestId: answer.json.requestId, nature: 'opt_out', channel: 'web_form', status: 'complied' },
      ...{ rights: ['sale', 'share'], receivedAt: '2026-01-02T02:04:05.678Z', noAskUntil: '2027-01-02' },
      ...{ confirmBy: null, identifierCount: 2, refusedCount: 0, token: answer.json.token },
      // nobody enforces this ledger, so it is in force nowhere
      ...{ dueAt: '2026-01-24T08:00:00.000Z', dueOn: '2026-01-23', deadlineState: 'overdue', compliedAt: null },
      deadlineRule: 'ca-opt-out',
    });
    const status = await post('/v1/status-of', { identifier: { kind: 'email', value: ' ONE@example.com ' } });
    expect(status.json).toMatchObject({ rights: ['sale', 'share'], token: answer.json.token });
    expect(status.json.requests[0]).toMatchObject({ requestId: answer.json.requestId, inForce: true });
  });

  test('the same idempotency key: one request, 200 the second time; another request under it: 409', async () => {
    const body = { identifiers: [email('two')], channel: 'web_form' };
    const [one, other] = await Promise.all([
      post('/v1/opt-outs', body, { 'idempotency-key': 'key-2' }),
      post('/v1/opt-outs', body, { 'idempotency-key': '"key-2"' }),
    ]);
    expect([one.status, other.status].sort()).toEqual([200, 201]);
    expect(other.json.requestId).toBe(one.json.requestId);
    expect([one.json.repeat, other.json.repeat].sort()).toEqual([false, true]);
    const conflict = await post('/v1/opt-outs', { ...body, channel: 'phone' }, { 'idempotency-key': 'key-2' });
    expectProblem(conflict, 409, 'ledger.idempotency_conflict');
  });

  test('recorded but without a place in the log yet: 202, and its token once it has one', async () => {
    const slow = await openTestLedger({ sequence: false, tokenWaitMs: 0 });
    const there = await serve({ ledger: slow.ledger });
    const answer = await ask(there.port, 'POST', '/v1/opt-outs', {
      json: { identifiers: [email('slow')], channel: 'api' },
      headers: { 'idempotency-key': 'slow' },
    });
    expect(answer.status).toBe(202);
    expect(answer.json.token).toBeNull();
    expect(answer.headers).toMatchObject({ 'retry-after': '1', location: `/v1/requests/${answer.json.requestId}` });
    const record = await ask(there.port, 'GET', answer.headers.location ?? '');
    expect(record.json).toMatchObject({ status: 'complied', token: null });
    await there.close();
    await slow.close();
  });

  test.each([
    ['no identifiers', { channel: 'api' }, 'identifiers', 'required'],
    ['an empty list', { identifiers: [], channel: 'api' }, 'identifiers', 'empty'],
    [
      'more than the ledger takes',
      { identifiers: Array(65).fill(email('x')), channel: 'api' },
      'identifiers',
      'too_many',
    ],
    ['more than there can be', { identifiers: Array(257).fill(email('x')), channel: 'api' }, 'identifiers', 'too_many'],
    ['no channel', { identifiers: [email('x')] }, 'channel', 'required'],
    ['an unknown channel', { identifiers: [email('x')], channel: SECRET }, 'channel', 'unknown'],
    ['a channel that is a number', { identifiers: [email('x')], channel: 7 }, 'channel', 'type'],
    [
      'an unknown right',
      { identifiers: [email('x')], channel: 'api', rights: ['sale', SECRET] },
      'rights[1]',
      'unknown',
    ],
    ['an unknown field', { identifiers: [email('x')], channel: 'api', right: ['sale'] }, 'right', 'unknown'],
    ['a value where a name belongs', { identifiers: [email('x')], channel: 'api', [SECRET]: 1 }, '?', 'unknown'],
    [
      'an unknown field within',
      { identifiers: [{ ...email('x'), type: 1 }], channel: 'api' },
      'identifiers[0].type',
      'unknown',
    ],
    [
      'a kind that is none',
      { identifiers: [{ kind: 'fax', value: SECRET }], channel: 'api' },
      'identifiers[0].kind',
      'unknown',
    ],
    [
      'a value that is none',
      { identifiers: [{ kind: 'maid', value: SECRET }], channel: 'api' },
      'identifiers[0].value',
      'malformed',
    ],
    [
      'a placeholder',
      { identifiers: [{ kind: 'maid', value: '00000000-0000-0000-0000-000000000000' }], channel: 'api' },
      'identifiers[0].value',
      'names_nobody',
    ],
    [
      'a value that is a number',
      { identifiers: [{ kind: 'maid', value: 1 }], channel: 'api' },
      'identifiers[0].value',
      'type',
    ],
    [
      'a value that is too long',
      { identifiers: [{ kind: 'email', value: 'x'.repeat(2049) }], channel: 'api' },
      'identifiers[0].value',
      'too_long',
    ],
    ['a state that is none', { identifiers: [email('x')], channel: 'api', state: 'California' }, 'state', 'malformed'],
    [
      'a moment without a zone',
      { identifiers: [email('x')], channel: 'api', receivedAt: '2026-01-02T03:04:05' },
      'receivedAt',
      'malformed',
    ],
    [
      'a day that is none',
      { identifiers: [email('x')], channel: 'api', receivedAt: '2026-02-30T03:04:05Z' },
      'receivedAt',
      'malformed',
    ],
    [
      'a moment to come',
      { identifiers: [email('x')], channel: 'api', receivedAt: '2999-01-02T03:04:05Z' },
      'receivedAt',
      'future',
    ],
    [
      'a moment before all',
      { identifiers: [email('x')], channel: 'api', receivedAt: '0001-01-02T03:04:05Z' },
      'receivedAt',
      'out_of_range',
    ],
    ['an operator of spaces', { identifiers: [email('x')], channel: 'api', operator: '  ' }, 'operator', 'empty'],
    ['an array', [], '', 'type'],
    ['null', null, '', 'type'],
  ])('%s: 422, with the field and never its value', async (_, json, field, code) => {
    expectProblem(await post('/v1/opt-outs', json), 422, `input.${code}`, { field });
  });

  test.each([
    ['empty', '""', 'empty'],
    ['too long', 'k'.repeat(201), 'too_long'],
    ['not ASCII', 'k\u00e9', 'malformed'],
  ])('an idempotency key that is %s', async (_, key, code) => {
    const answer = await post(
      '/v1/opt-outs',
      { identifiers: [email('x')], channel: 'api' },
      { 'idempotency-key': key },
    );
    expectProblem(answer, 422, `input.${code}`, { field: 'Idempotency-Key' });
  });
});

describe('opt-ins', () => {
  test('two steps: nothing changes before the second', async () => {
    const identifiers = [email('back')];
    await post('/v1/opt-outs', { identifiers, channel: 'web_form' });
    const asked = await post('/v1/opt-ins', { identifiers, channel: 'web_form' }, { 'idempotency-key': 'in' });
    expect(asked.status, asked.text).toBe(201);
    expect(asked.json).toMatchObject({ status: 'pending', repeat: false });
    const again = await post('/v1/opt-ins', { identifiers, channel: 'web_form' }, { 'idempotency-key': 'in' });
    expect([again.status, again.json.confirmation, again.json.requestId]).toEqual([200, null, asked.json.requestId]);
    const { requestId, confirmation } = asked.json;
    expect((await get(`/v1/requests/${requestId}`)).json).toMatchObject({ status: 'pending', token: null });
    expect((await post('/v1/status-of', { identifier: identifiers[0] })).json.rights).toHaveLength(7);

    const wrong = await post(`/v1/opt-ins/${requestId}/confirm`, { confirmation: SECRET });
    expectProblem(wrong, 422, 'input.unknown', { field: 'confirmation' });
    const confirmed = await post(`/v1/opt-ins/${requestId}/confirm`, { confirmation });
    expect(confirmed.status, confirmed.text).toBe(200);
    expect(confirmed.json).toMatchObject({ requestId, repeat: false, remaining: [], noAskUntil: null });
    expect((await post('/v1/status-of', { identifier: identifiers[0] })).json.rights).toEqual([]);
    const repeated = await post(`/v1/opt-ins/${requestId}/confirm`, { confirmation });
    expect([repeated.status, repeated.json.repeat]).toEqual([200, true]);
  });

  test('opted out again in between: it can no longer be confirmed', async () => {
    const identifiers = [email('again')];
    const { requestId, confirmation } = (await post('/v1/opt-ins', { identifiers, channel: 'api' })).json;
    await post('/v1/opt-outs', { identifiers, channel: 'api' });
    const late = await post(`/v1/opt-ins/${requestId}/confirm`, { confirmation });
    expectProblem(late, 422, 'input.superseded', { field: 'confirmation' });
  });

  test('the id of an opt-out, of nothing, of no form: 404', async () => {
    const optOut = (await post('/v1/opt-outs', { identifiers: [email('out')], channel: 'api' })).json.requestId;
    for (const id of [optOut, `r_${'A'.repeat(22)}`, 'nothing', '%0d%0aset-cookie:a', '..%2f..%2fetc']) {
      const answer = await post(`/v1/opt-ins/${id}/confirm`, { confirmation: 'x' });
      expectProblem(answer, 404, 'ledger.unknown_request');
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });
});

describe('oversight', () => {
  test('enforcers report, a request comes into force on each, one retires', async () => {
    const { ledger } = own;
    const report = {
      ...{
        id: 'pod-1',
        name: '<script>alert(1)</script>',
        role: 'sidecar' as const,
        version: '1.0.0',
        leaseMs: 60_000,
      },
      ...{ position: null, appliedAgeMs: null, state: 'live', isLeaving: false },
    } as const;
    await ledger.ack(report);
    const { requestId, token } = (await post('/v1/opt-outs', { identifiers: [email('three')], channel: 'api' })).json;
    const before = await get(`/v1/propagation/${requestId}`);
    expect(before.json).toMatchObject({ requestId, token, inForceOn: 0, enforcerCount: 1, inForceEverywhereAt: null });
    const { epoch, seq } = await ledger.head();
    await ledger.ack({ ...report, position: { epoch, seq }, appliedAgeMs: Date.now() });
    const after = await get(`/v1/propagation/${requestId}`);
    expect(after.json).toMatchObject({ inForceOn: 1, inForceEverywhereAt: expect.stringMatching(/Z$/) });

    const listed = await get('/v1/enforcers');
    expect(listed.headers['content-type']).toBe('application/json');
    expect(listed.headers['content-security-policy']).toMatch(/default-src 'none'/);
    expect(listed.json.enforcers).toMatchObject([
      {
        id: 'pod-1',
        name: '<script>alert(1)</script>',
        position: `${epoch}.${seq}`,
        seqLag: 0,
        silent: false,
        retiredAt: null,
      },
    ]);
    expect((await ask(served.port, 'DELETE', '/v1/enforcers/pod-1')).status).toBe(204);
    expectProblem(await ask(served.port, 'DELETE', '/v1/enforcers/pod-1'), 404, 'enforcer.unknown');
    expectProblem(await ask(served.port, 'DELETE', '/v1/enforcers/%0d%0ax'), 404, 'enforcer.unknown');
    expect((await get('/v1/enforcers')).json.enforcers[0].retiredAt).toMatch(/Z$/);
  });

  test('the status is what the provider says; one that fails is a problem and an event without its message', async () => {
    expect((await get('/v1/status')).json).toEqual({ state: 'live' });
    const broken = await serve({
      status: () => {
        throw new TypeError(`cannot read ${SECRET}`);
      },
    });
    expectProblem(await ask(broken.port, 'GET', '/v1/status'), 500, 'http.failed');
    const failed = broken.events.find(({ kind }) => kind === 'failed');
    expect(failed).toMatchObject({
      operationId: 'getStatus',
      error: 'TypeError',
      frames: expect.stringContaining('at '),
    });
    expect(JSON.stringify(broken.events)).not.toContain(SECRET);
    await broken.close();
  });

  test('every answer is told of, without anything that names anyone', async () => {
    served.events.length = 0;
    await ask(served.port, 'POST', '/v1/status-of', { json: { identifier: { kind: 'email', value: SECRET } } });
    await ask(served.port, 'GET', `/v1/nothing?email=${SECRET}`, { role: null });
    await expect.poll(() => served.events.length).toBe(2);
    expect(served.events).toMatchObject([
      {
        kind: 'answered',
        operationId: 'statusOf',
        method: 'POST',
        status: 200,
        role: 'operator',
        tokenName: 'test-operator',
      },
      { kind: 'answered', operationId: null, method: 'GET', status: 404, role: null, tokenName: null },
    ]);
    expect(JSON.stringify(served.events)).not.toContain(SECRET);
  });
});

describe('destinations', () => {
  const put = (id: string, json: unknown, headers: Record<string, string> = {}) =>
    ask(served.port, 'PUT', `/v1/destinations/${encodeURIComponent(id)}`, { json, headers });
  const path = (id: string) => `/v1/destinations/${encodeURIComponent(id)}`;

  test('added, read, replaced, removed', async () => {
    const added = await put('dsp/a b', { role: 'service_provider', contract: { reference: 'MSA 7' } });
    expect([added.status, added.headers.location]).toEqual([201, '/v1/destinations/dsp%2Fa%20b']);
    expect(added.json).toMatchObject({
      id: 'dsp/a b',
      whenOptedOut: 'restrict',
      contract: { reference: 'MSA 7', expires: null },
    });
    const read = await get(path('dsp/a b'));
    expect([read.json, read.headers.etag]).toEqual([added.json, added.headers.etag]);
    const replaced = await put('dsp/a b', { whenOptedOut: 'block' });
    expect([replaced.status, replaced.json.role]).toEqual([200, 'third_party']);
    expect(replaced.headers.etag).not.toBe(added.headers.etag);
    expect((await get('/v1/destinations')).json.destinations).toEqual([replaced.json]);
    expect((await ask(served.port, 'DELETE', path('dsp/a b'))).status).toBe(204);
    expectProblem(await get(path('dsp/a b')), 404, 'destination.unknown');
    expectProblem(await ask(served.port, 'DELETE', path('dsp/a b')), 404, 'destination.unknown');
    expect(served.events.filter(({ kind }) => kind === 'destinations_changed')).toHaveLength(3);
  });

  test('a change that was made from another version is refused', async () => {
    const first = await put('versions', {}, { 'if-none-match': '*' });
    expect(first.status).toBe(201);
    expectProblem(await put('versions', {}, { 'if-none-match': '*' }), 412, 'http.precondition');
    const etag = first.headers.etag ?? '';
    const changes = ['block', 'restrict'].map((whenOptedOut) =>
      put('versions', { whenOptedOut, purposes: ['legal'] }, { 'if-match': `"x", ${etag}` }),
    );
    const statuses = (await Promise.all(changes)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 412]);
    expectProblem(
      await ask(served.port, 'DELETE', path('versions'), { headers: { 'if-match': etag } }),
      412,
      'http.precondition',
    );
    expect((await ask(served.port, 'DELETE', path('versions'), { headers: { 'if-match': '*' } })).status).toBe(204);
    expectProblem(await put('versions', {}, { 'if-match': '*' }), 412, 'http.precondition');
  });

  test.each([
    ['an unknown field', { rolle: 'contractor' }, 'rolle', 'unknown'],
    ['an unknown role', { role: SECRET }, 'role', 'unknown'],
    ['an id in the body', { id: 'x' }, 'id', 'unknown'],
    ['a day that is none', { contract: { reference: 'x', expires: '2026-02-30' } }, 'contract.expires', 'malformed'],
    ['a control character', { contract: { reference: 'a\u0000b' } }, 'contract.reference', 'malformed'],
    ['a state that is none', { states: { [SECRET]: {} } }, 'states.?', 'malformed'],
    ['no purposes', { purposes: [] }, 'purposes', 'empty'],
  ])('%s: 422', async (_, json, field, code) => {
    expectProblem(await put('d', json), 422, `input.${code}`, { field });
  });

  test('an id with a control character, or too long', async () => {
    expectProblem(await put('a\u0000b', {}), 422, 'input.malformed', { field: 'id' });
    expectProblem(await put('x'.repeat(201), {}), 422, 'input.malformed', { field: 'id' });
    const header = await put('a\r\nset-cookie: x=1', {});
    expectProblem(header, 422, 'input.malformed', { field: 'id' });
    expect(header.headers['set-cookie']).toBeUndefined();
  });

  test('script in what is stored comes back as JSON', async () => {
    const text = '</script><img src=x onerror=alert(1)>';
    const stored = await put(text, { contract: { reference: text } });
    expect(stored.status, stored.text).toBe(201);
    const read = await get(path(text));
    expect(read.headers).toMatchObject({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
    expect(read.json.contract.reference).toBe(text);
    expect(read.headers.location).toBeUndefined();
  });
});
