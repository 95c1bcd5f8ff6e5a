/**
 * What an audit asks a ledger for: deadlines, the record of requests, metrics.
 *
 * Only puts together what stands in the other files of this folder.
 * @module
 */
import type { LedgerContext } from '../context.js';
import { type DeadlineList, type DeadlineOptions, dueRequests } from './deadline-list.js';

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
}
