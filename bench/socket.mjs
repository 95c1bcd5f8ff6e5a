/**
 * What does a decision cost over the socket, and over node:http on the same machine in the same run?
 *
 *     node bench/socket.mjs
 *
 * All servers answer from one gate in a process of their own; the load comes from this one, so that the two share the
 * machine as an ad server and its sidecar do. The request is a real one that was given five identifiers. Each load
 * generator writes bytes prepared beforehand and counts answers without decoding them, so that the servers are what is
 * measured; one HTTP row pipelines too, which real HTTP clients do not. The last rows are our own client, as it is used.
 * "server CPU" is what the server's process spent on one check: it says the same on a busy machine.
 * @module
 */
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '@msgpack/msgpack';
import { connect } from '../dist/client/index.js';
import { createGate, enterIdentifier, RIGHTS_ALL, SuppressionTable, TableHolder } from '../dist/index.js';
import { createDataPlane, createDataServer } from '../dist/sidecar/data-plane/index.js';
import { createSocketDoor } from '../dist/sidecar/socket/index.js';
import { createRandom, isMain, printMachine, printTable } from './report.mjs';

const RUN_MS = Number(process.env.OPTGATE_BENCH_MS ?? 2_000);
const WARM_UP_MS = RUN_MS / 2;
const DEPTHS = [1, 16, 64, 256];
const KEY_COUNT = 100_000;

/** A gate over a table that holds none of the people asked about: the usual case. */
function createDesk() {
  const random = createRandom(20261126);
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: KEY_COUNT, seed: 7n, epoch: 'bench' }) });
  for (let index = 0; index < KEY_COUNT; index++) holder.set(8, random(), random(), random(), random(), RIGHTS_ALL);
  for (const kind of ['account:user.id', 'account:user.buyeruid', 'eid:pubcid.org']) {
    enterIdentifier(holder, { kind, value: 'somebody' }, RIGHTS_ALL);
  }
  holder.current.publish(1, null);
  const gate = createGate({ table: holder });
  const reach = async () => true;
  const nothing = () => {};
  return {
    gate,
    table: holder.current,
    isShedding: false,
    reach,
    decided: nothing,
    answered: nothing,
    refused: nothing,
  };
}

/** The same check behind node:http by way of objects, as bare as it can be. */
function bareServer(gate) {
  return createServer((incoming, response) => {
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      const decision = JSON.stringify(gate.check(JSON.parse(body)));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(decision) });
      response.end(decision);
    });
  });
}

async function serve(folder) {
  const desk = createDesk();
  const door = createSocketDoor({ desk });
  const path = join(folder, 'optgate');
  await door.listen({ path });
  const { address } = await door.listen({ port: 0 });
  const listenHttp = (server, at) => new Promise((resolve) => server.listen(at, () => resolve(server.address())));
  const httpPath = await listenHttp(createDataServer(createDataPlane({ desk })), { path: join(folder, 'http') });
  const { port: httpPort } = await listenHttp(createDataServer(createDataPlane({ desk })), {
    port: 0,
    host: '127.0.0.1',
  });
  const barePath = await listenHttp(bareServer(desk.gate), { path: join(folder, 'bare') });
  process.send({ path, port: Number(address.split(':')[1]), httpPath, httpPort, barePath });
  process.on('message', (asked) => {
    if (asked === 'end') process.exit(0);
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
}

function typicalRequest() {
  const { request } = JSON.parse(readFileSync('test/vectors/bid-requests.ndjson', 'utf8').split('\n')[0]);
  return {
    ...request,
    regs: { us_privacy: '1YNN', gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7], ext: {} },
    device: { ...request.device, ifa: '6d92078a-8246-4ba4-ae5b-76104861e7dc', geo: { country: 'USA', region: 'CA' } },
    user: { id: 'u-1', buyeruid: 'b-1', eids: [{ source: 'pubcid.org', uids: [{ id: 'p-1' }] }], ext: {} },
  };
}

/** Counts frames in a stream without looking into them. */
function frameCounter() {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    let count = 0;
    while (bytes.length - at >= 4 && bytes.length - at >= 4 + bytes.readUInt32BE(at)) {
      at += 4 + bytes.readUInt32BE(at);
      count++;
    }
    rest = bytes.subarray(at);
    return count;
  };
}

/** Counts HTTP answers by the end of their bodies; a body may be cut anywhere. */
function httpCounter() {
  const END = Buffer.from('"policyVersion":"default-1"}');
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    let count = 0;
    for (let found = bytes.indexOf(END); found >= 0; found = bytes.indexOf(END, at)) {
      at = found + END.length;
      count++;
    }
    rest = bytes.subarray(at);
    return count;
  };
}

/** Keeps `depth` requests on their way; latencies are taken at depth 1 only. */
async function load(target, message, counter, depth, greeting, cpuOf) {
  const socket = connectSocket({ ...target, noDelay: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  if (greeting !== null) {
    socket.write(greeting);
    await new Promise((resolve) => socket.once('data', resolve));
  }
  const batch = Buffer.concat(Array.from({ length: depth }, () => message));
  const tookMs = [];
  let done = 0;
  let sentAtMs = 0;
  let endsAtMs = 0;
  let cpuBefore = null;
  let measuredFromMs = performance.now() + WARM_UP_MS;
  await new Promise((resolve) => {
    socket.on('data', (chunk) => {
      const count = counter(chunk);
      if (count === 0) return;
      const nowMs = performance.now();
      if (endsAtMs === 0 && nowMs > measuredFromMs) {
        measuredFromMs = nowMs;
        endsAtMs = nowMs + RUN_MS;
        done = 0;
        cpuBefore = cpuOf();
      } else {
        done += count;
        if (depth === 1 && endsAtMs > 0) tookMs.push(nowMs - sentAtMs);
      }
      if (endsAtMs > 0 && nowMs > endsAtMs) {
        resolve();
        return;
      }
      sentAtMs = performance.now();
      socket.write(count === depth ? batch : batch.subarray(0, count * message.length));
    });
    sentAtMs = performance.now();
    socket.write(batch);
  });
  const seconds = (performance.now() - measuredFromMs) / 1_000;
  const cpuUs = ((await cpuOf()) - (await cpuBefore)) / done;
  socket.destroy();
  tookMs.sort((a, b) => a - b);
  return {
    rate: done / seconds,
    cpuUs,
    p50: tookMs[Math.floor(tookMs.length * 0.5)],
    p99: tookMs[Math.floor(tookMs.length * 0.99)],
  };
}

/** Our own client, one promise a request. */
async function loadClient(target, request, depth, cpuOf) {
  const client = connect({ ...target, deadlineMs: 5_000 });
  await client.ready(5_000);
  let done = 0;
  let isMeasured = false;
  let isOver = false;
  const worker = async () => {
    while (!isOver) {
      const { policyVersion } = await client.check(request);
      if (policyVersion === null) throw new Error('the server could not be asked');
      if (isMeasured) done++;
    }
  };
  const workers = Array.from({ length: depth }, worker);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  isMeasured = true;
  const cpuBefore = await cpuOf();
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, RUN_MS));
  isOver = true;
  const seconds = (performance.now() - startMs) / 1_000;
  const cpuUs = ((await cpuOf()) - cpuBefore) / done;
  await Promise.all(workers);
  await client.close();
  return { rate: done / seconds, cpuUs };
}

/** HTTP/1.1 answers one after the other; more connections are what an HTTP client has instead of depth. */
async function loadMany(target, message, connections, cpuOf) {
  const runs = Array.from({ length: connections }, () => load(target, message, httpCounter(), 1, null, cpuOf));
  const results = await Promise.all(runs);
  const rate = results.reduce((sum, run) => sum + run.rate, 0);
  // each run divided all that the server spent by its own part of the checks
  return { rate, cpuUs: results.reduce((sum, run) => sum + run.cpuUs, 0) / connections ** 2 };
}

const thousands = (rate) => `${(rate / 1_000).toFixed(1)} k/s`;
const micros = (ms) => `${(ms * 1_000).toFixed(0)} us`;

/** Starts the servers; `cpuOf` resolves to the microseconds of processor time theirs has used. */
async function startServer(folder) {
  const execArgv = process.env.OPTGATE_BENCH_SERVER?.split(' ') ?? [];
  const child = fork(new URL(import.meta.url).pathname, ['serve', folder], { execArgv });
  const next = () => new Promise((resolve) => child.once('message', resolve));
  const places = await next();
  const waiting = [];
  child.on('message', (micros) => waiting.shift()(micros));
  const cpuOf = () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      child.send('cpu');
    });
  const end = () =>
    new Promise((resolve) => {
      child.once('exit', resolve);
      child.send('end');
    });
  return { ...places, cpuOf, end };
}

function messages() {
  const request = typicalRequest();
  const json = Buffer.from(JSON.stringify(request));
  const framed = (value) => {
    const bytes = encode(value);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(bytes.length);
    return Buffer.concat([header, bytes]);
  };
  const head = `POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n`;
  return {
    request,
    bytes: json.length,
    greeting: framed([0, 'hello', { protocol: 1 }]),
    check: framed([1, 'check', json]),
    batch: framed([1, 'check_batch', Array(64).fill(json)]),
    post: Buffer.concat([Buffer.from(head), json]),
  };
}

async function main() {
  printMachine();
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  const { path, port, httpPath, httpPort, barePath, cpuOf, end } = await startServer(folder);
  const { request, bytes, greeting, check, batch, post } = messages();
  console.log(`\nbid request: ${bytes} bytes`);
  const http = (at, depth) => load(at, post, httpCounter(), depth, null, cpuOf);
  const socket = (at, depth) => load(at, check, frameCounter(), depth, greeting, cpuOf);
  const tcp = (number) => ({ host: '127.0.0.1', port: number });

  const one = {
    'http, TCP': await http(tcp(httpPort), 1),
    'http, Unix socket': await http({ path: httpPath }, 1),
    'socket, TCP': await socket(tcp(port), 1),
    'socket, Unix socket': await socket({ path }, 1),
  };
  const latencies = Object.entries(one).map(([name, run]) => [
    name,
    micros(run.p50),
    micros(run.p99),
    thousands(run.rate),
    `${run.cpuUs.toFixed(1)} us`,
  ]);
  printTable('One at a time', ['door', 'p50', 'p99', 'rate', 'server CPU'], latencies);
  const ratio = (kind) => (one[`socket, ${kind}`].p50 / one[`http, ${kind}`].p50).toFixed(2);
  console.log(`\np50 of the socket / p50 of http: ${ratio('Unix socket')} (Unix socket), ${ratio('TCP')} (TCP)`);

  const baseline = await loadMany({ path: httpPath }, post, 64, cpuOf);
  const rows = [];
  const add = (name, { rate, cpuUs }) => {
    const beside = [`${(rate / baseline.rate).toFixed(1)}x`, `${(baseline.cpuUs / cpuUs).toFixed(1)}x`];
    rows.push([name, thousands(rate), `${cpuUs.toFixed(1)} us`, ...beside]);
  };
  add('http, 64 connections', baseline);
  add('the same, bare node:http and JSON.parse', await loadMany({ path: barePath }, post, 64, cpuOf));
  add('http pipelined, depth 64', await http({ path: httpPath }, 64));
  for (const depth of DEPTHS) add(`socket, depth ${depth}`, await socket({ path }, depth));
  add('socket, TCP, depth 64', await socket(tcp(port), 64));
  const batches = await load({ path }, batch, frameCounter(), 2, greeting, cpuOf);
  add('socket, batches of 64, depth 2', { rate: 64 * batches.rate, cpuUs: batches.cpuUs / 64 });
  for (const depth of [1, 64])
    add(`optgate/client, ${depth} at a time`, await loadClient({ path }, request, depth, cpuOf));
  printTable(
    'How many (Unix socket unless it says otherwise)',
    ['door', 'rate', 'server CPU', 'rate, beside http', 'CPU, beside http'],
    rows,
  );
  await end();
  rmSync(folder, { recursive: true, force: true });
}

if (process.argv[2] === 'serve') await serve(process.argv[3]);
else if (isMain(import.meta.url)) await main();
