/**
 * One server of bench/sidecar.mjs, in a process of its own: `node bench/sidecar-server.mjs <kind>`. Tells its parent the
 * port, and on demand the processor time it has used.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGate, SuppressionTable, writeSnapshotFile } from '../dist/index.js';
import { createDataPlane, createDataServer, DATA_SERVER_OPTIONS } from '../dist/sidecar/data-plane/index.js';
import { resolveConfig, startSidecar } from '../dist/sidecar/index.js';
import { createRandom } from './report.mjs';

const KEY_COUNT = 1_000_000;
const MAID_TAG = 8;
const ALL_RIGHTS = 127;
/** A decision of the length most have. */
const CONSTANT = JSON.stringify({
  action: 'allow',
  strip: [],
  reasons: [],
  seq: 1,
  stale: false,
  jurisdiction: 'unknown',
  policyVersion: 'default-1',
});
const JSON_HEADERS = { 'content-type': 'application/json' };

function gateOfMany() {
  const random = createRandom(20261126);
  const table = SuppressionTable.create({ capacity: KEY_COUNT, seed: 7n, epoch: 'bench' });
  for (let index = 0; index < KEY_COUNT; index++) {
    table.set(MAID_TAG, random() | 0, random() | 0, random() | 0, random() | 0, ALL_RIGHTS);
  }
  table.publish(1, null);
  return { table, gate: createGate({ table }) };
}

/** A desk that counts and does no more: what metrics and decision log cost is asked elsewhere. */
function countingDesk() {
  const { table, gate } = gateOfMany();
  let noted = 0;
  const note = () => {
    noted++;
  };
  return {
    gate,
    table,
    isShedding: false,
    reach: async () => true,
    decided: note,
    answered: note,
    refused: (_door, code) => console.error(`refused: ${code}`),
    notedCount: () => noted,
  };
}

/** Reads the body, then calls back with its bytes: what any server has to do. */
function withBody(answer) {
  return (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => answer(response, Buffer.concat(pieces)));
  };
}

function answerJson(response, text) {
  response.writeHead(200, { ...JSON_HEADERS, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Each starts to listen on a free port and returns the server. */
const KINDS = {
  optgate: () => createDataServer(createDataPlane({ desk: countingDesk(), onFault: console.error })),
  bare: () =>
    createServer(
      DATA_SERVER_OPTIONS,
      withBody((response) => answerJson(response, CONSTANT)),
    ),
  'bare-parse': () => {
    const { gate } = gateOfMany();
    const answer = (response, bytes) => answerJson(response, JSON.stringify(gate.check(JSON.parse(bytes.toString()))));
    return createServer(DATA_SERVER_OPTIONS, withBody(answer));
  },
  fastify: async () => {
    const { default: fastify } = await import('./rivals/node_modules/fastify/fastify.js');
    const { gate } = gateOfMany();
    const app = fastify({ bodyLimit: 2 ** 20 });
    app.post('/v1/check', (request, reply) => reply.send(gate.check(request.body).toJSON()));
    await app.ready();
    return app.server;
  },
  express: async () => {
    const { default: express } = await import('express');
    const { gate } = gateOfMany();
    const app = express();
    app.use(express.json({ limit: 2 ** 20 }));
    app.post('/v1/check', (request, response) => response.json(gate.check(request.body)));
    return createServer(DATA_SERVER_OPTIONS, app);
  },
};

/** The whole sidecar as `optgate serve` runs it, metrics and all; `serve-2` with two worker threads. */
async function serveWhole(workers) {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  const set = join(folder, 'set.snap');
  await writeSnapshotFile(set, gateOfMany().table, Date.now());
  const ends = { 'data.listen': ['127.0.0.1:0'], 'control.listen': 'off' };
  const settings = { from: `file:${set}`, folder: join(folder, 'state'), workers, ...ends };
  const sidecar = await startSidecar(resolveConfig({ settings }).config);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return Number(sidecar.addresses.data[0].split(':')[1]);
}

const kind = process.argv[2];
const [, workers] = /^serve-(\d)$/.exec(kind) ?? [];
if (workers !== undefined) process.send({ port: await serveWhole(Number(workers)) });
else {
  const server = await KINDS[kind]();
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}
process.on('message', () => process.send({ cpuMicros: process.cpuUsage().user + process.cpuUsage().system }));
process.on('disconnect', () => process.exit(0));
