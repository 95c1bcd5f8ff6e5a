/**
 * Many writers at once, and writers that are killed: nothing is lost, nothing is there twice, and nothing is half done.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GateError, InputError } from '../../src/core/errors.js';
import { type Entry, type Head, readChanges } from '../../src/core/suppression/index.js';
import { type Identifier, RIGHTS_ALL, rightsMask, rightsOfMask } from '../../src/core/vocabulary.js';
import { type Database, openDatabase, type Session } from '../../src/ledger/database.js';
import { writeOptOutEntry } from '../../src/ledger/entry.js';
import { IdentifierReader } from '../../src/ledger/identity.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { KeyBatch } from '../../src/ledger/keys.js';
import { digestOf, LogConsumer, stateAt } from '../reference/change-log.js';
import { BACKENDS, POSTGRES, type TestPlace } from './backends.js';
import { collidingIds } from './collision.js';
import { until } from './until.js';

const STRESS = Number(process.env.OPTGATE_STRESS ?? 1);
const WRITERS = 8;

const hasPostgres = BACKENDS.includes(POSTGRES);
const randomMask = () => 1 + ((randomBytes(1)[0] ?? 0) % RIGHTS_ALL);
const pick = <T>(list: readonly T[]): T => list[randomBytes(2).readUInt16LE() % list.length] as T;

/** A few people that everybody writes about, with keys in common. */
function crowd(): readonly Identifier[] {
  const name = randomBytes(4).toString('hex');
  const [victim, attacker] = collidingIds('example.com', name.slice(0, 4));
  return [
    ...['', '.', '+a', '+b'].map((piece): Identifier => ({ kind: 'email', value: `${name}${piece}@gmail.com` })),
    { kind: 'email_sha256', value: createHash('sha256').update(`${name}@gmail.com`).digest('hex') },
    { kind: 'eid:example.com', value: victim },
    { kind: 'eid:example.com', value: attacker },
    { kind: 'maid', value: name.repeat(4) },
  ];
}

/** Reads the log and every head while it is written. */
function watch(ledger: Ledger) {
  const log: Entry[] = [];
  const cuts: Head[] = [];
  let isOver = false;
  const read = async () => {
    const { head, entries } = await ledger.changesAfter(log.length);
    log.push(...entries);
    if (head.settledSeq !== cuts.at(-1)?.settledSeq) cuts.push(head);
    return entries.length;
  };
  const running = (async () => {
    while (!isOver) {
      await read();
      await sleep(3);
    }
  })();
  running.catch(() => {}); // thrown by end, unless the test has failed before
  return {
    async end() {
      isOver = true;
      await running;
      while ((await read()) > 0) {}
      return { log, cuts };
    },
  };
}

describe.each(BACKENDS)('eight writers at once on $name', ({ name, make }) => {
  let place: TestPlace;
  let ledgers: readonly Ledger[];
  beforeAll(async () => {
    place = await make();
    const first = await openLedger(place.location);
    // an embedded ledger belongs to one process; a server has two of them here, of which one is the sequencer
    ledgers = name === 'PostgreSQL' ? [first, await openLedger(place.location)] : [first];
  });
  afterAll(async () => {
    for (const ledger of ledgers) await ledger.close();
    await place.remove();
  });

  const ledgerOf = (writer: number) => ledgers[writer % ledgers.length] as Ledger;
  const inParallel = <T>(work: (writer: number) => Promise<T>) =>
    Promise.all(Array.from({ length: WRITERS }, (_, writer) => work(writer)));

  test('every opt-out is in force at the end, and every request has its place', async () => {
    const people = crowd();
    const expected = new Map(people.map((one) => [one.value, 0]));
    const tokens = await inParallel(async (writer) => {
      const own: (string | null)[] = [];
      for (let round = 0; round < 15 * STRESS; round++) {
        const identifiers = [pick(people), pick(people)];
        const rights = randomMask();
        for (const { value } of identifiers) expected.set(value, (expected.get(value) ?? 0) | rights);
        const ledger = ledgerOf(writer);
        if (round % 5 === 4) {
          own.push((await ledger.importOptOuts(identifiers.map((one) => ({ ...one, rights })))).token);
        } else {
          own.push((await ledger.recordOptOut({ identifiers, rights: rightsOfMask(rights), channel: 'api' })).token);
        }
      }
      return own;
    });
    expect(new Set(tokens.flat()).size).toBe(WRITERS * 15 * STRESS);
    for (const one of people) {
      const { rights } = await ledgerOf(0).statusOf(one);
      const wanted = expected.get(one.value) ?? 0;
      expect(rightsMask(rights) & wanted).toBe(wanted);
    }
    expect((await ledgerOf(0).verify()).findings).toEqual([]);
  });

  test('opt-outs and opt-ins of the same people: the log can be cut wherever the head says it is settled', async () => {
    const people = crowd();
    const watched = watch(ledgerOf(0));
    let confirmedCount = 0;
    await inParallel(async (writer) => {
      for (let round = 0; round < 25 * STRESS; round++) {
        const ledger = ledgerOf(writer);
        const identifiers = [pick(people)];
        const rights = rightsOfMask(randomMask());
        if (round % 2 === 0) await ledger.recordOptOut({ identifiers, rights, channel: 'api' });
        else {
          const { requestId, confirmation } = await ledger.recordOptIn({ identifiers, rights, channel: 'api' });
          // another writer may have opted the person out again meanwhile
          const confirmed = ledger.confirmOptIn(requestId, confirmation ?? '').catch((error: unknown) => {
            if (!(error instanceof InputError && error.code === 'superseded')) throw error;
          });
          if ((await confirmed) !== undefined) confirmedCount++;
        }
      }
    });
    expect(confirmedCount).toBeGreaterThan(10);
    const ledger = ledgerOf(0);
    expect((await ledger.verify()).findings).toEqual([]);
    const { seq } = await ledger.head();
    await until('everything is settled', async () => (await ledger.head()).settledSeq >= seq);
    const { log, cuts } = await watched.end();
    const consumer = new LogConsumer(0);
    for (const entry of log) consumer.apply(entry);
    if (name === 'PostgreSQL') expect(consumer.inversionCount).toBeGreaterThan(0); // or the rules of order.ts were not needed
    expect(cuts.length).toBeGreaterThan(10);
    for (const { settledSeq, stateDigest } of cuts) expect(digestOf(stateAt(log, settledSeq))).toBe(stateDigest);
    const feed = ledger.feed();
    await feed.buildTable(new AbortController().signal); // compares its rows with the head
    await feed.close();
    await inParallel(async (writer) => {
      const one = people[writer] as Identifier;
      const { requestId, confirmation } = await ledger.recordOptIn({ identifiers: [one], channel: 'api' });
      await ledger.confirmOptIn(requestId, confirmation ?? '');
    });
    for (const one of people) expect((await ledger.statusOf(one)).rights).toEqual([]);
    expect((await ledger.verify()).findings).toEqual([]);
  });
});

describe.skipIf(!hasPostgres)("writers that get in each other's way, or are killed", () => {
  let place: TestPlace;
  let ledger: Ledger;
  let database: Database;
  const children = new Set<ChildProcess>();
  beforeEach(async () => {
    place = await POSTGRES.make();
    ledger = await openLedger(place.location);
    database = await openDatabase(place.location);
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await database.close();
    await ledger.close();
    await place.remove();
  });

  function startWriter(what: 'opt-outs' | 'import'): { child: ChildProcess; lines: string[]; first: Promise<unknown> } {
    const script = fileURLToPath(new URL('./writer-process.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, place.location, what], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.add(child);
    const lines: string[] = [];
    const { stdout } = child;
    if (stdout === null) throw new Error('unreachable: stdout is a pipe');
    const reader = createInterface({ input: stdout });
    reader.on('line', (line) => lines.push(line));
    return { child, lines, first: once(reader, 'line') };
  }

  async function kill(child: ChildProcess): Promise<void> {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    children.delete(child);
  }

  /** Parts of requests without the others. */
  const HALVES: Readonly<Record<string, string>> = {
    'requests without identifiers': `select count(*) from optgate.request where nature = 'opt_out' and (select count(*)
      from optgate.request_identifier as one where one.request_id = request.id) <> identifier_count`,
    'requests without an entry': `select count(*) from optgate.request where status = 'complied' and not exists (
      select from optgate.change_log as entry where entry.id = last_entry and entry.request_id = request.id)`,
    'entries without a request': `select count(*) from optgate.change_log as entry where not exists (
      select from optgate.request where request.id = entry.request_id)`,
    'keys without a request': `select count(*) from optgate.suppression where rights <> 0 and not exists (
      select from optgate.request where request.id = suppression.request_id)`,
    'entries without a place': 'select count(*) from optgate.change_log where seq is null',
  };

  async function expectNothingHalf(): Promise<void> {
    await until('all entries have a place', async () => {
      const [row] = await database.query('select count(*) as waiting from optgate.change_log where seq is null');
      return row?.waiting === '0';
    });
    for (const [what, sql] of Object.entries(HALVES)) {
      expect([what, (await database.query(sql))[0]?.count]).toEqual([what, '0']);
    }
    expect((await ledger.verify()).findings).toEqual([]);
  }

  test('what is in force through an entry that comes later in the log is said again by the one that comes first', async () => {
    const maid = { kind: 'maid', value: randomBytes(16).toString('hex') } as const;
    const reader = new IdentifierReader();
    reader.read(maid.kind, maid.value);
    // whoever has just become the sequencer gives places to whatever it finds
    await until('it is the sequencer', async () => (await ledger.status()).isSequencer);
    const { seed } = await ledger.head();
    const write = (session: Session, entryId: string) => {
      const batch = new KeyBatch(seed);
      batch.add(reader.keys, reader.identity, RIGHTS_ALL);
      batch.sort();
      return writeOptOutEntry(session, batch, { entryId, requestRow: null });
    };
    await database.transaction(async (session) => {
      await session.query('select pg_current_xact_id()'); // older than the one that is done first
      await database.transaction((newer) => write(newer, '1001'));
      await write(session, '1000');
    });
    const entry = await until('both have a place', async () => {
      const { entries } = await ledger.changesAfter(0);
      return entries.length === 2 ? entries[0] : null;
    });
    const [placed] = await database.query('select id, behind from optgate.change_log where seq = 1');
    expect(placed).toEqual({ id: '1000', behind: '1001' });
    expect(readChanges(entry.changes)).toMatchObject(
      Array(13).fill({ version: 1, rightsBefore: RIGHTS_ALL, rights: RIGHTS_ALL }),
    );
    expect((await ledger.verify()).findings).toEqual([]);
  });

  test('leave whole requests: what they were told is recorded is in force, and nothing is half', async () => {
    const said: string[] = [];
    for (let round = 0; round < 4 * STRESS; round++) {
      const { child, lines, first } = startWriter('opt-outs');
      await first;
      await sleep(50 + (randomBytes(1)[0] ?? 0));
      await kill(child);
      said.push(...lines);
    }
    expect(said.length).toBeGreaterThan(20);
    await expectNothingHalf();
    for (const line of said.slice(-50)) {
      const [requestId = '', value = ''] = line.split(' ');
      expect(await ledger.receipt(requestId)).toMatchObject({ requestId, token: expect.any(String) });
      expect((await ledger.statusOf({ kind: 'maid', value })).rights).toHaveLength(7);
    }
  });

  test('leave an import that another process takes up, and every row is there once', async () => {
    for (let round = 0; round < 3; round++) {
      const { child, lines, first } = startWriter('import');
      await first;
      await sleep(20 * round);
      await kill(child);
      expect(Number(lines.at(-1))).toBeLessThan(30_000);
    }
    const rows = Array.from({ length: 30_000 }, (_, index) => ({
      kind: 'email_sha256',
      value: createHash('sha256').update(`killed ${index}`).digest('hex'),
    }));
    const receipt = await ledger.importOptOuts(rows, { idempotencyKey: 'killed' });
    expect(receipt).toMatchObject({ isRepeat: true, identifierCount: 30_000 });
    const [kept] = await database.query(
      `select count(*) as parts, sum(octet_length(identities) / 16) as identifiers, max(first_row) as last,
         (select count(*) from optgate.suppression) as keys,
         (select sum(length(changes) / 20) from optgate.change_log) as changes from optgate.import_part`,
    );
    expect(kept).toMatchObject({ identifiers: '30000', keys: '30000', changes: '30000' });
    await expectNothingHalf();
  });

  test('connections cut again and again: whoever sends again under the same key has recorded it once', async () => {
    let isOver = false;
    const cut = (async () => {
      while (!isOver) {
        await sleep(60);
        await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid() and random() < 0.5`,
        );
      }
    })();
    const people = crowd();
    let failureCount = 0;
    const send = async (idempotencyKey: string) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await ledger.recordOptOut({
            identifiers: [pick(people.slice(-1)), people[0] as Identifier],
            channel: 'api',
            idempotencyKey,
          });
        } catch (error) {
          if (!(error instanceof GateError) || error.code !== 'ledger.unavailable' || attempt > 200) throw error;
          failureCount++;
          await sleep(5);
        }
      }
    };
    const receipts = await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const own = [];
        for (let round = 0; round < 25 * STRESS; round++) own.push(await send(`${writer}-${round}`));
        return own;
      }),
    );
    isOver = true;
    await cut;
    expect(failureCount).toBeGreaterThan(0);
    const ids = receipts.flat().map(({ requestId }) => requestId);
    expect(new Set(ids).size).toBe(WRITERS * 25 * STRESS);
    const [row] = await database.query('select count(*) as count from optgate.request');
    expect(Number(row?.count)).toBe(ids.length);
    await expectNothingHalf();
  });
});
