/**
 * The ledger: the system of record of opt-outs, and where every change to the suppression set comes from.
 *
 * Only puts together what stands in the other files of this folder.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { type Destination, GateError } from '../core/index.js';
import type { Frame, Head } from '../core/suppression/index.js';
import type { Identifier } from '../core/vocabulary.js';
import type { EnforcerReport, LedgerFeed } from '../sync/source.js';
import { type Actor, readActor } from './audit/actor.js';
import { AuditTrail } from './audit/trail.js';
import { readClearValues } from './clear-read.js';
import type { ClearIdentifier } from './clear-values.js';
import type { LedgerContext } from './context.js';
import { type CurrentDigest, type CurrentSet, eachCurrentDigest } from './current-digests.js';
import { openDatabase } from './database.js';
import {
  changeDestination,
  type DestinationChange,
  type DestinationInput,
  getDestination,
  listDestinations,
  putDestination,
  removeDestination,
} from './destinations.js';
import { type EnforcerStatus, listEnforcers, retireEnforcer } from './enforcers.js';
import { rotateEpoch } from './epoch.js';
import { type Erasure, eraseRequest } from './erasure.js';
import { exportsOf } from './export-lineage.js';
import { type ExportIndex, type ExportRecord, type ExportRun, exportRun, recordExport } from './export-runs.js';
import { createFeed } from './feed.js';
import { type GapNotice, type GapOptions, gapNotices } from './gap-notices.js';
import type { HorizonAlarm } from './horizon.js';
import { importOptOuts } from './import.js';
import type { ImportOptions, ImportReceipt, ImportRow } from './import-input.js';
import type { RequestInput } from './input.js';
import { type LedgerOptions, readLedgerOptions } from './ledger-options.js';
import { type LedgerEvents, LedgerParts } from './ledger-parts.js';
import { CHANGES_PER_READ, CHANGES_PER_READ_MAX } from './limits.js';
import { checkMigrated, migrate, randomSeeds } from './migrations.js';
import { confirmOptIn, recordOptIn } from './opt-in.js';
import { recordOptOut } from './opt-out.js';
import { Oversight } from './oversight/oversight.js';
import { type Propagation, propagationOf } from './propagation.js';
import { LedgerRecords } from './records/records.js';
import type { OptInReceipt, PendingOptIn, Receipt, RequestRecord } from './request.js';
import { receiptOf, recordOf, requestById } from './requests.js';
import { type RetentionOptions, type RetentionReport, runRetention } from './retention.js';
import { type SnapshotOutOptions, type WrittenSnapshot, writeSnapshot } from './snapshot-out.js';
import { type IdentifierStatus, statusOf } from './status.js';
import { type Verification, verifyLedger } from './verify.js';
import { Webhooks } from './webhooks/webhooks.js';

export interface LedgerStatus {
  readonly backend: 'postgres' | 'pglite';
  /** This process gives entries their place in the log. */
  readonly isSequencer: boolean;
  readonly head: Head;
  /** Age of the oldest entry that is committed and has no place, as far as this process knows; `null`: it is not the sequencer. */
  readonly horizonLagMs: number | null;
  readonly alarm: HorizonAlarm | null;
  readonly lastError: Error | null;
}

/**
 * Opens a ledger: `postgres://…`, or a folder (a path, or `{ dataDir }`), which is made if it is not there.
 *
 * @throws {TypeError} or {RangeError} for options that make no sense; the message does not show a location.
 * @throws {GateError} `ledger.driver`, `ledger.locked`, `ledger.unavailable`, `ledger.not_migrated` (with `migrate: false`),
 * `ledger.newer`, `ledger.clear_key`.
 * @example
 * const ledger = await openLedger({ dataDir: './ledger' });
 * const { token } = await ledger.recordOptOut({ identifiers: [{ kind: 'maid', value }], channel: 'web_form' });
 */
export async function openLedger(
  location: string | { readonly dataDir: string },
  options: LedgerOptions = {},
): Promise<Ledger> {
  const settings = readLedgerOptions(options);
  const place = typeof location === 'string' ? location : location?.dataDir;
  if (typeof place !== 'string' || place === '') throw new TypeError('location: expected a URL, a path or { dataDir }');
  const database = await openDatabase(place);
  try {
    if (settings.migrate) await migrate(database, randomSeeds(), settings.actor);
    else await checkMigrated(database);
    const [meta] = await database.query('select seed from optgate.meta');
    if (meta === undefined) throw new GateError('ledger.not_migrated');
    const parts = new LedgerParts(database, BigInt.asUintN(64, BigInt(String(meta.seed))), settings);
    return new Ledger(parts, settings.actor);
  } catch (error) {
    await database.close();
    throw error;
  }
}

export class Ledger {
  /** `postgres` or `pglite`. */
  readonly backend: 'postgres' | 'pglite';
  /** Who is told over HTTP of what is recorded here, and how far each is. */
  readonly webhooks: Webhooks;
  /** Lists and sums. */
  readonly oversight: Oversight;
  /** Who did what, in order, as nobody can change it unseen. */
  readonly audit: AuditTrail;
  readonly #context: LedgerContext;
  readonly #parts: LedgerParts;

  /** @internal Made by {@link openLedger}. */
  constructor(parts: LedgerParts, actor: Actor) {
    this.backend = parts.context.database.name;
    this.oversight = new Oversight(parts.context.database);
    this.#parts = parts;
    this.#context = { ...parts.context, actor };
    this.webhooks = new Webhooks(this.#context);
    this.audit = new AuditTrail(this.#context);
  }

  /**
   * The same ledger, whose writes and look-ups are recorded under `actor`. It shares everything: closing one closes all.
   * @throws {TypeError} for an actor that cannot be one.
   * @example await ledger.actingAs({ role: 'operator', name: 'jane', via: 'http' }).removeDestination('acme');
   */
  actingAs(actor: Actor): Ledger {
    return new Ledger(this.#parts, readActor(actor));
  }

  /**
   * Records an opt-out. Resolves when it has its place in the change log, or without a token when the time for that is
   * over; in both cases it is recorded, and comes into force.
   *
   * The same request with the same idempotency key, sent again or at the same time, is one request with one receipt.
   * @throws {InputError} for input that cannot be used; nothing was written.
   * @throws {GateError} `ledger.idempotency_conflict` where the key was used for another request; `ledger.unavailable`:
   * send it again with the same idempotency key, for it may have been recorded.
   * @example
   * await ledger.recordOptOut({ identifiers: [{ kind: 'email', value: 'jane@example.com' }], channel: 'web_form' });
   */
  recordOptOut(request: RequestInput): Promise<Receipt> {
    return recordOptOut(this.#context, request);
  }

  /**
   * The first of the two steps of an opt-in: records that a person wants to. Nothing changes until the confirmation that
   * is given out here comes back to {@link confirmOptIn}, within 15 days.
   * @throws as {@link recordOptOut}.
   */
  recordOptIn(request: RequestInput): Promise<PendingOptIn> {
    return recordOptIn(this.#context, request);
  }

  /**
   * The second step: ends the rights that these identifiers, or digests of them, have opted out of, and nobody else's.
   * @throws {InputError} where the confirmation is wrong, used or too late.
   * @throws {GateError} `ledger.unknown_request`, `ledger.unavailable`.
   */
  confirmOptIn(requestId: string, confirmation: string): Promise<OptInReceipt> {
    return confirmOptIn(this.#context, requestId, confirmation);
  }

  /**
   * Records opt-outs in bulk as one request. Rows are streamed; memory does not grow with their number. A row that cannot
   * be used is told of and left out. If it breaks off, what is committed stays in force, and the same rows with the same
   * idempotency key go on where it stopped.
   * @throws {InputError} for options that cannot be used; the reason of `signal`; what `rows` throws.
   * @throws {GateError} `ledger.idempotency_conflict` where the key was used for other rows; `ledger.unavailable`.
   */
  importOptOuts(
    rows: AsyncIterable<ImportRow> | Iterable<ImportRow>,
    options: ImportOptions = {},
  ): Promise<ImportReceipt> {
    return importOptOuts(this.#context, rows, options);
  }

  /** The receipt of a request that was recorded before. @throws {GateError} `ledger.unknown_request`. */
  async receipt(requestId: string): Promise<Receipt> {
    const request = await requestById(this.#context.database, requestId);
    return receiptOf(this.#context, request, { isRepeat: true });
  }

  /** A request as it stands now; waits for nothing. @throws {GateError} `ledger.unknown_request`. */
  request(requestId: string): Promise<RequestRecord> {
    return recordOf(this.#context, requestId);
  }

  /** What is in force for an identifier, in any dialect, and the requests behind it. @throws {InputError}. */
  statusOf(identifier: Identifier): Promise<IdentifierStatus> {
    return statusOf(this.#context, identifier);
  }

  /**
   * The clear values of a request, if they were kept.
   * @throws {GateError} `ledger.clear_key` without the key they were sealed with; `ledger.damaged`.
   */
  clearValuesOf(requestId: string): AsyncGenerator<ClearIdentifier> {
    return readClearValues(this.#context, requestId);
  }

  /** Entries after a seq, oldest first, with the head as of the same moment. */
  changesAfter(seq: number, limit = CHANGES_PER_READ): Promise<Frame> {
    if (!Number.isSafeInteger(seq) || seq < 0) throw new RangeError(`seq: expected a whole number, got ${seq}`);
    if (!Number.isInteger(limit) || limit < 1 || limit > CHANGES_PER_READ_MAX) {
      throw new RangeError(`limit: expected 1 to ${CHANGES_PER_READ_MAX}, got ${limit}`);
    }
    return this.#parts.reader.entriesAfter(seq, limit);
  }

  /** Where the log ends. */
  async head(): Promise<Head> {
    return (await this.#parts.reader.entriesAfter(Number.MAX_SAFE_INTEGER, 1)).head;
  }

  /** Writes a snapshot of the set at the settled seq, to a file or a stream, which is ended. @throws {GateError}. */
  async snapshotTo(target: string | Writable, options: SnapshotOutOptions = {}): Promise<WrittenSnapshot> {
    const table = await this.#parts.reader.buildTable(options.signal ?? new AbortController().signal);
    return writeSnapshot(target, table, this.#context.now(), options);
  }

  /**
   * Calls `take` with all digests that are in force, some thousands at a time, each digest once; waits for what it returns.
   * One view of the ledger, at most 10 s between two calls.
   * @throws {GateError} `ledger.damaged` where a key in force has no digest, after all others were given; `table.memory`.
   */
  eachCurrentDigest(take: (digests: readonly CurrentDigest[]) => Promise<void>): Promise<CurrentSet> {
    return eachCurrentDigest(this.#context, take);
  }

  /** What enforcers follow; close it after use. It shares this ledger's connections. */
  feed(): LedgerFeed {
    return createFeed(this.#context.database);
  }

  /** Takes down what an enforcer says of itself. */
  ack(report: EnforcerReport): Promise<void> {
    return this.#parts.reader.report(report);
  }

  /** All enforcers, silent ones included. */
  enforcers(): Promise<readonly EnforcerStatus[]> {
    return listEnforcers(this.#context.database);
  }

  /** Takes an enforcer out of every count that is gone for good; false if there is none that is waited for. */
  retireEnforcer(id: string): Promise<boolean> {
    const { database } = this.#context;
    return database.transaction((session) => retireEnforcer(session, this.#context, id));
  }

  /** When a request was received, processed, in force on k of n enforcers, and everywhere. @throws {GateError}. */
  propagation(requestId: string): Promise<Propagation> {
    return propagationOf(this.#context, requestId);
  }

  /** Adds a destination to the data inventory, or replaces it. @throws {InputError}. */
  putDestination(destination: DestinationInput): Promise<Destination> {
    const { database } = this.#context;
    return database.transaction((session) => putDestination(session, this.#context, destination));
  }

  /**
   * Changes one destination according to what it is now, with nobody in between: `change` is given the one there is, or
   * `null`, and says what is to be there, or `null` for nothing. What it throws leaves everything as it was.
   * @throws {InputError}
   */
  changeDestination(
    id: string,
    change: (current: Destination | null) => DestinationInput | null,
  ): Promise<DestinationChange> {
    return changeDestination(this.#context, id, change);
  }

  getDestination(id: string): Promise<Destination | null> {
    return getDestination(this.#context.database, id);
  }

  destinations(): Promise<readonly Destination[]> {
    return listDestinations(this.#context.database);
  }

  /** False: there was none. */
  removeDestination(id: string): Promise<boolean> {
    const { database } = this.#context;
    return database.transaction((session) => removeDestination(session, this.#context, id));
  }

  /**
   * Records that a file was written for a destination, with the index of who is in it. The same run recorded again is one
   * run; one whose index broke off does not count, and goes on when it is recorded again.
   * @throws {InputError} for a record, {RangeError} for an index that cannot be used; what reading the index throws.
   * @throws {GateError} `ledger.idempotency_conflict` where the id was used for another run; `ledger.unavailable`.
   */
  recordExport(record: ExportRecord, index: ExportIndex): Promise<{ readonly isRepeat: boolean }> {
    return recordExport(this.#context, record, index);
  }

  /** A recorded run; `null`: there is none with this id. @throws {InputError}. */
  exportRun(runId: string): Promise<ExportRun | null> {
    return exportRun(this.#context.database, runId);
  }

  /**
   * Which exports hold a person, oldest first. A clear value is looked for in every dialect; a digest finds what was sent
   * as that digest, or as a clear value that is indexed under it. @throws {InputError}.
   */
  exportsOf(identifier: Identifier): Promise<readonly ExportRun[]> {
    return exportsOf(this.#context, identifier);
  }

  /**
   * For each destination the opt-outs it is to be told of: those received since, and in force, of people whose data it was
   * sent (11 CCR 7026(f)(2)). Reads in pages; opt-outs that come in meanwhile may be among them. @throws {InputError}.
   */
  gapNotices(options: GapOptions): AsyncGenerator<GapNotice> {
    return gapNotices(this.#context, options);
  }

  /**
   * Erases who a request was about, once it was answered. The opt-out stays in force, and the audit trail valid.
   * @throws {InputError}; {GateError} `ledger.unknown_request`.
   */
  erase(requestId: string): Promise<Erasure> {
    return eraseRequest(this.#context, requestId);
  }

  /** Erases who those requests were about that were answered longer ago than 24 months, or more. @throws {InputError}. */
  retention(options: RetentionOptions = {}): Promise<RetentionReport> {
    return runRetention(this.#context, options);
  }

  /** What an audit asks for: deadlines, the record of requests, metrics. */
  get records(): LedgerRecords {
    return new LedgerRecords(this.#context);
  }

  /** Checks the ledger against itself; reads all of it. */
  verify(): Promise<Verification> {
    return verifyLedger(this.#context.database);
  }

  /**
   * Begins a new epoch, so that every enforcer starts again from a snapshot: after the database was put back to an earlier
   * state in a way it cannot know of, such as the copy of a disk.
   */
  rotateEpoch(): Promise<string> {
    return rotateEpoch(this.#context.database, randomUUID, this.#context.actor);
  }

  async status(): Promise<LedgerStatus> {
    const head = await this.head();
    const state = this.#parts.sequencer?.state;
    const { isSequencer } = this.#parts;
    return {
      backend: this.backend,
      isSequencer,
      head,
      horizonLagMs: isSequencer ? (state?.horizonLagMs ?? null) : null,
      alarm: state?.alarm ?? null,
      lastError: state?.lastError ?? null,
    };
  }

  /** Calls `listener` with every event from now on; returns what ends that. */
  on<E extends keyof LedgerEvents>(event: E, listener: (event: LedgerEvents[E]) => void): () => void {
    return this.#parts.on(event, listener);
  }

  /** Lets go of everything. Calls in flight may fail with `ledger.unavailable`. Never throws. */
  close(): Promise<void> {
    return this.#parts.close();
  }
}
