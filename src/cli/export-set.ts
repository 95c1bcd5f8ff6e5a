/**
 * The suppression set that an export goes by: a snapshot as it is, or a ledger that is followed while rows are read.
 * @module
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { GateError } from '../core/errors.js';
import type { Policy } from '../core/policy/policy.js';
import { TableHolder } from '../core/suppression/index.js';
import { tableOf } from '../exports/filter.js';
import { type ExportSet, setInUse } from '../exports/run.js';
import type { Ledger } from '../ledger/index.js';
import { LiveTable } from '../live-table.js';
import { createLedgerSource } from '../sync/index.js';
import { packageVersion } from '../version.js';
import { loadSet } from './gate-options.js';

/** Longest wait until the table has everything that the ledger has. */
export const CATCH_UP_MS_MAX = 60_000;
const CATCH_UP_LOOK_MS = 20;

export interface OpenedSet {
  readonly holder: TableHolder;
  readonly set: ExportSet;
  /** Lets go of it. Never throws. */
  close(): Promise<void>;
}

/** The set in a snapshot file; it never moves. @throws {CommandError} */
export async function openSnapshotSet(path: string): Promise<OpenedSet> {
  const holder = new TableHolder({ table: await loadSet(path) });
  const set = Object.assign(setInUse(holder), { catchUp: () => Promise.resolve(tableOf(holder).seq) });
  return { holder, set, close: () => Promise.resolve() };
}

/** The set of a ledger, which moves as the ledger does. @throws {GateError} where there is no table in time. */
export async function openLedgerSet(ledger: Ledger, policy: Policy): Promise<OpenedSet> {
  const live = new LiveTable({
    source: createLedgerSource(ledger.feed()),
    policy,
    enforcer: { role: 'export', version: packageVersion() },
  });
  try {
    await live.start();
  } catch (error) {
    await live.close();
    throw error;
  }
  const { holder } = live;
  const set = Object.assign(setInUse(holder), { catchUp: () => caughtUp(ledger, live) });
  return { holder, set, close: () => live.close() };
}

/**
 * Everything committed before the call: the head says how old what it counts is, by the ledger's clock, so a head that is no
 * older than the call has all of it.
 * @throws {GateError} `ledger.not_sequenced`: nobody gives out places in the log; `sync.deadline`.
 */
async function caughtUp(ledger: Ledger, live: LiveTable): Promise<number> {
  const startedMs = performance.now();
  const leftMs = () => startedMs + CATCH_UP_MS_MAX - performance.now();
  for (;;) {
    const askedMs = performance.now();
    const head = await ledger.head();
    if (askedMs - head.lagMs >= startedMs) {
      if (await live.reach(`${head.epoch}.${head.seq}`, leftMs())) return tableOf(live.holder).seq;
      throw new GateError('sync.deadline');
    }
    if (leftMs() <= 0) throw new GateError('ledger.not_sequenced');
    await pause(CATCH_UP_LOOK_MS);
  }
}
