/**
 * A few people, some of whom have opted out, and files that name them in every spelling.
 * @module
 */
import { createHash } from 'node:crypto';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { type IdentifierKind, RIGHTS_ALL, rightsMask } from '../../src/core/vocabulary.js';
import { type ColumnMapping, type FilterOptions, filterRows, type RowCounts } from '../../src/exports/index.js';
import { type NaiveOptions, naiveSet } from '../reference/naive-filter.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** Who opted out, of what, and how they said who they are. */
export const OPTED_OUT: readonly { kind: IdentifierKind; value: string; rights: number }[] = [
  { kind: 'email', value: 'jane.doe+news@gmail.com', rights: RIGHTS_ALL },
  { kind: 'email', value: 'o ut@example.com', rights: rightsMask(['sale']) },
  { kind: 'email', value: 'zoë@bücher.example', rights: RIGHTS_ALL },
  { kind: 'email_sha256', value: sha256('digest@example.org').toString('hex'), rights: RIGHTS_ALL },
  { kind: 'email_sha256', value: sha256('drop@example.org').toString('base64'), rights: rightsMask(['sensitive']) },
  { kind: 'phone', value: '(415) 555-2671', rights: RIGHTS_ALL },
  { kind: 'phone_sha256', value: sha256('2125550123').toString('hex'), rights: RIGHTS_ALL },
  { kind: 'maid', value: '6d92078a-8246-4ba4-ae5b-76104861e7dc', rights: rightsMask(['share']) },
  { kind: 'maid_sha256', value: sha256('38400000-8cf0-11bd-b23e-10b96e40000d').toString('hex'), rights: RIGHTS_ALL },
  { kind: 'ctv', value: 'roku-1234-abcd', rights: RIGHTS_ALL },
  { kind: 'eid:uidapi.com', value: 'AgAAAAVacu1uAxgAxH+HJ8+nWlS2H4uVqr6i+HBDCNREHD8WKsio', rights: RIGHTS_ALL },
  { kind: 'account:shop', value: '1234567890', rights: RIGHTS_ALL },
  { kind: 'account:shop', value: 'naïve-7', rights: RIGHTS_ALL },
];

/** Values that stand in files: of those who opted out, of others, and of nobody. */
export const VALUES: readonly string[] = [
  'jane.doe+news@gmail.com',
  ' JaneDoe@Gmail.com ',
  'janedoe@gmail.com',
  'jane@example.com',
  'out@example.com',
  'OUT@EXAMPLE.COM.',
  'zoë@bücher.example',
  'ZOË@BÜCHER.example',
  'digest@example.org',
  'Drop@Example.org',
  sha256('digest@example.org').toString('hex').toUpperCase(),
  sha256('out@example.com').toString('base64url'),
  sha256('nobody@example.com').toString('hex'),
  sha256('4155552671').toString('hex'),
  '+1 415-555-2671',
  '14155552671',
  '2125550123',
  '2125550199',
  '6D92078A-8246-4BA4-AE5B-76104861E7DC',
  '6d92078a82464ba4ae5b76104861e7dc',
  '38400000-8CF0-11BD-B23E-10B96E40000D',
  '7a0b1c2d-8246-4ba4-ae5b-76104861e7dc',
  '00000000-0000-0000-0000-000000000000',
  'ROKU1234ABCD',
  'rida-other-device-1',
  'AgAAAAVacu1uAxgAxH+HJ8+nWlS2H4uVqr6i+HBDCNREHD8WKsio',
  'agAAAAVacu1uAxgAxH+HJ8+nWlS2H4uVqr6i+HBDCNREHD8WKsio',
  '1234567890',
  '123456789',
  'naïve-7',
  'jane@example.com;out@example.com',
  'jane@example.com|+1 415-555-2671',
  '2125550199 / 4155552671',
  'n/a',
  '',
  '0',
];

export function optedOutTable(): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 1000, seed: 99n, epoch: 'people' });
  const holder = new TableHolder({ table });
  for (const { kind, value, rights } of OPTED_OUT) enterIdentifier(holder, { kind, value }, rights);
  return table;
}

export const optedOutKeys = naiveSet(OPTED_OUT);

export function naiveOptions(mapping: ColumnMapping, more: Partial<NaiveOptions> = {}): NaiveOptions {
  const options = { rightsMask: RIGHTS_ALL, mode: 'drop', onUnidentifiable: 'drop' } as const;
  return { suppressed: optedOutKeys, mapping, ...options, ...more };
}

/** A stream of the bytes in pieces of these sizes, over and over. */
export async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export interface Filtered {
  readonly output: Buffer;
  readonly counts: RowCounts;
}

export async function filter(input: AsyncIterable<Uint8Array>, options: FilterOptions): Promise<Filtered> {
  const { output, done } = filterRows(input, options);
  const parts: Uint8Array[] = [];
  for await (const part of output) parts.push(part);
  return { output: Buffer.concat(parts), counts: await done };
}

/** Terms that keep back whoever has any of these rights. */
export const termsOf = (mask = RIGHTS_ALL) =>
  ({ kind: 'filter', reason: 'destination.third_party', rightsMask: mask }) as const;
