/**
 * One table for all threads: a worker sees what the parent writes, through growth and replacement. With real threads.
 * @module
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { enterIdentifier } from '../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../src/core/vocabulary.js';
import { attachGate, SharedTable, ShareHub } from '../src/gate-share.js';
import { parsePolicy } from '../src/policy-file.js';

const policy = parsePolicy({ version: 'shared-7' });
const maidOf = (index: number) => `6d92078a-8246-4ba4-ae5b-${index.toString(16).padStart(12, '0')}`;
const requestOf = (index: number) => ({ id: 'r', imp: [{ id: '1' }], device: { ifa: maidOf(index) } });
const optOut = (holder: TableHolder, index: number) =>
  enterIdentifier(holder, { kind: 'maid', value: maidOf(index) }, RIGHTS_ALL, { exact: true });
const never = async () => false;
const emptyTable = (capacity = 1000) => SuppressionTable.create({ capacity, seed: 5n, epoch: 'share' });

const workers: Worker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.terminate();
});

function startWorker(hub: ShareHub): Worker {
  const shared = hub.share();
  const worker = new Worker(new URL('./gate-worker.mjs', import.meta.url), {
    workerData: shared,
    transferList: [shared.port],
  });
  workers.push(worker);
  return worker;
}

async function ask(worker: Worker, index: number, context = {}) {
  worker.postMessage({ request: requestOf(index), context });
  const [answer] = await once(worker, 'message');
  return answer as { action: string; reasons: string[]; seq: number; stale: boolean; policyVersion: string };
}

test('a worker sees an opt-out as soon as the parent has entered it, under the parent’s policy', async () => {
  const holder = new TableHolder({ table: emptyTable() });
  const hub = new ShareHub(holder, policy, never);
  const worker = startWorker(hub);
  expect((await ask(worker, 1)).action).toBe('allow');

  optOut(holder, 1);
  holder.publish(7, null);
  const after = await ask(worker, 1, { minSeq: 'share.7' });
  expect(after).toMatchObject({ action: 'restrict', seq: 7, stale: false, policyVersion: 'shared-7' });
  expect(after.reasons).toEqual(['suppressed.maid']);
  expect((await ask(worker, 2)).action).toBe('allow');
  hub.close();
});

test('while the table grows the worker moves along, and the table before is let go of only then', async () => {
  const holder = new TableHolder({ table: emptyTable() });
  const hub = new ShareHub(holder, policy, never);
  const worker = startWorker(hub);
  await ask(worker, 0);
  const first = holder.current;
  for (let index = 0; holder.current === first; index++) optOut(holder, index);
  // the worker cannot have said anything yet: messages arrive between turns of the event loop
  expect(first?.standing).toBe('superseded');
  optOut(holder, 999_999);
  holder.publish(1, null);
  expect((await ask(worker, 999_999)).action).toBe('restrict');
  await expect.poll(() => first?.standing).toBe('abandoned');
  expect((await ask(worker, 999_999)).action).toBe('restrict');
  hub.close();
});

test('another table altogether reaches the worker; until it does the worker says so', async () => {
  const holder = new TableHolder({ table: emptyTable() });
  const hub = new ShareHub(holder, policy, never);
  const worker = startWorker(hub);
  await ask(worker, 1);
  const other = SuppressionTable.create({ capacity: 10, seed: 6n, epoch: 'second' });
  holder.replace(other);
  optOut(holder, 3);
  holder.publish(12, null);
  // until the worker has the message it asks a table that gets no more writes, and never calls it clean
  expect((await ask(worker, 3)).action).toBe('restrict');
  await expect.poll(async () => (await ask(worker, 3, { minSeq: 'second.12' })).stale).toBe(false);
  expect(await ask(worker, 3)).toMatchObject({ action: 'restrict', seq: 12, reasons: ['suppressed.maid'] });
  hub.close();
});

test('a parent without a table shares that, and the table when it comes', async () => {
  const holder = new TableHolder();
  const hub = new ShareHub(holder, policy, never);
  const worker = startWorker(hub);
  expect((await ask(worker, 1)).reasons).toEqual(['table.not_loaded']);
  holder.replace(emptyTable());
  holder.publish(1, null);
  await expect.poll(async () => (await ask(worker, 1)).action).toBe('allow');
  hub.close();
});

test('a worker that closes its gate, or ends, is no longer waited for', async () => {
  const holder = new TableHolder({ table: emptyTable() });
  const hub = new ShareHub(holder, policy, never);
  const closing = startWorker(hub);
  const ending = startWorker(hub);
  await Promise.all([ask(closing, 1), ask(ending, 1)]);
  expect(hub.readerCount).toBe(2);
  closing.postMessage('close');
  await once(closing, 'exit');
  await ending.terminate();
  await expect.poll(() => hub.readerCount).toBe(0);
  const first = holder.current;
  for (let index = 0; holder.current === first; index++) optOut(holder, index);
  expect(first?.standing).toBe('abandoned');
  hub.close();
});

test('what is not shared cannot be attached to', () => {
  expect(() => attachGate({} as never)).toThrow(TypeError);
  expect(() => attachGate(undefined as never)).toThrow(TypeError);
});

test('a new policy is in force in every reader when the parent is told so, and for those who attach later', async () => {
  const hub = new ShareHub(new TableHolder({ table: emptyTable() }), policy, never);
  const readers = [new SharedTable(hub.share()), new SharedTable(hub.share())];
  const seen: string[] = [];
  for (const reader of readers) reader.onPolicy(({ version }) => seen.push(version));
  await hub.usePolicy(parsePolicy({ version: 'shared-8' }));
  expect(seen).toEqual(['shared-8', 'shared-8']);
  expect(new SharedTable(hub.share()).policy.version).toBe('shared-8');
  readers[0]?.close();
  await hub.usePolicy(parsePolicy({ version: 'shared-9' }));
  expect(seen).toEqual(['shared-8', 'shared-8', 'shared-9']);
  hub.close();
});

test('a reader that waits for a token has the table of that token when it is told', async () => {
  const holder = new TableHolder({ table: emptyTable() });
  const hub = new ShareHub(holder, policy, async (token) => {
    if (token !== 'second.0') return new Promise(() => {});
    holder.replace(SuppressionTable.create({ capacity: 10, seed: 6n, epoch: 'second' }));
    return true;
  });
  const reader = new SharedTable(hub.share());
  expect(await reader.reach('second.0', 1000)).toBe(true);
  expect(reader.holder.epoch).toBe('second');
  const cut = reader.reach('second.99', 60_000);
  hub.close();
  expect(await cut).toBe(false);
});
