/**
 * Whatever a client sends costs that client its connection at most: a stated error each, and another client that is
 * connected all the while never notices.
 * @module
 */
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSocketDoor, type SocketDoor } from '../../../src/sidecar/socket/index.js';
import { FrameSplitter } from '../../../src/wire/frames.js';
import { frame, framed, json, openStand, RawClient, testDesk, until } from './stand.js';

const CLEAN = { id: '1', imp: [{ id: '1' }] };
const bytes = (...parts: (number | string | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string))));
/** A check whose body is these bytes of msgpack. */
const checkOf = (body: Uint8Array) => framed(bytes(0x93, 7, 0xa5, 'check', body));
const nested = (open: readonly number[], depth: number) =>
  Buffer.concat([...Array.from({ length: depth }, () => Buffer.from(open)), Buffer.of(0xc0)]);

/** Sent after the hello; the connection ends with this code. */
const FATAL: readonly (readonly [string, Uint8Array, string])[] = [
  ['length 2^32 - 1', bytes(0xff, 0xff, 0xff, 0xff), 'frame.too_large'],
  ['one byte more than the limit', bytes(0, 0x40, 0, 1), 'frame.too_large'],
  ['length 0', bytes(0, 0, 0, 0), 'frame.empty'],
  ['an HTTP request', bytes('POST /v1/check HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'frame.too_large'],
  ['a frame that is text', framed(bytes(0xa3, 'abc')), 'frame.malformed'],
  ['a frame that is a map', frame({ id: 1, op: 'check' }), 'frame.malformed'],
  ['a frame that is an empty array', framed(bytes(0x90)), 'frame.malformed'],
  ['a frame with one element', frame([1]), 'frame.malformed'],
  ['a frame with five elements', frame([1, 'check', CLEAN, {}, 5]), 'frame.malformed'],
  ['an id that is text', frame(['1', 'ping']), 'frame.malformed'],
  ['an id below zero', frame([-1, 'ping']), 'frame.malformed'],
  ['an id of 2^32', frame([2 ** 32, 'ping']), 'frame.malformed'],
  ['an id of 1.5', frame([1.5, 'ping']), 'frame.malformed'],
  ['an array that promises 2^32 - 1 elements', framed(bytes(0xdd, 0xff, 0xff, 0xff, 0xff)), 'frame.malformed'],
  ['an id cut off', framed(bytes(0x92, 0xcf, 1)), 'frame.malformed'],
  ['the byte msgpack never uses', framed(bytes(0xc1)), 'frame.malformed'],
];

/** The request is refused with this code, and the connection goes on. */
const REFUSED: readonly (readonly [string, Uint8Array, string])[] = [
  ['an unknown operation', frame([7, 'chekc', CLEAN]), 'op.unknown'],
  ['an operation that is a number', frame([7, 1, CLEAN]), 'op.unknown'],
  ['an operation that is a map', frame([7, {}, CLEAN]), 'op.unknown'],
  ['an operation longer than the frame', framed(bytes(0x92, 7, 0xdb, 0xff, 0xff, 0xff, 0xff)), 'op.unknown'],
  ['no bid request', frame([7, 'check']), 'request.invalid'],
  ['a bid request of nil', frame([7, 'check', null]), 'request.invalid'],
  ['a bid request that is text', frame([7, 'check', '{}']), 'request.invalid'],
  ['a map that is no bid request', frame([7, 'check', { id: '1' }]), 'request.invalid'],
  ['an array', frame([7, 'check', []]), 'request.invalid'],
  ['JSON that is no bid request', frame([7, 'check', Buffer.from('{"id":"1"}')]), 'request.invalid'],
  ['JSON that is a number', frame([7, 'check', Buffer.from('7')]), 'request.invalid'],
  ['JSON cut off', frame([7, 'check', Buffer.from('{"id":')]), 'json.invalid'],
  ['no JSON at all', frame([7, 'filter', Buffer.from('hello')]), 'json.invalid'],
  ['empty bytes', frame([7, 'check', new Uint8Array(0)]), 'json.invalid'],
  ['JSON with a byte that is not UTF-8', frame([7, 'check', bytes('{"id":"', 0xff, '"}')]), 'json.not_utf8'],
  ['a surrogate in UTF-8', frame([7, 'check', bytes('{"id":"', 0xed, 0xa0, 0x80, '"}')]), 'json.not_utf8'],
  ['a map of 2^32 - 1 members', checkOf(bytes(0xdf, 0xff, 0xff, 0xff, 0xff)), 'msgpack.malformed'],
  ['a map of 65535 members', checkOf(bytes(0xde, 0xff, 0xff)), 'msgpack.malformed'],
  ['an array of 2^32 - 1 elements', checkOf(bytes(0xdd, 0xff, 0xff, 0xff, 0xff)), 'msgpack.malformed'],
  ['text of 2^32 - 1 bytes', checkOf(bytes(0x81, 0xdb, 0xff, 0xff, 0xff, 0xff)), 'msgpack.malformed'],
  ['bytes of 2^32 - 1 bytes', checkOf(bytes(0xc6, 0xff, 0xff, 0xff, 0xff)), 'msgpack.malformed'],
  ['a body cut off', framed(bytes(0x93, 7, 0xa5, 'check')), 'msgpack.malformed'],
  ['the byte msgpack never uses', checkOf(bytes(0x81, 0xa1, 'a', 0xc1)), 'msgpack.malformed'],
  ['bytes behind the message', framed(bytes(encode([7, 'check', CLEAN]), 0xc0)), 'msgpack.malformed'],
  ['bytes behind a ping', framed(bytes(encode([7, 'ping']), 0xc0)), 'msgpack.malformed'],
  ['arrays nested 129 deep', checkOf(nested([0x91], 129)), 'msgpack.too_deep'],
  ['arrays nested 100,000 deep', checkOf(nested([0x91], 100_000)), 'msgpack.too_deep'],
  ['maps nested 100,000 deep', checkOf(nested([0x81, 0xa1, 0x61], 100_000)), 'msgpack.too_deep'],
  [
    '300,000 empty maps',
    checkOf(bytes(0xdd, 0, 4, 0x93, 0xe0, Buffer.alloc(300_000, 0x80))),
    'msgpack.too_many_values',
  ],
  ['a key that is a number', checkOf(bytes(0x81, 1, 1)), 'msgpack.key'],
  ['a key that is a map', checkOf(bytes(0x81, 0x80, 1)), 'msgpack.key'],
  ['a key that is an array', checkOf(bytes(0x81, 0x90, 1)), 'msgpack.key'],
  ['a key that is nil', checkOf(bytes(0x81, 0xc0, 1)), 'msgpack.key'],
  ['a key that stands twice', checkOf(bytes(0x82, 0xa1, 'a', 1, 0xa1, 'a', 2)), 'msgpack.key'],
  ['bytes as a member', frame([7, 'check', { id: new Uint8Array(3) }]), 'msgpack.type'],
  ['an extension as a member', frame([7, 'check', { id: new Date(0) }]), 'msgpack.type'],
  ['an extension as the request', checkOf(bytes(0xd4, 1, 1)), 'msgpack.type'],
  ['text that is not UTF-8', checkOf(bytes(0x81, 0xa1, 'a', 0xa1, 0xff)), 'msgpack.not_utf8'],
  ['a key that is not UTF-8', checkOf(bytes(0x81, 0xa1, 0xff, 1)), 'msgpack.not_utf8'],
  ['a context that is text', frame([7, 'check', CLEAN, 'x']), 'context.invalid'],
  ['a context with a field unknown', frame([7, 'check', CLEAN, { sec_gpc: '1' }]), 'context.invalid'],
  ['a context with __proto__', frame([7, 'check', CLEAN, JSON.parse('{"__proto__":{"waitMs":1}}')]), 'context.invalid'],
  ['Sec-GPC that is a number', frame([7, 'check', CLEAN, { secGpc: 1 }]), 'context.invalid'],
  ['Sec-GPC 65 times', frame([7, 'check', CLEAN, { secGpc: Array(65).fill('1') }]), 'context.invalid'],
  ['a destination of 257 characters', frame([7, 'check', CLEAN, { destination: 'x'.repeat(257) }]), 'context.invalid'],
  ['a wait longer than the limit', frame([7, 'check', CLEAN, { waitMs: 1_001 }]), 'context.invalid'],
  ['a wait for nothing', frame([7, 'check', CLEAN, { waitMs: 1 }]), 'context.invalid'],
  ['a state in full', frame([7, 'check', CLEAN, { state: 'California' }]), 'context.invalid'],
  ['a country that is none', frame([7, 'check', CLEAN, { country: '1' }]), 'context.invalid'],
  ['a wait below zero', frame([7, 'check', CLEAN, { waitMs: -1 }]), 'context.invalid'],
  ['identifiers that are none', frame([7, 'check', CLEAN, { identifiers: [{ kind: 'maid' }] }]), 'context.invalid'],
  [
    'identifiers 65 times',
    frame([7, 'check', CLEAN, { identifiers: Array(65).fill({ kind: 'maid', value: '' }) }]),
    'context.invalid',
  ],
  ['explain that is text', frame([7, 'check', CLEAN, { explain: 'yes' }]), 'context.invalid'],
  ['a context where none is taken', frame([7, 'lookup', [], { state: 'CA' }]), 'context.invalid'],
  ['a batch that is a map', frame([7, 'check_batch', CLEAN]), 'batch.invalid'],
  ['a batch without a body', frame([7, 'check_batch']), 'batch.invalid'],
  ['an item of three', frame([7, 'check_batch', [[CLEAN, {}, {}]]]), 'batch.invalid'],
  ['1025 items', frame([7, 'check_batch', Array(1_025).fill(null)]), 'batch.too_many'],
  [
    'a batch of 2^32 - 1 items',
    framed(bytes(0x93, 7, 0xab, 'check_batch', 0xdd, 0xff, 0xff, 0xff, 0xff)),
    'msgpack.malformed',
  ],
  ['a lookup that is a map', frame([7, 'lookup', {}]), 'lookup.invalid'],
  ['a lookup of 1025', frame([7, 'lookup', Array(1_025).fill(null)]), 'batch.too_many'],
];

function deepJson(depth: number): string {
  return `{"imp":[{}],"regs":{"ext":{"gpc":1}},"ext":${'['.repeat(depth)}${']'.repeat(depth)}}`;
}

/** One door for all of these, and one well-behaved client of it. */
const shared: { stand?: Awaited<ReturnType<typeof openShared>> } = {};
async function openShared() {
  const desk = testDesk();
  const door = createSocketDoor({ desk, onFault: (error) => faults.push(error) });
  const { address } = await door.listen({ path: `/tmp/optgate-hostile-${process.pid}` });
  return { desk, door, address };
}
const faults: unknown[] = [];
beforeAll(async () => {
  shared.stand = await openShared();
});
afterAll(() => shared.stand?.door.drain(1));

async function sendTo(door: SocketDoor | undefined, hostile: Uint8Array): Promise<RawClient> {
  if (door === undefined || shared.stand === undefined) throw new Error('no door');
  const [bystander, client] = [
    await RawClient.connect(shared.stand.address),
    await RawClient.connect(shared.stand.address),
  ];
  bystander.send([1, 'hello', { protocol: 1 }]);
  await bystander.receive();
  client.send([1, 'hello', { protocol: 1 }]);
  await client.receive();
  client.sendBytes(hostile);
  expect(await bystander.ask(2, 'check', json(CLEAN))).toMatchObject([0, 2, { action: 'allow' }]);
  return client;
}

test.each(FATAL)('%s ends the connection', async (_name, hostile, code) => {
  const client = await sendTo(shared.stand?.door, hostile);
  expect(await client.fatalCode()).toBe(code);
  expect(shared.stand?.desk.refusals.at(-1)).toBe(code);
});

test.each(REFUSED)('%s is refused', async (_name, hostile, code) => {
  const client = await sendTo(shared.stand?.door, hostile);
  expect(await client.receive()).toMatchObject([1, 7, { code }]);
  expect(shared.stand?.desk.refusals.at(-1)).toBe(code);
  expect(await client.ask(8, 'check', json(CLEAN))).toMatchObject([0, 8, { action: 'allow' }]);
  expect(faults).toEqual([]);
});

test.each([
  ['another operation first', frame([1, 'ping']), 'protocol.hello_expected'],
  ['an operation there is not first', frame([1, 'x']), 'protocol.hello_expected'],
  ['another version', frame([1, 'hello', { protocol: 2 }]), 'protocol.version'],
  ['a version as text', frame([1, 'hello', { protocol: '1' }]), 'protocol.version'],
  ['a hello without a version', frame([1, 'hello']), 'protocol.version'],
  ['a hello of nil', frame([1, 'hello', null]), 'protocol.version'],
  ['a hello that cannot be read', framed(bytes(0x93, 1, 0xa5, 'hello', 0xc1)), 'protocol.version'],
])('%s ends the connection', async (_name, first, code) => {
  const { client } = await openStand();
  const raw = await client(false);
  raw.sendBytes(first);
  expect(await raw.fatalCode()).toBe(code);
});

test('JSON nested 100,000 deep goes out without its depth', async () => {
  const client = await sendTo(shared.stand?.door, frame([7, 'filter', Buffer.from(deepJson(100_000))]));
  const [kind, , value] = await client.receive();
  expect(kind).toBe(0);
  expect(JSON.parse(Buffer.from((value as { request: Uint8Array }).request).toString())).toEqual({
    imp: [{}],
    regs: { ext: { gpc: 1 } },
  });
});

test('no error repeats what a client wrote', async () => {
  const { client } = await openStand();
  const raw = await client();
  const secret = 'jane.doe@example.com';
  raw.send(
    [1, secret, {}],
    [2, 'check', Buffer.from(secret)],
    [3, 'check', CLEAN, { [secret]: 1 }],
    [4, 'check', CLEAN, { identifiers: [{ kind: secret }] }],
    [
      5,
      'lookup',
      [
        { kind: secret, value: secret },
        { kind: 'maid', value: secret },
      ],
    ],
    [6, 'check_batch', [Buffer.from(secret)]],
  );
  await until(() => raw.frames.length === 7, 'all answers');
  expect(raw.frames.slice(1, 5).map(([kind]) => kind)).toEqual([1, 1, 1, 1]);
  expect(JSON.stringify(raw.frames)).not.toContain('jane');
});

test('any bytes at all: stated errors or a closed connection, never a fault', async () => {
  const { client, faults: found, desk } = await openStand();
  const bystander = await client();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (garbage, isFramed) => {
      const raw = await client();
      raw.sendBytes(isFramed && garbage.length > 0 ? framed(garbage) : garbage);
      raw.socket.end();
      await until(() => raw.isClosed, 'the end');
      expect(raw.frames.slice(1).every(([kind]) => kind === 1 || kind === 2 || kind === 0)).toBe(true);
    }),
    { numRuns: 150 },
  );
  expect(found).toEqual([]);
  expect(await bystander.ask(1, 'check', json(CLEAN))).toMatchObject([0, 1, { action: 'allow' }]);
  expect(desk.refusals.length).toBeGreaterThan(0);
});

test('a splitter finds the same frames however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 400 })),
      (values, sizes) => {
        const stream = Buffer.concat(values.map(framed));
        const splitter = new FrameSplitter(300);
        const found: Buffer[] = [];
        for (let at = 0; at < stream.length; ) {
          const end = at + (sizes.next().value ?? 1);
          splitter.push(Buffer.from(stream.subarray(at, end)));
          at = end;
          while (splitter.next() === 'frame') found.push(splitter.bytes.subarray(splitter.start, splitter.end));
        }
        // views that were handed out before must not have changed since
        expect(found.map((one) => [...one])).toEqual(values.map((one) => [...one]));
        expect(splitter.pendingBytes).toBe(0);
      },
    ),
  );
});
