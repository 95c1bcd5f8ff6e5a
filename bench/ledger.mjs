/**
 * How fast do opt-outs get into the ledger? Imports of 1 M digests, of clear e-mail addresses and of device ids, and single
 * opt-outs, on PGlite and on PostgreSQL.
 *
 *     node bench/ledger.mjs [rows, default 1000000]
 *
 * PostgreSQL is found by OPTGATE_TEST_POSTGRES or on its usual port; each run makes a database of its own.
 * @module
 */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from '../dist/index.js';
import { createDatabase } from './postgres.mjs';
import { isMain, printMachine, printTable } from './report.mjs';

const ROWS = Number(process.argv[2] ?? 1_000_000);
const SINGLE_COUNT = 2000;
const SINGLE_WRITERS = 8;

async function* digests(count) {
  for (let index = 0; index < count; index++) yield { kind: 'email_sha256', value: hash('sha256', `d${index}@x.test`) };
}
async function* emails(count) {
  for (let index = 0; index < count; index++) yield { kind: 'email', value: `person.${index}@example.com` };
}
async function* maids(count) {
  for (let index = 0; index < count; index++) {
    const hex = hash('md5', `m${index}`);
    yield {
      kind: 'maid',
      value: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    };
  }
}

async function timed(run) {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

const perSecond = (count, ms) => `${Math.round(count / ms).toLocaleString('en-US')} k/s`;

/** Single opt-outs from several writers at once: requests a second, and how long one takes until it has its token. */
async function singles(ledger) {
  const latencies = [];
  const ms = await timed(() =>
    Promise.all(
      Array.from({ length: SINGLE_WRITERS }, async (_, writer) => {
        for (let index = writer; index < SINGLE_COUNT; index += SINGLE_WRITERS) {
          const startMs = performance.now();
          const value = hash('sha256', `s${index}@x.test`);
          await ledger.recordOptOut({ identifiers: [{ kind: 'email_sha256', value }], channel: 'api' });
          latencies.push(performance.now() - startMs);
        }
      }),
    ),
  );
  latencies.sort((one, other) => one - other);
  const at = (share) => `${latencies[Math.floor(latencies.length * share)].toFixed(1)} ms`;
  return [`${Math.round((SINGLE_COUNT / ms) * 1000)}/s`, at(0.5), at(0.99)];
}

async function bench(name, location) {
  const ledger = await openLedger(location);
  const importRows = (rows) => ledger.importOptOuts(rows, { channel: 'import' });
  const few = Math.max(1, Math.round(ROWS / 10));
  try {
    const digestMs = await timed(() => importRows(digests(ROWS)));
    const againMs = await timed(() => importRows(digests(ROWS)));
    const emailMs = await timed(() => importRows(emails(few)));
    const maidMs = await timed(() => importRows(maids(few)));
    return [
      [
        name,
        perSecond(ROWS, digestMs),
        perSecond(ROWS, againMs),
        perSecond(few, emailMs),
        perSecond(few, maidMs),
        `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`,
      ],
      [name, ...(await singles(ledger))],
    ];
  } finally {
    await ledger.close();
  }
}

export async function run() {
  const rows = [];
  const folder = mkdtempSync(join(tmpdir(), `optgate-bench-${randomBytes(3).toString('hex')}-`));
  rows.push(await bench('PGlite', { dataDir: join(folder, 'ledger') }));
  rmSync(folder, { recursive: true, force: true });
  const database = await createDatabase();
  try {
    rows.push(await bench('PostgreSQL', database.url));
  } finally {
    await database.drop();
  }
  const millions = `${(ROWS / 1e6).toLocaleString('en-US')} M`;
  printTable(
    'import, identifiers a second',
    [
      'ledger',
      `${millions} SHA-256, new`,
      'the same again',
      'clear e-mails (3-6 keys)',
      'MAIDs (13 keys)',
      'RSS at the end',
    ],
    rows.map(([first]) => first),
  );
  printTable(
    `single opt-outs, ${SINGLE_WRITERS} at a time, each until it has its token`,
    ['ledger', 'rate', 'p50', 'p99'],
    rows.map(([, second]) => second),
  );
}

if (isMain(import.meta.url)) {
  await run();
  printMachine();
}
