/**
 * The Node client: against a real door, a door that goes away and comes back, and servers that are none.
 * @module
 */
import { existsSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '@msgpack/msgpack';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, type ClientDecision, ClientError, type ClientOptions, connect } from '../../src/client/index.js';
import { parsePolicy } from '../../src/policy-file.js';
import { createSocketDoor, type SocketDoor } from '../../src/sidecar/socket/index.js';
import { framed, json, openStand, SUPPRESSED_MAID, testDesk, until } from '../sidecar/socket/stand.js';

const CLEAN = { id: '1', imp: [{ id: '1' }] };
const GPC = { ...CLEAN, regs: { ext: { gpc: 1 } }, user: { id: 'somebody-1' } };
/** Long, for a busy machine; tests that need a deadline to strike have their own. */
const DEADLINE_MS = 20_000;

function open(options: ClientOptions): Client {
  const client = connect({ deadlineMs: DEADLINE_MS, ...options });
  onTestFinished(() => client.close(0));
  return client;
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'optgate-client-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A server that does what a test says with every connection. */
async function serve(path: string, handle: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  return server;
}

async function doorAt(path: string): Promise<SocketDoor> {
  const door = createSocketDoor({ desk: testDesk() });
  await door.listen({ path });
  onTestFinished(() => door.drain(1));
  return door;
}

const hello = framed(
  encode([0, 0, { protocol: 1, server: 'test', limits: { frameBytesMax: 1e6, batchItemsMax: 100 } }]),
);
const isUnavailable = ({ reasons }: ClientDecision) => reasons[0] === 'client.unavailable';

test('check: objects, bytes, contexts, reasons in full', async () => {
  const { path } = await openStand();
  const client = open({ path });
  expect(await client.check(CLEAN)).toEqual({
    action: 'allow',
    strip: [],
    reasons: [],
    seq: 42,
    stale: false,
    jurisdiction: 'unknown',
    policyVersion: 'default-1',
  });
  expect(await client.check(json(GPC))).toMatchObject({ action: 'restrict', reasons: ['gpc.regs'] });
  expect((await client.check(CLEAN, { secGpc: '1', destination: 'x', state: 'ca' })).reasons).toEqual([
    'gpc.header',
    'destination.unknown',
  ]);
  const { explain } = await client.check(GPC, { explain: true });
  expect(explain?.[0]).toMatchObject({ code: 'gpc.regs' });
});

test('filter: the request itself, a new one, or nothing', async () => {
  const policy = parsePolicy({ destinations: [{ id: 'strict', whenOptedOut: 'block' }] });
  const { path } = await openStand({}, testDesk({ policy }));
  const client = open({ path });
  expect((await client.filter(CLEAN)).request).toBe(CLEAN);
  const { decision, request } = await client.filter(GPC);
  expect([decision.action, request]).toEqual(['restrict', { ...CLEAN, regs: { ext: { gpc: 1 } } }]);
  const outgoing = await client.filter(json(GPC));
  expect(JSON.parse(Buffer.from(outgoing.request ?? []).toString())).toEqual(request);
  expect(Buffer.from((await client.filter(json(CLEAN))).request ?? [])).toEqual(json(CLEAN));
  expect(await client.filter(GPC, { destination: 'strict' })).toMatchObject({
    decision: { action: 'block' },
    request: null,
  });
});

test('checkBatch: any number of items, in order, refusals among them', async () => {
  const { path, desk } = await openStand();
  const client = open({ path });
  const items = Array.from({ length: 1_500 }, (_, index) =>
    index === 700 ? { request: Buffer.from('{') } : { request: index % 2 ? GPC : CLEAN },
  );
  const results = await client.checkBatch([...items, { request: CLEAN, context: { secGpc: '1' } }]);
  expect(results).toHaveLength(1_501);
  expect(results[700]).toEqual({ error: { code: 'json.invalid', message: 'the bid request is not JSON' } });
  expect(results[1_500]).toMatchObject({ reasons: ['gpc.header'] });
  const actions = results.map((result) => ('action' in result ? result.action : 'refused'));
  expect(actions.filter((action) => action === 'allow')).toHaveLength(749);
  expect(actions.filter((action) => action === 'restrict')).toHaveLength(751);
  expect(desk.decisions).toHaveLength(1_500);
  expect(await client.checkBatch([])).toEqual([]);
});

test('lookup and status', async () => {
  const { path } = await openStand();
  const client = open({ path });
  const { seq, results } = await client.lookup([
    { kind: 'maid', value: SUPPRESSED_MAID },
    { kind: 'maid', value: '?' },
    { kind: 'account:shop', value: '7' },
  ]);
  expect(seq).toBe(42);
  expect(results[0]).toMatchObject({ rights: expect.arrayContaining(['sale']) });
  expect(results[1]).toMatchObject({ error: { code: 'identifier.invalid', field: 'value' } });
  expect(results[2]).toEqual({ rights: [] });
  expect(await client.status()).toMatchObject({ protocol: 1, table: { seq: 42 } });
});

test('what the caller did wrong is an error with the code of the server, or a TypeError', async () => {
  const { path } = await openStand({ frameBytesMax: 2_000 });
  const client = open({ path });
  await expect(client.check(Buffer.from('{'))).rejects.toMatchObject({ name: 'ClientError', code: 'json.invalid' });
  await expect(client.check({})).rejects.toMatchObject({ code: 'request.invalid' });
  await expect(client.check(CLEAN, { country: '?' })).rejects.toMatchObject({
    code: 'context.invalid',
    field: 'country',
  });
  await expect(client.check({ ...CLEAN, x: 'x'.repeat(3_000) })).rejects.toMatchObject({ code: 'client.too_large' });
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  await expect(client.check(cycle)).rejects.toBeInstanceOf(TypeError);
  await expect(client.check('{}' as unknown as object)).rejects.toBeInstanceOf(TypeError);
  await expect(client.check(CLEAN, { destination: 1n } as object)).rejects.toBeInstanceOf(TypeError);
  expect(await client.check(CLEAN)).toMatchObject({ action: 'allow' });
  expect(client.stats()).toMatchObject({ inFlight: 0, queued: 0, state: 'open' });
});

test.each([
  ['restrict', null],
  ['block', null],
  ['allow', CLEAN],
] as const)('nobody there, onUnavailable: %s', async (onUnavailable, outgoing) => {
  const client = open({ path: join(folder(), 'nobody'), onUnavailable });
  const said = { action: onUnavailable, reasons: ['client.unavailable'], stale: true, seq: null, policyVersion: null };
  expect(await client.check(CLEAN)).toMatchObject({ ...said, strip: onUnavailable === 'allow' ? [] : { length: 8 } });
  expect(await client.filter(CLEAN)).toMatchObject({ decision: said, request: outgoing });
  expect(await client.checkBatch([{ request: CLEAN }, { request: CLEAN }])).toMatchObject([said, said]);
  await expect(client.lookup([])).rejects.toMatchObject({ code: 'client.unavailable' });
  await expect(client.status()).rejects.toBeInstanceOf(ClientError);
});

test('the default is to restrict, and a client cannot restrict: it gives nothing to send', async () => {
  const client = open({ path: join(folder(), 'nobody') });
  expect(await client.filter(CLEAN)).toMatchObject({ decision: { action: 'restrict' }, request: null });
});

test('a server that says nothing costs the deadline and no more; it is left in the end', async () => {
  const path = join(folder(), 's');
  let connections = 0;
  await serve(path, (socket) => {
    connections++;
    socket.once('data', () => socket.write(hello));
  });
  const client = open({ path, deadlineMs: 20, silenceMs: 40 });
  expect(await client.ready(DEADLINE_MS)).toBe(true);
  expect(await client.check(CLEAN)).toMatchObject({ reasons: ['client.unavailable'] });
  expect(client.stats().unavailable.deadline).toBe(1);
  await until(() => connections > 1, 'another connection');
  const own = await client.check(CLEAN, undefined, { deadlineMs: 1 });
  expect(isUnavailable(own)).toBe(true);
});

test.each([
  ['an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['another version', framed(encode([0, 0, { protocol: 2, limits: { frameBytesMax: 1, batchItemsMax: 1 } }]))],
  ['a fatal error', framed(encode([2, null, { code: 'protocol.version', message: '' }]))],
  ['a hello without limits', framed(encode([0, 0, { protocol: 1 }]))],
  ['an empty frame', Buffer.alloc(4)],
  ['garbage', framed(Buffer.of(0xc1))],
  ['half a frame', hello.subarray(0, 20)],
])('%s is not taken for a server', async (_name, bytes) => {
  const path = join(folder(), 's');
  await serve(path, (socket) => {
    socket.once('data', () => socket.end(bytes));
  });
  const causes: unknown[] = [];
  const client = open({ path, connectMs: 300, onState: (_state, cause) => causes.push(cause) });
  expect(await client.check(CLEAN)).toMatchObject({ reasons: ['client.unavailable'] });
  expect(causes.some((cause) => cause !== null)).toBe(true);
  expect(client.stats().state).not.toBe('open');
});

test.each([
  ['an answer that is no decision', [0, 1, { action: 'permit' }]],
  ['an answer that is nil', [0, 1, null]],
  ['an error without a code', [1, 1, null]],
  ['an id as text', [0, '1', {}]],
  ['a kind there is not', [9, 1, {}]],
  ['four elements', [0, 1, {}, {}]],
])('%s is no permission', async (_name, answer) => {
  const path = join(folder(), 's');
  await serve(path, (socket) => {
    socket.once('data', () => {
      socket.write(hello);
      socket.once('data', () => socket.write(framed(encode(answer))));
    });
  });
  const client = open({ path });
  await client.ready(DEADLINE_MS);
  expect(await client.check(CLEAN)).toMatchObject({ action: 'restrict', reasons: ['client.unavailable'] });
});

test('busy is unavailable, not the fault of the caller', async () => {
  const { path, desk } = await openStand();
  const client = open({ path });
  await client.ready(DEADLINE_MS);
  desk.isShedding = true;
  expect(await client.check(CLEAN)).toMatchObject({ reasons: ['client.unavailable'] });
  expect(client.stats().unavailable.busy).toBe(1);
});

test('a server that is killed and comes back: errors only while it is gone', async () => {
  const path = join(folder(), 's');
  let door = await doorAt(path);
  const client = open({ path, backoffCapMs: 20 });
  expect(isUnavailable(await client.check(CLEAN))).toBe(false);
  const asking = Array.from({ length: 20 }, () => client.check(CLEAN, { minSeq: 'stand.99', waitMs: 1_000 }));
  await until(() => door.status().waiting === 20, 'all to wait');
  await door.drain(1);
  expect((await Promise.all(asking)).filter(isUnavailable)).toHaveLength(20);
  for (let index = 0; index < 5; index++) expect(isUnavailable(await client.check(CLEAN))).toBe(true);
  if (existsSync(path)) unlinkSync(path);
  door = await doorAt(path);
  expect(await client.ready(DEADLINE_MS)).toBe(true);
  expect(isUnavailable(await client.check(CLEAN))).toBe(false);
  expect(client.stats().reconnects).toBeGreaterThan(0);
});

test('a server that says goodbye while another takes over: nothing is lost', async () => {
  const path = join(folder(), 's');
  const first = await doorAt(path);
  const client = open({ path, backoffCapMs: 10 });
  await client.ready(DEADLINE_MS);
  await new Promise((resolve) => setTimeout(resolve, 1_100)); // long enough to be a connection that worked
  const waiting = client.check(CLEAN, { minSeq: 'stand.43', waitMs: 500 });
  await until(() => first.status().waiting === 1, 'a request that waits');
  const drained = first.drain(DEADLINE_MS);
  const second = await doorAt(path);
  const later = await client.check(CLEAN);
  expect(isUnavailable(later)).toBe(false);
  expect(isUnavailable(await waiting)).toBe(false);
  await drained;
  expect(second.status().connections).toBe(1);
});

test('a thousand at once: every call settled once, with its own answer', async () => {
  const { path } = await openStand();
  const client = open({ path, inFlightMax: 50, queueMax: 2_000 });
  const decisions = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => client.check(CLEAN, { state: index % 2 ? 'CA' : 'CO' })),
  );
  expect(decisions.map(({ jurisdiction }) => jurisdiction)).toEqual(
    Array.from({ length: 1_000 }, (_, index) => (index % 2 ? 'CA' : 'CO')),
  );
});

test('more than the queue holds is unavailable at once', async () => {
  const path = join(folder(), 's');
  await serve(path, (socket) => {
    socket.once('data', () => socket.write(hello));
  });
  const client = open({ path, inFlightMax: 2, queueMax: 3, deadlineMs: 300 });
  await client.ready(DEADLINE_MS);
  const decisions = await Promise.all(Array.from({ length: 9 }, () => client.check(CLEAN)));
  expect(decisions.every(isUnavailable)).toBe(true);
  expect(client.stats().unavailable).toMatchObject({ queue_full: 4, deadline: 5 });
});

test('close: what is asked is answered, what comes after is unavailable', async () => {
  const { path } = await openStand();
  const client = open({ path });
  await client.ready(DEADLINE_MS);
  const asked = client.check(CLEAN);
  await client.close(DEADLINE_MS);
  expect(isUnavailable(await asked)).toBe(false);
  expect(isUnavailable(await client.check(CLEAN))).toBe(true);
  expect(client.stats().state).toBe('closed');
  expect(await client.ready(1)).toBe(false);
});

test('an idle connection is kept by pings', async () => {
  const { path, door } = await openStand({ idleMs: 400 });
  const client = open({ path, keepAliveMs: 50 });
  await client.ready(DEADLINE_MS);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(client.stats()).toMatchObject({ state: 'open', reconnects: 0 });
  expect(door.status().connections).toBe(1);
});

test('options that are none are refused', () => {
  const bad: readonly object[] = [
    {},
    { path: '/x', port: 1 },
    { port: 0 },
    { port: 70_000 },
    { path: '/x', onUnavailable: 'permit' },
    { path: '/x', deadlineMs: 0 },
    { path: '/x', inFlightMax: Number.NaN },
  ];
  for (const options of bad) expect(() => connect(options as ClientOptions), JSON.stringify(options)).toThrow();
});

test('a batch of any size: cut by bytes where a frame would be too long', async () => {
  const { path } = await openStand();
  const client = open({ path });
  const long = { ...CLEAN, site: { page: 'x'.repeat(20_000) } };
  const decided = await client.checkBatch(Array.from({ length: 300 }, () => ({ request: long })));
  expect(decided).toHaveLength(300);
  for (const decision of decided) expect(decision).toMatchObject({ action: 'allow' });
});

test('a batch with an item that is no request: nothing is asked, and nothing rejects unheard', async () => {
  const { path, desk } = await openStand();
  const client = open({ path });
  await client.ready(DEADLINE_MS);
  const unheard: unknown[] = [];
  const note = (error: unknown) => void unheard.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const items = [...Array.from({ length: 256 }, () => ({ request: CLEAN })), { request: 7 as unknown as object }];
  const wrong = { destination: 7 } as unknown as { destination: string };
  await expect(client.checkBatch(items, wrong)).rejects.toThrow(TypeError);
  await client.check(CLEAN); // whatever was asked before has been answered
  expect(unheard).toEqual([]);
  expect(desk.decisions).toHaveLength(1);
});
