/**
 * The state that the first page shows and the stream sends: verdict, enforcers, this process, the last decisions.
 * @module
 */
import type { EnforcerStatus, Ledger } from '../../ledger/index.js';
import type { FollowerStatus } from '../../sync/index.js';
import { enforcersAnswer, timeOf } from '../control-plane/index.js';
import type { DecisionInterval } from './decision-history.js';
import { type VerdictFacts, verdictOf } from './verdict.js';

/** What this process knows of itself without asking anybody. */
export interface ConsoleProcess {
  readonly version: string;
  readonly startedAtMs: number;
  /** `ready`, or why it is not. */
  readonly readiness: string;
  readonly table: Pick<FollowerStatus, 'state' | 'freshnessMs' | 'seqLag' | 'entryCount' | 'headSeq'> | null;
  readonly canary: { readonly ageMs: number | null; readonly notInForceCount: number } | null;
  readonly isShedding: boolean;
  /** Distinct destinations in traffic that the policy does not list. */
  readonly unknownDestinationCount: number;
  readonly policyVersion: string;
  readonly workers: number;
}

export interface StateSources {
  readonly ledger: Ledger | null;
  /** The configuration names one. */
  readonly hasLedger: boolean;
  readonly process: ConsoleProcess;
  readonly latest: DecisionInterval | null;
  readonly nowMs: number;
}

/** Enforcers that are sent to a page; those that left come last, and may be cut off. */
const ENFORCERS_SHOWN_MAX = 500;

/** A ledger that does not answer is said to be unavailable; never throws for that. */
export async function stateAnswer({ ledger, hasLedger, process, latest, nowMs }: StateSources): Promise<object> {
  const asked = ledger === null ? null : await ask(ledger);
  const facts: VerdictFacts = {
    ledger: !hasLedger ? 'none' : asked === null ? 'unavailable' : 'open',
    enforcers: asked?.enforcers ?? null,
    process,
    alarm: asked?.alarm ?? null,
    nowMs,
  };
  const { startedAtMs, canary, table, ...same } = process;
  const shownTable =
    table === null ? null : { state: table.state, freshnessMs: table.freshnessMs, entryCount: table.entryCount };
  return {
    at: timeOf(nowMs),
    verdict: verdictOf(facts),
    ledger: facts.ledger,
    headSeq: asked?.headSeq ?? process.table?.headSeq ?? null,
    enforcers:
      facts.enforcers === null ? null : enforcersAnswer(facts.enforcers.slice(0, ENFORCERS_SHOWN_MAX)).enforcers,
    process: { ...same, table: shownTable, startedAt: timeOf(startedAtMs), canaryAgeMs: canary?.ageMs ?? null },
    latest,
  };
}

interface Asked {
  readonly enforcers: readonly EnforcerStatus[];
  readonly headSeq: number;
  readonly alarm: string | null;
}

async function ask(ledger: Ledger): Promise<Asked | null> {
  try {
    const [enforcers, { head, alarm }] = await Promise.all([ledger.enforcers(), ledger.status()]);
    return { enforcers, headSeq: head.seq, alarm: alarm?.cause ?? null };
  } catch {
    return null;
  }
}
