/**
 * What each operation answers, over a real socket, written and read with another msgpack.
 * @module
 */
import { expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../../../src/core/index.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { packageVersion } from '../../../src/version.js';
import { frame, json, openStand, SUPPRESSED_MAID, testDesk, until } from './stand.js';

const CLEAN = { id: '1', imp: [{ id: '1' }], device: { geo: { country: 'USA', region: 'CA' } } };
const GPC = { id: '2', imp: [{ id: '1' }], regs: { ext: { gpc: '1' } }, user: { id: 'somebody' } };
const SUPPRESSED = { id: '3', imp: [{ id: '1' }], device: { ifa: SUPPRESSED_MAID } };
const ALLOWED = {
  action: 'allow',
  strip: [],
  reasons: [],
  seq: 42,
  stale: false,
  jurisdiction: 'CA',
  policyVersion: DEFAULT_POLICY.version,
};
const ALL = ['ids', 'eids', 'ufpd', 'geo', 'ip', 'tid', 'urls', 'ua'];

test('hello says what is spoken here and how much of it', async () => {
  const { client } = await openStand({ batchItemsMax: 7 });
  const raw = await client(false);
  const [kind, id, value] = await raw.ask(5, 'hello', { protocol: 1 });
  expect([kind, id]).toEqual([0, 5]);
  expect(value).toMatchObject({ protocol: 1, server: `optgate/${packageVersion()}`, limits: { batchItemsMax: 7 } });
});

test.each([['bytes'], ['a map']])('check: a bid request as %s', async (form) => {
  const { client, desk } = await openStand();
  const raw = await client();
  const as = (request: object) => (form === 'bytes' ? json(request) : request);
  expect(await raw.ask(1, 'check', as(CLEAN))).toEqual([0, 1, ALLOWED]);
  expect(await raw.ask(2, 'check', as(GPC))).toMatchObject([
    0,
    2,
    { action: 'restrict', strip: ALL, reasons: ['gpc.regs'] },
  ]);
  expect(await raw.ask(3, 'check', as(SUPPRESSED), { destination: 'nobody-knows' })).toMatchObject([
    0,
    3,
    { action: 'restrict', reasons: ['destination.unknown', 'suppressed.maid'] },
  ]);
  expect(desk.decisions).toEqual([
    { operation: 'check', action: 'allow', destination: null },
    { operation: 'check', action: 'restrict', destination: null },
    { operation: 'check', action: 'restrict', destination: 'nobody-knows' },
  ]);
  await until(() => desk.answers.length === 3, 'three timings');
  expect(desk.refusals).toEqual([]);
});

test('every field of the context counts', async () => {
  const { client } = await openStand();
  const raw = await client();
  const reasonsWith = async (context: object) => {
    const [, , value] = await raw.ask(1, 'check', json(CLEAN), context);
    return (value as { reasons: string[] }).reasons;
  };
  expect(await reasonsWith({ secGpc: '1' })).toEqual(['gpc.header']);
  expect(await reasonsWith({ secGpc: ['1'] })).toEqual(['gpc.header']);
  expect(await reasonsWith({ identifiers: [{ kind: 'maid', value: SUPPRESSED_MAID }] })).toContain('suppressed.maid');
  expect(await reasonsWith({ destination: 'x' })).toEqual(['destination.unknown']);
  expect(await reasonsWith({ destination: null, secGpc: null })).toEqual([]);
  const [, , value] = await raw.ask(1, 'check', json({ ...CLEAN, device: {} }), { state: 'CO', country: 'US' });
  expect(value).toMatchObject({ jurisdiction: 'CO' });
});

test('explain gives the reasons in full', async () => {
  const { client } = await openStand();
  const raw = await client();
  const [, , value] = await raw.ask(1, 'check', json(GPC), { explain: true });
  const { explain } = value as { explain: { code: string; citation: string; strip: string[] }[] };
  expect(explain).toHaveLength(1);
  expect(explain[0]).toMatchObject({ code: 'gpc.regs', strip: ALL });
  expect(explain[0]?.citation).not.toBe('');
});

test('filter gives what may go out: bytes for bytes, a map for a map, nil where blocked', async () => {
  const policy = parsePolicy({ destinations: [{ id: 'strict', whenOptedOut: 'block' }] });
  const { client } = await openStand({}, testDesk({ policy }));
  const raw = await client();
  const requestOf = async (...message: unknown[]) => {
    const [kind, , value] = await raw.ask(...message);
    expect(kind).toBe(0);
    return (value as { request: unknown }).request;
  };
  const outgoing = (await requestOf(1, 'filter', json(GPC))) as Uint8Array;
  expect(JSON.parse(Buffer.from(outgoing).toString())).toEqual({
    id: '2',
    imp: [{ id: '1' }],
    regs: { ext: { gpc: '1' } },
  });
  expect(await requestOf(2, 'filter', GPC)).toEqual({ id: '2', imp: [{ id: '1' }], regs: { ext: { gpc: '1' } } });
  expect(Buffer.from((await requestOf(3, 'filter', json(CLEAN))) as Uint8Array)).toEqual(json(CLEAN));
  expect(await requestOf(4, 'filter', json(GPC), { destination: 'strict' })).toBeNull();
});

test('a batch answers item by item: its own context, its own error', async () => {
  const { client, desk } = await openStand();
  const raw = await client();
  const items = [
    json(CLEAN),
    [json(CLEAN), { secGpc: '1' }],
    Buffer.from('{'),
    CLEAN,
    7,
    [json(CLEAN), { secGPC: '1' }],
    [json(CLEAN), { minSeq: 'stand.1', waitMs: 5 }],
    [json(CLEAN), null],
  ];
  const [kind, , value] = await raw.ask(9, 'check_batch', items, { destination: 'x' });
  expect(kind).toBe(0);
  const said = (value as { reasons?: string[]; error?: { code: string; field?: string } }[]).map(
    ({ reasons, error }) => reasons?.join() ?? `${error?.code} ${error?.field ?? ''}`.trim(),
  );
  expect(said).toEqual([
    'destination.unknown',
    'gpc.header',
    'json.invalid',
    'destination.unknown',
    'request.invalid',
    'context.invalid context',
    'context.invalid waitMs',
    '',
  ]);
  expect(desk.refusals).toEqual(['json.invalid', 'request.invalid', 'context.invalid', 'context.invalid']);
});

test('lookup gives rights, item by item', async () => {
  const { client } = await openStand();
  const raw = await client();
  const identifiers = [
    { kind: 'email', value: ' JANE@example.com' },
    { kind: 'maid', value: 'not one' },
    { kind: 'maid', value: '00000000-0000-0000-0000-000000000000' },
    'nonsense',
    { kind: 'account:shop', value: '77' },
  ];
  const [kind, , value] = await raw.ask(1, 'lookup', identifiers);
  expect(kind).toBe(0);
  const { seq, stale, results } = value as {
    seq: number;
    stale: boolean;
    results: { rights?: string[]; error?: object }[];
  };
  expect([seq, stale]).toEqual([42, false]);
  expect(results.map(({ rights, error }) => rights?.length ?? error)).toEqual([
    7,
    { code: 'identifier.invalid', message: 'this is not an identifier', field: 'value' },
    0,
    { code: 'identifier.invalid', message: 'this is not an identifier', field: 'kind' },
    0,
  ]);
});

test('without a table: a miss is no permission, and a lookup no answer', async () => {
  const { client } = await openStand({}, testDesk({ loaded: false }));
  const raw = await client();
  expect(await raw.ask(1, 'check', json(SUPPRESSED))).toMatchObject([
    0,
    1,
    { action: 'restrict', stale: true, seq: null, reasons: ['table.not_loaded'] },
  ]);
  expect(await raw.ask(2, 'lookup', [])).toMatchObject([1, 2, { code: 'table.not_loaded' }]);
  expect(await raw.ask(3, 'status')).toMatchObject([0, 3, { table: null }]);
});

test('status and ping', async () => {
  const { client } = await openStand();
  const raw = await client();
  await raw.ask(1, 'check', json(GPC));
  const [, , status] = await raw.ask(2, 'status');
  expect(status).toMatchObject({
    protocol: 1,
    policyVersion: DEFAULT_POLICY.version,
    table: { epoch: 'stand', seq: 42, freshAtMs: null },
    shedding: false,
    draining: false,
    actions: { allow: 0, restrict: 1, block: 0 },
    socket: { connections: 1, waiting: 0 },
  });
  expect(await raw.ask(3, 'ping')).toEqual([0, 3, null]);
});

test('a request waits for the table, and those after it do not', async () => {
  const { client, desk } = await openStand({ waitMsMax: 30_000 });
  const raw = await client();
  raw.send([1, 'check', json(CLEAN), { minSeq: 'stand.43', waitMs: 30_000 }], [2, 'ping']);
  expect(await raw.receive()).toEqual([0, 2, null]);
  desk.holder.current?.publish(43, null);
  expect(await raw.receive()).toMatchObject([0, 1, { action: 'allow', seq: 43, stale: false }]);
});

test('a wait in vain is answered with what is known', async () => {
  const { client } = await openStand();
  const raw = await client();
  const said = { action: 'restrict', reasons: ['table.behind'], stale: true };
  expect(await raw.ask(1, 'check', json(SUPPRESSED), { minSeq: 'stand.99', waitMs: 1 })).toMatchObject([
    0,
    1,
    { stale: true },
  ]);
  const eid = { ...CLEAN, user: { buyeruid: 'b-1' } };
  expect(await raw.ask(2, 'check', json(eid), { minSeq: 'stand.99' })).toMatchObject([0, 2, said]);
  expect(await raw.ask(3, 'filter', json(eid), { minSeq: 'stand.99', waitMs: 1 })).toMatchObject([0, 3, said]);
  expect(await raw.ask(4, 'check_batch', [json(eid)], { minSeq: 'stand.99', waitMs: 1 })).toMatchObject([0, 4, [said]]);
});

test('while shedding, work is refused and the rest goes on', async () => {
  const { client, desk } = await openStand();
  const raw = await client();
  desk.isShedding = true;
  for (const [index, op] of ['check', 'filter', 'check_batch', 'lookup'].entries()) {
    expect(await raw.ask(index, op, [])).toMatchObject([1, index, { code: 'busy.shedding' }]);
  }
  expect(await raw.ask(8, 'ping')).toEqual([0, 8, null]);
  expect(await raw.ask(9, 'status')).toMatchObject([0, 9, { shedding: true }]);
  desk.isShedding = false;
  expect(await raw.ask(10, 'check', json(CLEAN))).toMatchObject([0, 10, { action: 'allow' }]);
});

test('pipelined: thousands of requests in pieces of any size are answered in order, each once', async () => {
  const { client } = await openStand();
  const raw = await client();
  const count = 3_000;
  const bytes = Buffer.concat(
    Array.from({ length: count }, (_, id) => frame([id, 'check', json(id % 2 ? GPC : CLEAN)])),
  );
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7 + 3) % 9_973) {
    raw.sendBytes(bytes.subarray(at, at + size));
    if (size % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => raw.frames.length === count + 1, 'all answers');
  const answers = raw.frames.slice(1);
  expect(answers.map(([, id]) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
  const wrong = answers.filter(
    ([, id, value]) => (value as { action: string }).action !== (Number(id) % 2 ? 'restrict' : 'allow'),
  );
  expect(wrong).toEqual([]);
});
