/**
 * Lineage files: whatever comes in, in whatever order, is found again, and nothing else; damage is found out.
 * @module
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LineageBuilder, LineageFile } from '../../src/exports/lineage-file.js';

const SEED = 0xfedc_ba98_7654_3210n;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optgate-lineage-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function build(lists: readonly (readonly bigint[])[], sortCountMax?: number): Promise<string> {
  const path = join(folder, 'one.lineage');
  const builder = new LineageBuilder(path, sortCountMax === undefined ? {} : { sortCountMax });
  for (const list of lists) builder.add(BigUint64Array.from(list));
  await builder.settled();
  await builder.finish(SEED);
  return path;
}

async function contents(path: string): Promise<readonly bigint[]> {
  const file = await LineageFile.open(path, SEED);
  const all: bigint[] = [];
  for await (const piece of file.fingerprints()) all.push(...piece);
  await file.close();
  return all;
}

/** Many that are alike in one half. */
const alike = fc.tuple(
  fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n),
  fc.constantFrom(0n, 5n, 2n ** 31n, 2n ** 32n - 1n),
);
const fingerprint = fc.oneof(
  alike.map(([high, low]) => (high << 32n) | low),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 9n }),
);

test('what was added, ascending, each once, however it was spilled', async () => {
  const lists = fc.array(fc.array(fingerprint, { maxLength: 40 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lists, fc.integer({ min: 1, max: 30 }), async (some, sortCountMax) => {
      const expected = [...new Set(some.flat().map((one) => BigInt.asIntN(64, one)))].sort((a, b) => (a < b ? -1 : 1));
      const path = await build(some, sortCountMax);
      expect(await contents(path)).toEqual(expected);
      const file = await LineageFile.open(path, SEED);
      expect(file.count).toBe(expected.length);
      for (const one of some.flat().slice(0, 10)) expect(await file.has(one)).toBe(true);
      expect(await file.has(123_456_789n)).toBe(expected.includes(123_456_789n));
      await file.close();
      expect(await readdir(folder)).toEqual(['one.lineage']);
    }),
    { numRuns: 40 },
  );
});

test('across the pieces of a large one', async () => {
  const list = Array.from({ length: 50_000 }, (_, n) => (BigInt(n) * 0x9e37_79b9_7f4a_7c15n) & (2n ** 64n - 1n));
  const path = await build([list], 7_001);
  expect((await readFile(path)).length).toBe(24 + 8 * list.length + 32);
  expect(await contents(path)).toEqual(list.map((one) => BigInt.asIntN(64, one)).sort((a, b) => (a < b ? -1 : 1)));
});

test.each([
  ['without a piece spilled', undefined],
  ['in large pieces', 70_000],
])('many, some of them twice, %s', async (_, sortCountMax) => {
  const list = Array.from(
    { length: 300_000 },
    (_, n) => (BigInt(n % 200_003) * 0x9e37_79b9_7f4a_7c15n) & (2n ** 64n - 1n),
  );
  const path = await build([list.slice(0, 1000), list.slice(1000)], sortCountMax);
  const expected = BigInt64Array.from(new Set(list.map((one) => BigInt.asIntN(64, one)))).sort();
  expect((await contents(path)).join()).toBe(expected.join());
});

test('a changed, cut or foreign file is refused', async () => {
  const path = await build([[1n, 2n, 3n]]);
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(path, changed);
    await expect(LineageFile.open(path, SEED), `byte ${at}`).rejects.toMatchObject({ code: 'lineage.damaged' });
  }
  for (const length of [0, 7, 24, bytes.length - 1]) {
    await writeFile(path, bytes.subarray(0, length));
    await expect(LineageFile.open(path, SEED), `${length} bytes`).rejects.toMatchObject({ code: 'lineage.damaged' });
  }
  await writeFile(path, bytes);
  await expect(LineageFile.open(path, SEED + 1n)).rejects.toMatchObject({ code: 'lineage.seed' });
});

test('what is given up leaves nothing behind', async () => {
  await rm(join(folder, 'one.lineage'), { force: true });
  const builder = new LineageBuilder(join(folder, 'one.lineage'), { sortCountMax: 2 });
  builder.add(BigUint64Array.from([1n, 2n, 3n, 4n, 5n]));
  await builder.discard();
  expect(await readdir(folder)).toEqual([]);
});
