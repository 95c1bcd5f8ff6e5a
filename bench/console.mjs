/**
 * How soon does the console show something on a large ledger?
 *
 *     node bench/console.mjs [requests, default 1000000]
 *
 * A ledger in PostgreSQL whose requests, log entries and acknowledgements are inserted by SQL, a sidecar on it, and Chromium.
 * For each page: first contentful paint, and when its data stand there; for each question behind a page, how long the
 * answer takes. A browser with an empty cache for every round; best and median of five.
 * @module
 */
import { spawn } from 'node:child_process';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { openLedger } from '../dist/ledger/index.js';
import { createDatabase } from './postgres.mjs';
import { printMachine, printTable } from './report.mjs';

const REQUEST_COUNT = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = 5;
const DAY_MS = 86_400_000;

/** Requests over 90 days, most by GPC; one of 40 waits for its second step, none is denied. */
const REQUESTS = `
insert into optgate.request (public_id, nature, channel, rights, scope, received_at, status, identifier_count, operator, last_entry)
select 'r_' || translate(rtrim(encode(decode(md5(n::text), 'hex'), 'base64'), '='), '+/', '-_'),
  case when n % 40 = 0 then 'opt_in' else 'opt_out' end,
  (array['gpc','gpc','gpc','gpc','web_form','web_form','email','phone','agent','drop'])[1 + n % 10], 127, 'person',
  clock_timestamp() - (n::float8 / $1) * interval '90 days', case when n % 40 = 0 then 'pending' else 'complied' end, 1, 'desk', n
from generate_series(1, $1::int4) as n`;
const ENTRIES = `
insert into optgate.change_log (at, request_id, changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask, behind, seq)
select clock_timestamp() - ((1 - n::float8 / $1) * 90 + 0.001) * interval '1 day', n, '', 0, 0, 0, 0, 0, 0, n
from generate_series(1, $1::int4) as n`;
const ENFORCERS = `
insert into optgate.enforcer (id, name, role, source, version, lease_ms, state, registered_at, epoch, applied_seq)
select 'e' || n, 'edge-' || n, 'sidecar', 'http', '0.1.0', 2000000000, 'live', clock_timestamp() - interval '1 year', epoch, $1::int8
from generate_series(1, 8) as n, optgate.head`;
/** Of the last day. */
const ACKS = `
insert into optgate.enforcer_ack (enforcer_id, epoch, seq, at)
select enforcer.id, head.epoch, entry.seq, entry.at + random() * interval '300 milliseconds'
from optgate.enforcer, optgate.head, optgate.change_log as entry where entry.at > clock_timestamp() - interval '1 day'`;

const database = await createDatabase();
try {
  await fillLedger(database.url);
  await bench(database.url);
} finally {
  await database.drop();
}

async function fillLedger(url) {
  await (await openLedger(url, { sequence: false, canaryEveryMs: null })).close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('update optgate.head set seq = $1, settled_seq = $1', [REQUEST_COUNT]);
  for (const sql of [REQUESTS, ENTRIES, ENFORCERS]) await client.query(sql, [REQUEST_COUNT]);
  await client.query(ACKS);
  await client.query('vacuum analyze');
  await client.end();
}

async function bench(url) {
  const args = ['dist/cli/main.js', 'serve', '--ledger', url, '--data', '127.0.0.1:0', '--control', '127.0.0.1:0'];
  const sidecar = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const origin = `http://${await controlAddress(sidecar)}`;
    await untilOpen(origin);
    printMachine();
    console.log(`\n${REQUEST_COUNT.toLocaleString('en-US')} requests in PostgreSQL\n`);
    await benchPages(origin);
    await benchAnswers(origin);
  } finally {
    sidecar.kill('SIGTERM');
  }
}

async function controlAddress(child) {
  let said = '';
  for await (const piece of child.stderr) {
    said += piece;
    const found = said.match(/"sidecar.listening","address":"127[^"]+"[\s\S]*?"address":"(127[^"]+)"/);
    if (found === null) continue;
    child.stderr.resume();
    return found[1];
  }
  throw new Error(said);
}

async function untilOpen(origin) {
  for (;;) {
    const { ledger } = await (await fetch(`${origin}/console/api/state`)).json();
    if (ledger === 'open') return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function benchPages(origin) {
  const { requests } = await (await fetch(`${origin}/console/api/requests`)).json();
  const browser = await chromium.launch({
    executablePath: process.env.OPTGATE_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const rows = [];
  const pages = {
    overview: ['/console', '.legend li'],
    requests: ['/console/requests', 'tbody tr'],
    'requests, pending': ['/console/requests?status=pending', 'tbody tr'],
    'one request': [`/console/requests/${requests[0].requestId}`, 'tbody tr'],
    destinations: ['/console/destinations', '.empty'],
  };
  for (const [name, [path, selector]] of Object.entries(pages)) {
    const [paints, dones] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(origin + path);
      await page.waitForSelector(selector);
      dones.push(await page.evaluate(() => performance.now()));
      paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
      await context.close();
    }
    rows.push([name, shown(paints), shown(dones)]);
  }
  await browser.close();
  printTable('Pages', ['page', 'first paint, best / median', 'data there, best / median'], rows);
}

async function benchAnswers(origin) {
  const day = (ago) => new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
  const questions = {
    'first page': '/requests',
    'by channel': '/requests?channel=phone',
    'by status, none is like that': '/requests?status=denied',
    'a rare pair': '/requests?channel=drop&status=pending',
    'days long ago': `/requests?since=${day(80)}&until=${day(79)}`,
    'times to effect': '/sums/effect',
    'opt-outs by channel': '/sums/opt-outs',
    state: '/state',
  };
  const rows = [];
  for (const [name, path] of Object.entries(questions)) {
    const took = [];
    for (let round = 0; round < ROUNDS; round++) {
      const startMs = performance.now();
      const response = await fetch(`${origin}/console/api${path}`);
      await response.text();
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      took.push(performance.now() - startMs);
    }
    rows.push([name, shown(took)]);
  }
  printTable('Answers (sums are given out again for some seconds)', ['question', 'best / median'], rows);
}

function shown(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return `${Math.round(sorted[0])} / ${Math.round(sorted[Math.floor(sorted.length / 2)])} ms`;
}
