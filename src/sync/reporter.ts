/**
 * Tells the ledger what this enforcer has applied, so that the ledger can say when an opt-out was in force everywhere.
 *
 * Regularly, and at once when there is news; news that comes faster is told together. One report is under way at a time,
 * and one that fails costs nothing but itself.
 * @module
 */
import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import type { EnforcerName } from './follower-options.js';
import type { EnforcerReport, Source } from './source.js';

export const REPORT_DEADLINE_MS = 5000;
/** The last report of a process that ends is not waited for longer than this. */
export const LEAVE_DEADLINE_MS = 2000;
/** Shortest time from one report to the next. */
export const REPORT_SPACING_MS = 100;
/** How many regular reports may be lost before the ledger should call the enforcer silent. */
const REPORTS_PER_LEASE = 10;

export interface ReporterOptions {
  readonly source: Source;
  readonly clock: Clock;
  readonly everyMs: number;
  readonly enforcer: Required<EnforcerName>;
  /** What there is to tell. */
  readonly current: () => Pick<EnforcerReport, 'position' | 'appliedAgeMs' | 'state'>;
}

export class Reporter {
  private failures = 0;
  private cancel: (() => void) | null = null;
  private dueAtMs = Number.POSITIVE_INFINITY;
  private sentAtMs = Number.NEGATIVE_INFINITY;
  private sending: Promise<void> | null = null;
  private isDirty = false;
  private readonly ending = new AbortController();

  constructor(private readonly options: ReporterOptions) {}

  /** Reports that did not arrive. */
  get failureCount(): number {
    return this.failures;
  }

  start(): void {
    this.schedule(0);
  }

  /** There is news. */
  nudge(): void {
    if (this.sending !== null) this.isDirty = true;
    else if (this.dueAtMs !== Number.POSITIVE_INFINITY) this.schedule(this.spacingMs());
  }

  /** The last report, that this enforcer leaves. Never throws. */
  async leave(): Promise<void> {
    this.cancel?.();
    this.dueAtMs = Number.POSITIVE_INFINITY;
    this.ending.abort();
    await this.sending;
    await this.send(true, LEAVE_DEADLINE_MS, new AbortController().signal);
  }

  private spacingMs(): number {
    return Math.max(0, this.sentAtMs + REPORT_SPACING_MS - this.options.clock.monotonicMs());
  }

  private schedule(delayMs: number): void {
    const { clock } = this.options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.ending.signal.aborted || this.options.source.report === undefined || atMs >= this.dueAtMs) return;
    this.cancel?.();
    this.dueAtMs = atMs;
    this.cancel = clock.after(delayMs, () => {
      this.dueAtMs = Number.POSITIVE_INFINITY;
      this.sending = this.send(false, REPORT_DEADLINE_MS, this.ending.signal).then(() => {
        this.sending = null;
        const isDirty = this.isDirty;
        this.isDirty = false;
        this.schedule(isDirty ? this.spacingMs() : this.options.everyMs);
      });
    });
  }

  private async send(isLeaving: boolean, deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { source, clock, everyMs, enforcer, current } = this.options;
    const leaseMs = Math.max(10_000, everyMs * REPORTS_PER_LEASE);
    const report: EnforcerReport = { ...enforcer, leaseMs, ...current(), isLeaving };
    this.sentAtMs = clock.monotonicMs();
    try {
      await withDeadline({ clock, deadlineMs, signal }, async () => source.report?.(report));
    } catch {
      if (!signal.aborted) this.failures++;
    }
  }
}
