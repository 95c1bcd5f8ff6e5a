/**
 * `optgate export` and `publish --parquet` in processes of their own that are killed, run out of space or lose their input:
 * a complete output or none, in every format, and nothing left of it after the next run.
 * @module
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { SET_FILE } from '../../src/exports/parquet/set-folder.js';
import { openLedger } from '../../src/ledger/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { MAIN } from '../cli/run.js';
import { type Duck, openDuck } from '../duckdb.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { FILES, peopleIn, personOf, writeAudience } from './audience.js';

const COUNT = 60_000;
const OUT = 3;
const KILLS = 6;
/** So many runs take their time on a busy machine. */
const TIMEOUT_MS = 400_000;
const hasStrace = spawnSync('strace', ['-V']).status === 0;
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

let duck: Duck;
let folder: string;
let set: string;

beforeAll(async () => {
  duck = await openDuck();
  folder = mkdtempSync(join(tmpdir(), 'optgate-kills-'));
  set = join(folder, 'set.snap');
  const table = SuppressionTable.create({ capacity: 10, seed: 7n, epoch: 'kills' });
  enterIdentifier(new TableHolder({ table }), personOf(OUT), RIGHTS_ALL);
  await writeSnapshotFile(set, table);
});
afterAll(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Kills a process somewhere in its first `withinMs`, or lets it end. @returns Whether it was killed. */
async function killWithin(args: readonly string[], withinMs: number, env = process.env): Promise<boolean> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore', env });
  const ended = once(child, 'exit');
  await Promise.race([pause(withinMs), ended]);
  child.kill('SIGKILL');
  const [, signal] = await ended;
  return signal === 'SIGKILL';
}

/** For strace, which counts the calls of each thread by themselves. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' };

function timed(args: readonly string[], env = process.env): number {
  const startMs = performance.now();
  execFileSync(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  return performance.now() - startMs;
}

/** Makes what lies in a folder old, so that the next run takes what is temporary for left behind. */
function makeOld(place: string): readonly string[] {
  const names = readdirSync(place).filter((name) => name.endsWith('.tmp') || /\.tmp\.\d+$/.test(name));
  for (const name of names) utimesSync(join(place, name), 0, 0);
  return names;
}

describe.each(FILES)('$ending', ({ ending }) => {
  let input: string;
  let place: string;
  let out: string;
  let args: readonly string[];
  beforeAll(async () => {
    input = join(folder, `in.${ending}`);
    await writeAudience(duck, input, ending, COUNT);
    place = join(folder, ending);
    mkdirSync(place);
    out = join(place, `out.${ending}`);
    const terms = ['--destination', 'acme', '--purpose', 'audience', '--map', 'email=mail', '--set', set];
    args = ['export', ...terms, '--in', input, '--out', out, '--threads', '2'];
  });
  const empty = () => rmSync(place, { recursive: true }) ?? mkdirSync(place);

  test('killed at any moment: a complete output or none, and the next run removes what is left', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const wholeMs = timed(args);
    const digest = sha256(out);
    expect(await peopleIn(duck, out, ending)).toHaveLength(COUNT - 1);
    let killCount = 0;
    for (let attempt = 0; attempt < KILLS; attempt++) {
      empty();
      if (await killWithin(args, wholeMs * ((attempt + Math.random()) / KILLS))) killCount++;
      if (!existsSync(out)) continue;
      expect(sha256(out)).toBe(digest);
      expect(JSON.parse(readFileSync(`${out}.manifest.json`, 'utf8')).output.sha256).toBe(digest);
    }
    expect(killCount).toBeGreaterThan(1);
    makeOld(place);
    timed(args);
    expect(sha256(out)).toBe(digest);
    const names = readdirSync(place).filter((name) => !/\.(?:x_[\w-]{22}|\d+)\.(?:lineage|manifest\.json)$/.test(name));
    expect(names.sort()).toEqual(['', '.lineage', '.manifest.json'].map((end) => `out.${ending}${end}`));
  });

  test.skipIf(process.platform === 'win32')('a full disk: an error, and no file', () => {
    empty();
    // a limit on the size of a file stands in for it: 256 KiB
    const limited = `ulimit -f 256; trap '' XFSZ; exec "$0" "$@"`;
    const { status, stderr } = spawnSync('bash', ['-c', limited, process.execPath, MAIN, ...args], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([3, expect.stringMatching(/export\.io.*EFBIG/)]);
    expect(readdirSync(place)).toEqual([]);
  });

  test.skipIf(!hasStrace)('an input that fails half-way: an error, and no file', () => {
    empty();
    const reads = 'read,pread64,readv,preadv';
    const goodReads = { csv: 1, ndjson: 1, 'csv.gz': 0, parquet: 4 }[ending]; // gzip: all of it is read at once
    const inject = `inject=${reads}:error=EIO:when=${goodReads + 1}+`;
    const strace = ['-f', '-qq', '-o', '/dev/null', '-P', input, '-e', `trace=${reads}`, '-e', inject];
    const { status, stderr } = spawnSync('strace', [...strace, process.execPath, MAIN, ...args], {
      env: { ...process.env, ...ONE_THREAD },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([3, expect.stringMatching(/export\.io.*EIO/)]);
    expect(readdirSync(place)).toEqual([]);
  });
});

(await withService('PostgreSQL', POSTGRES_URL))('publish --parquet', () => {
  let database: TestDatabase;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    database = await createDatabase();
    env = { ...process.env, OPTGATE_LEDGER: database.url };
    const ledger = await openLedger(database.url);
    const identifiers = Array.from({ length: 50 }, (_, person) => personOf(person));
    for (const identifier of identifiers) await ledger.recordOptOut({ identifiers: [identifier], channel: 'web_form' });
    await ledger.close();
  });
  afterAll(() => database.drop());

  test('killed at any moment: the set that was there, the new one or none, never a part of one', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const place = join(folder, 'published');
    mkdirSync(place);
    const target = join(place, 'set');
    const args = ['publish', '--parquet', target];
    const countIn = async () => {
      const [row] = await duck.query(`select count(*)::integer as n from read_parquet('${target}/kind=*/*.parquet')`);
      return Number(row?.n);
    };
    const wholeMs = Math.min(timed(args, env), timed(args, env));
    const count = await countIn();
    expect(count).toBeGreaterThan(50);
    let killCount = 0;
    for (let attempt = 0; attempt < 2 * KILLS; attempt++) {
      if (attempt === KILLS) rmSync(target, { recursive: true, force: true }); // first with a set there, then without one
      if (await killWithin(args, wholeMs * (((attempt % KILLS) + Math.random()) / KILLS), env)) killCount++;
      if (!existsSync(target)) continue;
      expect(JSON.parse(readFileSync(join(target, SET_FILE), 'utf8')).rowCount).toBe(count);
      expect(await countIn()).toBe(count);
    }
    expect(killCount).toBeGreaterThan(1);
    makeOld(place);
    timed(args, env);
    expect(await countIn()).toBe(count);
    expect(readdirSync(place)).toEqual(['set']);
  });

  test.skipIf(!hasStrace)('a set that cannot get its name: an error, and the one that was there is back', async () => {
    const place = join(folder, 'put-back');
    mkdirSync(place);
    const target = join(place, 'set');
    const args = ['publish', '--parquet', target];
    timed(args, env);
    const before = readFileSync(join(target, SET_FILE), 'utf8');
    const renames = 'rename,renameat,renameat2';
    const inject = `inject=${renames}:error=EIO:when=2`; // the first one takes the old set away, the second brings the new one
    const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${renames}`, '-e', inject];
    const { status, stderr } = spawnSync('strace', [...strace, process.execPath, MAIN, ...args], {
      env: { ...env, ...ONE_THREAD },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([3, expect.stringMatching(/EIO/)]);
    expect(readFileSync(join(target, SET_FILE), 'utf8')).toBe(before);
    expect(readdirSync(place)).toEqual(['set']);
  });
});
