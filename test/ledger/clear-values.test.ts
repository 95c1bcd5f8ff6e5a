/**
 * Nothing clear is kept, unless there is a key; and then nothing clear can be read without it.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Identifier } from '../../src/core/vocabulary.js';
import { ClearVault, packClear, unpackClear } from '../../src/ledger/clear-values.js';
import { openDatabase } from '../../src/ledger/database.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { BACKENDS, dump } from './backends.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const PEOPLE: readonly Identifier[] = [
  { kind: 'email', value: 'Jane.Roe.Zxqv@Gmail.com' },
  { kind: 'phone', value: '(415) 555-0142' },
  { kind: 'maid', value: MAID.toUpperCase() },
  { kind: 'ctv', value: 'TV-XQZW-1234-5678' },
  { kind: 'eid:example.com', value: 'eid-value-zxqv' },
  { kind: 'account:shop', value: 'account-value-zxqv' },
];

/** Every form in which one of them could be found. */
const FORMS: readonly Buffer[] = [
  ...['zxqv@gmail', 'zxqv@Gmail', 'JaneRoeZxqv', '5550142', '555-0142', 'XQZW', 'xqzw', '-value-zxqv'].map((text) =>
    Buffer.from(text),
  ),
  Buffer.from('janeroezxqv'),
  Buffer.from(MAID),
  Buffer.from(MAID.toUpperCase()),
  Buffer.from(MAID.replaceAll('-', '')),
  Buffer.from(MAID.replaceAll('-', ''), 'hex'),
  Buffer.from(MAID.replaceAll('-', ''), 'hex').subarray(0, 8),
];
const foundIn = (bytes: Buffer) => {
  const lower = Buffer.from(bytes.toString('latin1').toLowerCase(), 'latin1');
  return FORMS.filter((form) => bytes.includes(form) || lower.includes(form)).map(String);
};

async function fill(ledger: Ledger): Promise<readonly string[]> {
  const { requestId: optOut } = await ledger.recordOptOut({
    identifiers: PEOPLE,
    channel: 'phone',
    idempotencyKey: 'one',
    operator: 'desk 4',
  });
  const optIn = await ledger.recordOptIn({ identifiers: PEOPLE, channel: 'phone' });
  await ledger.confirmOptIn(optIn.requestId, optIn.confirmation ?? '');
  const { requestId: imported } = await ledger.importOptOuts(PEOPLE, { batchRows: 4 });
  for (const identifier of PEOPLE) expect((await ledger.statusOf(identifier)).rights).toHaveLength(7);
  return [optOut, imported];
}

async function clearOf(ledger: Ledger, requestId: string): Promise<readonly object[]> {
  const values: object[] = [];
  for await (const value of ledger.clearValuesOf(requestId)) values.push(value);
  return values;
}

describe.each(BACKENDS)('on $name', ({ make }) => {
  test('without a key no table holds a clear value, nor the bytes of a MAID', async () => {
    const place = await make();
    const ledger = await openLedger(place.location);
    const [optOut = ''] = await fill(ledger);
    await expect(clearOf(ledger, optOut)).rejects.toMatchObject({ code: 'ledger.clear_key' });
    await ledger.close();
    const everything = await dump(place.location);
    expect(everything.includes('desk 4')).toBe(true); // so the dump shows what there is
    expect(foundIn(everything)).toEqual([]);
    await place.remove();
  });

  test('with a key they are kept, found in no table, and read back with that key alone', async () => {
    const place = await make();
    const key = randomBytes(32);
    const ledger = await openLedger(place.location, { keepClear: { key } });
    const [optOut = '', imported = ''] = await fill(ledger);
    expect(await clearOf(ledger, optOut)).toEqual(PEOPLE);
    expect(await clearOf(ledger, imported)).toEqual(PEOPLE);
    await ledger.close();
    expect(foundIn(await dump(place.location))).toEqual([]);

    const other = await openLedger(place.location, { keepClear: { key: randomBytes(32) }, sequence: false });
    await expect(clearOf(other, optOut)).rejects.toMatchObject({ code: 'ledger.clear_key' });
    await expect(clearOf(other, imported)).rejects.toMatchObject({ code: 'ledger.clear_key' });
    await other.close();

    const database = await openDatabase(place.location);
    await database.query(
      `update optgate.request_identifier as one set clear = other.clear from optgate.request_identifier as other
       where one.request_id = other.request_id and one.n = 0 and other.n = 1`,
    );
    await database.query(`update optgate.import_part set clear = overlay(clear placing '\\x00' from 40)`);
    await database.close();
    const again = await openLedger(place.location, { keepClear: { key }, sequence: false });
    await expect(clearOf(again, optOut)).rejects.toMatchObject({ code: 'ledger.damaged' });
    await expect(clearOf(again, imported)).rejects.toMatchObject({ code: 'ledger.damaged' });
    await again.close();
    await place.remove();
  });
});

describe('sealing', () => {
  const position = { requestId: 'r_1', table: 'identifier', index: 3 } as const;
  const vault = new ClearVault(new Uint8Array(32).fill(7), randomBytes);

  test('binds a value to its place, and never gives the same bytes twice', () => {
    const sealed = vault.seal(Buffer.from('jane@example.com'), position);
    expect(String(vault.open(sealed, position))).toBe('jane@example.com');
    expect(vault.seal(Buffer.from('jane@example.com'), position).equals(sealed)).toBe(false);
    for (const other of [{ requestId: 'r_2' }, { table: 'part' as const }, { index: 4 }]) {
      expect(() => vault.open(sealed, { ...position, ...other })).toThrow('ledger.damaged');
    }
  });

  test('every changed byte is noticed', () => {
    const sealed = vault.seal(Buffer.from('x'), position);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => vault.open(changed, position)).toThrow(/^ledger\.(damaged|clear_key)/);
    }
    expect(() => vault.open(sealed.subarray(0, 20), position)).toThrow('ledger.damaged');
  });

  test('a list of identifiers comes back as it was, and is refused cut short', () => {
    const packed = Buffer.concat(PEOPLE.map(({ kind, value }) => packClear(kind, value)));
    expect([...unpackClear(packed)]).toEqual(PEOPLE);
    expect(() => [...unpackClear(packed.subarray(0, -1))]).toThrow('ledger.damaged');
    expect(() => [...unpackClear(Buffer.from([1]))]).toThrow('ledger.damaged');
  });
});
