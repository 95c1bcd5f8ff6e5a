/**
 * What does a decision cost on the bytes of a request, beside parsing it?
 *
 *     node --expose-gc bench/bytes.mjs
 *
 * The requests are the real ones of test/vectors, as UTF-8 JSON, over a table of a million people who are none of them.
 * "objects" is what a server without the byte path does: JSON.parse, check, restrict, JSON.stringify. Hostile inputs grow by
 * doubling: where time is linear, the time of a byte stays.
 * @module
 */
import { readFileSync } from 'node:fs';
import { KIND_TAG, RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { createGate, SuppressionTable } from '../dist/index.js';
import { createRandom, isMain, nanoseconds, ns, printMachine, printTable, times } from './report.mjs';

const KEY_COUNT = 1_000_000;
const SIZE_CLASSES = [
  ['up to 1 KB', 0, 1_024],
  ['1 to 4 KB', 1_024, 4_096],
  ['over 4 KB', 4_096, Number.POSITIVE_INFINITY],
];
const HOSTILE_BYTES = [2 ** 14, 2 ** 15, 2 ** 16, 2 ** 17, 2 ** 18, 2 ** 19, 2 ** 20];
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

function createTable() {
  const random = createRandom(20261126);
  const table = SuppressionTable.create({ capacity: KEY_COUNT, seed: 7n, epoch: 'bench' });
  for (let index = 0; index < KEY_COUNT; index++) {
    table.set(KIND_TAG.maid, random() | 0, random() | 0, random() | 0, random() | 0, RIGHTS_ALL);
  }
  table.publish(1, null);
  return table;
}

const gate = createGate({ table: createTable() });
const real = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => ENCODER.encode(JSON.stringify(JSON.parse(line).request)));

const RESTRICTED = { secGpc: '1' };
const CASES = [
  ['allowed', {}, 'allow'],
  ['restricted', RESTRICTED, 'restrict'],
];

/** What passes without the byte path. */
function throughObjects(bytes, context) {
  const request = JSON.parse(DECODER.decode(bytes));
  const outgoing = gate.restrict(request, gate.check(request, context));
  return outgoing === null ? null : ENCODER.encode(JSON.stringify(outgoing));
}

const WORK = {
  filterBytes: (bytes, context) => gate.filterBytes(bytes, context),
  objects: throughObjects,
  parse: (bytes) => JSON.parse(DECODER.decode(bytes)),
  checkBytes: (bytes, context) => gate.checkBytes(bytes, context),
  checkObjects: (bytes, context) => gate.check(JSON.parse(DECODER.decode(bytes)), context),
};

/** Nanoseconds a request of each kind of work, over all requests of the list in turn. */
async function cost(requests, context) {
  const costs = {};
  for (const [name, work] of Object.entries(WORK)) {
    const all = () => {
      for (const bytes of requests) work(bytes, context);
    };
    costs[name] = (await nanoseconds(all, requests.length)).average;
  }
  return costs;
}

async function realRequests() {
  const [whole, checks] = [[], []];
  for (const [title, context, action] of CASES) {
    const judged = real.filter((bytes) => gate.filterBytes(bytes, context).decision?.action === action);
    for (const [size, from, to] of [['all', 0, Number.POSITIVE_INFINITY], ...SIZE_CLASSES]) {
      const requests = judged.filter(({ length }) => length > from && length <= to);
      if (requests.length === 0) continue;
      const bytes = requests.reduce((sum, { length }) => sum + length, 0) / requests.length;
      const took = await cost(requests, context);
      const name = `${title}, ${size} (${requests.length}, ${bytes.toFixed(0)} B)`;
      const ratio = (other) => times(took[other] / took.filterBytes);
      const rate = `${(bytes / took.filterBytes).toFixed(2)} GB/s`;
      whole.push([
        name,
        ns(took.filterBytes),
        rate,
        ns(took.objects),
        ratio('objects'),
        ns(took.parse),
        ratio('parse'),
      ]);
      const checked = [ns(took.checkBytes), ns(took.checkObjects), times(took.checkObjects / took.checkBytes)];
      checks.push([name, ...checked]);
    }
  }
  printTable(
    'Check and restrict',
    ['real requests', 'filterBytes', '', 'objects', 'ratio', 'JSON.parse alone', 'ratio'],
    whole,
  );
  printTable('Check alone', ['real requests', 'checkBytes', 'JSON.parse + check', 'ratio'], checks);
}

/** How many of the real requests, and why not the others. */
function fastPath() {
  const fresh = createGate({ table: 'none' });
  for (const bytes of real) fresh.checkBytes(bytes, {});
  const { scanned, fallbacks, refusals } = fresh.stats().bytes;
  const share = `${((100 * scanned) / real.length).toFixed(1)} % of ${real.length}`;
  console.log(
    `\nwithout building objects: ${share}; fallbacks ${JSON.stringify(fallbacks)}, refusals ${JSON.stringify(refusals)}`,
  );
}

const HOSTILE = [
  ['[ without end', (size) => '['.repeat(size)],
  ['\\ in a text', (size) => `{"imp":[],"x":"${'\\\\'.repeat(size / 2)}"}`],
  ['" without end', (size) => '"'.repeat(size)],
  ['escaped quotes', (size) => `{"imp":[],"x":"${'\\"'.repeat(size / 2)}"}`],
  ['one text', (size) => `{"imp":[],"user":{"id":"${'a'.repeat(size)}"}}`],
  ['digits', (size) => `{"imp":[],"x":${'1'.repeat(size)}}`],
  ['keys', (size) => `{"imp":[],${Array.from({ length: size / 10 }, (_, i) => `"k${String(i).padStart(5, '0')}":1`)}}`],
  ['the same key', (size) => `{"imp":[],"user":{${Array.from({ length: size / 8 }, () => '"id":"a"')}}}`],
  ['[ and ]', (size) => `{"imp":[],"x":${'['.repeat(size / 2)}${']'.repeat(size / 2)}}`],
  ['spaces', (size) => `{"imp":[]${' '.repeat(size)}}`],
];

async function hostile() {
  const rows = [];
  for (const [name, make] of HOSTILE) {
    const cells = [];
    for (const size of HOSTILE_BYTES) {
      const bytes = ENCODER.encode(make(size));
      const { average } = await nanoseconds(() => gate.filterBytes(bytes, RESTRICTED));
      cells.push((average / bytes.length).toFixed(2));
    }
    const bytes = ENCODER.encode(make(HOSTILE_BYTES[0]));
    const answer = gate.filterBytes(bytes, RESTRICTED);
    rows.push([name, answer.kind === 'refused' ? answer.code : answer.decision.action, ...cells]);
  }
  const header = HOSTILE_BYTES.map((size) => `${size / 1024} KB`);
  printTable('Hostile inputs: ns a byte, by size', ['input', 'answer', ...header], rows);
}

export async function run() {
  fastPath();
  await realRequests();
  await hostile();
  printMachine();
}

if (isMain(import.meta.url)) await run();
