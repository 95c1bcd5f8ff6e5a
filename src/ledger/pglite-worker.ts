/**
 * The thread of a PGlite database: runs what it is told, one order after the other.
 *
 * It is on a thread of its own because every statement blocks its thread until it is done. Orders come in turn already
 * (pglite.ts), so a transaction is just the orders between BEGIN and COMMIT.
 * @module
 */
import { access, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite } from '@electric-sql/pglite';
import { buildTable } from './build-table.js';
import { asLedgerError, driverError, type Session } from './database.js';
import { durableOptions, moveIntoPlace } from './pglite-files.js';
import { postedError } from './posted-error.js';
import type { PgliteAnswer, PgliteOrder, PgliteWorkerData } from './worker-messages.js';

const PACKAGE = '@electric-sql/pglite';
/** The database within the folder; its making has another name until it is done. */
const DATABASE_FOLDER = 'pgdata';
const UNFINISHED_START = 'pgdata.new.';

/** Run without looking for parameters: an aborted transaction would not even let them be described. */
const TRANSACTION_STATEMENT = /^(?:begin|commit|rollback)\b/;

const TYPE_BYTEA = 17;
const TYPE_INT8 = 20;
const TYPE_TEXT = 25;
const TYPE_VARCHAR = 1043;
const TYPE_DATE = 1082;
const asIs = (value: unknown) => value as string;
const VALUES = {
  parsers: {
    [TYPE_BYTEA]: (text: string) => Buffer.from(text.slice(2), 'hex'),
    [TYPE_INT8]: (text: string) => text,
    [TYPE_DATE]: (text: string) => text,
  },
  // bytes go over as bytes; and what `pg` would turn into text is turned into text
  serializers: { [TYPE_BYTEA]: asIs, [TYPE_TEXT]: String, [TYPE_VARCHAR]: String },
};

async function serve(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('expected to run as a worker');
  const send = (answer: PgliteAnswer) => port.postMessage(answer);
  let database: PGlite;
  try {
    database = await openIn((workerData as PgliteWorkerData).folder);
  } catch (error) {
    send({ kind: 'error', id: 0, error: postedError(asLedgerError(error)) });
    return;
  }
  port.on('message', (order: PgliteOrder) => {
    void obey(database, order, send)
      .catch((error: unknown) => send({ kind: 'error', id: order.id, error: postedError(asLedgerError(error)) }))
      .finally(() => {
        if (order.kind === 'close') port.close();
      });
  });
  send({ kind: 'ready' });
}

async function obey(database: PGlite, order: PgliteOrder, send: (answer: PgliteAnswer) => void): Promise<void> {
  const { id } = order;
  switch (order.kind) {
    case 'query':
      send({ kind: 'rows', id, ...(await run(database, order.sql, order.parameters)) });
      return;
    case 'listen': {
      const { channel } = order;
      await database.listen(channel, (payload) => send({ kind: 'notify', channel, payload }));
      send({ kind: 'rows', id, rows: [] });
      return;
    }
    case 'build': {
      const session: Session = {
        query: async <T>(sql: string, parameters: readonly unknown[] = []) =>
          (await run(database, sql, parameters)).rows as readonly T[],
      };
      send({ kind: 'table', id, table: await buildTable(session, { stop: order.stop }) });
      return;
    }
    case 'close':
      await database.close();
      send({ kind: 'rows', id, rows: [] });
      return;
    default:
      order satisfies never;
  }
}

async function run(
  database: PGlite,
  sql: string,
  parameters: readonly unknown[],
): Promise<{ readonly rows: readonly unknown[]; readonly isRolledBack: boolean }> {
  if (parameters.length === 0 && TRANSACTION_STATEMENT.test(sql)) {
    const [result] = await database.exec(sql);
    const { command } = result as unknown as { command?: string };
    return { rows: [], isRolledBack: sql === 'commit' && command === 'ROLLBACK' };
  }
  const { rows } = await database.query(sql, [...parameters], { parsers: VALUES.parsers });
  return { rows, isRolledBack: false };
}

async function openIn(folder: string): Promise<PGlite> {
  const driver = await import('@electric-sql/pglite').catch((error: unknown) => {
    throw driverError(PACKAGE, error);
  });
  const path = join(folder, DATABASE_FOLDER);
  const open = async (at: string) =>
    driver.PGlite.create({ ...(await durableOptions(at, driver.PGlite)), serializers: VALUES.serializers });
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    for (const name of await readdir(folder)) {
      if (name.startsWith(UNFINISHED_START)) await rm(join(folder, name), { recursive: true, force: true });
    }
    const unfinished = join(folder, `${UNFINISHED_START}${process.pid}`);
    await mkdir(unfinished);
    const made = await open(unfinished);
    await made.close();
    await moveIntoPlace(unfinished, path, folder);
  }
  return open(path);
}

await serve();
