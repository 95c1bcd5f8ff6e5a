/**
 * A run, whatever happens to it: a complete output with its proof, or none; and nobody in it who had opted out.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LineageFile } from '../../src/exports/lineage-file.js';
import { type ExportSet, PASSES_MAX, type RunOptions, runExport } from '../../src/exports/run.js';
import { linePass, linesOf, maidOf, TestSet } from './line-pass.js';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
let folder: string;
let input: string;
let output: string;
let set: TestSet;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optgate-run-'));
  [input, output] = [join(folder, 'in.txt'), join(folder, 'out.txt')];
  await writeFile(input, linesOf(0, 100_000));
  set = new TestSet();
  return () => rm(folder, { recursive: true, force: true });
});

const runOf = (more: Partial<RunOptions> = {}) =>
  runExport({
    runId: `x_${randomBytes(16).toString('base64url')}`,
    input,
    output,
    pass: linePass(set),
    set,
    destination: 'acme',
    purpose: 'audience',
    terms: { kind: 'filter', reason: 'destination.third_party', rightsMask: 127 },
    policyVersion: 'p1',
    optgate: '1.0.0',
    filter: { format: 'lines' },
    now: () => 1_000,
    ...more,
  });
const linesOut = async () => (await readFile(output, 'latin1')).split('\n').slice(0, -1);

test.each(['here', 'thread'] as const)('the output, its manifest and its index agree, hashed %s', async (hashing) => {
  set.record(7);
  set.record(99_999);
  const manifest = await runOf({ operator: 'night job', hashing });
  const text = await readFile(output);
  expect(text.toString()).toBe(linesOf(0, 7) + linesOf(8, 99_999));
  expect(JSON.parse(await readFile(`${output}.manifest.json`, 'utf8'))).toEqual(manifest);
  expect(manifest).toMatchObject({
    format: 'optgate-export',
    version: 1,
    dryRun: false,
    destination: 'acme',
    purpose: 'audience',
    terms: { kind: 'filter', reason: 'destination.third_party' },
    operator: 'night job',
    set: { epoch: 'e', seqStart: 2, seqEnd: 2, passes: 1 },
    startedAt: '1970-01-01T00:00:01.000Z',
    input: { name: 'in.txt', bytes: 3_300_000, sha256: sha256(linesOf(0, 100_000)) },
    output: { name: 'out.txt', bytes: text.length, sha256: sha256(text) },
    rows: { in: 100_000, kept: 99_998, blanked: 0, droppedSuppressed: 2, suppressedOnRecheck: 0, byKind: { maid: 2 } },
    fingerprintCount: 99_998,
  });
  const index = await LineageFile.open(`${output}.lineage`, set.seed);
  expect([await index.has(1n), await index.has(8n), await index.has(9n)]).toEqual([true, false, true]);
  await index.close();
  expect((await readdir(folder)).sort()).toEqual(['in.txt', 'out.txt', 'out.txt.lineage', 'out.txt.manifest.json']);
});

describe('an opt-out that comes in while the run goes on', () => {
  test.each(['here', 'thread'] as const)(
    'is honoured in the output, though its row had been written (%s)',
    async (hashing) => {
      let chunkCount = 0;
      const pass = linePass(set, async (isRecheck) => {
        chunkCount++;
        await pause(20); // a slow reader
        if (!isRecheck && chunkCount === 1) set.record(3);
      });
      const manifest = await runOf({ pass, hashing });
      expect(chunkCount).toBeGreaterThan(2);
      expect(await linesOut()).not.toContain(maidOf(3).value);
      expect(manifest.set).toMatchObject({ seqStart: 0, seqEnd: 1, passes: 2 });
      expect(manifest.rows).toMatchObject({ in: 100_000, kept: 99_999, droppedSuppressed: 1, suppressedOnRecheck: 1 });
      expect(manifest.rows.byKind).toEqual({ maid: 1 });
      expect(manifest.fingerprintCount).toBe(99_999);
      expect(manifest.output?.sha256).toBe(sha256(await readFile(output)));
    },
  );

  test('and another one during the second pass is, too', async () => {
    let recheckCount = 0;
    const pass = linePass(set, (isRecheck) => {
      if (!isRecheck) set.record(3);
      else if (recheckCount++ === 0) set.record(5);
    });
    const manifest = await runOf({ pass });
    const lines = await linesOut();
    expect([3, 5].filter((n) => lines.includes(maidOf(n).value))).toEqual([]);
    expect(manifest.set.passes).toBe(3);
  });

  test('without end does not make the run endless: seqEnd says up to where it is true', async () => {
    let next = 0;
    const at: number[] = [];
    const pass = linePass(set, () => {
      set.record(next++);
      at.push(next);
    });
    const manifest = await runOf({ pass });
    expect(manifest.set.passes).toBe(PASSES_MAX);
    const lines = await linesOut();
    for (let n = 0; n < manifest.set.seqEnd; n++) expect(lines.includes(maidOf(n).value)).toBe(false);
  });

  test('is found later without the recheck, and the manifest says no more than is true', async () => {
    const pass = linePass(set, () => set.record(3));
    const manifest = await runOf({ pass, recheck: false });
    expect(await linesOut()).toContain(maidOf(3).value);
    expect(manifest.set).toMatchObject({ seqEnd: 0, passes: 1 });
  });
});

test('with a ledger the run is recorded before the output has its name, and leaves no index beside it', async () => {
  const seen: unknown[] = [];
  const record = async (manifest: unknown, index: AsyncIterable<BigInt64Array>) => {
    let count = 0;
    for await (const piece of index) count += piece.length;
    seen.push(manifest, count, existsSync(output));
  };
  const manifest = await runOf({ record });
  expect(seen).toEqual([manifest, 100_000, false]);
  expect((await readdir(folder)).sort()).toEqual(['in.txt', 'out.txt', 'out.txt.manifest.json']);
});

describe('no output, no manifest and nothing half-written', () => {
  const onlyInput = async () => expect(await readdir(folder)).toEqual(['in.txt']);

  test('where the ledger cannot record it', async () => {
    await expect(runOf({ record: () => Promise.reject(new Error('no ledger')) })).rejects.toThrow('no ledger');
    await onlyInput();
  });

  test('where reading fails: a folder, no file, a source that breaks off', async () => {
    await expect(runOf({ input: folder })).rejects.toMatchObject({ code: 'export.io', cause: { code: 'EISDIR' } });
    await expect(runOf({ input: join(folder, 'none') })).rejects.toMatchObject({ code: 'export.io' });
    const pass = linePass(set, () => {
      throw Object.assign(new Error('unexpected end of file'), { code: 'Z_BUF_ERROR' });
    });
    await expect(runOf({ pass })).rejects.toMatchObject({ code: 'export.io', cause: { code: 'Z_BUF_ERROR' } });
    await onlyInput();
  });

  test('where the run is stopped, or the set goes away', async () => {
    const stop = new AbortController();
    const pass = linePass(set, () => stop.abort(new Error('stopped')));
    await expect(runOf({ pass, signal: stop.signal })).rejects.toThrow('stopped');
    const broken = { ...lost(set), catchUp: () => Promise.reject(new Error('unreachable ledger')) };
    await expect(runOf({ set: broken })).rejects.toThrow('unreachable ledger');
    await onlyInput();
  });

  test('in a dry run, which counts', async () => {
    set.record(1);
    const manifest = await runOf({ isDryRun: true });
    expect(manifest.rows).toMatchObject({ in: 100_000, kept: 99_999, droppedSuppressed: 1 });
    expect(manifest).toMatchObject({ dryRun: true, output: null });
    await onlyInput();
  });

  test('where another history begins in mid-run, in the first pass, while catching up, and at the end', async () => {
    for (const when of ['pass', 'catchUp', 'end']) {
      let epoch = 'e';
      const changing: ExportSet = {
        seed: set.seed,
        get epoch() {
          return epoch;
        },
        get seq() {
          return set.seq;
        },
        catchUp: () => {
          if (when === 'catchUp' && set.catchUps === 1) epoch = 'f';
          if (when === 'end' && set.catchUps === 1) setImmediate(() => (epoch = 'f'));
          return set.catchUp();
        },
      };
      set.catchUps = 0;
      const pass = linePass(set, () => {
        if (when === 'pass') epoch = 'f';
      });
      await expect(runOf({ pass, set: changing }), when).rejects.toMatchObject({ code: 'export.set_replaced' });
      await onlyInput();
    }
  });

  const lost = ({ seed, epoch, seq }: TestSet) => ({ seed, epoch, seq });
});

test('an input is never overwritten, and an earlier output stays until the new one is complete', async () => {
  await expect(runOf({ output: input })).rejects.toMatchObject({ code: 'export.same_file' });
  await writeFile(output, 'earlier');
  await expect(runOf({ record: () => Promise.reject(new Error('no')) })).rejects.toThrow('no');
  expect(await readFile(output, 'utf8')).toBe('earlier');
  await runOf();
  expect(await linesOut()).toHaveLength(100_000);
});

describe('a second run to the same output', () => {
  const foundIn = async (name: string, n: bigint) => {
    const index = await LineageFile.open(join(folder, name), set.seed);
    const isFound = await index.has(n + 1n);
    await index.close();
    return isFound;
  };
  const rest = ['in.txt', 'out.txt', 'out.txt.manifest.json'];

  test('keeps the proof of the first one, where no ledger has it', async () => {
    const first = await runOf();
    await writeFile(input, linesOf(200_000, 200_010));
    const second = await runOf();
    const kept = `out.txt.${first.runId}`;
    expect((await readdir(folder)).sort()).toEqual(
      [...rest, 'out.txt.lineage', `${kept}.lineage`, `${kept}.manifest.json`].sort(),
    );
    expect(JSON.parse(await readFile(join(folder, `${kept}.manifest.json`), 'utf8'))).toEqual(first);
    expect([await foundIn(`${kept}.lineage`, 7n), await foundIn('out.txt.lineage', 7n)]).toEqual([true, false]);
    await runOf();
    expect(JSON.parse(await readFile(join(folder, `out.txt.${second.runId}.manifest.json`), 'utf8'))).toEqual(second);
  });

  test('also where that one has a ledger, and leaves no index that is not its own', async () => {
    const { runId } = await runOf();
    await runOf({
      record: async (_, index) => {
        for await (const __ of index);
      },
    });
    const kept = `out.txt.${runId}`;
    expect((await readdir(folder)).sort()).toEqual([...rest, `${kept}.lineage`, `${kept}.manifest.json`].sort());
    expect(await foundIn(`${kept}.lineage`, 7n)).toBe(true);
  });

  test('keeps an index without its manifest, too', async () => {
    await runOf();
    await rm(`${output}.manifest.json`);
    await runOf();
    const [kept = '', ...more] = (await readdir(folder)).filter((name) => /^out\.txt\.\d+\.lineage$/.test(name));
    expect(more).toEqual([]);
    expect(await foundIn(kept, 7n)).toBe(true);
  });
});

test('what a killed run left is removed by the next one, once it is old', async () => {
  const [old, fresh] = ['.out.txt.x_old-1.tmp', '.out.txt.x_new-1-index.tmp.0'];
  for (const name of [old, fresh]) await writeFile(join(folder, name), 'x');
  await utimes(join(folder, old), 0, 0);
  await runOf({ now: Date.now });
  const names = await readdir(folder);
  expect(names).toContain(fresh);
  expect(names).not.toContain(old);
});

describe('a process of its own', () => {
  const script = fileURLToPath(new URL('./run-process.mjs', import.meta.url));
  const children = new Set<ChildProcess>();
  let place: string;
  let source: string;
  let digest: string;
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'optgate-kill-'));
    source = join(place, 'in.bin');
    const bytes = randomBytes(8 * 1024 * 1024);
    digest = sha256(bytes);
    await writeFile(source, bytes);
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(place, { recursive: true, force: true });
  });

  test('killed at random moments leaves a complete output or none', async () => {
    let completeCount = 0;
    for (let attempt = 0; attempt < 12; attempt++) {
      const target = join(place, String(attempt));
      await mkdir(target);
      const out = join(target, 'out.bin');
      const child = spawn(process.execPath, [script, source, out, 'once'], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.add(child);
      const ended = once(child, 'exit');
      await once(createInterface({ input: child.stdout }), 'line');
      await Promise.race([pause(Math.random() * 250), ended]);
      child.kill('SIGKILL');
      await ended;
      if (existsSync(out)) {
        completeCount++;
        expect(sha256(await readFile(out))).toBe(digest);
        const manifest = JSON.parse(await readFile(`${out}.manifest.json`, 'utf8'));
        expect(manifest.output.sha256).toBe(digest);
      }
      await rm(target, { recursive: true });
    }
    expect(completeCount).toBeLessThan(12);
  });

  test.skipIf(process.platform === 'win32')('that runs out of space says so and leaves no output', async () => {
    const target = join(place, 'full');
    await mkdir(target);
    const out = join(target, 'out.bin');
    // a limit on the size of a file stands in for a full disk: 4 MiB of the 8
    const limited = `ulimit -f 4096; trap '' XFSZ; exec "$0" "$@"`;
    const child = spawn('bash', ['-c', limited, process.execPath, script, source, out, 'once'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    const said: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    await once(child, 'close');
    expect(said).toEqual(['begun', 'export.io EFBIG']);
    expect(await readdir(target)).toEqual([]);
  });
});

test('whatever goes wrong, no thread is left', async () => {
  const workers: { threadId: number }[] = [];
  const onWorker = (worker: { threadId: number }) => workers.push(worker);
  process.on('worker', onWorker);
  try {
    await runOf({ hashing: 'thread' });
    const pass = linePass(set, () => {
      throw new Error('the reader is gone');
    });
    await expect(runOf({ hashing: 'thread', pass })).rejects.toThrow('the reader is gone');
    await runOf({ hashing: 'thread', isDryRun: true });
  } finally {
    process.off('worker', onWorker);
  }
  expect(workers.length).toBe(5); // two, two, and one for the input
  expect(workers.every(({ threadId }) => threadId === -1)).toBe(true); // ended
});
