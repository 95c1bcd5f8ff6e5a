/**
 * Imports: many rows as one request, refused rows told of, and nothing twice however often it is begun.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KIND_TAG, RIGHTS, rightsMask } from '../../src/core/vocabulary.js';
import { openDatabase } from '../../src/ledger/database.js';
import {
  type ImportProgress,
  type ImportRow,
  type Ledger,
  openLedger,
  type RefusedRow,
} from '../../src/ledger/index.js';
import { unpackIdentifiers } from '../../src/ledger/packed-identifiers.js';
import { BACKENDS, type TestPlace } from './backends.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Digests that nobody else has. */
function digestRows(name: string, count: number): readonly ImportRow[] {
  return Array.from({ length: count }, (_, index) => ({ kind: 'email_sha256', value: sha256(`${name} ${index}`) }));
}

async function* streamOf(rows: Iterable<ImportRow>, endAfter = Number.POSITIVE_INFINITY): AsyncGenerator<ImportRow> {
  let count = 0;
  for (const row of rows) {
    if (count++ === endAfter) throw new Error('the source broke off');
    yield row;
  }
}

describe.each(BACKENDS)('imports on $name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  beforeAll(async () => {
    place = await make();
    ledger = await openLedger(place.location);
  });
  afterAll(async () => {
    await ledger.close();
    await place.remove();
  });

  const isIn = async (row: ImportRow) => (await ledger.statusOf(row as never)).rights.length > 0;
  const newKey = () => randomBytes(8).toString('hex');

  test('one request, entries of bounded size, and a token after which all of it is in force', async () => {
    const rows = digestRows('many', 9000);
    const progress: ImportProgress[] = [];
    const before = await ledger.head();
    const receipt = await ledger.importOptOuts(streamOf(rows), { onProgress: (one) => progress.push(one) });
    expect(receipt).toMatchObject({ isRepeat: false, rowCount: 9000, identifierCount: 9000, refusedCount: 0 });
    const { entries, head } = await ledger.changesAfter(before.seq);
    expect(entries.map(({ changes }) => changes.length / 20).sort()).toEqual([4096, 4096, 808].sort());
    expect(receipt.token).toBe(`${head.epoch}.${head.seq}`);
    expect(progress.map(({ identifierCount }) => identifierCount).at(-1)).toBe(9000);
    expect(await isIn(rows[0] as ImportRow)).toBe(true);
    expect(await isIn(rows[8999] as ImportRow)).toBe(true);
    const { requests } = await ledger.statusOf(rows[4500] as never);
    expect(requests).toMatchObject([{ requestId: receipt.requestId, nature: 'import', channel: 'import' }]);
  });

  test('rows that cannot be used are told of, with their line, and the others are entered', async () => {
    const name = newKey();
    const rows: readonly unknown[] = [
      { kind: 'email', value: `${name}@example.com`, rights: ['sale'] },
      { line: 77, kind: 'emial', value: 'x@example.com' },
      { kind: 'maid', value: 'x'.repeat(10 * 2 ** 20) },
      { kind: 'maid', value: '00000000-0000-0000-0000-000000000000' },
      { kind: 'account:optgate-canary', value: 'x' },
      { kind: 'account:shop', value: name, rights: 0 },
      { kind: 'account:shop', value: name, rights: ['everything'] },
      null,
      { kind: 'account:shop', value: name, rights: rightsMask(['child']) },
    ];
    const refused: RefusedRow[] = [];
    const receipt = await ledger.importOptOuts(rows as ImportRow[], { onRefused: (row) => refused.push(row) });
    expect(receipt).toMatchObject({ rowCount: 9, identifierCount: 2, refusedCount: 7 });
    expect(refused.map(({ line, field, code }) => [line, field, code])).toEqual([
      [77, 'kind', 'unknown'],
      [3, 'value', 'too_long'],
      [4, 'value', 'names_nobody'],
      [5, 'kind', 'reserved'],
      [6, 'rights', 'out_of_range'],
      [7, 'rights', 'unknown'],
      [8, 'kind', 'type'],
    ]);
    expect((await ledger.statusOf({ kind: 'email_sha256', value: sha256(`${name}@example.com`) })).rights).toEqual([
      'sale',
    ]);
    expect((await ledger.statusOf({ kind: 'account:shop', value: name })).rights).toEqual(['child']);
  });

  test('a row that is there twice, within a batch or in another, has the rights of both', async () => {
    const name = newKey();
    const row = (rights: number): ImportRow => ({ kind: 'account:shop', value: name, rights });
    const others = digestRows(name, 5);
    await ledger.importOptOuts([row(1), ...others, row(2), ...others, row(4)], { batchRows: 8 });
    expect((await ledger.statusOf({ kind: 'account:shop', value: name })).rights).toEqual(RIGHTS.slice(0, 3));
  });

  test('what is in force already is not changed again', async () => {
    const rows = digestRows(newKey(), 300);
    await ledger.importOptOuts(rows);
    const before = await ledger.head();
    const { token } = await ledger.importOptOuts(rows);
    const { head, entries } = await ledger.changesAfter(before.seq);
    expect(entries.map(({ changes }) => changes.length)).toEqual([0]);
    expect(token).toBe(`${head.epoch}.${head.seq}`);
    expect(head.stateDigest).toBe(before.stateDigest);
  });

  test('an import without a usable row is recorded, and has no place in the log', async () => {
    const receipt = await ledger.importOptOuts([{ kind: 'x', value: 'y' }]);
    expect(receipt).toMatchObject({ token: null, identifierCount: 0, refusedCount: 1 });
  });

  describe('an import that was broken off', () => {
    test('goes on where it stopped, however it is cut, and has every row once', async () => {
      const rows = digestRows(newKey(), 1000);
      const idempotencyKey = newKey();
      const broken = ledger.importOptOuts(streamOf(rows, 555), { idempotencyKey, batchRows: 100 });
      await expect(broken).rejects.toThrow('the source broke off');
      expect(await isIn(rows[450] as ImportRow)).toBe(true);
      expect(await isIn(rows[999] as ImportRow)).toBe(false);
      const again = ledger.importOptOuts(streamOf(rows, 700), { idempotencyKey, batchRows: 64 });
      await expect(again).rejects.toThrow('the source broke off');
      await ledger.recordOptOut({ identifiers: [{ kind: 'account:shop', value: 'x' }], channel: 'api' }); // all before it has its place
      const before = await ledger.head();
      const receipt = await ledger.importOptOuts(streamOf(rows), { idempotencyKey });
      expect(receipt).toMatchObject({ isRepeat: true, rowCount: 1000, identifierCount: 1000 });
      const { entries } = await ledger.changesAfter(before.seq);
      const changeCount = entries.reduce((sum, { changes }) => sum + changes.length / 20, 0);
      expect(changeCount).toBeLessThan(1000 - 500);
      expect((await Promise.all(rows.map(isIn))).every(Boolean)).toBe(true);
      const { requests } = await ledger.statusOf(rows[0] as never);
      expect(requests).toMatchObject([{ requestId: receipt.requestId, status: 'complied' }]);
    });

    test('is refused with other rows', async () => {
      const rows = digestRows(newKey(), 300);
      const options = { idempotencyKey: newKey(), batchRows: 50 };
      await expect(ledger.importOptOuts(streamOf(rows, 200), options)).rejects.toThrow('broke off');
      const conflict = { code: 'ledger.idempotency_conflict' };
      await expect(ledger.importOptOuts(rows.toReversed(), options)).rejects.toMatchObject(conflict);
      await expect(ledger.importOptOuts(rows.slice(0, 20), options)).rejects.toMatchObject(conflict);
      await expect(ledger.importOptOuts(rows, { ...options, channel: 'drop' })).rejects.toMatchObject(conflict);
      expect(await ledger.importOptOuts(rows, options)).toMatchObject({ identifierCount: 300 });
      await expect(ledger.importOptOuts([...rows, ...digestRows('x', 1)], options)).rejects.toMatchObject(conflict);
      await expect(ledger.importOptOuts(rows.slice(1), options)).rejects.toMatchObject(conflict);
    });

    test('by its signal ends after the batches under way', async () => {
      const rows = digestRows(newKey(), 500);
      const stop = new AbortController();
      const idempotencyKey = newKey();
      const stopped = ledger.importOptOuts(streamOf(rows), {
        idempotencyKey,
        batchRows: 50,
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('enough')),
      });
      await expect(stopped).rejects.toThrow('enough');
      expect(await ledger.importOptOuts(rows, { idempotencyKey })).toMatchObject({
        isRepeat: true,
        identifierCount: 500,
      });
    });
  });

  test('an import that has ended is not done again, and with the digest of its source not even read', async () => {
    const rows = digestRows(newKey(), 200);
    const sourceDigest = randomBytes(32);
    for (const options of [{ idempotencyKey: newKey() }, { idempotencyKey: newKey(), sourceDigest }]) {
      const first = await ledger.importOptOuts(rows, options);
      const before = await ledger.head();
      let readCount = 0;
      const counted = (function* () {
        for (const row of rows) {
          readCount++;
          yield row;
        }
      })();
      expect(await ledger.importOptOuts(counted, options)).toEqual({ ...first, isRepeat: true });
      expect(readCount).toBe('sourceDigest' in options ? 0 : 200);
      expect((await ledger.head()).seq).toBe(before.seq);
    }
    const other = ledger.importOptOuts(rows, { idempotencyKey: newKey(), sourceDigest: randomBytes(31) });
    await expect(other).rejects.toMatchObject({ field: 'sourceDigest', code: 'malformed' });
  });

  test('the same import twice at once is one', async () => {
    const rows = digestRows(newKey(), 600);
    const idempotencyKey = newKey();
    const before = await ledger.head();
    const send = () => ledger.importOptOuts(streamOf(rows), { idempotencyKey, batchRows: 100 });
    const receipts = await Promise.all([send(), send(), send()]);
    expect(new Set(receipts.map(({ requestId, token }) => `${requestId} ${token}`)).size).toBe(1);
    expect(receipts.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1);
    expect((await ledger.head()).seq).toBe(before.seq + 6);
  });

  test('options that cannot be used are refused with their field', async () => {
    const refused = (options: object) => ledger.importOptOuts([], options as never);
    await expect(refused({ batchRows: 5000 })).rejects.toMatchObject({ field: 'batchRows', code: 'out_of_range' });
    await expect(refused({ chanel: 'drop' })).rejects.toMatchObject({ field: 'chanel', code: 'unknown' });
    await expect(refused({ channel: 'fax' })).rejects.toMatchObject({ field: 'channel', code: 'unknown' });
    await expect(refused({ receivedAtMs: Date.now() + 1e9 })).rejects.toMatchObject({ code: 'future' });
  });

  test('every identifier is kept once, with its digests, and the ledger is sound', async () => {
    const name = newKey();
    const rows: ImportRow[] = [
      { kind: 'maid', value: sha256(name).slice(0, 32) },
      { kind: 'email_sha1', value: createHash('sha1').update(name).digest('base64') },
      { kind: 'eid:example.com', value: name },
    ];
    const idempotencyKey = newKey();
    await expect(ledger.importOptOuts(streamOf(rows, 2), { idempotencyKey, batchRows: 1 })).rejects.toThrow();
    const { requestId } = await ledger.importOptOuts(rows, { idempotencyKey });
    expect((await ledger.verify()).findings).toEqual([]);
    await ledger.close();
    const database = await openDatabase(place.location);
    const parts = await database.query<{ identities: Buffer; digests: Buffer }>(
      `select identities, digests from optgate.import_part as part
       join optgate.request on request.id = part.request_id where public_id = $1 order by first_row`,
      [requestId],
    );
    expect(parts.reduce((sum, { identities }) => sum + identities.length / 16, 0)).toBe(3);
    const kept = [...unpackIdentifiers(Buffer.concat(parts.map(({ digests }) => digests)))];
    expect(kept.map(({ tag, digests }) => [tag, digests.length])).toEqual([
      [KIND_TAG.maid, 12],
      [KIND_TAG.email_sha1, 1],
      [KIND_TAG.eid, 0],
    ]);
    expect(kept[1]?.digests[0]?.bytes.toString('base64')).toBe(rows[1]?.value);
    await database.close();
    ledger = await openLedger(place.location);
  });
});
