/**
 * Beginning and ending: socket files, ports, draining.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ListenError, SOCKET_PATH_BYTES_MAX } from '../../../src/sidecar/listen.js';
import { createSocketDoor, type SocketDoor } from '../../../src/sidecar/socket/index.js';
import { frame, json, openStand, RawClient, testDesk, until } from './stand.js';

const CLEAN = { id: '1', imp: [{ id: '1' }] };

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'optgate-listen-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function newDoor(): SocketDoor {
  const door = createSocketDoor({ desk: testDesk() });
  onTestFinished(() => door.drain(1));
  return door;
}

/** A socket file that a killed process left behind. */
async function leaveSocketBehind(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  const child = spawn(process.execPath, ['-e', script]);
  await new Promise((resolve) => child.once('exit', resolve));
  expect(statSync(path).isSocket()).toBe(true);
}

test('a socket file is for owner and group, and is gone with its server', async () => {
  const path = join(folder(), 's');
  const before = process.umask();
  const listening = await newDoor().listen({ path });
  expect(process.umask()).toBe(before);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  expect(listening.address).toBe(path);
  await listening.close();
  expect(existsSync(path)).toBe(false);
  await newDoor().listen({ path, mode: 0o600 });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('what a killed process left behind is replaced', async () => {
  const path = join(folder(), 's');
  await leaveSocketBehind(path);
  await newDoor().listen({ path });
  const raw = await RawClient.connect(path);
  expect(await raw.ask(1, 'hello', { protocol: 1 })).toMatchObject([0, 1, { protocol: 1 }]);
});

test('a server that lives is left alone, even one that never answers', async () => {
  const path = join(folder(), 's');
  const other = createServer(() => {});
  await new Promise<void>((resolve) => other.listen(path, resolve));
  onTestFinished(() => void other.close());
  await expect(newDoor().listen({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(statSync(path).isSocket()).toBe(true);
});

test('a file that is no socket, or a link to one, is left alone', async () => {
  const at = folder();
  writeFileSync(join(at, 'file'), 'precious');
  symlinkSync(join(at, 'file'), join(at, 'link'));
  for (const name of ['file', 'link']) {
    const failure = await newDoor()
      .listen({ path: join(at, name) })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ListenError);
    expect(failure).toMatchObject({ code: 'ENOTSOCK' });
  }
  expect(statSync(join(at, 'file')).size).toBe(8);
});

test('a path longer than the system knows is refused, not cut off', async () => {
  const path = join(folder(), 'x'.repeat(SOCKET_PATH_BYTES_MAX));
  await expect(newDoor().listen({ path })).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});

test('a port of the loopback by default, and the one that was given', async () => {
  const { address } = await newDoor().listen({ port: 0 });
  expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  const port = Number(address.split(':')[1]);
  const socket = connect({ port, host: '127.0.0.1' });
  const received = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.write(frame([1, 'hello', { protocol: 1 }]));
  expect((await received).readUInt32BE(0)).toBeGreaterThan(50);
  socket.destroy();
  await expect(newDoor().listen({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('draining: no one new, what was sent is answered, what waits is answered, then the end', async () => {
  const { client, door, desk, path } = await openStand({ waitMsMax: 60_000, drainQuietMs: 100 });
  const [raw, idle] = [await client(), await client()];
  raw.send([1, 'check', json(CLEAN), { minSeq: 'stand.43', waitMs: 60_000 }]);
  await until(() => door.status().waiting === 1, 'a request that waits');
  let isDone = false;
  const drained = door.drain(60_000).then(() => {
    isDone = true;
  });
  expect(await raw.receive()).toEqual([3, null, null]);
  expect(await idle.receive()).toEqual([3, null, null]);
  await expect(RawClient.connect(path)).rejects.toThrow();
  raw.send([2, 'check', json(CLEAN)]); // it had not heard yet
  expect(await raw.receive()).toMatchObject([0, 2, { action: 'allow' }]);
  await until(() => idle.isClosed, 'the idle one to be hung up on');
  expect([isDone, raw.isClosed]).toEqual([false, false]);
  desk.holder.current?.publish(43, null);
  expect(await raw.receive()).toMatchObject([0, 1, { seq: 43 }]);
  await drained;
  await until(() => raw.isClosed, 'the end');
  expect(await raw.fatalCode()).toBeNull();
});

test('draining ends at its deadline, whatever waits', async () => {
  const { client, door } = await openStand({ waitMsMax: 60_000 });
  const raw = await client();
  raw.send([1, 'check', json(CLEAN), { minSeq: 'stand.43', waitMs: 60_000 }]);
  await until(() => door.status().waiting === 1, 'a request that waits');
  await door.drain(20);
  await until(() => raw.isClosed, 'the end');
  expect(door.status()).toEqual({ connections: 0, waiting: 0, heldBytes: expect.any(Number) });
});

test('a client that ends its side gets its answers first', async () => {
  const { client } = await openStand({ waitMsMax: 60_000 });
  const raw = await client();
  raw.send([1, 'check', json(CLEAN), { minSeq: 'stand.43', waitMs: 50 }], [2, 'ping']);
  raw.socket.end();
  await until(() => raw.isClosed, 'the end');
  expect(raw.frames.slice(1)).toMatchObject([
    [0, 2, null],
    [0, 1, { stale: true }],
  ]);
});
