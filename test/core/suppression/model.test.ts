/**
 * Any sequence of writes, growth, sharing and snapshots leaves the holder answering as a plain map does.
 * @module
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compacted } from '../../../src/core/suppression/compaction.js';
import { auditTable } from '../../../src/core/suppression/copy.js';
import { TableHolder } from '../../../src/core/suppression/holder.js';
import { usedSlotsMax } from '../../../src/core/suppression/layout.js';
import { decodeSnapshot, encodeSnapshot } from '../../../src/core/suppression/snapshot.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { type PlainKey, PlainTable } from '../../reference/suppression.js';
import { collidingPairs, keyAt, keyListOf, keysOfBucket, rightsAt, SEED } from './keys.js';

/** Filled until only so many keys are missing before it grows, so that a short run sees growth. */
const KEYS_BEFORE_GROWTH = 1;

const empty = SuppressionTable.create({ capacity: 0, seed: SEED, epoch: 'model' });
const fillCount = usedSlotsMax(empty.bucketCount) - KEYS_BEFORE_GROWTH;
for (let index = 0; index < fillCount; index++) empty.set(...keyAt(index), rightsAt(index));
const start = encodeSnapshot(empty, 0);

/** Keys to play with: some that are there, some that are not, some that collide. */
const keys: readonly PlainKey[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(keyAt),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((index) => keyAt(fillCount + index)),
  ...collidingPairs(3).flat(),
  ...keysOfBucket(empty, 4095, 12),
];

interface Model {
  readonly plain: PlainTable;
  seq: number;
}

interface Real {
  readonly holder: TableHolder;
  /** Tables that readers on other threads would have, as long as they are promised every write. */
  readers: readonly SuppressionTable[];
}

type Command = fc.Command<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => void): Command {
  return {
    check: () => true,
    run: (model, real) => {
      run(model, real);
      expectAgreement(model, real);
    },
    toString: () => name,
  };
}

function expectAgreement({ plain, seq }: Model, { holder, readers }: Real): void {
  const current = holder.current as SuppressionTable;
  const expected = keys.map((key) => plain.rightsOf(key));
  expect(keys.map((key) => current.rightsOf(...key))).toEqual(expected);
  const outRights = new Uint8Array(keys.length);
  current.rightsOfKeys(keyListOf(keys), outRights);
  expect([...outRights]).toEqual(expected);
  expect([current.entryCount, holder.seq]).toEqual([plain.entryCount, seq]);
  for (const reader of readers) {
    if (reader.standing === 'abandoned') continue;
    expect(keys.map((key) => reader.rightsOf(...key))).toEqual(expected);
    expect(reader.seq).toBe(seq);
  }
}

const set = fc.tuple(fc.constantFrom(...keys), fc.integer({ min: 0, max: 127 })).map(([key, rights]) =>
  command(`set ${keys.indexOf(key)} ${rights}`, ({ plain }, { holder }) => {
    expect(holder.set(...key, rights)).toBe(plain.set(key, rights) !== 'unchanged');
  }),
);

const remove = fc.constantFrom(...keys).map((key) =>
  command(`remove ${keys.indexOf(key)}`, ({ plain }, { holder }) => {
    expect(holder.remove(...key)).toBe(plain.set(key, 0) !== 'unchanged');
  }),
);

const grow = fc.integer({ min: 1, max: 20_000 }).map((slots) =>
  command(`grow ${slots}`, (_, { holder }) => {
    holder.growStep(slots);
  }),
);

const publish = fc.nat(2 ** 40).map((seq) =>
  command(`publish ${seq}`, (model, { holder }) => {
    holder.publish(seq, null);
    model.seq = seq;
  }),
);

const share = fc.constant(
  command('share', (_, real) => {
    real.readers = [...real.readers, SuppressionTable.attach((real.holder.current as SuppressionTable).share())];
  }),
);

const release = fc.constant(command('release', (_, { holder }) => holder.releasePrevious()));

const snapshot = fc.constantFrom(4096, 65_536, 2 ** 20).map((blockBytes) =>
  command(`snapshot ${blockBytes}`, (_, { holder }) => {
    const table = holder.current as SuppressionTable;
    const loaded = decodeSnapshot(encodeSnapshot(table, 1, { blockBytes }));
    expect(auditTable(loaded)).toEqual({ ...auditTable(table), misplacedCount: 0 });
    holder.replace(loaded);
  }),
);

const compact = fc.constant(
  command('compact', (_, { holder }) => holder.replace(compacted(holder.current as SuppressionTable))),
);

/** `replace` drops growth in progress, so runs without it are tried as well, or growth would hardly ever end. */
const growing = fc.commands([set, set, remove, grow, grow, publish, share, release], { size: '+1', maxCommands: 60 });
const any = fc.commands([set, set, remove, grow, grow, publish, share, release, snapshot, compact], { size: '+1' });

test('the holder answers as a plain map does', () => {
  let grownCount = 0;
  fc.assert(
    fc.property(fc.oneof(growing, any), (sequence) => {
      fc.modelRun(() => {
        const holder = new TableHolder({ table: decodeSnapshot(start) });
        const plain = new PlainTable();
        for (let index = 0; index < fillCount; index++) plain.set(keyAt(index), rightsAt(index));
        holder.onSwap(({ reason }) => {
          if (reason === 'grown') grownCount++;
        });
        return { model: { plain, seq: 0 }, real: { holder, readers: [] } };
      }, sequence);
    }),
    { numRuns: 100 },
  );
  expect(grownCount).toBeGreaterThan(5);
});
