/**
 * The real services tests run against: found by environment or on their usual local ports, else skipped with a reason.
 * With OPTGATE_REQUIRE_SERVICES=1 a missing service is a failure.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { describe } from 'vitest';

export const POSTGRES_URL = process.env.OPTGATE_TEST_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/postgres';
export const NATS_URL = process.env.OPTGATE_TEST_NATS ?? 'nats://127.0.0.1:4222';

async function reaches(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 2000 });
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false));
  });
}

const isRequired = process.env.OPTGATE_REQUIRE_SERVICES === '1';

/** `describe` where the service is there; else a skip whose title says why. */
export async function withService(
  name: 'PostgreSQL' | 'NATS',
  url: string,
): Promise<typeof describe | typeof describe.skip> {
  if (await reaches(url)) return describe;
  if (isRequired) throw new Error(`${name} is required (OPTGATE_REQUIRE_SERVICES=1) and does not answer`);
  process.stderr.write(
    `skipped: no ${name} at its usual port; set OPTGATE_TEST_${name === 'NATS' ? 'NATS' : 'POSTGRES'}\n`,
  );
  return describe.skip;
}

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A database of the test's own in the real PostgreSQL. */
export async function createDatabase(): Promise<TestDatabase> {
  const { default: pg } = await import('pg');
  const name = `optgate_test_${randomBytes(6).toString('hex')}`;
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: POSTGRES_URL });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await untilDone(() => run(`create database ${name}`));
  const url = new URL(POSTGRES_URL);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) };
}

const TRIES_MAX = 5;
const TRY_AGAIN_MS = 300;

/** Databases of tests that run at the same time are made from one template, which may be busy. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}
