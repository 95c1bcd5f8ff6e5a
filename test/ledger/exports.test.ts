/**
 * What the ledger knows of exports: runs and their indexes, who was in which, and whom to tell of an opt-out.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendIdentifier } from '../../src/core/identity/dialects.js';
import { createKeyList } from '../../src/core/identity/index.js';
import { KEYS_PER_IDENTIFIER_MAX } from '../../src/core/identity/limits.js';
import type { Identifier, Right } from '../../src/core/vocabulary.js';
import type { LedgerContext } from '../../src/ledger/context.js';
import { openDatabase } from '../../src/ledger/database.js';
import { gapNotices } from '../../src/ledger/gap-notices.js';
import { type ExportRecord, exportRunIdOf, type GapNotice, type Ledger, openLedger } from '../../src/ledger/index.js';
import { KeyMixer } from '../../src/ledger/keys.js';
import {
  EXPORT_PIECE_FINGERPRINTS,
  EXPORT_PIECES_PER_WRITE,
  NOTICE_IDENTIFIERS_PER_PAGE,
} from '../../src/ledger/limits.js';
import { migrate } from '../../src/ledger/migrations.js';
import { BACKENDS, type TestPlace } from './backends.js';

const someMaid = (): Identifier => ({ kind: 'maid', value: randomBytes(16).toString('hex') });
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const HOUR_MS = 3_600_000;
const codeOf = (error: unknown) => (error as { code?: unknown }).code;

async function all(notices: AsyncIterable<GapNotice>): Promise<readonly GapNotice[]> {
  const list: GapNotice[] = [];
  for await (const notice of notices) list.push(notice);
  return list;
}

const SEED = 0x1234_5678_9abc_def0n;
const mixer = new KeyMixer(SEED);

/** The key of an identifier that an export indexes it under: the first, or for an e-mail address that of its SHA-256. */
function fingerprint(identifier: Identifier): bigint {
  const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
  expect(appendIdentifier(keys, identifier)).toBe('ok');
  return mixer.keysOf({ words: keys.words, count: 1 })[0] ?? 0n;
}

const indexOf = (...identifiers: readonly Identifier[]) => [BigInt64Array.from(identifiers, fingerprint).sort()];

describe.each(BACKENDS)('exports on $name', ({ name, make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  const startMs = Date.now() - 10 * HOUR_MS;

  beforeAll(async () => {
    place = await make();
    const database = await openDatabase(place.location);
    if ((await database.query(`select to_regclass('optgate.meta') as there`))[0]?.there === null)
      await migrate(database);
    await database.query('update optgate.meta set seed = $1::int8', [BigInt.asIntN(64, SEED).toString()]);
    await database.close();
    ledger = await openLedger(place.location);
  });
  afterAll(async () => {
    await ledger.close();
    await place.remove();
  });

  const record = (more: Partial<ExportRecord> = {}): ExportRecord => ({
    runId: exportRunIdOf(randomBytes(16)),
    destination: 'acme',
    purpose: 'audience',
    rights: ['sale', 'share'],
    startedAtMs: startMs,
    finishedAtMs: startMs + HOUR_MS,
    manifest: { version: 1 },
    ...more,
  });
  const runsOf = async (identifier: Identifier) => (await ledger.exportsOf(identifier)).map(({ runId }) => runId);
  const optOut = (identifier: Identifier, receivedAtMs: number, rights?: readonly Right[]) =>
    ledger.recordOptOut({
      identifiers: [identifier],
      channel: 'web_form',
      receivedAtMs,
      ...(rights ? { rights } : {}),
    });

  test('a run is found by everybody who was in it, in the dialect that left, and by nobody else', async () => {
    const maid = someMaid();
    const email = `${randomBytes(6).toString('hex')}@example.com`;
    const digest: Identifier = { kind: 'email_sha256', value: sha256(email) };
    const first = record({ finishedAtMs: startMs + 2 * HOUR_MS });
    const second = record({ destination: 'beta', manifest: { rowsKept: 2 } });
    expect(await ledger.recordExport(first, indexOf(maid, digest))).toEqual({ isRepeat: false });
    expect(await ledger.recordExport(second, indexOf(digest, someMaid()))).toEqual({ isRepeat: false });

    expect(await runsOf({ kind: 'email', value: ` ${email.toUpperCase()}` })).toEqual([second.runId, first.runId]);
    expect(await runsOf(digest)).toEqual([second.runId, first.runId]);
    expect(await runsOf(maid)).toEqual([first.runId]);
    expect(await runsOf(someMaid())).toEqual([]);
    expect(await ledger.exportRun(second.runId)).toEqual({ ...second, fingerprintCount: 2 });
    expect(await ledger.exportRun(record().runId)).toBeNull();
  });

  test('an index of many pieces holds what was put in, and what lies between is not there', async () => {
    const count = EXPORT_PIECE_FINGERPRINTS * (EXPORT_PIECES_PER_WRITE + 2) + 17;
    const people = Array.from({ length: 20 }, someMaid);
    const keys = new Set(people.map(fingerprint));
    const random = new BigInt64Array(randomBytes(8 * count).buffer.slice(0, 8 * count));
    const index = BigInt64Array.from(new Set([...random, ...keys])).sort();
    const run = record();
    await ledger.recordExport(run, [index.subarray(0, 1), index.subarray(1, 70_000), index.subarray(70_000)]);
    expect((await ledger.exportRun(run.runId))?.fingerprintCount).toBe(index.length);
    for (const person of people) expect(await runsOf(person)).toEqual([run.runId]);
    for (let n = 0; n < 5; n++) expect(await runsOf(someMaid())).toEqual([]);
  });

  test('the same run twice is one run; another with its id is refused', async () => {
    const maid = someMaid();
    const run = record();
    await ledger.recordExport(run, indexOf(maid));
    expect(await ledger.recordExport(run, indexOf(maid))).toEqual({ isRepeat: true });
    const other = ledger.recordExport({ ...run, destination: 'beta' }, indexOf(maid));
    expect(await other.catch(codeOf)).toBe('ledger.idempotency_conflict');
    expect(await runsOf(maid)).toEqual([run.runId]);
  });

  test('a run whose index broke off does not count, and can be recorded again', async () => {
    const [maid, other] = [someMaid(), someMaid()];
    const run = record();
    const broken = (function* () {
      yield BigInt64Array.from({ length: 140_000 }, (_, n) => BigInt(n) - 2n ** 63n);
      throw new Error('gone');
    })();
    await expect(ledger.recordExport(run, broken)).rejects.toThrow('gone');
    expect(await ledger.exportRun(run.runId)).toBeNull();
    await ledger.recordExport(run, indexOf(maid));
    expect(await runsOf(maid)).toEqual([run.runId]);
    const [index] = indexOf(maid, other);
    const disorder = ledger.recordExport(record(), [index?.toReversed() ?? new BigInt64Array()]);
    await expect(disorder).rejects.toThrow(RangeError);
    expect(await runsOf(other)).toEqual([]);
  });

  test('what is wrong with a record is named', async () => {
    const wrong = async (more: object) =>
      ledger
        .recordExport({ ...record(), ...more } as ExportRecord, [])
        .catch((error) => `${error.field} ${error.code}`);
    expect(await wrong({ runId: 'x' })).toBe('runId malformed');
    expect(await wrong({ destination: '' })).toBe('destination empty');
    expect(await wrong({ purpose: 'fun' })).toBe('purpose unknown');
    expect(await wrong({ rights: ['all'] })).toBe('rights[0] unknown');
    expect(await wrong({ finishedAtMs: startMs - 1 })).toBe('finishedAtMs out_of_range');
    expect(await wrong({ manifest: { long: 'x'.repeat(70_000) } })).toBe('manifest too_long');
    expect(await wrong({ more: 1 })).toBe('more unknown');
  });

  describe('notices', () => {
    const sinceMs = startMs + 5 * HOUR_MS;
    const destination = `gap-${randomBytes(3).toString('hex')}`;
    test('for each destination the opt-outs of whom it was sent, as the digests it was sent', async () => {
      const email = `${randomBytes(6).toString('hex')}@example.com`;
      const [sent, early, limited, exempt, stranger] = [someMaid(), someMaid(), someMaid(), someMaid(), someMaid()];
      const asMd5: Identifier = { kind: 'email_md5', value: createHash('md5').update(email).digest('hex') };
      const run = record({ destination, finishedAtMs: startMs + 6 * HOUR_MS });
      await ledger.recordExport(run, indexOf(sent, early, limited, asMd5));
      await ledger.recordExport(record({ destination, rights: [] }), indexOf(exempt));
      const receipt = await optOut(sent, startMs + 7 * HOUR_MS);
      const before = await optOut({ kind: 'email', value: email }, sinceMs);
      await optOut(early, sinceMs - 1);
      await optOut(limited, startMs + 7 * HOUR_MS, ['sensitive']);
      await optOut(exempt, startMs + 7 * HOUR_MS);
      await optOut(stranger, startMs + 7 * HOUR_MS);

      const found = await all(ledger.gapNotices({ sinceMs, destination }));
      expect(found.map(({ requestId }) => requestId)).toEqual([receipt.requestId, before.requestId]);
      expect(found[0]).toMatchObject({
        destination,
        kind: 'maid',
        sentFirstMs: run.finishedAtMs,
        sentLastMs: run.finishedAtMs,
        isSentAfterRequest: false,
        runIds: [run.runId],
      });
      expect(found[0]?.digests).toContainEqual({ kind: 'maid_sha256', hex: sha256(uuidOf(sent)) });
      // only what left: the destination knows nothing of the other dialects
      expect(found[1]).toMatchObject({ kind: 'email_md5', digests: [{ kind: 'email_md5', hex: asMd5.value }] });
      expect(found[1]?.isSentAfterRequest).toBe(true);
    });

    test('nothing of those who have opted in again', async () => {
      const maid = someMaid();
      await ledger.recordExport(record({ destination }), indexOf(maid));
      const { requestId } = await optOut(maid, startMs + 8 * HOUR_MS);
      const asked = async () =>
        (await all(ledger.gapNotices({ sinceMs: startMs + 8 * HOUR_MS, destination }))).map((one) => one.requestId);
      expect(await asked()).toEqual([requestId]);
      const optIn = await ledger.recordOptIn({ identifiers: [maid], channel: 'web_form' });
      await ledger.confirmOptIn(optIn.requestId, optIn.confirmation ?? '');
      expect(await asked()).toEqual([]);
    });

    test('opt-outs known by MD5 or SHA-1 alone are counted: where a clear value was sent they are not found', async () => {
      const email = `${randomBytes(6).toString('hex')}@example.com`;
      const asMd5: Identifier = { kind: 'email_md5', value: createHash('md5').update(email).digest('hex') };
      const asSha1: Identifier = { kind: 'email_sha1', value: createHash('sha1').update(email).digest('hex') };
      const digest: Identifier = { kind: 'email_sha256', value: sha256(email) };
      await ledger.recordExport(record({ destination }), indexOf(digest)); // as a clear value is indexed
      const receivedAtMs = startMs + 8.5 * HOUR_MS;
      await optOut(asMd5, receivedAtMs);
      await ledger.importOptOuts([asSha1, someMaid()], { channel: 'drop', receivedAtMs });
      let oldCount = 0;
      const onOldDigests = (count: number) => {
        oldCount += count;
      };
      expect(await all(ledger.gapNotices({ sinceMs: receivedAtMs, destination, onOldDigests }))).toEqual([]);
      expect(oldCount).toBe(2);
      await ledger.recordExport(record({ destination }), indexOf(asMd5));
      expect(await all(ledger.gapNotices({ sinceMs: receivedAtMs, destination }))).toHaveLength(1);
    });

    // an embedded ledger cannot be opened a second time
    test.skipIf(name === 'PGlite')('runs are read once, however many opt-outs there are', async () => {
      const database = await openDatabase(place.location);
      let runReads = 0;
      const counting = new Proxy(database, {
        get(target, name) {
          const value = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          return (...args: readonly unknown[]) => {
            if (name === 'query' && /from optgate\.export_run\b/.test(String(args[0]))) runReads++;
            return value.apply(target, args);
          };
        },
      });
      const receivedAtMs = startMs + 9.5 * HOUR_MS;
      const people = Array.from({ length: 2 * NOTICE_IDENTIFIERS_PER_PAGE + 1 }, someMaid);
      await ledger.importOptOuts(people, { channel: 'drop', receivedAtMs });
      const actor = { role: 'system', name: null, via: 'cli' } as const;
      const context = { database: counting, mixer, actor } as unknown as LedgerContext;
      await all(gapNotices(context, { sinceMs: receivedAtMs, destination }));
      await database.close();
      expect(runReads).toBe(2); // a page, and that there is no other
    });

    test('of imports too, digests and clear ids alike', async () => {
      const people = Array.from({ length: 5_000 }, someMaid);
      const eid: Identifier = { kind: 'eid:uidapi.com', value: randomBytes(8).toString('hex') };
      const digest: Identifier = { kind: 'email_sha256', value: sha256(randomBytes(8).toString('hex')) };
      await ledger.recordExport(record({ destination }), indexOf(eid, digest, ...people.slice(4_000, 4_200)));
      const receivedAtMs = startMs + 9 * HOUR_MS;
      await ledger.importOptOuts([...people, eid, digest], { channel: 'drop', receivedAtMs });
      const found = await all(ledger.gapNotices({ sinceMs: receivedAtMs, destination }));
      expect(found).toHaveLength(202);
      expect(found.find(({ kind }) => kind === 'eid')?.digests).toEqual([]);
      expect(found.find(({ kind }) => kind === 'email_sha256')?.digests).toEqual([
        { kind: digest.kind, hex: digest.value },
      ]);
    });
  });
});

/** As Meta's dialect hashes it. */
const uuidOf = ({ value }: Identifier) => value.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
