/**
 * A database of a bench's own in the PostgreSQL that is there.
 * @module
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

const SERVER = process.env.OPTGATE_TEST_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/postgres';

async function execute(sql) {
  const client = new pg.Client({ connectionString: SERVER });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export async function createDatabase() {
  const name = `optgate_bench_${randomBytes(6).toString('hex')}`;
  await execute(`create database ${name}`);
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(`drop database if exists ${name} with (force)`) };
}
