/**
 * The database of a ledger, whichever it is: PostgreSQL 15 or later, or PGlite in a folder.
 *
 * Both speak the same SQL, give the same JavaScript values for it and the same errors. Values: int2, int4, oid and float8
 * are numbers, int8, numeric, xid8, uuid and date are strings, timestamptz is a Date, bytea a Uint8Array, json is parsed.
 * Every call over a network ends at a deadline. Errors: {@link GateError} `ledger.unavailable` where the database could
 * not be reached or broke off, {@link SqlError} where it refused a statement.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { LoadedTable } from '../sync/source.js';
import type { PackedColumn } from './packed-column.js';

/** Longest wait for a connection. */
export const CONNECT_MS_MAX = 5_000;
/** Longest a statement may take, unless told. */
export const STATEMENT_MS_MAX = 30_000;
/** How much longer than the server the client waits before it gives a connection up. */
export const STATEMENT_GRACE_MS = 2_000;
/** Longest a transaction may stand still between two statements: an open one holds the whole change log up. */
export const IDLE_TRANSACTION_MS_MAX = 10_000;
/** Connections of one PostgreSQL database at most, without dedicated ones. */
export const POOL_CONNECTIONS_MAX = 10;
/** How often a transaction is run again after a deadlock or a serialization failure. */
export const TRANSACTION_RETRIES_MAX = 10;
/** Longest pause before such a retry; each is random below its limit, which doubles from 2 ms. */
export const TRANSACTION_RETRY_MS_MAX = 100;

/** `postgres://…` or `postgresql://…`, or the path of a folder. */
export type LedgerLocation = string;

export interface Row {
  readonly [column: string]: unknown;
}

export interface Session {
  /**
   * Runs one statement. Throws a GateError `ledger.unavailable` or a {@link SqlError}.
   * @example await session.query<{ seq: string }>('select seq from optgate.head')
   */
  query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]>;
}

/** Something that can run a transaction: several statements that take effect together, or not at all. */
export interface Transactor extends Session {
  /**
   * Runs `work` between BEGIN and COMMIT on one connection; rolls back if it throws. After a deadlock or serialization
   * failure `work` is run again, at most {@link TRANSACTION_RETRIES_MAX} times, so it must do nothing else. If the
   * connection breaks at COMMIT nobody knows whether it took effect, and a `ledger.unavailable` is thrown.
   */
  transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export interface TransactionOptions {
  /** One view of the database for all statements, read-only. Default: each statement sees what is committed by then. */
  readonly isSnapshot?: boolean;
  /** How long a statement waits for a lock before it fails with SQLSTATE 55P03. Default: as long as it may take. PGlite: nobody else has any. */
  readonly lockMsMax?: number;
}

export interface Database extends Transactor {
  readonly name: 'postgres' | 'pglite';
  /**
   * Inserts rows in bulk, within a transaction's session: all columns have the same number of values.
   * @example await database.copyIn(session, 'optgate.suppression', ['key', 'tag'], [int8Column(keys), int2Column(tags)])
   */
  copyIn(
    session: Session,
    table: string,
    columns: readonly string[],
    rows: readonly PackedColumn[],
    options?: { readonly onConflict?: string },
  ): Promise<number>;
  /** A connection of one's own, for locks that last and for LISTEN. PGlite: a view on the one connection. */
  dedicated(): Promise<DedicatedSession>;
  /**
   * The table of the ledger at its settled seq, built and verified on another thread (build-table.ts). Throws a GateError
   * `ledger.damaged`, `table.memory`, `ledger.unavailable`; `sync.closed` if the signal says so.
   */
  buildTable(signal: AbortSignal): Promise<LoadedTable>;
  /** Lets go of every connection. Never throws. */
  close(): Promise<void>;
}

export interface DedicatedSession extends Transactor {
  listen(channel: string, onNotify: (payload: string) => void): Promise<void>;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly lost: Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly statementMsMax?: number;
  readonly connectionsMax?: number;
}

/**
 * Opens the database of a ledger; a folder is created if it is not there. Throws a GateError: `ledger.driver` if the
 * package for it is not installed, `ledger.locked` if another process has the folder, `ledger.unavailable`; a TypeError for
 * a URL that cannot be read.
 * @example const database = await openDatabase('postgres://ledger.internal/optgate')
 */
export async function openDatabase(location: LedgerLocation, options: DatabaseOptions = {}): Promise<Database> {
  if (isPostgresUrl(location)) {
    const { openPostgres } = await import('./postgres.js');
    return openPostgres(location, options);
  }
  const { openPglite } = await import('./pglite.js');
  return openPglite(location);
}

export function isPostgresUrl(location: LedgerLocation): boolean {
  return /^postgres(?:ql)?:\/\//i.test(location);
}

/**
 * The database refused a statement. The message holds no values: of what the database itself said only the SQLSTATE and
 * the name of a constraint are kept, and its text where that speaks of the statement, not of its data.
 */
export class SqlError extends Error {
  override readonly name = 'SqlError';

  constructor(
    /** Five characters, such as `23505` for a unique violation. */
    readonly sqlState: string,
    /** The constraint that was violated; `null`: none. */
    readonly constraint: string | null,
    /** What the database said, which may hold values: not for logs. */
    readonly text: string,
  ) {
    const isOfStatement = sqlState.startsWith('42') || sqlState.startsWith('25');
    const what = isOfStatement ? `: ${text}` : constraint === null ? '' : ` (${constraint})`;
    super(`the database refused a statement with SQLSTATE ${sqlState}${what}`);
  }
}

/** True for the two failures that mean: run the whole transaction again. */
export function isRetryable(error: unknown): boolean {
  return error instanceof SqlError && (error.sqlState === '40001' || error.sqlState === '40P01');
}

/** SQLSTATEs (or their first two characters) that say the database is not there for us, whatever the statement was. */
const UNAVAILABLE_STATES = ['08', '28', '3D', '53', '57', '58', 'XX'];
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** What a driver threw, as one of our own errors. */
export function asLedgerError(error: unknown): Error {
  if (error instanceof GateError || error instanceof SqlError) return error;
  const { code, constraint, message } = Object(error) as { code?: unknown; constraint?: unknown; message?: unknown };
  if (typeof code !== 'string' || !SQL_STATE.test(code)) return unavailable('no connection', error);
  const refusal = new SqlError(code, typeof constraint === 'string' ? constraint : null, String(message));
  const isUnavailable = UNAVAILABLE_STATES.some((start) => code.startsWith(start));
  return isUnavailable ? unavailable(`SQLSTATE ${code}`, refusal) : refusal;
}

export function unavailable(detail: string, cause?: unknown): GateError {
  return new GateError('ledger.unavailable', detail, cause === undefined ? {} : { cause });
}

/** A GateError `ledger.driver`, if the package could not be found; else `ledger.unavailable`. */
export function driverError(packageName: string, error: unknown): GateError {
  const code = (error as { code?: unknown }).code;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return unavailable(packageName, error);
  return new GateError('ledger.driver', `npm install ${packageName}`, { cause: error });
}

/** Runs a transaction again while that can help, with pauses that grow. */
export async function withRetries<T>(attempt: () => Promise<T>, random: () => number = Math.random): Promise<T> {
  for (let retry = 0; ; retry++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error) || retry === TRANSACTION_RETRIES_MAX) throw error;
      const pauseMs = random() * Math.min(TRANSACTION_RETRY_MS_MAX, 2 ** (retry + 1));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** The statement behind {@link Database.copyIn}, the same for both. */
export async function insertPacked(
  session: Session,
  table: string,
  columns: readonly string[],
  rows: readonly PackedColumn[],
  options: { readonly onConflict?: string } = {},
): Promise<number> {
  const names = columns.join(', ');
  const arrays = rows.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  const conflict = options.onConflict === undefined ? '' : ` on conflict ${options.onConflict}`;
  const inserted = await session.query<{ count: string }>(
    `with new as (insert into ${table} (${names}) select * from unnest(${arrays})${conflict} returning 1)
     select count(*) from new`,
    rows.map(({ bytes }) => bytes),
  );
  return Number(inserted[0]?.count ?? 0);
}
