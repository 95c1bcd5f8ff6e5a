/**
 * Does the sidecar stay as it is under load for long?
 *
 *     npm run bench:soak [minutes]      (default: 10)
 *
 * `optgate serve` runs in a process of its own, with an embedded ledger that gets a canary and an opt-out every second: each
 * stays in the ring of recent changes for other enforcers (64 MiB), so that more of them would be growth by design. It is
 * asked at 70 % of the rate that it was measured to answer before, writes included, on a schedule; latencies count from when
 * a request was due. Memory is read from /metrics. Growth is that of the median of the last quarter over the median of the
 * quarter after the warm-up. It fails beyond 5 %.
 * @module
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOpenLoop } from './open-loop.mjs';
import { isMain, printMachine, printTable } from './report.mjs';

const MINUTES = 10;
const LOAD_SHARE = 0.7;
const GROWTH_MAX = 0.05;
const SAMPLE_EVERY_MS = 2_000;
const OPT_OUT_EVERY_MS = 1_000;
const WARM_UP_SHARE = 0.2;
const SLICE_MS = 30_000;
const MAXIMUM_MS = 1_000;
/** Requests a second; those of a second must all be answered, so not far more than it can. */
const MORE_THAN_ANY = 60_000;
const BODY_COUNT = 256;
const JSON_TYPE = { 'content-type': 'application/json' };

const bodies = Array.from({ length: BODY_COUNT }, (_, index) =>
  JSON.stringify({
    id: String(index),
    imp: [{ id: '1', banner: { w: 300, h: 250 } }],
    device: { ifa: randomUUID(), ip: '203.0.113.9', geo: { country: 'USA', region: 'CA' } },
    user: { id: randomUUID(), ext: { eids: [{ source: 'pubcid.org', uids: [{ id: randomUUID() }] }] } },
    regs: { ext: { us_privacy: '1YNN' } },
  }),
);
const messages = bodies.map((body) =>
  Buffer.from(
    `POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  ),
);

export async function run(minutes = MINUTES) {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-soak-'));
  const sidecar = await start(folder);
  const { writes, stop } = keepWriting(sidecar);
  try {
    printMachine();
    const maximum = await maximumRate(sidecar);
    const rate = Math.floor(maximum * LOAD_SHARE);
    console.log(`maximum ${maximum.toFixed(0)} requests/s; ${minutes} minutes at ${rate}`);
    report(await soak(sidecar, rate, minutes * 60_000, writes));
  } finally {
    stop();
    sidecar.child.kill('SIGTERM');
    await sidecar.ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function start(folder) {
  const ports = ['--data', '127.0.0.1:0', '--control', '127.0.0.1:0'];
  const args = ['dist/cli/main.js', 'serve', '--ledger', join(folder, 'ledger'), '--canary-every', '1s', ...ports];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  const addresses = await new Promise((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-65_536);
      const found = [...said.matchAll(/"sidecar\.listening","address":"([^"]+)"/g)].map(([, address]) => address);
      if (found.length === 2) resolve(found);
    });
    ended.then(() => reject(new Error(`the sidecar ended: ${said}`)));
  });
  const [data, control] = addresses;
  while ((await fetch(`http://${control}/readyz?max_staleness=2s`)).status !== 200) await pause(200);
  return { child, ended, control, port: Number(data.split(':')[1]) };
}

/** What it answers a second when asked for more than it can: the median of three runs, by the load that follows. */
async function maximumRate({ port }) {
  const rates = [];
  for (let round = 0; round < 3; round++) {
    const asked = { port, messages, ratePerSecond: MORE_THAN_ANY, durationMs: MAXIMUM_MS, restMs: 1 };
    rates.push((await runOpenLoop(asked)).perSecond);
  }
  return median(rates);
}

/** Opt-outs through the control plane, until it is told to stop. */
function keepWriting({ control }) {
  const writes = { count: 0, failed: 0 };
  const writing = setInterval(() => optOut(control, writes), OPT_OUT_EVERY_MS);
  return { writes, stop: () => clearInterval(writing) };
}

async function soak(sidecar, ratePerSecond, durationMs, writes) {
  const samples = [];
  const slices = [];
  const startMs = performance.now();
  const sampling = setInterval(() => sample(sidecar.control).then((memory) => samples.push(memory)), SAMPLE_EVERY_MS);
  while (performance.now() - startMs < durationMs) {
    const leftMs = Math.min(SLICE_MS, Math.max(1_000, durationMs - (performance.now() - startMs)));
    slices.push(await runOpenLoop({ port: sidecar.port, messages, ratePerSecond, durationMs: leftMs, restMs: 1 }));
  }
  clearInterval(sampling);
  return { samples, slices, writes };
}

async function sample(control) {
  const text = await (await fetch(`http://${control}/metrics`)).text();
  const value = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    rss: value('process_resident_memory_bytes'),
    heap: value('nodejs_heap_size_used_bytes'),
    external: value('nodejs_external_memory_bytes'),
  };
}

async function optOut(control, writes) {
  const body = JSON.stringify({ identifiers: [{ kind: 'maid', value: randomUUID() }], channel: 'api' });
  const { status } = await fetch(`http://${control}/v1/opt-outs`, { method: 'POST', headers: JSON_TYPE, body }).catch(
    () => ({ status: 0 }),
  );
  writes.count++;
  if (status !== 201) writes.failed++;
}

function report({ samples, slices, writes }) {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const quarter = Math.max(1, Math.floor(warm.length / 4));
  let worst = 0;
  const rows = ['rss', 'heap', 'external'].map((name) => {
    const [first, last] = [warm.slice(0, quarter), warm.slice(-quarter)].map((part) =>
      median(part.map((row) => row[name])),
    );
    const growth = last / first - 1;
    if (name !== 'external') worst = Math.max(worst, growth);
    return [name, megabytes(first), megabytes(last), `${(growth * 100).toFixed(1)} %`];
  });
  printTable('Memory of the sidecar', ['', 'after warm-up', 'at the end', 'growth'], rows);
  const of = (name) => slices.map((slice) => slice[name]);
  const failed = of('failedCount').reduce((sum, count) => sum + count, 0);
  printTable(
    'Latency from when a request was due, ms; slices of 30 s',
    ['', 'median slice', 'worst slice'],
    ['p50', 'p99', 'p999', 'max'].map((name) => [name, median(of(name)).toFixed(2), Math.max(...of(name)).toFixed(2)]),
  );
  console.log(`\n${failed} requests failed; ${writes.failed} of ${writes.count} opt-outs failed`);
  if (failed > 0 || writes.failed > 0 || worst > GROWTH_MAX) process.exitCode = 1;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

if (isMain(import.meta.url)) await run(process.argv[2] === undefined ? MINUTES : Number(process.argv[2]));
