/**
 * What does one decision cost, and one restricted request?
 *
 *     node --expose-gc --max-semi-space-size=256 bench/gate.mjs
 *
 * Requests are the real ones of test/vectors, and "typical" ones: real requests that were given five identifiers of
 * their own (device.ifa, user.id, user.buyeruid, two eids). Each is parsed from its text just before it is checked, as
 * in a server, and the parsing is not counted. Percentiles are of single calls, the cost of the clock taken off.
 * @module
 */
import { readFileSync } from 'node:fs';
import { appendIdentifier, createKeyList, KEY_WORDS } from '../dist/core/identity/index.js';
import { restrictRequest } from '../dist/core/openrtb/index.js';
import { KIND_TAG, RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { createGate, parsePolicy, STRIP_GROUPS, SuppressionTable } from '../dist/index.js';
import { createRandom, isMain, nanoseconds, ns, printMachine, printTable, times } from './report.mjs';

const KEY_COUNT = 10_000_000;
const REQUEST_COUNT = 20_000;
const random = createRandom(20261123);
const hex8 = () => random().toString(16).padStart(8, '0');
const uuid = () => `${hex8()}-${hex8().slice(4)}-${hex8().slice(4)}-${hex8().slice(4)}-${hex8()}${hex8().slice(4)}`;

const real = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);

/** A table of 10 M device ids and a few of each other kind that requests carry. */
function createTable() {
  const table = SuppressionTable.create({ capacity: KEY_COUNT, seed: 7n, epoch: 'bench' });
  for (let index = 0; index < KEY_COUNT; index++) {
    table.set(KIND_TAG.maid, random() | 0, random() | 0, random() | 0, random() | 0, RIGHTS_ALL);
  }
  for (const kind of ['account:user.id', 'account:user.buyeruid', 'eid:pubcid.org']) {
    enter(table, { kind, value: 'somebody' });
  }
  table.publish(1, null);
  return table;
}

function enter(table, identifier) {
  const keys = createKeyList(16);
  appendIdentifier(keys, identifier);
  for (let at = 0; at < keys.count * KEY_WORDS; at += KEY_WORDS)
    table.set(...keys.words.subarray(at, at + 5), RIGHTS_ALL);
}

function typicalRequests() {
  return Array.from({ length: REQUEST_COUNT }, (_, index) => {
    const request = real[index % real.length];
    const eids = [
      { source: 'pubcid.org', uids: [{ id: uuid(), atype: 1 }] },
      { source: 'uidapi.com', uids: [{ id: `${hex8()}${hex8()}${hex8()}${hex8()}${hex8()}=`, atype: 3 }] },
    ];
    return JSON.parse(
      JSON.stringify({
        ...request,
        regs: { us_privacy: '1YNN', gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7], ext: {} },
        device: {
          ...request.device,
          ifa: uuid(),
          lmt: 0,
          dnt: 0,
          ext: { atts: 3 },
          geo: { country: 'USA', region: 'CA' },
        },
        user: { id: uuid(), buyeruid: uuid(), eids, ext: {} },
      }),
    );
  });
}

/** Percentiles of single calls, without what asking the clock costs. */
function percentiles(requests, work) {
  const took = new Float64Array(requests.length * 5);
  const idle = new Float64Array(100_000);
  for (let index = 0; index < idle.length; index++) {
    const start = performance.now();
    idle[index] = performance.now() - start;
  }
  const texts = requests.map((request) => JSON.stringify(request));
  for (let index = 0; index < 100_000; index++) work(JSON.parse(texts[index % texts.length]));
  for (let index = 0; index < took.length; index++) {
    const request = JSON.parse(texts[index % texts.length]);
    const start = performance.now();
    work(request);
    took[index] = performance.now() - start;
  }
  const clock = idle.sort()[idle.length / 2];
  took.sort();
  const at = (share) => ns((took[Math.floor(took.length * share)] - clock) * 1e6);
  return [at(0.5), at(0.99), at(0.999)];
}

/** Bytes allocated a call (before any collection), and bytes still held after a million calls. */
function memory(requests, work) {
  const heap = () => process.memoryUsage().heapUsed;
  for (let index = 0; index < 50_000; index++) work(requests[index % requests.length]);
  globalThis.gc();
  const calls = 20_000;
  const before = heap();
  for (let index = 0; index < calls; index++) work(requests[index % requests.length]);
  const allocated = (heap() - before) / calls;
  globalThis.gc();
  const held = heap();
  for (let index = 0; index < 1_000_000; index++) work(requests[index % requests.length]);
  globalThis.gc();
  return [`${allocated.toFixed(0)} B`, `${((heap() - held) / 1_000_000).toFixed(3)} B`];
}

function printChecks(table) {
  const typical = typicalRequests();
  const gate = createGate({ table, now: () => 0 });
  const signals = createGate({ table: 'none', now: () => 0 });
  const rows = [];
  const add = (name, requests, work) => rows.push([name, ...percentiles(requests, work), ...memory(requests, work)]);
  add('typical, 5 identifiers, 10 M keys', typical, (request) => gate.check(request));
  add('the same, signals alone', typical, (request) => signals.check(request));
  add('real requests, 10 M keys', real, (request) => gate.check(request));
  add('typical, reasons read', typical, (request) => gate.check(request).reasons);
  const ids = Array.from({ length: 30 }, (_, index) => `dsp-${index}`);
  const many = createGate({ table, policy: parsePolicy({ destinations: ids.map((id) => ({ id })) }), now: () => 0 });
  add('checkMany, 30 recipients', typical, (request) => many.checkMany(request, ids));
  enter(table, { kind: 'maid_sha256', value: '01'.repeat(32) });
  add('typical, set holds DROP device hashes', typical, (request) => gate.check(request));
  printTable('check', ['requests', 'median', 'p99', 'p99.9', 'allocated', 'retained'], rows);
}

/** What people write by hand: a deep copy and a list of deletes, far fewer than what restrict covers. */
function cloneAndDelete(request) {
  const copy = structuredClone(request);
  const { device, user, source } = copy;
  if (device)
    for (const name of ['ifa', 'didsha1', 'didmd5', 'dpidsha1', 'dpidmd5', 'macsha1', 'macmd5', 'ip', 'ipv6'])
      delete device[name];
  if (device?.geo) for (const name of ['lat', 'lon', 'zip', 'city', 'metro']) delete device.geo[name];
  if (user)
    for (const name of ['id', 'buyeruid', 'eids', 'data', 'keywords', 'yob', 'gender', 'geo', 'customdata'])
      delete user[name];
  if (user?.ext) delete user.ext.eids;
  if (source) delete source.tid;
  return copy;
}

async function printRestrict() {
  const typical = typicalRequests().slice(0, 2_000);
  const options = parsePolicy({}).restrict;
  const rows = [];
  for (const [name, requests] of Object.entries({ real, typical })) {
    const over = (work) => () => {
      for (const request of requests) work(request);
    };
    const count = requests.length;
    const clone = await nanoseconds(over(cloneAndDelete), count);
    const full = await nanoseconds(
      over((request) => restrictRequest(request, STRIP_GROUPS, options)),
      count,
    );
    const place = await nanoseconds(
      over((request) => restrictRequest(request, ['geo', 'ip'], options)),
      count,
    );
    rows.push([
      name,
      ns(clone.average),
      ns(full.average),
      times(clone.average / full.average),
      ns(place.average),
      times(clone.average / place.average),
    ]);
  }
  printTable('restrict', ['requests', 'structuredClone + delete', 'all groups', 'ratio', 'geo and ip', 'ratio'], rows);
}

export async function run() {
  printChecks(createTable());
  await printRestrict();
}

if (isMain(import.meta.url)) {
  await run();
  printMachine();
}
