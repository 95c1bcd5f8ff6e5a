/**
 * Writes down what the table and the ledger tell of themselves: changes of state, failures, what is not in force.
 * @module
 */
import type { Ledger } from '../ledger/index.js';
import type { LiveTable } from '../live-table.js';
import type { SidecarConfig } from './config-settings.js';
import { type EventLog, Setting } from './observe/index.js';

/** Failures in a row that are logged: 1, 2, 4, 8 … so that hours without a source are a page, not a disk. */
const isTold = (count: number) => Number.isInteger(Math.log2(Math.max(1, count)));

/** From now on; nothing ends it, as the table ends with the process. */
export function journalTable(live: LiveTable, log: EventLog): void {
  let isReady = false;
  live.on('state', ({ state, source, seqLag, freshnessMs, position }) => {
    const isStale = state === 'soft_stale' || state === 'hard_stale';
    const where = {
      state,
      source: new Setting(source),
      seq: position?.seq ?? null,
      seqLag,
      ageMs: rounded(freshnessMs),
    };
    log.event(isStale ? 'sync.stale' : 'sync.state', where);
    if (!isReady && state !== 'empty') log.event('sidecar.ready', where);
    isReady ||= state !== 'empty';
  });
  live.on('error', ({ error, code, consecutiveCount }) => {
    if (isTold(consecutiveCount)) log.failure('sync.failed', error, { code, consecutiveCount });
  });
  live.on('resync', ({ why, position, entryCount }) => {
    if (why !== 'empty') log.event('sync.resync', { why, seq: position.seq, entryCount });
  });
  live.on('canary', ({ seq, isInForce, latencyMs }) => {
    if (!isInForce) log.event('canary.not_in_force', { seq, durationMs: latencyMs });
  });
}

export function journalLedger(ledger: Ledger, log: EventLog): void {
  log.event('ledger.opened');
  ledger.on('alarm', (alarm) => {
    if (alarm !== null) log.event('ledger.horizon');
  });
}

/** Without tokens the control plane asks nobody on this machine who they are; where pages for people share its port, they are near. */
export function journalOpenControl(config: SidecarConfig, log: EventLog): void {
  log.event('control.open');
  if (config['publicPages.enabled'] && config['publicPages.listen'].length === 0) log.event('pages.on_open_control');
}

/** One line for failures of a kind as long as they follow each other. */
export class FailureJournal {
  readonly #counts = new Map<string, { code: string; count: number }>();

  constructor(private readonly log: EventLog) {}

  note(where: 'ledger' | 'relay', error: Error): void {
    const code = String((error as { readonly code?: unknown }).code ?? error.name);
    const known = this.#counts.get(where);
    const count = known?.code === code ? known.count + 1 : 1;
    this.#counts.set(where, { code, count });
    if (isTold(count)) this.log.failure(`${where}.failed`, error, { consecutiveCount: count });
  }
}

function rounded(ms: number | null): number | null {
  return ms === null || !Number.isFinite(ms) ? null : Math.round(ms);
}
