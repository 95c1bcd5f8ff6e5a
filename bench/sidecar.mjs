/**
 * What does it cost to ask the sidecar instead of the library?
 *
 *     node bench/sidecar.mjs
 *
 * Each server runs in a process of its own, the load comes from this one. The rivals parse the body and ask the same
 * gate; "bare" reads it and answers a constant. Servers take turns within a round, and the figure of each is the median
 * of its rounds: on a shared machine only what was measured side by side can be compared. Processor time a request is
 * the steadier measure of the two.
 * @module
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { runOpenLoop } from './open-loop.mjs';
import { createRandom, isMain, printMachine, printTable } from './report.mjs';

const ROUND_COUNT = Number(process.env.OPTGATE_BENCH_ROUNDS ?? 5);
const ROUND_SECONDS = 3;
const CONNECTION_COUNT = 32;
const OPEN_LOOP_MS = 5_000;
const LOAD_SHARES = [0.1, 0.5, 0.8];
const BODY_COUNT = 16;

/** What is asked of which server. Rows of the socket protocol belong here, too, with a load of their own. */
const ROWS = [
  { name: 'bare node:http, a constant', kind: 'bare', path: '/v1/check' },
  { name: 'optgate /v1/check', kind: 'optgate', path: '/v1/check' },
  { name: 'optgate /v1/filter', kind: 'optgate', path: '/v1/filter' },
  { name: 'optgate serve, metrics and all', kind: 'serve-1', path: '/v1/check' },
  { name: 'optgate serve --workers 2', kind: 'serve-2', path: '/v1/check' },
  { name: 'bare node:http, JSON.parse + gate', kind: 'bare-parse', path: '/v1/check' },
  { name: 'Fastify, parse + gate', kind: 'fastify', path: '/v1/check' },
  { name: 'Express, parse + gate', kind: 'express', path: '/v1/check' },
];

/** Real requests of ordinary size, with five identifiers each that nobody has opted out of. */
function typicalBodies() {
  const random = createRandom(20261126);
  const hex = (length) => Array.from({ length }, () => (random() & 15).toString(16)).join('');
  const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
  const real = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).request)
    .filter((request) => JSON.stringify(request).length > 400 && JSON.stringify(request).length < 900);
  return Array.from({ length: BODY_COUNT }, (_, index) => {
    const request = real[(index * 7) % real.length];
    const eids = ['pubcid.org', 'uidapi.com'].map((source) => ({ source, uids: [{ id: uuid(), atype: 1 }] }));
    const user = { id: hex(16), buyeruid: hex(16), ext: { eids } };
    return JSON.stringify({ ...request, regs: {}, device: { ...request.device, ifa: uuid() }, user });
  });
}

async function startServer(kind) {
  const child = fork('bench/sidecar-server.mjs', [kind]);
  const told = () => new Promise((resolve) => child.once('message', resolve));
  const { port } = await told();
  const cpuMicros = async () => {
    child.send('cpu');
    return (await told()).cpuMicros;
  };
  return { port, cpuMicros, stop: () => child.disconnect() };
}

async function load({ port, cpuMicros }, path, bodies, seconds) {
  const cpuBefore = await cpuMicros();
  const result = await autocannon({
    url: `http://127.0.0.1:${port}${path}`,
    connections: CONNECTION_COUNT,
    duration: seconds,
    requests: bodies.map((body) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body })),
  });
  const answered = result.requests.total;
  if (result.non2xx + result.errors > 0) throw new Error(`${path}: ${result.non2xx} refused, ${result.errors} failed`);
  return { perSecond: answered / result.duration, cpuMicros: ((await cpuMicros()) - cpuBefore) / answered };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function throughput(servers, bodies) {
  const results = ROWS.map(() => []);
  for (let round = 0; round <= ROUND_COUNT; round++) {
    for (const [index, { kind, path }] of ROWS.entries()) {
      const result = await load(servers.get(kind), path, bodies, round === 0 ? 1 : ROUND_SECONDS);
      if (round > 0) results[index].push(result); // the first warms up
    }
  }
  const figures = results.map((rounds) => ({
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicros: median(rounds.map(({ cpuMicros }) => cpuMicros)),
  }));
  const [bare] = figures;
  const percent = (share) => `${(100 * share).toFixed(0)} %`;
  printTable(
    `Requests a second, ${CONNECTION_COUNT} connections, bodies of ${Math.round(bodies.join('').length / bodies.length)} bytes`,
    ['server', 'requests/s', 'of bare', 'µs of processor', 'bare by that'],
    ROWS.map(({ name }, index) => [
      name,
      Math.round(figures[index].perSecond).toLocaleString('en'),
      percent(figures[index].perSecond / bare.perSecond),
      figures[index].cpuMicros.toFixed(1),
      percent(bare.cpuMicros / figures[index].cpuMicros),
    ]),
  );
  return new Map(ROWS.map((row, index) => [row, figures[index].perSecond]));
}

function messagesOf(path, bodies) {
  return bodies.map((body) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
    return Buffer.from(`${head}\r\n\r\n${body}`);
  });
}

async function latencies(servers, bodies, maximums) {
  const rows = [];
  for (const row of ROWS.slice(0, 3)) {
    const { port } = servers.get(row.kind);
    for (const share of LOAD_SHARES) {
      const ratePerSecond = Math.round(maximums.get(row) * share);
      const messages = messagesOf(row.path, bodies);
      const result = await runOpenLoop({ port, messages, ratePerSecond, durationMs: OPEN_LOOP_MS });
      if (result.failedCount > 0) throw new Error(`${row.name}: ${result.failedCount} failed`);
      const { p50, p90, p99, p999, max, lateMsMax } = result;
      const cells = [p50, p90, p99, p999, max, lateMsMax].map((ms) => ms.toFixed(2));
      rows.push([row.name, `${100 * share} %`, ratePerSecond.toLocaleString('en'), ...cells]);
    }
  }
  printTable(
    'Latency in ms from the moment a request was due (open loop, 64 connections)',
    ['server', 'of maximum', 'requests/s', 'p50', 'p90', 'p99', 'p99.9', 'max', 'generator late by at most'],
    rows,
  );
}

if (isMain(import.meta.url)) {
  const bodies = typicalBodies();
  const servers = new Map();
  for (const kind of new Set(ROWS.map((row) => row.kind))) servers.set(kind, await startServer(kind));
  const maximums = await throughput(servers, bodies);
  await latencies(servers, bodies, maximums);
  for (const server of servers.values()) server.stop();
  printMachine();
}
