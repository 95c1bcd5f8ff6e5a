/**
 * What does a request cost that comes as bytes and leaves as bytes, and what can a hostile one make it cost?
 *
 *     node bench/bytes.mjs
 *
 * Requests are the real ones of test/vectors by the length of their JSON, and "typical" ones: real requests that were given
 * five identifiers of their own. The rival parses the bytes and asks the same gate about the object; what it gives out is
 * left a string. `JSON.parse` alone starts from a string that is there already, and what it makes is thrown away.
 * @module
 */
import { readFileSync } from 'node:fs';
import { RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { createGate, enterIdentifier, SuppressionTable, TableHolder } from '../dist/index.js';
import { HOSTILE } from './bytes-hostile.mjs';
import { createRandom, isMain, ns, printMachine, printTable, times } from './report.mjs';

const KEY_COUNT = 100_000;
const TYPICAL_COUNT = 500;
/** Lengths of requests, in bytes, below which a class ends. */
const CLASS_ENDS = [256, 512, 1_024, 2_048, 4_096, Number.POSITIVE_INFINITY];
const HOSTILE_BYTES = [64, 128, 256, 512, 1_024, 2_048].map((kibibytes) => kibibytes * 1_024);
/** Of what hostile inputs took, by the clock: the quickest of a few, since whatever else runs only adds. */
const HOSTILE_ROUNDS = 5;
/** Bodies in one turn of one kind of work. */
const PASS_BODIES = 4_000;
const WARM_ROUNDS = 5;
const ROUNDS = 15;
const OPTED_OUT = { secGpc: '1' };

const random = createRandom(20261126);
const hex = (length) => Array.from({ length }, () => (random() & 15).toString(16)).join('');
const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const real = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);

/** A gate whose set has every kind of identifier, so that all of a request are looked up; nobody in it is in a request. */
function createGateWithSet() {
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 200_000, seed: 7n, epoch: 'bench' }) });
  for (let index = 0; index < KEY_COUNT; index++)
    holder.table.set(1, random(), random(), random(), random(), RIGHTS_ALL);
  for (const kind of ['maid', 'account:user.id', 'account:user.buyeruid', 'eid:pubcid.org', 'email_sha256']) {
    enterIdentifier(holder, { kind, value: kind === 'maid' ? uuid() : hex(64) }, RIGHTS_ALL);
  }
  return createGate({ table: holder, now: () => 0 });
}

function typicalRequests() {
  const ordinary = real.filter((request) => {
    const { length } = JSON.stringify(request);
    return length > 400 && length < 900;
  });
  return Array.from({ length: TYPICAL_COUNT }, (_, index) => {
    const request = ordinary[(index * 7) % ordinary.length];
    const eids = ['pubcid.org', 'uidapi.com'].map((source) => ({ source, uids: [{ id: uuid(), atype: 1 }] }));
    const user = { id: uuid(), buyeruid: uuid(), ext: { eids } };
    return { ...request, regs: {}, device: { ...request.device, ifa: uuid() }, user };
  });
}

/** Names and bodies: by length, then all of them, then the typical ones. */
function bodiesByClass() {
  const bodies = real.map((request) => Buffer.from(JSON.stringify(request)));
  const classes = CLASS_ENDS.map((end, index) => {
    const start = CLASS_ENDS[index - 1] ?? 0;
    const name = end === Number.POSITIVE_INFINITY ? `real, ${start} B and more` : `real, ${start} to ${end - 1} B`;
    return [name, bodies.filter(({ length }) => length >= start && length < end)];
  });
  const typical = typicalRequests().map((request) => Buffer.from(JSON.stringify(request)));
  return [...classes, ['all real', bodies], ['typical, 5 identifiers', typical]];
}

/** The path by way of objects, from bytes to a text. */
function filterByObjects(gate, body, context) {
  const request = JSON.parse(utf8.decode(body));
  const rest = gate.restrict(request, gate.check(request, context));
  return rest === null ? null : JSON.stringify(rest);
}

/**
 * Nanoseconds a body of each kind of work, the median of rounds. They take turns within a round, since on a shared machine
 * only what was measured side by side can be compared.
 */
function sideBySide(bodies, works) {
  const figures = works.map(() => []);
  const passes = Math.ceil(PASS_BODIES / bodies.length);
  for (let round = -WARM_ROUNDS; round < ROUNDS; round++) {
    for (const [index, work] of works.entries()) {
      const start = process.hrtime.bigint();
      for (let pass = 0; pass < passes; pass++) for (const body of bodies) work(body);
      const took = Number(process.hrtime.bigint() - start) / (passes * bodies.length);
      if (round >= 0) figures[index].push(took);
    }
  }
  return figures.map((all) => all.toSorted((a, b) => a - b)[all.length >> 1]);
}

const texts = new Map();
const parse = (body) => JSON.parse(texts.get(body));

function printFilter(gate, classes) {
  for (const [title, context, isWanted] of [
    ['filterBytes, restricted', OPTED_OUT, () => true],
    ['filterBytes, allowed', {}, (body) => gate.checkBytes(body).action === 'allow'],
  ]) {
    const rows = [];
    for (const [name, all] of classes) {
      const bodies = all.filter(isWanted);
      if (bodies.length === 0) continue;
      const [byBytes, byObjects, parsing] = sideBySide(bodies, [
        (body) => gate.filterBytes(body, context),
        (body) => filterByObjects(gate, body, context),
        parse,
      ]);
      const bytes = Math.round(bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length);
      const ratios = [times(byObjects / byBytes), ns(parsing), times(parsing / byBytes)];
      rows.push([name, bodies.length, bytes, ns(byBytes), ns(byObjects), ...ratios]);
    }
    const rival = 'parse, check, restrict, stringify';
    const header = ['requests', 'count', 'mean bytes', 'filterBytes', rival, 'ratio', 'JSON.parse alone', 'ratio'];
    printTable(title, header, rows);
  }
}

function printCheck(gate, classes) {
  const rows = [];
  for (const [name, bodies] of classes) {
    if (bodies.length === 0) continue;
    const [byBytes, byObjects, parsing] = sideBySide(bodies, [
      (body) => gate.checkBytes(body),
      (body) => gate.check(JSON.parse(utf8.decode(body))),
      parse,
    ]);
    rows.push([name, ns(byBytes), ns(byObjects), times(byObjects / byBytes), ns(parsing), times(parsing / byBytes)]);
  }
  printTable('checkBytes', ['requests', 'checkBytes', 'parse, check', 'ratio', 'JSON.parse alone', 'ratio'], rows);
}

/** How many real requests never become objects, and what makes the others. */
function printShare() {
  const rows = [];
  for (const [name, context] of Object.entries({ 'as they are': {}, 'all restricted': OPTED_OUT })) {
    const gate = createGate({ table: 'none' });
    for (const request of real) gate.filterBytes(Buffer.from(JSON.stringify(request)), context);
    const { fallbacks, refusals } = gate.stats().bytes;
    const parsed = Object.values(fallbacks).reduce((sum, count) => sum + count, 0);
    const reasons = Object.entries({ ...fallbacks, ...refusals }).map(([reason, count]) => `${reason} ${count}`);
    rows.push([
      name,
      real.length,
      `${(100 - (100 * parsed) / real.length).toFixed(1)} %`,
      reasons.join(', ') || 'none',
    ]);
  }
  printTable('real requests that never become objects', ['requests', 'count', 'share', 'the others, by reason'], rows);
}

/** Nanoseconds of one call, the quickest of a few. */
function quickest(work) {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < HOSTILE_ROUNDS; round++) {
    const start = process.hrtime.bigint();
    work();
    least = Math.min(least, Number(process.hrtime.bigint() - start));
  }
  return least;
}

function tryParsing(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Linear time is the same figure in all columns. Requests over 256 KiB are parsed, which is a step, and no slope. */
function printHostile(gate) {
  const rows = [];
  for (const [name, make] of Object.entries(HOSTILE)) {
    const figures = [];
    let parse = 0;
    let answer = '';
    for (const byteCount of HOSTILE_BYTES) {
      const body = Buffer.from(make(byteCount));
      figures.push(quickest(() => gate.filterBytes(body, OPTED_OUT)) / body.length);
      const text = body.toString();
      parse = quickest(() => tryParsing(text)) / body.length;
      const filtered = gate.filterBytes(body, OPTED_OUT);
      answer = filtered.kind === 'refused' ? filtered.code : filtered.decision.action;
    }
    const slope = figures.at(-1) / figures.at(-2);
    rows.push([name, ...figures.map((figure) => figure.toFixed(2)), times(slope), parse.toFixed(2), answer]);
  }
  const sizes = HOSTILE_BYTES.map((byteCount) => `${byteCount / 1_024} KiB`);
  const header = ['input', ...sizes, 'last doubling', 'JSON.parse', 'answer'];
  printTable('hostile inputs, ns a byte of filterBytes', header, rows);
}

export async function run() {
  const gate = createGateWithSet();
  const classes = bodiesByClass();
  for (const [, bodies] of classes) for (const body of bodies) texts.set(body, body.toString());
  printFilter(gate, classes);
  printCheck(gate, classes);
  printShare();
  printHostile(gate);
}

if (isMain(import.meta.url)) {
  await run();
  printMachine();
}
