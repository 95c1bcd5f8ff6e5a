/**
 * What people who watch over a ledger ask of it: lists and sums. Reads only.
 * @module
 */
import type { Database } from '../database.js';
import { type EffectInterval, effectTimes } from './effect-times.js';
import { type ExportFilter, type ExportPage, listExports } from './export-list.js';
import { type OptOutCount, optOutCounts } from './opt-out-counts.js';
import { listRequests, type RequestFilter, type RequestPage } from './request-list.js';

export class Oversight {
  constructor(private readonly database: Database) {}

  /** Requests, the latest first. @throws {InputError} for a page that cannot be. */
  requests(filter: RequestFilter): Promise<RequestPage> {
    return listRequests(this.database, filter);
  }

  /** Recorded exports, the latest first. @throws {InputError} for a page that cannot be. */
  exports(filter: ExportFilter): Promise<ExportPage> {
    return listExports(this.database, filter);
  }

  /** Opt-outs received from `sinceMs` to before `untilMs`, by day and channel; days without any are not there. */
  optOutCounts(sinceMs: number, untilMs: number): Promise<readonly OptOutCount[]> {
    return optOutCounts(this.database, sinceMs, untilMs);
  }

  /** Time until requests were in force, by interval; intervals without any are not there. */
  effectTimes(sinceMs: number, untilMs: number, everyMs: number): Promise<readonly EffectInterval[]> {
    return effectTimes(this.database, sinceMs, untilMs, everyMs);
  }
}
