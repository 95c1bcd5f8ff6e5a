/**
 * What an audit asks a ledger for: deadlines, the record of requests, metrics.
 *
 * Only puts together what stands in the other files of this folder.
 * @module
 */
import type { LedgerContext } from '../context.js';
import { type DeadlineList, type DeadlineOptions, dueRequests } from './deadline-list.js';
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
}
