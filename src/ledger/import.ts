/**
 * Importing opt-outs in bulk: one request, many transactions, bounded memory.
 *
 * Rows are read, checked and packed here while the database works on the batches before. Every batch is one entry of the
 * change log with at most 4,096 keys. An import that breaks off stays `in_progress`, and is taken up again under the same
 * idempotency key (import-parts.ts).
 * @module
 */
import { InputError } from '../core/errors.js';
import { parseKind } from '../core/identity/kind.js';
import { KIND_TAG } from '../core/vocabulary.js';
import { AUDIT_COLUMNS } from './audit/append.js';
import { importPartTold } from './audit/requests-told.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { keyTransaction, NEXT_ENTRY_ID, writeOptOutEntry } from './entry.js';
import { IdentifierReader } from './identity.js';
import { ImportBatch } from './import-batch.js';
import {
  type ImportFields,
  type ImportOptions,
  type ImportReceipt,
  type ImportRow,
  readImportOptions,
  rightsOfRow,
} from './import-input.js';
import { ImportParts, otherRows } from './import-parts.js';
import { finishImport, holdImport, type ImportHold, type StartedImport, startImport } from './import-request.js';
import { inputCodeOf } from './input.js';
import { IMPORT_BATCHES_IN_FLIGHT } from './limits.js';
import { byteaColumn, int4Column, textColumn, uuidColumn } from './packed-column.js';
import { type RequestRow, receiptOf, requestById } from './requests.js';

/** Imports opt-outs; see Ledger.importOptOuts. */
export async function importOptOuts(
  context: LedgerContext,
  rows: AsyncIterable<ImportRow> | Iterable<ImportRow>,
  options: ImportOptions = {},
): Promise<ImportReceipt> {
  const fields = readImportOptions(options, context.now());
  const started = await startImport(context, fields);
  const isRepeat = !started.isNew;
  if (isSameSource(started, fields)) return receipt(context, started.request, isRepeat, null);
  // without an idempotency key nobody else can know of it
  const hold = fields.idempotencyKey === null ? null : await holdImport(context, started.request, options.signal);
  try {
    const request = hold === null ? started.request : await requestById(context.database, started.request.requestId);
    const run = await ImportRun.begin(context, request, fields, options, hold);
    await run.read(rows);
    const finished = request.status === 'complied' ? request : await finishImport(context, request, run);
    return await receipt(context, finished, isRepeat, run.rowCount);
  } finally {
    await hold?.release();
  }
}

/** An import that has ended, of a source that is known to be the same. */
function isSameSource({ request, isNew }: StartedImport, { sourceDigest }: ImportFields): boolean {
  return !isNew && request.status === 'complied' && sourceDigest !== null;
}

async function receipt(
  context: LedgerContext,
  request: RequestRow,
  isRepeat: boolean,
  rowCount: number | null,
): Promise<ImportReceipt> {
  const { identifierCount, refusedCount } = request;
  return {
    ...(await receiptOf(context, request, { isRepeat })),
    rowCount: rowCount ?? identifierCount + refusedCount,
    refusedCount,
  };
}

/** One pass over the rows of an import. */
class ImportRun {
  rowCount = 0;
  refusedCount = 0;
  /** Identifiers read so far, and the ordinal of the next one. */
  identifierCount = 0;
  #committedCount = 0;
  #nextPart: number;
  #batch: ImportBatch;
  readonly #spare: ImportBatch[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #failure: unknown;
  readonly #reader: IdentifierReader;
  /** Of the row that was read last. */
  #rights = 0;
  #lastKind = '';
  #lastTag = 0;

  private constructor(
    private readonly context: LedgerContext,
    private readonly request: RequestRow,
    private readonly parts: ImportParts,
    private readonly batchRows: number,
    private readonly options: ImportOptions,
    private readonly hold: ImportHold | null,
  ) {
    this.#nextPart = parts.nextPart;
    this.#reader = new IdentifierReader({ defaultCountry: context.defaultCountry });
    const batches = Array.from(
      { length: context.database.name === 'postgres' ? IMPORT_BATCHES_IN_FLIGHT + 1 : 2 },
      () => new ImportBatch(context.seed, context.vault),
    );
    this.#batch = batches.pop() ?? new ImportBatch(context.seed, context.vault);
    this.#spare = batches;
  }

  static async begin(
    context: LedgerContext,
    request: RequestRow,
    { batchRows }: ImportFields,
    options: ImportOptions,
    hold: ImportHold | null,
  ): Promise<ImportRun> {
    const parts = await ImportParts.read(context.database, request.row);
    return new ImportRun(context, request, parts, batchRows, options, hold);
  }

  /** Reads all rows; resolves when everything is committed. */
  async read(rows: AsyncIterable<ImportRow> | Iterable<ImportRow>): Promise<void> {
    try {
      for await (const row of rows) {
        this.options.signal?.throwIfAborted();
        this.rowCount++;
        if (!this.#readRow(row)) continue;
        const ordinal = this.identifierCount++;
        if (this.parts.covers(ordinal)) {
          await this.parts.compare(ordinal, this.#reader.identity);
          this.#committedCount++;
          continue;
        }
        if (!this.#hasRoomFor(ordinal)) await this.#flush(); // and only then; a promise for each row takes its time
        this.#add(ordinal);
      }
      if (this.identifierCount < this.parts.endOrdinal) throw otherRows();
      await this.#flush();
    } finally {
      await Promise.allSettled(this.#inFlight);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Leaves what was read in the reader; false if the row is refused. */
  #readRow(row: ImportRow): boolean {
    const refusal = this.#reader.read(row?.kind, row?.value);
    const rights = refusal === null ? rightsOfRow(row.rights) : 0;
    if (refusal === null && typeof rights === 'number') {
      this.#rights = rights;
      return true;
    }
    this.refusedCount++;
    const line = row?.line ?? this.rowCount;
    if (refusal !== null) {
      const { field, message } = refusal;
      this.options.onRefused?.({ line, field, code: inputCodeOf(refusal), message });
    } else if (rights instanceof InputError) {
      this.options.onRefused?.({ line, field: 'rights', code: rights.code, message: rights.message });
    }
    return false;
  }

  /** Whether what was read can go into the batch: it follows what is in there, and there is room. */
  #hasRoomFor(ordinal: number): boolean {
    const batch = this.#batch;
    if (this.request.status === 'complied') throw otherRows();
    if (batch.identifierCount === 0) return true;
    const isNext = ordinal === batch.firstOrdinal + batch.identifierCount;
    return isNext && batch.hasRoomFor(this.#reader.keys.count, this.batchRows);
  }

  #add(ordinal: number): void {
    const batch = this.#batch;
    if (batch.identifierCount === 0) batch.reset(ordinal);
    batch.add(this.#reader, this.#tagOf(this.#reader.kind), this.#rights);
  }

  #tagOf(kind: string): number {
    if (kind === this.#lastKind) return this.#lastTag;
    const parsed = parseKind(kind);
    this.#lastKind = kind;
    this.#lastTag = typeof parsed === 'string' ? 0 : KIND_TAG[parsed.base];
    return this.#lastTag;
  }

  /** Sends the batch off, and waits until there is another one to fill. Throws what a batch before has failed with. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.identifierCount > 0) {
      this.hold?.check();
      const sent = this.#commit(batch, this.#nextPart++)
        .then(() => this.#committed(batch))
        .catch((error: unknown) => {
          this.#failure ??= error;
        })
        .finally(() => {
          this.#inFlight.delete(sent);
          batch.reset(0);
          this.#spare.push(batch);
        });
      this.#inFlight.add(sent);
      while (this.#spare.length === 0) await Promise.race(this.#inFlight);
      this.#batch = this.#spare.pop() ?? batch;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #committed(batch: ImportBatch): void {
    this.#committedCount += batch.identifierCount;
    this.context.wake();
    const { rowCount, refusedCount } = this;
    this.options.onProgress?.({ rowCount, identifierCount: this.#committedCount, refusedCount });
  }

  /** One transaction: the keys, the entry, and what is kept of the identifiers. */
  async #commit(batch: ImportBatch, part: number): Promise<void> {
    const { database } = this.context;
    const { row, requestId } = this.request;
    batch.keys.sort();
    const { identities, identifierCount: count } = batch;
    const told = importPartTold(this.context, requestId, { part, identities, count });
    await keyTransaction(database, async (session) => {
      // for so many keys the planner would rather read a table of 600,000 rows: 48 ms, and 5 ms by its index
      const [next] = await session.query(`select ${NEXT_ENTRY_ID} as id, set_config('enable_seqscan', 'off', true)`);
      await writeOptOutEntry(session, batch.keys, { entryId: String(next?.id), requestRow: row });
      await session.query(
        `with new as (
           insert into optgate.import_part (request_id, part, first_row, identities, digests, clear)
           values ($1::int8, $2, $3::float8::int8, $4, $5, $6)
         ), told as (
           insert into optgate.audit_entry (${AUDIT_COLUMNS}) values ($7, $8, $9, $10, $11, $12) returning id
         )
         insert into optgate.audit_salt (entry_id, request_id, salts) select told.id, $1::int8, $13::bytea from told`,
        [
          row,
          part,
          batch.firstOrdinal,
          batch.identities,
          batch.digests,
          batch.sealed({ requestId, table: 'part', index: part }),
          ...told.values,
          told.salts,
        ],
      );
      await insertSpelt(session, batch, row);
    });
  }
}

/** Rows for identifiers that are to be found again by their identity. */
async function insertSpelt(session: Session, { spelt }: ImportBatch, requestRow: string): Promise<void> {
  if (spelt.length === 0) return;
  await session.query(
    `insert into optgate.request_identifier (request_id, n, kind, identity, digests)
     select $1::int8, n, kind, identity, digests
     from unnest($2::int4[], $3::text[], $4::uuid[], $5::bytea[]) as new (n, kind, identity, digests)`,
    [
      requestRow,
      int4Column(spelt.map(({ ordinal }) => ordinal)).bytes,
      textColumn(spelt.map(({ kind }) => kind)).bytes,
      uuidColumn(Buffer.concat(spelt.map(({ identity }) => identity))).bytes,
      byteaColumn(spelt.map(({ digests }) => digests)).bytes,
    ],
  );
}
