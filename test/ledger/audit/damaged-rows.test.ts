/**
 * Rows that somebody has put into the table of the audit trail by SQL: refused where the database can tell, else entries that
 * say so. Whatever they are, the trail goes on and stays valid.
 * @module
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { headerLine, TrailVerifier } from '../../../src/ledger/audit/verify-trail.js';
import type { Database } from '../../../src/ledger/database.js';
import { type Ledger, openLedger } from '../../../src/ledger/index.js';
import { firstBadEntry } from '../../reference/audit-trail.js';
import { BACKENDS, type TestPlace } from '../backends.js';
import { until } from '../until.js';

describe.each(BACKENDS)('rows from elsewhere on $name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  let database: Database;
  beforeEach(async () => {
    place = await make();
    ledger = await openLedger(place.location, { sequence: false });
    ({ database } = ledger.audit.context);
  });
  afterEach(async () => {
    await ledger?.close();
    await place?.remove();
  });

  const SOUND = {
    at: '2026-11-26T10:00:00Z',
    kind: 'a.b',
    role: 'system',
    name: null,
    via: 'cli',
    subject: null,
    body: '{}',
  };
  const insert = (row: Partial<Record<keyof typeof SOUND, string>>) => {
    const { at, kind, role, name, via, subject, body } = { ...SOUND, ...row };
    return database.query(
      `insert into optgate.audit_entry (at, kind, actor_role, actor_name, actor_via, subject, body)
       values ($1::text::timestamptz, $2, $3, $4, $5, $6, $7)`,
      [at, kind, role, name, via, subject, body],
    );
  };

  const IMPOSSIBLE: readonly (readonly [string, Partial<Record<keyof typeof SOUND, string>>])[] = [
    ['at', { at: 'infinity' }],
    ['at', { at: '-infinity' }],
    ['at', { at: '10000-01-01T00:00:00Z' }],
    ['at', { at: '1969-12-31T23:59:59Z' }],
    ['kind', { kind: 'a","n":7,"x":"' }],
    ['kind', { kind: '' }],
    ['actor', { role: 'root' }],
    ['actor', { via: 'telepathy' }],
    ['subject', { subject: 'x'.repeat(201) }],
    ['body', { body: '[]' }],
    ['body', { body: 'x' }],
    ['body', { kind: 'checkpoint', body: '{"n":1}' }],
  ];

  test('the database refuses what cannot be', async () => {
    await insert({});
    for (const [field, row] of IMPOSSIBLE) {
      await expect(insert(row), `${field}: ${JSON.stringify(row)}`).rejects.toMatchObject({ sqlState: '23514' });
    }
  });

  test('the database refuses a head that cannot be', async () => {
    await ledger.audit.chain();
    for (const change of ['hash = null', 'checkpoint_n = n + 1', 'checkpoint_n = -1']) {
      const changed = database.query(`update optgate.audit_head set ${change}`);
      await expect(changed, change).rejects.toMatchObject({ sqlState: '23514' });
    }
  });

  test('what is there all the same is chained as damaged, and what comes after it as ever', async () => {
    const constraints = await database.query<{ name: string }>(
      `select conname as name from pg_constraint where conrelid = 'optgate.audit_entry'::regclass and not convalidated`,
    );
    for (const { name } of constraints) await database.query(`alter table optgate.audit_entry drop constraint ${name}`);
    const bodies = ['{ }', '{"b":1,"a":2}', '{"a":1e0}', '{"a":"\\u0041"}', '{', '{}}'];
    const rows = [...IMPOSSIBLE, ...bodies.map((body) => ['body', { body }] as const)];
    for (const [, row] of rows) await insert(row);
    await insert({ kind: 'after.all' });
    await ledger.audit.chain();
    const entries = await ledger.audit.entries({ limit: 1000 });
    const damaged = entries.filter(({ kind }) => kind === 'trail.damaged');
    expect(damaged.map(({ body }) => (body as { field: string }).field)).toEqual(rows.map(([field]) => field));
    expect(entries.at(-1)?.kind).toBe('after.all');
    await expectValid();
  });

  test('nobody writes that kind, and the process that chains tells of such a row', async () => {
    const own = ledger.audit.append({ kind: 'trail.damaged', subject: null, body: {} });
    await expect(own).rejects.toThrow(TypeError);
    await insert({ body: '{ }' });
    if (!place.location.startsWith('postgres')) return; // one process at a time
    const leader = await openLedger(place.location);
    const failures: unknown[] = [];
    leader.on('failure', (error) => failures.push(error));
    await until('a failure', async () => failures[0] ?? null);
    expect(failures).toMatchObject([{ code: 'ledger.damaged' }]);
    await leader.close();
  });

  async function expectValid(): Promise<void> {
    const { n, hash, ledgerId } = await ledger.audit.head();
    const lines = [headerLine({ entries: n, head: hash, ledger: ledgerId })];
    for await (const some of ledger.audit.lines(n)) lines.push(...some);
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const trail = new TrailVerifier();
    trail.write(bytes);
    expect(trail.end().fault).toBe(null);
    expect(firstBadEntry(bytes)).toBe(null);
  }
});
