/**
 * The audit trail over HTTP: every write and every look-up is an entry under the token's role and name.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, expectProblem, openTestLedger, SECRET, type Served, serve, type TestLedger } from './stand.js';

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

async function get(path: string) {
  await own.ledger.audit.chain();
  return ask(served.port, 'GET', path, { role: 'auditor' });
}

test('who did what', async () => {
  const identifiers = [{ kind: 'email', value: SECRET }];
  const { port } = served;
  const optOut = await ask(port, 'POST', '/v1/opt-outs', {
    role: 'intake',
    json: { identifiers, channel: 'web_form' },
  });
  const optIn = await ask(port, 'POST', '/v1/opt-ins', { role: 'intake', json: { identifiers, channel: 'phone' } });
  const { requestId, confirmation } = optIn.json;
  await ask(port, 'POST', `/v1/opt-ins/${requestId}/confirm`, { role: 'intake', json: { confirmation } });
  await ask(port, 'POST', '/v1/status-of', { role: 'auditor', json: { identifier: identifiers[0] } });
  await ask(port, 'PUT', '/v1/destinations/acme', { json: {} });
  await ask(port, 'DELETE', '/v1/destinations/acme');
  const list = { body: `kind,value\nemail,${SECRET}\n`, headers: { 'content-type': 'text/csv' } };
  await ask(port, 'POST', '/v1/imports', list);
  const answer = await get('/v1/audit?after=1');
  const told = answer.json.entries.filter(({ kind }: { kind: string }) => kind !== 'ledger.migrated');
  expect(told.map(({ kind, actor }: never) => [kind, (actor as { name: string }).name])).toEqual([
    ['request.opt_out', 'test-intake'],
    ['request.opt_in_asked', 'test-intake'],
    ['request.opt_in_confirmed', 'test-intake'],
    ['person.looked_up', 'test-auditor'],
    ['destination.added', 'test-operator'],
    ['destination.removed', 'test-operator'],
    ['import.begun', 'test-operator'],
    ['import.part', 'test-operator'],
    ['import.finished', 'test-operator'],
  ]);
  for (const { actor } of told) expect(actor).toMatchObject({ via: 'http', role: actor.name.slice('test-'.length) });
  expect(told[0].subject).toBe(optOut.json.requestId);
  expect(answer.text).not.toContain(SECRET);
  expect(answer.json.last).toBe(told.at(-1).n);
});

test('by kind, subject, actor, time; page by page', async () => {
  const kinds = async (query: string) =>
    (await get(`/v1/audit?${query}`)).json.entries.map(({ kind }: { kind: string }) => kind);
  expect(await kinds('actor=auditor')).toEqual(['person.looked_up']);
  expect(await kinds('actor=auditor:test-auditor&kind=person.looked_up')).toEqual(['person.looked_up']);
  expect(await kinds('subject=acme')).toEqual(['destination.added', 'destination.removed']);
  expect(await kinds('since=2999-01-01T00:00:00Z')).toEqual([]);
  const all = await kinds('limit=1000');
  const paged: string[] = [];
  for (let after = 0; ; ) {
    const { entries, last } = (await get(`/v1/audit?limit=3&after=${after}`)).json;
    paged.push(...entries.map(({ kind }: { kind: string }) => kind));
    if (last === null) break;
    after = last;
  }
  expect(paged).toEqual(all);
  const head = (await get('/v1/audit/head')).json;
  expect(head).toMatchObject({ n: all.length, hash: expect.stringMatching(/^[0-9a-f]{64}$/), unchained: 0 });
});

test.each([
  ['limit=1001', 'limit'],
  ['limit=1e3', 'limit'],
  ['after=-1', 'after'],
  ['kind=A', 'kind'],
  ['actor=root', 'actor'],
  ['subject=', 'subject'],
  ['since=2026-11-20', 'since'],
  ['until=2026-11-20T10:00:00', 'until'],
])('?%s is refused by its field', async (query, field) => {
  const answer = await get(`/v1/audit?${query}`);
  expect(answer.status, answer.text).toBe(422);
  expect(answer.json.field).toBe(field);
});

test('a parameter there is not: 400', async () => expectProblem(await get('/v1/audit?n=1'), 400, 'http.bad_request'));
