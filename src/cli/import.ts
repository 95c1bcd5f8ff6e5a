/**
 * `optgate import`: records a list of opt-outs as one request, in many small transactions.
 *
 * A file is read twice: first for its digest, which makes the same file sent twice one request, and lets an import that
 * broke off go on where it was; then for its rows.
 * @module
 */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { GateError } from '../core/errors.js';
import { IdentifierRows } from '../exports/identifier-rows.js';
import { type ColumnMapping, parseMapping } from '../exports/mapping.js';
import { IdentifierReader } from '../ledger/identity.js';
import { type ImportOptions, readImportOptions } from '../ledger/import-input.js';
import type { ImportReceipt, Ledger } from '../ledger/index.js';
import { CHANNELS } from '../ledger/request.js';
import { type RowFormat, readUncheckedRows, type UncheckedRow } from '../rows/rows.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';
import { EXIT_INTERRUPTED, untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { formatOf } from './list-format.js';
import { sayIfUnsequenced } from './opt-out.js';
import { createProgress } from './progress.js';
import { momentMs } from './time.js';

export const importList: Command = {
  help: `Usage: optgate import LIST [options]

Records every row of LIST (.csv with a header, .ndjson; "-" with --format for standard input) as an opt-out, and prints
  {"requestId","token","rowCount","identifierCount","refusedCount","repeat"}
Rows are as for "optgate set build":
  kind,value,rights
  maid,6d92078a-8246-4ba4-ae5b-76104861e7dc,sale|share
  email,jane@example.com,
A row that cannot be used is reported with its line number on standard error; the others are recorded, and the exit code
is 1. Memory stays the same however long the list is. Rows come into force while the import goes on.

The same file sent twice is one request: the second time nothing is recorded, and "repeat" is true. A list that was
stopped half-way (Ctrl-C, a crash) goes on where it stopped when the same command is run again.

Options:
  --format csv|ndjson  format of LIST where its name does not tell
  --map K=C,K=C|C,…    a row is a person: which columns (or paths of JSON) hold which kind, as "optgate export" takes it;
                       other columns are not looked at, and "rowCount" counts identifiers
  --strict             record nothing if a row cannot be used (the file is read once more before)
  --channel NAME       how the requests came: ${CHANNELS.join(', ')}
                       (default: import)
  --received TIME      when they were received, such as 2026-11-20T10:00:00Z (default: now)
  --idempotency-key K  the same key again is the same request (default: made of the SHA-256 of the file; standard input
                       has none, so give one if it may be sent again)
  --operator NAME      who entered it, for the record
${LEDGER_HELP}

Examples:
  optgate import optouts.csv
  optgate import --ledger postgres://ledger.internal/optgate --operator crm optouts.ndjson
  optgate import --map 'email=Email,phone=Mobile|Phone' suppressed-contacts.csv
  zcat optouts.csv.gz | optgate import --format csv --idempotency-key crm-2026-11-24 -

Exit codes: 0 recorded, 1 recorded but for some rows, 2 wrong usage, 3 the list or the ledger failed, 130 stopped.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      format: { type: 'string' },
      map: { type: 'string' },
      strict: { type: 'boolean' },
      channel: { type: 'string' },
      received: { type: 'string' },
      'idempotency-key': { type: 'string' },
      operator: { type: 'string' },
    });
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) throw new UsageError('expected one LIST');
    const format = formatOf(path, values.format);
    const location = ledgerLocation(values.ledger, io);
    const { channel, operator, received } = values;
    const said = {
      ...(channel === undefined ? {} : { channel }),
      ...(operator === undefined ? {} : { operator }),
      ...(received === undefined ? {} : { receivedAtMs: momentMs('received', received) }),
      ...(values['idempotency-key'] === undefined ? {} : { idempotencyKey: values['idempotency-key'] }),
    };
    readImportOptions(said, io.now()); // what is wrong with them makes no ledger
    const layout = { format, mapping: values.map === undefined ? null : parseMapping(values.map) };
    const list = await readDigest(path);
    if (values.strict === true) await refuseFaults(list, layout, io);
    const options = { ...identityOf(list, values.map ?? null), ...said } as ImportOptions;
    return untilInterrupted(async (stopped) => {
      const faults = new FaultReport(io);
      const rows = await begun(rowsOf(list, layout, stopped, io, faults));
      return withLedger(location, io, { mayMake: true }, (ledger) =>
        run(ledger, { rows, faults, options, stopped, io }),
      );
    });
  },
};

/** What is imported. `digest` is that of a file that can be read again; `null` for standard input, pipes, devices. */
interface List {
  readonly path: string;
  readonly digest: Buffer | null;
}

async function readDigest(path: string): Promise<List> {
  if (path === '-' || !statSync(path).isFile()) return { path, digest: null };
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return { path, digest: hash.digest() };
}

/** The same file read by another mapping is another list. */
function identityOf({ digest }: List, map: string | null): Pick<ImportOptions, 'sourceDigest' | 'idempotencyKey'> {
  if (digest === null) return {};
  const own = map === null ? digest : createHash('sha256').update(digest).update(map).digest();
  return { sourceDigest: own, idempotencyKey: `sha256:${own.toString('hex')}` };
}

/** Reads the whole list as the import will. @throws {CommandError} where a row cannot be used. */
async function refuseFaults({ path, digest }: List, layout: Layout, io: Io): Promise<void> {
  if (digest === null) throw new UsageError('--strict reads LIST twice, so it needs a file');
  const reader = new IdentifierReader();
  const faults = new FaultReport(io);
  const progress = createProgress(io, 'rows checked');
  let rowCount = 0;
  const rows = readLayout(createReadStream(path), layout, faults);
  for await (const { line, kind, value } of rows) {
    progress.at(++rowCount);
    const refusal = reader.read(kind, value);
    if (refusal === null) continue;
    progress.clear();
    faults.refused({ line, ...refusal });
  }
  progress.end();
  if (faults.count === 0) return;
  throw new CommandError(`${faults.count} of ${rowCount} rows cannot be used; nothing was recorded (--strict)`);
}

/** How a list is laid out. `mapping` is `null`: its columns are kind, value and rights. */
interface Layout {
  readonly format: RowFormat;
  readonly mapping: ColumnMapping | null;
}

function readLayout(
  chunks: AsyncIterable<string | Uint8Array>,
  { format, mapping }: Layout,
  faults: FaultReport,
): AsyncGenerator<UncheckedRow> {
  const onFault = (line: number, field: string, message: string) => faults.found({ line, field, message });
  if (mapping === null) return readUncheckedRows(chunks, format, onFault);
  const rows = new IdentifierRows(chunks, format, mapping, onFault);
  faults.placeOf = () => rows.place;
  return rows.read();
}

interface Fault {
  readonly line: number;
  readonly field: string;
  readonly message: string;
}

/**
 * Writes faults to standard error, one a line. A row that is no row is refused twice, by the reader of the list, who knows
 * what is wrong, and then by the reader of identifiers, who is given nothing: the first is the one to be told.
 */
class FaultReport {
  count = 0;
  /** The column of what was read last, where columns are mapped. */
  placeOf: () => string | null = () => null;
  #found: Fault | null = null;

  constructor(private readonly io: Io) {}

  found(fault: Fault): void {
    this.#found = fault;
  }

  refused(fault: Fault): void {
    const known = this.#found?.line === fault.line ? this.#found : { ...fault, field: this.placeOf() ?? fault.field };
    const { line, field, message } = known;
    this.count++;
    this.io.stderr.write(`line ${line}: ${field}: ${message}\n`);
  }
}

interface ImportRun {
  readonly rows: AsyncIterable<UncheckedRow>;
  readonly faults: FaultReport;
  readonly options: ImportOptions;
  readonly stopped: AbortSignal;
  readonly io: Io;
}

async function run(ledger: Ledger, { rows, faults, options, stopped, io }: ImportRun): Promise<number> {
  const progress = createProgress(io, 'rows');
  let committedCount = 0;
  let receipt: ImportReceipt;
  try {
    receipt = await ledger.importOptOuts(rows, {
      ...options,
      signal: stopped,
      onProgress({ rowCount, identifierCount }) {
        committedCount = identifierCount;
        progress.at(rowCount);
      },
      onRefused(fault) {
        progress.clear();
        faults.refused(fault);
      },
    });
  } catch (error) {
    progress.clear();
    const canGoOn = (stopped.aborted || error instanceof GateError) && options.idempotencyKey !== undefined;
    const advice = canGoOn ? '; run the same command again to go on' : '';
    io.stderr.write(
      `optgate import: stopped; ${committedCount.toLocaleString('en-US')} identifiers are recorded${advice}\n`,
    );
    if (stopped.aborted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    progress.end();
  }
  const { requestId, token, rowCount, identifierCount, refusedCount, isRepeat } = receipt;
  io.stdout.write(
    `${JSON.stringify({ requestId, token, rowCount, identifierCount, refusedCount, repeat: isRepeat })}\n`,
  );
  if (isRepeat && committedCount === 0) {
    io.stderr.write('optgate import: imported before; to record it once more, give another --idempotency-key\n');
  }
  sayIfUnsequenced(token, io);
  return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
}

/**
 * The rows, the first of which has been read: a list that is refused whole, or has none, is found out before anything is
 * recorded. @throws {CommandError}
 */
async function begun(rows: AsyncGenerator<UncheckedRow>): Promise<AsyncIterable<UncheckedRow>> {
  const first = await rows.next();
  if (first.done === true) throw new CommandError('the list has no rows; nothing was recorded');
  let isFirst = true;
  const next = () => {
    if (!isFirst) return rows.next();
    isFirst = false;
    return Promise.resolve(first);
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => rows.return(undefined) }) };
}

/** The rows of a list; a signal ends the reading, also of a pipe in which nothing comes. */
async function* rowsOf(
  { path, digest }: List,
  layout: Layout,
  stopped: AbortSignal,
  io: Io,
  faults: FaultReport,
): AsyncGenerator<UncheckedRow> {
  const stream = path === '-' ? (io.stdin as Readable) : createReadStream(path);
  const stop = () => stream.destroy(new Error('stopped'));
  stopped.addEventListener('abort', stop);
  try {
    const chunks = digest === null ? stream : unchanged(stream, digest, path);
    yield* readLayout(chunks, layout, faults);
  } catch (error) {
    stopped.throwIfAborted();
    throw isSystemError(error) ? new CommandError(`${path}: ${error.message}`, { cause: error }) : error;
  } finally {
    stopped.removeEventListener('abort', stop);
  }
}

/** The chunks of a file. @throws {CommandError} at the end, where it is not the one that was digested. */
async function* unchanged(stream: Readable, digest: Buffer, path: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of stream) {
    hash.update(chunk as Uint8Array);
    yield chunk as Uint8Array;
  }
  if (!hash.digest().equals(digest)) throw new CommandError(`${path}: the file was changed while it was read`);
}
