/**
 * Opt-outs that share a transaction: what they leave and how they are answered is what the same ones leave, and are answered,
 * one after another; and each fails by its own fault only.
 * @module
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RIGHTS, type Right } from '../../src/core/vocabulary.js';
import { SYSTEM_ACTOR } from '../../src/ledger/audit/actor.js';
import { commitmentOf } from '../../src/ledger/audit/commitment.js';
import { type Database, openDatabase, type Row } from '../../src/ledger/database.js';
import { Ledger } from '../../src/ledger/index.js';
import type { RequestInput } from '../../src/ledger/input.js';
import { readLedgerOptions } from '../../src/ledger/ledger-options.js';
import { LedgerParts } from '../../src/ledger/ledger-parts.js';
import { OPT_OUT_GROUP_KEYS_MAX, OPT_OUT_GROUP_MAX, OPT_OUT_WAIT_MS_MAX } from '../../src/ledger/limits.js';
import { migrate, randomSeeds } from '../../src/ledger/migrations.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { until } from './until.js';

const SEEDS = randomSeeds();
const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const describe = await withService('PostgreSQL', POSTGRES_URL);

interface Stand {
  readonly place: TestDatabase;
  readonly database: Database;
  readonly ledger: Ledger;
  close(): Promise<void>;
}

/** With one connection groups run one after another, and the order of the log is that in which keys were locked. */
async function standOn(connectionsMax?: number): Promise<Stand> {
  const place = await createDatabase();
  const database = await openDatabase(place.url, connectionsMax === undefined ? {} : { connectionsMax });
  await migrate(database, SEEDS);
  const [meta] = await database.query('select seed from optgate.meta');
  const settings = readLedgerOptions({ now: () => NOW_MS, keepClear: { key: Buffer.alloc(32, 7) } });
  const parts = new LedgerParts(database, BigInt.asUintN(64, BigInt(String(meta?.seed))), settings);
  const ledger = new Ledger(parts, SYSTEM_ACTOR);
  const close = async () => {
    await ledger.close();
    await place.drop();
  };
  return { place, database, ledger, close };
}

/** With a consumer that is to be told. */
async function toldStand(connectionsMax?: number): Promise<Stand> {
  const stand = await standOn(connectionsMax);
  await stand.ledger.webhooks.put('crm', { url: 'https://crm.example/hook', events: ['opt_out.recorded'] });
  return stand;
}

type Answer = Readonly<Record<string, unknown>>;

/** Without what is new each time. */
const plainOf = ({ requestId, ...answer }: Answer) => answer;

/** For each answer the first one that speaks of the same request. */
const sharedBy = (answers: readonly Answer[]) =>
  answers.map(({ requestId }, at) =>
    requestId === undefined ? at : answers.findIndex((other) => other.requestId === requestId),
  );

/** What an opt-out was answered, without what is new each time. */
async function answerOf(ledger: Ledger, input: RequestInput): Promise<Answer> {
  try {
    const { requestId, token, ...others } = await ledger.recordOptOut(input);
    return { requestId, token: token !== null, ...others };
  } catch (error) {
    const { name, code, field } = error as { name: string; code?: string; field?: string };
    return { name, code, field };
  }
}

const hex = (value: unknown) => Buffer.from(value as Uint8Array).toString('hex');
const people = Array.from({ length: 5 }, (_, n) => `person.${n}@gmail.com`);
const identifier = fc.oneof(
  fc.constantFrom(...people).map((value) => ({ kind: 'email', value })),
  fc.constantFrom(...people).map((mail) => ({
    kind: 'email_sha256',
    value: createHash('sha256').update(mail.replace('.', '')).digest('hex'),
  })),
  fc.stringMatching(/^[0-9a-f]{32}$/).map((value) => ({ kind: 'maid', value })),
  fc.stringMatching(/^[0-9a-f]{8}$/).map((word) => ({ kind: 'email', value: `${word}@example.com` })),
);
const optOut = fc.record(
  {
    identifiers: fc.oneof(
      { weight: 9, arbitrary: fc.array(identifier, { minLength: 1, maxLength: 3 }) },
      { weight: 1, arbitrary: fc.constantFrom([], [{ kind: 'email', value: 'no address' }]) },
    ),
    rights: fc.subarray([...RIGHTS] as Right[], { minLength: 1 }),
    channel: fc.constantFrom('api', 'web_form', 'agent'),
    state: fc.constantFrom('CA', 'TX', 'nowhere'),
    idempotencyKey: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    operator: fc.constantFrom('jane', 'joe'),
  },
  { requiredKeys: ['identifiers', 'channel'] },
) as fc.Arbitrary<RequestInput>;

/** Everything that opt-outs leave, with rows named by their place in the log, and nothing that is new each time. */
async function leftIn(database: Database): Promise<object> {
  const rows = (sql: string) => database.query(sql);
  const entries = await rows('select * from optgate.change_log order by xid, id');
  const entryAt = new Map(entries.map(({ id }, at) => [String(id), at]));
  const requestAt = new Map(entries.map(({ request_id }, at) => [String(request_id), at]));
  const own = ({ id: _, request_id, ...row }: Row) => ({ ...row, request: requestAt.get(String(request_id)) });
  const byRequest = (a: Row, b: Row) => Number(a.request) - Number(b.request) || Number(a.n ?? 0) - Number(b.n ?? 0);
  const requests = await rows('select * from optgate.request');
  const publicAt = new Map(requests.map(({ public_id, id }) => [public_id, requestAt.get(String(id))]));
  const audit = await rows(`select * from optgate.audit_entry join optgate.audit_salt on entry_id = id`);
  const plain = (row: Row) =>
    JSON.parse(JSON.stringify(row, (_, value) => (value?.type === 'Buffer' ? hex(Buffer.from(value.data)) : value)));
  return plain({
    entries: entries.map(({ id: _, xid, at, ...entry }) => own({ ...entry, id: 0 })),
    requests: requests
      .map(({ id, public_id, recorded_at, responded_at, last_entry, ...row }) => ({
        ...own({ ...row, request_id: id }),
        entry: entryAt.get(String(last_entry)),
        isResponded: responded_at !== null,
      }))
      .sort(byRequest),
    identifiers: (await rows('select * from optgate.request_identifier'))
      .map(({ clear, ...row }) => ({ ...own(row), isSealed: clear !== null }))
      .sort(byRequest),
    keys: (await rows('select * from optgate.suppression order by key')).map(({ last_entry, ...row }) => ({
      ...own(row),
      entry: entryAt.get(String(last_entry)),
    })),
    holders: (await rows('select * from optgate.suppression_holder order by key, identity')).map(own),
    events: (await rows('select * from optgate.webhook_event'))
      .map(({ at, event_id, ...row }) => own(row))
      .sort(byRequest),
    told: audit
      .map(({ subject, request_id, body, salts, kind, actor_role, actor_name, actor_via }) => ({
        request: requestAt.get(String(request_id)),
        subject: publicAt.get(subject),
        body: String(body).replaceAll(/"commitment":"[0-9a-f]{64}"/g, ''),
        saltBytes: (salts as Uint8Array).length,
        actor: [kind, actor_role, actor_name, actor_via],
      }))
      .sort(byRequest),
  });
}

/** In the order in which they took effect: those that are recorded as in the log, then all others as they were given. */
async function inOrderOfLog({ database }: Stand, inputs: readonly RequestInput[], answers: readonly Answer[]) {
  const rows = await database.query(
    `select public_id from optgate.request join optgate.change_log as entry on entry.id = last_entry order by entry.xid, entry.id`,
  );
  const place = new Map(rows.map(({ public_id }, at) => [public_id, at]));
  const of = (at: number) => (answers[at]?.isRepeat === false ? (place.get(answers[at]?.requestId) ?? 0) : rows.length);
  return [...inputs.keys()].sort((a, b) => of(a) - of(b) || a - b);
}

describe('opt-outs at the same time on PostgreSQL', () => {
  let stand: Stand;
  beforeEach(async () => {
    stand = await toldStand();
  });
  afterEach(() => stand.close());

  const groups = () =>
    stand.database.query<{ count: number; keys: number }>(
      `select count(*)::int4 as count, sum(length(changes) / 20)::int4 as keys from optgate.change_log group by xid`,
    );
  const single = (n: number, more: Partial<RequestInput> = {}): RequestInput => ({
    identifiers: [{ kind: 'email', value: `one.${n}@example.com` }],
    channel: 'api',
    ...more,
  });
  const trigger = (name: string, when: string, timing: string, body: string) =>
    stand.database.query(
      `create function ${name}() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
       create ${timing} for each row when (${when}) execute function ${name}()`,
    );

  test('leave what the same ones leave one after another, and are answered the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(optOut, { minLength: 20, maxLength: 70 }), async (inputs) => {
        const [together, alone] = [await toldStand(1), await toldStand(1)];
        try {
          for (const { ledger } of [together, alone]) {
            for (const value of people) {
              await ledger.recordOptOut({ identifiers: [{ kind: 'email', value }], rights: ['sale'], channel: 'api' });
            }
          }
          const answers = await Promise.all(inputs.map((input) => answerOf(together.ledger, input)));
          const inEffect = await inOrderOfLog(together, inputs, answers);
          const repeated: Answer[] = [];
          for (const at of inEffect) repeated[at] = await answerOf(alone.ledger, inputs[at] as RequestInput);
          expect(answers.map(plainOf)).toEqual(repeated.map(plainOf));
          expect(sharedBy(answers)).toEqual(sharedBy(repeated));
          expect(await leftIn(together.database)).toEqual(await leftIn(alone.database));
        } finally {
          await together.close();
          await alone.close();
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  test('a commitment in the trail is that of the identifier of its own request', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => stand.ledger.recordOptOut(single(n))));
    const rows = await stand.database.query(
      `select body, salts, identity from optgate.audit_entry join optgate.audit_salt as salt on entry_id = id
       join optgate.request_identifier as one on one.request_id = salt.request_id`,
    );
    expect(rows).toHaveLength(40);
    for (const { body, salts, identity } of rows) {
      const bytes = Buffer.from(String(identity).replaceAll('-', ''), 'hex');
      const { commitment } = JSON.parse(String(body)).identifiers[0];
      expect(commitment).toBe(commitmentOf(salts as Uint8Array, bytes));
    }
  });

  test('a group has its limits: opt-outs, keys, and no key twice', async () => {
    await Promise.all(Array.from({ length: 3 * OPT_OUT_GROUP_MAX }, (_, n) => stand.ledger.recordOptOut(single(n))));
    const sizes = (await groups()).map(({ count }) => count);
    expect(Math.max(...sizes)).toBe(OPT_OUT_GROUP_MAX);
    const wide = (n: number): RequestInput => ({
      identifiers: Array.from({ length: 64 }, (_, one) => ({ kind: 'email', value: `x${n}.${one}@gmail.com` })),
      channel: 'api',
    });
    await Promise.all(Array.from({ length: 60 }, (_, n) => stand.ledger.recordOptOut(wide(n))));
    const keys = (await groups()).map((group) => group.keys);
    expect(Math.max(...keys)).toBeLessThanOrEqual(OPT_OUT_GROUP_KEYS_MAX);
    expect(Math.max(...keys)).toBeGreaterThan(OPT_OUT_GROUP_KEYS_MAX / 2);
    const before = (await groups()).length;
    await Promise.all(Array.from({ length: 12 }, (_, n) => stand.ledger.recordOptOut(single(0, { operator: `${n}` }))));
    expect((await groups()).length).toBe(before + 12);
  });

  test('one that the database refuses fails alone', async () => {
    await trigger(
      'refuse',
      `new.operator = 'refused'`,
      'trigger refuse before insert on optgate.request',
      `raise exception 'no' using errcode = '22000';`,
    );
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => answerOf(stand.ledger, single(n, n === 7 ? { operator: 'refused' } : {}))),
    );
    expect(answers.map((answer) => 'name' in answer && answer.name === 'SqlError').indexOf(true)).toBe(7);
    expect(answers.filter((answer) => 'requestId' in answer)).toHaveLength(29);
    expect(await stand.database.query('select from optgate.change_log')).toHaveLength(29);
  });

  test('one whose key is locked waits alone', async () => {
    await stand.ledger.recordOptOut(single(7));
    const blocker = await stand.database.dedicated();
    await blocker.query('begin');
    await blocker.query('update optgate.suppression set version = version');
    const answered = new Set<number>();
    const all = Array.from({ length: 100 }, async (_, n) => {
      await stand.ledger.recordOptOut(single(n, { rights: ['sale'], operator: 'jane' }));
      answered.add(n);
    });
    await until('all others are answered', () => answered.size === 99);
    expect(answered.has(7)).toBe(false);
    await blocker.query('rollback');
    await Promise.all(all);
    await blocker.close();
  });

  const kill = (waitEvent: string) =>
    until('a connection is killed', async () => {
      const killed = await stand.database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and wait_event = '${waitEvent}'
           and query not like '%await_work%'`,
      );
      return killed.length > 0;
    });

  test('a connection that breaks before the commit costs nobody anything', async () => {
    await trigger(
      'doze',
      `new.operator = 'slow'`,
      'trigger doze before insert on optgate.request',
      'perform pg_sleep(0.5);',
    );
    const all = Array.from({ length: 20 }, (_, n) =>
      stand.ledger.recordOptOut(single(n, n === 3 ? { operator: 'slow' } : {})),
    );
    await kill('PgSleep');
    expect(new Set((await Promise.all(all)).map(({ requestId }) => requestId)).size).toBe(20);
    expect(await stand.database.query('select from optgate.change_log')).toHaveLength(20);
  });

  test('a connection that breaks at the commit: each is told that nobody knows, and can be sent again', async () => {
    await trigger(
      'doze',
      `new.operator = 'slow'`,
      'constraint trigger doze after insert on optgate.request deferrable initially deferred',
      'perform pg_sleep(1);',
    );
    const input = (n: number) => single(n, { idempotencyKey: `k${n}`, ...(n === 3 ? { operator: 'slow' } : {}) });
    const all = Array.from({ length: 20 }, (_, n) => answerOf(stand.ledger, input(n)));
    await kill('PgSleep');
    for (const answer of await Promise.all(all)) expect(answer).toMatchObject({ code: 'ledger.unavailable' });
    expect(await stand.database.query('select from optgate.change_log')).toHaveLength(0);
    await stand.database.query('drop trigger doze on optgate.request');
    await Promise.all(Array.from({ length: 20 }, (_, n) => stand.ledger.recordOptOut(input(n))));
    expect(await stand.database.query('select from optgate.change_log')).toHaveLength(20);
  });

  test('an opt-out waits for its turn no longer than for a connection', { timeout: 30_000 }, async () => {
    await trigger(
      'doze',
      `new.operator = 'slow'`,
      'trigger doze before insert on optgate.request',
      `perform pg_sleep(${(OPT_OUT_WAIT_MS_MAX + 2_000) / 1000});`,
    );
    const turns: Promise<Answer>[] = [];
    for (let n = 0; n < 2; n++) {
      turns.push(answerOf(stand.ledger, single(n, { operator: 'slow' })));
      await new Promise((resolve) => setTimeout(resolve, 100)); // each in a group of its own
    }
    const startMs = performance.now();
    expect(await answerOf(stand.ledger, single(9))).toMatchObject({ code: 'ledger.unavailable' });
    expect(performance.now() - startMs).toBeGreaterThan(OPT_OUT_WAIT_MS_MAX - 200);
    await Promise.all(turns);
    expect(await stand.database.query('select from optgate.change_log')).toHaveLength(2);
  });
});
