/**
 * What does a decision cost over the socket, and over node:http on the same machine in the same run?
 *
 *     node bench/socket.mjs
 *
 * Both servers answer from one gate in a process of their own; the load comes from this one, so that the two share the
 * machine as an ad server and its sidecar do. The request is a real one that was given five identifiers. Each load
 * generator writes bytes prepared beforehand and counts answers without decoding them, so that the servers are what is
 * measured; the HTTP one pipelines too, which real HTTP clients do not. The last rows are our own client, as it is used.
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

/** The same check behind node:http, as bare as it can be. */
function httpServer(gate) {
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
  const httpPath = join(folder, 'http');
  await new Promise((resolve) => httpServer(desk.gate).listen(httpPath, resolve));
  const http = httpServer(desk.gate);
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  process.send({ path, port: Number(address.split(':')[1]), httpPath, httpPort: http.address().port });
  process.once('message', () => process.exit(0));
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
async function load(target, message, counter, depth, greeting) {
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
  socket.destroy();
  tookMs.sort((a, b) => a - b);
  return {
    rate: done / seconds,
    p50: tookMs[Math.floor(tookMs.length * 0.5)],
    p99: tookMs[Math.floor(tookMs.length * 0.99)],
  };
}

/** Our own client, one promise a request. */
async function loadClient(target, request, depth) {
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
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, RUN_MS));
  isOver = true;
  const seconds = (performance.now() - startMs) / 1_000;
  await Promise.all(workers);
  await client.close();
  return done / seconds;
}

/** HTTP/1.1 answers one after the other; more connections are what an HTTP client has instead of depth. */
async function loadMany(target, message, connections) {
  const runs = Array.from({ length: connections }, () => load(target, message, httpCounter(), 1, null));
  return (await Promise.all(runs)).reduce((sum, { rate }) => sum + rate, 0);
}

const thousands = (rate) => `${(rate / 1_000).toFixed(1)} k/s`;
const micros = (ms) => `${(ms * 1_000).toFixed(0)} us`;

async function main() {
  printMachine();
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  const server = fork(new URL(import.meta.url).pathname, ['serve', folder], {
    execArgv: process.env.OPTGATE_BENCH_SERVER?.split(' ') ?? [],
  });
  const { path, port, httpPath, httpPort } = await new Promise((resolve) => server.once('message', resolve));
  const request = typicalRequest();
  const json = Buffer.from(JSON.stringify(request));
  const framed = (value) => {
    const bytes = encode(value);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(bytes.length);
    return Buffer.concat([header, bytes]);
  };
  const greeting = framed([0, 'hello', { protocol: 1 }]);
  const message = framed([1, 'check', json]);
  const batch = framed([1, 'check_batch', Array(64).fill(json)]);
  const post = Buffer.concat([
    Buffer.from(`POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${json.length}\r\n\r\n`),
    json,
  ]);
  console.log(`\nbid request: ${json.length} bytes\n`);

  const latencies = [];
  const first = {};
  for (const [name, target, bytes, counter, hello] of [
    ['http, TCP', { host: '127.0.0.1', port: httpPort }, post, httpCounter, null],
    ['http, Unix socket', { path: httpPath }, post, httpCounter, null],
    ['socket, TCP', { host: '127.0.0.1', port }, message, frameCounter, greeting],
    ['socket, Unix socket', { path }, message, frameCounter, greeting],
  ]) {
    const run = await load(target, bytes, counter(), 1, hello);
    first[name] = run;
    latencies.push([name, micros(run.p50), micros(run.p99), thousands(run.rate)]);
  }
  printTable('One at a time', ['door', 'p50', 'p99', 'rate'], latencies);
  const ratio = first['socket, Unix socket'].p50 / first['http, Unix socket'].p50;
  const ratioTcp = first['socket, TCP'].p50 / first['http, TCP'].p50;
  console.log(`\np50 of the socket / p50 of http: ${ratio.toFixed(2)} (Unix socket), ${ratioTcp.toFixed(2)} (TCP)\n`);

  const httpRate = await loadMany({ path: httpPath }, post, 64);
  const rows = [['http, 64 connections', thousands(httpRate), '1.0']];
  const add = (name, rate) => rows.push([name, thousands(rate), (rate / httpRate).toFixed(1)]);
  add('http pipelined, depth 64', (await load({ path: httpPath }, post, httpCounter(), 64, null)).rate);
  for (const depth of DEPTHS)
    add(`socket, depth ${depth}`, (await load({ path }, message, frameCounter(), depth, greeting)).rate);
  add('socket, TCP, depth 64', (await load({ host: '127.0.0.1', port }, message, frameCounter(), 64, greeting)).rate);
  add('socket, batches of 64, depth 2', 64 * (await load({ path }, batch, frameCounter(), 2, greeting)).rate);
  for (const depth of [1, 64]) add(`optgate/client, ${depth} at a time`, await loadClient({ path }, request, depth));
  printTable('How many', ['door (Unix socket unless it says otherwise)', 'rate', 'beside http'], rows);
  server.send('end');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

if (process.argv[2] === 'serve') await serve(process.argv[3]);
else if (isMain(import.meta.url)) await main();
