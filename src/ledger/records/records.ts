/**
 * What an audit asks a ledger for: deadlines, the record of requests, metrics.
 *
 * Only puts together what stands in the other files of this folder.
 * @module
 */
import type { LedgerContext } from '../context.js';
import type { DestinationInput } from '../destinations.js';
import { type DeadlineList, type DeadlineOptions, dueRequests } from './deadline-list.js';
import { type Denial, type DenialInput, denyRequest } from './denial.js';
import {
  applyInventory,
  type InventoryChange,
  type InventoryOptions,
  type UnlistedDestination,
  unlistedDestinations,
} from './inventory.js';
import { type YearMetrics, yearMetrics } from './metrics.js';
import { type QuarterReport, quarterReport } from './quarter.js';
import { type AuditRecord, type RecordOptions, requestRecords } from './request-records.js';

export class LedgerRecords {
  readonly #context: LedgerContext;

  /** @internal See Ledger.records. */
  constructor(context: LedgerContext) {
    this.#context = context;
  }

  /** Requests whose deadline has passed or is near, and that are not in force everywhere. @throws {InputError}. */
  deadlines(options?: DeadlineOptions): Promise<DeadlineList> {
    return dueRequests(this.#context, options);
  }

  /**
   * The record of every request received in a period, oldest first, as 11 CCR 7101(b) asks for it and more. Reads in pages.
   * @throws {InputError}; {GateError} `ledger.clear_key` where clear values are asked for without their key.
   */
  requests(options: RecordOptions): AsyncGenerator<AuditRecord> {
    return requestRecords(this.#context, options);
  }

  /**
   * Denies an opt-out, or an opt-in that is not confirmed, on a documented basis (11 CCR 7026(e)). Ends the rights that this request
   * alone gave, and nobody else's; denied again it changes nothing.
   * @throws {InputError}; {GateError} `ledger.unknown_request`, `ledger.unavailable`.
   */
  deny(input: DenialInput): Promise<Denial> {
    return denyRequest(this.#context, input);
  }

  /** What is published each year: for each right received, complied with, denied, in how many days (11 CCR 7102(a)). */
  metrics(year: number): Promise<YearMetrics> {
    return yearMetrics(this.#context, year);
  }

  /** The report of a quarter, such as `2026Q4`. @throws {InputError}. */
  quarter(quarter: string): Promise<QuarterReport> {
    return quarterReport(this.#context, quarter);
  }

  /**
   * Puts destinations in force, all of them or none, and says what that changed.
   * @throws {InputError} with the index of one that cannot be used.
   */
  applyInventory(
    destinations: readonly DestinationInput[],
    options?: InventoryOptions,
  ): Promise<readonly InventoryChange[]> {
    return applyInventory(this.#context, destinations, options);
  }

  /** Destinations that were exported to and are not in the inventory, the ones seen last. */
  unlistedDestinations(): Promise<readonly UnlistedDestination[]> {
    return unlistedDestinations(this.#context.database);
  }
}
