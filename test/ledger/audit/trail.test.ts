/**
 * The audit trail of a ledger, in both databases: what is told, under whom, never in clear; and that nobody can change it.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '../../../src/ledger/audit/actor.js';
import { chainStep, hasChainWork } from '../../../src/ledger/audit/chain-step.js';
import { CheckpointSigner } from '../../../src/ledger/audit/checkpoint-signer.js';
import { commitmentOf } from '../../../src/ledger/audit/commitment.js';
import { headerLine, TrailVerifier } from '../../../src/ledger/audit/verify-trail.js';
import { type Database, openDatabase } from '../../../src/ledger/database.js';
import { IdentifierReader } from '../../../src/ledger/identity.js';
import { exportRunIdOf, type Ledger, openLedger } from '../../../src/ledger/index.js';
import { migrate } from '../../../src/ledger/migrations.js';
import { firstBadEntry } from '../../reference/audit-trail.js';
import { BACKENDS, type TestPlace } from '../backends.js';
import { SIGNER, VERIFIER } from './trail-maker.js';

const JANE: Actor = { role: 'operator', name: 'jane', via: 'http' };
const FORM: Actor = { role: 'intake', name: 'web-form', via: 'page' };
const email = (name: string) => ({ kind: 'email', value: `${name}@example.com` }) as const;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The trail as an export has it; everything is chained before. */
async function trailOf(ledger: Ledger): Promise<Buffer> {
  await ledger.audit.chain();
  const { n, hash, ledgerId } = await ledger.audit.head();
  const lines = [headerLine({ entries: n, head: hash, ledger: ledgerId })];
  for await (const some of ledger.audit.lines(n)) lines.push(...some);
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

async function expectValid(ledger: Ledger) {
  const bytes = await trailOf(ledger);
  const trail = new TrailVerifier();
  trail.write(bytes);
  const report = trail.end();
  expect(report.fault).toBe(null);
  expect(firstBadEntry(bytes)).toBe(null);
  return { bytes, report };
}

describe.each(BACKENDS)('$name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  beforeAll(async () => {
    place = await make();
    ledger = await openLedger(place.location, { sequence: true });
  });
  afterAll(async () => {
    await ledger?.close();
    await place?.remove();
  });

  /** Entries that `work` adds, as kind and subject. */
  async function added(work: () => Promise<unknown>) {
    await ledger.audit.chain();
    const { n } = await ledger.audit.head();
    await work();
    await ledger.audit.chain();
    return ledger.audit.entries({ after: n, limit: 1000 });
  }
  const kindsOf = (entries: Awaited<ReturnType<typeof added>>) => entries.map(({ kind }) => kind);

  test('begins with what made the ledger', async () => {
    await ledger.audit.chain();
    const [first] = await ledger.audit.entries({ limit: 1 });
    expect(first).toMatchObject({ n: 1, kind: 'ledger.migrated', actor: { role: 'system', name: null } });
  });

  test('opt-outs and opt-ins, under whom they were recorded, with whom they are about as commitments', async () => {
    const form = ledger.actingAs(FORM);
    const request = { identifiers: [email('one'), email('two')], channel: 'web_form', state: 'CA' } as const;
    let requestId = '';
    const entries = await added(async () => {
      ({ requestId } = await form.recordOptOut(request));
      const asked = await form.recordOptIn({ identifiers: [email('one')], channel: 'web_form' });
      await ledger.actingAs(JANE).confirmOptIn(asked.requestId, asked.confirmation ?? '');
    });
    expect(kindsOf(entries)).toEqual(['request.opt_out', 'request.opt_in_asked', 'request.opt_in_confirmed']);
    expect(entries.map(({ actor }) => actor)).toEqual([FORM, FORM, JANE]);
    expect(entries[0]).toMatchObject({
      subject: requestId,
      body: { channel: 'web_form', scope: 'person', state: 'CA' },
    });
    const identifiers = (entries[0]?.body as { identifiers?: { kind: string; commitment: string }[] } | undefined)
      ?.identifiers;
    const database = await openSame();
    const [row] = await database.query(
      `select salts from optgate.audit_salt join optgate.audit_entry on entry_id = audit_entry.id where subject = $1`,
      [requestId],
    );
    const reader = new IdentifierReader();
    for (const [index, name] of ['one', 'two'].entries()) {
      reader.read('email', `${name}@example.com`);
      const salt = Buffer.from(row?.salts as Uint8Array).subarray(32 * index, 32 * index + 32);
      expect(identifiers?.[index]).toEqual({ kind: 'email', commitment: commitmentOf(salt, reader.identity) });
    }
    await database.close?.();
  });

  /** The database behind the ledger: in PostgreSQL another connection, in PGlite the only one. */
  async function openSame(): Promise<Pick<Database, 'query' | 'transaction'> & { close?: () => Promise<void> }> {
    if (place.location.startsWith('postgres')) return openDatabase(place.location);
    await ledger.close();
    const database = await openDatabase(place.location);
    const close = async () => {
      await database.close();
      ledger = await openLedger(place.location);
    };
    return { query: database.query.bind(database), transaction: database.transaction.bind(database), close };
  }

  test('a request sent again, one that is refused, and a change that fails say nothing', async () => {
    const request = { identifiers: [email('again')], channel: 'api', idempotencyKey: 'again' } as const;
    await ledger.recordOptOut(request);
    const entries = await added(async () => {
      await ledger.recordOptOut(request);
      await ledger.recordOptOut({ ...request, channel: 'drop' }).catch(() => {});
      await ledger.recordOptOut({ ...request, identifiers: [] }).catch(() => {});
      const fail = () => {
        throw new Error('no');
      };
      await ledger.changeDestination('acme', fail).catch(() => {});
      await ledger.removeDestination('nobody');
      await ledger.retireEnforcer('nobody');
    });
    expect(entries).toEqual([]);
  });

  test('lists, destinations, enforcers, exports, epochs, look-ups, notices', async () => {
    const jane = ledger.actingAs(JANE);
    const runId = exportRunIdOf(randomBytes(16));
    const record = {
      runId,
      destination: 'acme',
      purpose: 'audience',
      rights: ['sale'],
      startedAtMs: 0,
      finishedAtMs: 1,
    } as const;
    const entries = await added(async () => {
      await jane.importOptOuts([email('a'), email('b'), { kind: 'fax', value: '1' } as never], {
        sourceDigest: randomBytes(32),
      } as never);
      await jane.putDestination({ id: 'acme' });
      await jane.changeDestination('acme', () => ({ id: 'acme', role: 'service_provider' }));
      await jane.removeDestination('acme');
      await jane.ack({
        id: 'e-1',
        name: 'e',
        role: 'library',
        version: '1',
        leaseMs: 1000,
        position: null,
        appliedAgeMs: null,
        state: 'live',
        isLeaving: false,
      });
      await jane.retireEnforcer('e-1');
      await jane.recordExport({ ...record, manifest: {} }, [BigInt64Array.of(1n, 2n)]);
      await jane.recordExport({ ...record, manifest: {} }, [BigInt64Array.of(1n, 2n)]);
      await jane.statusOf(email('a'));
      await jane.exportsOf(email('b'));
      for await (const _ of jane.gapNotices({ sinceMs: 0 }));
      await jane.rotateEpoch();
      await jane.audit.append({ kind: 'webhook.added', subject: 'w-1', body: { url: 'https://example.com' } });
    });
    expect(
      entries.map(({ kind, subject }) => `${kind} ${subject === runId ? 'x' : (subject?.slice(0, 2) ?? '')}`),
    ).toEqual([
      ...['import.begun r_', 'import.part r_', 'import.finished r_'],
      ...['destination.added ac', 'destination.changed ac', 'destination.removed ac'],
      ...['enforcer.retired e-', 'export.recorded x', 'person.looked_up ', 'person.looked_up ', 'gap_notices.made '],
      ...[expect.stringMatching(/^epoch.rotated ../), 'webhook.added w-'],
    ]);
    for (const { actor } of entries) expect(actor).toEqual(JANE);
    expect(entries[2]?.body).toEqual({ identifierCount: 2, refusedCount: 1 });
    expect(entries[7]?.body).toMatchObject({ destination: 'acme', fingerprints: 2 });
    expect(entries[8]?.body).toMatchObject({ asked: 'status', kind: 'email' });
    const { bytes } = await expectValid(ledger);
    for (const name of ['one', 'two', 'a', 'b', 'again']) {
      expect(bytes.includes(`${name}@example.com`)).toBe(false);
      expect(bytes.includes(sha256(`${name}@example.com`))).toBe(false);
    }
  });

  test('is searched by kind, subject, actor and time', async () => {
    await ledger.audit.chain();
    const kinds = async (query: object) => kindsOf(await ledger.audit.entries({ limit: 1000, ...query }));
    expect(new Set(await kinds({ kind: 'destination.added' }))).toEqual(new Set(['destination.added']));
    expect(await kinds({ subject: 'w-1' })).toEqual(['webhook.added']);
    expect(await kinds({ actor: 'intake:web-form' })).toEqual(['request.opt_out', 'request.opt_in_asked']);
    expect(await kinds({ actor: ':jane', kind: 'epoch.rotated' })).toHaveLength(1);
    expect(await kinds({ actor: 'auditor' })).toEqual([]);
    expect(await kinds({ sinceMs: Date.now() + 3_600_000 })).toEqual([]);
    expect(await kinds({ untilMs: 1 })).toEqual([]);
    for (const [query, field] of [
      [{ kind: 'A b' }, 'kind'],
      [{ actor: 'root' }, 'actor'],
      [{ actor: '' }, 'actor'],
      [{ limit: 0 }, 'limit'],
      [{ after: -1 }, 'after'],
      [{ subject: '' }, 'subject'],
      [{ sinceMs: Number.NaN }, 'since'],
    ] as const) {
      await expect(ledger.audit.entries(query), field).rejects.toMatchObject({ name: 'InputError', field });
    }
  });

  test('an event that cannot be one is refused', async () => {
    for (const event of [
      { kind: 'checkpoint', subject: null, body: {} },
      { kind: 'Not a kind', subject: null, body: {} },
      { kind: 'a.b', subject: 'x'.repeat(201), body: {} },
      { kind: 'a.b', subject: null, body: { x: undefined } },
      { kind: 'a.b', subject: null, body: [] },
      { kind: 'a.b', subject: null, body: { x: 'x'.repeat(70_000) } },
    ]) {
      await expect(async () => ledger.audit.append(event)).rejects.toThrow(TypeError);
    }
  });

  test('the database refuses to change, remove or add between', async () => {
    await ledger.audit.chain();
    const database = await openSame();
    for (const statement of [
      `update optgate.audit_entry set body = '{}' where n = 1`,
      `update optgate.audit_entry set n = n + 1000, previous = previous, hash = hash`,
      `update optgate.audit_entry set n = null, previous = null, hash = null where n = 2`,
      'delete from optgate.audit_entry where n = 1',
      'truncate optgate.audit_entry',
    ]) {
      await expect(database.query(statement), statement).rejects.toMatchObject({ sqlState: '42501' });
    }
    const hash = randomBytes(32);
    const insert = `insert into optgate.audit_entry (kind, actor_role, actor_via, body, n, previous, hash)
      values ('a', 'system', 'cli', '{}', 1, $1, $1)`;
    await expect(database.query(insert, [hash])).rejects.toMatchObject({ sqlState: '23505' });
    // a row that waits can be chained, and nothing else
    await database.query(
      `insert into optgate.audit_entry (kind, actor_role, actor_via, body) values ('a', 'system', 'cli', '{}')`,
    );
    await expect(database.query(`update optgate.audit_entry set kind = 'b' where n is null`)).rejects.toThrow();
    await expect(database.query('delete from optgate.audit_entry where n is null')).rejects.toThrow();
    await database.close?.();
    await expectValid(ledger);
  });
});

describe.each(BACKENDS)('chaining on $name', ({ make }) => {
  test('several at once, in small steps, while others write: dense and valid; with checkpoints where they are due', async () => {
    const place = await make();
    try {
      const database = await openDatabase(place.location);
      await migrate(database);
      await database.close();
      const ledger = await openLedger(place.location, { sequence: false, auditSigner: SIGNER });
      const signer = new CheckpointSigner(SIGNER);
      const options = { rowsMax: 7, signer, checkpointEntries: 20, checkpointEveryMs: 3_600_000 };
      const own = await openInner(place.location, ledger);
      let isWriting = true;
      const chainers = [1, 2, 3].map(async () => {
        while (isWriting) await chainStep(own, options);
      });
      await Promise.all(
        [1, 2, 3, 4].map(async (writer) => {
          for (let count = 0; count < 40; count++) {
            await ledger.audit.append({ kind: 'a.b', subject: `${writer}`, body: { count } });
          }
        }),
      );
      isWriting = false;
      await Promise.all(chainers);
      const entries = await ledger.audit.entries({ kind: 'a.b', limit: 1000 });
      await ledger.audit.chain();
      const { unchainedCount, n } = await ledger.audit.head();
      expect(unchainedCount).toBe(0);
      expect(entries.length).toBeLessThanOrEqual(160);
      const { bytes } = await expectValid(ledger);
      const trail = new TrailVerifier({ verifier: VERIFIER });
      trail.write(bytes);
      const report = trail.end();
      expect(report).toMatchObject({ fault: null, entryCount: n, signedUpTo: n - 1 });
      expect(report.checkpointCount).toBeGreaterThanOrEqual(Math.floor(160 / 27));
      // each writer's entries in the order it wrote them
      const all = await ledger.audit.entries({ kind: 'a.b', limit: 1000 });
      for (const writer of ['1', '2', '3', '4']) {
        const counts = all
          .filter(({ subject }) => subject === writer)
          .map(({ body }) => (body as { count: number }).count);
        expect(counts).toEqual(Array.from({ length: 40 }, (_, index) => index));
      }
      // nothing new: nothing to sign
      expect(await hasChainWork(own, { signer, checkpointEveryMs: 0 })).toBe(false);
      await ledger.audit.append({ kind: 'a.c', subject: null, body: {} });
      expect(await hasChainWork(own, {})).toBe(true);
      await chainStep(own, { signer });
      expect(await hasChainWork(own, { signer })).toBe(false);
      expect(await hasChainWork(own, { signer, checkpointEveryMs: 0 })).toBe(true);
      expect(await hasChainWork(own, { checkpointEveryMs: 0 })).toBe(false);
      expect(await chainStep(own, { signer, checkpointEveryMs: 0 })).toMatchObject({ hasCheckpoint: true });
      await ledger.audit.chain();
      expect((await ledger.audit.head()).n).toBe(n + 2);
      await own.close();
      await ledger.close();
    } finally {
      await place.remove();
    }
  });

  /** Connections of its own where there can be several. */
  async function openInner(
    location: string,
    ledger: Ledger,
  ): Promise<Pick<Database, 'transaction' | 'query' | 'close'>> {
    if (location.startsWith('postgres')) return openDatabase(location);
    return contextOf(ledger);
  }

  test('a ledger that closes leaves nothing unchained, and a checkpoint', async () => {
    const place = await make();
    try {
      const ledger = await openLedger(place.location, { auditSigner: SIGNER });
      await ledger.recordOptOut({ identifiers: [email('x')], channel: 'api' });
      await ledger.close();
      const again = await openLedger(place.location, { sequence: false });
      const { n, unchainedCount, checkpointN } = await again.audit.head();
      expect({ unchainedCount, checkpointN }).toEqual({ unchainedCount: 0, checkpointN: n });
      await again.close();
    } finally {
      await place.remove();
    }
  });
});

/** The one connection of an embedded ledger. */
function contextOf(ledger: Ledger): Pick<Database, 'transaction' | 'query' | 'close'> {
  const { database } = ledger.audit.context;
  return {
    transaction: database.transaction.bind(database),
    query: database.query.bind(database),
    close: async () => {},
  };
}
