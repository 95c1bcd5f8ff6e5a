/**
 * One suite for every door: the same request, the same decision, and the same request going out.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { CAUSE_RULES } from '../../src/core/policy/rules.js';
import { HAS_PYTHON } from '../python.js';
import {
  type Answer,
  type ContractCase,
  contractDesk,
  DECIDED,
  expectedOf,
  REFUSED,
  type TableState,
} from './cases.js';
import { DOORS, type Door, PYTHON_DOORS } from './doors.js';

const TABLES: readonly TableState[] = ['fresh', 'stale', 'not_loaded'];

/** Asks all of them through a door, those of one context together; what the door cannot be asked has no answer. */
async function askAll(door: Door, cases: readonly ContractCase[]): Promise<Map<ContractCase, Answer>> {
  const answers = new Map<ContractCase, Answer>();
  for (const table of TABLES) {
    const groups = new Map<string, ContractCase[]>();
    for (const asked of cases) {
      if (asked.table !== table || door.cannotAsk(asked) !== null) continue;
      const key = JSON.stringify(asked.context);
      groups.set(key, [...(groups.get(key) ?? []), asked]);
    }
    if (groups.size === 0) continue;
    const open = await door.open(contractDesk(table));
    try {
      for (const group of groups.values()) {
        const found = await open.ask(group, group[0]?.context ?? {});
        expect(found.length).toBe(group.length);
        for (const [index, asked] of group.entries()) answers.set(asked, found[index] ?? {});
      }
    } finally {
      await open.close();
    }
  }
  return answers;
}

/** What an answer says other than it should. */
function faultsOf(asked: ContractCase, answer: Answer, expected: Required<Omit<Answer, 'code'>>): string[] {
  const faults: string[] = [];
  const { decision = {}, request } = answer;
  if (answer.code !== undefined) faults.push(`${asked.name}: refused, ${answer.code}`);
  if (Object.keys(decision).length < 5) faults.push(`${asked.name}: no decision`);
  for (const [name, value] of Object.entries(decision)) {
    const right = JSON.stringify(expected.decision[name as keyof object]);
    if (JSON.stringify(value) !== right)
      faults.push(`${asked.name}: ${name} is ${JSON.stringify(value)}, not ${right}`);
  }
  if (request !== undefined && JSON.stringify(request) !== JSON.stringify(expected.request)) {
    faults.push(`${asked.name}: another request goes out`);
  }
  return faults;
}

function suite(doors: readonly Door[]): void {
  describe.each(doors)('$name', (door) => {
    test('decides as the library does', async () => {
      const answers = await askAll(door, DECIDED);
      expect(answers.size).toBeGreaterThan(DECIDED.length - 10);
      const desks = Object.fromEntries(TABLES.map((table) => [table, contractDesk(table)]));
      const faults = [...answers].flatMap(([asked, answer]) => {
        const desk = desks[asked.table];
        return desk === undefined ? ['no desk'] : faultsOf(asked, answer, expectedOf(desk, asked));
      });
      expect(faults).toEqual([]);
    });

    test('refuses what is no bid request, with the same code', async () => {
      const askable = REFUSED.filter(([, asked]) => door.cannotAsk(asked) === null);
      const answers = await askAll(
        door,
        askable.map(([, asked]) => asked),
      );
      expect(askable.map(([, asked]) => answers.get(asked)?.code)).toEqual(askable.map(([code]) => code));
    });
  });
}

test('every cause there is comes up, every action, and every state of the table', () => {
  const desks = new Map(TABLES.map((table) => [table, contractDesk(table)]));
  const codes = new Set<string>();
  const actions = new Set<string>();
  for (const asked of DECIDED) {
    const decision = desks.get(asked.table)?.gate.check(asked.value ?? {}, asked.context);
    for (const reason of decision?.reasons ?? []) codes.add(reason);
    actions.add(`${asked.table} ${decision?.action}`);
  }
  const missing = Object.values(CAUSE_RULES).filter(({ code }) => !codes.has(code));
  expect(missing.map(({ code }) => code)).toEqual([]);
  for (const family of [
    'gpp.usnat.',
    'gpp.usca.section_missing',
    'suppressed.maid',
    'suppressed.eid',
    'suppressed.account',
  ]) {
    expect(
      [...codes].some((code) => code.startsWith(family)),
      family,
    ).toBe(true);
  }
  const allowed = ['fresh', 'stale'].map((table) => `${table} allow`);
  const others = TABLES.flatMap((table) => [`${table} restrict`, `${table} block`]);
  expect([...actions].sort()).toEqual([...allowed, ...others].sort());
});

suite(DOORS);

describe.skipIf(!HAS_PYTHON)('Python', () => suite(PYTHON_DOORS));
