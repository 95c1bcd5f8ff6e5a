/**
 * A ledger in PostgreSQL, over the driver `pg`.
 *
 * What must stay true: no call waits for ever. The server ends a statement at its limit; if the server says nothing the
 * client waits {@link STATEMENT_GRACE_MS} longer, then destroys the connection, which the pool replaces. Nothing that is
 * thrown holds the URL.
 * @module
 */
import type { Client, ClientConfig, CustomTypesConfig, Pool, QueryResult } from 'pg';
import type { LoadedTable } from '../sync/source.js';
import { buildOnThread } from './build.js';
import {
  asLedgerError,
  CONNECT_MS_MAX,
  type Database,
  type DatabaseOptions,
  type DedicatedSession,
  driverError,
  IDLE_TRANSACTION_MS_MAX,
  insertPacked,
  POOL_CONNECTIONS_MAX,
  type Row,
  type Session,
  SqlError,
  STATEMENT_GRACE_MS,
  STATEMENT_MS_MAX,
  type TransactionOptions,
  unavailable,
  withRetries,
} from './database.js';
import { GuardedSocket } from './guarded-socket.js';

/**
 * The server finds after about 11 s that a silent client is gone, and with it the locks it holds. No compiled plans: our
 * statements are short, and compiling the one that reads the log took 145 ms where running it takes 0.3.
 */
const SERVER_OPTIONS = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c jit=off';
/** Silence after which this side asks whether the server is there. */
const KEEPALIVE_MS = 5_000;
/** A connection nobody uses is closed after this. */
const IDLE_MS = 10_000;

type Driver = typeof import('pg');

/**
 * Opens a pool of connections; fails at once if the database cannot be reached. Throws a TypeError for a URL that cannot be
 * read, which no waiting mends.
 */
export async function openPostgres(url: string, options: DatabaseOptions = {}): Promise<Database> {
  const driver = await loadDriver();
  const database = new PostgresDatabase(driver, url, options);
  try {
    await database.query('select 1');
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

async function loadDriver(): Promise<Driver> {
  try {
    const { default: driver } = await import('pg');
    return driver as unknown as Driver;
  } catch (error) {
    throw driverError('pg', error);
  }
}

class PostgresDatabase implements Database {
  readonly name = 'postgres';
  private readonly pool: Pool;
  private readonly config: ClientConfig;
  private readonly statementMsMax: number;
  private readonly ownSessions = new Set<DedicatedSession>();
  private closing: Promise<void> | null = null;

  constructor(
    private readonly driver: Driver,
    private readonly url: string,
    { statementMsMax = STATEMENT_MS_MAX, connectionsMax = POOL_CONNECTIONS_MAX }: DatabaseOptions,
  ) {
    this.statementMsMax = statementMsMax;
    this.config = {
      connectionString: url,
      application_name: 'optgate',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      statement_timeout: statementMsMax,
      idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS_MAX,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_MS,
      options: SERVER_OPTIONS,
      types: sqlTypes(driver),
      stream: () => new GuardedSocket(),
    };
    checkUrl(driver, this.config);
    this.pool = new driver.Pool({ ...this.config, max: connectionsMax, idleTimeoutMillis: IDLE_MS });
    this.pool.on('error', () => {}); // an idle connection broke; the next caller gets another one
    this.pool.on('connect', (client) => {
      client.on('error', () => {}); // what breaks under a caller reaches the caller through its query
    });
  }

  async query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]> {
    return this.withClient((session) => session.query<T>(sql, parameters));
  }

  async transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return withRetries(() => this.withClient((session) => transactionOn(session, work, options)));
  }

  copyIn: Database['copyIn'] = insertPacked;

  async dedicated(): Promise<DedicatedSession> {
    if (this.closing !== null) throw unavailable('closed');
    const client = new this.driver.Client(this.config);
    const session = new OwnSession(client, this.statementMsMax);
    try {
      await client.connect();
    } catch (error) {
      await session.close();
      throw asLedgerError(error);
    }
    this.ownSessions.add(session);
    void session.lost.then(() => this.ownSessions.delete(session));
    return session;
  }

  buildTable(signal: AbortSignal): Promise<LoadedTable> {
    return buildOnThread(this.url, { statementMsMax: this.statementMsMax }, signal);
  }

  close(): Promise<void> {
    this.closing ??= Promise.allSettled([this.pool.end(), ...[...this.ownSessions].map((own) => own.close())]).then(
      () => {},
    );
    return this.closing;
  }

  private async withClient<T>(use: (session: PostgresSession) => Promise<T>): Promise<T> {
    if (this.closing !== null) throw unavailable('closed');
    const client = await this.pool.connect().catch((error: unknown) => {
      throw asLedgerError(error);
    });
    const session = new PostgresSession(client as unknown as Client, this.statementMsMax);
    try {
      return await use(session);
    } finally {
      client.release(session.isBroken);
    }
  }
}

/** One connection in one pair of hands. */
class PostgresSession implements Session {
  /** The connection is in no state to be used again. */
  isBroken = false;

  constructor(
    private readonly client: Client,
    private readonly statementMsMax: number,
  ) {}

  async query<T = Row>(sql: string, parameters: readonly unknown[] = []): Promise<readonly T[]> {
    const { rows } = await this.run(sql, parameters);
    return rows as readonly T[];
  }

  /** A transaction in which a statement failed is rolled back by COMMIT, which says so in its tag only. */
  async commit(): Promise<void> {
    const { command } = await this.run('commit', []);
    if (command !== 'COMMIT') throw new SqlError('25P02', null, 'the transaction had failed before COMMIT');
  }

  private async run(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    if (this.isBroken) throw unavailable('the connection is broken');
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.isBroken = true;
        destroy(this.client);
        reject(unavailable('no answer within the deadline'));
      }, this.statementMsMax + STATEMENT_GRACE_MS);
    });
    try {
      const answer = this.client.query(sql, parameters as unknown[]);
      answer.catch(() => {}); // may fail long after the deadline has
      return await Promise.race([answer, deadline]);
    } catch (error) {
      const ledgerError = asLedgerError(error);
      if (ledgerError.name === 'GateError') this.isBroken = true;
      throw ledgerError;
    } finally {
      clearTimeout(timer);
    }
  }

  /** After an error inside a transaction. A connection that cannot even do this is not used again. */
  async rollback(): Promise<void> {
    if (this.isBroken) return;
    await this.query('rollback').catch(() => {
      this.isBroken = true;
    });
  }
}

async function transactionOn<T>(
  session: PostgresSession,
  work: (session: Session) => Promise<T>,
  { isSnapshot = false, lockMsMax }: TransactionOptions = {},
): Promise<T> {
  const begin = isSnapshot ? 'begin isolation level repeatable read read only' : 'begin isolation level read committed';
  await session.query(lockMsMax === undefined ? begin : `${begin}; set local lock_timeout = ${Number(lockMsMax)}`);
  try {
    const result = await work(session);
    await session.commit();
    return result;
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

class OwnSession implements DedicatedSession {
  readonly lost: Promise<void>;
  private readonly session: PostgresSession;
  private hasEnded = false;

  constructor(
    private readonly client: Client,
    statementMsMax: number,
  ) {
    this.session = new PostgresSession(client, statementMsMax);
    this.lost = new Promise((resolve) => {
      const end = () => {
        this.hasEnded = true;
        resolve();
      };
      client.once('end', end);
      client.on('error', end);
    });
  }

  query<T = Row>(sql: string, parameters?: readonly unknown[]): Promise<readonly T[]> {
    return this.session.query<T>(sql, parameters);
  }

  transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return withRetries(() => transactionOn(this.session, work, options));
  }

  async listen(channel: string, onNotify: (payload: string) => void): Promise<void> {
    this.client.on('notification', (message) => {
      if (message.channel === channel) onNotify(message.payload ?? '');
    });
    await this.query(`listen ${this.client.escapeIdentifier(channel)}`);
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    const cut = setTimeout(() => destroy(this.client), STATEMENT_GRACE_MS);
    await this.client.end().catch(() => {});
    clearTimeout(cut);
    destroy(this.client);
  }
}

/** The driver reads the URL when it makes a client, and says what is wrong with it in words that quote it. */
function checkUrl(driver: Driver, config: ClientConfig): void {
  try {
    new driver.Client(config);
  } catch (error) {
    // a file that the URL names and that is not there is the system's failure, and may come yet
    if (!(error instanceof URIError || error instanceof TypeError)) return;
    throw new TypeError('expected a postgres URL whose parts are percent-encoded, a percent sign as %25');
  }
}

/** Ends a connection without asking the other side. */
function destroy(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

/** Dates as text, for they have no time zone; everything else as the driver has it. */
function sqlTypes(driver: Driver): CustomTypesConfig {
  const dateType = driver.types.builtins.DATE;
  return {
    getTypeParser: (type: number, format?: 'text' | 'binary') =>
      type === dateType ? (text: string) => text : driver.types.getTypeParser(type, format as 'text'),
  } as CustomTypesConfig;
}
