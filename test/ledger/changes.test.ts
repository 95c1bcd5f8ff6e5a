/**
 * Keys in the order of the database, and what an entry does to them: the fast and packed form against plain maps.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKeyList, KEY_WORDS, type KeyList } from '../../src/core/identity/index.js';
import {
  digestWord,
  ENTRY_CHANGES_MAX,
  mintHigh,
  mintLow,
  mixedLow,
  mixKey,
  readChanges,
} from '../../src/core/suppression/index.js';
import { type HeldKey, type Holder, type Plan, planOptIn, planOptOut } from '../../src/ledger/changes.js';
import { highOfSqlKey, KeyBatch, lowOfSqlKey, sqlKey } from '../../src/ledger/keys.js';

const SEED = 0x8123456789abcdefn;

/** A list of one key of a few, so that they are often shared. */
function keysOf(...numbers: readonly number[]): KeyList {
  const list = createKeyList(16);
  for (const number of numbers) {
    list.words.set([(number % 15) + 1, number, 2, 3, 4], list.count * KEY_WORDS);
    list.count++;
  }
  return list;
}

/** The same key as the database has it. */
function mixed(number: number): bigint {
  const high = mixKey(
    (number % 15) + 1,
    number,
    2,
    3,
    4,
    Number(BigInt.asIntN(32, SEED)),
    Number(BigInt.asIntN(32, SEED >> 32n)),
  );
  return sqlKey(mintHigh(high), mintLow(mixedLow[0] ?? 0));
}

const identityOf = (person: number) => Buffer.alloc(16, person + 1);
const hexOf = (person: number) => identityOf(person).toString('hex');

const person = fc.record({
  person: fc.integer({ min: 0, max: 5 }),
  keys: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 5 }),
  rights: fc.integer({ min: 1, max: 127 }),
});
type Person = { person: number; keys: number[]; rights: number };

function batchOf(people: readonly Person[]): KeyBatch {
  const batch = new KeyBatch(SEED);
  for (const { person: who, keys, rights } of people) batch.add(keysOf(...keys), identityOf(who), rights);
  batch.sort();
  return batch;
}

describe('KeyBatch', () => {
  test('each key once, in the order of the database, with the union of its holders', () => {
    fc.assert(
      fc.property(fc.array(person, { maxLength: 12 }), (people) => {
        const batch = batchOf(people);
        const holders = new Map<bigint, Map<string, number>>();
        const derived = new Map<bigint, boolean>();
        for (const { person: who, keys, rights } of people) {
          for (const [index, key] of keys.entries()) {
            const of = holders.get(mixed(key)) ?? new Map<string, number>();
            holders.set(mixed(key), of.set(hexOf(who), (of.get(hexOf(who)) ?? 0) | rights));
            derived.set(mixed(key), (derived.get(mixed(key)) ?? true) && index > 0);
          }
        }
        const sorted = [...holders.keys()].sort((one, other) => (one < other ? -1 : 1));
        expect(Array.from({ length: batch.count }, (_, index) => batch.sqlKey(index))).toEqual(sorted);
        for (let index = 0; index < batch.count; index++) {
          const key = batch.sqlKey(index);
          const found = new Map([
            [batch.identityOf(batch.owner[index] ?? 0).toString('hex'), batch.ownerRights[index]],
          ]);
          for (const holder of batch.furtherHolders.filter((one) => one.key === index)) {
            const hex = batch.identityOf(holder.owner).toString('hex');
            expect(found.has(hex)).toBe(false);
            found.set(hex, holder.rights);
          }
          expect(found).toEqual(holders.get(key));
          expect(batch.rights[index]).toBe([...found.values()].reduce<number>((all, rights) => all | (rights ?? 0), 0));
          expect(batch.derived[index]).toBe(derived.get(key) ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('keys that differ only in their low words are in order too', () => {
    const byHigh = new Map<number, number>();
    const twins: (readonly [number, number])[] = [];
    for (let number = 0; number < 300_000; number++) {
      const high = highOfSqlKey(mixed(number));
      const other = byHigh.get(high);
      if (other !== undefined) twins.push([other, number]);
      byHigh.set(high, number);
    }
    expect(twins.length).toBeGreaterThan(2);
    for (const [one, other] of twins) {
      for (const numbers of [
        [one, other],
        [other, one],
      ]) {
        const batch = new KeyBatch(SEED);
        for (const number of numbers) batch.add(keysOf(number), identityOf(number % 5), 1);
        batch.sort();
        expect(batch.sqlKeys()).toEqual([mixed(one), mixed(other)].sort((a, b) => (a < b ? -1 : 1)));
      }
    }
  });

  test('a full batch is in order, whatever the signs, and can be used again', () => {
    const batch = new KeyBatch(SEED);
    for (const round of [0, 1]) {
      batch.reset();
      for (let number = 0; batch.hasRoomFor(1); number++) batch.add(keysOf(number + round), identityOf(1), 1);
      expect(() => batch.add(keysOf(1), identityOf(1), 1)).toThrow(RangeError);
      batch.sort();
      expect(batch.count).toBe(ENTRY_CHANGES_MAX);
      const keys = Array.from({ length: batch.count }, (_, index) => batch.sqlKey(index));
      expect(keys.every((key, index) => index === 0 || (keys[index - 1] ?? 0n) < key)).toBe(true);
      expect(keys.some((key) => key < 0n) && keys.some((key) => key > 0n)).toBe(true);
      for (const key of keys) expect(sqlKey(highOfSqlKey(key), lowOfSqlKey(key))).toBe(key);
    }
  });
});

/** Rows and further holders that agree with each other. */
interface State {
  readonly rows: Map<bigint, HeldKey>;
  readonly further: Holder[];
}

/** An opt-in of some people on some keys. */
type OptIn = { who: number[]; on: number[]; rights: number };

/** Brings about a state by opt-outs and opt-ins, applying plans to plain maps. */
function stateAfter(steps: readonly (readonly Person[] | OptIn)[]): State {
  const state: State = { rows: new Map(), further: [] };
  for (const step of steps) {
    if ('who' in step) applyOptIn(state, step.who, step.on, step.rights);
    else apply(state, batchOf(step as readonly Person[]));
  }
  return state;
}

function applyOptIn(
  state: State,
  who: readonly number[],
  on: readonly number[],
  rights: number,
  ahead = new Set<string>(),
) {
  const named = [...new Set(on.map(mixed))].filter((key) => state.rows.has(key));
  const held = named.map((key) => state.rows.get(key)).filter((row) => row !== undefined);
  const further = state.further.filter(({ key }) => named.includes(key));
  const plan = planOptIn(held, further, new Set(who.map(hexOf)), rights, ahead);
  for (const { rightsBefore: _, isHolderNew: __, ...row } of plan.updates) state.rows.set(row.key, row);
  for (const holder of plan.holders) {
    const at = state.further.findIndex(({ key, identity }) => key === holder.key && identity === holder.identity);
    if (holder.rights === 0) state.further.splice(at, 1);
    else state.further[at] = holder;
  }
  return { named, plan };
}

function apply(state: State, batch: KeyBatch, ahead: ReadonlySet<string> = new Set()) {
  const plan = planOptOut(batch, state.rows, ahead);
  for (const index of plan.inserts) {
    state.rows.set(batch.sqlKey(index), {
      key: batch.sqlKey(index),
      tag: batch.tag[index] ?? 0,
      version: 1,
      rights: batch.rights[index] ?? 0,
      lastEntry: '1',
      identity: batch.identityOf(batch.owner[index] ?? 0).toString('hex'),
      identityRights: batch.ownerRights[index] ?? 0,
      isDerived: batch.derived[index] === 1,
    });
  }
  for (const { rightsBefore: _, isHolderNew: __, ...row } of plan.updates) state.rows.set(row.key, row);
  for (const holder of plan.holders) {
    const at = state.further.findIndex(({ key, identity }) => key === holder.key && identity === holder.identity);
    if (at < 0) state.further.push(holder);
    else state.further[at] = { ...holder, rights: holder.rights | (state.further[at]?.rights ?? 0) };
  }
  return plan;
}

/** What every person holds on every key, however it is stored. */
function holdings({ rows, further }: State): Map<string, number> {
  const all = new Map<string, number>();
  const add = (key: bigint, identity: string, rights: number) => {
    const name = `${key} ${identity}`;
    if (rights !== 0) all.set(name, (all.get(name) ?? 0) | rights);
  };
  for (const row of rows.values()) add(row.key, row.identity, row.identityRights);
  for (const holder of further) add(holder.key, holder.identity, holder.rights);
  return all;
}

const unionOf = (state: State, key: bigint): number =>
  [...holdings(state)].reduce((all, [name, rights]) => (name.startsWith(`${key} `) ? all | rights : all), 0);

/** Records agree with the rows they left behind, and with the figures; and they are of the rows that were written. */
function checkEntry(before: State, after: State, keys: readonly bigint[], isAhead: boolean, plan: Plan) {
  const records = readChanges(plan.records);
  const isWritten = (key: bigint) => JSON.stringify(plain(before, key)) !== JSON.stringify(plain(after, key));
  expect(records.map(({ high, low }) => sqlKey(high, low))).toEqual(keys.filter((key) => isAhead || isWritten(key)));
  const sums = { digestHigh: 0, digestLow: 0, entryCount: 0, kindMask: 0, givenKindMask: 0 };
  for (const record of records) {
    const key = sqlKey(record.high, record.low);
    const row = after.rows.get(key);
    const was = before.rows.get(key);
    const [high, low, from, to] = [record.high, record.low, was?.rights ?? 0, row?.rights ?? 0];
    expect(record).toMatchObject({ version: row?.version, rights: to, rightsBefore: from, tag: row?.tag });
    expect(to).toBe(unionOf(after, key));
    expect(row?.version).toBe((was?.version ?? 0) + (to === from ? 0 : 1));
    sums.digestHigh = (sums.digestHigh + digestWord(high, to) - digestWord(high, from)) >>> 0;
    sums.digestLow = (sums.digestLow + digestWord(low, to) - digestWord(low, from)) >>> 0;
    sums.entryCount += Number(to !== 0) - Number(from !== 0);
    if (to !== 0) sums.kindMask |= 1 << record.tag;
    if (to !== 0 && !record.isDerived) sums.givenKindMask |= 1 << record.tag;
  }
  expect(plan.totals).toEqual(sums);
}

/** A row without big numbers. */
const plain = ({ rows }: State, key: bigint) => ({ ...rows.get(key), key: String(key) });

const people = fc.array(person, { minLength: 1, maxLength: 4 });
const optIn = fc.record({
  who: fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 1 }),
  on: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1 }),
  rights: fc.integer({ min: 1, max: 127 }),
});
const steps = fc.array(fc.oneof(people, optIn), { maxLength: 5 });

describe('planning', () => {
  test('an opt-out adds to what each person holds, and says what it did to every key', () => {
    fc.assert(
      fc.property(steps, people, fc.boolean(), (earlier, now, isAhead) => {
        const before = stateAfter(earlier);
        const after: State = { rows: new Map(before.rows), further: [...before.further] };
        const batch = batchOf(now);
        const plan = apply(after, batch, new Set(isAhead ? ['1'] : []));
        const expected = holdings(before);
        for (const { person: who, keys, rights } of now) {
          for (const key of keys) {
            const name = `${mixed(key)} ${hexOf(who)}`;
            expected.set(name, (expected.get(name) ?? 0) | rights);
          }
        }
        expect(holdings(after)).toEqual(expected);
        const keys = Array.from({ length: batch.count }, (_, index) => batch.sqlKey(index));
        checkEntry(before, after, keys, isAhead, plan);
      }),
      { numRuns: 500 },
    );
  });

  test('an opt-in takes from the people it names, on the keys it names, and from nobody else', () => {
    const mask = fc.integer({ min: 1, max: 127 });
    const who = fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        steps,
        fc.uniqueArray(fc.integer({ min: 0, max: 12 })),
        who,
        mask,
        fc.boolean(),
        (earlier, keys, which, rights, isAhead) => {
          const before = stateAfter(earlier);
          const after: State = { rows: new Map(before.rows), further: [...before.further] };
          const { named, plan } = applyOptIn(after, which, keys, rights, new Set(isAhead ? ['1'] : []));
          const expected = new Map<string, number>();
          for (const [name, had] of holdings(before)) {
            const [key = '', identity = ''] = name.split(' ');
            const isMeant = named.includes(BigInt(key)) && which.map(hexOf).includes(identity);
            const left = isMeant ? had & ~rights : had;
            if (left !== 0) expected.set(name, left);
          }
          expect(holdings(after)).toEqual(expected);
          checkEntry(before, after, named, isAhead, plan);
          expect(plan.remaining).toBe(named.reduce((all, key) => all | unionOf(after, key), 0));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a key that was only derived and keeps rights after an opt-in is looked up on its own from then on', () => {
    const state = stateAfter([[{ person: 0, keys: [1, 2], rights: 1 }], [{ person: 1, keys: [3, 2], rights: 1 }]]);
    const row = state.rows.get(mixed(2));
    expect(row?.isDerived).toBe(true);
    const plan = planOptIn(row === undefined ? [] : [row], state.further, new Set([hexOf(0)]), 127, new Set());
    expect(plan.updates).toMatchObject([{ rights: 1, rightsBefore: 1, isDerived: false }]);
    expect(plan.totals.givenKindMask).toBe(1 << 3);
  });
});
