/**
 * Every limit of the door holds, says so, and leaves the other clients alone.
 * @module
 */
import { expect, test } from 'vitest';
import { TURNED_AWAY_MAX } from '../../../src/sidecar/socket/door.js';
import { createSocketDoor, SOCKET_LIMITS, type SocketLimits } from '../../../src/sidecar/socket/index.js';
import { frame, json, openStand, RawClient, testDesk, until } from './stand.js';

const CLEAN = { id: '1', imp: [{ id: '1' }] };
const ALLOWED = { action: 'allow' };

test('the longest frame that may be sent is answered, and one byte more ends the connection', async () => {
  const { client } = await openStand({ frameBytesMax: 1_000 });
  const raw = await client();
  const overhead = frame([1, 'check', Buffer.alloc(500)]).length - 4 - 500;
  const padded = (bytes: number) => Buffer.from(JSON.stringify(CLEAN).padEnd(bytes - overhead));
  expect(await raw.ask(1, 'check', padded(1_000))).toMatchObject([0, 1, ALLOWED]);
  raw.send([2, 'check', padded(1_001)]);
  expect(await raw.fatalCode()).toBe('frame.too_large');
});

test('a batch and a lookup of as many items as may be', async () => {
  const { client } = await openStand({ batchItemsMax: 3 });
  const raw = await client();
  const items = [CLEAN, CLEAN, CLEAN].map(json);
  expect(await raw.ask(1, 'check_batch', items)).toMatchObject([0, 1, [ALLOWED, ALLOWED, ALLOWED]]);
  expect(await raw.ask(2, 'check_batch', [...items, ...items])).toMatchObject([1, 2, { code: 'batch.too_many' }]);
  expect(await raw.ask(3, 'lookup', [1, 2, 3])).toMatchObject([0, 3, {}]);
  expect(await raw.ask(4, 'lookup', [1, 2, 3, 4])).toMatchObject([1, 4, { code: 'batch.too_many' }]);
});

test('an answer longer than an answer may be is an error', async () => {
  const { client } = await openStand({ answerBytesMax: 600 });
  const raw = await client();
  expect(await raw.ask(1, 'check', json(CLEAN))).toMatchObject([0, 1, ALLOWED]);
  expect(await raw.ask(2, 'check_batch', Array(9).fill(json(CLEAN)))).toMatchObject([
    1,
    2,
    { code: 'answer.too_large' },
  ]);
  expect(await raw.ask(3, 'check', json(CLEAN))).toMatchObject([0, 3, ALLOWED]);
});

test('requests that wait: as many as may, each id once', async () => {
  const { client, desk } = await openStand({ inFlightMax: 2, waitMsMax: 60_000 });
  const raw = await client();
  const wait = { minSeq: 'stand.43', waitMs: 60_000 };
  raw.send([1, 'check', json(CLEAN), wait], [2, 'check', json(CLEAN), wait]);
  expect(await raw.ask(3, 'check', json(CLEAN), wait)).toMatchObject([1, 3, { code: 'busy.waiting' }]);
  expect(await raw.ask(3, 'check', json(CLEAN))).toMatchObject([0, 3, ALLOWED]);
  desk.holder.current?.publish(43, null);
  const answered = [await raw.receive(), await raw.receive()];
  expect(answered.map(([kind, id]) => [kind, id])).toEqual([
    [0, 1],
    [0, 2],
  ]);
  raw.send([4, 'check', json(CLEAN), { ...wait, minSeq: 'stand.44' }], [4, 'ping']);
  expect(await raw.fatalCode()).toBe('id.in_use');
});

test('bytes of requests that wait are held for all clients together', async () => {
  const { client, door, desk } = await openStand({ heldBytesMax: 1_500, waitMsMax: 60_000 });
  const [raw, other] = [await client(), await client()];
  const wait = { minSeq: 'stand.43', waitMs: 60_000 };
  const large = Buffer.from(JSON.stringify(CLEAN).padEnd(1_000));
  raw.send([1, 'check', large, wait]);
  await until(() => door.status().waiting === 1, 'the first to wait');
  expect(await other.ask(1, 'check', large, wait)).toMatchObject([1, 1, { code: 'busy.waiting' }]);
  expect(await other.ask(2, 'check', large)).toMatchObject([0, 2, ALLOWED]);
  desk.holder.current?.publish(43, null);
  expect(await raw.receive()).toMatchObject([0, 1, ALLOWED]);
  expect(door.status()).toMatchObject({ waiting: 0, heldBytes: 0 });
});

test('bytes of unfinished frames are held for all clients together', async () => {
  const { client, door } = await openStand({ heldBytesMax: 10_000 });
  const [first, second] = [await client(), await client()];
  const unfinished = frame([1, 'check', Buffer.alloc(9_000)]).subarray(0, 6_000);
  first.sendBytes(unfinished);
  await until(() => door.status().heldBytes >= 6_000, 'the first to be held');
  second.sendBytes(unfinished);
  expect(await second.fatalCode()).toBe('frame.memory');
  first.socket.destroy();
  await until(() => door.status().heldBytes === 0, 'nothing to be held');
});

test('one connection more than there may be is told so; when one leaves, there is room', async () => {
  const { client, path, door } = await openStand({ connectionsMax: 2 });
  const [first, second] = [await client(), await client()];
  const third = await RawClient.connect(path);
  expect(await third.fatalCode()).toBe('connections.too_many');
  const crowd = await Promise.all(Array.from({ length: TURNED_AWAY_MAX + 20 }, () => RawClient.connect(path)));
  await until(() => crowd.every(({ isClosed }) => isClosed), 'all to be turned away');
  expect(await first.ask(1, 'check', json(CLEAN))).toMatchObject([0, 1, ALLOWED]);
  second.socket.destroy();
  await until(() => door.status().connections === 1, 'one to leave');
  expect(await (await client()).ask(1, 'ping')).toEqual([0, 1, null]);
});

test('no hello in time', async () => {
  const { client } = await openStand({ handshakeMs: 30 });
  expect(await (await client(false)).fatalCode()).toBe('deadline.handshake');
});

test('half a frame and then silence, and a frame that comes byte by byte', async () => {
  const { client, desk } = await openStand({ frameMs: 60 });
  const [silent, slow, header] = [await client(), await client(), await client()];
  const whole = frame([1, 'check', json(CLEAN)]);
  silent.sendBytes(whole.subarray(0, 20));
  header.sendBytes(whole.subarray(0, 3));
  let at = 0;
  const trickle = setInterval(() => {
    if (at < 30) slow.sendBytes(whole.subarray(at, ++at));
  }, 10);
  expect([await silent.fatalCode(), await header.fatalCode(), await slow.fatalCode()]).toEqual(
    Array(3).fill('deadline.frame'),
  );
  clearInterval(trickle);
  expect(desk.decisions).toEqual([]);
});

test('nothing for too long ends a connection; pings keep it', async () => {
  const { client } = await openStand({ idleMs: 400 });
  const [idle, kept] = [await client(), await client()];
  let id = 0;
  const pinging = setInterval(() => kept.send([++id, 'ping']), 20);
  expect(await idle.fatalCode()).toBe('deadline.idle');
  clearInterval(pinging);
  expect(kept.isClosed).toBe(false);
});

test('a client that takes no answers is read no further, and answered in full once it does', async () => {
  const { client, desk } = await openStand({ outputBytesMax: 20_000, outputMs: 60_000 });
  const raw = await client();
  raw.socket.pause();
  const count = 20_000;
  const all = Buffer.concat(Array.from({ length: count }, (_, id) => frame([id, 'check', json(CLEAN)])));
  raw.sendBytes(all);
  let before = -1;
  await until(() => {
    const isStill = desk.decisions.length > 0 && desk.decisions.length === before;
    before = desk.decisions.length;
    return isStill && raw.socket.writableLength > 0;
  }, 'the server to stop reading');
  expect(desk.decisions.length).toBeLessThan(count);
  const other = await client();
  expect(await other.ask(1, 'check', json(CLEAN))).toMatchObject([0, 1, ALLOWED]);
  raw.socket.resume();
  await until(() => raw.frames.length === count + 1, 'all answers');
  expect(raw.frames.slice(1).map(([, id]) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
});

test('a client that never takes its answers is cut off', async () => {
  const { client, desk, door } = await openStand({ outputBytesMax: 20_000, outputMs: 50 });
  const raw = await client();
  raw.socket.pause();
  raw.sendBytes(Buffer.concat(Array.from({ length: 20_000 }, (_, id) => frame([id, 'check', json(CLEAN)]))));
  await until(() => door.status().connections === 0, 'the connection to be cut');
  expect(desk.refusals).toEqual(['deadline.output']);
});

test('a client that reads no last word is not kept for it', async () => {
  const { client, door } = await openStand({ lingerMs: 30 });
  const raw = await client();
  raw.socket.pause();
  raw.sendBytes(Buffer.alloc(4));
  await until(() => door.status().connections === 0, 'the connection to be cut');
});

test('limits that are none are refused when the door is made', () => {
  const make = (limits: object) => () =>
    createSocketDoor({ desk: testDesk(), limits: limits as Partial<SocketLimits> });
  expect(make({ frameBytesMax: 0 })).toThrow(RangeError);
  expect(make({ frameBytesMax: Number.NaN })).toThrow(RangeError);
  expect(make({ frameBytesMax: '1' })).toThrow(RangeError);
  expect(make({ framebytes: 1 })).toThrow(TypeError);
  for (const name of Object.keys(SOCKET_LIMITS)) expect(make({ [name]: -1 })).toThrow(name);
});
