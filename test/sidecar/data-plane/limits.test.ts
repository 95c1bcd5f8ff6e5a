/**
 * Limits: each has a name and a default, is refused where it makes no sense, and holds.
 * @module
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { decode, encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { TableHolder } from '../../../src/core/index.js';
import { createDataPlane, DATA_LIMITS, type DataLimits, isDataPath } from '../../../src/sidecar/data-plane/index.js';
import { head, PLAIN, type Stand, type StandOptions, startStand } from './stand.js';

const LINES = { 'content-type': 'application/x-ndjson' };
const MSGPACK = { 'content-type': 'application/msgpack' };
const line = JSON.stringify(PLAIN);

async function withStand(options: StandOptions, use: (stand: Stand) => Promise<void>): Promise<void> {
  const stand = await startStand(options);
  try {
    await use(stand);
  } finally {
    await stand.close();
  }
}
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one));

test.each(Object.keys(DATA_LIMITS))('%s has to be a whole number above 0', async (name) => {
  expect(DATA_LIMITS[name as keyof DataLimits]).toBeGreaterThan(0);
  await withStand({}, async ({ desk }) => {
    for (const value of [0, -1, 1.5, Number.NaN, '5']) {
      expect(() => createDataPlane({ desk, limits: { [name]: value } })).toThrow(RangeError);
    }
    expect(() => createDataPlane({ desk, limits: { bodyBytes: 5 } as never })).toThrow(TypeError);
  });
});

test('bodyBytesMax counts for bodies and for lines', () =>
  withStand({ limits: { bodyBytesMax: 200 } }, async (stand) => {
    const padded = (byteCount: number) => `${line.slice(0, -1).padEnd(byteCount - 1)}}`;
    expect((await stand.post('/v1/check', padded(200))).status).toBe(200);
    expect((await stand.post('/v1/check', padded(201))).status).toBe(413);
    const chunked = head('/v1/check', 'transfer-encoding: chunked');
    expect(await stand.raw(`${chunked}c9\r\n${padded(201)}\r\n0\r\n\r\n`)).toContain('body.too_large');
    const batch = await stand.post('/v1/check-batch', `${padded(200)}\n${padded(201)}\n${line}`, LINES);
    expect(linesOf(await batch.text()).map(({ action, error }) => action ?? error)).toEqual([
      'allow',
      { code: 'line.too_long', line: 2 },
      'allow',
    ]);
  }));

test('batchItemsMax, batchBytesMax and packedBatchBytesMax', () =>
  withStand({ limits: { batchItemsMax: 2, batchBytesMax: 400, packedBatchBytesMax: 300 } }, async (stand) => {
    const three = linesOf(await (await stand.post('/v1/check-batch', `${line}\n${line}\n${line}`, LINES)).text());
    expect(three[2]).toEqual({ error: { code: 'batch.too_many', line: 3 } });
    expect(three[1].action).toBe('allow');
    const declared = await stand.post('/v1/check-batch', `${line}\n`.repeat(10), LINES);
    expect([declared.status, await declared.json()]).toMatchObject([413, { code: 'body.too_large' }]);
    const packed = await stand.post('/v1/check-batch', encode([PLAIN, PLAIN, PLAIN]), MSGPACK);
    expect([packed.status, await packed.json()]).toMatchObject([413, { code: 'batch.too_many' }]);
    const large = await stand.post('/v1/check-batch', encode(Array(10).fill(PLAIN)), MSGPACK);
    expect([large.status, await large.json()]).toMatchObject([413, { code: 'body.too_large' }]);
    expect(stand.desk.refusals).toEqual(['batch.too_many', 'body.too_large', 'batch.too_many', 'body.too_large']);
  }));

test('an array of msgpack is answered as a whole or not at all', () =>
  withStand({}, async (stand) => {
    const refused = async (body: Uint8Array) => (await stand.post('/v1/check-batch', body, MSGPACK)).json();
    const good = Buffer.from(encode(PLAIN));
    expect(await refused(Buffer.concat([Buffer.from([0x92]), good, Buffer.from([0xc1])]))).toMatchObject({
      code: 'msgpack.malformed',
      item: 1,
    });
    expect(await refused(Buffer.concat([Buffer.from([0x91]), good, good]))).toMatchObject({
      code: 'msgpack.malformed',
    });
    expect(await refused(good)).toMatchObject({ code: 'batch.invalid' });
    expect(stand.desk.decisions).toEqual([]);
    const many = await stand.post('/v1/check-batch', encode(Array(300).fill(PLAIN)), MSGPACK);
    expect((decode(await many.arrayBuffer()) as unknown[]).length).toBe(300);
  }));

test('lookupItemsMax', () =>
  withStand({ limits: { lookupItemsMax: 2 } }, async (stand) => {
    const ask = async (identifiers: unknown) =>
      (await stand.post('/v1/lookup', JSON.stringify({ identifiers }))).json() as Promise<{ code?: string }>;
    expect((await ask([{}, {}])).code).toBe(undefined);
    expect((await ask([{}, {}, {}])).code).toBe('lookup.too_many');
    expect((await ask('x')).code).toBe('lookup.invalid');
    const more = await stand.post('/v1/lookup', '{"identifiers":[],"identifers":[]}');
    expect([more.status, await more.json()]).toMatchObject([422, { code: 'lookup.invalid' }]);
    expect((await stand.post('/v1/lookup', '{')).status).toBe(400);
  }));

test('heldBytesMax bounds what unfinished bodies hold together, and is given back', () =>
  withStand({ limits: { heldBytesMax: 10_000 } }, async (stand) => {
    const unfinished = [1, 2].map(() => {
      const socket = connect(stand.port, '127.0.0.1');
      socket.write(head('/v1/check', 'content-length: 5000') + ' '.repeat(4_000));
      return socket;
    });
    await Promise.all(unfinished.map((socket) => once(socket, 'connect')));
    const part = [head('/v1/check', 'transfer-encoding: chunked'), `fa0\r\n${' '.repeat(4_000)}\r\n`] as const;
    await expect.poll(async () => (await stand.raw(...part, 'g')).includes('busy.waiting')).toBe(true);
    expect((await stand.post('/v1/check', line)).status).toBe(200);
    for (const socket of unfinished) socket.destroy();
    await expect.poll(() => stand.desk.refusals.filter((code) => code === 'body.incomplete').length).toBe(2);
    expect(
      await stand.raw(...part, `${line.length.toString(16)}\r\n${line}\r\n0\r\n\r\n`, 200, head('/x'), 'x'),
    ).toContain('"action":"allow"');
  }));

/** A whole batch, written by a client that does not read yet; resolves when all of it has been taken. */
async function writeBatch(stand: Stand, path: string, itemCount: number) {
  const body = `${line}\n`.repeat(itemCount);
  const headers = ['content-type: application/x-ndjson', `content-length: ${body.length}`, 'connection: close'];
  const socket = connect(stand.port, '127.0.0.1').pause();
  socket.write(head(path, 'sec-gpc: 1', ...headers));
  const written = new Promise<void>((resolve) => socket.write(body, () => resolve()));
  const answerCount = async (): Promise<number> => {
    let text = '';
    for await (const piece of socket.resume()) text += piece;
    return text.split('"action":"restrict"').length - 1;
  };
  return { written, answerCount };
}

test('unreadBytesMax: a client that does not read is not read from; it gets every answer once it does', () =>
  withStand({ limits: { unreadBytesMax: 100_000 } }, async (stand) => {
    const { answerCount } = await writeBatch(stand, '/v1/check-batch?explain=true', 60_000);
    const { decisions } = stand.desk;
    let before = -1;
    const standsStill = (): boolean => {
      const still = decisions.length > 0 && decisions.length === before;
      before = decisions.length;
      return still;
    };
    await expect.poll(standsStill, { interval: 300, timeout: 30_000 }).toBe(true);
    expect(decisions.length).toBeLessThan(60_000);
    expect(await answerCount()).toBe(60_000);
  }));

test('a client may write a whole batch before it reads', () =>
  withStand({}, async (stand) => {
    const { written, answerCount } = await writeBatch(stand, '/v1/check-batch', 50_000);
    await written;
    expect(await answerCount()).toBe(50_000);
  }));

test('before a table is there nothing is clean', () =>
  withStand({ holder: new TableHolder() }, async (stand) => {
    const check = await stand.post('/v1/check', line);
    expect(await check.json()).toMatchObject({ action: 'restrict', reasons: ['table.not_loaded'], stale: true });
    const lookup = await stand.post('/v1/lookup', '{"identifiers":[]}');
    expect([lookup.status, lookup.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await lookup.json()).toMatchObject({ code: 'table.not_loaded' });
  }));

test('a table that is not fresh is stale in a lookup, too', () =>
  withStand({}, async (stand) => {
    stand.holder.publish(8, Date.now() - 3_600_000);
    const lookup = await stand.post('/v1/lookup', '{"identifiers":[]}');
    expect(await lookup.json()).toEqual({ results: [], seq: 8, stale: true });
    stand.holder.publish(9, Date.now());
    expect(await (await stand.post('/v1/lookup', '{"identifiers":[]}')).json()).toMatchObject({ stale: false });
  }));

test('a fault of our own is answered, told of, and harms nobody else', () =>
  withStand({}, async (stand) => {
    const { gate } = stand.desk;
    stand.desk.gate = null as never;
    for (const [path, headers] of [
      ['/v1/check', {}],
      ['/v1/check?min_seq=e1.1&wait_ms=1', {}],
      ['/v1/filter', {}],
    ] as const) {
      const response = await stand.post(path, line, headers);
      expect([response.status, await response.json()]).toMatchObject([500, { code: 'internal' }]);
    }
    await expect(stand.post('/v1/check-batch', line, LINES).then((response) => response.text())).rejects.toThrow();
    expect(stand.faults.length).toBe(4);
    stand.desk.gate = gate;
    expect((await stand.post('/v1/check', line)).status).toBe(200);
  }));

test('a data plane is a listener for a server of any kind', async () => {
  expect(['/v1/check', '/v1/filter?state=CA', '/v1/check-batch', '/v1/lookup'].map(isDataPath)).not.toContain(false);
  expect(['/', '/healthz', '/v1/check/', '/v1/status'].map(isDataPath)).not.toContain(true);
  await withStand({}, async ({ desk }) => {
    const server = createServer(createDataPlane({ desk })).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/v1/check`, { method: 'POST', body: Buffer.from(line) });
    expect(await response.json()).toMatchObject({ action: 'allow' });
    server.closeAllConnections();
    server.close();
  });
});
