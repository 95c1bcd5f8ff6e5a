/**
 * What does a lookup cost, and a key, beside a Set of strings? What do building, writing and loading cost?
 *
 *     node --expose-gc --max-old-space-size=18000 bench/table.mjs [millions of keys, default 1 10 100]
 *
 * Every looked-up identifier is a string of its own, as parsing a request makes it, so that neither side profits from a
 * hash computed earlier. Times include turning the 36 characters into a key.
 * @module
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appendMaid, createKeyList } from '../dist/core/identity/index.js';
import { SuppressionTable, TableHolder } from '../dist/core/suppression/index.js';
import { KIND_TAG, RIGHTS_ALL } from '../dist/core/vocabulary.js';
import { readSnapshotFile, writeSnapshotFile } from '../dist/index.js';
import { createRandom, isMain, ns, printMachine, printTable, times } from './report.mjs';

const SEED = 0x9e3779b97f4a7c15n;
/** A Set of strings cannot hold more than 2^24 entries. */
const SET_KEYS_MAX = 2 ** 24;
const LOOKUP_COUNT = 1_000_000;
const MAID = KIND_TAG.maid;

/** Calls `visit` with the four words of each of `count` random UUIDs. */
function eachKey(count, seed, visit) {
  const random = createRandom(seed);
  for (let index = 0; index < count; index++) visit(random() | 0, random() | 0, random() | 0, random() | 0);
}

const hex8 = (word) => (word >>> 0).toString(16).padStart(8, '0');
/** A string that shares nothing with any other: sliced out of a buffer. */
const scratch = Buffer.alloc(36);
function uuidOf(w0, w1, w2, w3) {
  const [a, b, c, d] = [hex8(w0), hex8(w1), hex8(w2), hex8(w3)];
  scratch.latin1Write(`${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`, 0);
  return scratch.latin1Slice(0, 36);
}

/**
 * Strings of keys that are in the table (a sample of them in random order), or are not. They are made in the order they
 * are looked up in, so that fetching the string itself costs the same in both cases.
 */
function lookupsFor(keyCount, hits) {
  const strings = [];
  if (!hits) {
    eachKey(LOOKUP_COUNT, 987_654_321, (...words) => strings.push(uuidOf(...words)));
    return strings;
  }
  const every = Math.max(1, Math.floor(keyCount / LOOKUP_COUNT));
  const sampled = [];
  let index = 0;
  eachKey(keyCount, 1, (...words) => {
    if (index++ % every === 0 && sampled.length < LOOKUP_COUNT) sampled.push(words);
  });
  const random = createRandom(5);
  for (let at = sampled.length - 1; at > 0; at--) {
    const other = random() % (at + 1);
    [sampled[at], sampled[other]] = [sampled[other], sampled[at]];
  }
  for (const words of sampled) strings.push(uuidOf(...words));
  return strings;
}

/** Nanoseconds a lookup, best of three rounds over fresh strings. */
function time(lookUp, keyCount, hits) {
  let best = Number.POSITIVE_INFINITY;
  let found = 0;
  for (let round = 0; round < 3; round++) {
    const strings = lookupsFor(keyCount, hits);
    globalThis.gc?.();
    const start = process.hrtime.bigint();
    found = 0;
    for (let index = 0; index < strings.length; index++) found += lookUp(strings[index]) ? 1 : 0;
    best = Math.min(best, Number(process.hrtime.bigint() - start) / strings.length);
  }
  if (hits ? found < LOOKUP_COUNT * 0.99 && found < keyCount : found !== 0) throw new Error(`${found} found`);
  return best;
}

/** Nanoseconds a key when five are looked up together, as the gate does with a request's. */
function timeFive(table, keyCount, hits) {
  const keys = createKeyList(5);
  const rights = new Uint8Array(5);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const strings = lookupsFor(keyCount, hits);
    globalThis.gc?.();
    const start = process.hrtime.bigint();
    let found = 0;
    for (let index = 0; index + 5 <= strings.length; index += 5) {
      keys.count = 0;
      for (let key = 0; key < 5; key++) appendMaid(keys, strings[index + key]);
      table.rightsOfKeys(keys, rights);
      found += rights[0] === 0 ? 0 : 1;
    }
    best = Math.min(best, Number(process.hrtime.bigint() - start) / strings.length);
    if (found > 0 !== hits) throw new Error(`${found} found`);
  }
  return best;
}

function fill(holderOrTable, keyCount) {
  eachKey(keyCount, 1, (w0, w1, w2, w3) => holderOrTable.set(MAID, w0, w1, w2, w3, RIGHTS_ALL));
}

async function measureSize(keyCount, folder) {
  const start = performance.now();
  const table = SuppressionTable.create({ capacity: keyCount, seed: SEED, epoch: 'bench' });
  fill(table, keyCount);
  const buildMs = performance.now() - start;
  table.publish(1, null);

  const keys = createKeyList(1);
  const lookUp = (text) => {
    keys.count = 0;
    appendMaid(keys, text);
    return table.rightsOfKeyAt(keys, 0) !== 0;
  };
  time(lookUp, Math.min(keyCount, LOOKUP_COUNT), true);
  const hit = time(lookUp, keyCount, true);
  const miss = time(lookUp, keyCount, false);
  const hitOfFive = timeFive(table, keyCount, true);
  const missOfFive = timeFive(table, keyCount, false);
  const bytesPerKey = table.byteLength / keyCount;

  const path = join(folder, `${keyCount}.snap`);
  const writeStart = performance.now();
  await writeSnapshotFile(path, table, 0);
  const writeMs = performance.now() - writeStart;
  const bytes = statSync(path).size;
  let loadMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const loadStart = performance.now();
    const loaded = await readSnapshotFile(path);
    loadMs = Math.min(loadMs, performance.now() - loadStart);
    if (loaded.entryCount !== keyCount) throw new Error('keys lost');
  }
  rmSync(path);
  return { hit, miss, hitOfFive, missOfFive, bytesPerKey, buildMs, writeMs, loadMs, bytes };
}

function measureSet(keyCount) {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const strings = new Set();
  eachKey(keyCount, 1, (...words) => strings.add(uuidOf(...words)));
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytesPerKey = (after.heapUsed - before.heapUsed) / keyCount;
  const lookUp = (text) => strings.has(text);
  return { hit: time(lookUp, keyCount, true), miss: time(lookUp, keyCount, false), bytesPerKey };
}

/** The longest single write while a table of 10 M grows, and the time from first to last step. */
function measureGrowth(keyCount) {
  const table = SuppressionTable.create({ capacity: keyCount, seed: SEED, epoch: 'bench' });
  const holder = new TableHolder({ table });
  fill(holder, keyCount);
  let worstMs = 0;
  let writes = 0;
  let growing = 0;
  eachKey(keyCount, 77, (w0, w1, w2, w3) => {
    if (holder.current !== table) return;
    const start = performance.now();
    holder.set(MAID, w0, w1, w2, w3, RIGHTS_ALL);
    const took = performance.now() - start;
    writes++;
    if (holder.isGrowing) growing++;
    if (took > worstMs) worstMs = took;
  });
  return { worstMs, writes, growing };
}

export async function run(sizes = [1, 10, 100]) {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-bench-'));
  const lookups = [];
  const files = [];
  const fives = [];
  try {
    for (const millions of sizes) {
      const keyCount = millions * 1_000_000;
      const ours = await measureSize(keyCount, folder);
      const name = `${millions} M`;
      globalThis.gc?.();
      const theirs = keyCount <= SET_KEYS_MAX ? measureSet(keyCount) : null;
      const beside = (key, show) =>
        theirs === null ? ['cannot', '-'] : [show(theirs[key]), times(theirs[key] / ours[key])];
      lookups.push([
        name,
        ns(ours.hit),
        ...beside('hit', ns),
        ns(ours.miss),
        ...beside('miss', ns),
        ours.bytesPerKey.toFixed(2),
        ...beside('bytesPerKey', (value) => value.toFixed(0)),
      ]);
      const ratio = (key, value) => (theirs === null ? '-' : times(theirs[key] / value));
      fives.push([
        name,
        ns(ours.hitOfFive),
        ratio('hit', ours.hitOfFive),
        ns(ours.missOfFive),
        ratio('miss', ours.missOfFive),
      ]);
      const rate = (ms) => `${(ours.bytes / 2 ** 30 / (ms / 1000)).toFixed(2)} GB/s`;
      files.push([
        name,
        `${(keyCount / ours.buildMs / 1000).toFixed(1)} M keys/s`,
        `${(ours.bytes / 2 ** 20).toFixed(0)} MB`,
        rate(ours.writeMs),
        rate(ours.loadMs),
        `${(ours.loadMs / 1000).toFixed(2)} s`,
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  printTable(
    'Lookup of a UUID string, and memory',
    ['keys', 'hit', 'Set hit', 'ratio', 'miss', 'Set miss', 'ratio', 'bytes/key', 'Set', 'ratio'],
    lookups,
  );
  printTable('Five lookups at once, per key, beside the same Set', ['keys', 'hit', 'ratio', 'miss', 'ratio'], fives);
  printTable(
    'Building, writing, loading',
    ['keys', 'build', 'file', 'write + fsync', 'load, verified', 'ready after'],
    files,
  );
  const { worstMs, writes, growing } = measureGrowth(10_000_000);
  printTable(
    'Growing from 10 M keys, written to meanwhile',
    ['longest write', 'writes until it began', 'writes until it was done'],
    [[`${worstMs.toFixed(2)} ms`, (writes - growing).toLocaleString('en-US'), growing.toLocaleString('en-US')]],
  );
}

if (isMain(import.meta.url)) {
  const sizes = process.argv.slice(2).map(Number);
  await run(sizes.length > 0 ? sizes : undefined);
  printMachine();
}
