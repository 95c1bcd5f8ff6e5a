/**
 * A ledger's feed in which every call comes to an end: in time, or when the signal is given, whatever the database does.
 * @module
 */
import type { Frame } from '../core/suppression/index.js';
import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import type { EnforcerReport, LedgerFeed, LoadedTable, Reporter } from './source.js';

/** Longer than the deadlines of the ledger itself, which say more of what went wrong. */
const READ_DEADLINE_MS = 40_000;
const BUILD_DEADLINE_MS = 1_800_000;
const REPORT_DEADLINE_MS = 10_000;
/** How much longer than asked a wait may take. */
const WAIT_GRACE_MS = 1000;

export class GuardedFeed implements LedgerFeed {
  constructor(
    private readonly feed: LedgerFeed,
    private readonly clock: Clock,
    /** Ends every call with a GateError `sync.closed`. */
    private readonly signal: AbortSignal,
  ) {}

  get name(): LedgerFeed['name'] {
    return this.feed.name;
  }

  entriesAfter(seq: number, limit: number): Promise<Frame> {
    return this.guard(READ_DEADLINE_MS, () => this.feed.entriesAfter(seq, limit));
  }

  wait(waitMs: number): Promise<void> {
    return this.guard(waitMs + WAIT_GRACE_MS, (signal) => this.feed.wait(waitMs, signal)).catch(() => {});
  }

  buildTable(): Promise<LoadedTable> {
    return this.guard(BUILD_DEADLINE_MS, (signal) => this.feed.buildTable(signal));
  }

  report(report: EnforcerReport, reporter?: Reporter): Promise<void> {
    return this.guard(REPORT_DEADLINE_MS, () => this.feed.report(report, reporter));
  }

  close(): Promise<void> {
    return this.feed.close();
  }

  private guard<T>(deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline({ clock: this.clock, deadlineMs, signal: this.signal }, work);
  }
}
