/**
 * How much memory does an export of any length take?
 *
 *     node bench/export-memory.mjs [gigabytes, default 10] [threads, default 1,2] [opted out, default 1000000]
 *
 * Rows of CSV come through a named pipe, each with a device id of its own, so that every row that stays is in the lineage
 * index; `optgate export --set` reads them in a process of its own, which says at its end how much memory it had at most. What
 * it has beside the table is what counts. Twice the size of the input is needed on disk, and less of it for the index.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { appendMaid, createKeyList } from '../dist/core/identity/index.js';
import { SuppressionTable } from '../dist/core/suppression/index.js';
import { RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { writeSnapshotFile } from '../dist/snapshot-file.js';
import { isMain, printMachine, printTable } from './report.mjs';

const MEGABYTE = 2 ** 20;
const ROWS_PER_PIECE = 8192;
const HEADER = 'maid,seen,url,state\n';
/** The number of the row comes first in its id. */
const ROW = '00000000-7c1e-4d2a-9b3f-5a0c61e84d27,2026-11-20T12:00:00Z,https://site.example/section/77,US-CA\n';
const [GIGABYTES = '10', THREADS = '1,2', SUPPRESSED = '1000000'] = process.argv.slice(2);
const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
/** Says at the end what the most was: on standard error, behind a word to find it by. */
const SAY_MEMORY = `data:text/javascript,process.on('exit',()=>process.stderr.write('maxrss '+process.resourceUsage().maxRSS+'\\n'))`;

const maidOf = (person) => person.toString(16).padStart(8, '0') + ROW.slice(8, 36);

/** In the process that writes: so many bytes of rows, all different. */
function generate(path, byteCount) {
  const pipe = openSync(path, 'w');
  writeSync(pipe, HEADER);
  const piece = Buffer.from(ROW.repeat(ROWS_PER_PIECE));
  for (let row = 0, bytes = HEADER.length; bytes < byteCount; bytes += piece.length) {
    for (let at = 0; at < piece.length; at += ROW.length) piece.write(maidOf(row++).slice(0, 8), at, 'latin1');
    for (let done = 0; done < piece.length; ) done += writeSync(pipe, piece, done);
  }
  closeSync(pipe);
}

async function writeSet(path, count) {
  const table = SuppressionTable.create({ capacity: count, seed: 0x9e3779b97f4a7c15n, epoch: 'bench' });
  const keys = createKeyList(1);
  for (let person = 0; person < count; person++) {
    keys.count = 0;
    appendMaid(keys, maidOf(person * 7));
    const [tag, ...words] = keys.words.subarray(0, 5);
    table.set(tag, ...words, RIGHTS_ALL);
  }
  await writeSnapshotFile(path, table);
  return table.byteLength;
}

async function measure(folder, set, byteCount, threads) {
  const [pipe, out] = [join(folder, 'rows.csv'), join(folder, 'out')];
  mkdirSync(out);
  if (spawnSync('mkfifo', [pipe]).status !== 0) throw new Error('mkfifo failed');
  const writer = spawn(process.execPath, [fileURLToPath(import.meta.url), '--generate', pipe, String(byteCount)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const words = ['--destination', 'acme', '--purpose', 'audience', '--map', 'maid=maid', '--threads', String(threads)];
  const startMs = performance.now();
  const run = spawn(
    process.execPath,
    ['--import', SAY_MEMORY, CLI, 'export', '--set', set, ...words, '--in', pipe, '--out', join(out, 'out.csv')],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) run[name].on('data', (text) => (said[name] += text));
  const status = await new Promise((resolve) => run.once('close', resolve));
  const ms = performance.now() - startMs;
  writer.kill();
  if (status !== 0) throw new Error(`export ended with ${status}: ${said.stderr}`);
  const manifest = JSON.parse(readFileSync(join(out, 'out.csv.manifest.json'), 'utf8'));
  if (manifest.output.bytes !== statSync(join(out, 'out.csv')).size) throw new Error('the output is not complete');
  rmSync(out, { recursive: true });
  rmSync(pipe);
  const maxBytes = Number(/maxrss (\d+)/.exec(said.stderr)?.[1]) * 1024;
  return { ms, maxBytes, manifest };
}

export async function run() {
  const byteCount = Number(GIGABYTES) * 1e9;
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  try {
    const set = join(folder, 'set.snap');
    const tableBytes = await writeSet(set, Number(SUPPRESSED));
    const rows = [];
    for (const threads of THREADS.split(',').map(Number)) {
      const { ms, maxBytes, manifest } = await measure(folder, set, byteCount, threads);
      rows.push([
        threads,
        manifest.rows.in.toLocaleString('en-US'),
        `${(ms / 1000).toFixed(0)} s`,
        `${(manifest.input.bytes / 1e3 / ms).toFixed(0)} MB/s`,
        `${(maxBytes / MEGABYTE).toFixed(0)} MiB`,
        `${((maxBytes - tableBytes) / MEGABYTE).toFixed(0)} MiB`,
      ]);
      console.error(rows.at(-1).join('  ')); // the next one takes as long
    }
    const title = `csv, ${GIGABYTES} GB, a table of ${(tableBytes / MEGABYTE).toFixed(0)} MiB`;
    printTable(title, ['threads', 'rows', 'time', '', 'most memory', 'beside the table'], rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) {
  if (process.argv[2] === '--generate') generate(process.argv[3], Number(process.argv[4]));
  else {
    await run();
    printMachine();
  }
}
