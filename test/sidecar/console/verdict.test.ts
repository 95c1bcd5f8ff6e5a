/**
 * "Is it working?": each trouble has its sentence, the gravest comes first, and nothing but their absence is "it works".
 * @module
 */
import { expect, test } from 'vitest';
import type { EnforcerStatus } from '../../../src/ledger/index.js';
import type { ConsoleProcess } from '../../../src/sidecar/console/index.js';
import { durationText, type VerdictFacts, verdictOf } from '../../../src/sidecar/console/verdict.js';
import { PROCESS } from './stand.js';

const NOW_MS = 1_000_000_000;
const enforcer = (name: string, more: Partial<EnforcerStatus> = {}): EnforcerStatus => ({
  ...{
    id: name,
    name,
    role: 'sidecar',
    version: '1',
    state: 'live',
    registeredAtMs: 0,
    lastSeenAtMs: NOW_MS - 240_000,
  },
  ...{ position: null, seqLag: 0, isSilent: false, retiredAtMs: null },
  ...more,
});
const facts = (more: Partial<VerdictFacts> = {}, process: Partial<ConsoleProcess> = {}): VerdictFacts => ({
  ledger: 'open',
  enforcers: [enforcer('a'), enforcer('b')],
  process: { ...PROCESS, ...process },
  alarm: null,
  nowMs: NOW_MS,
  ...more,
});
const table = (state: 'empty' | 'last_good' | 'soft_stale' | 'hard_stale') => ({ table: { ...PROCESS.table, state } });

test.each<[string, VerdictFacts, string, RegExp]>([
  ['all is well', facts(), 'working', /^It works: all 2 enforcers/],
  ['one enforcer', facts({ enforcers: [enforcer('a')] }), 'working', /^It works: the one enforcer/],
  [
    'who left does not count',
    facts({ enforcers: [enforcer('a'), enforcer('b', { isSilent: true, retiredAtMs: 1 })] }),
    'working',
    /one enforcer/,
  ],
  [
    'a follower without a ledger',
    facts({ ledger: 'none', enforcers: null }),
    'working',
    /kept elsewhere.*less than a second old/,
  ],
  [
    'one silent',
    facts({ enforcers: [enforcer('a'), enforcer('b', { isSilent: true })] }),
    'attention',
    /^1 of 2 enforcers has fallen silent: b, last seen 4 minutes ago\.$/,
  ],
  [
    'many silent',
    facts({ enforcers: ['a', 'b', 'c', 'd', 'e'].map((name) => enforcer(name, { isSilent: true })) }),
    'attention',
    /^5 of 5 enforcers have fallen silent: a, b, c and 2 more\.$/,
  ],
  [
    'one by a stale table',
    facts({ enforcers: [enforcer('a', { state: 'hard_stale' })] }),
    'wrong',
    /^1 of 1 enforcer decides by a stale table: a\.$/,
  ],
  [
    'one catching up',
    facts({ enforcers: [enforcer('a', { state: 'soft_stale' })] }),
    'attention',
    /^1 of 1 enforcer is catching up: a\.$/,
  ],
  ['nobody has reported', facts({ enforcers: [] }), 'attention', /^No enforcer has reported yet/],
  ['the ledger is away', facts({ ledger: 'unavailable', enforcers: null }), 'wrong', /^The ledger cannot be reached/],
  ['the horizon stands', facts({ alarm: 'a transaction is open' }), 'wrong', /a transaction is open\.$/],
  ['no table', facts({}, table('empty')), 'wrong', /no table yet/],
  ['a stale table', facts({}, table('hard_stale')), 'wrong', /stale/],
  ['a table that gets old', facts({}, table('last_good')), 'attention', /catching up/],
  [
    'a canary that is not enforced',
    facts({}, { canary: { ageMs: 1, notInForceCount: 1 } }),
    'wrong',
    /do not come into force/,
  ],
  ['too much work', facts({}, { isShedding: true }), 'attention', /turned away/],
  ['about to end', facts({}, { readiness: 'draining' }), 'attention', /about to end/],
])('%s', (_, given, state, sentence) => {
  const verdict = verdictOf(given);
  expect(verdict).toMatchObject({ state, sentence: expect.stringMatching(sentence), further: [] });
});

test('the gravest comes first, and what else is the matter after it', () => {
  const enforcers = [enforcer('a', { isSilent: true }), enforcer('b', { state: 'hard_stale' })];
  const { state, further } = verdictOf(facts({ enforcers }, { isShedding: true }));
  expect(state).toBe('wrong');
  expect(further.map((one) => one.state)).toEqual(['attention', 'attention']);
});

test.each([
  [0, 'less than a second'],
  [1999, '1 second'],
  [119_000, '1 minute'],
  [7_200_000, '2 hours'],
  [200_000_000, '2 days'],
])('%i ms: %s', (ms, text) => expect(durationText(ms)).toBe(text));
