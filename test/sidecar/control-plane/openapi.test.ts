/**
 * The OpenAPI document against the handlers, both ways: what is served is documented, what is documented is served, and
 * every documented status of every operation is provoked once, with a body as documented. The validator knows nothing of
 * what the document was made with.
 * @module
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../../../src/core/policy/policy.js';
import { SuppressionTable, TableHolder } from '../../../src/core/suppression/index.js';
import type { Ledger } from '../../../src/ledger/index.js';
import {
  CONTROL_LIMITS,
  type ControlPlaneOptions,
  type ExportBasis,
  TokenSet,
} from '../../../src/sidecar/control-plane/index.js';
import { CONTROL_PROBLEMS } from '../../../src/sidecar/control-plane/problems.js';
import { createRelay, LedgerRelayFeed, type RelayHandler } from '../../../src/sync/index.js';
import { until } from '../../ledger/until.js';
import {
  type Answer,
  type Ask,
  ask,
  openTestLedger,
  type Served,
  serve,
  type TestLedger,
  type TestRole,
  TOKENS,
} from './stand.js';

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly 'x-roles'?: readonly TestRole[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      { readonly content?: Readonly<Record<string, object>>; readonly headers?: Readonly<Record<string, object>> }
    >
  >;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const closers: (() => Promise<unknown>)[] = [];
const planes: Record<'whole' | 'none' | 'down' | 'small' | 'tight' | 'open' | 'closing' | 'unplaced', Served> =
  {} as never;
let ledgerOfAll: Ledger;
/** One that gives no places out. */
let behind: TestLedger;
let document: Document;
let ajv: Ajv2020;
/** `epoch.seq` of now. */
let position = '';
let exports: ExportBasis;
/** Every answer there was, by operation. */
const seen = new Map<string, Set<string>>();

beforeAll(async () => {
  const own = await openTestLedger();
  ledgerOfAll = own.ledger;
  behind = await openTestLedger({ sequence: false, tokenWaitMs: 0 });
  const { token } = await own.ledger.recordOptOut({ identifiers: [email('first')], channel: 'api' });
  position = token ?? '';
  const relay = await relayOf(own.ledger.feed());
  const { seed, epoch } = await own.ledger.head();
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 10, seed, epoch }) });
  exports = { holder, policy: () => DEFAULT_POLICY };
  await served('whole', { ledger: own.ledger, relay, exports });
  await until('a snapshot', async () => (await ask(planes.whole.port, 'GET', '/v1/snapshot')).status === 200);
  await served('none', {});
  const limits = { jsonBytesMax: 1000, discardBytesMax: 0, importBytesMax: 1000, exportBytesMax: 1000 };
  await served('small', { ledger: own.ledger, relay, exports, limits });
  await served('tight', { ledger: own.ledger, relay, limits: { intakeBurst: 1 }, now: () => 0 });
  await served('open', { ledger: own.ledger, relay, tokens: new TokenSet() });
  await served('unplaced', { ledger: behind.ledger });
  const closing = await served('closing', { ledger: own.ledger });
  await closing.plane.close();
  closers.push(
    () => own.close(),
    () => behind.close(),
  );
  document = (await ask(planes.whole.port, 'GET', '/openapi.json', { role: null })).json;
  ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document as object, 'openapi');
});
afterAll(async () => {
  for (const close of closers) await close();
});

async function relayOf(feed: ConstructorParameters<typeof LedgerRelayFeed>[0]['feed']): Promise<RelayHandler> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-openapi-'));
  const relayFeed = new LedgerRelayFeed({ feed, folder });
  closers.push(() => relayFeed.close().then(() => rm(folder, { recursive: true, force: true })));
  return createRelay({ feed: relayFeed });
}

async function served(name: keyof typeof planes, options: Partial<ControlPlaneOptions>): Promise<Served> {
  if (planes[name] !== undefined) return planes[name];
  planes[name] = await serve(options);
  closers.unshift(planes[name].close);
  return planes[name];
}

const email = (name: string) => ({ kind: 'email', value: `${name}@example.com` }) as const;
const optOut = (name: string) => ({ identifiers: [email(name)], channel: 'api' });
const report = {
  ...{ id: 'pod-1', name: 'pod', role: 'sidecar', version: '1.0.0', leaseMs: 60_000, position: null },
  ...{ appliedAgeMs: null, state: 'live', isLeaving: false },
};
const list = { body: 'kind,value\nemail,list@example.com\n', headers: { 'content-type': 'text/csv' } };
/** A good request for each operation; `{id}` in the path is filled in. */
const GOOD: Readonly<Record<string, Ask & { readonly query?: string }>> = {
  recordOptOut: { json: optOut('out') },
  recordOptIn: { json: optOut('in') },
  confirmOptIn: { json: { confirmation: 'x' } },
  statusOf: { json: { identifier: email('out') } },
  importOptOuts: list,
  exportRows: { ...list, query: '?destination=acme&purpose=audience&map=email%3Dvalue' },
  putDestination: { json: { role: 'contractor', states: { CA: { whenOptedOut: 'block' } } } },
  putWebhook: { json: { url: 'http://127.0.0.1:9/hook', allowPrivate: true, events: ['opt_out.recorded'] } },
  rotateWebhook: { json: { overlapSeconds: 60 } },
  replayWebhook: { json: { dead: true } },
  reportEnforcer: { json: report },
  reportRecords: { query: '?since=2020-01-01' },
  reportQuarter: { query: '?quarter=2026Q4' },
  denyRequest: { json: { basis: 'good-faith belief of fraud' } },
};

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
}

function find(operationId: string) {
  const found = operations().find(({ operation }) => operation.operationId === operationId);
  return found ?? expect.fail(`no operation ${operationId}`);
}

/** Makes a request, and holds the answer against the document. */
async function provoke(
  name: keyof typeof planes,
  operationId: string,
  { id = 'x', query = '', ...what }: Ask & { readonly id?: string; readonly query?: string } = {},
): Promise<Answer> {
  const { path, method } = find(operationId);
  const answer = await ask(planes[name].port, method, path.replace('{id}', encodeURIComponent(id)) + query, what);
  checkAnswer(operationId, answer);
  return answer;
}

function checkAnswer(operationId: string, answer: Answer): void {
  const { path, method, operation } = find(operationId);
  const status = String(answer.status);
  const key = Object.hasOwn(operation.responses, status) ? status : answer.status === 500 ? 'default' : '';
  const documented =
    operation.responses[key] ?? expect.fail(`${operationId}: ${status} is not documented: ${answer.text}`);
  seen.set(operationId, (seen.get(operationId) ?? new Set()).add(key));
  for (const header of Object.keys(documented.headers ?? {}))
    expect(answer.headers[header.toLowerCase()], `${operationId} ${status}: ${header}`).toBeTruthy();
  const type = answer.headers['content-type'];
  if (documented.content === undefined) {
    expect(answer.text, `${operationId} ${status}`).toBe('');
    return;
  }
  expect(Object.keys(documented.content), `${operationId} ${status}`).toContain(type);
  if (answer.json === null) return;
  const steps = ['paths', path, method.toLowerCase(), 'responses', key, 'content', type ?? '', 'schema'];
  expectValid(steps, answer.json, `${operationId} ${status}`);
}

function validatorAt(steps: readonly string[]) {
  const pointer = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  return ajv.compile({ $ref: `openapi#/${pointer}` });
}

function expectValid(steps: readonly string[], value: unknown, what: string): void {
  const validate = validatorAt(steps);
  expect(validate(value), `${what}: ${JSON.stringify(validate.errors)} ${JSON.stringify(value)}`).toBe(true);
}

describe('the document', () => {
  test('has every route of the application, and no other', () => {
    interface Layer {
      readonly route?: { readonly path: string; readonly stack: readonly { readonly method?: string }[] };
    }
    const layers = (planes.whole.plane.app as unknown as { router: { stack: readonly Layer[] } }).router.stack;
    const routes = layers.flatMap(({ route }) => {
      const methods = route?.stack.flatMap(({ method }) => method ?? []) ?? [];
      return methods.map((method) => `${method.toUpperCase()} ${route?.path.replace(/:(\w+)/g, '{$1}')}`);
    });
    expect(routes.sort()).toEqual(
      operations()
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    );
    // what is no route: the headers, "not found" and the refusals
    expect(layers.filter(({ route }) => route === undefined)).toHaveLength(3);
    expect(document).toEqual(JSON.parse(JSON.stringify(planes.whole.plane.document)));
  });

  test('is sound: ids are told apart, parameters are declared, every reference leads somewhere', () => {
    expect(document.openapi).toBe('3.1.0');
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath);
      expect(operation.security.length > 0).toBe(operation['x-roles'] !== undefined);
    }
    for (const [, name = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      expect(Object.keys(document.components.schemas)).toContain(name);
      expect(() => validatorAt(['components', 'schemas', name])).not.toThrow();
    }
  });
});

test('docs/control-plane.md names every path, every code and every limit with its default', () => {
  const text = readFileSync('docs/control-plane.md', 'utf8');
  for (const { path, method } of operations()) expect(text, path).toContain(`${method} ${path}`);
  for (const code of Object.keys(CONTROL_PROBLEMS)) {
    if (!/^input\.(?:reserved|used)$/.test(code)) expect(text, code).toContain(`\`${code}\``);
  }
  for (const [name, value] of Object.entries(CONTROL_LIMITS)) {
    const [row = ''] = text.split('\n').filter((line) => line.startsWith('|') && line.includes(`\`${name}\``));
    const shown = value >= 2 ** 30 ? `${value / 2 ** 30} GiB` : value.toLocaleString('en-US');
    expect(row, name).toContain(shown);
  }
});

describe('what any operation can refuse', () => {
  test('401, 403, 421, and 400 for a query', async () => {
    for (const { operation } of operations()) {
      const { operationId, 'x-roles': roles } = operation;
      const good = GOOD[operationId] ?? {};
      expect((await provoke('whole', operationId, { ...good, query: '?x=1' })).status).toBe(400);
      if (roles === undefined) continue;
      const other = (Object.keys(TOKENS) as TestRole[]).find((role) => !roles.includes(role)) ?? 'operator';
      expect((await provoke('whole', operationId, { ...good, role: null })).status).toBe(401);
      expect((await provoke('whole', operationId, { ...good, role: other })).status).toBe(403);
      const misdirected = { ...good, role: null, headers: { ...good.headers, host: 'attacker.example' } };
      expect((await provoke('open', operationId, misdirected)).status).toBe(421);
    }
  });

  test('what is wrong with a body: 400, 413, 415, 422; too many of them: 429', async () => {
    await provoke('tight', 'statusOf', GOOD.statusOf);
    for (const { operation } of operations().filter((one) => one.operation.requestBody !== undefined)) {
      const { operationId } = operation;
      const headers = GOOD[operationId]?.headers ?? { 'content-type': 'application/json' };
      const isJson = operation.requestBody?.content['application/json'] !== undefined;
      const query = GOOD[operationId]?.query ?? '';
      if (isJson) expect((await provoke('whole', operationId, { headers, body: '{' })).status).toBe(400);
      expect((await provoke('whole', operationId, { headers: {}, body: 'x', query })).status).toBe(415);
      const large = { headers, query, body: isJson ? ' '.repeat(20_000) : `kind,value\n${'fax,1\n'.repeat(1000)}` };
      expect((await provoke('small', operationId, large)).status).toBe(413);
      if (operation.responses['429'] !== undefined) {
        expect((await provoke('tight', operationId, { headers, body: '{' })).status).toBe(429);
      }
      if (operation.responses['422'] === undefined) continue;
      const bad = isJson ? { json: { zzz: 1 } } : { body: 'kind\n', headers, query };
      expect((await provoke('whole', operationId, bad)).status).toBe(422);
    }
  });

  test('a body that does not come: 408', async () => {
    const limits = { jsonBodyMs: 100, stallMs: 100 };
    const slow = await serve({ ledger: ledgerOfAll, exports, limits });
    const bodied = operations().filter(({ operation }) => operation.responses['408'] !== undefined);
    expect(bodied.length).toBeGreaterThan(5);
    await Promise.all(
      bodied.map(async ({ operation, path, method }) => {
        const { operationId } = operation;
        const type = Object.keys(operation.requestBody?.content ?? {})[0] ?? '';
        const headers = { authorization: `Bearer ${TOKENS.operator}`, 'content-type': type, 'content-length': '100' };
        const target = path.replace('{id}', 'x') + (GOOD[operationId]?.query ?? '');
        checkAnswer(operationId, await half(slow.port, method, target, headers));
      }),
    );
    await slow.close();
  });
});

/** Sends the head and the first byte of a body. */
function half(port: number, method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      const { statusCode: status = 0, headers } = response;
      response.on('end', () => resolve({ status, headers, text, json: JSON.parse(text) }));
    });
    outgoing.on('error', reject);
    outgoing.write('k');
  });
}

describe('what each operation answers', () => {
  test('intake', async () => {
    const key = { 'idempotency-key': 'k' };
    const first = await provoke('whole', 'recordOptOut', { json: optOut('a'), headers: key });
    expect(first.status).toBe(201);
    expect((await provoke('whole', 'recordOptOut', { json: optOut('a'), headers: key })).status).toBe(200);
    expect((await provoke('whole', 'recordOptOut', { json: optOut('b'), headers: key })).status).toBe(409);
    expect((await provoke('unplaced', 'recordOptOut', { json: optOut('a') })).status).toBe(202);
    const inKey = { 'idempotency-key': 'i' };
    const asked = await provoke('whole', 'recordOptIn', { json: optOut('a'), headers: inKey });
    expect(asked.status).toBe(201);
    expect((await provoke('whole', 'recordOptIn', { json: optOut('a'), headers: inKey })).status).toBe(200);
    expect((await provoke('whole', 'recordOptIn', { json: optOut('b'), headers: inKey })).status).toBe(409);
    const confirm = (plane: 'whole' | 'unplaced', { json }: Answer) =>
      provoke(plane, 'confirmOptIn', { id: json.requestId, json: { confirmation: json.confirmation } });
    expect((await confirm('whole', asked)).status).toBe(200);
    expect((await confirm('unplaced', await provoke('unplaced', 'recordOptIn', { json: optOut('a') }))).status).toBe(
      202,
    );
    expect((await provoke('whole', 'confirmOptIn', { json: { confirmation: 'x' } })).status).toBe(404);
    for (const { json } of [first, asked]) {
      expect((await provoke('whole', 'getRequest', { id: json.requestId })).status).toBe(200);
      expect((await provoke('whole', 'getPropagation', { id: json.requestId })).status).toBe(200);
    }
    expect((await provoke('whole', 'getRequest')).status).toBe(404);
    expect((await provoke('whole', 'getPropagation')).status).toBe(404);
    expect((await provoke('whole', 'statusOf', GOOD.statusOf)).status).toBe(200);
    expect((await provoke('whole', 'statusOf', { json: { identifier: email('nobody') } })).status).toBe(200);
  });

  test('imports', async () => {
    const headers = { ...list.headers, 'idempotency-key': 'list' };
    const refused = { headers, body: `${list.body}fax,1\n` };
    expect((await provoke('whole', 'importOptOuts', refused)).status).toBe(201);
    expect((await provoke('whole', 'importOptOuts', refused)).status).toBe(200);
    expect((await provoke('whole', 'importOptOuts', { ...refused, query: '?channel=drop' })).status).toBe(409);
    expect((await provoke('unplaced', 'importOptOuts', list)).status).toBe(202);
  });

  test('exports', async () => {
    expect((await provoke('whole', 'exportRows', GOOD.exportRows)).text).toBe(list.body);
  });

  test('oversight and destinations', async () => {
    expect((await provoke('whole', 'reportEnforcer', { json: report })).status).toBe(204);
    expect((await provoke('whole', 'listEnforcers')).json.enforcers).toHaveLength(1);
    expect((await provoke('whole', 'retireEnforcer', { id: 'pod-1' })).status).toBe(204);
    expect((await provoke('whole', 'retireEnforcer', { id: 'pod-1' })).status).toBe(404);
    expect((await provoke('whole', 'getStatus')).status).toBe(200);
    await ledgerOfAll.audit.chain();
    const audit = await provoke('whole', 'listAudit', { query: '?kind=enforcer.retired&limit=1&after=1' });
    expect(audit.json.entries).toMatchObject([
      { subject: 'pod-1', actor: { role: 'operator', name: 'test-operator' } },
    ]);
    expect((await provoke('whole', 'listAudit', { query: '?limit=x' })).status).toBe(422);
    expect((await provoke('whole', 'getAuditHead')).json.n).toBeGreaterThanOrEqual(audit.json.last);
    expect((await provoke('whole', 'getOpenApi', { role: null })).status).toBe(200);
    const put = (headers: Record<string, string>) =>
      provoke('whole', 'putDestination', { ...GOOD.putDestination, headers });
    expect((await put({})).status).toBe(201);
    expect((await put({})).status).toBe(200);
    expect((await put({ 'if-match': '"x"' })).status).toBe(412);
    expect((await provoke('whole', 'listDestinations')).json.destinations).toHaveLength(1);
    expect((await provoke('whole', 'getDestination')).status).toBe(200);
    expect((await provoke('whole', 'getDestination', { id: 'none' })).status).toBe(404);
    expect((await provoke('whole', 'getDestination', { id: '\u0000' })).status).toBe(422);
    expect((await provoke('whole', 'removeDestination', { id: '\u0000' })).status).toBe(422);
    expect((await provoke('whole', 'removeDestination', { headers: { 'if-match': '"x"' } })).status).toBe(412);
    expect((await provoke('whole', 'removeDestination')).status).toBe(204);
    expect((await provoke('whole', 'removeDestination')).status).toBe(404);
  });

  test('records', async () => {
    expect((await provoke('whole', 'listDeadlines', { query: '?nearlyBusinessDays=5&limit=10' })).status).toBe(200);
    expect((await provoke('whole', 'listDeadlines', { query: '?limit=0' })).status).toBe(422);
    for (const query of ['?since=2020-01-01', '?since=2020-01-01&format=csv&rows=true&until=2020-02-01T00:00:00Z']) {
      expect((await provoke('whole', 'reportRecords', { query })).status).toBe(200);
    }
    expect((await provoke('whole', 'listUnknownDestinations')).json.destinations).toMatchObject([{ id: 'acme' }]);
    const { requestId } = (await provoke('whole', 'recordOptOut', { json: optOut('denied') })).json;
    expect((await provoke('whole', 'denyRequest', { ...GOOD.denyRequest, id: requestId })).json.repeat).toBe(false);
    expect((await provoke('whole', 'denyRequest', { ...GOOD.denyRequest, id: requestId })).json.repeat).toBe(true);
    expect((await provoke('whole', 'denyRequest', GOOD.denyRequest)).status).toBe(404);
    for (const query of ['', '?year=2026&format=csv']) {
      expect((await provoke('whole', 'reportMetrics', { query })).status).toBe(200);
    }
    expect((await provoke('whole', 'reportMetrics', { query: '?year=99999' })).status).toBe(422);
    expect((await provoke('tight', 'reportMetrics')).status).toBe(429);
    expect((await provoke('whole', 'reportQuarter', { query: '?quarter=2026Q4' })).status).toBe(200);
    expect((await provoke('whole', 'reportQuarter')).status).toBe(422);
    expect((await provoke('tight', 'reportQuarter')).status).toBe(429);
    for (const query of ['', '?since=x', '?since=2020-01-02&until=2020-01-01', '?since=2020-01-01&format=pdf']) {
      expect((await provoke('whole', 'reportRecords', { query })).status).toBe(422);
    }
    expect((await provoke('tight', 'reportRecords', { query: '?since=2020-01-01' })).status).toBe(429);
  });

  test('webhooks', async () => {
    const added = await provoke('whole', 'putWebhook', GOOD.putWebhook);
    expect([added.status, added.json.secret]).toEqual([201, expect.stringMatching(/^whsec_/)]);
    const changed = await provoke('whole', 'putWebhook', GOOD.putWebhook);
    expect([changed.status, changed.text.includes('secret"')]).toEqual([200, false]);
    const inside = { json: { url: 'http://169.254.169.254/', allowPrivate: true } };
    expect((await provoke('whole', 'putWebhook', inside)).json).toMatchObject({ code: 'input.reserved', field: 'url' });
    expect((await provoke('whole', 'listWebhooks')).json.webhooks).toHaveLength(1);
    expect((await provoke('whole', 'testWebhook')).json).toMatchObject({ delivered: false, reason: 'connection' });
    expect((await provoke('tight', 'testWebhook')).status).toBe(429);
    expect((await provoke('whole', 'rotateWebhook', GOOD.rotateWebhook)).json.secret).not.toBe(added.json.secret);
    expect((await provoke('whole', 'replayWebhook', GOOD.replayWebhook)).json).toEqual({ eventCount: 0 });
    expect((await provoke('whole', 'replayWebhook', { json: {} })).status).toBe(422);
    expect((await provoke('whole', 'listDeliveries', { query: '?state=dead&limit=5' })).status).toBe(200);
    expect((await provoke('whole', 'listDeliveries', { query: '?state=lost' })).status).toBe(422);
    expect((await provoke('whole', 'listDeliveries', { query: '?limit=x' })).status).toBe(422);
    const shown = await provoke('whole', 'getWebhook');
    expect([shown.status, shown.text.includes('whsec_')]).toEqual([200, false]);
    for (const id of ['none', '-', '\u0000']) {
      for (const { operation, path } of operations()) {
        if (!path.startsWith('/v1/webhooks/{id}') || operation.operationId === 'putWebhook') continue;
        const { operationId } = operation;
        expect((await provoke('whole', operationId, { ...GOOD[operationId], id })).status, operationId).toBe(404);
      }
    }
    expect((await provoke('whole', 'removeWebhook')).status).toBe(204);
  });

  test('the set passed on', async () => {
    const whole = await provoke('whole', 'getSnapshot');
    expect(whole.status).toBe(200);
    const etag = whole.headers.etag ?? '';
    expect((await provoke('whole', 'getSnapshot', { headers: { range: 'bytes=8-' } })).status).toBe(206);
    expect(
      (await provoke('whole', 'getSnapshot', { headers: { range: 'bytes=99999999-', 'if-range': etag } })).status,
    ).toBe(416);
    expect((await provoke('whole', 'getSnapshot', { headers: { 'if-none-match': etag } })).status).toBe(304);
    const epoch = position.slice(0, position.lastIndexOf('.'));
    expect((await provoke('whole', 'getChanges', { query: `?after=${position}&wait=0&limit=10` })).status).toBe(200);
    expect((await provoke('whole', 'getChanges', { query: `?after=${epoch}.0` })).status).toBe(410);
    expect((await provoke('whole', 'getChanges', { query: '?after=other.0' })).status).toBe(409);
  });

  test('501 without a ledger or a relay; 503 when they are down, or this process ends', async () => {
    await behind.close();
    await served('down', { ledger: behind.ledger, relay: await relayOf(behind.ledger.feed()) });
    for (const { operation } of operations()) {
      const { operationId } = operation;
      const good = { ...GOOD[operationId], id: operationId === 'putDestination' ? 'x' : `r_${'A'.repeat(22)}` };
      if (operation.responses['501'] !== undefined) {
        expect((await provoke('none', operationId, good)).status).toBe(501);
        const query = operationId === 'getChanges' ? `?after=${position}` : (GOOD[operationId]?.query ?? '');
        expect((await provoke('down', operationId, { ...good, query })).status, operationId).toBe(503);
      }
      expect((await provoke('closing', operationId, good)).status).toBe(503);
    }
  });

  test('and what nobody expected: the default', async () => {
    const broken = await serve({
      status: () => {
        throw new Error('broken');
      },
    });
    checkAnswer('getStatus', await ask(broken.port, 'GET', '/v1/status'));
    expect(seen.get('getStatus')).toContain('default');
    await broken.close();
  });
});

test('bodies that the document refuses are refused', async () => {
  for (const { operation } of operations()) {
    const ref = operation.requestBody?.content['application/json']?.schema.$ref;
    const good = GOOD[operation.operationId]?.json as Readonly<Record<string, unknown>> | undefined;
    if (ref === undefined || good === undefined) continue;
    const validate = validatorAt(['components', 'schemas', ref.split('/').at(-1) ?? '']);
    expect(validate(good), operation.operationId).toBe(true);
    const variants = [
      [],
      'text',
      { ...good, more: 1 },
      ...Object.keys(good).map((name) => ({ ...good, [name]: { a: 1 } })),
    ];
    for (const json of variants.filter((variant) => !validate(variant))) {
      const { status } = await provoke('whole', operation.operationId, { json });
      expect([400, 422], `${operation.operationId} ${JSON.stringify(json)}`).toContain(status);
    }
  }
});

test('every documented status of every operation was there', () => {
  for (const { operation } of operations()) {
    const documented = Object.keys(operation.responses).filter((status) => status !== 'default');
    const provoked = [...(seen.get(operation.operationId) ?? [])].filter((status) => status !== 'default');
    expect(provoked.sort(), operation.operationId).toEqual(documented.sort());
  }
});
