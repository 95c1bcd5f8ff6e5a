/**
 * DuckDB in this process: another reader and writer of Parquet, and a warehouse to join in.
 * @module
 */
import { DuckDBInstance } from '@duckdb/node-api';

/** A database in memory that runs statements; values come as JSON has them. */
export interface Duck {
  query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): void;
}

export async function openDuck(): Promise<Duck> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  return {
    query: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson(),
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
