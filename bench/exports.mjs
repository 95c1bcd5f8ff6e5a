/**
 * How fast do rows pass the export filters, beside DuckDB's anti-join, Node's readline with a Set, and `cp`?
 *
 *     node bench/exports.mjs [rows, default 5000000] [opted out, default a fifth] [formats, default csv,ndjson,parquet]
 *
 * Every contender runs in a process of its own over the same files, reads the one and writes another, best of three. Loading
 * the set is not timed: ours is in its table, DuckDB's in a table in memory, the baseline's in a Set. Rows are found by one
 * column, a device id spelt as in the set, so that an equality join finds them, too. Data is made from a fixed seed.
 *
 * The command does more, and all of it is timed: the start of a process, loading the set, SHA-256 of both files, the index of who
 * left, the manifest, bringing it all to disk.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished, pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { appendMaid, createKeyList } from '../dist/core/identity/index.js';
import { SuppressionTable } from '../dist/core/suppression/index.js';
import { RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { fileBytes, filterRows, parseMapping } from '../dist/exports/index.js';
import { filterParquet } from '../dist/exports/parquet/filter.js';
import { writeSnapshotFile } from '../dist/snapshot-file.js';
import { createRandom, isMain, printMachine, printTable, times } from './report.mjs';

const ROUNDS = 3;
const CHUNK_BYTES = 1 << 20;
const FORMATS = ['csv', 'ndjson', 'parquet'];
const STATES = ['US-CA', 'US-NY', 'US-TX', 'US-WA'];
const [ROWS = '5000000', SUPPRESSED = '', WANTED = ''] = process.argv.slice(2);

const hex8 = (word) => (word >>> 0).toString(16).padStart(8, '0');
/** The device id of a person; nobody else has it. */
function maidOf(person) {
  const random = createRandom(Math.imul(person + 1, 0x9e3779b1));
  const [b, c, d] = [random(), random(), random()].map(hex8);
  return `${hex8(person)}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`;
}
/** People in an order that has nothing to do with who opted out: these are the first ones by number. */
const personAt = (row, rows) => (row * 7_368_787) % rows;

function* rowsOf(count) {
  const random = createRandom(11);
  for (let row = 0; row < count; row++) {
    const word = random();
    const seen = new Date(1_760_000_000_000 + row * 1000).toISOString();
    const url = `https://site${word % 997}.example/section/${(word >>> 10) % 5000}`;
    yield {
      id: row,
      maid: maidOf(personAt(row, count)),
      seen,
      url,
      price: (word % 4096) / 256,
      state: STATES[word % 4],
    };
  }
}

async function writeText(path, lines) {
  const file = createWriteStream(path);
  let text = '';
  for (const line of lines) {
    text += line;
    if (text.length < CHUNK_BYTES) continue;
    if (!file.write(text)) await new Promise((drained) => file.once('drain', drained));
    text = '';
  }
  file.end(text);
  await finished(file);
}

function* csvLines(count) {
  yield 'id,maid,seen,url,price,state\n';
  for (const { id, maid, seen, url, price, state } of rowsOf(count)) {
    yield `${id},${maid},${seen},${url},${price},${state}\n`;
  }
}
function* ndjsonLines(count) {
  for (const row of rowsOf(count)) yield `${JSON.stringify(row)}\n`;
}
function* maidLines(count) {
  yield 'maid\n';
  for (let person = 0; person < count; person++) yield `${maidOf(person)}\n`;
}

async function openDuck(threads) {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', { threads: String(threads) });
  return instance.connect();
}

function tableOf(count) {
  const table = SuppressionTable.create({ capacity: count, seed: 0x9e3779b97f4a7c15n, epoch: 'bench' });
  const keys = createKeyList(1);
  for (let person = 0; person < count; person++) {
    keys.count = 0;
    appendMaid(keys, maidOf(person));
    const [tag, ...words] = keys.words.subarray(0, 5);
    table.set(tag, ...words, RIGHTS_ALL);
  }
  return table;
}

/** What happens in a contender's own process: gets ready, and returns what is timed. */
const CONTENDERS = {
  cp: (input, output) => () => {
    if (spawnSync('cp', ['--reflink=never', input, output]).status !== 0) throw new Error('cp failed');
  },
  ours(input, output, { format, count, threads }) {
    const table = tableOf(count);
    const terms = { kind: 'filter', reason: 'destination.third_party', rightsMask: RIGHTS_ALL };
    const options = { table, terms, mapping: parseMapping('maid=maid'), threads };
    return async () => {
      const { output: pieces, done } =
        format === 'parquet'
          ? filterParquet(input, { ...options, isOutputLent: true })
          : filterRows(fileBytes(input), { ...options, format, isOutputLent: true });
      const file = await open(output, 'w');
      for await (const piece of pieces) await file.write(piece);
      await file.close();
      return (await done).rowsKept;
    };
  },
  command(input, output, { snapshot, threads }) {
    const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
    const asked = ['--set', snapshot, '--map', 'maid=maid', '--destination', 'acme', '--purpose', 'audience'];
    return () => {
      const files = ['--in', input, '--out', output, '--threads', String(threads)];
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'export', ...asked, ...files], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(stderr);
      return JSON.parse(stdout).rows.kept;
    };
  },
  async duckdb(input, output, { format, set, threads }) {
    const duck = await openDuck(threads);
    await duck.run(`create table optouts as from read_csv('${set}', header = true, all_varchar = true)`);
    const columns = `{id: 'BIGINT', maid: 'VARCHAR', seen: 'VARCHAR', url: 'VARCHAR', price: 'DOUBLE', state: 'VARCHAR'}`;
    const [source, target] = {
      csv: [`read_csv('${input}', header = true, columns = ${columns})`, 'format csv, header'],
      ndjson: [`read_json('${input}', format = 'newline_delimited', columns = ${columns})`, 'format json'],
      parquet: [`read_parquet('${input}')`, 'format parquet, compression snappy'],
    }[format];
    return async () => {
      const join = 'not exists (select 1 from optouts where optouts.maid = audience.maid)';
      const result = await duck.run(
        `copy (select * from ${source} as audience where ${join}) to '${output}' (${target})`,
      );
      return Number((await result.getRows())[0][0]);
    };
  },
  async readline(input, output, { format, count }) {
    const optouts = new Set();
    for (let person = 0; person < count; person++) optouts.add(maidOf(person));
    const maidIn = format === 'csv' ? (line) => line.split(',')[1] : (line) => JSON.parse(line).maid;
    return async () => {
      let kept = format === 'csv' ? -1 : 0; // the header is kept, and is no row
      async function* lines() {
        let text = '';
        for await (const line of createInterface({
          input: createReadStream(input),
          crlfDelay: Number.POSITIVE_INFINITY,
        })) {
          if (optouts.has(maidIn(line))) continue;
          kept++;
          text += `${line}\n`;
          if (text.length < CHUNK_BYTES) continue;
          yield text;
          text = '';
        }
        yield text;
      }
      await pipeline(lines, createWriteStream(output));
      return kept;
    };
  },
};

/** In the process of a contender. */
async function contend({ name, input, output, ...options }) {
  const run = await CONTENDERS[name](input, output, options);
  let bestMs = Number.POSITIVE_INFINITY;
  let kept;
  for (let round = 0; round < ROUNDS; round++) {
    for (const suffix of ['', '.manifest.json', '.lineage']) rmSync(output + suffix, { force: true });
    const startMs = performance.now();
    kept = await run();
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  console.log(JSON.stringify({ ms: bestMs, kept, rss: process.resourceUsage().maxRSS * 1024 }));
  process.exit(0); // DuckDB's threads would keep it
}

function measure(options) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--max-old-space-size=8000', fileURLToPath(import.meta.url), '--contend', JSON.stringify(options)],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${options.name} failed: ${stderr}`);
  return JSON.parse(stdout);
}

async function prepare(folder, format, rows, sets) {
  const path = join(folder, `rows.${format}`);
  if (format === 'csv') await writeText(path, csvLines(rows));
  else if (format === 'ndjson') await writeText(path, ndjsonLines(rows));
  else {
    const csv = join(folder, 'rows.tmp');
    await writeText(csv, csvLines(rows));
    const duck = await openDuck(2);
    await duck.run(
      `copy (from read_csv('${csv}', header = true, types = {'seen': 'TIMESTAMP'})) to '${path}' (format parquet, compression snappy)`,
    );
    duck.closeSync();
    rmSync(csv);
  }
  return { path, ...sets, bytes: statSync(path).size };
}

function measureFormat(folder, format, { path, set, snapshot, bytes }, rows, count) {
  const contenders = [
    ['cp', 'cp', 1],
    ['optgate, 1 thread', 'ours', 1],
    ['optgate, 2 threads', 'ours', 2],
    ['optgate export, the command', 'command', 1],
    ['optgate export, 2 threads', 'command', 2],
    ['DuckDB anti-join, 1 thread', 'duckdb', 1],
    ['DuckDB anti-join, 2 threads', 'duckdb', 2],
    ...(format === 'parquet' ? [] : [['readline, Set', 'readline', 1]]),
  ];
  const results = contenders.map(([title, name, threads]) => {
    const output = join(folder, `out.${format}`);
    const result = measure({ name, input: path, output, format, set, snapshot, count, threads });
    for (const suffix of ['', '.manifest.json', '.lineage']) rmSync(output + suffix, { force: true });
    if (name !== 'cp' && result.kept !== rows - count) throw new Error(`${title} kept ${result.kept} rows`);
    return { title, name, ...result };
  });
  const duckMs = results.find(({ title }) => title.startsWith('DuckDB anti-join, 2')).ms;
  const [{ ms: copyMs }] = results;
  printTable(
    `${format}: ${rows.toLocaleString('en-US')} rows, ${(bytes / 1e6).toFixed(0)} MB, ${count.toLocaleString('en-US')} opted out`,
    ['', 'time', 'MB/s', 'DuckDB with 2 threads takes', 'cp takes', 'memory'],
    results.map(({ title, name, ms, rss }) => [
      title,
      `${(ms / 1000).toFixed(2)} s`,
      (bytes / 1e3 / ms).toFixed(0),
      times(duckMs / ms),
      times(copyMs / ms),
      name === 'command' ? 'its own' : `${(rss / 2 ** 20).toFixed(0)} MiB`,
    ]),
  );
}

export async function run(rows = Number(ROWS), count = SUPPRESSED === '' ? Math.floor(rows / 5) : Number(SUPPRESSED)) {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  try {
    const set = join(folder, 'set.csv');
    await writeText(set, maidLines(count));
    const snapshot = join(folder, 'set.snap');
    await writeSnapshotFile(snapshot, tableOf(count), Date.now());
    const wanted = WANTED === '' ? FORMATS : WANTED.split(',');
    for (const format of wanted) {
      const file = await prepare(folder, format, rows, { set, snapshot });
      measureFormat(folder, format, file, rows, count);
      rmSync(file.path);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) {
  if (process.argv[2] === '--contend') await contend(JSON.parse(process.argv[3]));
  else {
    await run();
    printMachine();
  }
}
