/**
 * One identifier entered and found again, under every dialect, through the library's own two functions.
 * @module
 */
import { expect, test } from 'vitest';
import { enterIdentifier, rightsOfIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { type Identifier, KIND_TAG, RIGHTS_ALL, rightsMask, rightsOfMask } from '../../src/core/vocabulary.js';
import { digestHex } from '../reference/identity.js';

const JANE: Identifier = { kind: 'email', value: ' JANE@example.com ' };
const JANE_SHA256: Identifier = { kind: 'email_sha256', value: digestHex('sha256', 'jane@example.com') };
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

function newHolder(): { holder: TableHolder; table: SuppressionTable } {
  const table = SuppressionTable.create({ capacity: 100, seed: 7n, epoch: 'test' });
  return { holder: new TableHolder({ table }), table };
}

test('what is entered clear is found by its digests, and a digest by the clear value', () => {
  const { holder, table } = newHolder();
  expect(enterIdentifier(holder, JANE, rightsMask(['sale', 'share']))).toBe(true);
  expect(rightsOfMask(rightsOfIdentifier(table, JANE))).toEqual(['sale', 'share']);
  expect(rightsOfMask(rightsOfIdentifier(table, JANE_SHA256))).toEqual(['sale', 'share']);
  expect(rightsOfIdentifier(table, { kind: 'email', value: 'joan@example.com' })).toBe(0);

  const other = newHolder();
  enterIdentifier(other.holder, JANE_SHA256, RIGHTS_ALL);
  expect(rightsOfIdentifier(other.table, JANE)).toBe(RIGHTS_ALL);
});

test('rights add up; none is taken away', () => {
  const { holder, table } = newHolder();
  enterIdentifier(holder, JANE, rightsMask(['sale']));
  enterIdentifier(holder, JANE, rightsMask(['profiling']));
  expect(rightsOfMask(rightsOfIdentifier(table, JANE_SHA256))).toEqual(['sale', 'profiling']);
});

test('the digests of a clear value are marked as derived, a digest given is not', () => {
  const { holder, table } = newHolder();
  enterIdentifier(holder, JANE, RIGHTS_ALL);
  expect(table.givenKindMask).toBe(1 << KIND_TAG.email);
  expect(table.kindMask & (1 << KIND_TAG.email_sha256)).not.toBe(0);
  enterIdentifier(holder, JANE_SHA256, RIGHTS_ALL);
  expect(table.givenKindMask).toBe((1 << KIND_TAG.email) | (1 << KIND_TAG.email_sha256));
});

test('exact enters one key', () => {
  const { holder, table } = newHolder();
  enterIdentifier(holder, JANE, RIGHTS_ALL, { exact: true });
  expect(table.entryCount).toBe(1);
  expect(rightsOfIdentifier(table, JANE_SHA256)).toBe(0);
});

test('an identifier that names nobody enters nothing', () => {
  const { holder, table } = newHolder();
  expect(enterIdentifier(holder, { kind: 'maid', value: NIL_UUID }, RIGHTS_ALL)).toBe(false);
  expect(table.entryCount).toBe(0);
  expect(rightsOfIdentifier(table, { kind: 'maid', value: NIL_UUID })).toBe(0);
});

test('what is malformed throws, and is not shown', () => {
  const { holder, table } = newHolder();
  for (const value of ['mailto:jane@secret.com', 'secret', 7 as unknown as string]) {
    const identifier: Identifier = { kind: 'email', value };
    for (const use of [
      () => enterIdentifier(holder, identifier, RIGHTS_ALL),
      () => rightsOfIdentifier(table, identifier),
    ]) {
      expect(use).toThrow(TypeError);
      expect(use).toThrow(/^identifier: expected a kind and a value of that kind$/);
    }
  }
  expect(() => enterIdentifier(holder, undefined as never, RIGHTS_ALL)).toThrow(TypeError);
  expect(table.entryCount).toBe(0);
});

test.each([0, -1, 1.5, Number.NaN, RIGHTS_ALL + 1])('%d is no mask of rights', (rights) => {
  const { holder, table } = newHolder();
  expect(() => enterIdentifier(holder, JANE, rights)).toThrow(RangeError);
  expect(table.entryCount).toBe(0);
});

test('a holder that was never loaded says so', () => {
  expect(() => enterIdentifier(new TableHolder(), JANE, RIGHTS_ALL)).toThrow(/table\.not_loaded/);
});

test('entries go into the table the holder grows into', () => {
  const { holder } = newHolder();
  const person = (index: number): Identifier => ({ kind: 'email', value: `p${index}@example.com` });
  for (let index = 0; index < 500; index++) enterIdentifier(holder, person(index), RIGHTS_ALL);
  while (holder.growStep()) {}
  for (let index = 0; index < 500; index++) expect(rightsOfIdentifier(holder.current!, person(index))).toBe(RIGHTS_ALL);
});
