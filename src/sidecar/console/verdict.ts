/**
 * "Is it working?", in one sentence: rules in the order of their gravity, of which the first that applies is the answer.
 *
 * Pure: what is known goes in, sentences come out. All that apply are given, so that the second trouble is seen too.
 * @module
 */
import type { EnforcerStatus } from '../../ledger/index.js';
import type { ConsoleProcess } from './state.js';

/** `wrong`: opt-outs may not be honoured. `attention`: somebody should look. `working`: nothing is to be done. */
export type VerdictState = 'working' | 'attention' | 'wrong';

export interface Finding {
  readonly state: VerdictState;
  readonly sentence: string;
}

export interface Verdict extends Finding {
  /** What else is to be said, gravest first. */
  readonly further: readonly Finding[];
}

export interface VerdictFacts {
  readonly ledger: 'open' | 'unavailable' | 'none';
  /** `null`: the ledger could not be asked. */
  readonly enforcers: readonly EnforcerStatus[] | null;
  readonly process: ConsoleProcess;
  /** In plain words, why entries get no place in the log; `null`: they do. */
  readonly alarm: string | null;
  readonly nowMs: number;
}

export function verdictOf(facts: VerdictFacts): Verdict {
  const findings = [...troublesHere(facts), ...troublesElsewhere(facts)];
  const sorted = [
    ...findings.filter(({ state }) => state === 'wrong'),
    ...findings.filter(({ state }) => state !== 'wrong'),
  ];
  const [first, ...further] = sorted;
  if (first === undefined) return { state: 'working', sentence: goodNews(facts), further: [] };
  return { ...first, further };
}

function* troublesHere({ ledger, process, alarm }: VerdictFacts): Generator<Finding> {
  const { canary, table, isShedding, readiness } = process;
  if ((canary?.notInForceCount ?? 0) > 0) {
    yield wrong('Opt-outs do not come into force in this process: a canary came and was not enforced.');
  }
  if (readiness === 'draining') yield attention('This process is about to end.');
  if (table === null || table.state === 'empty') {
    yield wrong('This process has no table yet: it answers as the policy says for a stale one.');
  } else if (table.state === 'hard_stale') {
    yield wrong(
      `The table of this process is stale (${ageText(table.freshnessMs)}): it may not know of the latest opt-outs.`,
    );
  } else if (table.state === 'soft_stale' || table.state === 'last_good') {
    yield attention(
      `The table of this process is ${ageText(table.freshnessMs)}; it is catching up, or cannot reach its source.`,
    );
  }
  if (ledger === 'unavailable') yield wrong('The ledger cannot be reached: opt-outs cannot be recorded here.');
  if (alarm !== null) yield wrong(`Opt-outs wait for their place in the log: ${alarm}.`);
  if (isShedding) yield attention('There is more work than can be done: requests are turned away.');
}

function* troublesElsewhere({ enforcers, nowMs }: VerdictFacts): Generator<Finding> {
  const waitedFor = (enforcers ?? []).filter(({ retiredAtMs }) => retiredAtMs === null);
  const silent = waitedFor.filter(({ isSilent }) => isSilent);
  const stale = waitedFor.filter(({ isSilent, state }) => !isSilent && state === 'hard_stale');
  const catching = waitedFor.filter(({ isSilent, state }) => !isSilent && state !== 'hard_stale' && state !== 'live');
  const of = (some: readonly EnforcerStatus[]) => `${some.length} of ${count(waitedFor.length, 'enforcer')}`;
  if (stale.length > 0)
    yield wrong(`${of(stale)} ${stale.length === 1 ? 'decides' : 'decide'} by a stale table: ${names(stale)}.`);
  if (silent.length > 0) {
    const lastMs = Math.max(...silent.map(({ lastSeenAtMs }) => lastSeenAtMs));
    const seen = silent.length === 1 ? `, last seen ${durationText(nowMs - lastMs)} ago` : '';
    yield attention(`${of(silent)} ${silent.length === 1 ? 'has' : 'have'} fallen silent: ${names(silent)}${seen}.`);
  }
  if (catching.length > 0)
    yield attention(`${of(catching)} ${catching.length === 1 ? 'is' : 'are'} catching up: ${names(catching)}.`);
  if (enforcers !== null && waitedFor.length === 0) {
    yield attention('No enforcer has reported yet: opt-outs are recorded, and nobody is known to decide by them.');
  }
}

function goodNews({ ledger, enforcers, process }: VerdictFacts): string {
  if (ledger === 'none' || enforcers === null) {
    return `It works: this process follows a set that is kept elsewhere, and its table is ${ageText(process.table?.freshnessMs ?? null)}.`;
  }
  const waitedFor = enforcers.filter(({ retiredAtMs }) => retiredAtMs === null);
  if (waitedFor.length === 1) return 'It works: the one enforcer there is decides by every opt-out.';
  return `It works: all ${waitedFor.length} enforcers decide by every opt-out.`;
}

/** Names shown before "and n more". */
const NAMES_SHOWN = 3;

function names(enforcers: readonly EnforcerStatus[]): string {
  const shown = enforcers.slice(0, NAMES_SHOWN).map(({ name }) => name);
  const rest = enforcers.length - shown.length;
  return rest === 0 ? shown.join(', ') : `${shown.join(', ')} and ${rest} more`;
}

function ageText(ms: number | null): string {
  return ms === null ? 'of unknown age' : `${durationText(ms)} old`;
}

/** In the largest unit that fits, whole. */
export function durationText(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  for (const [name, unitMs] of units) if (ms >= unitMs) return count(Math.floor(ms / unitMs), name);
  return 'less than a second';
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function wrong(sentence: string): Finding {
  return { state: 'wrong', sentence };
}

function attention(sentence: string): Finding {
  return { state: 'attention', sentence };
}
